// Child processes and their descriptors: what Glibc declares for _GNU_SOURCE only, which Swift does
// not see.
#ifndef CLINUX_PROCESS_H
#define CLINUX_PROCESS_H

#include <sys/types.h>

/// Starts a program in a session of its own, all signals as at birth. `descriptors` become 0, 1, 2, …
/// (each must be above `count`), and no other is inherited. 0, or an errno.
int clinux_spawn_session(pid_t *pid, const char *path, char *const *arguments, char *const *environment, const int *descriptors,
                 int count);

/// Both ends closed by exec and above 15. 0, or an errno.
int clinux_pipe(int ends[2]);
int clinux_socket_pair(int ends[2]);

/// An event descriptor that gives `count` away, one at each read; close-on-exec, non-blocking.
int clinux_semaphore(unsigned count);

int clinux_set_nonblocking(int descriptor);

/// How many bytes stand in a pipe that nobody has read; also when its reader is gone. -1: errno.
int clinux_unread(int descriptor);

/// Copies at the current offsets, sharing blocks where the file system can.
ssize_t clinux_copy_file_range(int from, int to, size_t count);

/// write, but a reader that is gone is EPIPE and never a signal.
ssize_t clinux_write_quietly(int descriptor, const void *bytes, size_t count);

#endif
