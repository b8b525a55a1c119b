#include "tests/test.h"

#include "serve/census.h"

#include <sys/wait.h>
#include <unistd.h>

static struct address ip(const char *text)
{
    struct address a = { 0 };

    CHECK(address_parse_ip(slice_of(text), &a));
    return a;
}

TEST(connections_are_counted_by_client_and_in_all)
{
    struct error why = { 0 };
    struct census *c = census_new(4, &why);
    struct address one = ip("192.0.2.1"), other = ip("192.0.2.2");

    CHECK_OK(c, &why);
    for (unsigned i = 0; i < 10; i++)
        census_enter(c, i % 4, &one);
    census_enter(c, 0, &other);
    CHECK_EQUAL(census_of(c, &one), 10);
    CHECK_EQUAL(census_of(c, &other), 1);
    CHECK_EQUAL(census_total(c), 11);
    census_leave(c, 1, &one);
    CHECK_EQUAL(census_of(c, &one), 9);
    CHECK_EQUAL(census_total(c), 10);
    census_free(c);
}

TEST(what_a_dead_process_counted_is_wiped)
{
    struct error why = { 0 };
    struct census *c = census_new(2, &why);
    struct address one = ip("192.0.2.1");
    pid_t child;

    CHECK_OK(c, &why);
    census_enter(c, 0, &one);
    child = fork();
    if (child == 0) {
        census_enter(c, 1, &one);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK_EQUAL(census_of(c, &one), 2);
    census_wipe(c, 1);
    CHECK_EQUAL(census_of(c, &one), 1);
    CHECK_EQUAL(census_total(c), 1);
    census_free(c);
}

TEST(ipv6_clients_count_by_their_network)
{
    struct error why = { 0 };
    struct census *c = census_new(1, &why);
    struct address one = ip("2001:db8:0:1::1"), neighbour = ip("2001:db8:0:1:ffff::2"), other = ip("2001:db8:0:2::1");

    CHECK_OK(c, &why);
    census_enter(c, 0, &one);
    CHECK_EQUAL(census_of(c, &neighbour), 1);
    CHECK_EQUAL(census_of(c, &other), 0);
    census_free(c);
}

TEST(a_thousand_clients_are_never_counted_too_low_and_rarely_too_high)
{
    struct error why = { 0 };
    struct census *c = census_new(2, &why);
    unsigned too_high = 0;

    CHECK_OK(c, &why);
    for (int i = 0; i < 1000; i++) {
        struct address a = { .family = AF_INET, .ip = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };

        census_enter(c, (unsigned)i % 2, &a);
    }
    for (int i = 0; i < 1000; i++) {
        struct address a = { .family = AF_INET, .ip = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };

        CHECK(census_of(c, &a) >= 1);
        too_high += census_of(c, &a) > 1;
    }
    CHECK(too_high < 150);
    census_free(c);
}
