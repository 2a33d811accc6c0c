#define _GNU_SOURCE
#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

// What a child finds, makes and mounts beneath the container's root, between clone and exec: nothing here allocates or locks.

int berth_close_keeping_errno(int descriptor, int result) {
    int saved = errno;
    close(descriptor);
    errno = saved;
    return result;
}

// ---- Paths beneath the container's root

int berth_open_in_root(const struct berth_slots *slots, const char *path, uint64_t flags) {
    if (slots->root_directory < 0) return open(path, (int)flags | O_CLOEXEC);
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    for (int tries = 0;; tries++) {
        int descriptor = (int)syscall(SYS_openat2, slots->root_directory, path, &how, sizeof how);
        if (descriptor >= 0 || errno != EAGAIN || tries == 128) return descriptor;
    }
}

// How much of `path` is there already, as a length: less than all of it. `*directory` is what that much names, or -1 with errno.
static size_t existing_part(const struct berth_slots *slots, const char *path, char *prefix, int *directory) {
    size_t end = strlen(path);
    while (1) {
        while (end > 0 && path[end - 1] != '/') end--;
        while (end > 0 && path[end - 1] == '/') end--;
        memcpy(prefix, path, end);
        prefix[end] = 0;
        *directory = berth_open_in_root(slots, end ? prefix : "/", O_PATH | O_DIRECTORY);
        if (*directory >= 0 || errno != ENOENT || end == 0) return end;
    }
}

// The path that is meant where the link `name`, the end of `prefix` in `parent`, leads to nothing yet; `rest` comes after it. -1 if it is no link.
static int redirect(int parent, const char *prefix, const char *name, const char *rest, char *redirected) {
    char target[MAXIMUM_PATH];
    ssize_t length = readlinkat(parent, name, target, sizeof target);
    if (length < 0) return -1;
    size_t before = target[0] == '/' ? 0 : (size_t)(name - prefix), after = strlen(rest);
    if (before + (size_t)length + after >= MAXIMUM_PATH) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(redirected, prefix, before);
    memcpy(redirected + before, target, (size_t)length);
    memcpy(redirected + before + (size_t)length, rest, after + 1);
    return 0;
}

static int open_or_create(const struct berth_slots *slots, const char *path, int last_is_directory, mode_t permissions, int links);

// Opens `path` beneath the root with O_PATH, making what is missing: directories, and at the end a directory or an empty file. Also where a link leads to.
int berth_open_or_create(const struct berth_slots *slots, const char *path, int last_is_directory, mode_t permissions) {
    return open_or_create(slots, path, last_is_directory, permissions, 0);
}

static int open_or_create(const struct berth_slots *slots, const char *path, int last_is_directory, mode_t permissions, int links) {
    int descriptor = berth_open_in_root(slots, path, O_PATH);
    if (descriptor >= 0 || errno != ENOENT) return descriptor;
    char prefix[MAXIMUM_PATH];
    if (strlen(path) >= sizeof prefix) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int parent;
    size_t end = existing_part(slots, path, prefix, &parent);
    while (parent >= 0) {
        while (path[end] == '/') end++;
        if (!path[end]) return parent;
        size_t start = end;
        while (path[end] && path[end] != '/') end++;
        size_t after = end;
        while (path[after] == '/') after++;
        int is_last = !path[after];
        memcpy(prefix, path, end);
        prefix[end] = 0;
        // The parent lies beneath the root, and neither call follows a link that has the name.
        const char *name = prefix + start;
        int made;
        if (!is_last || last_is_directory) {
            made = mkdirat(parent, name, is_last ? permissions : 0755);
        } else {
            made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, permissions);
            if (made >= 0) made = close(made);
        }
        int was_there = made < 0 && errno == EEXIST;
        int next = made < 0 && !was_there ? -1 : berth_open_in_root(slots, prefix, O_PATH);
        if (next < 0 && was_there && errno == ENOENT) {
            // The kernel follows up to so many, too.
            char redirected[MAXIMUM_PATH];
            errno = ELOOP;
            int is_link = links < 40 && redirect(parent, prefix, name, path + end, redirected) == 0;
            berth_close_keeping_errno(parent, 0);
            return is_link ? open_or_create(slots, redirected, last_is_directory, permissions, links + 1) : -1;
        }
        parent = berth_close_keeping_errno(parent, next);
    }
    return -1;
}

