// C of Berth: what runs between clone and exec, and system calls that Glibc hides or lacks.
// Every function here returns -1 with errno set on failure, as the system calls do. Nothing allocates.
#ifndef CBERTH_H
#define CBERTH_H

#include "files.h"
#include "hook.h"
#include "init.h"
#include "internet.h"
#include "netlink.h"
#include "performer.h"
#include "process.h"
#include "relay.h"
#include "signals.h"
#include "trees.h"

#endif
