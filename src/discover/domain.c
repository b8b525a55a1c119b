#include "discover/domain.h"

enum { TTL_OF_ABSENCE = 300 };      /* the library does not say how long a name's absence may be kept */

static bool ask_for_hosts(const struct domain_discovery *d, const struct domain_question *q, struct arena *arena,
                          struct domain_findings *f, const char ***names)
{
    struct mail_hosts hosts;
    struct address literal;

    *names = NULL;
    f->hop = (struct next_hop){ .domain = q->name, .canonical = q->name };
    if (q->fixed || address_parse_ip(slice_of(q->name), &literal)) {
        f->hop.fixed = f->hop.mx_secure = q->fixed;
        *names = arena_take(arena, sizeof **names);
        if (*names)
            **names = q->name;
        f->count = *names ? 1 : 0;
        return *names != NULL;
    }
    if (!mail_hosts_find(d->host.resolver, q->name, 0, arena, &hosts, &f->problem))
        return false;
    f->hop = (struct next_hop){ .domain = q->name, .canonical = hosts.domain, .mx_secure = hosts.secure,
                                .implicit = hosts.implicit };
    f->ttl = hosts.ttl;
    *names = arena_take(arena, hosts.count * sizeof **names);
    for (size_t i = 0; *names && i < hosts.count; i++)
        (*names)[i] = hosts.hosts[i].name;
    f->count = *names ? hosts.count : 0;
    return *names != NULL;
}

static void ask_for_policy(const struct domain_discovery *d, const struct tls_rule *rule, const struct domain_question *q,
                           struct arena *arena, struct domain_findings *f)
{
    struct address literal;

    if (!d->sts || rule->no_sts || q->fixed || address_parse_ip(slice_of(q->name), &literal))
        return;
    sts_find(d->sts, q->name, false, arena, &f->sts);
    f->hop.sts = &f->sts;
}

static void count_ttl(struct domain_findings *f, const struct host_findings *host)
{
    uint32_t ttl = f->ttl;

    if (!host->is_name)
        return;
    if (host->no_address.code != E_NONE)
        ttl = TTL_OF_ABSENCE;
    else if (host->tlsa_asked && host->tlsa.ttl < host->addresses.ttl)
        ttl = host->tlsa.ttl;
    else
        ttl = host->addresses.ttl;
    if (ttl < f->ttl)
        f->ttl = ttl;
}

/* Whoever did not come to look knows as little as if the lookup had failed (DT-02). */
static void leave_out(struct domain_findings *f, const char *name, struct host_findings *host)
{
    *host = (struct host_findings){ .host = name, .base = name, .is_name = true, .dane = DANE_FAIL };
    host->sts = host_sts(f->hop.sts, name, &host->pattern);
    fail(&host->no_address, E_DNS, "%s was not looked up in time", name);
    f->cut = true;
}

void domain_discover(const struct domain_discovery *d, const struct tls_rule *rule, const struct domain_question *q,
                     time_ms deadline, struct arena *arena, struct domain_findings *out)
{
    const char **names;

    *out = (struct domain_findings){ .ttl = UINT32_MAX };
    if (!ask_for_hosts(d, q, arena, out, &names) && out->problem.code == E_NONE)
        fail(&out->problem, E_LIMIT, "the DNS answers for %s are too large", q->name);
    if (!error_is_final(out->problem.code) && out->problem.code != E_NONE && out->problem.code != E_NO_USABLE_HOST)
        return;
    ask_for_policy(d, rule, q, arena, out);
    out->hosts = arena_take(arena, out->count * sizeof *out->hosts);
    if (!out->hosts) {
        out->count = 0;
        fail(&out->problem, E_LIMIT, "the DNS answers for %s are too large", q->name);
        return;
    }
    for (size_t i = 0; i < out->count; i++) {
        if (clock_now() >= deadline)
            leave_out(out, names[i], &out->hosts[i]);
        else
            host_discover(&d->host, rule, &out->hop, names[i], q->port, arena, &out->hosts[i]);
        count_ttl(out, &out->hosts[i]);
    }
}

bool domain_must_wait(const struct domain_findings *f, struct error *why)
{
    if (f->problem.code == E_DNS || f->problem.code == E_DNS_BOGUS || f->problem.code == E_LIMIT) {
        *why = f->problem;
        return true;
    }
    if (!f->sts.defer)
        return false;
    *why = f->sts.problem;
    if (why->code == E_NONE)
        fail(why, E_STS_FETCH, "the kept policies cannot be read");
    blame(why, "whether %s has an MTA-STS policy is not known", f->hop.domain);
    return true;
}

time_ms domain_keep(const struct domain_findings *f, time_ms wall)
{
    time_ms keep = f->problem.code == E_NONE ? SECONDS(f->ttl) : SECONDS(TTL_OF_ABSENCE);
    struct error why;

    if (domain_must_wait(f, &why))
        return 0;
    for (size_t i = 0; i < f->count; i++)
        if (f->hosts[i].dane == DANE_FAIL)
            keep = DOMAIN_KEEP_LEAST;
    if (f->sts.unknown)
        keep = DOMAIN_KEEP_LEAST;
    if (keep > DOMAIN_KEEP_MOST)
        keep = DOMAIN_KEEP_MOST;
    if (keep < DOMAIN_KEEP_LEAST)
        keep = DOMAIN_KEEP_LEAST;
    if (f->sts.policy && f->sts.expires > 0 && keep > f->sts.expires - wall)
        keep = f->sts.expires > wall ? f->sts.expires - wall : 0;
    return keep;
}