// The directory that holds the last name of `path`, made where missing; `*name` is that name.
static int open_parent(const struct berth_slots *slots, const char *path, const char **name) {
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash || slash == path) return berth_open_in_root(slots, "/", O_PATH | O_DIRECTORY);
    char folder[MAXIMUM_PATH];
    size_t length = (size_t)(slash - path);
    if (length >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, length);
    folder[length] = 0;
    return berth_open_or_create(slots, folder, 1, 0755);
}

void berth_number_text(char *end_of_text, unsigned int value, const char **start) {
    *end_of_text = 0;
    do {
        *--end_of_text = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    *start = end_of_text;
}

// "/proc/self/fd/N": how mount(2), which knows only paths, is told a descriptor.
static void descriptor_path(char path[40], int descriptor) {
    char digits[16];
    const char *start;
    berth_number_text(digits + 15, (unsigned int)descriptor, &start);
    strcpy(path, "/proc/self/fd/");
    strcat(path, start);
}

// ---- Mounts

int berth_enter_namespace(const char *path, int type) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    return berth_close_keeping_errno(file, setns(file, type));
}

// The engine may run in a chroot. Below its root the mount namespace has another one, which everybody sees who enters the namespace later, and which
// a process that may call chroot(2) can climb to: that one is made private, and exchanged in the end. Entering one's own namespace leads there.
int berth_set_propagation(struct berth_slots *slots, uint64_t flags) {
    int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here < 0) return -1;
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (self < 0) return berth_close_keeping_errno(here, -1);
    int result = berth_close_keeping_errno(self, setns(self, CLONE_NEWNS));
    if (result == 0) result = mount(NULL, "/", NULL, flags, NULL);
    if (result == 0) result = slots->namespace_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    // What the plan names lies below the engine's root.
    if (result >= 0) result = fchdir(here);
    if (result == 0) result = chroot(".");
    return berth_close_keeping_errno(here, result);
}

int berth_attach_root(struct berth_slots *slots, const char *place) {
    // On top of the present root no directory has to be made for it, and pivot_root takes the two apart again.
    if (syscall(SYS_move_mount, slots->root, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0) return -1;
    slots->root_directory = slots->root;
    return 0;
}

int berth_mount_at(const struct berth_slots *slots, const char *type, const char *source, const char *target, uint64_t flags, const char *data) {
    int directory = berth_open_or_create(slots, target, 1, 0755);
    if (directory < 0) return -1;
    // An image whose /proc or /sys is a link would have them elsewhere, and paths masked by name would stay open.
    if ((strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0) && slots->root_directory >= 0) {
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
        int plain = (int)syscall(SYS_openat2, slots->root_directory, target, &how, sizeof how);
        if (plain < 0) return berth_close_keeping_errno(directory, -1);
        close(plain);
    }
    char path[40];
    descriptor_path(path, directory);
    return berth_close_keeping_errno(directory, mount(source, path, type, flags, data));
}

static int set_attributes(int tree, int recursive, uint64_t set, uint64_t clear, uint64_t propagation) {
    struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes, sizeof attributes);
}

// Attaches a copy of mounts, which is used up.
static int attach_tree(const struct berth_slots *slots, int tree, const char *target, uint64_t how, uint64_t set, uint64_t propagation) {
    struct stat status;
    if (fstat(tree, &status) < 0) return berth_close_keeping_errno(tree, -1);
    if (set && set_attributes(tree, (how & 2) != 0, set, 0, 0) < 0) return berth_close_keeping_errno(tree, -1);
    if (propagation && set_attributes(tree, 1, 0, 0, propagation) < 0) return berth_close_keeping_errno(tree, -1);
    int place = berth_open_or_create(slots, target, S_ISDIR(status.st_mode), S_ISDIR(status.st_mode) ? 0755 : 0644);
    if (place < 0) return berth_close_keeping_errno(tree, -1);
    long result = syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    berth_close_keeping_errno(place, 0);
    return berth_close_keeping_errno(tree, (int)result);
}

// Where this process is, while it is in another mount namespace: entering one leads to its root, and ours may be another one.
struct origin {
    int space, root;
};

static int remember_origin(struct origin *origin) {
    origin->space = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (origin->space < 0) return -1;
    origin->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return origin->root < 0 ? berth_close_keeping_errno(origin->space, -1) : 0;
}

// Comes back with a copy of mounts, or with -1 and the errno that is there.
static int return_with(int tree, const struct origin *origin) {
    int error = errno;
    int result = setns(origin->space, CLONE_NEWNS) < 0 || fchdir(origin->root) < 0 || chroot(".") < 0 ? -1 : 0;
    if (result == 0) errno = error;
    berth_close_keeping_errno(origin->space, 0);
    berth_close_keeping_errno(origin->root, 0);
    return result < 0 && tree >= 0 ? berth_close_keeping_errno(tree, -1) : tree;
}

