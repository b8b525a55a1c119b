/* When which hook is told of what, in simulated time. */
#include "tests/serve/telling.h"

/* --- what, and how often ----------------------------------------------------------- */

TEST(an_event_is_told_at_once_and_once)
{
    struct hook_telling t;

    begin_one(HOURS(1));
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER);
    note("example.org", now, 1);
    CHECK_EQUAL(hook_plan_due(plan), now);
    CHECK(next(&t));
    CHECK(t.hook == 0 && t.event.kind == EVENT_BLOCKED && t.event.count == 1 && t.event.first == now);
    CHECK_TEXT(t.event.what, "held");
    CHECK_TEXT(t.key, "blocked/example.org");
    CHECK_EQUAL(t.told.calling, now + PATIENCE);
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER && hook_plan_busy(plan) == 1);
    CHECK_EQUAL(end(0, HOOK_CALL_SUCCEEDED, NULL), HOOK_TOLD);
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER && hook_plan_busy(plan) == 0);
    now += DAYS(3);
    CHECK(nothing());
}

TEST(a_hook_hears_only_what_it_wants)
{
    const struct hook_rule rules[] = { { "a", 1 << EVENT_DOWNGRADE, 0 }, { "b", 1 << EVENT_BLOCKED, 0 }, { "c", 0, 0 } };

    begin(rules, 3);
    note("example.org", now, 1);
    CHECK_EQUAL(told(1, "example.org"), 1);
    CHECK(nothing());
}

TEST(more_of_the_same_is_gathered_until_its_time)
{
    struct hook_telling t;

    begin_one(HOURS(1));
    note("example.org", now, 1);
    CHECK_EQUAL(told(0, "example.org"), 1);
    now += MINUTES(1);
    note("example.org", start, 2);
    now += MINUTES(1);
    note("example.org", start, 700);
    CHECK(nothing());
    CHECK_EQUAL(hook_plan_due(plan), start + HOURS(1));
    now = start + HOURS(1) - 1;
    CHECK(nothing());
    now++;
    CHECK(next(&t) && t.event.count == 699);
    CHECK(t.event.first == start + MINUTES(1) && t.event.last == start + MINUTES(2));
    end(0, HOOK_CALL_SUCCEEDED, NULL);
    CHECK(nothing());
}

TEST(what_happens_during_a_call_is_told_with_the_next)
{
    struct hook_telling t;

    begin_one(MINUTES(10));
    note("example.org", now, 1);
    CHECK(next(&t));
    now += SECONDS(5);
    note("example.org", start, 4);
    CHECK(nothing());
    end(0, HOOK_CALL_SUCCEEDED, NULL);
    CHECK(nothing());
    now += MINUTES(10);
    CHECK_EQUAL(told(0, "example.org"), 3);
}

/* Who rings may have begun anew. */
TEST(a_note_that_begins_later_counts_from_its_beginning)
{
    begin_one(0);
    note("example.org", now, 50);
    CHECK_EQUAL(told(0, "example.org"), 50);
    now += HOURS(1);
    note("example.org", now, 2);
    CHECK_EQUAL(told(0, "example.org"), 2);
    note("example.org", now, 2);
    CHECK(nothing());
}

TEST(a_note_that_goes_back_says_nothing_new)
{
    begin_one(0);
    note("example.org", now, 50);
    CHECK_EQUAL(told(0, "example.org"), 50);
    note("example.org", start, 20);
    CHECK(nothing());
    CHECK(hook_plan_event(plan, &(struct event){ .kind = EVENT_BLOCKED, .subject = "example.org", .first = start - 5,
                                                 .last = start - 1, .count = 9 }, now));
    CHECK(nothing());
}

TEST(subjects_and_kinds_have_each_their_own_time)
{
    begin_one(HOURS(1));
    note("a.example", now, 1);
    CHECK_EQUAL(told(0, "a.example"), 1);
    now += 10;
    note("b.example", now, 1);
    CHECK_EQUAL(told(0, "b.example"), 1);
    CHECK(hook_plan_event(plan, &(struct event){ .kind = EVENT_DOWNGRADE, .subject = "a.example", .first = now, .last = now,
                                                 .count = 1 }, now));
    CHECK_EQUAL(told(0, "a.example"), 1);
}

/* --- order, and one beside the other -------------------------------------------------- */

