#include "tlsrpt/read_inside.h"

#include "base/cursor.h"

#include <time.h>

static bool take_digits(struct cursor *in, size_t digits, int most, int *out)
{
    uint64_t number;

    if (!slice_to_number(cursor_bytes(in, digits), (uint64_t)most, &number))
        return false;
    *out = (int)number;
    return true;
}

static bool take_date(struct cursor *in, struct tm *t)
{
    if (!take_digits(in, 4, 9999, &t->tm_year) || !cursor_skip(in, '-') || !take_digits(in, 2, 12, &t->tm_mon) ||
        !cursor_skip(in, '-') || !take_digits(in, 2, 31, &t->tm_mday))
        return false;
    t->tm_year -= 1900;
    return t->tm_year >= 70 && t->tm_mon-- >= 1 && t->tm_mday >= 1;
}

static bool take_clock(struct cursor *in, struct tm *t, const char **oddity)
{
    if (!take_digits(in, 2, 24, &t->tm_hour) || !cursor_skip(in, ':') || !take_digits(in, 2, 59, &t->tm_min))
        return false;
    if (!cursor_skip(in, ':')) {
        *oddity = "a time without seconds";
        return true;
    }
    if (!take_digits(in, 2, 60, &t->tm_sec))
        return false;
    if (cursor_skip(in, '.') || cursor_skip(in, ','))
        return !slice_empty(cursor_while(in, byte_is_digit));
    return true;
}

/* "Z", "+01:00", "-0100", " UTC", or nothing. */
static bool take_zone(struct cursor *in, int *minutes, const char **oddity)
{
    int sign = 0, hour = 0, minute = 0;

    *minutes = 0;
    if (cursor_skip(in, 'Z') || cursor_skip(in, 'z'))
        return true;
    while (cursor_skip(in, ' '))
        ;
    if (cursor_ended(in)) {
        *oddity = "a time without a time zone, taken as UTC";
        return true;
    }
    if (cursor_skip_nocase(in, SLICE("UTC")) || cursor_skip_nocase(in, SLICE("GMT"))) {
        *oddity = "a time zone in letters";
        return true;
    }
    sign = cursor_skip(in, '+') ? 1 : cursor_skip(in, '-') ? -1 : 0;
    if (sign == 0 || !take_digits(in, 2, 23, &hour))
        return false;
    cursor_skip(in, ':');
    if (!take_digits(in, 2, 59, &minute))
        return false;
    *minutes = sign * (60 * hour + minute);
    return true;
}

bool read_time(struct slice text, time_ms *out, const char **oddity)
{
    struct cursor in = cursor_over(slice_trim(text));
    const char *odd = NULL;
    struct tm t = { 0 };
    int minutes = 0;
    time_ms wall;

    if (!take_date(&in, &t))
        return false;
    if (cursor_ended(&in)) {
        odd = "a date without a time";
    } else {
        if (cursor_skip(&in, ' '))
            odd = "a blank between date and time";
        else if (!cursor_skip(&in, 'T') && !cursor_skip(&in, 't'))
            return false;
        if (!take_clock(&in, &t, &odd) || !take_zone(&in, &minutes, &odd) || !cursor_ended(&in))
            return false;
    }
    wall = SECONDS(timegm(&t) - 60 * (time_t)minutes);
    if (wall < 0)
        return false;
    *out = wall;
    *oddity = odd;
    return true;
}
