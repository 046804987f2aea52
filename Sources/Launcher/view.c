// The handler's view of the file system: an empty one in memory, into which the allowed paths are
// bound under their own names, read-only but for the private directory. What is not bound does not
// exist, so permissions on the way to a path (a virtual environment below /root) do not matter.
//
// /tmp, /var/tmp and /dev/shm lead to the private directory, so that everything which a handler can
// write is counted against its quota and wiped after the job.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The new root grows on a directory that every machine has; what was in it stays reachable as
// /.old/tmp until all is bound.
static const char stage[] = "/tmp";
static const char stage_old[] = "/tmp/.old";
static const char old[] = "/.old";

static bool make_parents(const char *path) {
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof part) return errno = ENAMETOOLONG, false;
    memcpy(part, path, length + 1);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0755) && errno != EEXIST) return false;
        *slash = '/';
    }
    return true;
}

static bool make_mount_point(const char *path, bool directory) {
    struct stat status;
    if (stat(path, &status) == 0) return true;
    if (!make_parents(path)) return false;
    if (directory) return mkdir(path, 0755) == 0;
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (file < 0) return false;
    return close(file) == 0;
}

static uint64_t attributes(enum access access) {
    switch (access) {
    case ACCESS_READ: return MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    case ACCESS_DEVICE: return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    case ACCESS_WRITE: return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    case ACCESS_PRIVATE: return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    }
    return MOUNT_ATTR_RDONLY;
}

static bool bind_rule(const struct rule *rule) {
    char source[4096 + sizeof old];
    struct stat status;
    struct mount_attr attribute = {.attr_set = attributes(rule->access)};
    snprintf(source, sizeof source, "%s%s", old, rule->path);
    if (stat(source, &status) || !make_mount_point(rule->path, S_ISDIR(status.st_mode))) return false;
    // With everything below it: in a user namespace a part of a tree may not be uncovered.
    if (mount(source, rule->path, NULL, MS_BIND | MS_REC, NULL)) return false;
    return mount_setattr(AT_FDCWD, rule->path, AT_RECURSIVE, &attribute, sizeof attribute) == 0;
}

/// Bound already, with the parent directory and the same rights.
static bool covered(const struct rules *rules, int index) {
    const struct rule *rule = &rules->items[index];
    for (int i = 0; i < index; i++) {
        const struct rule *other = &rules->items[i];
        size_t length = strlen(other->path);
        if (other->access == rule->access && strncmp(other->path, rule->path, length) == 0 &&
            (rule->path[length] == '/' || rule->path[length] == 0))
            return true;
    }
    return false;
}

/// A link is a convenience: where its name is taken already, that is what the handler sees.
static void add_link(const char *target, const char *name) {
    if (make_parents(name)) (void)symlink(target, name);
}

const char *view_enter(const struct rules *rules, const char *directory, const char **subject) {
    *subject = NULL;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return "making the mounts private";
    if (mount("handler", stage, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")) return "mounting a root";
    if (mkdir(stage_old, 0700) || syscall(SYS_pivot_root, stage, stage_old) || chdir("/")) return "entering the root";
    for (int i = 0; i < rules->count; i++) {
        *subject = rules->items[i].path;
        if (!covered(rules, i) && !bind_rule(&rules->items[i])) return "binding";
    }
    *subject = NULL;
    if (!make_mount_point("/proc", true) || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
        return "mounting /proc";
    for (int i = 0; i < rules->count; i++)
        if (rules->items[i].alias) add_link(rules->items[i].path, rules->items[i].alias);
    add_link("/proc/self/fd", "/dev/fd");
    add_link("/proc/self/fd/0", "/dev/stdin");
    add_link("/proc/self/fd/1", "/dev/stdout");
    add_link("/proc/self/fd/2", "/dev/stderr");
    add_link(directory, "/dev/shm");
    add_link(directory, "/tmp");
    add_link(directory, "/var/tmp");
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (umount2(old, MNT_DETACH) || rmdir(old)) return "leaving the old root";
    if (mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only)) return "making the root read-only";
    return NULL;
}
