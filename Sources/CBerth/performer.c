#define _GNU_SOURCE
#include "performer.h"

#include "init.h"
#include "lifecycle.h"
#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#define MAXIMUM_ARGUMENTS 65536
#define MAXIMUM_GROUPS 65536  // the kernel's own bound

// ---- The fields of a step, read in order. The decoder has checked that they are there.

struct fields {
    const uint8_t *next;
};

static uint64_t number(struct fields *f) {
    uint64_t value;
    memcpy(&value, f->next, sizeof value);
    f->next += sizeof value;
    return value;
}

// A string or some bytes: their length, the bytes, a NUL that is not counted.
static const char *bytes(struct fields *f, size_t *size) {
    *size = (size_t)number(f);
    const char *start = (const char *)f->next;
    f->next += *size + 1;
    return start;
}

static const char *string(struct fields *f) {
    size_t size;
    return bytes(f, &size);
}

static int write_once(int file, const char *data, size_t size) {
    ssize_t written = write(file, data, size);
    if (written >= 0 && (size_t)written != size) {
        errno = EIO;
        written = -1;
    }
    return written < 0 ? -1 : 0;
}

static int write_file(const char *path, const char *data, size_t size) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    return file < 0 ? -1 : berth_close_keeping_errno(file, write_once(file, data, size));
}

// The file that was written to last: a control group's takes one line a write, and gets a dozen in a row.
struct written {
    const char *path;
    int file;
};

static void forget_written(struct written *last) {
    if (last->file >= 0) berth_close_keeping_errno(last->file, 0);
    last->file = -1;
}

static int write_step(struct written *last, struct fields *f) {
    const char *path = string(f);
    size_t size;
    const char *data = bytes(f, &size);
    if (last->file < 0 || strcmp(last->path, path)) {
        forget_written(last);
        last->path = path;
        last->file = open(path, O_WRONLY | O_CLOEXEC);
        if (last->file < 0) return -1;
    }
    return write_once(last->file, data, size);
}

// ---- Steps on the host

