/* lab/authority.h - the lab's name servers.
 *
 * Signs the zones with ldns, serves them with nsd, and answers for all of them
 * with a validating unbound. Keys in DIRECTORY/keys are kept from one run to
 * the next; zones are written anew, for they hold the ports. */
#ifndef LAB_AUTHORITY_H
#define LAB_AUTHORITY_H

#include "lab/plan.h"

#include <sys/types.h>

struct authority {
    pid_t nsd, unbound;
};

/* Fills in the plan's ports that are still 0 and starts both; they answer when it
 * returns. Certificates must be there. Also writes root.key and resolv.conf. */
bool authority_start(struct authority *a, struct plan *p, struct error *why) must_check;
void authority_stop(struct authority *a);

#endif
