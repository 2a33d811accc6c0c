// Signals as bytes.
#ifndef CBERTH_SIGNALS_H
#define CBERTH_SIGNALS_H

#include <stddef.h>

/// Blocks these signals and makes a signalfd for them: close-on-exec, does not block.
int berth_take_signals(const int *signals, size_t count);

/// The number of the next signal that waits; 0 for none.
int berth_next_signal(int descriptor);

/// Lets these signals through again.
int berth_release_signals(const int *signals, size_t count);

#endif