static int copy_small_file(const char *source, const char *target) {
    char data[4096];
    int file = open(target, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t size = read(file, data, sizeof data);
    berth_close_keeping_errno(file, 0);
    if (size < 0) return -1;
    if (size > 1) return 0;
    file = open(source, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    size = read(file, data, sizeof data);
    berth_close_keeping_errno(file, 0);
    if (size < 0) return -1;
    return write_file(target, data, (size_t)size);
}

static int attach_device_program(const char *cgroup, const char *program, size_t size) {
    int directory = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -1;
    union bpf_attr load;
    memset(&load, 0, sizeof load);
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insns = (uint64_t)(uintptr_t)program;
    load.insn_cnt = (uint32_t)(size / 8);
    load.license = (uint64_t)(uintptr_t) "Apache-2.0";
    int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    if (loaded < 0) return berth_close_keeping_errno(directory, -1);
    union bpf_attr attach;
    memset(&attach, 0, sizeof attach);
    attach.target_fd = (uint32_t)directory;
    attach.attach_bpf_fd = (uint32_t)loaded;
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    int result = (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
    berth_close_keeping_errno(loaded, 0);
    return berth_close_keeping_errno(directory, result);
}

// ---- Network

static int loopback_up(void) {
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0) return -1;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    int result = ioctl(control, SIOCGIFFLAGS, &request);
    if (result == 0) {
        request.ifr_flags |= IFF_UP;
        result = ioctl(control, SIOCSIFFLAGS, &request);
    }
    return berth_close_keeping_errno(control, result);
}

// ---- The process

static int join_keyring(const char *name) {
    enum { KEYCTL_JOIN = 1, KEYCTL_DESCRIBE = 6, KEYCTL_SETPERM = 5 };
    long ring = syscall(SYS_keyctl, KEYCTL_JOIN, name);
    if (ring < 0) {
        // A kernel without keys has nothing to keep apart; a quota that is used up is the operator's to see.
        return errno == ENOSYS ? 0 : -1;
    }
    char description[256];
    long size = syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, description, sizeof description - 1);
    if (size < 0) return -1;
    description[size < (long)sizeof description ? size : (long)sizeof description - 1] = 0;
    // type;uid;gid;permissions;description. The user's right to search is added, so that a process after execve finds its keys.
    const char *cursor = description;
    for (int field = 0; field < 3; field++) {
        cursor = strchr(cursor, ';');
        if (!cursor) return 0;
        cursor++;
    }
    uint32_t permissions = 0;
    for (; *cursor && *cursor != ';'; cursor++) {
        char c = *cursor;
        permissions = permissions << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return (int)syscall(SYS_keyctl, KEYCTL_SETPERM, ring, permissions | 0x00080000u);
}

static int send_descriptor(int channel, int descriptor) {
    uint32_t kind[2] = {BERTH_CHILD_TERMINAL, 0};
    struct iovec part = {kind, sizeof kind};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

// A terminal from the container's own devpts: its name there is true for the processes inside.
static int make_terminal(struct berth_slots *slots, uint16_t rows, uint16_t columns, int binds_console) {
    // In a running container it may have been replaced by anything: it is not waited for, and must be the real one.
    int master = berth_open_in_root(slots, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0) return -1;
    struct stat status;
    if (fstat(master, &status) < 0) return berth_close_keeping_errno(master, -1);
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2)) {
        errno = ENOTTY;
        return berth_close_keeping_errno(master, -1);
    }
    if (fcntl(master, F_SETFL, O_RDWR) < 0) return berth_close_keeping_errno(master, -1);
    int unlocked = 0;
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    int terminal = -1;
    if (ioctl(master, TIOCSPTLCK, &unlocked) == 0 && (rows == 0 || ioctl(master, TIOCSWINSZ, &size) == 0))
        terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return berth_close_keeping_errno(master, -1);
    if (binds_console) {
        int place = berth_open_or_create(slots, "/dev/console", 0, 0620);
        if (place < 0) return -1;
        // From the terminal itself, not by its name.
        int tree = (int)syscall(SYS_open_tree, terminal, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0) return -1;
        long result = syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        berth_close_keeping_errno(tree, 0);
        berth_close_keeping_errno(place, 0);
        if (result < 0) return -1;
    }
    if (send_descriptor(slots->channel, master) < 0) return -1;
    close(master);
    slots->terminal = terminal;
    return 0;
}

// From here on nothing of the host is open. Close-on-exec is not enough: a working directory or a program named
// /proc/self/fd/N would be resolved before execve, and the monitor holds directories of the host.
static int close_all_but_channel(struct berth_slots *slots) {
    if (slots->channel != 3) {
        if (dup3(slots->channel, 3, O_CLOEXEC) < 0) return -1;
        slots->channel = 3;
    }
    slots->root = slots->target = slots->terminal = slots->root_directory = slots->namespace_root = slots->init = slots->empty = slots->mounts = -1;
    for (int index = 0; index < 3; index++) slots->standard[index] = -1;
    return (int)syscall(SYS_close_range, 4u, ~0u, 0u);
}

// The working directory must lie beneath the root: getcwd(2) of one that does not begins with "(unreachable)".
static int enter_directory(const char *path) {
    char where[MAXIMUM_PATH];
    if (chdir(path) < 0) return -1;
    if (syscall(SYS_getcwd, where, sizeof where) < 0) return -1;
    if (where[0] == '/') return 0;
    errno = EXDEV;
    return -1;
}

static int is_null(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

// The container's own null device: through the host's a process could change that file's owner and mode. Where a running container
// has put something else in its place, a pipe that nobody writes to reads the same.
static int own_null(void) {
    int null = open("/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (null >= 0) {
        if (is_null(null)) return fcntl(null, F_SETFL, 0) < 0 ? berth_close_keeping_errno(null, -1) : null;
        close(null);
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    close(ends[1]);
    return ends[0];
}

static int standard_streams(struct berth_slots *slots, uid_t user) {
    // The channel must survive what is put in the places 0, 1 and 2.
    if (slots->channel < 3) {
        int moved = fcntl(slots->channel, F_DUPFD_CLOEXEC, 3);
        if (moved < 0) return -1;
        slots->channel = moved;
    }
    if (setsid() < 0 && errno != EPERM) return -1;
    for (int index = 0; index < 3; index++) {
        int source = slots->terminal >= 0 ? slots->terminal : slots->standard[index];
        if (slots->terminal < 0 && is_null(source)) {
            source = own_null();
            if (source < 0) return -1;
        }
        // /dev/stdout and /dev/tty are opened anew by name: the user must own what is behind them.
        if (user != 0) {
            struct stat status;
            if (fstat(source, &status) < 0) return -1;
            if (!S_ISCHR(status.st_mode) || slots->terminal >= 0) {
                if (fchown(source, user, (gid_t)-1) < 0 && errno != EPERM && errno != EROFS && errno != EINVAL) return -1;
            }
        }
        if (source != index) {
            if (dup2(source, index) < 0) return -1;
        } else if (fcntl(index, F_SETFD, 0) < 0) {
            return -1;
        }
    }
    if (slots->terminal >= 0 && ioctl(0, TIOCSCTTY, 0) < 0) return -1;
    return close_all_but_channel(slots);
}

static int limit_bounding(uint64_t set) {
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (set >> capability & 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL) break;  // beyond the last that this kernel knows
            return -1;
        }
    }
    return 0;
}

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable, uint64_t ambient) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    if (syscall(SYS_capset, &header, sets) < 0) return -1;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
    for (unsigned long capability = 0; capability < 64; capability++)
        if ((ambient >> capability & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) return -1;
    return 0;
}

