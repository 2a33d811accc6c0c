// Processes, sockets and the kernel's other calls that Glibc hides or that Swift cannot express.
#ifndef CBERTH_PROCESS_H
#define CBERTH_PROCESS_H

#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Starts a program without copying this process's memory: the calling thread waits until the program runs (or could not).
///
/// The child has no environment, a session of its own, null standard streams, `descriptor` as its descriptor 3 and nothing else, signals
/// reset and none blocked, and the limit of open files that this process had before berth_raise_own_file_limit. `program` is executed with `arguments` (ended by NULL).
/// Returns the pid (its pidfd in `*pidfd`), or -1 with the errno of clone or execve.
int berth_spawn(const char *program, char *const *arguments, int descriptor, int *pidfd);

/// posix_spawn_file_actions_addclosefrom_np(3), which Glibc hides.
int berth_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Raises this process's limit of open files to its hard one, before it has a second thread. -1 with errno. Repeating is fine.
int berth_raise_own_file_limit(void);

/// Which of the levels of x86-64 (its psABI) the processor has: 1 to 4; 0 on others.
int berth_x86_64_level(void);

int berth_pidfd_open(int pid);
int berth_pidfd_send_signal(int pidfd, int signal);

/// Waits for a child without blocking: its pid, 0 if none has ended, -1 with errno. `*code` is the exit code, or `*signal` the signal that ended it.
int berth_reap(int *code, int *signal);

/// The most descriptors that one message carries.
#define BERTH_MESSAGE_DESCRIPTORS 32

/// One message of a SOCK_SEQPACKET socket with at most BERTH_MESSAGE_DESCRIPTORS descriptors.
ssize_t berth_send_message(int socket, const void *data, size_t size, const int *descriptors, int count, int flags);
/// -1 with EMSGSIZE if the message or its descriptors did not fit. Received descriptors are close-on-exec. 0 is the peer's end.
ssize_t berth_receive_message(int socket, void *data, size_t capacity, int *descriptors, int capacity_count, int *count, int flags);

int berth_socket_pair(int kind, int ends[2]);
/// Binds and listens, or connects, at `name` in `directory` (through /proc/self/fd: the path may be longer than a socket's name).
int berth_listen(int directory, const char *name, int kind);
int berth_connect(int directory, const char *name, int kind);
int berth_accept(int socket);

/// Makes this process what a monitor is: subreaper, not dumpable, SIGPIPE and SIGHUP ignored, its name set. -1 with errno.
int berth_become_monitor(const char *name);

/// The name of this process, at most 15 bytes of it. -1 with errno.
int berth_name_process(const char *name);

/// Copies this process, which has one thread: the child's pid, or -1 with errno. In the child, 0: `descriptor` is its descriptor 3, it has nothing else
/// but its standard streams, and a session of its own.
int berth_fork_with(int descriptor);

/// A signalfd for SIGCHLD and SIGTERM, which are blocked.
int berth_monitor_signals(void);

/// A detached overlay mount or -1. `base`: a directory; names are relative to it. Lower directories, the uppermost first; `upper` NULL: read-only.
/// `label`: the context of SELinux's of all files; NULL or empty: each has its own. `is_volatile`: nothing that is written is ever synced, and the upper can be
/// mounted this once.
int berth_overlay(int base, const char *const *lowers, size_t lower_count, const char *upper, const char *work, const char *label,
    int uses_user_attributes, int is_volatile);
/// The same without an upper, from a process of several threads: the working directory is changed only in one that is thrown away. -1 with errno.
int berth_overlay_for_reading(int base, const char *const *lowers, size_t lower_count);
/// Makes a detached mount one that only reads: no writing, no devices, no programs. -1 with errno.
int berth_restrict_to_reading(int mount);
/// A detached copy of the mount tree at a path, or -1.
int berth_detached_bind(const char *path);

int berth_terminal_size(int terminal, uint16_t rows, uint16_t columns);

/// epoll, one event a registration: the caller's number comes back once.
int berth_epoll_create(void);
int berth_epoll_add(int epoll, int descriptor, uint64_t number, int for_writing, int repeatedly);
int berth_epoll_remove(int epoll, int descriptor);
/// The numbers of what has happened, at most `capacity` and 64.
int berth_epoll_wait(int epoll, uint64_t *numbers, int capacity, int timeout_milliseconds);

int berth_flock_exclusive(int descriptor);
int berth_eventfd(void);
int64_t berth_monotonic_nanoseconds(void);

/// What was freed goes back to the kernel.
void berth_return_memory(void);

/// From now on the allocator makes at most so many arenas: mallopt(3).
void berth_limit_arenas(int count);

#endif
