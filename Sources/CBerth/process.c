#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAXIMUM_PATH 4096

// ---- Starting a program

// The limit of open files before it was raised; 0 while it was not.
static rlim_t former_file_limit;

int berth_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int berth_raise_own_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    if (limit.rlim_cur == limit.rlim_max) return 0;
    rlim_t former = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    former_file_limit = former;
    return 0;
}

// In the child: what it inherits is what this process was given.
static void restore_file_limit(void) {
    struct rlimit limit;
    if (!former_file_limit || getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = former_file_limit < limit.rlim_max ? former_file_limit : limit.rlim_max;
    // Nothing can be wrong with a limit that was in force before.
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

struct spawn {
    int program;
    char *const *arguments;
    char *const *environment;
    int descriptor;
    int nice;
    int error;
};

static int spawned(void *argument) {
    struct spawn *spawn = argument;
    // The memory is the parent's: nothing but `spawn->error` and this stack is written.
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    for (int signal = 1; signal < 65; signal++) (void)sigaction(signal, &standard, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    // The descriptor is first put above those that are overwritten.
    int kept = null < 0 ? -1 : fcntl(spawn->descriptor, F_DUPFD_CLOEXEC, 10);
    if (kept >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0 && dup2(kept, 3) >= 0 &&
        syscall(SYS_close_range, 4u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0) {
        restore_file_limit();
        setsid();
        setpriority(PRIO_PROCESS, 0, spawn->nice);
        (void)!chdir("/");
        umask(0022);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        syscall(SYS_execveat, spawn->program, "", spawn->arguments, spawn->environment, AT_EMPTY_PATH);
    }
    spawn->error = errno;
    _exit(127);
}

static int close_keeping_errno(int descriptor, int result) {
    int saved = errno;
    close(descriptor);
    errno = saved;
    return result;
}

// Where the mount that `path` (absolute, without links) lies on begins: the length of that part of it. 0 for "/".
static size_t mount_root(const char *path) {
    char part[MAXIMUM_PATH];
    size_t length = strlen(path);
    memcpy(part, path, length + 1);
    while (length > 0) {
        struct statx status;
        part[length] = 0;
        if (statx(AT_FDCWD, part, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) == 0 &&
            (status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
            return length;
        while (part[--length] != '/') {}
    }
    return 0;
}

// Opens a program through a mount of its own that is attached nowhere and read-only. What runs as it is `/proc/self/exe` to whoever
// executes a script that names that as its interpreter: a container could get hold of the host's file, and change its owner, mode
// or contents. `library_path` becomes a setting that leads to libraries beside the program where its name in the mount is not the
// host's, so that the linker's $ORIGIN would lead astray.
static int open_read_only(const char *program, char library_path[MAXIMUM_PATH + 32]) {
    int named = open(program, O_PATH | O_CLOEXEC);
    if (named < 0) return -1;
    char link[40], path[MAXIMUM_PATH];
    snprintf(link, sizeof link, "/proc/self/fd/%d", named);
    ssize_t length = readlink(link, path, sizeof path);
    if (length <= 0 || (size_t)length >= sizeof path) {
        if (length > 0) errno = ENAMETOOLONG;
        return close_keeping_errno(named, -1);
    }
    path[length] = 0;
    size_t root = mount_root(path);
    library_path[0] = 0;
    if (root > 0) snprintf(library_path, MAXIMUM_PATH + 32, "LD_LIBRARY_PATH=%.*s", (int)(strrchr(path, '/') - path), path);
    char top[MAXIMUM_PATH] = "/";
    if (root > 0) {
        memcpy(top, path, root);
        top[root] = 0;
    }
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, top, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) return close_keeping_errno(named, -1);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    int opened = -1;
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) {
        if (path[root]) opened = openat(tree, path + root + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        else opened = fcntl(tree, F_DUPFD_CLOEXEC, 0);
    }
    close_keeping_errno(tree, 0);
    // It must be the very file; something may have been put in its place.
    struct stat before, after;
    if (opened >= 0 && (fstat(named, &before) < 0 || fstat(opened, &after) < 0)) opened = close_keeping_errno(opened, -1);
    if (opened >= 0 && (before.st_dev != after.st_dev || before.st_ino != after.st_ino)) {
        close(opened);
        errno = ESTALE;
        opened = -1;
    }
    close_keeping_errno(named, 0);
    if (opened < 0 || opened > 9) return opened;
    // Above the places that the child fills.
    return close_keeping_errno(opened, fcntl(opened, F_DUPFD_CLOEXEC, 10));
}

static int spawn_opened(int program, char *const *arguments, char *library_path, int descriptor, int *pidfd) {
    enum { STACK = 64 << 10 };
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -1;
    // No signal may run a handler of the parent's in the child, on the parent's memory.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    char *environment[] = {library_path[0] ? library_path : NULL, NULL};
    struct spawn spawn = {program, arguments, environment, descriptor, 0, 0};
    // The calling thread may have been given another priority by whoever made it; what a container inherits is the program's.
    spawn.nice = getpriority(PRIO_PROCESS, (id_t)getpid());
    int child = clone(spawned, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &spawn, pidfd);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK);
    if (child < 0) {
        errno = error;
        return -1;
    }
    if (spawn.error) {
        close(*pidfd);
        (void)!waitpid(child, NULL, 0);
        errno = spawn.error;
        return -1;
    }
    return child;
}

int berth_spawn(const char *program, char *const *arguments, int descriptor, int *pidfd) {
    char library_path[MAXIMUM_PATH + 32];
    int opened = open_read_only(program, library_path);
    if (opened < 0) return -1;
    int child = spawn_opened(opened, arguments, library_path, descriptor, pidfd);
    return close_keeping_errno(opened, child);
}

int berth_x86_64_level(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4"))
        return 4;
    if (__builtin_cpu_supports("x86-64-v3"))
        return 3;
    return __builtin_cpu_supports("x86-64-v2") ? 2 : 1;
#else
    return 0;
#endif
}

int berth_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int berth_pidfd_send_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

int berth_reap(int *code, int *signal) {
    int status;
    int pid = waitpid(-1, &status, WNOHANG);
    if (pid > 0) {
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        *signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    return pid;
}

// ---- Sockets

ssize_t berth_send_message(int socket, const void *data, size_t size, const int *descriptors, int count, int flags) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * BERTH_MESSAGE_DESCRIPTORS)];
    } control;
    struct iovec part = {(void *)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count < 0 || count > BERTH_MESSAGE_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(&control.header), descriptors, sizeof(int) * (size_t)count);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | flags);
}

