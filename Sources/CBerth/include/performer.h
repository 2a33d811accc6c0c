// Performs the flat steps of a launch plan: in the parent, and between clone and exec in the child.
//
// Everything here is async-signal-safe: no allocation, no locks, no stdio. The bytes come from the plan's encoder and have
// been checked by its decoder: every field lies inside its step, every string ends in NUL.
#ifndef CBERTH_PERFORMER_H
#define CBERTH_PERFORMER_H

#include <stddef.h>
#include <stdint.h>

/// The kinds of steps. The numbers are part of the plan's format and never change their meaning.
enum berth_step {
    BERTH_STEP_WRITE_FILE = 1,        // path, bytes: opens a file of the current root and writes once
    BERTH_STEP_HOST_DIRECTORY = 2,    // path: mkdir, an existing one is fine
    BERTH_STEP_DEVICE_PROGRAM = 3,    // cgroup path, program: attaches a BPF device program (cgroup v2)
    BERTH_STEP_COPY_FILE = 4,         // source path, target path: at most 4 KiB, only where the target is empty (cpuset)
    BERTH_STEP_ENTER_NAMESPACE = 10,  // path, type
    BERTH_STEP_ENTER_PROCESS = 11,    // types: the namespaces of the process in the slot TARGET
    BERTH_STEP_UNSHARE = 12,          // types
    BERTH_STEP_LOOPBACK_UP = 13,
    BERTH_STEP_PROPAGATION = 14,      // flags: of the whole tree of mounts
    BERTH_STEP_ATTACH_ROOT = 15,      // moves the slot ROOT in; later paths are resolved beneath it
    BERTH_STEP_MOUNT = 16,            // type, source, target, flags, data
    BERTH_STEP_BIND = 17,             // source, target, 1: recursive | 2: attributes of the mounts below too | 4: as the slot MOUNTS has
                                      // it; attributes set, propagation
    BERTH_STEP_DIRECTORY = 18,        // path, permissions, uid, gid: with its parents
    BERTH_STEP_DEVICE = 19,           // path, mode, major, minor, uid, gid
    BERTH_STEP_SYMLINK = 20,          // target, path
    BERTH_STEP_MASK = 21,             // path: a file by the null device, a directory by an empty file system; absent is fine
    BERTH_STEP_READ_ONLY = 22,        // path; absent is fine
    BERTH_STEP_PIVOT = 23,
    BERTH_STEP_ROOT_READ_ONLY = 24,
    BERTH_STEP_HOSTNAME = 25,         // name
    BERTH_STEP_DOMAINNAME = 26,       // name
    BERTH_STEP_KEYRING = 27,          // name
    BERTH_STEP_RESOURCE_LIMIT = 28,   // resource, soft, hard
    BERTH_STEP_STANDARD_STREAMS = 29, // uid: a session, the slots STDIN... or a terminal as 0, 1, 2
    BERTH_STEP_BOUNDING = 30,         // set
    BERTH_STEP_GROUPS = 31,           // gid..., supplementary groups
    BERTH_STEP_USER = 32,             // uid, gid, keeps capabilities until CAPABILITIES
    BERTH_STEP_CAPABILITIES = 33,     // effective, permitted, inheritable, ambient
    BERTH_STEP_NO_NEW_PRIVILEGES = 34,
    BERTH_STEP_SECCOMP = 35,          // program, flags
    BERTH_STEP_WORKING_DIRECTORY = 36,// path
    BERTH_STEP_UMASK = 37,            // mask
    BERTH_STEP_EXECUTE = 38,          // argument count, arguments, environment count, environment, search path
    BERTH_STEP_OOM_SCORE = 39,        // text: as WRITE_FILE to /proc/self/oom_score_adj, but EACCES is fine
    BERTH_STEP_MAKE_TERMINAL = 40,    // rows, columns: from the container's own devpts; goes to the parent
    BERTH_STEP_INIT_FILE = 41,        // the program of process 1, while it can still be made
    BERTH_STEP_INIT = 42,             // arguments and environment to show: this process becomes INIT_FILE's program, and its child goes on with the steps
    BERTH_STEP_BIND_FROM = 43,        // path of a mount namespace, or empty for beneath the root; source there, target, attributes set: a directory,
                                      // without the mounts below
    BERTH_STEP_BIND_BENEATH = 44,     // source directory, or empty for what is mounted at the target; path below it, target; then as BIND
    BERTH_STEP_ATTACH_ROOT_AT = 45,   // path: moves the slot ROOT there, where whoever sees the host's files finds it; then as ATTACH_ROOT
    BERTH_STEP_HOOK = 46,             // 1: the parent runs it, the child waits; its name, path, arguments, environment, what it reads before and after the
                                      // process's number, milliseconds that it may take
    BERTH_STEP_CONFINEMENT = 47,      // a security module's name for it, path, bytes: as WRITE_FILE, of the child's own attributes in /proc
    BERTH_STEP_LABEL = 48,            // path, a context of SELinux's
};

/// What the steps may refer to. -1: not there.
struct berth_slots {
    int root;            // a detached mount
    int target;          // a pidfd
    int standard[3];     // pipes' ends, or -1 for a terminal
    int terminal;        // set by MAKE_TERMINAL
    int channel;         // to the parent: a terminal's master, and what failed
    int root_directory;  // set by ATTACH_ROOT
    int namespace_root;  // set by PROPAGATION
    int init;            // set by INIT_FILE
    int empty;           // set by MASK
    int mounts;          // the parent's mount namespace
    int is_child;
    uint32_t step;       // set by the performing: the index of the present step
    uint64_t file_limit; // how many descriptors the child may have, where the plan has nothing else; 0: as many as its parent
};

/// Performs steps in order. 0, or -1 with the index of the step that failed in `*failed` and errno set.
int berth_perform(const uint8_t *steps, size_t size, struct berth_slots *slots, uint32_t *failed);

/// Clones a child that performs `steps`, the last of which executes a program.
///
/// Returns the child's pid (its pidfd in `*pidfd`), or -1 with errno. The child says what failed by a message of
/// two 32-bit numbers, step and errno, and perhaps the reason, on `slots->channel`, and ends; the channel's end without a message is success.
/// `cgroup` is a cgroup v2 directory to be born in, or -1.
int berth_clone_and_perform(uint64_t namespaces, int cgroup, const uint8_t *steps, size_t size, struct berth_slots *slots, int *pidfd);

/// The first number of messages from the child: a terminal's master comes with it; the parent is to run the hook of the step that the second number is the
/// index of, and to send back anything.
static const uint32_t BERTH_CHILD_TERMINAL = 0xffffffffu;
static const uint32_t BERTH_CHILD_HOOK = 0xfffffffeu;

/// Runs the hook of a step, of which these are the fields, for this process. 0, or -1 with errno; if `said` is not empty then, it is the reason.
int berth_perform_hook(const uint8_t *fields, int process, char *said, size_t size);

/// setns(2).
int berth_setns(int descriptor, int types);

#endif