static int load_filter(const char *program, size_t size, uint64_t flags) {
    // The kernel takes at most 4096 instructions, and `len` would silently lose the higher bits of a larger number.
    if (size == 0 || size % sizeof(struct sock_filter) != 0 || size / sizeof(struct sock_filter) > BPF_MAXINSNS) {
        errno = EINVAL;
        return -1;
    }
    struct sock_fprog filter = {.len = (unsigned short)(size / sizeof(struct sock_filter)), .filter = (struct sock_filter *)program};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned int)flags, &filter);
}

static int set_groups(struct fields *f) {
    static gid_t groups[MAXIMUM_GROUPS];
    uint64_t count = number(f);
    if (count > MAXIMUM_GROUPS) {
        errno = E2BIG;
        return -1;
    }
    for (uint64_t index = 0; index < count; index++) groups[index] = (gid_t)number(f);
    // Not glibc's, here and below: that waits for the parent's other threads to do the same, and a child has none.
    return (int)syscall(SYS_setgroups, (size_t)count, groups);
}

static int reset_dispositions(void) {
    // The kernel's own structure, all zero, and its own call: the C library keeps two signals for itself, and a parent may have
    // left even those ignored.
    static const uint64_t standard[4];
    for (int signal = 1; signal < NSIG; signal++)
        // SIGKILL and SIGSTOP cannot be set: EINVAL is as it should be.
        if (syscall(SYS_rt_sigaction, signal, standard, NULL, sizeof(uint64_t)) < 0 && errno != EINVAL) return -1;
    return 0;
}

int berth_reset_signals(void) {
    if (reset_dispositions() < 0) return -1;
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static char *arguments[MAXIMUM_ARGUMENTS + 1], *environment[MAXIMUM_ARGUMENTS + 1];

static int read_arguments(struct fields *f) {
    char ***lists[2] = {&(char **){arguments}, &(char **){environment}};
    for (int list = 0; list < 2; list++) {
        uint64_t count = number(f);
        if (count > MAXIMUM_ARGUMENTS) {
            errno = E2BIG;
            return -1;
        }
        for (uint64_t index = 0; index < count; index++) (*lists[list])[index] = (char *)string(f);
        (*lists[list])[count] = NULL;
    }
    return 0;
}

// Process 1 is another program from here on, and what is left to do is done by its child: in a process group of its own, to which the terminal belongs,
// as a shell would have it.
static int become_init(struct berth_slots *slots, struct fields *f) {
    if (read_arguments(f) < 0) return -1;
    // A signal that comes before the new program waits for them would find nobody.
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0) return -1;
    int child = (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child < 0) return -1;
    if (child == 0) {
        close(slots->init);
        slots->init = -1;
        if (setpgid(0, 0) < 0) return -1;
        int group = getpid();
        return ioctl(0, TIOCSPGRP, &group) < 0 && errno != ENOTTY && errno != EBADF ? -1 : 0;
    }
    if (reset_dispositions() < 0 || berth_init_seal(slots->init, child) < 0) return -1;
    if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) < 0) return -1;
    return (int)syscall(SYS_execveat, slots->init, "", arguments, environment, AT_EMPTY_PATH);
}

