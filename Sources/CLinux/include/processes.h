// Processes: signals as readable bytes, and handles on processes that no reused pid can fool.
#ifndef CLINUX_PROCESSES_H
#define CLINUX_PROCESSES_H

#include <sys/types.h>

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