ssize_t berth_receive_message(int socket, void *data, size_t capacity, int *descriptors, int capacity_count, int *count, int flags) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * BERTH_MESSAGE_DESCRIPTORS)];
    } control;
    struct iovec part = {data, capacity};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *count = 0;
    ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    if (size < 0) return -1;
    int fits = !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int found = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < found; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + sizeof(int) * (size_t)index, sizeof descriptor);
            if (fits && *count < capacity_count)
                descriptors[(*count)++] = descriptor;
            else {
                close(descriptor);
                fits = 0;
            }
        }
    }
    if (!fits) {
        for (int index = 0; index < *count; index++) close(descriptors[index]);
        *count = 0;
        errno = EMSGSIZE;
        return -1;
    }
    return size;
}

int berth_socket_pair(int kind, int ends[2]) { return socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, ends); }

static int name_address(struct sockaddr_un *address, int directory, const char *name) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

int berth_listen(int directory, const char *name, int kind) {
    struct sockaddr_un address;
    if (name_address(&address, directory, name) < 0) return -1;
    int listener = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -1;
    mode_t mask = umask(0177);
    int result = bind(listener, (struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (result < 0 || listen(listener, 64) < 0) {
        int error = errno;
        close(listener);
        errno = error;
        return -1;
    }
    return listener;
}

int berth_connect(int directory, const char *name, int kind) {
    struct sockaddr_un address;
    if (name_address(&address, directory, name) < 0) return -1;
    int connection = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
    if (connection < 0) return -1;
    if (connect(connection, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(connection);
        errno = error;
        return -1;
    }
    return connection;
}

int berth_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

// ---- A monitor

int berth_become_monitor(const char *name) {
    struct sigaction ignore;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGHUP, &ignore, NULL) < 0) return -1;
    if (prctl(PR_SET_NAME, name, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -1;
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int berth_name_process(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int berth_fork_with(int descriptor) {
    pid_t child = fork();
    if (child) return child;
    // The standard streams are null already.
    if (descriptor != 3 && dup3(descriptor, 3, O_CLOEXEC) < 0) _exit(127);
    if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0 || setsid() < 0) _exit(127);
    return 0;
}

int berth_monitor_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// ---- Mounts that are attached nowhere

static int configure(int context, const char *key, const char *value) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
}

// The layers in one option, separated by colons: for kernels before 6.5, which have no `lowerdir+`. At most 255 bytes fit.
static int lower_list(int context, const char *const *lowers, size_t count) {
    char list[4096];
    size_t used = 0;
    for (size_t index = 0; index < count; index++) {
        size_t length = strlen(lowers[index]);
        if (used + length + 2 > sizeof list) {
            errno = E2BIG;
            return -1;
        }
        if (index) list[used++] = ':';
        memcpy(list + used, lowers[index], length);
        used += length;
    }
    list[used] = 0;
    return configure(context, "lowerdir", list);
}

static int configure_overlay(
    int context, int appends, const char *const *lowers, size_t lower_count, const char *upper, const char *work, const char *label,
    int uses_user_attributes, int is_volatile) {
    if (appends) {
        for (size_t index = 0; index < lower_count; index++)
            if (configure(context, "lowerdir+", lowers[index]) < 0) return -1;
    } else if (lower_list(context, lowers, lower_count) < 0) {
        return -1;
    }
    if (upper && (configure(context, "upperdir", upper) < 0 || configure(context, "workdir", work) < 0)) return -1;
    // What has a default in the kernel's configuration is said, so that every host does the same.
    if (upper && configure(context, "redirect_dir", "off") < 0) return -1;
    if (configure(context, "metacopy", "off") < 0 || configure(context, "index", "off") < 0 || configure(context, "xino", "off") < 0) return -1;
    if (label && *label && configure(context, "context", label) < 0) return -1;
    if (uses_user_attributes && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) return -1;
    if (is_volatile && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0) return -1;
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int berth_overlay(int base, const char *const *lowers, size_t lower_count, const char *upper, const char *work, const char *label,
    int uses_user_attributes, int is_volatile) {
    int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0) return -1;
    int mounted = fchdir(base) < 0 ? -2 : -1;
    int error = errno;
    // `lowerdir+` is asked for first. A kernel without it takes the option and refuses only the whole: EINVAL at the end.
    for (int appends = 1; appends >= 0 && mounted == -1; appends--) {
        int context = (int)syscall(SYS_fsopen, "overlay", 1 /* FSOPEN_CLOEXEC */);
        if (context >= 0 && configure_overlay(context, appends, lowers, lower_count, upper, work, label, uses_user_attributes, is_volatile) == 0)
            mounted = (int)syscall(SYS_fsmount, context, 1 /* FSMOUNT_CLOEXEC */, 0);
        error = errno;
        if (context >= 0) close(context);
        if (mounted < 0 && error != EINVAL) break;
    }
    if (fchdir(before) < 0 && mounted >= 0) {
        error = errno;
        close(mounted);
        mounted = -1;
    }
    close(before);
    errno = error;
    return mounted < 0 ? -1 : mounted;
}

struct overlay_request {
    int base;
    const char *const *lowers;
    size_t lower_count;
    int mounted, error;
};

static void *make_overlay_aside(void *argument) {
    struct overlay_request *request = argument;
    // From here on the working directory is this thread's own.
    if (unshare(CLONE_FS) == 0) request->mounted = berth_overlay(request->base, request->lowers, request->lower_count, NULL, NULL, NULL, 0, 0);
    request->error = errno;
    return NULL;
}

int berth_overlay_for_reading(int base, const char *const *lowers, size_t lower_count) {
    struct overlay_request request = {.base = base, .lowers = lowers, .lower_count = lower_count, .mounted = -1};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, make_overlay_aside, &request);
    if (error == 0) {
        pthread_join(thread, NULL);
        error = request.error;
    }
    errno = error;
    return request.mounted;
}

int berth_restrict_to_reading(int mount) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
    return (int)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int berth_detached_bind(const char *path) {
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

// ---- The rest

int berth_terminal_size(int terminal, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(terminal, TIOCSWINSZ, &size);
}

int berth_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int berth_epoll_add(int epoll, int descriptor, uint64_t number, int for_writing, int repeatedly) {
    struct epoll_event event = {
        .events = (for_writing ? EPOLLOUT : EPOLLIN | EPOLLRDHUP) | (repeatedly ? 0 : EPOLLONESHOT),
        .data.u64 = number,
    };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int berth_epoll_remove(int epoll, int descriptor) { return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int berth_epoll_wait(int epoll, uint64_t *numbers, int capacity, int timeout_milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, timeout_milliseconds);
    for (int index = 0; index < count; index++) numbers[index] = events[index].data.u64;
    return count;
}

int berth_flock_exclusive(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB); }

int berth_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int64_t berth_monotonic_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void berth_return_memory(void) { malloc_trim(0); }

void berth_limit_arenas(int count) { mallopt(M_ARENA_MAX, count); }
