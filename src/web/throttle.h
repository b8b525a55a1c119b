/* web/throttle.h - how often one client may ask. Pure.
 *
 * A bucket of tokens for each network of clients (an IPv4 /24, an IPv6 /48),
 * in a table of fixed size. When it is full, the network that has asked least
 * of late makes room: many strangers can only make the throttle more lenient. */
#ifndef WEB_THROTTLE_H
#define WEB_THROTTLE_H

#include "base/clock.h"
#include "net/address.h"

enum throttle_verdict {
    THROTTLE_PASS,
    THROTTLE_FIRST,         /* no more, for the first time since it last passed: worth a line in the log */
    THROTTLE_MORE,          /* no more, as said before */
};

struct throttle;
/* `per_minute` in the long run, and as many at once. */
struct throttle *throttle_new(unsigned per_minute, struct error *why) must_check;
void throttle_free(struct throttle *t);     /* NULL is fine */

/* `now` is clock_now's. */
enum throttle_verdict throttle_take(struct throttle *t, const struct address *client, time_ms now);

#endif
