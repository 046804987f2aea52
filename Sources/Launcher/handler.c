// From fork to exec: the last steps of the process that becomes the handler.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void handler_main(int socket, const struct options *options, const struct plan *plan,
                            const struct rules *rules) {
    pid_t init = getppid();
    if (setsid() < 0) notice_fail(socket, "making a session", NULL);
    umask(077);
    if (chdir(options->directory)) notice_fail(socket, "entering", options->directory);
    const char *step = privileges_drop(plan, options);
    if (step) notice_fail(socket, step, NULL);
    // After the change of user, which takes it back. Init has one thread and lasts.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != init) _exit(127);
    if ((step = landlock_enter(rules, plan, options->network))) notice_fail(socket, step, NULL);
    if ((step = seccomp_enter(plan, options->network))) notice_fail(socket, step, NULL);
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC)) notice_fail(socket, "closing descriptors", NULL);
    reset_signals();
    notice_send(socket, &(struct notice){.kind = NOTICE_EXECUTING});
    execve(options->program[0], options->program, environ);
    notice_fail(socket, "executing", options->program[0]);
}
