// Process 1 of a container whose command is not to be that itself: a program of one page that is made here, in memory.
#ifndef CBERTH_INIT_H
#define CBERTH_INIT_H

/// A file of no directory that holds the program, for execveat(2). It lacks the number of the process that it is to watch over. -1 with errno.
///
/// Async-signal-safe, as all that is done between clone and exec.
int berth_init_open(void);

/// Says whom the program watches over, and seals the file. -1 with errno.
int berth_init_seal(int program, int child);

#endif
