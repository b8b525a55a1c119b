#include "run/fiber.h"

#include "base/memory.h"
#include "tests/run/notes.h"

static struct gate gate;

static void pass_gate(void *mark)
{
    if (gate_wait(&gate, TIME_NEVER) == FIBER_WOKEN)
        note(*(char *)mark);
}

static void pass_gate_in_time(void *mark)
{
    if (gate_wait(&gate, clock_now() + 5) == FIBER_TIMED_OUT)
        note('-');
    else
        note(*(char *)mark);
}

TEST(a_gate_lets_fibers_through_in_order)
{
    struct fiber *b;

    begin();
    CHECK(gate_is_empty(&gate));
    gate_open_one(&gate);       /* nobody: nothing is remembered */
    fiber_start("a", pass_gate, (char[]){ "a" });
    b = fiber_start("b", pass_gate, (char[]){ "b" });
    fiber_start("c", pass_gate, (char[]){ "c" });
    fiber_start("d", pass_gate, (char[]){ "d" });
    loop_turn(true);
    CHECK_TEXT(written, "");
    CHECK(!gate_is_empty(&gate));
    gate_open_one(&gate);
    loop_turn(true);
    CHECK_TEXT(written, "a");
    fiber_cancel(b);
    gate_open_one(&gate);       /* must not be lost on b, which is leaving */
    loop_turn(true);
    CHECK_TEXT(written, "ac");
    fiber_start("e", pass_gate, (char[]){ "e" });
    loop_turn(true);
    gate_open_all(&gate);
    CHECK(gate_is_empty(&gate));
    run_all();
    CHECK_TEXT(written, "acde");
    end();
}

TEST(whoever_tires_of_a_gate_leaves_it_to_the_others)
{
    begin();
    fiber_start("a", pass_gate_in_time, (char[]){ "a" });
    fiber_start("b", pass_gate, (char[]){ "b" });
    fiber_start("c", pass_gate_in_time, (char[]){ "c" });
    while (strlen(written) < 2)
        loop_turn(true);
    CHECK_TEXT(written, "--");
    fiber_start("d", pass_gate, (char[]){ "d" });
    loop_turn(true);
    gate_open_one(&gate);
    gate_open_one(&gate);
    gate_open_one(&gate);
    run_all();
    CHECK_TEXT(written, "--bd");
    CHECK(gate_is_empty(&gate));
    end();
}

static void wait_at_own_gate(void *g)
{
    note_how(gate_wait(g, TIME_NEVER));
}

TEST(a_gate_may_go_once_it_has_been_opened_for_all)
{
    struct gate *g = NEW(struct gate);

    begin();
    fiber_start("a", wait_at_own_gate, g);
    fiber_start("b", wait_at_own_gate, g);
    loop_turn(true);
    gate_open_all(g);
    free(g);
    run_all();
    CHECK_TEXT(written, "ww");
    end();
}
