#include "queue/retry.h"

const struct retry_rule retry_default = {
    .first = MINUTES(5),
    .most = HOURS(4),
    .give_up = DAYS(5),
    .give_up_bounce = DAYS(1),
    .delay_notice = HOURS(4),
};

static time_ms later(time_ms from, time_ms by)
{
    return by > 0 && from > TIME_NEVER - by ? TIME_NEVER : from + by;
}

/* Twice as long after each attempt. RFC 5321 4.5.4.1: "the sender MUST delay
 * retrying a particular destination after one attempt has failed." */
static time_ms interval_after(const struct retry_rule *rule, uint32_t attempts)
{
    time_ms interval = rule->first > 0 ? rule->first : 1;

    for (uint32_t i = 1; i < attempts && interval < rule->most; i++)
        interval = interval > rule->most / 2 ? rule->most : interval * 2;
    return interval < rule->most ? interval : rule->most;
}

time_ms retry_next(const struct retry_rule *rule, bool null_sender, time_ms arrived, uint32_t attempts, time_ms now,
                   uint64_t random)
{
    time_ms end = later(arrived, null_sender ? rule->give_up_bounce : rule->give_up);
    time_ms interval = interval_after(rule, attempts);
    time_ms tenth = interval / 10;
    time_ms next;

    if (now >= end)
        return TIME_NEVER;
    interval += (time_ms)(random % (uint64_t)(2 * tenth + 1)) - tenth;
    next = later(now, interval);
    return next < end ? next : end;
}
