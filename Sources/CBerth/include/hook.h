// A program that is executed again as its own monitor: the entry before `main`.
#ifndef CBERTH_HOOK_H
#define CBERTH_HOOK_H

/// Whether the monitor's entry is linked into this process.
int berth_has_monitor_entry(void);

/// The argument 0 with which the entry acts.
const char *berth_monitor_argument(void);

#endif
