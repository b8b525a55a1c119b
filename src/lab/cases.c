#include "lab/cases.h"

#include <stdio.h>

const struct lab_case lab_cases[] = {
    /* --- DANE ---------------------------------------------------------------- */
    { "dane-ee", "a TLSA record for the host's own key, certificate self-signed", LAB_VERIFIED, "DANE-065",
      .hosts = { { .tlsa = "3 1 1 leaf" } } },
    { "dane-ta", "a TLSA record for the authority in the chain", LAB_VERIFIED, "DANE-064",
      .hosts = { { .tlsa = "2 1 1 issuer", .certificate = { BY_ANCHOR } } } },
    { "dane-ta-full", "an authority that stands whole in the TLSA record and is not sent", LAB_VERIFIED, "DANE-064",
      .hosts = { { .tlsa = "2 0 0 issuer", .certificate = { BY_ANCHOR, .alone = true } } } },
    { "dane-ta-missing", "an authority known by its digest and not sent", LAB_DEFERRED, "DANE-064",
      .hosts = { { .tlsa = "2 1 1 issuer", .certificate = { BY_ANCHOR, .alone = true } } } },
    { "dane-ta-expired", "anchored by TLSA, but the certificate is out of date", LAB_DEFERRED, "DANE-064",
      .hosts = { { .tlsa = "2 1 1 issuer", .certificate = { BY_ANCHOR, .expired = true } } } },
    { "dane-ta-wrong-name", "anchored by TLSA, but for another name", LAB_DEFERRED, "DANE-068",
      .hosts = { { .tlsa = "2 1 1 issuer", .certificate = { BY_ANCHOR, .name = "other.@" } } } },
    { "dane-ta-next-hop", "anchored by TLSA, and for the name of the domain", LAB_VERIFIED, "DANE-068",
      .hosts = { { .tlsa = "2 1 1 issuer", .certificate = { BY_ANCHOR, .name = "@" } } } },
    { "dane-ta-cn-only", "anchored by TLSA, the name in the common name alone", LAB_VERIFIED, "DANE-069",
      .hosts = { { .tlsa = "2 1 1 issuer", .certificate = { BY_ANCHOR, .common_name_only = true } } } },
    { "dane-wrong", "a TLSA record for a key that the host does not have", LAB_DEFERRED, "DANE-071",
      .hosts = { { .tlsa = "3 1 1 other" } } },
    { "dane-wrong-trusted", "the same, with a certificate from a known authority", LAB_DEFERRED, "DANE-071",
      .hosts = { { .tlsa = "3 1 1 other", .certificate = { BY_CA } } } },
    { "dane-unusable", "TLSA records of usages 0 and 1 only, which do not count for mail", LAB_ENCRYPTED, "DANE-072",
      .hosts = { { .tlsa = "0 0 1 leaf, 1 1 1 leaf" } } },
    { "dane-malformed", "TLSA records of impossible lengths only", LAB_ENCRYPTED, "DANE-060",
      .hosts = { { .tlsa = "3 1 1 length 1, 3 1 1 length 31, 3 1 1 length 33, 3 1 2 length 63" } } },
    { "dane-malformed-good", "the same, and a good one", LAB_VERIFIED, "DANE-062",
      .hosts = { { .tlsa = "3 1 1 length 1, 3 1 1 length 33, 3 1 2 length 32, 3 1 1 leaf" } } },
    { "dane-empty", "a TLSA record that ends behind its third byte", LAB_ENCRYPTED, "DANE-060",
      .hosts = { { .tlsa = "3 1 1 length 0" } } },
    { "dane-expired", "usage 3 with an expired certificate, which does not matter", LAB_VERIFIED, "DANE-065",
      .hosts = { { .tlsa = "3 1 1 leaf", .certificate = { .expired = true } } } },
    { "dane-rollover", "TLSA records for the old and the new key", LAB_VERIFIED, "DANE-066",
      .hosts = { { .tlsa = "3 1 1 other, 3 1 1 leaf" } } },
    { "dane-digest", "the strongest digest is wrong, a weaker one right", LAB_DEFERRED, "DANE-063",
      .hosts = { { .tlsa = "3 1 2 other, 3 1 1 leaf" } } },
    { "dane-many", "sixty TLSA records of 512 bits: the answer needs TCP", LAB_VERIFIED, "DANE-014",
      .hosts = { { .tlsa = "59*3 1 2 other, 3 1 2 leaf" } } },
    { "dane-no-starttls", "a TLSA record, but STARTTLS is not offered", LAB_DEFERRED, "PD-E02",
      .hosts = { { .tlsa = "3 1 1 leaf", .no_tls = true } } },
    { "dane-servfail", "the name server fails on TLSA in a signed zone", LAB_DEFERRED, "DANE-009",
      .signing = SIGNED_APART, .tlsa_servfail = true, .hosts = { { .tlsa = "3 1 1 leaf" } } },
    { "dane-bogus-tlsa", "the signature of the TLSA record is wrong", LAB_DEFERRED, "DANE-009",
      .broken = "TLSA", .hosts = { { .tlsa = "3 1 1 leaf" } } },
    { "dane-mixed", "the first host has no TLSA record, the second has", LAB_ENCRYPTED, "DANE-020",
      .hosts = { { "mx1.@" }, { "mx2.@", .tlsa = "3 1 1 leaf" } } },
    { "dane-backup", "the first host's record does not match, the second's does", LAB_VERIFIED, "DANE-021",
      .hosts = { { "mx1.@", .tlsa = "3 1 1 other" }, { "mx2.@", .tlsa = "3 1 1 leaf" } } },
    { "dane-insecure-mx", "an unsigned domain whose host is signed and has TLSA", LAB_ENCRYPTED, "DANE-023",
      .signing = UNSIGNED, .hosts = { { "mx.signed-host", .tlsa = "3 1 1 leaf" } } },
    { "dane-insecure-host", "a signed domain whose host is not: its TLSA does not count", LAB_ENCRYPTED, "DT-09",
      .unsigned_part = "away.@", .hosts = { { "mx.away.@", .tlsa = "3 1 1 other" } } },
    { "dane-cname", "the MX is a secure alias, TLSA at the end of it", LAB_VERIFIED, "DANE-042",
      .hosts = { { "host.@", .alias = "mx.@", .tlsa = "3 1 1 leaf" } } },
    { "dane-cname-original", "the MX is a secure alias, TLSA at its beginning", LAB_VERIFIED, "DANE-042",
      .hosts = { { "host.@", .alias = "mx.@", .tlsa = "3 1 1 leaf", .tlsa_base = "mx.@" } } },
    { "dane-cname-insecure", "a secure alias into an unsigned zone, TLSA at its beginning", LAB_VERIFIED, "DANE-043",
      .unsigned_part = "away.@",
      .hosts = { { "mx.away.@", .alias = "mx.@", .tlsa = "3 1 1 leaf", .tlsa_base = "mx.@" } } },
    { "dane-tlsa-cname", "an alias in the place of the TLSA record", LAB_VERIFIED, "DANE-046",
      .hosts = { { .tlsa = "3 1 1 leaf", .tlsa_alias = "_tlsa.@" } } },
    { "dane-no-mx", "no MX record: the domain is the host, and has TLSA", LAB_VERIFIED, "DANE-049",
      .mail = NO_MX, .hosts = { { "@", .tlsa = "3 1 1 leaf" } } },

    /* --- DNS ------------------------------------------------------------------ */
    { "bogus", "the signature of the MX record is wrong", LAB_DEFERRED, "DANE-007", .broken = "MX" },
    { "expired-zone", "the signatures have expired", LAB_DEFERRED, "DANE-007", .signing = SIGNED_LONG_AGO },
    { "unsigned", "an unsigned zone, no policy of any kind", LAB_ENCRYPTED, "DANE-002", .signing = UNSIGNED },
    { "unsigned-servfail", "the name server fails on TLSA in an unsigned zone, which must not hurt", LAB_ENCRYPTED,
      "DANE-025", .signing = UNSIGNED, .tlsa_servfail = true },
    { "null-mx", "a domain that takes no mail", LAB_BOUNCED, "SMTP-132", .mail = NULL_MX },

    /* --- MTA-STS ---------------------------------------------------------------- */
    { "sts-enforce", "a policy in force, and a host that fits it", LAB_VERIFIED, "MTASTS-061",
      .hosts = { { .certificate = { BY_CA } } }, .policy = { "enforce" } },
    { "sts-unsigned", "the same in a zone without signatures", LAB_VERIFIED, "MTASTS-013",
      .signing = UNSIGNED, .hosts = { { .certificate = { BY_CA } } }, .policy = { "enforce" } },
    { "sts-testing", "a policy in testing, and a host that fits it", LAB_ENCRYPTED, "MTASTS-064",
      .hosts = { { .certificate = { BY_CA } } }, .policy = { "testing" } },
    { "sts-testing-fail", "a policy in testing, certificate self-signed: reported, not held", LAB_ENCRYPTED, "MTASTS-064",
      .policy = { "testing" } },
    { "sts-none", "a policy that says none", LAB_ENCRYPTED, "MTASTS-065", .policy = { "none" } },
    { "sts-mx-mismatch", "the host in the MX record is not in the policy", LAB_DEFERRED, "MTASTS-063",
      .hosts = { { .certificate = { BY_CA } } }, .policy = { "enforce", .mx = "other.@" } },
    { "sts-wildcard", "a wildcard in the policy", LAB_VERIFIED, "MTASTS-060",
      .hosts = { { .certificate = { BY_CA } } }, .policy = { "enforce", .mx = "*.@" } },
    { "sts-wildcard-deep", "two labels where the wildcard stands for one", LAB_DEFERRED, "MTASTS-060",
      .hosts = { { "mx.deep.@", .certificate = { BY_CA } } }, .policy = { "enforce", .mx = "*.@" } },
    { "sts-backup", "the first host is not trusted, the second is", LAB_VERIFIED, "MTASTS-063",
      .hosts = { { "mx1.@" }, { "mx2.@", .certificate = { BY_CA } } }, .policy = { "enforce" } },
    { "sts-untrusted-mx", "a self-signed certificate at the mail host", LAB_DEFERRED, "MTASTS-061",
      .policy = { "enforce" } },
    { "sts-expired-mx", "an expired certificate at the mail host", LAB_DEFERRED, "MTASTS-061",
      .hosts = { { .certificate = { BY_CA, .expired = true } } }, .policy = { "enforce" } },
    { "sts-name-mx", "a certificate for another host that the policy covers, too", LAB_DEFERRED, "MTASTS-061",
      .hosts = { { .certificate = { BY_CA, .name = "other.@" } } }, .policy = { "enforce", .mx = "*.@" } },
    { "sts-cn-only", "a certificate whose name is in the common name alone", LAB_DEFERRED, "MTASTS-061",
      .hosts = { { .certificate = { BY_CA, .common_name_only = true } } }, .policy = { "enforce" } },
    { "sts-no-starttls", "STARTTLS is not offered", LAB_DEFERRED, "MTASTS-063",
      .hosts = { { .no_tls = true } }, .policy = { "enforce" }, .reports = "sts-reports" },
    { "sts-reports", "takes TLS reports, and nothing else goes there: a policy in force, and no STARTTLS", LAB_DEFERRED,
      "TLSRPT-077", .hosts = { { .no_tls = true } }, .policy = { "enforce" } },
    { "sts-fetch-404", "the policy is not there", LAB_ENCRYPTED, "MTASTS-022",
      .policy = { "enforce", .answer = WEB_NOT_FOUND } },
    { "sts-fetch-302", "the policy is said to be elsewhere", LAB_ENCRYPTED, "MTASTS-022",
      .policy = { "enforce", .answer = WEB_REDIRECT } },
    { "sts-fetch-stall", "the policy host stops half-way", LAB_ENCRYPTED, "MTASTS-025",
      .policy = { "enforce", .answer = WEB_STALL } },
    { "sts-fetch-html", "the policy comes as text/html", LAB_ENCRYPTED, "MTASTS-024",
      .policy = { "enforce", .answer = WEB_HTML } },
    { "sts-fetch-huge", "the policy has a megabyte", LAB_ENCRYPTED, "MTASTS-025",
      .policy = { "enforce", .answer = WEB_HUGE } },
    { "sts-fetch-endless", "the policy comes in chunks without end", LAB_ENCRYPTED, "MTASTS-031",
      .policy = { "enforce", .answer = WEB_ENDLESS } },
    { "sts-fetch-bad", "the policy is not one: a mode that does not exist", LAB_ENCRYPTED, "MTASTS-042",
      .policy = { "enforce", .answer = WEB_NONSENSE } },
    { "sts-fetch-selfsigned", "the policy host's certificate is self-signed", LAB_ENCRYPTED, "MTASTS-020",
      .policy = { "enforce", .certificate = { BY_ITSELF } } },
    { "sts-fetch-expired", "the policy host's certificate has expired", LAB_ENCRYPTED, "MTASTS-020",
      .policy = { "enforce", .certificate = { BY_CA, .expired = true } } },
    { "sts-fetch-wrong-name", "the policy host's certificate is for another name", LAB_ENCRYPTED, "MTASTS-020",
      .policy = { "enforce", .certificate = { BY_CA, .name = "www.@" } } },
    { "sts-two-records", "two records, so none counts", LAB_ENCRYPTED, "MTASTS-004",
      .policy = { "enforce", .two_records = true } },
    { "sts-ip-mx", "an address where the policy should have a name", LAB_DEFERRED, "MTASTS-045",
      .policy = { "enforce", .mx = "[192.0.2.25]" } },
    { "sts-max-age-0", "a policy that is not to be kept, but holds now", LAB_VERIFIED, "MTASTS-043",
      .hosts = { { .certificate = { BY_CA } } }, .policy = { "enforce", .max_age = "0" } },

    /* --- both ---------------------------------------------------------------------- */
    { "dane-and-sts", "DANE and MTA-STS, both good", LAB_VERIFIED, "PD-07",
      .hosts = { { .tlsa = "3 1 1 leaf", .certificate = { BY_CA } } }, .policy = { "enforce" } },
    { "dane-fail-sts-good", "MTA-STS is content, DANE is not", LAB_DEFERRED, "MTASTS-069",
      .hosts = { { .tlsa = "3 1 1 other", .certificate = { BY_CA } } }, .policy = { "enforce" } },
    { "sts-fail-dane-good", "DANE is content, MTA-STS is not", LAB_DEFERRED, "PD-07",
      .hosts = { { .tlsa = "3 1 1 leaf" } }, .policy = { "enforce" } },

    /* --- neither --------------------------------------------------------------------- */
    { "may", "TLS with a self-signed certificate, no policy", LAB_ENCRYPTED, "PD-E19", .reports = "sts-reports" },
    { "reports", "takes the TLS reports that are meant for the other domains", LAB_VERIFIED, "TLSRPT-073",
      .hosts = { { .tlsa = "3 1 1 leaf" } } },
    { "plain", "no TLS, no policy", LAB_CLEAR, "PD-E02", .hosts = { { .no_tls = true } } },
    { "starttls-454", "STARTTLS is offered, then refused", LAB_CLEAR, "PD-E03",
      .hosts = { { .trouble = ATTACK_REFUSE } } },
    { "starttls-injection", "a reply in clear follows the consent to STARTTLS", LAB_DEFERRED, "PD-E04",
      .hosts = { { .trouble = ATTACK_INJECT } } },
    { "tls-broken", "what follows the consent to STARTTLS is not TLS", LAB_CLEAR, "PD-E05",
      .hosts = { { .trouble = ATTACK_GARBAGE } } },
    { "tls-stall", "nothing follows the consent to STARTTLS", LAB_CLEAR, "PD-E06",
      .hosts = { { .trouble = ATTACK_STALL } } },
    { "tls-old", "nothing newer than TLS 1.0", LAB_CLEAR, "PD-E05", .hosts = { { .old_tls = true } } },

    /* --- what the message asks for ------------------------------------------------------ */
    { "requiretls", "DANE, and the host offers REQUIRETLS", LAB_VERIFIED, "REQTLS-024", .message = "REQUIRETLS",
      .hosts = { { .tlsa = "3 1 1 leaf", .requiretls = true } } },
    { "requiretls-missing", "DANE, and the host does not offer REQUIRETLS", LAB_BOUNCED, "REQTLS-026",
      .message = "REQUIRETLS", .hosts = { { .tlsa = "3 1 1 leaf" } } },
    { "requiretls-clear-only", "REQUIRETLS is offered in clear, and no more under TLS", LAB_BOUNCED, "REQTLS-023",
      .message = "REQUIRETLS", .hosts = { { .tlsa = "3 1 1 leaf", .trouble = ATTACK_KEYWORD } } },
    { "tls-demanding", "the host insists on TLS, and its TLS is broken", LAB_BOUNCED, "REQTLS-051",
      .message = "TLS-Required: No", .hosts = { { .demands_tls = true, .trouble = ATTACK_GARBAGE } } },
};

