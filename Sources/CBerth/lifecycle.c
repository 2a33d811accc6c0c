#define _GNU_SOURCE
#include "lifecycle.h"

#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Hooks of a container's life, run by the monitor or between clone and exec: nothing here allocates or locks.

struct text {
    char *next, *end;
};

static void add(struct text *text, const char *piece) {
    while (*piece && text->next < text->end) *text->next++ = *piece++;
    *text->next = 0;
}

static void add_number(struct text *text, unsigned int value) {
    char digits[16];
    const char *start;
    berth_number_text(digits + 15, value, &start);
    add(text, start);
}

static int write_all(int file, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -1;
        bytes += written;
        size -= (size_t)written;
    }
    return 0;
}

// What the hook reads. In memory and not in a pipe: nobody has to write while it runs.
static int state_file(const struct berth_lifecycle_hook *hook) {
    int file = memfd_create("state", MFD_CLOEXEC);
    if (file < 0) return -1;
    char digits[16];
    const char *number;
    berth_number_text(digits + 15, (unsigned int)hook->process, &number);
    if (write_all(file, hook->before, hook->before_size) < 0 || write_all(file, number, strlen(number)) < 0 ||
        write_all(file, hook->after, hook->after_size) < 0 || lseek(file, 0, SEEK_SET) < 0)
        return berth_close_keeping_errno(file, -1);
    return file;
}

// The hook's process: it has nothing of ours but its three streams.
static void become_hook(const struct berth_lifecycle_hook *hook, int state, int output, int failure) {
    if (berth_reset_signals() == 0 && dup2(state, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2 &&
        syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
        execve(hook->path, hook->arguments, hook->environment);
    int error = errno;
    (void)!write(failure, &error, sizeof error);
    _exit(127);
}

static int64_t milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// 1: it has ended; 0: its time was up, and it has been killed; -1 with errno.
static int wait_for(int process, uint64_t milliseconds) {
    int64_t deadline = milliseconds_now() + (int64_t)milliseconds;
    for (;;) {
        int64_t left = deadline - milliseconds_now();
        struct pollfd ended = {.fd = process, .events = POLLIN};
        int count = poll(&ended, 1, left < 0 ? 0 : (int)left);
        if (count > 0) return 1;
        if (count < 0 && errno != EINTR) return -1;
        if (count == 0 && left <= 0) return syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) < 0 && errno != ESRCH ? -1 : 0;
    }
}

static int reap(int process, siginfo_t *end) {
    int result;
    do result = waitid(P_PIDFD, (id_t)process, end, WEXITED);
    while (result < 0 && errno == EINTR);
    return result;
}

// How it ended, then what it wrote.
static void tell(const struct berth_lifecycle_hook *hook, int is_late, const siginfo_t *end, int output, char *said, size_t size) {
    struct text text = {said, said + size - 1};
    if (is_late) {
        add(&text, "it did not end within ");
        add_number(&text, (unsigned int)((hook->milliseconds + 999) / 1000));
        add(&text, " s");
    } else {
        add(&text, end->si_code == CLD_EXITED ? "exit status " : "signal ");
        add_number(&text, (unsigned int)end->si_status);
    }
    char *words = text.next;
    add(&text, ": ");
    char *start = text.next;
    ssize_t count = pread(output, start, (size_t)(text.end - start), 0);
    if (count > 0) text.next += count;
    while (text.next > start && (text.next[-1] == '\n' || text.next[-1] == ' ')) text.next--;
    if (text.next == start) text.next = words;
    *text.next = 0;
    // It is to be one line of text, whatever it is.
    for (char *c = said; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
}

static int run(const struct berth_lifecycle_hook *hook, int state, int output, int ends[2], char *said, size_t size) {
    int process = -1;
    long child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &process, 0, 0);
    if (child < 0) return -1;
    if (child == 0) become_hook(hook, state, output, ends[1]);
    close(ends[1]);
    ends[1] = -1;
    int failure = 0;
    ssize_t count;
    do count = read(ends[0], &failure, sizeof failure);
    while (count < 0 && errno == EINTR);
    int waited = count == sizeof failure ? 1 : wait_for(process, hook->milliseconds);
    siginfo_t end;
    memset(&end, 0, sizeof end);
    int result = waited < 0 ? -1 : reap(process, &end);
    berth_close_keeping_errno(process, 0);
    if (result < 0) return -1;
    if (count == sizeof failure) {
        errno = failure;
        return -1;
    }
    if (waited == 1 && end.si_code == CLD_EXITED && end.si_status == 0) return 0;
    tell(hook, waited == 0, &end, output, said, size);
    errno = EIO;
    return -1;
}

int berth_run_lifecycle_hook(const struct berth_lifecycle_hook *hook, char *said, size_t size) {
    int state = state_file(hook);
    if (state < 0) return -1;
    int output = memfd_create("output", MFD_CLOEXEC);
    int ends[2] = {-1, -1};
    int result = output < 0 || pipe2(ends, O_CLOEXEC) < 0 ? -1 : run(hook, state, output, ends, said, size);
    int opened[] = {state, output, ends[0], ends[1]};
    for (size_t index = 0; index < sizeof opened / sizeof *opened; index++)
        if (opened[index] >= 0) berth_close_keeping_errno(opened[index], 0);
    return result;
}
