/* serve/census.h - how many connections each client has, over all inbound processes.
 *
 * Counters in memory that the master maps before it forks. Every process
 * counts only in its own column, so nothing is locked, and what a killed
 * process had counted is wiped with its column. Clients are counted under a
 * keyed hash in two rows, and the smaller of the two is believed (a count-min
 * sketch): a client may be taken for busier than it is, rarely, never for less
 * busy. IPv6 clients count by their /64. */
#ifndef SERVE_CENSUS_H
#define SERVE_CENSUS_H

#include "net/address.h"

struct census;
struct census *census_new(unsigned columns, struct error *why) must_check;   /* shared with children forked later */
void census_free(struct census *c);
void census_wipe(struct census *c, unsigned column);

void census_enter(struct census *c, unsigned column, const struct address *client);
void census_leave(struct census *c, unsigned column, const struct address *client);
unsigned census_of(const struct census *c, const struct address *client);
unsigned census_total(const struct census *c);

#endif
