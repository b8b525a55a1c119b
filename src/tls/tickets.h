/* tls/tickets.h - the keys that seal session tickets, a new one each day.
 *
 * Every key comes from the one before by a one-way step, and old ones are
 * wiped: who steals the process's memory cannot open the tickets of days past
 * (STARTTLS-101). The steps depend on nothing but the secret and the day, so
 * workers that were forked after tickets_new agree without talking. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include "base/clock.h"

/* A key seals for a day and opens for one day more; a ticket lives half a day. */
#define TICKET_KEY_PERIOD   DAYS(1)
#define TICKET_LIFE         HOURS(12)

struct ticket_key {
    unsigned char name[16], cipher[32], mac[32];
};

struct tickets;
struct tickets *tickets_new(time_ms wall);
void tickets_free(struct tickets *t);       /* wipes; NULL is fine */

/* The key to seal with at `wall`. A clock that goes back changes nothing. */
const struct ticket_key *tickets_seal(struct tickets *t, time_ms wall);

/* The key of that name, today's or yesterday's; NULL when it is gone. */
const struct ticket_key *tickets_open(struct tickets *t, const unsigned char name[16], time_ms wall);

#endif
