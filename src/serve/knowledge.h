/* serve/knowledge.h - what an outbound process knows of next hops besides the DNS: policies and memories, kept in the
 * store, and whether DNSSEC validation works here. */
#ifndef SERVE_KNOWLEDGE_H
#define SERVE_KNOWLEDGE_H

#include "serve/config.h"
#include "serve/recorder.h"
#include "serve/scribe.h"

struct knowledge;
/* `idle` is called when nothing is under way any more after knowledge_stop. `slot` names the process in its notes. */
struct knowledge *knowledge_new(const struct config *c, struct resolver *r, unsigned slot, void (*idle)(void *self),
                                void *self, struct error *why) must_check;
void knowledge_free(struct knowledge *k);       /* nothing may be under way; NULL is fine */

/* Policies only, over the scribe of a clerk, who passes on what has changed: outbound processes refresh, test and remember. */
struct knowledge *knowledge_on(const struct config *c, struct resolver *r, struct scribe *n, void (*idle)(void *self),
                               void *self, struct error *why) must_check;
void knowledge_changed(struct knowledge *k, uint8_t kind, const char *key);

/* Who is told when this process itself has found that a domain's policy is new or gone: the store tells everybody else. */
void knowledge_watch(struct knowledge *k, void (*policy_changed)(void *self, const char *domain), void *self);

/* Who is told of policies that cannot be fetched (RFC 8461 6); borrowed. */
void knowledge_tell(struct knowledge *k, struct recorder *r);

void knowledge_start(struct knowledge *k);      /* self-test and refreshes; the loop runs */
void knowledge_retire(struct knowledge *k);     /* a successor tests and refreshes; deliveries go on */
/* Whatever is under way is cancelled, and what was not written yet goes to the store. */
void knowledge_stop(struct knowledge *k);
bool knowledge_is_busy(const struct knowledge *k);

struct scribe *knowledge_scribe(struct knowledge *k);
struct sts_engine *knowledge_sts(struct knowledge *k);      /* NULL: switched off */

/* Waits. What is remembered of a next hop, zeroed when nothing is. False: the store did not say. */
bool knowledge_recall(struct knowledge *k, const char *next_hop, struct memory *m) must_check;
/* Kept here at once, in the store when something of weight has changed or five minutes have passed. */
void knowledge_remember(struct knowledge *k, const char *next_hop, const struct memory *m);

#endif
