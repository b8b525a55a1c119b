#include "run/process.h"

#include "base/memory.h"
#include "run/loop.h"
#include "tests/run/forked.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* --- accounts ----------------------------------------------------------- */

TEST(an_account_is_found_by_its_name)
{
    struct passwd *me = getpwuid(getuid());
    struct account account;
    struct error why;

    CHECK(me);
    CHECK_OK(account_find(me->pw_name, &account, &why), &why);
    CHECK_EQUAL(account.uid, getuid());
    CHECK_EQUAL(account.gid, me->pw_gid);
    CHECK_TEXT(account.name, me->pw_name);
}

TEST(an_account_that_is_not_there_is_named_in_the_error)
{
    struct account account = { .uid = 77 };
    struct error why;

    CHECK(!account_find("no-such-account", &account, &why));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    CHECK(strstr(why.text, "no-such-account"));
    CHECK_EQUAL(account.uid, 77);
    CHECK(!account_find("", &account, &why));
    CHECK(!account_find("0123456789012345678901234567890123456789012345678901234567890123", &account, &why));
    CHECK_EQUAL(why.code, E_USAGE);
}

/* --- giving up rights --------------------------------------------------- */

static bool cannot_go_back(void)
{
    return setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0 && setgroups(0, NULL) != 0
        && setresuid(-1, 0, -1) != 0;
}

static bool drops_all(void *arg)
{
    const struct account *account = arg;
    uid_t uid[3];
    gid_t gid[3], groups[8] = { 0, 1, 2 };
    struct error why;
    int on_death = 0;

    if (setgroups(3, groups) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return false;
    if (!process_drop_to(account, &why))
        return false;
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uid[i] != account->uid || gid[i] != account->gid)
            return false;
    prctl(PR_GET_PDEATHSIG, &on_death, 0, 0, 0);
    return getgroups(8, groups) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
        && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && on_death == SIGKILL && cannot_go_back();
}

static bool skipped_without_root(void)
{
    if (geteuid() != 0)
        print_message("not root: nothing to give up\n");
    return geteuid() != 0;
}

TEST(root_becomes_somebody_else_for_good)
{
    struct account nobody;
    struct error why;

    if (skipped_without_root())
        return;
    CHECK_OK(account_find("nobody", &nobody, &why), &why);
    CHECK(forked_was_well(forked(drops_all, &nobody)));
}

static bool refuses_root(void *unused)
{
    const struct account root = { 0, 0, "root" };
    struct error why;

    return !process_drop_to(&root, &why) && why.code == E_USAGE
        && !process_drop_to(NULL, &why) && why.code == E_USAGE;
}

TEST(becoming_root_gives_nothing_up_and_is_refused)
{
    if (skipped_without_root())
        return;
    CHECK(forked_was_well(forked(refuses_root, NULL)));
}

static bool renounces_privileges_only(void *arg)
{
    const struct account nobody = { 65534, 65534, "nobody" };
    struct account somebody = { 1234, 1234, "somebody" };
    struct error why;

    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(1234, 1234, 1234) != 0
                           || setresuid(1234, 1234, 1234) != 0))
        return false;
    somebody.uid = getuid();
    return process_drop_to(&nobody, &why) && process_drop_to(NULL, &why) && getuid() == somebody.uid
        && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

TEST(who_is_not_root_stays_who_it_is)
{
    CHECK(forked_was_well(forked(renounces_privileges_only, NULL)));
}

/* --- a fresh child ------------------------------------------------------ */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool keeps_what_it_should(void *unused)
{
    int low = open("/dev/null", O_RDONLY), middle = dup2(low, 100), high = dup2(low, 700);
    const int keep[] = { high, -1, middle, 5000, high };

    if (low < 0 || middle < 0 || high < 0 || dup2(low, 99) < 0 || dup2(low, 101) < 0 || dup2(low, 701) < 0)
        return false;
    process_begin_child("postern: test 1", keep, sizeof keep / sizeof *keep);
    if (!is_open(0) || !is_open(1) || !is_open(2) || !is_open(100) || !is_open(700))
        return false;
    for (int fd = 3; fd < 1000; fd++)
        if (fd != 100 && fd != 700 && is_open(fd))
            return false;
    return true;
}

TEST(a_fresh_child_keeps_only_the_descriptors_it_is_told)
{
    CHECK(forked_was_well(forked(keeps_what_it_should, NULL)));
}

static bool keeps_none(void *unused)
{
    process_begin_child("postern: test 2", NULL, 0);
    for (int fd = 3; fd < 100; fd++)
        if (is_open(fd))
            return false;
    return is_open(2);
}

TEST(a_fresh_child_may_keep_none)
{
    CHECK(forked_was_well(forked(keeps_none, NULL)));
}

static void never(int number)
{
}

static bool forgets_signals(void *unused)
{
    struct sigaction now;
    sigset_t mask;

    process_begin_child("postern: test 3", NULL, 0);
    if (sigaction(SIGTERM, NULL, &now) != 0 || now.sa_handler != SIG_DFL)
        return false;
    if (sigaction(SIGHUP, NULL, &now) != 0 || now.sa_handler != SIG_DFL)
        return false;
    if (sigaction(SIGPIPE, NULL, &now) != 0 || now.sa_handler != SIG_IGN)
        return false;
    return sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR2);
}

