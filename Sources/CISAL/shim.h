#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

// The state of an inflation has tables of many thousand elements, which Swift would see as tuples: it sees a pointer.
struct berth_isal;

/// Whether the processor has the instructions that the library's fast paths are written in.
static inline int berth_isal_is_fast(void) {
#if defined(__x86_64__)
    unsigned int a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSE4_2) && (c & bit_PCLMUL);
#elif defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

/// A state for gzip, whose header is read and whose checksum is compared; NULL without memory.
static inline struct berth_isal *berth_isal_make(void) {
    struct inflate_state *state = (struct inflate_state *)malloc(sizeof *state);
    if (!state) return NULL;
    isal_inflate_init(state);
    state->crc_flag = ISAL_GZIP;
    return (struct berth_isal *)state;
}

static inline void berth_isal_free(struct berth_isal *state) { free(state); }

/// Before the next member.
static inline void berth_isal_reset(struct berth_isal *state) {
    isal_inflate_reset((struct inflate_state *)state);
    ((struct inflate_state *)state)->crc_flag = ISAL_GZIP;
}

/// Inflates; both counts become what is left. The result is negative for damage, 1 at the end of a member, else 0.
static inline int berth_isal_step(
    struct berth_isal *opaque, const uint8_t *input, uint32_t *input_count, uint8_t *output, uint32_t *output_count) {
    struct inflate_state *state = (struct inflate_state *)opaque;
    state->next_in = (uint8_t *)input;
    state->avail_in = *input_count;
    state->next_out = output;
    state->avail_out = *output_count;
    int result = isal_inflate(state);
    *input_count = state->avail_in;
    *output_count = state->avail_out;
    if (result < 0) return result;
    return state->block_state == ISAL_BLOCK_FINISH;
}

/// The most bytes that so many become when they are compressed: deflate's stored blocks, with the end on a byte.
static inline uint32_t berth_isal_bound(uint32_t count) { return count + (count >> 12) + 512; }

/// Compresses bytes on their own at level 1, as deflate blocks that refer to nothing before them and end on a byte. The result is how many bytes were written; 0
/// without memory, or if they had no room.
static inline uint32_t berth_isal_deflate(const uint8_t *input, uint32_t count, uint8_t *output, uint32_t capacity) {
    struct isal_zstream *stream = (struct isal_zstream *)malloc(sizeof *stream + ISAL_DEF_LVL1_DEFAULT);
    if (!stream) return 0;
    isal_deflate_init(stream);
    stream->level = 1;
    stream->level_buf = (uint8_t *)(stream + 1);
    stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream->flush = SYNC_FLUSH;
    stream->next_in = (uint8_t *)input;
    stream->avail_in = count;
    stream->next_out = output;
    stream->avail_out = capacity;
    int failed = isal_deflate(stream) != COMP_OK || stream->avail_in > 0 || stream->avail_out == 0;
    uint32_t written = stream->total_out;
    free(stream);
    return failed ? 0 : written;
}

/// The checksum that gzip has.
static inline uint32_t berth_isal_checksum(const uint8_t *bytes, uint64_t count) { return crc32_gzip_refl(0, bytes, count); }