static int execute(struct fields *f) {
    if (read_arguments(f) < 0) return -1;
    const char *search = string(f);
    if (berth_reset_signals() < 0) return -1;
    if (strchr(arguments[0], '/')) return execve(arguments[0], arguments, environment);
    int error = ENOENT;
    for (;;) {
        const char *end = strchrnul(search, ':');
        char path[MAXIMUM_PATH];
        size_t folder = (size_t)(end - search), name = strlen(arguments[0]);
        if (folder + name + 2 <= sizeof path && folder > 0) {
            memcpy(path, search, folder);
            path[folder] = '/';
            memcpy(path + folder + 1, arguments[0], name + 1);
            struct stat status;
            if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
                execve(path, arguments, environment);
                if (errno != ENOENT && errno != EACCES) return -1;
                // A file that is there but cannot be executed is the better reason, if nothing else is found.
                if (errno == EACCES || error == ENOENT) error = errno == ENOENT ? ENOENT : EACCES;
            }
        }
        if (!*end) break;
        search = end + 1;
    }
    errno = error;
    return -1;
}

// ---- Hooks

// Why the present step failed, where errno does not say it.
static char reason[1024];

int berth_perform_hook(const uint8_t *step, int process, char *said, size_t size) {
    struct fields f = {step};
    (void)number(&f);
    (void)string(&f);
    struct berth_lifecycle_hook hook = {.arguments = arguments, .environment = environment, .process = process};
    hook.path = string(&f);
    if (read_arguments(&f) < 0) return -1;
    hook.before = bytes(&f, &hook.before_size);
    hook.after = bytes(&f, &hook.after_size);
    hook.milliseconds = number(&f);
    *said = 0;
    return berth_run_lifecycle_hook(&hook, said, size);
}

static int hook_step(struct berth_slots *slots, struct fields *f) {
    const uint8_t *start = f->next;
    if (number(f) == 0) return berth_perform_hook(start, getpid(), reason, sizeof reason);
    uint32_t request[2] = {BERTH_CHILD_HOOK, slots->step};
    if (send(slots->channel, request, sizeof request, MSG_NOSIGNAL) < 0) return -1;
    char answer;
    ssize_t count;
    do count = recv(slots->channel, &answer, sizeof answer, 0);
    while (count < 0 && errno == EINTR);
    if (count == 0) errno = EPIPE;
    return count > 0 ? 0 : -1;
}

