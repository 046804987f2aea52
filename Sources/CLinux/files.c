#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int clinux_open_beneath(int root, const char *path, int flags, int mode) {
    struct open_how how = {
        .flags = (unsigned int)flags | O_CLOEXEC,
        .mode = (flags & O_CREAT) ? (unsigned int)mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
    };
    long descriptor;
    // EAGAIN: something was renamed while the kernel walked, so that it could not be sure; bounded,
    // because somebody who renames in a loop must not hold us here.
    int tries = 16;
    do {
        descriptor = syscall(SYS_openat2, root, path, &how, sizeof how);
    } while (descriptor < 0 && (errno == EINTR || (errno == EAGAIN && --tries > 0)));
    return descriptor < 0 ? -errno : (int)descriptor;
}

int clinux_file_system(const char *path, uint64_t *free_bytes, int *in_memory) {
    struct statfs status;
    if (statfs(path, &status) != 0) return -errno;
    *free_bytes = (uint64_t)status.f_bavail * (uint64_t)status.f_bsize;
    *in_memory = status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
    return 0;
}
