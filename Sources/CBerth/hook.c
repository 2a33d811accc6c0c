#include "hook.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

// Defined by BerthMonitor, and so there only if that is linked in.
__attribute__((weak)) void berth_monitor_entry(void);
// Defined by BerthLogRelay, likewise.
__attribute__((weak)) void berth_relay_entry(int count, char **arguments);

static const char own_argument[] = "berth-monitor (re-executed)";
static const char relay_argument[] = "berth-log-relay (re-executed)";

int berth_has_monitor_entry(void) { return berth_monitor_entry != NULL; }

const char *berth_monitor_argument(void) { return own_argument; }

int berth_has_relay_entry(void) { return berth_relay_entry != NULL; }

const char *berth_relay_argument(void) { return relay_argument; }

// Without a priority: after Swift's own registration, before `main`. glibc hands the arguments over.
__attribute__((constructor)) static void enter(int count, char **arguments) {
    if (count == 1 && strcmp(arguments[0], own_argument) == 0 && berth_monitor_entry) {
        berth_monitor_entry();
        _exit(1);
    }
    if (count > 1 && strcmp(arguments[0], relay_argument) == 0 && berth_relay_entry) {
        berth_relay_entry(count, arguments);
        _exit(1);
    }
}
