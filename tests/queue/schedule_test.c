#include "queue/schedule.h"

#include "base/memory.h"
#include "tests/test.h"

/* The destination's slot does not matter where there is one. */
static struct delivery *add(struct schedule *s, const char *destination, time_ms due)
{
    struct delivery *d = schedule_delivery(s, destination);

    schedule_at(s, d, due);
    return d;
}

TEST(deliveries_come_when_they_are_due_and_the_earliest_first)
{
    struct schedule *s = schedule_new(1, 100);
    struct delivery *late = add(s, "x", 300), *early = add(s, "x", 100), *middle = add(s, "x", 200);

    CHECK_EQUAL(schedule_next(s), 100);
    CHECK(schedule_take(s, 99, 0) == NULL);
    CHECK(schedule_take(s, 100, 0) == early);
    CHECK(schedule_take(s, 100, 0) == NULL);
    CHECK_EQUAL(schedule_next(s), 200);
    CHECK(schedule_take(s, 1000, 0) == middle);
    CHECK_EQUAL(schedule_next(s), 0);           /* the other one is in line */
    CHECK(schedule_take(s, 1000, 0) == late);
    CHECK_EQUAL(schedule_next(s), TIME_NEVER);
    schedule_forget(s, late);
    schedule_forget(s, early);
    schedule_forget(s, middle);
    schedule_free(s);
}

TEST(destinations_take_turns)
{
    struct schedule *s = schedule_new(1, 100);
    struct delivery *d[12];
    const char *wanted = "abababaaaaaa";
    char got[13] = "";

    for (int i = 0; i < 9; i++)
        d[i] = add(s, "a", 0);
    for (int i = 9; i < 12; i++)
        d[i] = add(s, "b", 0);
    for (int i = 0; i < 12; i++)
        got[i] = schedule_destination(schedule_take(s, 1, 0))[0];
    CHECK_TEXT(got, wanted);
    for (int i = 0; i < 12; i++)
        schedule_forget(s, d[i]);
    schedule_free(s);
}

TEST(no_destination_has_more_out_than_allowed)
{
    struct schedule *s = schedule_new(1, 2);
    struct delivery *d[4], *other, *taken;

    for (int i = 0; i < 4; i++)
        d[i] = add(s, "a", 0);
    other = add(s, "b", 0);
    CHECK(schedule_take(s, 1, 0) == d[0]);
    CHECK(schedule_take(s, 1, 0) == other);
    CHECK(schedule_take(s, 1, 0) == d[1]);
    CHECK(schedule_take(s, 1, 0) == NULL);      /* two are out */
    CHECK_EQUAL(schedule_next(s), TIME_NEVER);  /* nothing comes by waiting alone */
    CHECK_EQUAL(schedule_ready(s), 2);
    schedule_forget(s, d[0]);
    CHECK_EQUAL(schedule_next(s), 0);
    taken = schedule_take(s, 1, 0);
    CHECK(taken == d[2]);
    schedule_at(s, d[1], 50);                   /* deferred: makes room as well */
    CHECK(schedule_take(s, 1, 0) == d[3]);
    for (int i = 1; i < 4; i++)
        schedule_forget(s, d[i]);
    schedule_forget(s, other);
    schedule_free(s);
}

TEST(a_destination_always_has_the_same_slot)
{
    enum { SLOTS = 4, COUNT = 64 };
    struct schedule *s = schedule_new(SLOTS, 1000);
    struct delivery *d;
    int slot_of[COUNT], used[SLOTS] = { 0 };

    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < COUNT; i++) {
            char name[16];

            snprintf(name, sizeof name, "%d", i);
            add(s, name, 10);
        }
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            while ((d = schedule_take(s, 10, slot))) {
                int name = atoi(schedule_destination(d));

                if (again)
                    CHECK_EQUAL(slot_of[name], slot);
                slot_of[name] = (int)slot;
                used[slot]++;
                schedule_forget(s, d);
            }
        }
    }
    for (int slot = 0; slot < SLOTS; slot++)
        CHECK(used[slot] > 0);
    schedule_free(s);
}

TEST(what_is_held_is_not_taken)
{
    struct schedule *s = schedule_new(1, 10);
    struct delivery *waiting = add(s, "a", 100), *ready = add(s, "a", 0);

    schedule_hold(s, waiting);
    schedule_hold(s, ready);
    CHECK(schedule_take(s, 1000, 0) == NULL);
    CHECK_EQUAL(schedule_next(s), TIME_NEVER);
    schedule_at(s, ready, 5);
    CHECK(schedule_take(s, 5, 0) == ready);
    schedule_forget(s, waiting);
    schedule_forget(s, ready);
    schedule_free(s);
}

TEST(a_delivery_can_be_claimed_out_of_turn)
{
    struct schedule *s = schedule_new(1, 1);
    struct delivery *first = add(s, "a", 0), *second = add(s, "a", 1000000);

    schedule_claim(s, second);
    CHECK(schedule_take(s, 1, 0) == NULL);      /* it counts as out */
    schedule_forget(s, second);
    CHECK(schedule_take(s, 1, 0) == first);
    schedule_forget(s, first);
    schedule_free(s);
}

static uint32_t pseudo(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Against a list that is searched from end to end. */
TEST(any_mixture_of_changes_keeps_the_order)
{
    enum { COUNT = 300 };
    struct schedule *s = schedule_new(1, COUNT);
    struct delivery *d[COUNT];
    uint32_t random = 1;

    for (int i = 0; i < COUNT; i++)
        d[i] = add(s, "one", 1 + pseudo(&random) % 1000);
    for (int i = 0; i < 2000; i++) {
        struct delivery *one = d[pseudo(&random) % COUNT];

        if (pseudo(&random) % 5 == 0)
            schedule_hold(s, one);
        else
            schedule_at(s, one, 1 + pseudo(&random) % 1000);
    }
    for (time_ms now = 1; now <= 1000; now++) {
        time_ms next = TIME_NEVER;
        struct delivery *one;

        for (int i = 0; i < COUNT; i++)
            if (d[i]->state == DELIVERY_WAITING && d[i]->due < next)
                next = d[i]->due;
        CHECK_EQUAL(schedule_next(s), next);
        while ((one = schedule_take(s, now, 0)))
            CHECK_EQUAL(one->due, now);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK(d[i]->state == DELIVERY_HELD || d[i]->state == DELIVERY_TAKEN);
        schedule_forget(s, d[i]);
    }
    schedule_free(s);
}

TEST(after_a_long_standstill_all_that_is_due_comes_and_nothing_else)
{
    enum { COUNT = 5000 };
    struct schedule *s = schedule_new(1, COUNT);
    auto_free struct delivery **d = memory_array(COUNT, sizeof *d);
    uint32_t random = 5;
    size_t due = 0, taken = 0;

    for (int i = 0; i < COUNT; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i % 7);
        d[i] = add(s, name, 1 + pseudo(&random) % 1000);
        due += d[i]->due <= 900;
    }
    for (struct delivery *one; (one = schedule_take(s, 900, 0)); taken++)
        CHECK(one->due <= 900);
    CHECK_EQUAL(taken, due);
    for (time_ms now = 901; now <= 1000; now++)
        for (struct delivery *one; (one = schedule_take(s, now, 0)); taken++)
            CHECK_EQUAL(one->due, now);
    CHECK_EQUAL(taken, COUNT);
    for (int i = 0; i < COUNT; i++)
        schedule_forget(s, d[i]);
    schedule_free(s);
}
