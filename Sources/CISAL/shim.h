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