static int perform(uint16_t kind, struct fields *f, struct berth_slots *slots) {
    switch (kind) {
    case BERTH_STEP_HOST_DIRECTORY: return mkdir(string(f), 0755) < 0 && errno != EEXIST ? -1 : 0;
    case BERTH_STEP_DEVICE_PROGRAM: {
        const char *path = string(f);
        size_t size;
        const char *program = bytes(f, &size);
        return attach_device_program(path, program, size);
    }
    case BERTH_STEP_COPY_FILE: {
        const char *source = string(f);
        return copy_small_file(source, string(f));
    }
    case BERTH_STEP_ENTER_NAMESPACE: {
        const char *path = string(f);
        return berth_enter_namespace(path, (int)number(f));
    }
    case BERTH_STEP_ENTER_PROCESS: return setns(slots->target, (int)number(f));
    case BERTH_STEP_UNSHARE: return unshare((int)number(f));
    case BERTH_STEP_LOOPBACK_UP: return loopback_up();
    case BERTH_STEP_PROPAGATION: return berth_set_propagation(slots, number(f));
    case BERTH_STEP_ATTACH_ROOT: return berth_attach_root(slots, "/");
    case BERTH_STEP_ATTACH_ROOT_AT: return berth_attach_root(slots, string(f));
    case BERTH_STEP_HOOK: return hook_step(slots, f);
    case BERTH_STEP_MOUNT: {
        const char *type = string(f), *source = string(f), *target = string(f);
        uint64_t flags = number(f);
        return berth_mount_at(slots, type, source, target, flags, string(f));
    }
    case BERTH_STEP_BIND: {
        const char *source = string(f), *target = string(f);
        uint64_t how = number(f), set = number(f);
        return berth_bind_at(slots, source, target, how, set, number(f));
    }
    case BERTH_STEP_BIND_BENEATH: {
        const char *source = string(f), *path = string(f), *target = string(f);
        uint64_t how = number(f), set = number(f);
        return berth_bind_beneath(slots, source, path, target, how, set, number(f));
    }
    case BERTH_STEP_DIRECTORY: {
        const char *path = string(f);
        uint64_t permissions = number(f), user = number(f);
        return berth_make_directory(slots, path, (mode_t)permissions, (uid_t)user, (gid_t)number(f));
    }
    case BERTH_STEP_DEVICE: {
        const char *path = string(f);
        uint64_t mode = number(f), major_number = number(f), minor_number = number(f), user = number(f);
        return berth_make_device(slots, path, (mode_t)mode, major_number, minor_number, (uid_t)user, (gid_t)number(f));
    }
    case BERTH_STEP_SYMLINK: {
        const char *target = string(f);
        return berth_make_symlink(slots, target, string(f));
    }
    case BERTH_STEP_MASK: return berth_mask(slots, string(f));
    case BERTH_STEP_READ_ONLY: return berth_make_read_only(slots, string(f));
    case BERTH_STEP_PIVOT: return berth_pivot(slots);
    case BERTH_STEP_ROOT_READ_ONLY: return berth_root_read_only();
    case BERTH_STEP_HOSTNAME: {
        size_t size;
        const char *name = bytes(f, &size);
        return sethostname(name, size);
    }
    case BERTH_STEP_DOMAINNAME: {
        size_t size;
        const char *name = bytes(f, &size);
        return setdomainname(name, size);
    }
    case BERTH_STEP_KEYRING: return join_keyring(string(f));
    case BERTH_STEP_RESOURCE_LIMIT: {
        int resource = (int)number(f);
        struct rlimit limit;
        limit.rlim_cur = (rlim_t)number(f);
        limit.rlim_max = (rlim_t)number(f);
        return setrlimit(resource, &limit);
    }
    case BERTH_STEP_MAKE_TERMINAL: {
        uint64_t rows = number(f), columns = number(f);
        return make_terminal(slots, (uint16_t)rows, (uint16_t)columns, number(f) != 0);
    }
    case BERTH_STEP_STANDARD_STREAMS: return standard_streams(slots, (uid_t)number(f));
    case BERTH_STEP_BOUNDING: return limit_bounding(number(f));
    case BERTH_STEP_GROUPS: return set_groups(f);
    case BERTH_STEP_USER: {
        uid_t user = (uid_t)number(f);
        gid_t group = (gid_t)number(f);
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return -1;
        if (syscall(SYS_setresgid, group, group, group) < 0 || syscall(SYS_setresuid, user, user, user) < 0) return -1;
        return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    }
    case BERTH_STEP_CAPABILITIES: {
        uint64_t effective = number(f), permitted = number(f), inheritable = number(f);
        return set_capabilities(effective, permitted, inheritable, number(f));
    }
    case BERTH_STEP_NO_NEW_PRIVILEGES: return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    case BERTH_STEP_SECCOMP: {
        size_t size;
        const char *program = bytes(f, &size);
        return load_filter(program, size, number(f));
    }
    case BERTH_STEP_WORKING_DIRECTORY: return enter_directory(string(f));
    case BERTH_STEP_UMASK: umask((mode_t)number(f)); return 0;
    case BERTH_STEP_OOM_SCORE: {
        size_t size;
        const char *data = bytes(f, &size);
        return write_file("/proc/self/oom_score_adj", data, size) < 0 && errno != EACCES ? -1 : 0;
    }
    case BERTH_STEP_LABEL: {
        const char *path = string(f);
        return berth_label(slots, path, string(f));
    }
    case BERTH_STEP_CONFINEMENT: {
        string(f);
        const char *path = string(f);
        size_t size;
        const char *data = bytes(f, &size);
        return write_file(path, data, size);
    }
    case BERTH_STEP_INIT_FILE: return (slots->init = berth_init_open()) < 0 ? -1 : 0;
    case BERTH_STEP_INIT: return become_init(slots, f);
    case BERTH_STEP_BIND_FROM: {
        const char *space = string(f), *source = string(f), *target = string(f);
        return berth_bind_from(slots, space, source, target, number(f));
    }
    case BERTH_STEP_EXECUTE:
        // What is still open must not reach the program, whoever opened it.
        if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) < 0) return -1;
        return execute(f);
    default: errno = ENOSYS; return -1;
    }
}

