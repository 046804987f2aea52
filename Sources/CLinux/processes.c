#define _GNU_SOURCE
#include "processes.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

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
