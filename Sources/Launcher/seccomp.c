// System calls that a handler has no use for: networks, new namespaces, mounts, looking into other
// processes, memory that no limit counts. Works without any privilege once no_new_privs is set.
//
// A deny-list, not an allow-list: programs in any language run here, and a list of what all of them
// need would be wrong on the next machine. The walls are the namespaces and Landlock; this closes the
// doors that they leave.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { ARCHITECTURE = (int)AUDIT_ARCH_X86_64 };
#elif defined(__aarch64__)
enum { ARCHITECTURE = (int)AUDIT_ARCH_AARCH64 };
#else
#error "statex-launch knows the system calls of x86_64 and aarch64 only"
#endif

/// Refused with EPERM whatever the arguments.
static const int refused[] = {
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree,
    SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_open_by_handle_at, SYS_name_to_handle_at,
    SYS_fanotify_init, SYS_quotactl, SYS_swapon, SYS_swapoff, SYS_acct,
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_kcmp, SYS_process_madvise,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_syslog,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot,
    SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname,
};

/// Answered as by a kernel that does not have them, so that libraries take their older way: io_uring
/// does what this filter forbids, clone3 hides its flags from it, the others hold memory that no
/// process's size shows.
static const int unknown[] = {
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_clone3, SYS_memfd_create, SYS_shmget,
#ifdef SYS_memfd_secret
    SYS_memfd_secret,
#endif
};

/// Where neither a PID namespace nor another user nor Landlock stands between the handler and its
/// supervisors, it must not signal them. (It may signal other processes of its user, which is why this
/// form is not called strict.)
static const int signalling[] = {
    SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_open,
};

bool seccomp_available(void) {
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

enum { ROOM = 256 };

struct filter {
    struct sock_filter steps[ROOM];
    unsigned short count;
};

static void step(struct filter *filter, uint16_t code, uint32_t k, uint8_t yes, uint8_t no) {
    if (filter->count < ROOM) filter->steps[filter->count++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct filter *filter, size_t offset) { step(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }

static void load_call(struct filter *filter) { load(filter, offsetof(struct seccomp_data, nr)); }

/// The lower half of an argument; both machines are little-endian, and none of the arguments that are
/// looked at is wider.
static void load_argument(struct filter *filter, int index) {
    load(filter, offsetof(struct seccomp_data, args) + 8 * (size_t)index);
}

static void answer(struct filter *filter, int error) {
    step(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error, 0, 0);
}

/// if the loaded value equals `value`, `error`
static void refuse_equal(struct filter *filter, uint32_t value, int error) {
    step(filter, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(filter, error);
}

static void refuse_networks(struct filter *filter, bool unix_sockets) {
    // Unix sockets are harmless where the view holds nobody else's; a pair never reaches out.
    if (unix_sockets) {
        step(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3);
        load_argument(filter, 0);
        step(filter, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
        answer(filter, EPERM);
        load_call(filter);
    } else {
        refuse_equal(filter, SYS_socket, EPERM);
    }
    step(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_socketpair, 0, 3);
    load_argument(filter, 0);
    step(filter, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
    answer(filter, EPERM);
    load_call(filter);
}

static void refuse_namespaces(struct filter *filter) {
    const uint32_t flags =
        CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    step(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
    load_argument(filter, 0);
    step(filter, BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1);
    answer(filter, EPERM);
    load_call(filter);
}

/// prlimit of another process
static void refuse_others_limits(struct filter *filter) {
    step(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 3);
    load_argument(filter, 0);
    step(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    answer(filter, EPERM);
    load_call(filter);
}

static void protect_supervisors(struct filter *filter, pid_t supervisor, pid_t init) {
    refuse_equal(filter, SYS_tkill, EPERM);
    refuse_equal(filter, SYS_pidfd_send_signal, EPERM);
    for (size_t i = 0; i < sizeof signalling / sizeof *signalling; i++) {
        step(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)signalling[i], 0, 5);
        load_argument(filter, 0);
        // A negative number is a group, and -1 everybody.
        step(filter, BPF_JMP | BPF_JGE | BPF_K, 0x80000000u, 2, 0);
        step(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)supervisor, 1, 0);
        step(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)init, 0, 1);
        answer(filter, EPERM);
        load_call(filter);
    }
}

const char *seccomp_enter(const struct plan *plan, bool network) {
    if (!plan->seccomp) return NULL;
    struct filter filter = {.count = 0};
    load(&filter, offsetof(struct seccomp_data, arch));
    step(&filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCHITECTURE, 1, 0);
    step(&filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);  // 32-bit calls have other numbers
    load_call(&filter);
#if defined(__x86_64__)
    step(&filter, BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1);  // and so have those of x32
    answer(&filter, ENOSYS);
#endif
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) refuse_equal(&filter, (uint32_t)refused[i], EPERM);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) refuse_equal(&filter, (uint32_t)unknown[i], ENOSYS);
    refuse_namespaces(&filter);
    refuse_others_limits(&filter);
    if (!network) refuse_networks(&filter, plan->namespaces);
    bool sees_supervisors = !plan->namespaces && !plan->change_user && plan->landlock < 6;
    if (sees_supervisors) protect_supervisors(&filter, plan->supervisor, getppid());
    step(&filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    if (filter.count == ROOM) return errno = E2BIG, "seccomp: the filter";
    struct sock_fprog program = {.len = filter.count, .filter = filter.steps};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? "seccomp: entering" : NULL;
}
