/* cli/period.h - which days a question is about: --since and --until. */
#ifndef CLI_PERIOD_H
#define CLI_PERIOD_H

#include "base/clock.h"
#include "base/error.h"

struct period {
    uint32_t since, until;          /* days since 1970, UTC, both included */
};
enum { PERIOD_DAYS_MAX = 3660 };

uint32_t period_today(void);

/* `until`: that day included, as for period_parse_day; NULL: today. `since`: "2026-11-15", from that day on;
 * "7d" or "2w", so many days up to `until`. E_USAGE. */
bool period_parse(const char *since, const char *until, uint32_t today, struct period *out, struct error *why) must_check;

/* One day: "2026-11-21", "today", "yesterday"; "2d", so many days ago. */
bool period_parse_day(const char *text, uint32_t today, uint32_t *day) must_check;

uint32_t period_days(const struct period *p);

/* "2026-11-15" */
enum { PERIOD_DAY_MAX = 16, PERIOD_TEXT_MAX = 64 };
const char *period_day(uint32_t day, char text[PERIOD_DAY_MAX]);

/* "2026-11-15 to 2026-11-21 (7 days, UTC)" */
const char *period_text(const struct period *p, char text[PERIOD_TEXT_MAX]);

#endif
