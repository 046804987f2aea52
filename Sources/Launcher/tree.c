// The descendants of this process, as /proc shows them: what they use, and their end.

#define _GNU_SOURCE
#include "launch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct process {
    pid_t pid, parent;
    uint64_t ticks;           // its own CPU time
    uint64_t children_ticks;  // of the dead that it waited for
};

struct processes {
    struct process *items;
    size_t count, room;
};

uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/// The beginning of a small file, ended by a zero; false when it cannot be read.
static bool read_text(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t count = read(file, text, size - 1);
    close(file);
    if (count <= 0) return false;
    text[count] = 0;
    return true;
}

static bool read_process(pid_t pid, struct process *process) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_text(path, text, sizeof text)) return false;
    // The name stands in parentheses and may hold anything, so parse from its last parenthesis on.
    char *rest = strrchr(text, ')');
    if (!rest) return false;
    int parent = 0;
    unsigned long user = 0, system = 0;
    long children_user = 0, children_system = 0;
    if (sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &parent, &user, &system,
               &children_user, &children_system) != 5)
        return false;
    *process = (struct process){.pid = pid,
                                .parent = parent,
                                .ticks = user + system,
                                .children_ticks = (uint64_t)(children_user + children_system)};
    return true;
}

static bool append(struct processes *list, struct process process) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 256;
        struct process *items = realloc(list->items, room * sizeof *items);
        if (!items) return false;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = process;
    return true;
}

/// The children of one thread, from the kernel's own list. False: this kernel does not show it.
static bool append_children(struct processes *list, const char *task) {
    char path[96];
    snprintf(path, sizeof path, "%s/children", task);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    int pid;
    struct process process;
    while (fscanf(file, "%d", &pid) == 1)
        if (read_process(pid, &process) && !append(list, process)) break;
    fclose(file);
    return true;
}

static void append_children_of_threads(struct processes *list, pid_t pid) {
    char path[64], task[80];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *directory = opendir(path);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        snprintf(task, sizeof task, "%s/%d", path, atoi(entry->d_name));
        append_children(list, task);
    }
    closedir(directory);
}

/// Keeps those that descend from this process.
static void keep_descendants(struct processes *list) {
    size_t kept = 0;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = kept; i < list->count; i++) {
            struct process process = list->items[i];
            bool ours = process.parent == getpid();
            for (size_t j = 0; !ours && j < kept; j++) ours = list->items[j].pid == process.parent;
            if (!ours) continue;
            list->items[i] = list->items[kept];
            list->items[kept++] = process;
            grew = true;
        }
    }
    list->count = kept;
}

static void scan_everybody(struct processes *list) {
    DIR *directory = opendir("/proc");
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct process process;
        if (!isdigit((unsigned char)entry->d_name[0]) || !read_process((pid_t)atoi(entry->d_name), &process)) continue;
        if (process.pid != getpid() && !append(list, process)) break;
    }
    closedir(directory);
    keep_descendants(list);
}

/// The descendants, as they are at about this moment: more may be born while this looks, so whoever
/// kills looks again. Going down the lists of children takes 0.2 ms where reading the whole of /proc takes
/// 5; some kernels have only the latter.
static void list_descendants(struct processes *list) {
    *list = (struct processes){0};
    char self[64];
    snprintf(self, sizeof self, "/proc/self/task/%d", (int)getpid());
    if (!append_children(list, self)) return scan_everybody(list);
    for (size_t i = 0; i < list->count; i++) append_children_of_threads(list, list->items[i].pid);
}

/// The number after `name` in a file of lines like `Threads:  7`; 0 when there is none.
static uint64_t field(const char *text, const char *name) {
    const char *found = strstr(text, name);
    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static void add_sizes(pid_t pid, struct usage *usage) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!read_text(path, text, sizeof text)) return;
    usage->memory += 1024 * (field(text, "\nRssAnon:") + field(text, "\nRssShmem:"));
    usage->tasks += field(text, "\nThreads:");
}

/// Files that are open but have no name any more do not show in the private directory.
struct seen {
    struct {
        dev_t device;
        ino_t inode;
    } items[256];
    size_t count;
};

static bool first_sight(struct seen *seen, const struct stat *status) {
    for (size_t i = 0; i < seen->count; i++)
        if (seen->items[i].device == status->st_dev && seen->items[i].inode == status->st_ino) return false;
    if (seen->count < sizeof seen->items / sizeof *seen->items) {
        seen->items[seen->count].device = status->st_dev;
        seen->items[seen->count++].inode = status->st_ino;
    }
    return true;
}

static void add_unlinked(pid_t pid, struct usage *usage, struct seen *seen) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (!directory) return;
    struct stat status;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (fstatat(dirfd(directory), entry->d_name, &status, 0) || !S_ISREG(status.st_mode) || status.st_nlink) continue;
        if (first_sight(seen, &status)) usage->unlinked += 512 * (uint64_t)status.st_blocks;
    }
    closedir(directory);
}

void tree_measure(struct usage *usage, bool unlinked) {
    *usage = (struct usage){0};
    struct processes list;
    struct seen seen = {.count = 0};
    struct process self;
    uint64_t ticks = read_process(getpid(), &self) ? self.children_ticks : 0;
    list_descendants(&list);
    for (size_t i = 0; i < list.count; i++) {
        ticks += list.items[i].ticks + list.items[i].children_ticks;
        add_sizes(list.items[i].pid, usage);
        if (unlinked) add_unlinked(list.items[i].pid, usage, &seen);
    }
    free(list.items);
    usage->cpu_ms = ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t tree_exact_memory(void) {
    struct processes list;
    uint64_t sum = 0;
    list_descendants(&list);
    for (size_t i = 0; i < list.count; i++) {
        char path[64], text[4096];
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)list.items[i].pid);
        if (read_text(path, text, sizeof text)) {
            sum += 1024 * (field(text, "\nPss_Anon:") + field(text, "\nPss_Shmem:"));
        } else {
            struct usage one = {0};
            add_sizes(list.items[i].pid, &one);
            sum += one.memory;
        }
    }
    free(list.items);
    return sum;
}

uint64_t tree_tasks_of_user(uid_t user) {
    uint64_t tasks = 0;
    DIR *directory = opendir("/proc");
    if (!directory) return 0;
    struct stat status;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        if (fstatat(dirfd(directory), entry->d_name, &status, 0) || status.st_uid != user) continue;
        struct usage one = {0};
        add_sizes((pid_t)atoi(entry->d_name), &one);
        tasks += one.tasks;
    }
    closedir(directory);
    return tasks;
}

/// Whoever is orphaned becomes a child of this process (it is a subreaper, or the first of a PID
/// namespace); so no child left means no descendant left.
bool tree_kill(void) {
    uint64_t deadline = now_ms() + 10000;
    for (;;) {
        pid_t dead;
        while ((dead = waitpid(-1, NULL, WNOHANG)) > 0) {}
        if (dead < 0 && errno == ECHILD) return true;
        struct processes list;
        list_descendants(&list);
        for (size_t i = 0; i < list.count; i++) kill(list.items[i].pid, SIGKILL);
        free(list.items);
        if (now_ms() > deadline) return false;
        poll(NULL, 0, 1);
    }
}
