/* base/clock.h - time, as milliseconds that functions take as an argument.
 *
 * Two clocks: `clock_now` never jumps and is for deadlines inside one
 * process; `clock_wall` is Unix time and is what the queue stores. Only
 * processes and dialogues read them; grammars and decisions are told. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/slice.h"

typedef int64_t time_ms;

#define TIME_NEVER  INT64_MAX
#define SECONDS(n)  ((time_ms)(n) * 1000)
#define MINUTES(n)  SECONDS((n) * 60LL)
#define HOURS(n)    MINUTES((n) * 60LL)
#define DAYS(n)     HOURS((n) * 24LL)

time_ms clock_now(void);    /* monotonic */
time_ms clock_wall(void);   /* since 1970, UTC */

/* Stop both clocks at `wall` (tests); clock_advance moves them on. */
void clock_freeze(time_ms wall);
void clock_advance(time_ms by);
void clock_thaw(void);

/* "Mon, 02 Jan 2006 15:04:05 +0000", RFC 5322 3.3, always in UTC. `text`
 * takes CLOCK_TEXT_MAX bytes; returns it. */
enum { CLOCK_TEXT_MAX = 80 };
const char *clock_mail_date(time_ms wall, char *text);

/* "2006-01-02T15:04:05.000Z" */
const char *clock_iso_date(time_ms wall, char *text);

#endif
