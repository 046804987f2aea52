// What isolation this machine gives. The namespaces are all or nothing: where one of them is refused
// the others nearly always are, and one weaker form is enough to test.

#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/// Handlers that root starts get a user id of their own, made from the supervisor's process id: no
/// two that live at the same time share one, so they cannot signal or read each other, and the limit
/// on processes, which counts by user, is each one's own. No distribution assigns ids from here on.
enum { FIRST_USER = 0x70000000, NOBODY = 65534 };

static void miss(struct plan *plan, const char *what, const char *reason) {
    if (plan->missing_count == MISSING_MAX) return;
    snprintf(plan->missing[plan->missing_count++], TEXT_MAX, "%s: %s", what, reason);
}

/// Limits on processes count by user, and from Linux 5.14 on by user and user namespace.
static bool counts_by_namespace(void) {
    struct utsname name;
    int major = 0, minor = 0;
    if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
    return major > 5 || (major == 5 && minor >= 14);
}

static void choose_user(struct plan *plan, const struct options *options, int directory) {
    plan->user = geteuid();
    if (geteuid() != 0) {
        miss(plan, "a user id of the handler's own", "the worker is not root");
        return;
    }
    uid_t own = options->user >= 0 ? (uid_t)options->user : FIRST_USER + (uid_t)getpid();
    uid_t choices[] = {own, NOBODY};
    // In a container only some ids exist; the private directory tells which.
    for (int i = 0; i < 2; i++) {
        if (choices[i] == 0 || fchown(directory, choices[i], choices[i]) != 0) continue;
        plan->user = choices[i];
        plan->change_user = true;
        return;
    }
    miss(plan, "a user id of the handler's own", own == 0 ? "left out by configuration" : strerror(errno));
}

void plan_make(struct plan *plan, const struct options *options, int directory) {
    *plan = (struct plan){.supervisor = getpid()};
    plan->user_namespace = geteuid() != 0;
    plan->namespaces = !(options->without & LAYER_NAMESPACES);
    plan->network_namespace = plan->namespaces && !options->network;
    if (!plan->namespaces) miss(plan, "namespaces", "left out by configuration");
    if (options->without & LAYER_LANDLOCK) miss(plan, "Landlock", "left out by configuration");
    else if ((plan->landlock = landlock_abi()) == 0) miss(plan, "Landlock", "this kernel does not have it");
    if (options->without & LAYER_SECCOMP) miss(plan, "seccomp", "left out by configuration");
    else if (!(plan->seccomp = seccomp_available())) miss(plan, "seccomp", "this kernel does not have it");
    if (options->network) miss(plan, "no network", "allowed by configuration");
    choose_user(plan, options, directory);
    if (options->processes == 0) return;
    plan->processes = options->processes;
    if (plan->namespaces && plan->user_namespace && counts_by_namespace()) plan->processes += 1;  // init
    else plan->processes += tree_tasks_of_user(plan->user);
}

void plan_degrade(struct plan *plan, const struct options *options, const char *reason) {
    plan->namespaces = false;
    plan->network_namespace = false;
    miss(plan, "namespaces", reason);
    if (options->processes) plan->processes = options->processes + tree_tasks_of_user(plan->user);
}

enum level plan_level(const struct plan *plan, const struct options *options) {
    if (options->network) return LEVEL_BASIC;
    if (plan->namespaces && plan->seccomp) return LEVEL_STRICT;
    return plan->network_namespace || plan->seccomp ? LEVEL_PARTIAL : LEVEL_BASIC;
}
