#include "cli/period.h"

#include <stdio.h>
#include <time.h>

uint32_t period_today(void)
{
    return (uint32_t)(clock_wall() / DAYS(1));
}

uint32_t period_days(const struct period *p)
{
    return p->until - p->since + 1;
}

const char *period_day(uint32_t day, char text[PERIOD_DAY_MAX])
{
    char date[CLOCK_TEXT_MAX];

    snprintf(text, PERIOD_DAY_MAX, "%.10s", clock_iso_date(day * DAYS(1), date));
    return text;
}

const char *period_text(const struct period *p, char text[PERIOD_TEXT_MAX])
{
    char since[PERIOD_DAY_MAX], until[PERIOD_DAY_MAX];
    uint32_t days = period_days(p);

    if (days == 1)
        snprintf(text, PERIOD_TEXT_MAX, "%s (UTC)", period_day(p->since, since));
    else
        snprintf(text, PERIOD_TEXT_MAX, "%s to %s (%u days, UTC)", period_day(p->since, since), period_day(p->until, until),
                 (unsigned)days);
    return text;
}

/* "7d", "2w" */
static bool parse_days(struct slice text, uint32_t *days)
{
    uint64_t number, each = 1;

    if (text.len < 2)
        return false;
    if (text.at[text.len - 1] == 'w')
        each = 7;
    else if (text.at[text.len - 1] != 'd')
        return false;
    if (!slice_to_number(slice_first(text, text.len - 1), UINT32_MAX / each, &number))
        return false;
    *days = (uint32_t)(number * each);
    return true;
}

static bool parse_date(struct slice text, uint32_t *day)
{
    uint64_t year, month, of_month;
    struct tm date = { 0 };
    char again[PERIOD_DAY_MAX];

    if (text.len != 10 || text.at[4] != '-' || text.at[7] != '-' ||
        !slice_to_number(slice_first(text, 4), 9999, &year) || year < 1971 ||
        !slice_to_number(slice(text.at + 5, 2), 12, &month) || !slice_to_number(slice(text.at + 8, 2), 31, &of_month))
        return false;
    date.tm_year = (int)year - 1900;
    date.tm_mon = (int)month - 1;
    date.tm_mday = (int)of_month;
    *day = (uint32_t)(timegm(&date) / (24 * 60 * 60));
    return slice_equal(slice_of(period_day(*day, again)), text);       /* there is no 31st of February */
}

bool period_parse_day(const char *text, uint32_t today, uint32_t *day)
{
    uint32_t ago;

    if (strcmp(text, "today") == 0)
        ago = 0;
    else if (strcmp(text, "yesterday") == 0)
        ago = 1;
    else if (!parse_days(slice_of(text), &ago))
        return parse_date(slice_of(text), day);
    if (ago >= today)
        return false;
    *day = today - ago;
    return true;
}

bool period_parse(const char *since, const char *until, uint32_t today, struct period *out, struct error *why)
{
    struct period p = { .until = today };
    uint32_t days;

    if (until && !period_parse_day(until, today, &p.until))
        return fail(why, E_USAGE, "--until %s is no day: 2026-11-21, or 1d for yesterday", until);
    if (parse_days(slice_of(since), &days)) {
        if (days == 0 || days > PERIOD_DAYS_MAX || days > p.until)
            return fail(why, E_USAGE, "--since %s: at least 1d, at most %dd", since, PERIOD_DAYS_MAX);
        p.since = p.until - days + 1;
    } else if (!parse_date(slice_of(since), &p.since)) {
        return fail(why, E_USAGE, "--since %s is neither a number of days (7d, 2w) nor a day (2026-11-15)", since);
    }
    if (p.since > p.until)
        return fail(why, E_USAGE, "--since is later than --until");
    if (period_days(&p) > PERIOD_DAYS_MAX)
        return fail(why, E_USAGE, "--since %s: at most %d days, up to the last one", since, PERIOD_DAYS_MAX);
    *out = p;
    return true;
}
