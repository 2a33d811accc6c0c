#define _GNU_SOURCE
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t set_of(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) sigaddset(&set, signals[i]);
    return set;
}

int berth_take_signals(const int *signals, size_t count) {
    sigset_t set = set_of(signals, count);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int berth_next_signal(int descriptor) {
    struct signalfd_siginfo information;
    ssize_t size;
    do size = read(descriptor, &information, sizeof information);
    while (size < 0 && errno == EINTR);
    if (size < 0) return errno == EAGAIN ? 0 : -1;
    return size == sizeof information ? (int)information.ssi_signo : 0;
}

int berth_release_signals(const int *signals, size_t count) {
    sigset_t set = set_of(signals, count);
    return sigprocmask(SIG_UNBLOCK, &set, NULL);
}
