// Mount trees for copying files: see trees.h.

#define _GNU_SOURCE
#include "trees.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static int restrict_tree(int tree, int for_reading) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
    if (for_reading) {
        attributes.attr_set |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME;
        attributes.attr_clr = MOUNT_ATTR__ATIME;
    }
    return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes);
}

static int restricted(int tree, int for_reading) {
    if (tree < 0 || restrict_tree(tree, for_reading) == 0) return tree;
    int error = errno;
    close(tree);
    errno = error;
    return -1;
}

struct namespace_request {
    int descriptor, for_reading, root_alone, result, error;
};

static void *copy_namespace(void *argument) {
    struct namespace_request *request = argument;
    // From here on this thread's namespace, root and directory are its own, and end with it.
    if (request->root_alone) {
        if (unshare(CLONE_FS) == 0 && setns(request->descriptor, CLONE_NEWNS) == 0)
            request->result = restricted((int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), request->for_reading);
    } else if (unshare(CLONE_FS) == 0 && setns(request->descriptor, CLONE_NEWNS) == 0 && unshare(CLONE_NEWNS) == 0 &&
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
        // What is there of the kernel is no files: some of them never end. What is not there need not go.
        static const char *const kernels[] = {"/proc", "/sys", "/dev"};
        for (size_t index = 0; index < sizeof kernels / sizeof *kernels; index++) umount2(kernels[index], MNT_DETACH | UMOUNT_NOFOLLOW);
        request->result = restricted(
            (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), request->for_reading);
    }
    request->error = errno;
    return NULL;
}

static int run_aside(void *(*body)(void *), void *request) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, request);
    if (error == 0) error = pthread_join(thread, NULL);
    if (error == 0) return 0;
    errno = error;
    return -1;
}

int berth_tree_of_namespace(int namespace_descriptor, int for_reading, int root_alone) {
    struct namespace_request request = {.descriptor = namespace_descriptor, .for_reading = for_reading, .root_alone = root_alone, .result = -1};
    if (run_aside(copy_namespace, &request) < 0) return -1;
    errno = request.error;
    return request.result;
}

struct layers_request {
    const struct berth_tree *tree;
    size_t failed;
    int lacks_target, result, error;
};

static int root_of(const struct berth_tree *tree) {
    if (tree->directory) return (int)syscall(SYS_open_tree, AT_FDCWD, tree->directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return berth_overlay(tree->base, tree->lowers, tree->lower_count, tree->upper, tree->work, NULL, 0, 0);
}

static int attach(int root, const struct berth_tree_mount *mount, int *lacks_target) {
    int source = (int)syscall(SYS_open_tree, AT_FDCWD, mount->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (source < 0) return -1;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int target = (int)syscall(SYS_openat2, root, mount->target, &how, sizeof how);
    int result = -1;
    if (target < 0) {
        *lacks_target = errno == ENOENT;
    } else {
        struct mount_attr attributes = {.attr_set = mount->read_only ? MOUNT_ATTR_RDONLY : 0};
        result = (int)syscall(SYS_mount_setattr, source, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
        if (result == 0) result = (int)syscall(SYS_move_mount, source, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    }
    int error = errno;
    if (target >= 0) close(target);
    close(source);
    errno = error;
    return result;
}

static int put_together(struct layers_request *request, int root) {
    const struct berth_tree *tree = request->tree;
    // Only what is attached can be mounted on: in a namespace that goes with this thread.
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    if (syscall(SYS_move_mount, root, "", AT_FDCWD, tree->place, MOVE_MOUNT_F_EMPTY_PATH) < 0) return -1;
    for (size_t index = 0; index < tree->mount_count; index++) {
        if (attach(root, &tree->mounts[index], &request->lacks_target) == 0) continue;
        request->failed = index;
        return -1;
    }
    return (int)syscall(SYS_open_tree, root, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
}

static void *make_tree(void *argument) {
    struct layers_request *request = argument;
    int root = unshare(CLONE_FS) < 0 ? -1 : root_of(request->tree);
    request->error = errno;
    if (root < 0) return NULL;
    if (request->tree->mount_count == 0) {
        request->result = restricted(root, request->tree->for_reading);
        request->error = errno;
        return NULL;
    }
    request->result = restricted(put_together(request, root), request->tree->for_reading);
    request->error = errno;
    close(root);
    return NULL;
}

int berth_tree_of_layers(const struct berth_tree *tree, size_t *failed, int *lacks_target) {
    struct layers_request request = {.tree = tree, .failed = tree->mount_count, .result = -1};
    if (run_aside(make_tree, &request) < 0) return -1;
    *failed = request.failed;
    *lacks_target = request.lacks_target;
    errno = request.error;
    return request.result;
}

int berth_is_mount_root(int directory, const char *name) {
    struct statx status;
    if (statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0) return -1;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

int berth_is_read_only(int descriptor) {
    struct statvfs status;
    if (fstatvfs(descriptor, &status) < 0) return -1;
    return (status.f_flag & ST_RDONLY) != 0;
}
