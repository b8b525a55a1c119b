/* tlsrpt/report.h - a TLS report (RFC 8460 4.4), sent or received, as a value; and its JSON.
 *
 * Strings that are "" were absent and are not written. Pure. */
#ifndef TLSRPT_REPORT_H
#define TLSRPT_REPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "tlsrpt/gzip.h"
#include "tlsrpt/policy.h"

struct report_failure {
    const char *result_type;        /* as given: an unknown one is kept (TLSRPT-094) */
    const char *sending_ip, *receiving_ip, *mx, *helo, *reason, *information;
    uint64_t count;
};

struct report_entry {
    struct report_policy policy;
    const char *type_text;          /* received: the policy-type as it came, when policy.type cannot say it; else "" */
    uint64_t successes, failures;   /* sessions */
    struct report_failure *details; /* may add up to more than `failures` (TLSRPT-019) */
    size_t detail_count;
};

struct report {
    const char *organization, *contact, *id;
    time_ms begin, end;             /* wall clock; `end` is inclusive: 23:59:59 */
    struct report_entry *entries;
    size_t entry_count;
};

/* I-JSON, UTF-8 (TLSRPT-030 to -045), on one line; or in lines, for people; without a last
 * newline. Counts above 2^53 - 1, which I-JSON cannot hold, stay
 * there. False: E_LIMIT, the buf is full; E_MALFORMED: a string is no UTF-8. */
bool report_write(const struct report *r, struct buf *out, struct error *why) must_check;
bool report_write_pretty(const struct report *r, struct buf *out, struct error *why) must_check;

/* TLS-Report-Submitter: the domain of contact-info (TLSRPT-032). Part of r->contact; "" when that has none. */
const char *report_submitter(const struct report *r);

/* The policy-type of an entry, in its own words where it has some. */
const char *report_entry_type(const struct report_entry *e);

#endif
