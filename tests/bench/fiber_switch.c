/* What it costs to change stacks, and to make a fiber wait.
 *
 *     fiber_switch        nanoseconds of CPU time each; built once with the assembly, once with swapcontext */
#include "run/context.h"
#include "run/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef FIBER_SWAPCONTEXT
#define HOW "swapcontext"
#else
#define HOW "assembly"
#endif

enum { STACK_SIZE = 64 * 1024, ROUNDS = 1000 * 1000, FIBERS = 100 };

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);      /* others may share the processor */
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void print_line(const char *what, double total_ns, double times)
{
    printf("%-12s %-46s %9.1f ns\n", HOW, what, total_ns / times);
}

/* --- bare switches ------------------------------------------------------ */

static struct context here, there;

static void come_back(void)
{
    for (;;)
        context_switch(&there, &here);
}

static void measure_switch(void)
{
    void *stack = aligned_alloc(16, STACK_SIZE);
    double start;

    context_make(&there, stack, STACK_SIZE, come_back);
    context_switch(&here, &there);
    start = now_ns();
    for (int i = 0; i < ROUNDS; i++)
        context_switch(&here, &there);
    print_line("one switch", now_ns() - start, 2.0 * ROUNDS);
    free(stack);
}

/* --- with the loop's bookkeeping ---------------------------------------- */

static struct fiber *ring[FIBERS];
static long wakes;

/* All are ready all the time: each turn of the loop is full of wakes. */
static void wake_the_next(void *arg)
{
    struct fiber **self = arg, **next = self + 1 < ring + FIBERS ? self + 1 : ring;

    while (fiber_wait(TIME_NEVER) == FIBER_WOKEN && wakes++ < ROUNDS)
        fiber_wake(*next);
}

static void measure_wakes(void)
{
    double start;

    for (int i = 0; i < FIBERS; i++)
        ring[i] = fiber_start("in a ring", wake_the_next, &ring[i]);
    for (int i = 0; i < FIBERS; i++)
        fiber_wake(ring[i]);
    start = now_ns();
    while (wakes < ROUNDS)
        loop_turn(true);
    print_line("a wake, the wait it ends, and the next wait", now_ns() - start, ROUNDS);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void measure_lives(void)
{
    enum { LIVES = 200 * 1000, AT_ONCE = 100 };
    double start = now_ns();

    for (int i = 0; i < LIVES; i += AT_ONCE) {
        for (int j = 0; j < AT_ONCE; j++)
            fiber_start("short-lived", nothing, NULL);
        while (fiber_count() > 0)
            loop_turn(true);
    }
    print_line("a fiber's life, its stack from the pool", now_ns() - start, LIVES);
}

int main(void)
{
    loop_open();
    measure_switch();
    measure_lives();
    measure_wakes();
    return 0;           /* the ring still waits, and goes with the process */
}
