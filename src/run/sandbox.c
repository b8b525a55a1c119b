#include "run/sandbox.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE     /* headers older than the kernel they run on */
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE;
static const uint64_t on_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE;

/* The rights that landlock of this version knows: a rule that names others is refused. */
static uint64_t known_rights(long version)
{
    uint64_t known = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;       /* the thirteen of version 1 */

    if (version >= 2)
        known |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        known |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return known;
}

static bool allow(int ruleset, const struct sandbox_path *p, uint64_t known, struct error *why)
{
    auto_close int fd = open(p->path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = { .parent_fd = fd };
    struct stat st;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ||
               fail_errno(why, E_SYSTEM, "sandbox: %s", p->path);
    if (fstat(fd, &st) != 0)
        return fail_errno(why, E_SYSTEM, "sandbox: %s", p->path);
    rule.allowed_access = (reading | (p->write ? writing : 0)) & known;
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= on_files;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return fail_errno(why, E_SYSTEM, "sandbox: %s", p->path);
    return true;
}

bool sandbox_files(const struct sandbox_path *paths, size_t count, struct error *why)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr attributes = { .handled_access_fs = known_rights(version) };
    auto_close int ruleset = -1;

    if (version < 1)
        return fail_errno(why, E_SYSTEM, "this kernel has no landlock");
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0)
        return fail_errno(why, E_SYSTEM, "landlock");
    for (size_t i = 0; i < count; i++)
        if (!allow(ruleset, &paths[i], attributes.handled_access_fs, why))
            return false;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return fail_errno(why, E_SYSTEM, "landlock");
    return true;
}

static const int never[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount),
    SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(io_uring_setup), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
};
static const int dialling[] = { SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen) };

static bool refuse(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0) < 0)
            return false;
    return true;
}

bool sandbox_calls(bool dial, struct error *why)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool done = filter && refuse(filter, never, sizeof never / sizeof *never) &&
                (dial || refuse(filter, dialling, sizeof dialling / sizeof *dialling)) && seccomp_load(filter) == 0;

    seccomp_release(filter);
    return done || fail(why, E_SYSTEM, "this kernel takes no seccomp filter");
}
