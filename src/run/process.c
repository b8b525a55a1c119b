#include "run/process.h"

#include "base/memory.h"
#include "run/loop.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* --- accounts and rights ------------------------------------------------ */

bool account_find(const char *name, struct account *out, struct error *why)
{
    enum { SMALL = 4 * 1024, LARGE = 1024 * 1024 };
    struct passwd entry, *found = NULL;
    auto_free char *text = NULL;
    int failure = ERANGE;

    if (strlen(name) >= sizeof out->name)
        return fail(why, E_USAGE, "account name of %zu bytes", strlen(name));
    for (size_t size = SMALL; failure == ERANGE && size <= LARGE; size *= 4) {
        text = memory_grow(text, size, 1);
        failure = getpwnam_r(name, &entry, text, size, &found);
    }
    /* Services of the name switch say "not there" with different errors. */
    if (!found && (failure == 0 || failure == ENOENT || failure == ESRCH))
        return fail(why, E_NOT_FOUND, "there is no account \"%s\"", name);
    if (!found) {
        errno = failure;
        return fail_errno(why, E_SYSTEM, "account \"%s\"", name);
    }
    *out = (struct account){ .uid = entry.pw_uid, .gid = entry.pw_gid };
    memcpy(out->name, name, strlen(name) + 1);
    return true;
}

static bool become(const struct account *account, struct error *why)
{
    uid_t uid[3];
    gid_t gid[3];

    if (!account)
        return fail(why, E_USAGE, "root must be told whom to become");
    if (account->uid == 0)
        return fail(why, E_USAGE, "account \"%s\" has the rights of root", account->name);
    if (setgroups(0, NULL) != 0 || setresgid(account->gid, account->gid, account->gid) != 0
        || setresuid(account->uid, account->uid, account->uid) != 0)
        return fail_errno(why, E_SYSTEM, "cannot become \"%s\"", account->name);

    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
        return fail_errno(why, E_SYSTEM, "cannot tell who we are");
    for (int i = 0; i < 3; i++)
        if (uid[i] != account->uid || gid[i] != account->gid)
            return fail(why, E_SYSTEM, "became \"%s\" only in part", account->name);
    if (getgroups(0, NULL) != 0)
        return fail(why, E_SYSTEM, "groups of root are left");
    if (setresuid(-1, 0, -1) == 0 || setuid(0) == 0)
        return fail(why, E_SYSTEM, "there is a way back to root");
    return true;
}

bool process_drop_to(const struct account *account, struct error *why)
{
    int signal_of_parent = 0;

    /* Changing the user forgets the signal of process_tie_to_parent. */
    prctl(PR_GET_PDEATHSIG, &signal_of_parent, 0, 0, 0);
    if (geteuid() == 0 && !become(account, why))
        return false;
    if (prctl(PR_SET_PDEATHSIG, signal_of_parent, 0, 0, 0) != 0)
        return fail_errno(why, E_SYSTEM, "cannot be tied to the parent again");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno(why, E_SYSTEM, "cannot renounce new privileges");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail_errno(why, E_SYSTEM, "cannot hide memory from core dumps");
    return true;
}

void process_tie_to_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)        /* it was faster */
        _exit(1);
}

/* --- a fresh child ------------------------------------------------------ */

pid_t process_fork(struct error *why)
{
    sigset_t all, before;
    pid_t child;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    fflush(NULL);                   /* else both would write what is buffered */
    child = fork();
    if (child < 0)
        fail_errno(why, E_SYSTEM, "cannot fork");
    if (child == 0)
        loop_forked();
    sigprocmask(SIG_SETMASK, &before, NULL);
    return child;
}

/* The lowest of `keep` from `from` on; INT_MAX when there is none. */
static int next_kept(const int *keep, size_t count, int from)
{
    int lowest = INT_MAX;

    for (size_t i = 0; i < count; i++)
        if (keep[i] >= from && keep[i] < lowest)
            lowest = keep[i];
    return lowest;
}

static void close_between(int first, int last)
{
    long open_max;

    if (first > last || close_range((unsigned)first, (unsigned)last, 0) == 0)
        return;
    /* A kernel before 5.9, or a sandbox that does not know the call. */
    open_max = sysconf(_SC_OPEN_MAX);
    for (int fd = first; fd <= last && fd < open_max; fd++)
        close(fd);
}

static void close_all_but(const int *keep, size_t count)
{
    int from = STDERR_FILENO + 1;

    for (int kept; (kept = next_kept(keep, count, from)) != INT_MAX; from = kept + 1)
        close_between(from, kept - 1);
    close_between(from, INT_MAX);
}

/* Not those that only our own bugs raise: a sanitizer may be listening. */
static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        switch (number) {
        case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP: case SIGABRT: case SIGSYS:
            break;
        default:
            signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
        }
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- the title ---------------------------------------------------------- */

static struct {
    char *at;           /* where the kernel reads the arguments for ps */
    size_t size;
} title_area;

/* The strings of the arguments and then of the environment lie in a row; the
 * environment moves elsewhere, and all of it is room for a title. */
void process_title_init(int argc, char **argv)
{
    static char **moved;
    char *end = argv[0];
    size_t count = 0;

    if (argc < 1 || title_area.at)
        return;
    for (int i = 0; i < argc; i++)
        if (argv[i] == end)
            end += strlen(argv[i]) + 1;
    while (environ && environ[count])
        count++;
    moved = memory_array(count + 1, sizeof *moved);
    for (size_t i = 0; i < count; i++) {
        if (environ[i] == end)
            end += strlen(environ[i]) + 1;
        moved[i] = memory_text(slice_of(environ[i]));
    }
    environ = moved;
    title_area.at = argv[0];
    title_area.size = (size_t)(end - argv[0]);
}

static void set_title(const char *title)
{
    prctl(PR_SET_NAME, title, 0, 0, 0);
    if (title_area.size == 0)
        return;
    memset(title_area.at, 0, title_area.size);
    memcpy(title_area.at, title, strnlen(title, title_area.size - 1));
}

void process_begin_child(const char *title, const int *keep, size_t keep_count)
{
    close_all_but(keep, keep_count);
    reset_signals();
    set_title(title);
}

/* --- figures ------------------------------------------------------------ */

size_t process_open_files_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = { limit.rlim_max, limit.rlim_max };

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur;
}

const char *process_how_ended(int wait_status, char text[80])
{
    enum { TEXT_SIZE = 80 };

    if (WIFEXITED(wait_status)) {
        snprintf(text, TEXT_SIZE, "exited with status %d", WEXITSTATUS(wait_status));
    } else if (WIFSIGNALED(wait_status)) {
        int number = WTERMSIG(wait_status);

        snprintf(text, TEXT_SIZE, "was killed by signal %d (%s)", number, strsignal(number));
    } else {
        snprintf(text, TEXT_SIZE, "changed to wait status 0x%x", (unsigned)wait_status);
    }
    return text;
}
