/* tests/run/forked.h - run a piece of a test in a child process.
 *
 * CHECK must not be used there: it would go on with the next test, in the
 * child. The piece says with its result whether all was well. */
#ifndef TESTS_RUN_FORKED_H
#define TESTS_RUN_FORKED_H

#include "run/process.h"
#include "tests/test.h"

#include <sys/wait.h>

enum { CHILD_WELL = 0, CHILD_ILL = 33 };

static inline pid_t forked(bool (*run)(void *arg), void *arg)
{
    struct error why;
    pid_t child = process_fork(&why);

    if (child == 0)
        _exit(run(arg) ? CHILD_WELL : CHILD_ILL);
    CHECK(child > 0);
    return child;
}

/* The status of waitpid. */
static inline int forked_ended(pid_t child)
{
    int status = -1;

    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static inline bool forked_was_well(pid_t child)
{
    int status = forked_ended(child);

    return WIFEXITED(status) && WEXITSTATUS(status) == CHILD_WELL;
}

#endif
