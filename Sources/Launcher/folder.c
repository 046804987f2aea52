// The private directory: how full it is, and its end. A handler, dead or alive, may have made any
// tree in it: links out, names of any bytes, directories without permissions, thousands of levels. So
// everything goes by descriptors from the top, nothing follows a link, and the depth is bounded: what
// lies deeper is moved up to the top first.

#define _GNU_SOURCE
#include "launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_create(const char *path) {
    // A sweep that comes between two of these steps takes the directory away: then it is made again.
    for (int tries = 0; tries < 10; tries++) {
        if (mkdir(path, 0700)) return -1;
        int file = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat status;
        if (file >= 0 && flock(file, LOCK_EX) == 0 && fstat(file, &status) == 0 && status.st_nlink > 0) return file;
        if (file >= 0) close(file);
    }
    return -1;
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

/// Opens a directory below `parent` for reading, giving it permissions first when it has none.
static int open_below(int parent, const char *name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int file = openat(parent, name, flags);
    if (file >= 0 || errno != EACCES) return file;
    int handle = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (handle < 0) return -1;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
    int failed = chmod(path, 0700);
    close(handle);
    return failed ? -1 : openat(parent, name, flags);
}

/// Takes over `file`.
static DIR *directory_of(int file) {
    if (file < 0) return NULL;
    DIR *directory = fdopendir(file);
    if (!directory) close(file);
    return directory;
}

static void measure(DIR *directory, int depth, uint64_t limit, struct folder_usage *usage) {
    struct stat status;
    for (struct dirent *entry; usage->entries <= limit && (entry = readdir(directory));) {
        if (is_dots(entry->d_name)) continue;
        usage->entries += 1;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW)) continue;
        usage->bytes += 512 * (uint64_t)status.st_blocks;
        if (!S_ISDIR(status.st_mode)) continue;
        if (depth == FOLDER_DEPTH_MAX) {
            usage->too_deep = true;
            continue;
        }
        // Without chmod: measuring changes nothing. What cannot be read is opened by the wiping.
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        DIR *below = directory_of(openat(dirfd(directory), entry->d_name, flags));
        if (!below) continue;
        measure(below, depth + 1, limit, usage);
        closedir(below);
    }
}

void folder_measure(int file, uint64_t limit, struct folder_usage *usage) {
    *usage = (struct folder_usage){0};
    DIR *directory = directory_of(openat(file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;
    measure(directory, 0, limit, usage);
    closedir(directory);
}

struct wiping {
    int top;
    unsigned long moved;  // names given so far to what was moved to the top
    int error;
};

static void wipe(struct wiping *wiping, DIR *directory, int depth);

static void wipe_directory(struct wiping *wiping, int parent, const char *name, int depth) {
    int file = open_below(parent, name);
    if (file < 0) {
        if (errno != ENOENT) wiping->error = errno;
        return;
    }
    if (depth == FOLDER_DEPTH_MAX) {
        // Not entered here: it gets a name at the top, where the next pass finds it.
        close(file);
        char up[48];
        snprintf(up, sizeof up, ".wiped-%d-%lu", (int)getpid(), wiping->moved++);
        if (renameat(parent, name, wiping->top, up)) wiping->error = errno;
        return;
    }
    DIR *directory = directory_of(file);
    if (!directory) {
        wiping->error = errno;
        return;
    }
    wipe(wiping, directory, depth + 1);
    closedir(directory);
    if (unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT) wiping->error = errno;
}

static void wipe(struct wiping *wiping, DIR *directory, int depth) {
    int parent = dirfd(directory);
    // An owner may have taken his own right to write away.
    (void)fchmod(parent, 0700);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (is_dots(entry->d_name)) continue;
        if (unlinkat(parent, entry->d_name, 0) == 0 || errno == ENOENT) continue;
        if (errno == EISDIR || errno == EPERM) wipe_directory(wiping, parent, entry->d_name, depth);
        else wiping->error = errno;
    }
}

static bool is_empty(int top) {
    DIR *directory = directory_of(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return false;
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(directory));) empty = is_dots(entry->d_name);
    closedir(directory);
    return empty;
}

int folder_wipe(int top) {
    struct wiping wiping = {.top = top};
    // Every pass takes 32 levels off; a pass that moved nothing up and met an error will not do better
    // the next time, and a live process that keeps writing is not waited for.
    for (int idle = 0; idle < 3;) {
        unsigned long moved = wiping.moved;
        wiping.error = 0;
        DIR *directory = directory_of(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory) return errno;
        wipe(&wiping, directory, 0);
        closedir(directory);
        if (is_empty(top)) return 0;
        if (wiping.moved == moved) idle += 1;
    }
    return wiping.error ? wiping.error : ENOTEMPTY;
}

int folder_sweep(const char *root) {
    DIR *directory = opendir(root);
    if (!directory) return errno;
    int error = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (is_dots(entry->d_name)) continue;
        int file = open_below(dirfd(directory), entry->d_name);
        if (file < 0) continue;
        // A supervisor holds the lock as long as it lives.
        if (flock(file, LOCK_EX | LOCK_NB) == 0) {
            int failed = folder_wipe(file);
            if (failed == 0 && unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR)) failed = errno;
            if (failed) error = failed;
        }
        close(file);
    }
    closedir(directory);
    return error;
}
