#include "tests/test.h"

#include "deliver/destination.h"

TEST(the_line_is_first_come_first_served)
{
    struct destination *d = destination_new("example.org", 20);
    struct delivery one = { 0 }, two = { 0 };

    CHECK(destination_next(d) == NULL);
    destination_add(d, &one);
    destination_add(d, &two);
    CHECK_EQUAL(d->waiting, 2);
    CHECK(destination_next(d) == &one);
    CHECK(destination_next(d) == &two);
    CHECK(destination_next(d) == NULL);
    destination_add(d, &one);
    CHECK(destination_next(d) == &one);
    destination_free(d);
}

TEST(the_limit_grows_with_success_up_to_the_most_and_is_halved_by_failure)
{
    struct destination *d = destination_new("example.org", 20);
    unsigned first = d->limit;

    for (unsigned i = 0; i < first; i++)
        destination_succeeded(d, 20);
    CHECK_EQUAL(d->limit, first + 1);
    for (unsigned i = 0; i < 1000; i++)
        destination_succeeded(d, 20);
    CHECK_EQUAL(d->limit, 20);
    destination_failed(d);
    CHECK_EQUAL(d->limit, 10);
    for (unsigned i = 0; i < 10; i++)
        destination_failed(d);
    CHECK_EQUAL(d->limit, 1);
    destination_free(d);
    d = destination_new("example.org", 2);
    CHECK_EQUAL(d->limit, 2);
    destination_free(d);
}

/* SMTP-086 */
TEST(an_unreachable_destination_rests_until_its_time_or_a_success)
{
    struct destination *d = destination_new("example.org", 20);
    struct error why = { E_CONNECT, "refused" };

    CHECK(!destination_rests(d, 1000));
    destination_rest(d, 5000, &why);
    CHECK(destination_rests(d, 4999));
    CHECK(!destination_rests(d, 5000));
    destination_rest(d, 9000, &why);
    destination_succeeded(d, 20);
    CHECK(!destination_rests(d, 6000));
    destination_free(d);
}

TEST(a_courier_is_wanted_for_work_that_no_idle_one_can_do)
{
    struct destination *d = destination_new("example.org", 2);
    struct delivery one = { 0 }, two = { 0 };

    CHECK(!destination_wants_courier(d));
    destination_add(d, &one);
    CHECK(destination_wants_courier(d));
    d->couriers = d->idle = 1;
    CHECK(!destination_wants_courier(d));
    destination_add(d, &two);
    CHECK(destination_wants_courier(d));
    d->couriers = 2;
    CHECK(!destination_wants_courier(d));
    destination_free(d);
}