TEST(a_hook_hears_one_thing_at_a_time_in_order_of_time)
{
    struct hook_telling t;

    begin_one(0);
    note("first.example", now, 1);
    now += 5;
    note("second.example", now, 1);
    now += 5;
    note("third.example", now, 1);
    note("first.example", start, 2);        /* does not lose its place */
    CHECK(next(&t) && nothing());
    CHECK_TEXT(t.event.subject, "first.example");
    CHECK_EQUAL(t.event.count, 2);
    end(0, HOOK_CALL_SUCCEEDED, NULL);
    CHECK_EQUAL(told(0, "second.example"), 1);
    CHECK_EQUAL(told(0, "third.example"), 1);
}

TEST(hooks_do_not_wait_for_each_other)
{
    const struct hook_rule rules[] = { { "slow", ALL, 0 }, { "quick", ALL, 0 } };
    struct hook_telling t;

    begin(rules, 2);
    note("a.example", now, 1);
    CHECK(next(&t) && t.hook == 0);         /* and it goes on and on */
    for (int i = 0; i < 100; i++) {
        now += SECONDS(1);
        CHECK(next(&t) && t.hook == 1 && nothing());
        end(1, HOOK_CALL_SUCCEEDED, NULL);
        note("a.example", start, (uint64_t)i + 2);
    }
}

TEST(every_hook_gets_its_turn_when_calls_are_few)
{
    const struct hook_rule rules[] = { { "a", ALL, 0 }, { "b", ALL, 0 }, { "c", ALL, 0 } };
    unsigned calls[3] = { 0 };
    struct hook_telling t;
    char subject[20];

    begin(rules, 3);
    for (int i = 0; i < 10; i++) {
        snprintf(subject, sizeof subject, "%d.example", i);
        note(subject, now, 1);
    }
    for (int i = 0; i < 9; i++) {           /* one at a time */
        CHECK(next(&t));
        end(t.hook, HOOK_CALL_SUCCEEDED, NULL);
        calls[t.hook]++;
    }
    CHECK(calls[0] == 3 && calls[1] == 3 && calls[2] == 3);
}

/* --- failures ------------------------------------------------------------------------- */

TEST(a_failed_call_is_repeated_after_longer_and_longer_pauses)
{
    static const int pauses[] = { 10, 20, 40, 80, 160, 320, 640, 900, 900, 900 };

    begin_one(HOURS(1));
    note("example.org", now, 1);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        fails(0, "example.org");
        CHECK_EQUAL(hook_plan_due(plan), now + SECONDS(pauses[i]));
        now += SECONDS(pauses[i]) - 1;
        CHECK(nothing());
        now++;
    }
    CHECK_EQUAL(told(0, "example.org"), 1);
    note("example.org", start, 2);
    CHECK_EQUAL(hook_plan_due(plan), now + HOURS(1));
}

TEST(what_comes_while_a_hook_fails_is_gathered_too)
{
    begin_one(HOURS(1));
    note("example.org", now, 1);
    fails(0, "example.org");
    now += SECONDS(3);
    note("example.org", start, 8);
    CHECK(nothing());
    now += SECONDS(7);
    CHECK_EQUAL(told(0, "example.org"), 8);
}

TEST(after_a_day_of_failures_it_is_given_up)
{
    struct hook_telling t;
    struct hook_done done;
    enum hook_outcome outcome = HOOK_AGAIN;
    int calls = 0;

    begin_one(HOURS(1));
    note("example.org", now, 3);
    for (; outcome == HOOK_AGAIN; calls++) {
        now = hook_plan_due(plan);
        CHECK(next(&t));
        outcome = end(0, HOOK_CALL_FAILED, &done);
        CHECK(outcome != HOOK_AGAIN || done.again == hook_plan_due(plan));
    }
    CHECK_EQUAL(outcome, HOOK_GIVEN_UP);
    CHECK(now >= start + HOURS(24) && now < start + HOURS(25) && calls > 90);
    CHECK(done.told.told == 0 && done.told.count == 3 && done.told.failing == 0);
    CHECK(hook_plan_due(plan) == TIME_NEVER);
    note("example.org", start, 5);
    now = hook_plan_due(plan);
    CHECK_EQUAL(told(0, "example.org"), 2);
}

