#define _GNU_SOURCE
#include "processes.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

pid_t clinux_spawn(char *const argv[], char *const environment[], int input, int output, int extra) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    pid_t pid = -1;
    if (!(error = posix_spawn_file_actions_adddup2(&actions, input, 0)) &&
        (output < 0 || !(error = posix_spawn_file_actions_adddup2(&actions, output, 1))) &&
        (output < 0 || !(error = posix_spawn_file_actions_adddup2(&actions, output, 2))) &&
        (extra < 0 || !(error = posix_spawn_file_actions_adddup2(&actions, extra, 3))) &&
        !(error = posix_spawn_file_actions_addclosefrom_np(&actions, extra < 0 ? 3 : 4)) &&
        !(error = posix_spawnattr_setsigmask(&attributes, &none)) &&
        !(error = posix_spawnattr_setsigdefault(&attributes, &all)) &&
        !(error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))) {
        error = posix_spawn(&pid, argv[0], &actions, &attributes, argv, environment);
    }
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error ? -error : pid;
}

int clinux_pidfd_open(pid_t process) {
    long descriptor = syscall(SYS_pidfd_open, process, 0);
    return descriptor < 0 ? -errno : (int)descriptor;
}

static _Atomic int signal_descriptor = -1;

// A handler and not signalfd: signalfd needs the signal blocked in every thread, also in those that
// a runtime started before us. Only async-signal-safe calls here.
static void forward(int signal) {
    int saved = errno;
    unsigned char byte = (unsigned char)signal;
    // A full pipe already says that there is something to read.
    ssize_t written = write(atomic_load(&signal_descriptor), &byte, 1);
    (void)written;
    errno = saved;
}

int clinux_signals_to_descriptor(const int *signals, int count, int descriptor) {
    atomic_store(&signal_descriptor, descriptor);
    struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < count; i++) {
        if (sigaction(signals[i], &action, 0) != 0) return -errno;
    }
    return 0;
}

void clinux_signals_restore(const int *signals, int count) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < count; i++) sigaction(signals[i], &action, 0);
}

int clinux_clock_is_synchronised(void) {
    struct timex state = {.modes = 0};
    return adjtimex(&state) != TIME_ERROR;
}
