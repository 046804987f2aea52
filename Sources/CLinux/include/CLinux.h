// What Swift cannot import from the C library: variadic calls, macros and missing wrappers.
#ifndef CLINUX_H
#define CLINUX_H

#include "CLinuxProcess.h"

#include <stdint.h>

#include "files.h"
#include "processes.h"

/// Names the calling thread (at most 15 bytes are kept), so that `top -H` and `perf` show it.
void clinux_name_thread(const char *name);

/// A new event descriptor, close-on-exec and non-blocking; -1 and errno on failure.
int clinux_eventfd(void);

/// A new pipe, close-on-exec: `ends[0]` is read, `ends[1]` is written and never blocks; -1 and errno on
/// failure.
int clinux_signal_pipe(int ends[2]);

/// Nanoseconds of a clock that never steps and counts suspended time.
int64_t clinux_monotonic_nanoseconds(void);

/// Microseconds since 1970, as the machine's wall clock says.
int64_t clinux_wall_microseconds(void);

/// Gives memory that was freed back to the kernel.
void clinux_return_free_memory(void);

#endif
