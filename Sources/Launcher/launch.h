// The supervisor of one handler process: what its files share.
//
// Three processes are at work, each single-threaded:
//
//   supervisor   outside of every namespace; talks to the worker over the control socket, and wipes
//                the private directory. The socket's end is the end of everything.
//   init         the first process of the PID namespace (or, without one, a child subreaper); reaps,
//                watches memory, CPU, processes and disk, and takes everything down with itself.
//   handler      the program.
//
// Each dies with the one above it: by the end of a socket, and where nothing has to be done first by a
// parent-death signal too.
#ifndef STATEX_LAUNCH_H
#define STATEX_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: options.c

enum level { LEVEL_BASIC, LEVEL_PARTIAL, LEVEL_STRICT };

enum layer { LAYER_NAMESPACES = 1, LAYER_LANDLOCK = 2, LAYER_SECCOMP = 4 };

enum { PATHS_MAX = 128 };

struct options {
    uint64_t memory;       // bytes, all processes together; 0 in any limit: none
    uint64_t cpu_seconds;  // of one job, all processes together
    uint64_t processes;    // processes and threads
    uint64_t files;        // open descriptors of one process
    uint64_t file_size;    // bytes of one file
    uint64_t disk;         // bytes in the private directory
    uint64_t entries;      // files and directories in it
    uint64_t grace_ms;     // between SIGTERM and the end
    int64_t user;          // the handler's user id when root starts it; -1: one of its own
    const char *directory;
    const char *read[PATHS_MAX];
    int read_count;
    const char *write[PATHS_MAX];
    int write_count;
    bool network;
    int control;
    enum level demanded;
    unsigned without;  // layers left out, to see how a machine that lacks them behaves
    const char *sweep;
    char **program;
};

/// Fills `options` or explains what is wrong on stderr and ends the process with 64.
void options_parse(int argc, char **argv, struct options *options);

const char *level_name(enum level level);

// MARK: plan.c

enum { MISSING_MAX = 8, TEXT_MAX = 240 };

/// What isolation this machine gives.
struct plan {
    bool namespaces;  // PID, mount and IPC; a user namespace too when not root
    bool user_namespace;
    bool network_namespace;
    int landlock;  // the kernel's ABI; 0: none
    bool seccomp;
    uid_t user;  // the handler's
    bool change_user;
    uint64_t processes;  // for RLIMIT_NPROC
    pid_t supervisor;
    char missing[MISSING_MAX][TEXT_MAX];
    int missing_count;
};

void plan_make(struct plan *plan, const struct options *options, int directory);
/// Gives the namespaces up.
void plan_degrade(struct plan *plan, const struct options *options, const char *reason);
enum level plan_level(const struct plan *plan, const struct options *options);

// MARK: report.c

/// What ended a handler.
enum cause { CAUSE_EXIT, CAUSE_STOPPED, CAUSE_MEMORY, CAUSE_CPU, CAUSE_PROCESSES, CAUSE_DISK };

/// One message from init or handler to the supervisor.
struct notice {
    enum { NOTICE_PREPARED, NOTICE_EXECUTING, NOTICE_STARTED, NOTICE_FAILED, NOTICE_ENDED } kind;
    enum cause cause;
    int status;  // as wait() gives it, valid with CAUSE_EXIT
    char text[TEXT_MAX];
};

void report_started(int control, pid_t pid, const struct plan *plan, enum level level);
void report_failed(int control, const char *text, const struct plan *plan, enum level level);
void report_wiped(int control, const char *error);
void report_ended(int control, const struct notice *end);

void notice_send(int socket, const struct notice *notice);
/// Sends NOTICE_FAILED with `step` and errno, and ends the process.
_Noreturn void notice_fail(int socket, const char *step, const char *subject);

// MARK: paths.c

enum access { ACCESS_READ, ACCESS_DEVICE, ACCESS_WRITE, ACCESS_PRIVATE };

/// A path that the handler may use, free of links, and the name under which it was asked for.
struct rule {
    char *path;
    char *alias;  // NULL: the same
    enum access access;
};

struct rules {
    struct rule items[3 * PATHS_MAX];
    int count;
};

/// The system's libraries and programs, what the options name, and the private directory; parents
/// before children.
void rules_make(struct rules *rules, const struct options *options);

// MARK: view.c

/// Replaces the file system by one that holds nothing but `rules`, /proc and a few devices.
/// Returns NULL, or the step that failed (with errno and `*subject`).
const char *view_enter(const struct rules *rules, const char *directory, const char **subject);

// MARK: landlock.c, seccomp.c, limits.c

int landlock_abi(void);
const char *landlock_enter(const struct rules *rules, const struct plan *plan, bool network);
bool seccomp_available(void);
const char *seccomp_enter(const struct plan *plan, bool network);
/// Limits, user, capabilities: everything that a process gives up for good before exec.
const char *privileges_drop(const struct plan *plan, const struct options *options);

// MARK: tree.c

struct usage {
    uint64_t memory;  // bytes, anonymous and shared memory
    uint64_t cpu_ms;  // used by the living and by the dead that were waited for
    uint64_t tasks;   // processes and threads
    uint64_t unlinked;  // bytes in open files that have no name any more
};

/// Sums over all descendants of this process.
void tree_measure(struct usage *usage, bool unlinked);
/// The memory again with shared pages counted once; slower.
uint64_t tree_exact_memory(void);
/// Kills and reaps until no descendant is left; false: some would not go within 10 s.
bool tree_kill(void);
uint64_t tree_tasks_of_user(uid_t user);

// MARK: folder.c

/// Deeper trees are refused while a handler runs, and taken apart when its directory is wiped.
enum { FOLDER_DEPTH_MAX = 32 };

struct folder_usage {
    uint64_t bytes;
    uint64_t entries;
    bool too_deep;
};

/// Makes a private directory and holds it against `folder_sweep`. A descriptor, or -1 and errno.
int folder_create(const char *path);
/// Adds up what is under `directory`, but stops after `entries`.
void folder_measure(int directory, uint64_t entries, struct folder_usage *usage);
/// Empties `directory`, whatever is in it; follows no link. 0, or an errno.
int folder_wipe(int directory);
/// Removes every private directory under `root` that no supervisor holds. 0, or an errno.
int folder_sweep(const char *root);

// MARK: init.c, handler.c, supervisor.c

_Noreturn void init_main(int socket, const struct options *options, const struct plan *plan, const struct rules *rules);
_Noreturn void handler_main(int socket, const struct options *options, const struct plan *plan, const struct rules *rules);
int supervise(const struct options *options);

/// Milliseconds that never step back.
uint64_t now_ms(void);
/// Puts /dev/null in the place of the handler's three streams, so that their ends are seen.
void release_streams(void);

#endif
