/* Commands of the operator's, with real ones. */
#include "run/program.h"

#include "base/buf.h"
#include "base/memory.h"
#include "run/fiber.h"
#include "run/process.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

struct order {
    const char *arguments[8];
    const char *variables[4];
    struct slice input;
    time_ms within;                     /* 20 s */

    struct fiber *fiber;
    bool ended;
    struct program_end end;
    struct error why;
    time_ms took;
};

static int running;

static void run_on_fiber(void *arg)
{
    struct order *o = arg;
    time_ms before = clock_now();
    struct program s = { o->arguments, o->variables, o->input, before + (o->within ? o->within : SECONDS(20)) };

    o->ended = program_run(&s, &o->end, &o->why);
    o->took = clock_now() - before;
    if (--running == 0)
        loop_stop();
}

static void begin(struct order *o)
{
    running++;
    o->fiber = fiber_start("command", run_on_fiber, o);
}

static void run(struct order *o)
{
    loop_open();
    begin(o);
    loop_run();
    loop_close();
}

/* "sh -c", for the tests' own convenience. */
static struct order shell(const char *script)
{
    return (struct order){ .arguments = { "/bin/sh", "-c", script, "sh" } };
}

static int exit_code(struct order o)
{
    run(&o);
    CHECK_OK(o.ended, &o.why);
    CHECK(WIFEXITED(o.end.status));
    return WEXITSTATUS(o.end.status);
}

/* --- how it ends ---------------------------------------------------------------- */

TEST(a_command_ends_with_its_own_status)
{
    CHECK_EQUAL(exit_code((struct order){ .arguments = { "/bin/true" } }), 0);
    CHECK_EQUAL(exit_code((struct order){ .arguments = { "/bin/false" } }), 1);
    CHECK_EQUAL(exit_code(shell("exit 42")), 42);
}

TEST(a_command_may_die_of_a_signal)
{
    struct order o = shell("kill -9 $$");
    char how[80];

    run(&o);
    CHECK(o.ended && WIFSIGNALED(o.end.status));
    CHECK_TEXT(process_how_ended(o.end.status, how), "was killed by signal 9 (Killed)");
}

TEST(what_cannot_be_run_is_an_error)
{
    static const char *const bad[] = { "/nonexistent/command", "/etc/passwd", "/", "" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct order o = { .arguments = { bad[i] } };

        run(&o);
        CHECK(!o.ended && o.why.code == E_USAGE && strstr(o.why.text, "cannot run"));
    }
}

/* --- what it gets ---------------------------------------------------------------- */

TEST(it_reads_what_it_is_given)
{
    CHECK_EQUAL(exit_code((struct order){ .arguments = { "/bin/sh", "-c", "test \"$(cat)\" = '{\"a\": 1}'" },
                                          .input = SLICE("{\"a\": 1}\n") }), 0);
    CHECK_EQUAL(exit_code((struct order){ .arguments = { "/bin/sh", "-c", "test -z \"$(cat)\"" } }), 0);
}

TEST(it_need_not_read_it)
{
    enum { LENGTH = 1024 * 1024 };
    auto_free char *zeros = memory_new(LENGTH);
    struct order o = { .arguments = { "/bin/true" }, .input = { zeros, LENGTH } };

    CHECK_EQUAL(exit_code(o), 0);
    o = shell("test $(wc -c) = 1048576");
    o.input = slice(zeros, LENGTH);
    CHECK_EQUAL(exit_code(o), 0);
}

TEST(no_shell_reads_its_arguments_and_variables)
{
    struct order o = { .arguments = { "/usr/bin/printenv", "POSTERN_WHAT" } };

    o = shell("test \"$1\" = '$(touch /x); `id` \"' && test \"$POSTERN_WHAT\" = '; exit 9 #\n$(id)'");
    o.arguments[4] = "$(touch /x); `id` \"";
    o.variables[0] = "POSTERN_WHAT=; exit 9 #\n$(id)";
    CHECK_EQUAL(exit_code(o), 0);
}

