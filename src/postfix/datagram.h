/* postfix/datagram.h - what Postfix tells of one TLS session for reports: the datagram of libtlsrpt, version 1. Pure.
 *
 * One JSON object for each session or attempt: whom the mail was for, which
 * policies applied, and for each of them whether it was met and what failed. */
#ifndef POSTFIX_DATAGRAM_H
#define POSTFIX_DATAGRAM_H

#include "tlsrpt/policy.h"
#include "tlsrpt/tally.h"

enum {
    DATAGRAM_BYTES_MAX = 1024 * 1024,   /* the library stops at 65,000 */
    DATAGRAM_POLICIES_MAX = 16,
    DATAGRAM_FAILURES_MAX = 64,         /* of one policy; those beyond are left out */
};

struct datagram_failure {
    const char *result_type;            /* as reports name it */
    const char *sending_ip, *receiving_ip, *mx, *helo, *reason;     /* "" when not told */
};

struct datagram_policy {
    struct report_policy policy;        /* its domain is the recipient's when none is told, and always without a policy */
    bool succeeded;                     /* at last */
    const struct datagram_failure *failures;
    size_t failure_count;
};

struct datagram {
    const char *domain;                 /* of the recipient: lower case, no final dot */
    const char *version;                /* "1"; another is read as far as it makes sense */
    bool miscounted;                    /* a policy's number of failures is not what is listed */
    const struct datagram_policy *policies;
    size_t policy_count;
};

/* Memory from `arena`. E_MALFORMED, E_LIMIT. */
bool datagram_parse(struct slice bytes, struct arena *arena, struct datagram *out, struct error *why) must_check;

/* Each result that it tells, as tallies count them: a success, or each failure. `policy_id` is asked once for each policy
 * that has any; the strings live as long as the datagram. */
struct datagram_reader {
    uint64_t (*policy_id)(void *self, const struct report_policy *p);
    void (*result)(void *self, const struct report_tally *t);
    void *self;
};
void datagram_results(const struct datagram *d, const struct datagram_reader *reader);

#endif
