#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct {
    bool frozen;
    time_ms now, wall;
} test_clock;

static time_ms read_clock(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (time_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

time_ms clock_now(void)
{
    return test_clock.frozen ? test_clock.now : read_clock(CLOCK_MONOTONIC);
}

time_ms clock_wall(void)
{
    return test_clock.frozen ? test_clock.wall : read_clock(CLOCK_REALTIME);
}

void clock_freeze(time_ms wall)
{
    test_clock.now = read_clock(CLOCK_MONOTONIC);
    test_clock.wall = wall;
    test_clock.frozen = true;
}

void clock_advance(time_ms by)
{
    test_clock.now += by;
    test_clock.wall += by;
}

void clock_thaw(void)
{
    test_clock.frozen = false;
}

/* Names of our own: strftime would take them from the locale. */
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static int millisecond(time_ms wall)
{
    return (int)((wall % 1000 + 1000) % 1000);      /* counts upwards before 1970 too */
}

static struct tm utc(time_ms wall)
{
    time_t seconds = (time_t)(wall / 1000 - (wall < 0 && wall % 1000 != 0));
    struct tm t;

    gmtime_r(&seconds, &t);
    return t;
}

const char *clock_mail_date(time_ms wall, char *text)
{
    struct tm t = utc(wall);

    snprintf(text, CLOCK_TEXT_MAX, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[t.tm_wday], t.tm_mday,
             months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    return text;
}

const char *clock_iso_date(time_ms wall, char *text)
{
    struct tm t = utc(wall);

    snprintf(text, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, millisecond(wall));
    return text;
}
