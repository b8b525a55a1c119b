/* serve/clerk.h - what the processes that neither take nor deliver mail share: the line to the store.
 *
 * Policy answers, reports, hooks and web are each one seat of the master, made
 * only when configured. A clerk is the worker of serve/worker.h with a scribe on
 * its line; its frames are those of notes, tallies and its own messages. */
#ifndef SERVE_CLERK_H
#define SERVE_CLERK_H

#include "serve/scribe.h"

struct clerk_orders {
    /* End what is under way, then call clerk_finish; perhaps twice, the second time in a hurry. */
    void (*drain)(void *self, bool hurry);
    void (*changed)(void *self, uint8_t kind, const char *key);     /* as of scribe_new; NULL is fine */
};

/* One per process; begins the worker. The caller says worker_ready once it can do its work. */
struct clerk *clerk_new(int control_fd, const struct clerk_orders *orders, void *self);
void clerk_free(struct clerk *c);           /* after the loop; NULL is fine */

struct scribe *clerk_scribe(struct clerk *c);

/* What was counted and is to be kept goes to the store, then the loop ends. No fiber may wait for the store any more. */
void clerk_finish(struct clerk *c);

#endif
