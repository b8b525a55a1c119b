/* queue/retry.h - when to try again, and when to stop. Pure.
 *
 * RFC 5321 4.5.4.1 (spec SMTP-083, -084). */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include "base/clock.h"

struct retry_rule {
    time_ms first;              /* after the first failure: 5 min */
    time_ms most;               /* the interval doubles up to this: 4 h */
    time_ms give_up;            /* after arrival: 5 d */
    time_ms give_up_bounce;     /* the same for null senders: 1 d */
    time_ms delay_notice;       /* tell the sender after this long: 4 h; 0: never */
};
extern const struct retry_rule retry_default;

/* The next attempt after `attempts` finished ones (at least 1), with jitter of
 * up to a tenth earlier or later taken from `random`; TIME_NEVER when the
 * message's time is over. The last attempt is made at the end of its time, not
 * before: a next attempt that would come later than that is moved to it. */
time_ms retry_next(const struct retry_rule *rule, bool null_sender, time_ms arrived, uint32_t attempts, time_ms now,
                   uint64_t random);

#endif