/* The hook refuses one event, and takes all others. */
TEST(one_that_is_always_refused_holds_up_no_other)
{
    struct hook_telling t;
    char subject[20];
    int refused = 0, taken = 0;

    begin_one(HOURS(1));
    note("poison.example", now, 1);
    for (int i = 0; i < 50; i++) {
        snprintf(subject, sizeof subject, "%d.example", i);
        note(subject, now, 1);
    }
    while (now < start + HOURS(1)) {
        now = hook_plan_due(plan);
        CHECK(next(&t));
        if (strcmp(t.event.subject, "poison.example") == 0) {
            refused++;
            end(0, HOOK_CALL_FAILED, NULL);
        } else {
            taken++;
            end(0, HOOK_CALL_SUCCEEDED, NULL);
            CHECK(now < start + MINUTES(1));
        }
    }
    CHECK(taken == 50 && refused > 5 && refused < 15);
}

TEST(after_an_outage_all_is_told_in_the_order_of_what_happened)
{
    struct hook_telling t;
    char subject[20];

    begin_one(HOURS(1));
    for (int i = 0; i < 12; i++) {              /* one every five seconds, while nobody answers */
        snprintf(subject, sizeof subject, "%d.example", i);
        note(subject, now, 1);
        while (next(&t))
            end(0, HOOK_CALL_FAILED, NULL);
        now += SECONDS(5);
    }
    note("3.example", start + SECONDS(15), 8);  /* more of it does not cost it its place */
    now = hook_plan_due(plan);
    for (int i = 0; i < 12; i++) {
        snprintf(subject, sizeof subject, "%d.example", i);
        CHECK_EQUAL(told(0, subject), i == 3 ? 8 : 1);
    }
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER);
}

TEST(no_outage_is_so_long_that_the_order_is_lost)
{
    struct hook_telling t;
    char subject[20];

    for (int outage = 1; outage < 12; outage++) {
        begin_one(HOURS(1));
        for (int i = 0; i < 6; i++, now++) {
            snprintf(subject, sizeof subject, "%d.example", i);
            note(subject, now, 1);
        }
        for (int i = 0; i < outage; i++, now = hook_plan_due(plan))
            while (next(&t))
                CHECK_EQUAL(end(0, HOOK_CALL_FAILED, NULL), HOOK_AGAIN);
        for (int i = 0; i < 6; i++) {
            snprintf(subject, sizeof subject, "%d.example", i);
            CHECK_EQUAL(told(0, subject), 1);
        }
        CHECK(nothing());
    }
}

TEST(the_hook_rests_for_all_its_events_and_says_until_when)
{
    struct hook_telling t;
    struct hook_done done;

    begin_one(HOURS(1));
    note("a.example", now, 1);
    for (int i = 0; i < 2; i++) {
        now = hook_plan_due(plan);
        CHECK(next(&t));
        end(0, HOOK_CALL_FAILED, &done);
        note("b.example", now, 1);
        CHECK(nothing());
        CHECK_EQUAL(done.again, hook_plan_due(plan));
        CHECK_EQUAL(done.again, now + SECONDS(i ? 20 : 10));
    }
}

TEST(what_can_never_work_is_dropped_at_once)
{
    struct hook_telling t;
    struct hook_done done;

    begin_one(HOURS(1));
    note("example.org", now, 3);
    CHECK(next(&t));
    CHECK_EQUAL(end(0, HOOK_CALL_USELESS, &done), HOOK_GIVEN_UP);
    CHECK(done.told.told == 0 && done.told.count == 3 && done.told.calling == 0);
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER);
    note("example.org", start, 4);          /* and mended meanwhile */
    CHECK_EQUAL(told(0, "example.org"), 1);
}

TEST(a_dead_hook_rests_and_then_hears_all_at_once)
{
    struct hook_telling t;
    char subject[20];
    int calls = 0;

    begin_one(HOURS(1));
    for (int i = 0; i < 1000; i++) {
        snprintf(subject, sizeof subject, "%d.example", i);
        note(subject, now, 1);
    }
    for (; (now = hook_plan_due(plan)) < start + HOURS(2); calls++) {
        CHECK(next(&t));
        end(0, HOOK_CALL_FAILED, NULL);
    }
    CHECK(calls < 30);
    for (int i = 0; i < 1000; i++)
        CHECK(next(&t) && end(0, HOOK_CALL_SUCCEEDED, NULL) == HOOK_TOLD);
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER);
}

TEST(a_cancelled_call_is_none)
{
    struct hook_telling t;
    struct hook_done done;

    begin_one(HOURS(1));
    note("example.org", now, 1);
    CHECK(next(&t));
    CHECK_EQUAL(end(0, HOOK_CALL_CANCELLED, &done), HOOK_AGAIN);
    CHECK(done.told.calling == 0 && done.told.told == 0 && done.told.failing == 0 && done.again == now);
    CHECK_EQUAL(told(0, "example.org"), 1);
}
