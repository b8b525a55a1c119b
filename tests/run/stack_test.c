/* The stacks under the fibers, and what a switch keeps. Built twice, as fiber_test.c. */
#include "run/fiber.h"

#include "run/annotate.h"
#include "tests/run/forked.h"

#include <fenv.h>
#include <sys/resource.h>

#ifndef FIBER_DEPTH
#define FIBER_DEPTH 0
#endif

static void run_all(void)
{
    while (fiber_count() > 0)
        loop_turn(true);
}

/* --- what a switch keeps ------------------------------------------------ */

struct sums {
    uint64_t start, whole;
    double real;
    bool aligned;
};

static void add_up(void *arg)
{
    struct sums *s = arg;
    _Alignas(16) volatile char aligned[16];
    uint64_t a = s->start, b = a * 3, c = a ^ 0x5555, d = a + 7, e = ~a, f = a << 9;
    double x = (double)a, y = x / 3;

    aligned[0] = 0;
    s->aligned = (uintptr_t)aligned % 16 == 0;
    for (int i = 0; i < 100; i++) {     /* more values than registers that a call preserves */
        a += b;
        b ^= c + d;
        c += e;
        d = d * 31 + f;
        e -= a;
        f += b ^ d;
        x += y;
        y = y * 1.01 + (double)(a & 0xff);
        if (s->whole != UINT64_MAX)
            (void)fiber_sleep_until(0);
    }
    s->whole = a ^ b ^ c ^ d ^ e ^ f;
    s->real = x + y;
}

TEST(values_in_registers_survive_the_waits_of_others)
{
    enum { COUNT = 20 };
    struct sums got[COUNT];

    loop_open();
    for (int i = 0; i < COUNT; i++) {
        got[i] = (struct sums){ .start = (uint64_t)i * 0x9e3779b97f4a7c15 };
        fiber_start("adds", add_up, &got[i]);
    }
    run_all();
    for (int i = 0; i < COUNT; i++) {
        struct sums wanted = { .start = got[i].start, .whole = UINT64_MAX };    /* without a fiber */

        add_up(&wanted);
        CHECK(got[i].whole == wanted.whole);
        CHECK(got[i].real == wanted.real);
        CHECK(got[i].aligned);
    }
    loop_close();
}

#ifdef __x86_64__

static int rounding_seen[2];

static void round_up(void *unused)
{
    fesetround(FE_UPWARD);
    (void)fiber_sleep_until(0);
    rounding_seen[0] = fegetround();
}

static void look_at_rounding(void *unused)
{
    rounding_seen[1] = fegetround();
    (void)fiber_sleep_until(0);
}

TEST(the_way_of_rounding_belongs_to_a_fiber)
{
    loop_open();
    fiber_start("rounds up", round_up, NULL);
    fiber_start("looks", look_at_rounding, NULL);
    run_all();
    CHECK_EQUAL(rounding_seen[0], FE_UPWARD);
    CHECK_EQUAL(rounding_seen[1], FE_TONEAREST);
    CHECK_EQUAL(fegetround(), FE_TONEAREST);
    loop_close();
}

#endif

/* --- depth -------------------------------------------------------------- */

enum { FRAME = 1024 };

/* Uses about `frames` KiB of stack; the sum keeps compilers from doing without. */
__attribute__((noinline)) static int recurse(int frames)
{
    volatile char room[FRAME];

    for (int i = 0; i < FRAME; i++)
        room[i] = (char)frames;
    return frames > 1 ? recurse(frames - 1) + room[frames % FRAME] : room[0];
}

static volatile int result;

static void recurse_deep(void *arg)
{
    result = recurse(*(int *)arg);
}

TEST(deep_recursion_fits_and_is_measured_where_depth_is)
{
    int frames = 40;

    loop_open();
    fiber_start("recurses", recurse_deep, &frames);
    run_all();
    if (fiber_deepest() > 0 || (FIBER_DEPTH && !RUNNING_ON_VALGRIND)) {
        CHECK(fiber_deepest() >= 40 * FRAME);
        CHECK(fiber_deepest() <= 128 * 1024);
    }
    loop_close();
}

static bool overflows(void *frames)
{
    const struct rlimit no_core = { 0, 0 };

    setrlimit(RLIMIT_CORE, &no_core);
    if (!freopen("/dev/null", "w", stderr))     /* a sanitizer says a lot here */
        return false;
    loop_open();
    fiber_start("recurses", recurse_deep, frames);
    run_all();
    return true;
}

TEST(running_off_a_stack_kills_the_process)
{
    int frames = 300, status = forked_ended(forked(overflows, &frames));

    CHECK(!WIFEXITED(status) || (WEXITSTATUS(status) != CHILD_WELL && WEXITSTATUS(status) != CHILD_ILL));
}

/* --- the pool ----------------------------------------------------------- */

static uintptr_t stacks_seen[4];
static int stacks_len;

static void look_at_stack(void *unused)
{
    char here;

    stacks_seen[stacks_len++ % 4] = (uintptr_t)&here & ~(uintptr_t)0xffff;
    (void)fiber_sleep_until(TIME_NEVER);
}

static void nothing(void *unused)
{
}

static void where_am_i(void *place)
{
    *(uintptr_t *)place = (uintptr_t)__builtin_frame_address(0);
}

TEST(a_stack_is_used_again)
{
    uintptr_t first = 0, second = 0;

    loop_open();
    fiber_start("first", where_am_i, &first);
    run_all();
    fiber_start("second", where_am_i, &second);
    run_all();
    CHECK(first != 0 && first == second);
    loop_close();
}

TEST(fibers_that_live_at_the_same_time_have_different_stacks)
{
    struct fiber *a, *b;

    loop_open();
    stacks_len = 0;
    a = fiber_start("a", look_at_stack, NULL);
    b = fiber_start("b", look_at_stack, NULL);
    loop_turn(true);
    CHECK_EQUAL(stacks_len, 2);
    CHECK(stacks_seen[0] != stacks_seen[1]);
    fiber_cancel(a);
    fiber_cancel(b);
    run_all();
    loop_close();
}

static size_t mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t lines = 0;

    CHECK(maps);
    for (int c; (c = getc(maps)) != EOF;)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

TEST(the_pool_is_bounded_and_empty_after_loop_close)
{
    size_t before, pooled, after;

    loop_open();
    before = mappings();
    for (int i = 0; i < 2000; i++)
        fiber_start("one of many", nothing, NULL);
    run_all();
    pooled = mappings();
    loop_close();
    after = mappings();
    CHECK(pooled < before + 2 * 256 + 300);
    CHECK(after < before + 300);
}
