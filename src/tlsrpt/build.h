/* tlsrpt/build.h - one domain's report of one day, from its tallies. Pure.
 *
 *     build_new(domain, day)
 *     build_add(b, tally, count)       for each of the domain's, in the order of keys
 *     build_policies, build_policy     the texts of the policies
 *     build_end(b, ..., &report) */
#ifndef TLSRPT_BUILD_H
#define TLSRPT_BUILD_H

#include "tlsrpt/report.h"
#include "tlsrpt/tally.h"

struct report_author {
    const char *organization;       /* "Example Org" */
    const char *contact;            /* "tls-reports@example.org" */
};

/* Distinct policies of a report; the sessions of further ones count as no-policy-found. The first few may have
 * REPORT_TUPLES_MAX kinds of failure each, the others a tenth of that (TLSRPT-020): a domain whose policy never rests
 * must not fill our memory. Kept are the most frequent, as long as equal tallies follow each other. */
enum { REPORT_POLICIES_MAX = 100 };

struct report_build;
struct report_build *build_new(const char *domain, uint32_t day);       /* days since 1970-01-01 UTC */
void build_free(struct report_build *b);                                /* NULL is fine */
void build_add(struct report_build *b, const struct report_tally *t, uint64_t count);

/* The policies whose text is wanted: ids into `ids`, at most `most`; returns how many there are. */
size_t build_policies(const struct report_build *b, uint64_t *ids, size_t most);
/* The text of one; it borrows. Entries whose text is never given are left out with their counts moved to no-policy-found. */
void build_policy(struct report_build *b, uint64_t id, const struct report_policy *p);

/* Once. Memory of `b` and of the policies given. False: nothing to report (E_NOT_FOUND): no session, or only successes
 * and `failures_only`. The id is stable for (author, domain, day): TLSRPT-033. Entries stand in the order of types, then of
 * domains; their failures by count, the most frequent first. */
bool build_end(struct report_build *b, const struct report_author *author, bool failures_only, struct report *out,
               struct error *why) must_check;

#endif
