// What runs inside containers to find out what they are kept from. Linked statically; each mode prints its findings.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(3);
}

#ifdef __x86_64__
// ---- filter: "ARCHITECTURE NUMBER ARGUMENT..." on each line of standard input; answered with "allowed", an errno, or "killed N".
//
// No call is ever made. The child adds a filter of its own that hands every call to its tracer; the kernel obeys the strictest of
// all filters, so a call arrives at the tracer exactly if the container's filter allows it, and is then skipped.

void call_64(void), call_32(void);
__asm__("call_64: syscall\n int3\n call_32: int $0x80\n int3\n");

static pid_t start_child(void) {
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)};
        struct sock_fprog program = {1, code};
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0) die("ptrace");
        raise(SIGSTOP);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) die("seccomp");
        __asm__ volatile("int3");
        _exit(3);
    }
    int status;
    if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) die("a child that stops");
    if (ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL) < 0) die("ptrace options");
    if (ptrace(PTRACE_CONT, child, 0, 0) < 0 || waitpid(child, &status, 0) < 0) die("ptrace");
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) die("a child with a filter");
    return child;
}

static int filter(void) {
    char line[256], architecture[16];
    pid_t child = 0;
    while (fgets(line, sizeof line, stdin)) {
        unsigned long long number, a[6] = {0};
        int fields = sscanf(line, "%15s %llu %llu %llu %llu %llu %llu %llu", architecture, &number, a, a + 1, a + 2, a + 3, a + 4, a + 5);
        if (fields < 2) continue;
        int is_32 = strcmp(architecture, "i386") == 0;
        if (!child) child = start_child();
        struct user_regs_struct registers;
        if (ptrace(PTRACE_GETREGS, child, 0, &registers) < 0) die("registers");
        registers.rip = (unsigned long long)(uintptr_t)(is_32 ? call_32 : call_64);
        registers.rax = number;
        registers.orig_rax = (unsigned long long)-1;
        if (is_32) {
            registers.rbx = a[0], registers.rcx = a[1], registers.rdx = a[2], registers.rsi = a[3], registers.rdi = a[4], registers.rbp = a[5];
        } else {
            registers.rdi = a[0], registers.rsi = a[1], registers.rdx = a[2], registers.r10 = a[3], registers.r8 = a[4], registers.r9 = a[5];
        }
        if (ptrace(PTRACE_SETREGS, child, 0, &registers) < 0) die("registers");
        int status, allowed = 0;
        for (;;) {
            if (ptrace(PTRACE_CONT, child, 0, 0) < 0 || waitpid(child, &status, __WALL) < 0) die("ptrace");
            if (!WIFSTOPPED(status) || status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) break;
            allowed = 1;
            if (ptrace(PTRACE_GETREGS, child, 0, &registers) < 0) die("registers");
            registers.orig_rax = (unsigned long long)-1;
            registers.rax = 0;
            if (ptrace(PTRACE_SETREGS, child, 0, &registers) < 0) die("registers");
        }
        if (WIFSIGNALED(status)) {
            printf("killed %d\n", WTERMSIG(status));
            child = 0;
        } else if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
            printf("stopped %x\n", status);
            kill(child, SIGKILL);
            waitpid(child, &status, __WALL);
            child = 0;
        } else if (allowed) {
            printf("allowed\n");
        } else {
            if (ptrace(PTRACE_GETREGS, child, 0, &registers) < 0) die("registers");
            printf("%d\n", is_32 ? -(int)registers.rax : (int)-(long long)registers.rax);
        }
    }
    if (child) kill(child, SIGKILL);
    return 0;
}
#else
static int filter(void) {
    fprintf(stderr, "probe: only for x86-64\n");
    return 3;
}
#endif

// ---- keyring: the session keyring

static int keyring(void) {
    enum { ID = 0, DESCRIBE = 6, SESSION = -3 };
    char description[256] = "";
    long ring = syscall(SYS_keyctl, ID, SESSION, 0);
    if (ring < 0) return printf("no session keyring: %s\n", strerror(errno)), 0;
    if (syscall(SYS_keyctl, DESCRIBE, ring, description, sizeof description - 1) < 0) die("describe");
    printf("%s\n", description);
    return 0;
}

// ---- device TYPE MAJOR MINOR...: made, opened for reading, for writing

static const char *word(int result) { return result >= 0 ? "yes" : errno == EPERM ? "EPERM" : errno == ENXIO || errno == ENODEV ? "none there" : strerror(errno); }

static int devices(int count, char **arguments) {
    for (int index = 0; index + 2 < count; index += 3) {
        mode_t type = arguments[index][0] == 'b' ? S_IFBLK : S_IFCHR;
        unlink("/tmp/device");
        int made = mknod("/tmp/device", type | 0600, makedev(atoi(arguments[index + 1]), atoi(arguments[index + 2])));
        printf("%s %s:%s made %s", arguments[index], arguments[index + 1], arguments[index + 2], word(made));
        int reading = open("/tmp/device", O_RDONLY | O_NONBLOCK | O_NOCTTY);
        printf(" read %s", word(reading));
        int writing = open("/tmp/device", O_WRONLY | O_NONBLOCK | O_NOCTTY);
        printf(" write %s\n", word(writing));
        if (reading >= 0) close(reading);
        if (writing >= 0) close(writing);
    }
    unlink("/tmp/device");
    return 0;
}

