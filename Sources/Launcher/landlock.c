// Landlock: the same allow-list of files once more, kept by the kernel for this process and all its
// descendants; no TCP, no abstract sockets and no signals beyond them where the kernel knows how.
// Where there are no namespaces this is the only wall around files.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Debian 12's headers know ABI 2; these are the kernel's constants up to ABI 7.
enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum {
    FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5, FS_MAKE_CHAR = 1 << 6, FS_MAKE_DIR = 1 << 7, FS_MAKE_REG = 1 << 8, FS_MAKE_SOCK = 1 << 9,
    FS_MAKE_FIFO = 1 << 10, FS_MAKE_BLOCK = 1 << 11, FS_MAKE_SYM = 1 << 12, FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
};

struct ruleset {
    uint64_t files, network, scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

int landlock_abi(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static uint64_t known_rights(int abi) {
    if (abi >= 5) return (FS_IOCTL_DEV << 1) - 1;
    if (abi >= 3) return (FS_TRUNCATE << 1) - 1;
    if (abi == 2) return (FS_REFER << 1) - 1;
    return (FS_MAKE_SYM << 1) - 1;
}

static uint64_t rights(enum access access) {
    const uint64_t read = FS_READ_FILE | FS_READ_DIR;
    const uint64_t write = FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK |
                           FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER | FS_TRUNCATE;
    switch (access) {
    case ACCESS_READ: return read | FS_EXECUTE;
    case ACCESS_DEVICE: return read | FS_WRITE_FILE | FS_IOCTL_DEV;
    case ACCESS_WRITE: return read | write | FS_EXECUTE;
    case ACCESS_PRIVATE: return read | write;
    }
    return 0;
}

/// A path that is gone grants nothing.
static bool allow(int ruleset, const char *path, uint64_t allowed) {
    int file = open(path, O_PATH | O_CLOEXEC);
    if (file < 0) return true;
    struct stat status;
    if (fstat(file, &status)) return close(file), false;
    if (!S_ISDIR(status.st_mode)) allowed &= FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
    struct path_beneath rule = {.allowed = allowed, .parent = file};
    bool added = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    int error = errno;
    close(file);
    errno = error;
    return added;
}

/// Of a /proc that shows the whole machine, only the handler's own part and what describes the machine.
static const char *const shared_proc[] = {
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime",
    "/proc/version", "/proc/filesystems", "/proc/sys/kernel", "/proc/sys/vm",
};

const char *landlock_enter(const struct rules *rules, const struct plan *plan, bool network) {
    if (plan->landlock == 0) return NULL;
    uint64_t known = known_rights(plan->landlock);
    struct ruleset attributes = {.files = known};
    if (plan->landlock >= 4 && !network) attributes.network = 3;  // bind and connect over TCP
    if (plan->landlock >= 6) attributes.scoped = 3;               // abstract sockets, signals
    size_t size = plan->landlock >= 6 ? 24 : plan->landlock >= 4 ? 16 : 8;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0) return "Landlock: creating the rules";
    for (int i = 0; i < rules->count; i++)
        if (!allow(ruleset, rules->items[i].path, rights(rules->items[i].access) & known)) return "Landlock: adding a rule";
    const uint64_t read = FS_READ_FILE | FS_READ_DIR;
    if (plan->namespaces) {
        // The view holds nothing that may not be listed.
        if (!allow(ruleset, "/", FS_READ_DIR)) return "Landlock: adding /";
        if (!allow(ruleset, "/proc", read | ((FS_WRITE_FILE | FS_TRUNCATE) & known))) return "Landlock: adding /proc";
    } else {
        for (size_t i = 0; i < sizeof shared_proc / sizeof *shared_proc; i++)
            if (!allow(ruleset, shared_proc[i], read)) return "Landlock: adding a part of /proc";
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0)) return "Landlock: entering";
    close(ruleset);
    return NULL;
}
