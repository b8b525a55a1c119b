#include "discover/host.h"

enum sts_finding host_sts(const struct sts_view *sts, const char *host, const char **pattern)
{
    const struct sts_policy *policy = sts ? sts->policy : NULL;

    *pattern = NULL;
    if (!policy || policy->mode == STS_MODE_NONE)
        return STS_NONE;
    *pattern = sts_policy_match(policy, host);
    if (policy->mode == STS_MODE_ENFORCE)
        return *pattern ? STS_ENFORCE_MATCH : STS_ENFORCE_MISMATCH;
    return *pattern ? STS_TEST_MATCH : STS_TEST_MISMATCH;
}

static void name_the_names(const struct next_hop *hop, struct host_findings *f)
{
    const struct dane_names_in in = {
        .base = f->base,
        .host = f->host,
        .next_hop = hop->fixed ? NULL : hop->domain,
        .next_hop_canonical = hop->fixed ? NULL : hop->canonical,
        .mx = !hop->fixed && !hop->implicit,
        .mx_secure = hop->mx_secure,
    };

    f->name_count = dane_names(&in, f->names);
}

static enum tlsa_outcome judge_tlsa(const struct host_discovery *d, struct host_findings *f, struct arena *arena)
{
    struct error why = { 0 };

    if (f->tlsa.status == TLSA_ERROR)
        return TLSA_OUT_ERROR;
    if (f->tlsa.status != TLSA_FOUND)
        return TLSA_OUT_NONE;
    f->base = f->tlsa.base;
    if (!dane_records_judge(f->tlsa.records, f->tlsa.count, d->dane, arena, &f->records, &why)) {
        f->tlsa.why = why;
        return TLSA_OUT_ERROR;
    }
    return f->records.usable_count ? TLSA_OUT_USABLE : TLSA_OUT_UNUSABLE;
}

static void look_up(const struct host_discovery *d, const struct tls_rule *rule, const struct next_hop *hop,
                    uint16_t port, struct arena *arena, struct host_findings *f)
{
    enum tlsa_outcome outcome = TLSA_OUT_NONE;
    bool wanted = decide_wants_tlsa(rule, d->decide, hop->mx_secure);

    if (!host_addresses_find(d->resolver, f->host, port, arena, &f->addresses, &f->no_address)) {
        /* A host that has no address is out of reach; only an error says nothing either way (DT-02, -03). */
        bool failed = f->no_address.code == E_DNS || f->no_address.code == E_DNS_BOGUS || f->no_address.code == E_LIMIT;

        f->dane = wanted ? dane_finding_of(hop->mx_secure, failed, TLSA_OUT_NONE, d->decide->insecure_mx) : DANE_NONE;
        return;
    }
    if (wanted) {
        f->tlsa_asked = true;
        tlsa_find(d->resolver, f->host, &f->addresses, port, arena, &f->tlsa);
        outcome = judge_tlsa(d, f, arena);
        f->dane = dane_finding_of(hop->mx_secure, false, outcome, d->decide->insecure_mx);
    }
    name_the_names(hop, f);
}

static void judge_name(const struct host_discovery *d, const struct next_hop *hop, struct host_findings *f)
{
    f->from = (struct name_source){
        .by_operator = hop->fixed,
        .mx = !hop->fixed && !hop->implicit,
        .mx_secure = hop->mx_secure,
        .addresses_secure = f->addresses.secure,
    };
    f->authentic = decide_authentic(d->decide, &f->from, f->sts);
}

void host_discover(const struct host_discovery *d, const struct tls_rule *rule, const struct next_hop *hop,
                   const char *host, uint16_t port, struct arena *arena, struct host_findings *out)
{
    struct address *literal = arena_take(arena, sizeof *literal);

    *out = (struct host_findings){ .host = host, .base = host, .dane = DANE_NONE, .sts = STS_NONE };
    if (!literal) {
        fail(&out->no_address, E_LIMIT, "the DNS answers for %s are too large", host);
        return;
    }
    if (address_parse_ip(slice_of(host), literal)) {
        literal->port = port;
        out->addresses = (struct host_addresses){ .at = literal, .count = 1 };
        out->from.by_operator = out->authentic = hop->fixed;
        return;
    }
    out->is_name = true;
    out->sts = host_sts(hop->sts, host, &out->pattern);
    look_up(d, rule, hop, port, arena, out);
    judge_name(d, hop, out);
}

struct decide_input host_decide_input(const struct host_findings *f, enum mail_need need, bool memory_holds)
{
    return (struct decide_input){
        .need = need,
        .dane = f->dane,
        .tlsa_usable = f->records.usable_count > 0,
        .dane_key = f->tlsa.status == TLSA_FOUND ? decide_dane_key(f->base, f->names, f->name_count, f->records.usable,
                                                                   f->records.usable_count) : 0,
        .sts = f->sts,
        .authentic = f->authentic,
        .memory_holds = memory_holds,
    };
}
