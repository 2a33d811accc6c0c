#ifndef BERTH_LIFECYCLE_H
#define BERTH_LIFECYCLE_H

#include <stddef.h>
#include <stdint.h>

/// A program that a specification wants run at some moment of a container's life.
struct berth_lifecycle_hook {
    const char *path;
    char *const *arguments;
    char *const *environment;
    // What it reads: `before`, the process's number in decimal, `after`.
    const char *before, *after;
    size_t before_size, after_size;
    int process;
    uint64_t milliseconds;  // how long it may take
};

/// For performer.c alone. Runs the hook and waits for it. 0, or -1 with errno; if `said` is not empty then, it is the reason, with what the hook has written.
int berth_run_lifecycle_hook(const struct berth_lifecycle_hook *hook, char *said, size_t size);

/// Dispositions and mask of signals as a program expects them.
int berth_reset_signals(void);

#endif
