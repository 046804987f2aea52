// Processes: signals as readable bytes, and handles on processes that no reused pid can fool.
#ifndef CLINUX_PROCESSES_H
#define CLINUX_PROCESSES_H

#include <sys/types.h>

/// Starts argv[0] (an absolute path) in a session of its own, with every signal at its default and none
/// blocked. `input` becomes its descriptor 0; `output` its 1 and 2, unless -1: then it has ours; `extra`
/// its 3, unless -1. It gets no other descriptor. Returns its pid, or minus the error number.
pid_t clinux_spawn(char *const argv[], char *const environment[], int input, int output, int extra);

/// A descriptor that becomes readable when `process` ends. Returns minus the error number on failure.
int clinux_pidfd_open(pid_t process);

/// From now on each of the `count` signals writes its number as one byte into `descriptor` (a
/// non-blocking pipe) instead of ending the process. One descriptor a process: a later call replaces
/// the earlier one. Returns 0, or minus the error number.
int clinux_signals_to_descriptor(const int *signals, int count, int descriptor);

/// Gives the signals their default effect again.
void clinux_signals_restore(const int *signals, int count);

/// Whether something keeps the wall clock right.
int clinux_clock_is_synchronised(void);

#endif
