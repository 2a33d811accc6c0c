// A program that is executed again as its own monitor, or as what speaks TLS for one: the entries before `main`.
#ifndef CBERTH_HOOK_H
#define CBERTH_HOOK_H

/// Whether the monitor's entry is linked into this process.
int berth_has_monitor_entry(void);

/// The argument 0 with which the entry acts.
const char *berth_monitor_argument(void);

/// The same of the entry that speaks TLS for a monitor. Further arguments are its.
int berth_has_relay_entry(void);
const char *berth_relay_argument(void);

#endif
