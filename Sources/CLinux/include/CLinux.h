// What Swift cannot import from the C library: variadic calls and missing wrappers.
#ifndef CLINUX_H
#define CLINUX_H

#include "files.h"
#include "processes.h"

/// Names the calling thread (at most 15 bytes are kept), so that `top -H` and `perf` show it.
void clinux_name_thread(const char *name);

#endif
