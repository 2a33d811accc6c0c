// System calls on files and directories that Glibc hides behind _GNU_SOURCE or does not have.
#ifndef CBERTH_FILES_H
#define CBERTH_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BERTH_RESOLVE_NO_XDEV 0x01
#define BERTH_RESOLVE_NO_MAGICLINKS 0x02
#define BERTH_RESOLVE_NO_SYMLINKS 0x04
#define BERTH_RESOLVE_BENEATH 0x08
#define BERTH_RESOLVE_IN_ROOT 0x10

#define BERTH_O_PATH 010000000
/// Goes with O_DIRECTORY, which is another number on each architecture.
#define BERTH_O_TMPFILE 020000000

/// openat2(2). `path` need not outlive the call.
int berth_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/// renameat2(2): 1 = no replace, 2 = exchange.
int berth_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);

/// syncfs(2).
int berth_syncfs(int descriptor);

/// sync_file_range(2): has the kernel begin to write a file's pages to the disk, and does not wait for it.
int berth_begin_writeback(int descriptor, int64_t offset, int64_t byte_count);

/// getdents64(2): the number of bytes written to `buffer`, 0 at the end.
ssize_t berth_getdents64(int descriptor, void *buffer, size_t capacity);

/// The attribute calls for a name in a directory, never following a link: through /proc/self/fd where the kernel
/// has no ...at variant (before Linux 6.13).
ssize_t berth_lgetxattrat(int directory, const char *name, const char *attribute, void *value, size_t capacity);
ssize_t berth_llistxattrat(int directory, const char *name, char *list, size_t capacity);
int berth_lsetxattrat(int directory, const char *name, const char *attribute, const void *value, size_t size, int flags);
int berth_fsetxattr(int descriptor, const char *attribute, const void *value, size_t size);
int berth_lremovexattrat(int directory, const char *name, const char *attribute);

/// flistxattr(2) and fgetxattr(2), of an open file.
ssize_t berth_flistxattr(int descriptor, char *list, size_t capacity);
ssize_t berth_fgetxattr(int descriptor, const char *attribute, void *value, size_t capacity);

/// Device numbers, as the kernel splits them.
uint64_t berth_makedev(unsigned int major, unsigned int minor);
unsigned int berth_major(uint64_t device);
unsigned int berth_minor(uint64_t device);

/// FS_IOC_SETFLAGS with FS_TOPDIR_FL, where that is not set yet.
int berth_spread_subdirectories(int directory);

/// FICLONE: shares the data of `source` with `target`.
int berth_clone_file(int target, int source);

/// copy_file_range(2) from the descriptors' own positions.
ssize_t berth_copy_file_range(int source, int target, size_t size);

/// fallocate(2) with FALLOC_FL_PUNCH_HOLE | KEEP_SIZE.
int berth_punch_hole(int descriptor, int64_t offset, int64_t size);

/// memfd_create(2), close-on-exec.
int berth_memfd(const char *name);

/// The symbolic name of an errno, or NULL.
const char *berth_error_name(int error);

/// pipe2(2) with O_CLOEXEC.
int berth_pipe(int ends[2]);
int berth_pipe_capacity(int pipe, int size);

#endif
