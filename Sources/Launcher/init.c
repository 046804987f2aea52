// The first process of the PID namespace, or the subreaper without one: starts the handler, reaps,
// and four times a second compares what the whole tree uses with the limits. Its end is the end of
// all: in a namespace by the kernel, else by killing until nobody is left.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/// Short enough that a fast writer of memory or files gets a few hundred megabytes at most; a look at
/// one idle process costs about 0.1 ms.
enum { WATCH_MS = 250 };

struct init {
    const struct options *options;
    const struct plan *plan;
    int socket;
    int directory;
    pid_t handler;
    uint64_t cpu_before;    // used when the job began
    uint64_t next_watch;
    uint64_t next_folder;   // a full directory takes long to add up: at most a twentieth of the time
    uint64_t stop_at;       // after SIGTERM; 0: not asked to stop
};

void release_streams(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = 0; stream < 3; stream++)
        if (null < 0 || dup2(null, stream) < 0) close(stream);
    if (null > 2) close(null);
}

static _Noreturn void finish(const struct init *init, const struct notice *end) {
    notice_send(init->socket, end);
    if (!init->plan->namespaces) tree_kill();
    _exit(0);
}

static _Noreturn void exceed(const struct init *init, enum cause cause, const char *what, uint64_t used, uint64_t limit) {
    struct notice end = {.kind = NOTICE_ENDED, .cause = cause};
    snprintf(end.text, sizeof end.text, "%llu %s, %llu allowed", (unsigned long long)used, what, (unsigned long long)limit);
    finish(init, &end);
}

static void watch_tree(struct init *init, uint64_t now) {
    const struct options *limits = init->options;
    bool folder = now >= init->next_folder;
    struct usage usage;
    tree_measure(&usage, folder && limits->disk);
    if (limits->memory && usage.memory > limits->memory) {
        uint64_t exact = tree_exact_memory();
        if (exact > limits->memory) exceed(init, CAUSE_MEMORY, "bytes of memory in use", exact, limits->memory);
    }
    uint64_t cpu = usage.cpu_ms > init->cpu_before ? usage.cpu_ms - init->cpu_before : 0;
    if (limits->cpu_seconds && cpu > 1000 * limits->cpu_seconds)
        exceed(init, CAUSE_CPU, "ms of CPU time used", cpu, 1000 * limits->cpu_seconds);
    // RLIMIT_NPROC is the limit that a handler meets; this is for a root that no limit binds.
    if (limits->processes && usage.tasks > limits->processes)
        exceed(init, CAUSE_PROCESSES, "processes and threads", usage.tasks, limits->processes);
    if (!folder || !(limits->disk || limits->entries)) return;
    struct folder_usage files;
    uint64_t entries = limits->entries ? limits->entries : UINT64_MAX - 1;
    folder_measure(init->directory, entries, &files);
    files.bytes += usage.unlinked;
    if (limits->disk && files.bytes > limits->disk)
        exceed(init, CAUSE_DISK, "bytes in the private directory", files.bytes, limits->disk);
    if (files.entries > entries)
        exceed(init, CAUSE_DISK, "or more files in the private directory", files.entries, entries);
    if (files.too_deep) exceed(init, CAUSE_DISK, "or more levels of directories", FOLDER_DEPTH_MAX + 1, FOLDER_DEPTH_MAX);
    init->next_folder = now + 20 * (now_ms() - now);
}

static void begin_job(struct init *init) {
    struct usage usage;
    tree_measure(&usage, false);
    init->cpu_before = usage.cpu_ms;
}

static void reap(struct init *init) {
    int status;
    pid_t dead;
    while ((dead = waitpid(-1, &status, WNOHANG)) > 0)
        if (dead == init->handler) {
            struct notice end = {.kind = NOTICE_ENDED, .cause = init->stop_at ? CAUSE_STOPPED : CAUSE_EXIT, .status = status};
            finish(init, &end);
        }
}

static void obey(struct init *init, uint64_t now) {
    struct notice stopped = {.kind = NOTICE_ENDED, .cause = CAUSE_STOPPED};
    char command = 'k';
    ssize_t count = recv(init->socket, &command, 1, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0 || command == 'k') finish(init, &stopped);
    if (command == 'j') begin_job(init);
    if (command == 't' && init->stop_at == 0) {
        init->stop_at = now + init->options->grace_ms + 1;
        kill(-init->handler, SIGTERM);
    }
}

static _Noreturn void watch(struct init *init, int signals) {
    struct pollfd waits[] = {{.fd = init->socket, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        uint64_t now = now_ms();
        if (init->stop_at && now >= init->stop_at) finish(init, &(struct notice){.kind = NOTICE_ENDED, .cause = CAUSE_STOPPED});
        if (now >= init->next_watch) {
            watch_tree(init, now);
            init->next_watch = now_ms() + WATCH_MS;
        }
        uint64_t until = init->next_watch;
        if (init->stop_at && init->stop_at < until) until = init->stop_at;
        now = now_ms();
        poll(waits, 2, until > now ? (int)(until - now) : 0);
        struct signalfd_siginfo information;
        if (waits[1].revents) (void)!read(signals, &information, sizeof information);
        reap(init);
        if (waits[0].revents) obey(init, now_ms());
    }
}

/// Waits for the supervisor's word; its end is ours.
static void wait_for_go(int socket) {
    char go;
    if (recv(socket, &go, 1, 0) != 1 || go != 'g') _exit(0);
}

_Noreturn void init_main(int socket, const struct options *options, const struct plan *plan, const struct rules *rules) {
    // In a namespace our death is everybody's, so it comes as soon as the supervisor's. Without one we
    // have to live to kill: the end of the socket tells.
    if (plan->namespaces ? prctl(PR_SET_PDEATHSIG, SIGKILL) : prctl(PR_SET_CHILD_SUBREAPER, 1))
        notice_fail(socket, "tying the handler to its supervisor", NULL);
    wait_for_go(socket);  // until the user namespace is mapped
    if (plan->namespaces) {
        const char *subject = NULL;
        const char *step = view_enter(rules, options->directory, &subject);
        if (step) notice_fail(socket, step, subject);
    }
    notice_send(socket, &(struct notice){.kind = NOTICE_PREPARED});
    wait_for_go(socket);  // until this isolation is known to be enough

    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    struct init init = {.options = options, .plan = plan, .socket = socket};
    int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    init.directory = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (signals < 0 || init.directory < 0) notice_fail(socket, "opening the private directory", NULL);
    int done[2];
    if (pipe2(done, O_CLOEXEC)) notice_fail(socket, "making a pipe", NULL);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // nothing for a handler of the same user to look into
    init.handler = fork();
    if (init.handler < 0) notice_fail(socket, "forking", NULL);
    if (init.handler == 0) handler_main(socket, options, plan, rules);
    close(done[1]);
    char none;
    (void)!read(done[0], &none, 1);  // ends when the handler's copy closes: at exec, or at its end
    close(done[0]);
    release_streams();
    notice_send(socket, &(struct notice){.kind = NOTICE_STARTED});
    begin_job(&init);
    watch(&init, signals);
}
