/* run/program.h - a command of the operator's, run from the loop.
 *
 * The program is started directly, never by a shell: nothing in its arguments
 * or variables is interpreted. It gets a process group of its own, no signal
 * blocked or ignored, no descriptor of ours but its standard three, "/" as its
 * directory, and an environment of PATH, HOME and what is given. What it
 * writes is thrown away, but for the first of what it says on stderr.
 *
 * Not with uv_spawn, which forks and needs descriptors of libuv's that are
 * closed in a process of process_begin_child. */
#ifndef RUN_PROGRAM_H
#define RUN_PROGRAM_H

#include "base/clock.h"
#include "base/error.h"

struct program {
    const char *const *arguments;   /* the first is the program's path; NULL behind the last */
    const char *const *variables;   /* "POSTERN_EVENT=blocked", besides PATH and HOME; NULL behind the last */
    struct slice input;             /* its standard input */
    time_ms deadline;               /* clock_now; then it gets TERM, and two seconds later its whole group KILL */
};

enum { PROGRAM_SAID_MAX = 500 };
struct program_end {
    int status;                     /* as of wait(2); process_how_ended has words for it */
    char said[PROGRAM_SAID_MAX + 1];  /* the first line or lines of its stderr, as it came, NULs as blanks */
};

/* Waits. True when it ended by itself in time, however it did. E_USAGE: there is no such program, or
 * nothing that can be run; E_SYSTEM: it could not be started now; E_TIMEOUT; E_CANCELLED: the fiber was, and the command's
 * group is killed. After these two `end->said` is filled too. */
bool program_run(const struct program *s, struct program_end *end, struct error *why) must_check;

#endif
