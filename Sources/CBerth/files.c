#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

int berth_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    for (int tries = 0;; tries++) {
        long descriptor = syscall(SYS_openat2, directory, path, &how, sizeof how);
        // EAGAIN: a rename raced with the resolution; the kernel asks to try again.
        if (descriptor >= 0 || errno != EAGAIN || tries == 128) return (int)descriptor;
    }
}

int berth_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

int berth_syncfs(int descriptor) { return syncfs(descriptor); }

int berth_begin_writeback(int descriptor, int64_t offset, int64_t byte_count) {
    return sync_file_range(descriptor, offset, byte_count, SYNC_FILE_RANGE_WRITE);
}

ssize_t berth_getdents64(int descriptor, void *buffer, size_t capacity) {
    return syscall(SYS_getdents64, descriptor, buffer, capacity);
}

// A path through /proc/self/fd that ends at `name` itself: the l... calls do not follow it. An empty name is the directory.
static int attribute_path(char *path, size_t capacity, int directory, const char *name) {
    int length = name[0] ? snprintf(path, capacity, "/proc/self/fd/%d/%s", directory, name)
                         : snprintf(path, capacity, "/proc/self/fd/%d/.", directory);
    if (length < 0 || (size_t)length >= capacity) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

ssize_t berth_lgetxattrat(int directory, const char *name, const char *attribute, void *value, size_t capacity) {
    char path[4200];
    if (attribute_path(path, sizeof path, directory, name) < 0) return -1;
    return lgetxattr(path, attribute, value, capacity);
}

ssize_t berth_llistxattrat(int directory, const char *name, char *list, size_t capacity) {
    char path[4200];
    if (attribute_path(path, sizeof path, directory, name) < 0) return -1;
    return llistxattr(path, list, capacity);
}

int berth_lsetxattrat(int directory, const char *name, const char *attribute, const void *value, size_t size, int flags) {
    char path[4200];
    if (attribute_path(path, sizeof path, directory, name) < 0) return -1;
    return lsetxattr(path, attribute, value, size, flags);
}

int berth_fsetxattr(int descriptor, const char *attribute, const void *value, size_t size) {
    return fsetxattr(descriptor, attribute, value, size, 0);
}

int berth_lremovexattrat(int directory, const char *name, const char *attribute) {
    char path[4200];
    if (attribute_path(path, sizeof path, directory, name) < 0) return -1;
    return lremovexattr(path, attribute);
}

ssize_t berth_flistxattr(int descriptor, char *list, size_t capacity) { return flistxattr(descriptor, list, capacity); }

ssize_t berth_fgetxattr(int descriptor, const char *attribute, void *value, size_t capacity) {
    return fgetxattr(descriptor, attribute, value, capacity);
}

uint64_t berth_makedev(unsigned int major_number, unsigned int minor_number) { return makedev(major_number, minor_number); }
unsigned int berth_major(uint64_t device) { return major(device); }
unsigned int berth_minor(uint64_t device) { return minor(device); }

int berth_spread_subdirectories(int directory) {
    int flags;
    if (ioctl(directory, FS_IOC_GETFLAGS, &flags) != 0) return -1;
    if (flags & FS_TOPDIR_FL) return 0;
    flags |= FS_TOPDIR_FL;
    return ioctl(directory, FS_IOC_SETFLAGS, &flags);
}

int berth_clone_file(int target, int source) { return ioctl(target, FICLONE, source); }

ssize_t berth_copy_file_range(int source, int target, size_t size) {
    return copy_file_range(source, NULL, target, NULL, size, 0);
}

int berth_punch_hole(int descriptor, int64_t offset, int64_t size) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

const char *berth_error_name(int error) { return strerrorname_np(error); }

int berth_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int berth_pipe_capacity(int pipe, int size) { return fcntl(pipe, F_SETPIPE_SZ, size); }

int berth_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC); }