TEST(its_environment_is_clean)
{
    struct order o = shell("test \"$HOME\" = / && test \"$(pwd)\" = / && test \"$A\" = b && test -z \"$SECRET\" && "
                           "test \"$(/usr/bin/env | grep -vc '^\\(PATH\\|HOME\\|PWD\\|SHLVL\\|_\\|OLDPWD\\|A\\)=')\" = 0");

    setenv("SECRET", "x", 1);
    o.variables[0] = "A=b";
    CHECK_EQUAL(exit_code(o), 0);
    unsetenv("SECRET");
}

TEST(it_inherits_no_descriptor)
{
    int fd = open("/dev/null", O_RDONLY);       /* without O_CLOEXEC */
    int high = fcntl(fd, F_DUPFD, 700);

    CHECK(fd >= 0 && high >= 700);
    CHECK_EQUAL(exit_code(shell("i=3; while test $i -lt 1024; do test -e /proc/$$/fd/$i && exit 1; i=$((i + 1)); done; exit 0")), 0);
    close(fd);
    close(high);
}

/* Ours ignores SIGPIPE, as all processes of postern do, and has two blocked here. What is left are 32 and 33, which glibc
 * keeps to itself. */
TEST(it_inherits_no_signal_ignored_or_blocked)
{
    sigset_t some, before;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigaddset(&some, SIGTERM);
    sigprocmask(SIG_BLOCK, &some, &before);
    CHECK_EQUAL(exit_code(shell("grep -q '^SigBlk:.0*$' /proc/self/status && grep -Eq '^SigIgn:.0*(180000000)?$' "
                                "/proc/self/status")), 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
}

/* --- what it says ----------------------------------------------------------------- */

TEST(what_it_complains_of_is_kept_and_the_rest_is_not)
{
    struct order o = shell("echo not this; echo oh dear >&2; exit 3");

    run(&o);
    CHECK_OK(o.ended, &o.why);
    CHECK_TEXT(o.end.said, "oh dear\n");
    o = shell("printf 'a\\0b' >&2");
    run(&o);
    CHECK_TEXT(o.end.said, "a b");
}

TEST(a_flood_is_read_and_thrown_away)
{
    struct order o = shell("head -c 20000000 /dev/zero | tr '\\0' x >&2; exit 5");

    run(&o);
    CHECK_OK(o.ended, &o.why);
    CHECK_EQUAL(WEXITSTATUS(o.end.status), 5);
    CHECK_EQUAL(strlen(o.end.said), PROGRAM_SAID_MAX);
}

static void tick(void *owner)
{
    ++*(int *)owner;
}

/* The loop must go on meanwhile. */
TEST(an_endless_flood_is_cut_off_in_time_and_holds_nobody)
{
    struct order o = { .arguments = { "/bin/sh", "-c", "exec yes >&2" }, .within = 500 };
    struct timer *timer;
    int ticks = 0;

    loop_open();
    timer = timer_new(tick, &ticks);
    timer_set(timer, clock_now() + 250);
    begin(&o);
    loop_run();
    CHECK(!o.ended && o.why.code == E_TIMEOUT && o.took >= 500 && o.took < 3000);
    CHECK(ticks == 1 && strlen(o.end.said) == PROGRAM_SAID_MAX);
    timer_free(timer);
    loop_close();
}

/* --- time ------------------------------------------------------------------------- */

TEST(one_that_takes_too_long_is_told_to_end)
{
    struct order o = { .arguments = { "/bin/sleep", "60" }, .within = 300 };

    run(&o);
    CHECK(!o.ended && o.why.code == E_TIMEOUT && strstr(o.why.text, "/bin/sleep took too long"));
    CHECK(o.took >= 300 && o.took < 1500);
}

TEST(one_that_ignores_it_is_killed)
{
    struct order o = shell("trap '' TERM; echo stubborn >&2; while :; do sleep 1; done");

    o.within = 300;
    run(&o);
    CHECK(!o.ended && o.why.code == E_TIMEOUT && o.took >= 2300 && o.took < 4000);
    CHECK(WIFSIGNALED(o.end.status) && WTERMSIG(o.end.status) == SIGKILL);
    CHECK_TEXT(o.end.said, "stubborn\n");
}

TEST(one_that_ends_in_good_order_when_told_may_do_so)
{
    struct order o = shell("trap 'echo bye >&2; exit 7' TERM; while :; do sleep 0.1; done");

    o.within = 300;
    run(&o);
    CHECK(!o.ended && o.why.code == E_TIMEOUT && o.took < 2000);
    CHECK(WIFEXITED(o.end.status) && WEXITSTATUS(o.end.status) == 7);
    CHECK(strstr(o.end.said, "bye\n"));
}

/* Which of the two that a script leaves behind is killed shows in a file that the other writes. */
TEST(its_children_are_killed_with_it)
{
    char file[] = "/tmp/postern-program-XXXXXX", script[200], said[20] = "";
    int fd = mkstemp(file);
    struct order o;

    CHECK(fd >= 0);
    snprintf(script, sizeof script, "(trap '' TERM; sleep 3; echo alive >%s) & sleep 60", file);
    o = shell(script);
    o.within = 300;
    run(&o);
    CHECK(!o.ended && o.why.code == E_TIMEOUT);
    usleep(3500 * 1000);
    CHECK(pread(fd, said, sizeof said, 0) == 0);
    close(fd);
    unlink(file);
}

/* A daemon that it starts may stay, and keeps nobody waiting though it has our end of stderr. */
TEST(what_it_leaves_behind_when_it_ends_in_time_is_its_own_affair)
{
    struct order o = shell("sleep 2 & exit 0");

    run(&o);
    CHECK(o.ended && o.took < 1500);
}

TEST(a_deadline_that_has_passed_is_one)
{
    struct order o = { .arguments = { "/bin/sleep", "60" }, .within = -1000 };

    run(&o);
    CHECK(!o.ended && o.why.code == E_TIMEOUT && o.took < 1500);
}

/* --- many, and cancelled ------------------------------------------------------------ */

TEST(many_run_at_once)
{
    enum { MANY = 40 };
    struct order *many = memory_array(MANY, sizeof *many);
    char code[MANY][40];

    loop_open();
    for (int i = 0; i < MANY; i++) {
        snprintf(code[i], sizeof code[i], "sleep 0.%d; exit %d", i % 3, i);
        many[i] = shell(code[i]);
        begin(&many[i]);
    }
    loop_run();
    for (int i = 0; i < MANY; i++)
        CHECK(many[i].ended && WIFEXITED(many[i].end.status) && WEXITSTATUS(many[i].end.status) == i);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    free(many);
    loop_close();
}

static void cancel(void *owner)
{
    struct order *o = owner;

    fiber_cancel(o->fiber);
}

static void check_cancelled(struct order o, time_ms after, enum error_code code)
{
    struct timer *timer;

    loop_open();
    begin(&o);
    timer = timer_new(cancel, &o);
    timer_set(timer, clock_now() + after);
    loop_run();
    CHECK(!o.ended && o.why.code == code && o.took < 1500);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    timer_free(timer);
    loop_close();
}

TEST(a_cancelled_fiber_kills_its_command)
{
    struct order stubborn = shell("trap '' TERM; while :; do sleep 1; done");

    check_cancelled((struct order){ .arguments = { "/bin/sleep", "60" } }, 0, E_CANCELLED);
    check_cancelled((struct order){ .arguments = { "/bin/sleep", "60" } }, 200, E_CANCELLED);
    check_cancelled(stubborn, 200, E_CANCELLED);
    stubborn.within = 150;
    check_cancelled(stubborn, 400, E_TIMEOUT);
}

/* As in a process of postern's: what libuv has for signals is gone there. */
TEST(it_works_in_a_fresh_child)
{
    struct error why;
    struct order o = { .arguments = { "/bin/sh", "-c", "exit 6" } };
    pid_t child = process_fork(&why);
    int status = -1;

    if (child == 0) {
        process_begin_child("postern: hooks", NULL, 0);
        run(&o);
        _exit(o.ended && WIFEXITED(o.end.status) ? WEXITSTATUS(o.end.status) : 99);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 6);
}
