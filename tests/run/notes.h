/* tests/run/notes.h - what happened in which order, as a line of letters. */
#ifndef TESTS_RUN_NOTES_H
#define TESTS_RUN_NOTES_H

#include "run/fiber.h"
#include "tests/test.h"

static char written[64];

static inline void note(char mark)
{
    size_t len = strlen(written);

    if (len + 1 < sizeof written) {
        written[len] = mark;
        written[len + 1] = '\0';
    }
}

static inline void begin(void)
{
    loop_open();
    written[0] = '\0';
}

static inline void run_all(void)
{
    while (fiber_count() > 0)
        loop_turn(true);
}

static inline void end(void)
{
    run_all();
    loop_close();
}

/* How a wait ended, as a letter. */
static inline void note_how(enum wake how)
{
    note("wtc"[how]);
}

#endif
