#include "hook.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

// Defined by BerthMonitor, and so there only if that is linked in.
__attribute__((weak)) void berth_monitor_entry(void);

static const char own_argument[] = "berth-monitor (re-executed)";

int berth_has_monitor_entry(void) { return berth_monitor_entry != NULL; }

const char *berth_monitor_argument(void) { return own_argument; }

// Without a priority: after Swift's own registration, before `main`. glibc hands the arguments over.
__attribute__((constructor)) static void enter(int count, char **arguments) {
    if (count == 1 && strcmp(arguments[0], own_argument) == 0 && berth_monitor_entry) {
        berth_monitor_entry();
        _exit(1);
    }
}