// ---- escape: ways out of a root

static int same(const char *a, const char *b) {
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static int escape(void) {
    // Every way up ends at the same directory.
    printf("above the root: %s\n", same("/", "/..") && same("/", "/../../../..") ? "the root" : "something else");
    printf("the root of process 1: %s\n", same("/", "/proc/1/root") && same("/", "/proc/1/root/..") ? "the root" : "something else");
    char where[4096];
    printf("the working directory: %s\n", syscall(SYS_getcwd, where, sizeof where) > 0 ? where : strerror(errno));
    // The classical one: a root below, while a directory of the outer one is open.
    mkdir("/tmp/jail", 0700);
    int outer = open("/", O_RDONLY | O_DIRECTORY);
    if (chroot("/tmp/jail") == 0) {
        (void)!fchdir(outer);
        for (int up = 0; up < 64; up++) (void)!chdir("..");
        struct stat here, root;
        (void)!stat(".", &here);
        (void)!fstat(outer, &root);
        printf("out of a chroot: %s\n", here.st_ino == root.st_ino && here.st_dev == root.st_dev ? "the root" : "something else");
        (void)!chroot(".");
        (void)!chdir("/");
    } else {
        printf("out of a chroot: %s\n", strerror(errno));
    }
    rmdir("/tmp/jail");
    close(outer);
    // A handle of the host's root directory: inode 2 of most file systems.
    struct {
        struct file_handle handle;
        unsigned char bytes[128];
    } handle;
    memset(&handle, 0, sizeof handle);
    handle.handle.handle_bytes = sizeof handle.bytes;
    int mount;
    if (name_to_handle_at(AT_FDCWD, "/etc/hosts", &handle.handle, &mount, 0) < 0) printf("a handle: %s\n", strerror(errno));
    int file = open("/etc/hosts", O_RDONLY);
    printf("open by handle: %s\n", open_by_handle_at(file, &handle.handle, O_RDONLY) >= 0 ? "opened" : strerror(errno));
    close(file);
    // Descriptors of anything outside, in any process that can be seen.
    for (int process = 1; process < 64; process++) {
        for (int descriptor = 0; descriptor < 256; descriptor++) {
            char path[64], up[72];
            snprintf(path, sizeof path, "/proc/%d/fd/%d", process, descriptor);
            snprintf(up, sizeof up, "%s/..", path);
            struct stat status;
            if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) printf("process %d has a directory open: %d\n", process, descriptor);
        }
    }
    // The file behind standard input belongs to the container: its mode can be changed without the host's being so.
    struct stat input;
    if (fstat(0, &input) == 0 && S_ISCHR(input.st_mode)) printf("mode of standard input: %s\n", fchmod(0, 0600) == 0 ? "changed" : strerror(errno));
    return 0;
}

// ---- memory BYTES: uses so much; processes N: starts so many that wait

static int memory(const char *text) {
    size_t size = strtoull(text, NULL, 10);
    char *bytes = malloc(size);
    if (!bytes) die("malloc");
    for (size_t at = 0; at < size; at += 4096) bytes[at] = 1;
    printf("used %zu\n", size);
    return 0;
}

static int processes(const char *text) {
    int wanted = atoi(text), made = 0, ends[2];
    if (pipe(ends) < 0) die("pipe");
    while (made < wanted) {
        pid_t child = fork();
        if (child < 0) break;
        if (child == 0) {
            char end;
            close(ends[1]);
            (void)!read(ends[0], &end, 1);
            _exit(0);
        }
        made++;
    }
    printf("%d processes, then %s\n", made, made < wanted ? strerror(errno) : "no more wanted");
    close(ends[1]);
    while (wait(NULL) > 0) {}
    return 0;
}

// ---- identity: whom a set-id copy of this program runs as

static int identity(void) {
    printf("user %d, effective %d, no new privileges %d\n", getuid(), geteuid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    return 0;
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    if (!strcmp(mode, "filter")) return filter();
    if (!strcmp(mode, "keyring")) return keyring();
    if (!strcmp(mode, "devices")) return devices(count - 2, arguments + 2);
    if (!strcmp(mode, "escape")) return escape();
    if (!strcmp(mode, "memory") && count > 2) return memory(arguments[2]);
    if (!strcmp(mode, "processes") && count > 2) return processes(arguments[2]);
    if (!strcmp(mode, "identity")) return identity();
    fprintf(stderr, "usage: probe filter|keyring|devices TYPE MAJOR MINOR...|escape|identity|memory BYTES|processes N\n");
    return 2;
}
