#include "queue/retry.h"

#include "tests/test.h"

static const time_ms arrived = SECONDS(1700000000);

/* The middle of the jitter: nothing added, nothing taken away. */
static uint64_t middle(time_ms interval)
{
    return (uint64_t)(interval / 10);
}

/* SMTP-083: back-off, 5 minutes doubling to 4 hours. */
TEST(intervals_double_from_five_minutes_to_four_hours)
{
    const time_ms wanted[] = { MINUTES(5), MINUTES(10), MINUTES(20), MINUTES(40), MINUTES(80), MINUTES(160),
                               HOURS(4), HOURS(4), HOURS(4) };
    time_ms now = arrived;

    for (uint32_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        time_ms next = retry_next(&retry_default, false, arrived, i + 1, now, middle(wanted[i]));

        CHECK_ID("SMTP-083", next - now == wanted[i]);
        now = next;
    }
}

TEST(a_destination_is_never_tried_again_at_once)
{
    for (uint32_t attempts = 1; attempts < 100; attempts++)
        for (uint64_t random = 0; random < 100; random++)
            CHECK_ID("SMTP-083", retry_next(&retry_default, false, arrived, attempts, arrived, random * 7919) >=
                                     arrived + MINUTES(4) + SECONDS(30));
}

TEST(jitter_is_at_most_a_tenth_either_way_and_reaches_both_ends)
{
    time_ms least = TIME_NEVER, most = 0;

    for (uint64_t random = 0; random < 70000; random++) {
        time_ms wait = retry_next(&retry_default, false, arrived, 1, arrived, random) - arrived;

        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    CHECK_EQUAL(least, MINUTES(5) - SECONDS(30));
    CHECK_EQUAL(most, MINUTES(5) + SECONDS(30));
}

/* SMTP-084: five days, one for null senders; the last attempt is made at the end. */
TEST(the_last_attempt_is_at_the_end_of_the_messages_time)
{
    time_ms end = arrived + DAYS(5);

    CHECK_EQUAL(retry_next(&retry_default, false, arrived, 30, end - HOURS(1), 5), end);
    CHECK_EQUAL(retry_next(&retry_default, false, arrived, 30, end - 1, 5), end);
    CHECK_ID("SMTP-084", retry_next(&retry_default, false, arrived, 31, end, 5) == TIME_NEVER);
    CHECK(retry_next(&retry_default, false, arrived, 31, end + DAYS(9), 5) == TIME_NEVER);
}

TEST(a_null_sender_gets_less_time)
{
    CHECK_ID("SMTP-084", retry_next(&retry_default, true, arrived, 9, arrived + DAYS(1), 0) == TIME_NEVER);
    CHECK_EQUAL(retry_next(&retry_default, true, arrived, 9, arrived + DAYS(1) - 1, 0), arrived + DAYS(1));
    CHECK(retry_next(&retry_default, false, arrived, 9, arrived + DAYS(1), 0) != TIME_NEVER);
}

/* A whole life in simulated time. */
TEST(a_message_is_tried_some_forty_times_in_its_five_days)
{
    time_ms now = arrived;
    uint32_t attempts = 1;
    time_ms next;

    while ((next = retry_next(&retry_default, false, arrived, attempts, now, attempts * 104729)) != TIME_NEVER) {
        CHECK(next > now);
        now = next;
        attempts++;
    }
    CHECK_EQUAL(now, arrived + DAYS(5));
    CHECK(attempts > 30 && attempts < 50);
}

TEST(odd_rules_and_numbers_do_no_harm)
{
    struct retry_rule rule = { .first = 0, .most = 0, .give_up = TIME_NEVER, .give_up_bounce = 0 };

    CHECK(retry_next(&rule, false, arrived, UINT32_MAX, arrived, UINT64_MAX) >= arrived);
    CHECK(retry_next(&rule, true, arrived, 1, arrived, 0) == TIME_NEVER);
    rule.first = TIME_NEVER / 2;
    rule.most = TIME_NEVER / 2;
    CHECK(retry_next(&rule, false, arrived, 3, arrived, UINT64_MAX) > arrived);
    CHECK(retry_next(&retry_default, false, arrived, 0, arrived, middle(MINUTES(5))) == arrived + MINUTES(5));
}
