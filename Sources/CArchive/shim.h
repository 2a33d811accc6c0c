#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <stddef.h>

// libarchive is opened when an archive is met that needs it, not linked: it brings libxml2 and ICU with it, several megabytes of an idle process.
// The types are those of its own headers, which Debian's libarchive-dev has; the file is that of its package libarchive13.
#define CARCHIVE_FILE "libarchive.so.13"

#define CARCHIVE_FUNCTIONS(each) \
    each(archive_errno) each(archive_error_string) each(archive_filter_code) \
    each(archive_read_new) each(archive_read_free) each(archive_read_open2) each(archive_read_open_fd) \
    each(archive_read_next_header) each(archive_read_data) \
    each(archive_read_support_filter_bzip2) each(archive_read_support_filter_compress) each(archive_read_support_filter_lz4) \
    each(archive_read_support_filter_lzip) each(archive_read_support_filter_lzma) each(archive_read_support_filter_xz) \
    each(archive_read_support_format_7zip) each(archive_read_support_format_ar) each(archive_read_support_format_cab) \
    each(archive_read_support_format_cpio) each(archive_read_support_format_iso9660) each(archive_read_support_format_lha) \
    each(archive_read_support_format_rar) each(archive_read_support_format_rar5) each(archive_read_support_format_raw) \
    each(archive_read_support_format_warc) each(archive_read_support_format_zip) \
    each(archive_entry_filetype) each(archive_entry_gid) each(archive_entry_hardlink) each(archive_entry_hardlink_utf8) \
    each(archive_entry_is_encrypted) each(archive_entry_mtime) each(archive_entry_mtime_nsec) \
    each(archive_entry_pathname) each(archive_entry_pathname_utf8) each(archive_entry_perm) \
    each(archive_entry_rdevmajor) each(archive_entry_rdevminor) each(archive_entry_size) each(archive_entry_size_is_set) \
    each(archive_entry_symlink) each(archive_entry_symlink_utf8) each(archive_entry_uid) \
    each(archive_entry_xattr_next) each(archive_entry_xattr_reset)

// What is called of libarchive.
struct carchive_functions {
#define CARCHIVE_MEMBER(name) __typeof__(name) *name;
    CARCHIVE_FUNCTIONS(CARCHIVE_MEMBER)
#undef CARCHIVE_MEMBER
};

// Finds all of them, opening the library if it is not open. Returns NULL, or why one is missing: the loader's words, until its next call on this thread.
static inline const char *carchive_open(struct carchive_functions *functions) {
    void *library = dlopen(CARCHIVE_FILE, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return dlerror();
#define CARCHIVE_FIND(name) \
    if ((functions->name = (__typeof__(name) *)dlsym(library, #name)) == NULL) return dlerror();
    CARCHIVE_FUNCTIONS(CARCHIVE_FIND)
#undef CARCHIVE_FIND
    return NULL;
}
