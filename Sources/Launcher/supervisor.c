// The outermost process: makes the plan, starts init in its namespaces (or without, where they are
// refused), then stands between the worker's control socket and init until the end, whichever side
// it comes from.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// How long init may take to obey; it may be adding up a huge directory.
enum { OBEY_MS = 500 };

struct supervisor {
    const struct options *options;
    struct plan plan;
    struct rules rules;
    int directory;
    int signals;
    int socket;  // to init
    pid_t init;
    bool gone;           // init has ended
    uint64_t kill_at;    // when init is not waited for any longer; 0: no hurry
    struct notice end;   // what is to be reported
    bool ended;          // `end` came from init
};

static bool write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    close(file);
    return written;
}

/// The handler keeps the number of the user who starts it, and holds no other.
static bool map_user(pid_t init) {
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/setgroups", (int)init);
    if (!write_file(path, "deny") && errno != ENOENT) return false;
    snprintf(path, sizeof path, "/proc/%d/uid_map", (int)init);
    snprintf(text, sizeof text, "%u %u 1", geteuid(), geteuid());
    if (!write_file(path, text)) return false;
    snprintf(path, sizeof path, "/proc/%d/gid_map", (int)init);
    snprintf(text, sizeof text, "%u %u 1", getegid(), getegid());
    return write_file(path, text);
}

/// The next notice, and by the kernel's word who sent it; false when there will be none.
static bool receive(const struct supervisor *supervisor, struct notice *notice, pid_t *sender) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = notice, .iov_len = sizeof *notice};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(supervisor->socket, &message, MSG_CMSG_CLOEXEC) != sizeof *notice) return false;
    notice->text[TEXT_MAX - 1] = 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        struct ucred credentials;
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_CREDENTIALS) continue;
        memcpy(&credentials, CMSG_DATA(item), sizeof credentials);
        *sender = credentials.pid;
    }
    return true;
}

