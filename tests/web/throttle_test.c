#include "tests/test.h"

#include "base/memory.h"
#include "web/throttle.h"

enum { RATE = 60 };

static struct address ip(const char *text)
{
    struct address a;

    CHECK(address_parse_ip(slice_of(text), &a));
    return a;
}

static struct throttle *make(void)
{
    struct error why = { 0 };
    struct throttle *t = throttle_new(RATE, &why);

    CHECK_OK(t, &why);
    return t;
}

static unsigned passes(struct throttle *t, const char *client, time_ms now, unsigned tries)
{
    struct address a = ip(client);
    unsigned passed = 0;

    for (unsigned i = 0; i < tries; i++)
        passed += throttle_take(t, &a, now) == THROTTLE_PASS;
    return passed;
}

TEST(a_minutes_worth_may_come_at_once_and_no_more)
{
    struct throttle *t = make();

    CHECK_EQUAL(passes(t, "192.0.2.1", 5000, 1000), RATE);
    CHECK_EQUAL(passes(t, "192.0.2.1", 5999, 1000), 0);
    throttle_free(t);
}

TEST(tokens_come_back_one_by_one)
{
    struct throttle *t = make();

    passes(t, "192.0.2.1", 0, RATE);
    CHECK_EQUAL(passes(t, "192.0.2.1", 1000, 10), 1);
    CHECK_EQUAL(passes(t, "192.0.2.1", 4000, 10), 3);
    CHECK_EQUAL(passes(t, "192.0.2.1", 4000 + MINUTES(60), 1000), RATE);    /* and never more than fit */
    throttle_free(t);
}

TEST(who_is_refused_loses_nothing_by_asking_on)
{
    struct throttle *t = make();

    passes(t, "192.0.2.1", 0, RATE);
    for (time_ms now = 0; now < 1000; now++)
        CHECK_EQUAL(passes(t, "192.0.2.1", now, 1), 0);
    CHECK_EQUAL(passes(t, "192.0.2.1", 1000, 1), 1);
    throttle_free(t);
}

TEST(only_the_first_refusal_is_worth_a_line)
{
    struct throttle *t = make();
    struct address a = ip("192.0.2.1");

    passes(t, "192.0.2.1", 0, RATE);
    CHECK_EQUAL(throttle_take(t, &a, 0), THROTTLE_FIRST);
    CHECK_EQUAL(throttle_take(t, &a, 0), THROTTLE_MORE);
    CHECK_EQUAL(throttle_take(t, &a, 1000), THROTTLE_PASS);
    CHECK_EQUAL(throttle_take(t, &a, 1000), THROTTLE_FIRST);
    throttle_free(t);
}

TEST(a_network_shares_a_bucket_and_the_next_has_its_own)
{
    struct throttle *t = make();

    CHECK_EQUAL(passes(t, "192.0.2.1", 0, 30), 30);
    CHECK_EQUAL(passes(t, "192.0.2.250", 0, 1000), 30);
    CHECK_EQUAL(passes(t, "192.0.3.1", 0, 1000), RATE);
    CHECK_EQUAL(passes(t, "2001:db8:1:1::1", 0, 30), 30);
    CHECK_EQUAL(passes(t, "2001:db8:1:ffff::1", 0, 1000), 30);
    CHECK_EQUAL(passes(t, "2001:db8:2::1", 0, 1000), RATE);
    throttle_free(t);
}

/* 10.1.2.0/24 and 0a01:02../48 begin with the same bytes. */
TEST(the_two_families_are_not_mixed_up)
{
    struct throttle *t = make();

    passes(t, "10.1.2.3", 0, RATE);
    CHECK_EQUAL(passes(t, "a01:200::", 0, 1000), RATE);
    throttle_free(t);
}

TEST(a_stream_of_strangers_does_not_shut_out_anybody)
{
    struct throttle *t = make();

    for (unsigned i = 0; i < 100000; i++) {
        struct address a = { .family = AF_INET, .ip = { 10, (uint8_t)(i >> 8), (uint8_t)i } };

        CHECK_EQUAL(throttle_take(t, &a, 0), THROTTLE_PASS);
    }
    throttle_free(t);
}

/* Who has just been refused is the last to be forgotten. */
TEST(a_few_strangers_do_not_wash_out_who_asks_too_often)
{
    struct throttle *t = make();
    unsigned passed = 0;

    passes(t, "192.0.2.1", 0, RATE);
    for (unsigned i = 0; i < 500; i++) {
        struct address a = { .family = AF_INET, .ip = { 10, (uint8_t)(i >> 8), (uint8_t)i } };

        (void)throttle_take(t, &a, 0);
        passed += passes(t, "192.0.2.1", 0, 1);
    }
    CHECK_EQUAL(passed, 0);
    throttle_free(t);
}
