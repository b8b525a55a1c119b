/* serve/recorder.h - what becomes of facts: they are counted, for statistics and for TLS reports, and events are rung.
 *
 * One per process that sees any. Facts of attempts come from deliveries,
 * visits and receipts from sessions with clients. */
#ifndef SERVE_RECORDER_H
#define SERVE_RECORDER_H

#include "fact/fact.h"
#include "fact/visit.h"
#include "policy/mta_sts.h"
#include "serve/bell.h"
#include "tlsrpt/policy.h"
#include "tlsrpt/tally.h"

struct recorder;
/* `bell` may be NULL; `keep`: days that statistics go back. */
struct recorder *recorder_new(struct scribe *n, struct bell *bell, unsigned keep);
void recorder_free(struct recorder *r);         /* NULL is fine */

/* An attempt is over, or a session that it opened (delivery_house.tell). */
void recorder_fact(struct recorder *r, const struct fact *f);

/* The id of a policy, whose text is kept for as long as a report may quote it. */
uint64_t recorder_policy(struct recorder *r, const struct report_policy *p);

/* sts_house.failed: reported although there was no session (TLSRPT-023). */
void recorder_sts_failure(struct recorder *r, const char *domain, const struct error *why, const struct sts_cached *kept);

/* A recipient's mail has met its end: returned for want of TLS, it rings. */
void recorder_settled(struct recorder *r, const char *destination, const struct settlement *s);

/* delivery_house.alarm. */
void recorder_alarm(struct recorder *r, const char *next_hop, const char *relay, unsigned breaks);

/* One session's result, as anybody counts it for TLS reports. */
void recorder_result(struct recorder *r, const struct report_tally *t, uint64_t count);

void recorder_visit(struct recorder *r, const struct visit *v, uint64_t count);
void recorder_receipt(struct recorder *r, const struct receipt *t, uint64_t count);

#endif