static bool say(const struct supervisor *supervisor, char command) {
    return send(supervisor->socket, &command, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static unsigned long namespace_flags(const struct plan *plan) {
    unsigned long flags = 0;
    if (plan->namespaces) flags |= CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC;
    if (plan->namespaces && plan->user_namespace) flags |= CLONE_NEWUSER;
    if (plan->network_namespace) flags |= CLONE_NEWNET;
    return flags;
}

/// Starts init up to the point where the isolation stands. False: `text` says what went wrong.
static bool prepare(struct supervisor *supervisor, char *text) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return snprintf(text, TEXT_MAX, "socketpair: %s", strerror(errno)), false;
    setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
    long init = syscall(SYS_clone, namespace_flags(&supervisor->plan) | SIGCHLD, 0, 0, 0, 0);
    if (init == 0) {
        close(ends[0]);
        close(supervisor->options->control);
        init_main(ends[1], supervisor->options, &supervisor->plan, &supervisor->rules);
    }
    int error = errno;
    close(ends[1]);
    if (init < 0) {
        close(ends[0]);
        return snprintf(text, TEXT_MAX, "clone: %s", strerror(error)), false;
    }
    supervisor->socket = ends[0];
    supervisor->init = (pid_t)init;
    struct notice notice = {.text = "init ended early"};
    pid_t sender;
    bool mapped = !supervisor->plan.namespaces || !supervisor->plan.user_namespace || map_user(supervisor->init);
    if (!mapped) snprintf(notice.text, sizeof notice.text, "mapping the user: %s", strerror(errno));
    if (mapped && say(supervisor, 'g') && receive(supervisor, &notice, &sender) && notice.kind == NOTICE_PREPARED) return true;
    memcpy(text, notice.text, TEXT_MAX);
    close(ends[0]);
    kill(supervisor->init, SIGKILL);
    waitpid(supervisor->init, NULL, 0);
    return false;
}

/// Lets the handler run. False: `text` says what went wrong.
static bool start(struct supervisor *supervisor, pid_t *handler, char *text) {
    struct notice notice = {.text = "init ended early"};
    pid_t sender = 0;
    *handler = 0;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // after the user is mapped, which needs our own /proc
    if (!say(supervisor, 'g')) return memcpy(text, notice.text, TEXT_MAX), false;
    while (receive(supervisor, &notice, &sender)) {
        if (notice.kind == NOTICE_EXECUTING) *handler = sender;
        if (notice.kind == NOTICE_STARTED) return true;
        if (notice.kind == NOTICE_FAILED) break;
    }
    memcpy(text, notice.text, TEXT_MAX);
    return false;
}

static void end_soon(struct supervisor *supervisor) {
    if (supervisor->kill_at) return;
    supervisor->kill_at = now_ms() + OBEY_MS;
    if (!say(supervisor, 'k')) kill(supervisor->init, SIGKILL);
}

static void obey(struct supervisor *supervisor) {
    char commands[64];
    ssize_t count = recv(supervisor->options->control, commands, sizeof commands, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return end_soon(supervisor);
    for (ssize_t i = 0; i < count; i++) switch (commands[i]) {
        case 'w': {
            int error = folder_wipe(supervisor->directory);
            report_wiped(supervisor->options->control, error ? strerror(error) : NULL);
            break;
        }
        case 'j':
        case 't': say(supervisor, commands[i]); break;
        default: end_soon(supervisor);
        }
}

static void hear(struct supervisor *supervisor) {
    struct notice notice;
    pid_t sender;
    if (!receive(supervisor, &notice, &sender)) {
        supervisor->kill_at = now_ms();
    } else if (notice.kind == NOTICE_ENDED && !supervisor->ended) {
        supervisor->end = notice;
        supervisor->ended = true;
        supervisor->kill_at = now_ms() + 20 * OBEY_MS;  // init is killing, one by one where it must
    }
}

static void reap(struct supervisor *supervisor) {
    struct signalfd_siginfo information;
    while (read(supervisor->signals, &information, sizeof information) == sizeof information)
        if (information.ssi_signo != SIGCHLD) say(supervisor, 't');
    pid_t dead;
    int status;
    while ((dead = waitpid(-1, &status, WNOHANG)) > 0)
        if (dead == supervisor->init) supervisor->gone = true;
}

static void stand_by(struct supervisor *supervisor) {
    while (!supervisor->gone) {
        struct pollfd waits[] = {
            {.fd = supervisor->signals, .events = POLLIN},
            {.fd = supervisor->ended ? -1 : supervisor->socket, .events = POLLIN},
            {.fd = supervisor->kill_at ? -1 : supervisor->options->control, .events = POLLIN},
        };
        uint64_t now = now_ms();
        if (supervisor->kill_at && now >= supervisor->kill_at) {
            kill(supervisor->init, SIGKILL);
            supervisor->kill_at = now + OBEY_MS;
        }
        poll(waits, 3, supervisor->kill_at ? (int)(supervisor->kill_at - now) : -1);
        if (waits[1].revents) hear(supervisor);
        if (waits[0].revents) reap(supervisor);
        if (waits[2].revents) obey(supervisor);
    }
}

static void remove_directory(const struct supervisor *supervisor) {
    if (folder_wipe(supervisor->directory) == 0) (void)rmdir(supervisor->options->directory);
}

static void open_all(struct supervisor *supervisor) {
    const struct options *options = supervisor->options;
    // Nothing inherited but the streams and the control socket.
    if (options->control > 3) (void)close_range(3, (unsigned)options->control - 1, 0);
    (void)close_range((unsigned)options->control + 1, ~0u, 0);
    fcntl(options->control, F_SETFD, FD_CLOEXEC);
    supervisor->directory = folder_create(options->directory);
    if (supervisor->directory < 0) {
        fprintf(stderr, "statex-launch: %s: %s\n", options->directory, strerror(errno));
        exit(66);
    }
    sigset_t set;
    sigemptyset(&set);
    const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    supervisor->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    // Whoever loses its init is ours to kill.
    if (supervisor->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1)) {
        fprintf(stderr, "statex-launch: %s\n", strerror(errno));
        exit(71);
    }
}

int supervise(const struct options *options) {
    struct supervisor supervisor = {.options = options};
    char text[TEXT_MAX] = "";
    open_all(&supervisor);
    plan_make(&supervisor.plan, options, supervisor.directory);
    rules_make(&supervisor.rules, options);
    bool prepared = prepare(&supervisor, text);
    if (!prepared && supervisor.plan.namespaces) {
        plan_degrade(&supervisor.plan, options, text);
        prepared = prepare(&supervisor, text);
    }
    enum level level = plan_level(&supervisor.plan, options);
    if (prepared && level < options->demanded) {
        snprintf(text, sizeof text, "isolation %s is demanded, but only %s is possible here",
                 level_name(options->demanded), level_name(level));
        prepared = false;
    }
    pid_t handler = 0;
    if (!prepared || !start(&supervisor, &handler, text)) {
        report_failed(options->control, text, &supervisor.plan, level);
        if (supervisor.init > 0) kill(supervisor.init, SIGKILL);
        tree_kill();
        remove_directory(&supervisor);
        return 1;
    }
    release_streams();
    report_started(options->control, handler, &supervisor.plan, level);
    supervisor.end = (struct notice){.cause = CAUSE_STOPPED};
    stand_by(&supervisor);
    tree_kill();
    // The worker may go on; that the directory is gone too, it sees by the end of the socket.
    report_ended(options->control, &supervisor.end);
    remove_directory(&supervisor);
    return 0;
}
