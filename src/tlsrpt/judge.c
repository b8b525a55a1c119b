#include "tlsrpt/judge.h"

#include "base/escape.h"
#include "tlsrpt/organisation.h"

/* --- from whom ------------------------------------------------------------------ */

/* Some write the name of their company where the domain belongs. */
static bool is_domain(const char *text)
{
    return strchr(text, '.') && !strpbrk(text, " \t,<>\"@") && text[0] != '.';
}

/* RFC 8460 3: "the report [...] MUST be signed by the reporting domain". From is covered by whatever passes (RFC 6376 5.4). */
static bool speaks_for(const struct dkim_result *r, const struct report_letter *letter, const char **other)
{
    const char *submitter = is_domain(letter->submitter) ? letter->submitter : "", *signer = r->domain;
    bool submitter_counts = r->verdict != DKIM_PASS || dkim_covers(r, SLICE("TLS-Report-Submitter"));

    *other = letter->from[0] ? letter->from : submitter;
    if ((letter->from[0] && !organisation_is_shared(signer, letter->from)) ||
        (submitter[0] && !organisation_is_shared(signer, *other = submitter)))
        return false;
    return domain_is_within(letter->from, signer) || (submitter_counts && domain_is_within(submitter, signer));
}

/* Was it a report when it was signed? A field of the name may be named in h= without being there. */
static bool is_about_a_report(const struct dkim_result *r, const struct report_letter *letter)
{
    if ((letter->submitter[0] && dkim_covers(r, SLICE("TLS-Report-Submitter"))) ||
        (letter->domain[0] && dkim_covers(r, SLICE("TLS-Report-Domain"))))
        return true;
    return dkim_covers(r, SLICE("Content-Type")) &&
           (!letter->encoded || dkim_covers(r, SLICE("Content-Transfer-Encoding")));
}

const struct dkim_result *judge_signer(const struct dkim_result *results, size_t count, const struct report_letter *letter,
                                       struct error *why)
{
    struct error reason = { 0 };
    const char *other = "";

    if (count == 0)
        fail(&reason, E_UNSIGNED, "the message has no DKIM signature");
    for (size_t i = 0; i < count; i++) {
        const struct dkim_result *r = &results[i];
        bool right = speaks_for(r, letter, &other);

        if (right && r->verdict == DKIM_PASS && is_about_a_report(r, letter))
            return r;
        if (right && r->verdict == DKIM_UNKNOWN)
            fail(&reason, E_DNS, "its DKIM signature of %s cannot be checked now: %s", r->domain, r->words);
        else if (reason.code != E_DNS && right && r->verdict == DKIM_PASS)
            fail(&reason, E_UNSIGNED, "its DKIM signature of %s covers neither Content-Type nor a TLS-Report field",
                 r->domain);
        else if (reason.code != E_DNS && r->verdict == DKIM_PASS)
            fail(&reason, E_UNSIGNED, "it is signed by %s, but says that it is from %s", r->domain,
                 other[0] ? other : "nobody in particular");
        else if (reason.code == E_NONE)
            fail(&reason, E_UNSIGNED, "its DKIM signature of %s is not good: %s", r->domain[0] ? r->domain : "nobody",
                 r->words[0] ? r->words : dkim_verdict_name(r->verdict));
    }
    if (why)
        *why = reason;
    return NULL;
}

/* --- about whom ------------------------------------------------------------------- */

static bool is_among(const char *domain, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = names[i] ? names[i] : "";
        bool only_below = name[0] == '.';

        name += only_below;
        if (domain_is_within(domain, name) && !(only_below && strlen(domain) == strlen(name)))
            return true;
    }
    return false;
}

bool judge_is_ours(const struct report *r, const struct report_ours *ours, struct error *why)
{
    size_t named = 0;

    for (size_t i = 0; i < r->entry_count; i++) {
        const char *domain = r->entries[i].policy.domain;

        if (!domain[0])
            continue;
        if (!is_among(domain, ours->domains, ours->domain_count) && !is_among(domain, ours->hosts, ours->host_count))
            return fail(why, E_NOT_FOUND, "it is about %s, which is none of ours", domain);
        named++;
    }
    return named > 0 || fail(why, E_NOT_FOUND, "it does not say which domain it is about");
}

/* --- of when --------------------------------------------------------------------------- */

bool judge_is_recent(const struct report *r, time_ms wall)
{
    return r->end >= wall - DAYS(10) && r->end <= wall + DAYS(2);
}
