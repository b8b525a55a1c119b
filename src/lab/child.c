#include "lab/child.h"

#include "base/memory.h"
#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE_MS = 3000 };    /* for a program that was asked to end */

bool child_find(const char *program, const char *package, char path[256], struct error *why)
{
    const char *from_environment = getenv("PATH");
    char places[4096];
    struct slice rest;

    snprintf(places, sizeof places, "%s:/usr/sbin:/sbin", from_environment ? from_environment : "/usr/bin:/bin");
    rest = slice_of(places);
    while (!slice_empty(rest)) {
        struct slice place = slice_cut(&rest, ':');

        snprintf(path, 256, "%.*s/%s", SLICE_ARGS(place), program);
        if (access(path, X_OK) == 0)
            return true;
    }
    return fail(why, E_SYSTEM, "there is no program %s; install Debian's package %s", program, package);
}

static void become(const char *const *argv, int said, int log, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    signal(SIGPIPE, SIG_DFL);
    if (getppid() == parent && dup2(said, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
        execv(argv[0], (char *const *)argv);
    _exit(127);
}

pid_t child_start(const char *const *argv, const char *said, const char *log, struct error *why)
{
    auto_close int said_fd = open(said, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    auto_close int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    pid_t parent = getpid(), child;

    if (said_fd < 0 || log_fd < 0) {
        fail_errno(why, E_SYSTEM, "cannot write %s", said_fd < 0 ? said : log);
        return -1;
    }
    child = process_fork(why);
    if (child == 0)
        become(argv, said_fd, log_fd, parent);
    return child;
}

bool child_wait(pid_t child, const char *name, const char *log, struct error *why)
{
    char how[80];
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return fail_errno(why, E_SYSTEM, "cannot wait for %s", name);
    }
    if (status != 0)
        return fail(why, E_SYSTEM, "%s %s; see %s", name, process_how_ended(status, how), log);
    return true;
}

void child_stop(pid_t child)
{
    static const struct timespec moment = { 0, 10 * 1000 * 1000 };

    if (child <= 0 || kill(child, SIGTERM) != 0)
        return;
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        if (waitpid(child, NULL, WNOHANG) != 0)
            return;
        nanosleep(&moment, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
