#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int actions_fill(posix_spawn_file_actions_t *actions, const int *descriptors, int count) {
    int error = 0;
    for (int i = 0; !error && i < count; i++) error = posix_spawn_file_actions_adddup2(actions, descriptors[i], i);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(actions, count);
}

static int attributes_fill(posix_spawnattr_t *attributes) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
    const int flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    return error ? error : posix_spawnattr_setflags(attributes, (short)flags);
}

int clinux_spawn_session(pid_t *pid, const char *path, char *const *arguments, char *const *environment, const int *descriptors,
                 int count) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        error = actions_fill(&actions, descriptors, count);
        if (!error) error = attributes_fill(&attributes);
        if (!error) error = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/// Above the numbers that a spawned process gives its own meaning, and closed by exec.
static int lift(int descriptor) {
    int lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, 16);
    int error = errno;
    close(descriptor);
    errno = error;
    return lifted;
}

static int lift_both(int ends[2]) {
    ends[0] = lift(ends[0]);
    ends[1] = lift(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0) return 0;
    int error = errno;
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
    return error;
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) ? errno : lift_both(ends); }

int clinux_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ? errno : lift_both(ends);
}

int clinux_semaphore(unsigned count) { return eventfd(count, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE); }

int clinux_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return errno;
    return 0;
}

int clinux_unread(int descriptor) {
    int count = 0;
    return ioctl(descriptor, FIONREAD, &count) ? -1 : count;
}

ssize_t clinux_copy_file_range(int from, int to, size_t count) { return copy_file_range(from, NULL, to, NULL, count, 0); }

ssize_t clinux_write_quietly(int descriptor, const void *bytes, size_t count) {
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t written = write(descriptor, bytes, count);
    int error = errno;
    if (written < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
        struct timespec now = {0, 0};
        sigtimedwait(&pipe_signal, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}