int berth_perform(const uint8_t *steps, size_t size, struct berth_slots *slots, uint32_t *failed) {
    size_t offset = 0;
    int result = 0;
    struct written last = {NULL, -1};
    for (uint32_t index = 0; offset < size && result == 0; index++) {
        slots->step = index;
        uint16_t kind;
        uint32_t length;
        memcpy(&kind, steps + offset, sizeof kind);
        memcpy(&length, steps + offset + 4, sizeof length);
        struct fields fields = {steps + offset + 8};
        if (kind != BERTH_STEP_WRITE_FILE) forget_written(&last);
        if ((kind == BERTH_STEP_WRITE_FILE ? write_step(&last, &fields) : perform(kind, &fields, slots)) < 0) {
            *failed = index;
            result = -1;
        }
        offset += 8 + length;
    }
    forget_written(&last);
    return result;
}

// Of what the parent has open the child needs its slots alone. A parent that holds thousands of sockets would leave it no room to open
// anything below its own limit, and each of them would stay open for a moment longer than the parent wants.
static void close_all_but(const struct berth_slots *slots) {
    int kept[] = {
        slots->root, slots->target, slots->standard[0], slots->standard[1], slots->standard[2], slots->terminal, slots->channel,
        slots->root_directory, slots->namespace_root, slots->init, slots->empty, slots->mounts,
    };
    enum { COUNT = sizeof kept / sizeof *kept };
    for (int done = 1; done < COUNT; done++)
        for (int index = done; index > 0 && kept[index] < kept[index - 1]; index--) {
            int other = kept[index];
            kept[index] = kept[index - 1];
            kept[index - 1] = other;
        }
    unsigned next = 3;
    for (int index = 0; index < COUNT; index++) {
        if (kept[index] < (int)next) continue;
        // Where the call is refused they are closed at the end, by the program's execution.
        if (kept[index] > (int)next) (void)syscall(SYS_close_range, next, (unsigned)kept[index] - 1, 0u);
        next = (unsigned)kept[index] + 1;
    }
    (void)syscall(SYS_close_range, next, ~0u, 0u);
}

static int limit_files(uint64_t limit) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) return -1;
    files.rlim_cur = limit < files.rlim_max ? limit : files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files);
}

int berth_clone_and_perform(uint64_t namespaces, int cgroup, const uint8_t *steps, size_t size, struct berth_slots *slots, int *pidfd) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = namespaces | CLONE_PIDFD | (cgroup >= 0 ? 0x200000000ull /* CLONE_INTO_CGROUP */ : 0);
    arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0;
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child != 0) return (int)child;

    slots->is_child = 1;
    struct {
        uint32_t step, error;
        char reason[sizeof reason];
    } answer = {0, 0, ""};
    umask(0022);
    close_all_but(slots);
    // Nothing can be wrong with a limit that was in force before.
    if (slots->file_limit) (void)limit_files(slots->file_limit);
    berth_perform(steps, size, slots, &answer.step);
    answer.error = (uint32_t)errno;
    size_t length = strlen(reason);
    memcpy(answer.reason, reason, length);
    // Nobody may be listening any more; the exit status is the other way to be heard.
    (void)!send(slots->channel, &answer, 2 * sizeof(uint32_t) + length, MSG_NOSIGNAL);
    _exit(127);
}

int berth_setns(int descriptor, int types) { return setns(descriptor, types); }
