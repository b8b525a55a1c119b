#include "run/program.h"

#include "base/memory.h"
#include "run/fiber.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    GRACE_MS = 2000,        /* between TERM and KILL */
    READ_MOST = 64 * 1024,  /* of stderr in one turn: a flood must not hold the loop */
};

/* A command that runs, on the stack of the fiber that waits for it. */
struct command {
    pid_t pid;              /* and its group's */
    int said_fd;            /* our end of its stderr; -1: it ended */
    struct watch *watch;
    struct fiber *fiber;
    struct program_end *end;
    size_t said;
    struct command *next;
};

/* --- who waits for a child ------------------------------------------------------ */

static struct {
    struct command *all;
    struct signal_watch *watch;
} commands;

static void child_ended(void *owner, int signal_number)
{
    for (struct command *c = commands.all; c; c = c->next)
        fiber_wake(c->fiber);
}

static void enlist(struct command *c)
{
    if (!commands.all)
        commands.watch = signal_watch_new(SIGCHLD, child_ended, NULL);
    c->next = commands.all;
    commands.all = c;
}

static void delist(struct command *c)
{
    struct command **at = &commands.all;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (!commands.all)
        signal_watch_free(commands.watch);
}

/* It stays a zombie: while it is one, nobody else gets its number. */
static bool has_ended(const struct command *c)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == c->pid;
}

static void reap(void *arg)
{
    struct command *c = arg;

    while (waitpid(c->pid, &c->end->status, 0) < 0 && errno == EINTR)
        ;
}

/* --- what it says --------------------------------------------------------------- */

static void keep(struct command *c, const char *piece, size_t len)
{
    for (size_t i = 0; i < len && c->said < PROGRAM_SAID_MAX; i++)
        c->end->said[c->said++] = piece[i] ? piece[i] : ' ';
}

static void listen_to(void *owner, int events)
{
    struct command *c = owner;
    char piece[4096];
    ssize_t got = 1;

    for (size_t taken = 0; got > 0 && taken < READ_MOST; taken += sizeof piece) {
        got = read(c->said_fd, piece, sizeof piece);
        if (got > 0)
            keep(c, piece, (size_t)got);
    }
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        watch_set(c->watch, 0);
}

/* --- starting ------------------------------------------------------------------- */

/* What it is to read is a file, so that it may read it when and as far as it likes. */
static int make_input(struct slice input, struct error *why)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, input.at, input.len) == (ssize_t)input.len && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    fail_errno(why, E_SYSTEM, "no file for the command's input");
    if (fd >= 0)
        close(fd);
    return -1;
}

static char **make_environment(const char *const *variables)
{
    static const char *const fixed[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/" };
    char **environment;
    size_t count = 0, n = 0;

    while (variables && variables[count])
        count++;
    environment = memory_array(count + 3, sizeof *environment);
    for (size_t i = 0; i < 2; i++)
        environment[n++] = memory_text(slice_of(fixed[i]));
    for (size_t i = 0; i < count; i++)
        environment[n++] = memory_text(slice_of(variables[i]));
    return environment;
}

static void free_environment(char **environment)
{
    for (size_t i = 0; environment[i]; i++)
        free(environment[i]);
    free(environment);
}

static int set_files(posix_spawn_file_actions_t *files, int input, int said)
{
    int failure = posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);

    if (!failure)
        failure = posix_spawn_file_actions_adddup2(files, said, STDERR_FILENO);
    if (!failure)
        failure = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!failure)
        failure = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    return failure ? failure : posix_spawn_file_actions_addchdir_np(files, "/");
}

static int set_manners(posix_spawnattr_t *manners)
{
    sigset_t none, all;
    int failure = posix_spawnattr_setflags(manners, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    sigemptyset(&none);
    sigfillset(&all);
    if (!failure)
        failure = posix_spawnattr_setpgroup(manners, 0);
    if (!failure)
        failure = posix_spawnattr_setsigmask(manners, &none);
    return failure ? failure : posix_spawnattr_setsigdefault(manners, &all);
}

/* Returns what errno would be. */
static int start(const struct program *s, int input, int said, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t manners;
    char **environment = make_environment(s->variables);
    int failure;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&manners);
    failure = set_files(&files, input, said);
    if (!failure)
        failure = set_manners(&manners);
    if (!failure)
        failure = posix_spawn(pid, s->arguments[0], &files, &manners, (char *const *)s->arguments, environment);
    posix_spawnattr_destroy(&manners);
    posix_spawn_file_actions_destroy(&files);
    free_environment(environment);
    return failure;
}

/* Is it the path that is wrong, today and tomorrow? */
static enum error_code meaning_of(int failure)
{
    static const int lasting[] = { ENOENT, ENOTDIR, EACCES, ENOEXEC, ELOOP, ENAMETOOLONG };

    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        if (failure == lasting[i])
            return E_USAGE;
    return E_SYSTEM;
}

static bool begin(struct command *c, const struct program *s, struct error *why)
{
    auto_close int input = make_input(s->input, why);
    int pipes[2];

    if (input < 0)
        return false;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return fail_errno(why, E_SYSTEM, "no pipe for what a command says");
    errno = start(s, input, pipes[1], &c->pid);
    close(pipes[1]);
    if (errno) {
        fail_errno(why, meaning_of(errno), "cannot run %s", s->arguments[0]);
        close(pipes[0]);
        return false;
    }
    c->said_fd = pipes[0];
    fcntl(c->said_fd, F_SETFL, O_NONBLOCK);
    return true;
}

/* --- from the beginning to the end ------------------------------------------------ */

static enum wake wait_until(struct command *c, time_ms deadline)
{
    enum wake wake = FIBER_WOKEN;

    while (wake == FIBER_WOKEN && !has_ended(c))
        wake = fiber_wait(deadline);
    return wake == FIBER_TIMED_OUT && has_ended(c) ? FIBER_WOKEN : wake;
}

/* TERM for the group, and, when the command is gone or takes its time, KILL for what is left of it. */
static void end_group(struct command *c, enum wake wake)
{
    if (wake == FIBER_TIMED_OUT) {
        kill(-c->pid, SIGTERM);
        (void)wait_until(c, clock_now() + GRACE_MS);
    }
    kill(-c->pid, SIGKILL);
}

bool program_run(const struct program *s, struct program_end *end, struct error *why)
{
    struct command c = { .fiber = fiber_current(), .end = end };
    enum wake wake;

    *end = (struct program_end){ 0 };
    if (!begin(&c, s, why))
        return false;
    enlist(&c);
    c.watch = watch_new(c.said_fd, listen_to, &c);
    watch_set(c.watch, WATCH_READ);
    wake = wait_until(&c, s->deadline);
    if (wake != FIBER_WOKEN)
        end_group(&c, wake);
    if (has_ended(&c))
        reap(&c);
    else
        fiber_work(reap, &c);       /* it was killed, but the kernel may take its time */
    listen_to(&c, WATCH_READ);
    watch_free(c.watch);
    close(c.said_fd);
    delist(&c);
    if (wake == FIBER_CANCELLED)
        return fail(why, E_CANCELLED, "%s was killed: nobody waits for it any more", s->arguments[0]);
    return wake != FIBER_TIMED_OUT || fail(why, E_TIMEOUT, "%s took too long and was killed", s->arguments[0]);
}
