/* base/clock.h */
#include "tests/test.h"

#include "base/clock.h"

static char text[CLOCK_TEXT_MAX];

TEST(mail_dates_are_as_in_rfc_5322)
{
    CHECK_TEXT(clock_mail_date(0, text), "Thu, 01 Jan 1970 00:00:00 +0000");
    CHECK_TEXT(clock_mail_date(SECONDS(1136214245), text), "Mon, 02 Jan 2006 15:04:05 +0000");
    CHECK_TEXT(clock_mail_date(SECONDS(1709164800), text), "Thu, 29 Feb 2024 00:00:00 +0000");
    CHECK_TEXT(clock_mail_date(SECONDS(4102444799), text), "Thu, 31 Dec 2099 23:59:59 +0000");
}

TEST(iso_dates_have_milliseconds)
{
    CHECK_TEXT(clock_iso_date(0, text), "1970-01-01T00:00:00.000Z");
    CHECK_TEXT(clock_iso_date(SECONDS(1136214245) + 7, text), "2006-01-02T15:04:05.007Z");
    CHECK_TEXT(clock_iso_date(SECONDS(1136214246) - 1, text), "2006-01-02T15:04:05.999Z");
}

TEST(times_before_1970_count_upwards_too)
{
    CHECK_TEXT(clock_iso_date(-1, text), "1969-12-31T23:59:59.999Z");
    CHECK_TEXT(clock_iso_date(-1000, text), "1969-12-31T23:59:59.000Z");
    CHECK_TEXT(clock_mail_date(-1, text), "Wed, 31 Dec 1969 23:59:59 +0000");
}

TEST(no_time_is_too_far_away_to_be_written)
{
    CHECK(strlen(clock_iso_date(TIME_NEVER, text)) < CLOCK_TEXT_MAX);
    CHECK(strlen(clock_mail_date(TIME_NEVER, text)) < CLOCK_TEXT_MAX);
    CHECK(strlen(clock_iso_date(INT64_MIN, text)) < CLOCK_TEXT_MAX);
    CHECK(strlen(clock_mail_date(INT64_MIN, text)) < CLOCK_TEXT_MAX);
}

TEST(units_are_milliseconds)
{
    CHECK_EQUAL(SECONDS(2), 2000);
    CHECK_EQUAL(MINUTES(1 + 1), 120000);
    CHECK_EQUAL(HOURS(2), 7200000);
    CHECK_EQUAL(DAYS(5), 432000000);
    CHECK(DAYS(365) == 31536000000);            /* more than 32 bits hold */
}

TEST(a_frozen_clock_moves_only_when_told)
{
    time_ms now;

    clock_freeze(1000000);
    now = clock_now();
    CHECK_EQUAL(clock_wall(), 1000000);
    CHECK_EQUAL(clock_now(), now);
    clock_advance(HOURS(1));
    CHECK_EQUAL(clock_wall(), 1000000 + HOURS(1));
    CHECK_EQUAL(clock_now(), now + HOURS(1));
    clock_thaw();
    CHECK(clock_wall() > SECONDS(1600000000));
}

TEST(the_monotonic_clock_never_goes_back)
{
    time_ms before = clock_now();

    for (int i = 0; i < 1000; i++) {
        time_ms now = clock_now();

        CHECK(now >= before);
        before = now;
    }
}