// A directory of another mount namespace: of one, that is, that somebody in a container has a say in. No link of theirs is followed on the way.
static int tree_of(const char *space, const char *source) {
    struct origin origin;
    if (remember_origin(&origin) < 0) return -1;
    int tree = -1;
    if (berth_enter_namespace(space, CLONE_NEWNS) == 0) {
        struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
        int directory = (int)syscall(SYS_openat2, AT_FDCWD, source, &how, sizeof how);
        if (directory >= 0) {
            tree = (int)syscall(SYS_open_tree, directory, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
            berth_close_keeping_errno(directory, 0);
        }
    }
    return return_with(tree, &origin);
}

// A copy of mounts as whoever has started this process has them: of one that is shared, a peer. Those of this namespace have been cut off.
static int tree_of_starter(const struct berth_slots *slots, const char *source, unsigned int flags) {
    struct origin origin;
    if (remember_origin(&origin) < 0) return -1;
    int tree = setns(slots->mounts, CLONE_NEWNS) < 0 ? -1 : (int)syscall(SYS_open_tree, AT_FDCWD, source, flags);
    return return_with(tree, &origin);
}

// A directory beneath the root, as what has been mounted there shows it.
static int own_tree(const struct berth_slots *slots, const char *source) {
    int directory = berth_open_in_root(slots, source, O_PATH | O_DIRECTORY);
    if (directory < 0) return -1;
    int tree = (int)syscall(SYS_open_tree, directory, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return berth_close_keeping_errno(directory, tree);
}

int berth_bind_from(const struct berth_slots *slots, const char *space, const char *source, const char *target, uint64_t set) {
    int tree = *space ? tree_of(space, source) : own_tree(slots, source);
    if (tree < 0) return -1;
    // There it may be seen read-only.
    if (set_attributes(tree, 0, set, set & MOUNT_ATTR_RDONLY ? 0 : MOUNT_ATTR_RDONLY, MS_PRIVATE) < 0) return berth_close_keeping_errno(tree, -1);
    int place = berth_open_or_create(slots, target, 1, 0755);
    if (place < 0) return berth_close_keeping_errno(tree, -1);
    long result = syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    berth_close_keeping_errno(place, 0);
    return berth_close_keeping_errno(tree, (int)result);
}

int berth_bind_at(const struct berth_slots *slots, const char *source, const char *target, uint64_t how, uint64_t set, uint64_t propagation) {
    unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (how & 1 ? AT_RECURSIVE : 0);
    int tree = how & 4 ? tree_of_starter(slots, source, flags) : (int)syscall(SYS_open_tree, AT_FDCWD, source, flags);
    return tree < 0 ? -1 : attach_tree(slots, tree, target, how, set, propagation);
}

// What lies below the source is somebody else's to change: it is resolved in one go, and no link in it leads anywhere but below.
int berth_bind_beneath(const struct berth_slots *slots, const char *source, const char *path, const char *target, uint64_t how, uint64_t set, uint64_t propagation) {
    int directory = *source ? open(source, O_PATH | O_DIRECTORY | O_CLOEXEC) : berth_open_in_root(slots, target, O_PATH | O_DIRECTORY);
    if (directory < 0) return -1;
    struct open_how resolution = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int found = -1;
    for (int tries = 0;; tries++) {
        found = (int)syscall(SYS_openat2, directory, path, &resolution, sizeof resolution);
        if (found >= 0 || errno != EAGAIN || tries == 128) break;
    }
    berth_close_keeping_errno(directory, 0);
    if (found < 0) return -1;
    int tree = (int)syscall(SYS_open_tree, found, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (how & 1 ? AT_RECURSIVE : 0));
    berth_close_keeping_errno(found, 0);
    return tree < 0 ? -1 : attach_tree(slots, tree, target, how, set, propagation);
}

int berth_make_directory(const struct berth_slots *slots, const char *path, mode_t permissions, uid_t user, gid_t group) {
    int existing = berth_open_in_root(slots, path, O_PATH | O_DIRECTORY);
    if (existing >= 0) return berth_close_keeping_errno(existing, 0);
    if (errno != ENOENT) return -1;
    int made = berth_open_or_create(slots, path, 1, permissions);
    if (made < 0) return -1;
    return berth_close_keeping_errno(made, fchownat(made, "", user, group, AT_EMPTY_PATH));
}

int berth_make_device(const struct berth_slots *slots, const char *path, mode_t mode, uint64_t major_number, uint64_t minor_number, uid_t user, gid_t group) {
    const char *name;
    int parent = open_parent(slots, path, &name);
    if (parent < 0) return -1;
    mode_t mask = umask(0);
    int result = mknodat(parent, name, mode, makedev((unsigned int)major_number, (unsigned int)minor_number));
    umask(mask);
    if (result < 0 && errno == EEXIST) result = 0;
    if (result == 0 && (user || group)) result = fchownat(parent, name, user, group, AT_SYMLINK_NOFOLLOW);
    return berth_close_keeping_errno(parent, result);
}

int berth_make_symlink(const struct berth_slots *slots, const char *target, const char *path) {
    const char *name;
    int parent = open_parent(slots, path, &name);
    if (parent < 0) return -1;
    int result = symlinkat(target, parent, name);
    if (result < 0 && errno == EEXIST) result = 0;
    return berth_close_keeping_errno(parent, result);
}

// An empty file system that nobody can write to, attached nowhere.
static int new_empty_tree(void) {
    int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    int tree = -1;
    // Read-only as a whole, not only as this mount of it.
    if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", "tmpfs", 0) == 0 &&
        syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
    return berth_close_keeping_errno(context, tree);
}

// The same, of which a container has one however much is masked: what a kernel does for each memory group grows with the number of file systems.
static int empty_tree(struct berth_slots *slots) {
    if (slots->empty >= 0) return (int)syscall(SYS_open_tree, slots->empty, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int tree = new_empty_tree();
    if (tree >= 0) slots->empty = fcntl(tree, F_DUPFD_CLOEXEC, 3);
    return tree;
}

// The container's null device. Its /dev may have come from outside, and what lies there under that name could be anything:
// bound over a masked path it would be within reach.
static int null_tree(const struct berth_slots *slots) {
    int null = berth_open_in_root(slots, "/dev/null", O_PATH | O_NOFOLLOW);
    if (null < 0) return -1;
    int tree = (int)syscall(SYS_open_tree, null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    berth_close_keeping_errno(null, 0);
    if (tree < 0) return -1;
    struct stat status;
    if (fstat(tree, &status) < 0) return berth_close_keeping_errno(tree, -1);
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
        errno = ENODEV;
        return berth_close_keeping_errno(tree, -1);
    }
    return tree;
}

// Nothing here goes by a path below /proc: the container's own may be covered by a mount that its image has led there.
int berth_mask(struct berth_slots *slots, const char *path) {
    int place = berth_open_in_root(slots, path, O_PATH);
    if (place < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    struct stat status;
    if (fstat(place, &status) < 0) return berth_close_keeping_errno(place, -1);
    int tree = S_ISDIR(status.st_mode) ? empty_tree(slots) : null_tree(slots);
    if (tree < 0) return berth_close_keeping_errno(place, -1);
    long result = syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    berth_close_keeping_errno(tree, 0);
    return berth_close_keeping_errno(place, (int)result);
}

int berth_label(const struct berth_slots *slots, const char *path, const char *label) {
    int place = berth_open_in_root(slots, path, O_RDONLY | O_CLOEXEC);
    if (place < 0) return -1;
    return berth_close_keeping_errno(place, fsetxattr(place, "security.selinux", label, strlen(label) + 1, 0));
}

int berth_make_read_only(const struct berth_slots *slots, const char *path) {
    int place = berth_open_in_root(slots, path, O_PATH);
    if (place < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    int tree = (int)syscall(SYS_open_tree, place, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) return berth_close_keeping_errno(place, -1);
    long result = set_attributes(tree, 0, MOUNT_ATTR_RDONLY, 0, 0);
    if (result == 0) result = syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    berth_close_keeping_errno(tree, 0);
    return berth_close_keeping_errno(place, (int)result);
}

int berth_pivot(struct berth_slots *slots) {
    // By its descriptor: by its name one would come to what has been attached on top of it.
    if (fchdir(slots->namespace_root) < 0) return -1;
    if (chroot(".") < 0) return -1;
    // The old root ends on top of the new one at the same place, and is taken off.
    if (fchdir(slots->root_directory) < 0) return -1;
    if (syscall(SYS_pivot_root, ".", ".") < 0) return -1;
    if (umount2(".", MNT_DETACH) < 0) return -1;
    if (chdir("/") < 0) return -1;
    close(slots->root_directory);
    close(slots->namespace_root);
    slots->root = slots->root_directory = slots->namespace_root = -1;
    return 0;
}

int berth_root_read_only(void) {
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return -1;
    return berth_close_keeping_errno(root, set_attributes(root, 0, MOUNT_ATTR_RDONLY, 0, 0));
}
