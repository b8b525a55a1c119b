/* tlsrpt/judge.h - is a report from whom it says, and is it about us? (TLSRPT-090, -095) Pure. */
#ifndef TLSRPT_JUDGE_H
#define TLSRPT_JUDGE_H

#include "dkim/verify.h"
#include "tlsrpt/read.h"

/* Of the signatures of a message, one that passed and is the reporting domain's: of a domain that is equal to or a parent of
 * the From domain or of the submitter, and of one organisation with both as far as they are domains. A submitter that it does
 * not cover may be anybody's addition, and speaks only against it. And it says that this is a report: either it covers
 * TLS-Report-Domain or TLS-Report-Submitter, or how the body is to be read, so that nobody can find a report in a bounce that
 * quotes one. (Some large senders do not sign Content-Type, but those two fields.) NULL: none is. E_UNSIGNED, and in words
 * why not; E_DNS: the key of one that would do could not be looked up, try again. */
const struct dkim_result *judge_signer(const struct dkim_result *results, size_t count, const struct report_letter *letter,
                                       struct error *why) must_check;

/* What reports may be about. A name covers what is below it, ".example.org" only that; NULL covers nothing. */
struct report_ours {
    const char *const *domains;
    size_t domain_count;
    const char *const *hosts;       /* names of our MX hosts: reports of DANE speak of them */
    size_t host_count;
};

/* Are all its policy domains ours? `why` (E_NOT_FOUND) names one that is not. A report that names none is not. */
bool judge_is_ours(const struct report *r, const struct report_ours *ours, struct error *why) must_check;

/* Is it of these days? It ended within the last 10 days, or ends within 2 days: clocks differ, and so do ideas of a day. */
bool judge_is_recent(const struct report *r, time_ms wall) must_check;

#endif