const size_t lab_case_count = sizeof lab_cases / sizeof *lab_cases;

const char *lab_outcome_name(enum lab_outcome o)
{
    static const char *const names[] = {
        [LAB_VERIFIED] = "delivered verified",
        [LAB_ENCRYPTED] = "delivered encrypted",
        [LAB_CLEAR] = "delivered in clear",
        [LAB_DEFERRED] = "deferred",
        [LAB_BOUNCED] = "bounced",
    };

    return names[o];
}

size_t lab_host_count(const struct lab_case *c)
{
    if (c->mail == NULL_MX)
        return 0;
    return c->hosts[1].name ? 2 : 1;
}

const struct lab_case *lab_case_find(struct slice domain)
{
    static const struct slice suffix = { "." LAB_DOMAIN, sizeof "." LAB_DOMAIN - 1 };

    if (slice_ends_nocase(domain, suffix))
        domain = slice_first(domain, domain.len - suffix.len);
    for (size_t i = 0; i < lab_case_count; i++)
        if (slice_equal_nocase(domain, slice_of(lab_cases[i].domain)))
            return &lab_cases[i];
    return NULL;
}

const char *lab_name(const struct lab_case *c, const char *name, struct arena *arena)
{
    struct slice own = slice_of(name);
    struct slice full;

    if (!slice_empty(own) && own.at[own.len - 1] == '@')
        full = arena_text(arena, "%.*s%s." LAB_DOMAIN, (int)own.len - 1, name, c->domain);
    else
        full = arena_text(arena, "%s." LAB_DOMAIN, name);
    return arena_string(arena, full);
}
