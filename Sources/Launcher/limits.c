// What the handler gives up for good before it runs: resource limits, user, capabilities.
//
// Memory: RLIMIT_DATA, so that a single process meets its limit at once, as a failed allocation that
// it can report; and init's watch for the sum over all processes. Not RLIMIT_AS: runtimes that
// reserve address space (CUDA, Go, Java, mapped models) break under it.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool limit(__rlimit_resource_t resource, uint64_t value) {
    return setrlimit(resource, &(struct rlimit){value, value}) == 0;
}

/// Zero means no limit of ours; the one that was inherited stays.
static bool limit_unless_zero(__rlimit_resource_t resource, uint64_t value) {
    struct rlimit now;
    if (value == 0) return true;
    if (getrlimit(resource, &now)) return false;
    return limit(resource, value < now.rlim_max ? value : now.rlim_max);
}

/// When memory runs out on the machine, the handler is to go first. Best effort: not every /proc may
/// be written.
static void volunteer(void) {
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // else its own file there is not its own
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    (void)!write(file, "800", 3);
    close(file);
}

static bool drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0;
}

const char *privileges_drop(const struct plan *plan, const struct options *options) {
    volunteer();
    if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_MSGQUEUE, 0)) return "limits: core, message queues";
    if (!limit_unless_zero(RLIMIT_FSIZE, options->file_size)) return "limits: size of a file";
    if (!limit_unless_zero(RLIMIT_NOFILE, options->files)) return "limits: files";
    if (!limit_unless_zero(RLIMIT_DATA, options->memory)) return "limits: memory";
    // Where root stays root its bounding set is what exec would give back.
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability) && errno != EPERM) return "dropping capabilities";
    if (plan->change_user) {
        if (setgroups(0, NULL) || setresgid(plan->user, plan->user, plan->user)) return "changing the group";
        if (setresuid(plan->user, plan->user, plan->user)) return "changing the user";
    }
    if (!limit_unless_zero(RLIMIT_NPROC, plan->processes)) return "limits: processes";
    if (!drop_capabilities()) return "dropping capabilities";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return "setting no_new_privs";
    return NULL;
}
