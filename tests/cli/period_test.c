/* Which days a question is about. */
#include "tests/test.h"

#include "cli/period.h"

#include <stdlib.h>

enum { TODAY = 20779 };      /* 2026-11-22 */

static void check(const char *since, const char *until, const char *first, const char *last)
{
    struct period p = { 0 };
    struct error why = { 0 };
    char text[PERIOD_DAY_MAX];

    CHECK_OK(period_parse(since, until, TODAY, &p, &why), &why);
    CHECK_TEXT(period_day(p.since, text), first);
    CHECK_TEXT(period_day(p.until, text), last);
}

TEST(days_are_counted_back_from_the_last_one)
{
    check("1d", NULL, "2026-11-22", "2026-11-22");
    check("7d", NULL, "2026-11-16", "2026-11-22");
    check("2w", NULL, "2026-11-09", "2026-11-22");
    check("7d", "1d", "2026-11-15", "2026-11-21");
    check("7d", "2026-11-01", "2026-10-26", "2026-11-01");
    check("2026-11-01", NULL, "2026-11-01", "2026-11-22");
    check("2024-02-29", "2024-03-01", "2024-02-29", "2024-03-01");
    check("2027-01-01", "2027-01-02", "2027-01-01", "2027-01-02");
}

TEST(what_is_no_day_is_told)
{
    static const char *const rows[][2] = {
        { "", NULL }, { "d", NULL }, { "0d", NULL }, { "7", NULL }, { "7h", NULL }, { "-7d", NULL }, { "9999d", NULL },
        { "999w", NULL }, { "yesterday", NULL }, { "2026-11-31", NULL }, { "2026-02-29", NULL }, { "2026-00-10", NULL },
        { "2026-10-00", NULL }, { "2026-1-1", NULL }, { "1970-01-01", NULL }, { "2026-11-22T", NULL }, { "7d", "" },
        { "7d", "tomorrow" }, { "2026-11-23", NULL }, { "2026-11-21", "2026-11-20" }, { "2010-01-01", NULL },
        { "7d", "99999d" }, { "4294967297d", NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct period p = { 1, 2 };
        struct error why = { 0 };

        CHECK(!period_parse(rows[i][0], rows[i][1], TODAY, &p, &why));
        CHECK(why.code == E_USAGE && why.text[0] && p.since == 1);
    }
}

TEST(a_period_that_is_too_long_is_told_the_limit)
{
    static const char *const rows[] = { "5000d", "900w", "2000-01-01" };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct period p;
        struct error why = { 0 };

        CHECK(!period_parse(rows[i], NULL, TODAY, &p, &why));
        CHECK(strstr(why.text, rows[i]) && strstr(why.text, "3660"));
    }
}

TEST(a_day_is_named_or_counted_back)
{
    static const struct { const char *text; uint32_t day; } rows[] = {
        { "today", TODAY }, { "yesterday", TODAY - 1 }, { "0d", TODAY }, { "1d", TODAY - 1 }, { "1w", TODAY - 7 },
        { "2026-11-21", TODAY - 1 }, { "2026-11-30", TODAY + 8 },
    };
    static const char *const none[] = { "", "-c", "Today", "tomorrow", "d", "-1d", "99999d", "2026-02-30", "2026-11-21x" };
    uint32_t day;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(period_parse_day(rows[i].text, TODAY, &day));
        CHECK_EQUAL(day, rows[i].day);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!period_parse_day(none[i], TODAY, &day));
}

TEST(a_period_is_told_with_its_length)
{
    char text[PERIOD_TEXT_MAX];

    CHECK_TEXT(period_text(&(struct period){ TODAY - 6, TODAY }, text), "2026-11-16 to 2026-11-22 (7 days, UTC)");
    CHECK_TEXT(period_text(&(struct period){ TODAY, TODAY }, text), "2026-11-22 (UTC)");
}