TEST(a_fresh_child_forgets_how_its_parent_took_signals)
{
    sigset_t blocked;
    pid_t child;

    signal(SIGTERM, never);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    child = forked(forgets_signals, NULL);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    CHECK(forked_was_well(child));
}

static void signal_seen(void *owner, int number)
{
    *(bool *)owner = true;
}

static void fire(void *owner)
{
    *(bool *)owner = true;
}

static bool has_a_working_loop(void *unused)
{
    bool signalled = false, fired = false, worked = false;
    struct signal_watch *s;
    struct timer *t;

    process_begin_child("postern: test 4", NULL, 0);
    loop_open();
    s = signal_watch_new(SIGTERM, signal_seen, &signalled);
    t = timer_new(fire, &fired);
    timer_set(t, clock_now() + 5);
    loop_work(fire, fire, &worked);
    raise(SIGTERM);
    while (!signalled || !fired || !worked)
        loop_turn(true);
    signal_watch_free(s);
    timer_free(t);
    loop_close();
    return true;
}

TEST(a_fresh_child_of_a_process_with_a_loop_opens_its_own)
{
    bool unused = false;
    struct signal_watch *s;

    loop_open();
    s = signal_watch_new(SIGTERM, signal_seen, &unused);
    CHECK(forked_was_well(forked(has_a_working_loop, NULL)));
    loop_turn(false);
    CHECK(!unused);
    signal_watch_free(s);
    loop_close();
}

/* --- the title ---------------------------------------------------------- */

static size_t read_file(const char *path, char *text, size_t size)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* A copy of what a kernel lays out: arguments, then the environment. */
static char area[] = "postern\0serve\0A=1\0LONG=a long value for more room";

static bool shows_its_title(void *unused)
{
    char *argv[] = { area, area + 8, NULL }, *env[] = { area + 14, area + 18, NULL };
    char shown[64];

    environ = env;
    process_title_init(2, argv);
    process_begin_child("postern: inbound 1", NULL, 0);
    read_file("/proc/self/comm", shown, sizeof shown);
    if (strcmp(shown, "postern: inboun\n") != 0)        /* the kernel keeps 15 */
        return false;
    return strcmp(area, "postern: inbound 1") == 0 && area[sizeof area - 2] == '\0'
        && strcmp(getenv("A"), "1") == 0 && strcmp(getenv("LONG"), "a long value for more room") == 0;
}

TEST(a_title_takes_the_place_of_the_arguments)
{
    CHECK(forked_was_well(forked(shows_its_title, NULL)));
}

static bool cuts_its_title(void *unused)
{
    static char small[] = "pos\0-v\0kept";
    char *argv[] = { small, small + 4, NULL }, *env[] = { NULL };

    environ = env;
    process_title_init(2, argv);
    process_begin_child("postern: inbound 1", NULL, 0);
    return memcmp(small, "poster\0kept", 12) == 0;
}

TEST(a_title_never_leaves_its_place)
{
    CHECK(forked_was_well(forked(cuts_its_title, NULL)));
}

/* --- the parent --------------------------------------------------------- */

static int alive_pipe[2];

static bool leaves_a_tied_child(void *unused)
{
    pid_t self = getpid(), child = fork();
    char byte;

    if (child == 0) {
        close(alive_pipe[0]);
        process_tie_to_parent(self);
        if (write(alive_pipe[1], "x", 1) != 1)
            _exit(1);
        sleep(60);
        _exit(0);
    }
    return child > 0 && read(alive_pipe[0], &byte, 1) == 1;     /* it is tied; now leave it */
}

TEST(a_tied_child_dies_with_its_parent)
{
    char byte;

    CHECK(pipe(alive_pipe) == 0);
    CHECK(forked_was_well(forked(leaves_a_tied_child, NULL)));
    close(alive_pipe[1]);
    CHECK(read(alive_pipe[0], &byte, 1) == 0);      /* the grandchild's end is closed too */
    close(alive_pipe[0]);
}

static bool has_another_parent(void *unused)
{
    process_tie_to_parent(getpid());
    return true;                                    /* not reached */
}

TEST(a_child_whose_parent_is_gone_already_exits)
{
    int status = forked_ended(forked(has_another_parent, NULL));

    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* --- figures ------------------------------------------------------------ */

static bool raises_limit(void *unused)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    limit.rlim_cur = 64;
    limit.rlim_max = 512;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || process_open_files_limit() != 512)
        return false;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 512 && process_open_files_limit() == 512;
}

TEST(the_limit_of_open_files_goes_up_to_the_hard_one)
{
    CHECK(forked_was_well(forked(raises_limit, NULL)));
}

static bool kills_itself(void *unused)
{
    raise(SIGKILL);
    return true;
}

static bool goes_well(void *unused)
{
    return true;
}

TEST(how_a_process_ended_is_told_in_words)
{
    char text[80];

    CHECK_TEXT(process_how_ended(forked_ended(forked(goes_well, NULL)), text), "exited with status 0");
    CHECK_TEXT(process_how_ended(3 << 8, text), "exited with status 3");
    CHECK_TEXT(process_how_ended(forked_ended(forked(kills_itself, NULL)), text), "was killed by signal 9 (Killed)");
    CHECK(strstr(process_how_ended(SIGRTMAX, text), "was killed by signal"));
    CHECK(strstr(process_how_ended(0x137f, text), "0x137f"));
}
