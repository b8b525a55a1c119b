/* tlsrpt/tally.h - the key under which one session's result is counted for TLS reports. Pure.
 *
 * Keys of one domain stand together (TALLY_REPORT, domain, policy, success or
 * the failure's tuple), so that a day's report is built from one pass over them.
 * A domain may have REPORT_TUPLES_MAX failure tuples for one policy; further
 * ones are counted under report_tally_rest (TLSRPT-020). */
#ifndef TLSRPT_TALLY_H
#define TLSRPT_TALLY_H

#include "base/arena.h"
#include "base/buf.h"

enum { REPORT_TUPLES_MAX = 1000, TALLY_TEXT_MAX = 255 };

struct report_tally {
    const char *domain;             /* the report's: next hop, lower case A-labels */
    uint64_t policy;                /* tlsrpt/policy.h */
    const char *result_type;        /* "" for success, of which nothing that follows is kept */
    const char *sending_ip, *receiving_ip;      /* "" when there was no connection (TLSRPT-040) */
    const char *mx, *helo;          /* "" when none */
    const char *reason;             /* failure-reason-code, "" for none */
};

/* Strings longer than TALLY_TEXT_MAX bytes are cut, and bytes that are not printable ASCII become '?': servers say of
 * themselves what they like. Domain and mx are put in lower case. A key has at most TALLY_KEY_MAX (2048) bytes. */
void report_tally_encode(const struct report_tally *t, struct buf *out);
/* False for what the encoder never writes. */
bool report_tally_decode(struct slice key, struct arena *arena, struct report_tally *out) must_check;

/* The tuple for what is beyond a bound: validation-failure with reason "truncated". */
#define REPORT_REST_TYPE "validation-failure"
#define REPORT_REST_REASON "truncated"
void report_tally_rest(const struct report_tally *t, struct buf *out);

/* What the keys of all domains, or of one, begin with. */
void report_tally_prefix(const char *domain, struct buf *out);      /* NULL: of all */

#endif
