#include "deliver/attempt.h"

#include "base/log.h"

#include <stdio.h>

enum { ADDRESSES_MAX = 8 };     /* of one host, tried in a row */

enum mail_need attempt_need(const struct envelope *e)
{
    switch (e->tls) {
    case TLS_AS_USUAL:
        break;
    case TLS_REQUIRED:
        return e->sender[0] ? NEED_REQUIRETLS : NEED_REQUIRETLS_NULL;
    case TLS_OPTIONAL:
    case TLS_REPORT:
        return NEED_TLS_OPTIONAL;
    }
    return NEED_STANDARD;
}

void attempt_failed(struct attempt *a, const struct error *why)
{
    const char *host = a->courier->session.shown;
    struct delivery *d = a->delivery;

    outcomes_fail(a->outcomes, d->lease.envelope.count, why,
                  host[0] ? arena_string(&d->arena, slice_of(host)) : NULL, &d->arena);
    a->round->why = *why;
}

/* --- the next hop ---------------------------------------------------------- */

bool attempt_is_last(const struct retry_rule *retry, const struct envelope *e)
{
    return clock_wall() - e->arrived >= (bounce_is_pointless(e) ? retry->give_up_bounce : retry->give_up);
}

bool attempt_learn(struct attempt *a)
{
    const struct deliverer_settings *s = a->courier->settings;
    const struct delivery_house *house = a->courier->house;
    struct address literal;
    struct error why = { 0 };

    if (a->learned) {
        a->hop.sts = a->sts.row ? &a->sts : NULL;
        return true;
    }
    if (house->recall && s->memory.mode != MEMORY_OFF && !house->recall(a->courier->self, a->hop.domain, &a->memory)) {
        fail(&why, E_STORAGE, "the store does not say what is remembered of %s", a->hop.domain);
        a->all_definitive = false;
        attempt_failed(a, &why);
        return false;
    }
    a->learned = true;
    if (!s->sts || a->rule->tls.no_sts || address_parse_ip(slice_of(a->hop.domain), &literal))
        return true;
    sts_find(s->sts, a->hop.domain, attempt_is_last(&s->retry, &a->delivery->lease.envelope), &a->delivery->arena,
             &a->sts);
    a->hop.sts = &a->sts;
    if (!a->sts.defer || a->need == NEED_TLS_OPTIONAL)
        return true;
    why = a->sts.problem;
    blame(&why, "whether %s has an MTA-STS policy cannot be told", a->hop.domain);
    a->all_definitive = false;
    attempt_failed(a, &why);
    return false;
}

/* --- memory ------------------------------------------------------------------ */

static void log_alarm(const struct courier *c, const char *next_hop, unsigned breaks)
{
    const struct session *s = &c->session;

    if (breaks && c->house->alarm)
        c->house->alarm(c->self, next_hop, s->shown, breaks);
    for (unsigned bit = 1; bit <= BREAK_HOSTS; bit <<= 1) {
        if (breaks & bit) {
            struct log_line l = log_begin(LOG_LEVEL_WARNING, "memory.alarm");

            log_text(&l, "next-hop", next_hop);
            log_text(&l, "relay", s->shown);
            log_text(&l, "what", memory_break_text(bit));
            log_end(&l);
        }
    }
}

/* What is remembered is read again right before: others may have written since. */
static void remember(struct courier *c, const char *next_hop, const struct memory_sight *sight)
{
    struct memory m = { 0 };

    if (!c->house->recall || !c->house->remember || c->settings->memory.mode == MEMORY_OFF)
        return;
    /* A TLS report goes whatever TLS does (RFC 8460 3): that it went in clear must not undo a habit, nor start its alarm. */
    if (c->own_report && !sight->tls)
        return;
    if (!c->house->recall(c->self, next_hop, &m))
        return;
    log_alarm(c, next_hop, memory_see(&m, &c->settings->memory, sight));
    if (m.deliveries > 0)       /* where mail never went there is no habit to come */
        c->house->remember(c->self, next_hop, &m);
}

static struct memory_sight sight_of(const struct attempt *a, const struct host_findings *f)
{
    const struct courier *c = a->courier;
    bool tlsa_known = f->tlsa_asked && f->tlsa.status != TLSA_ERROR;

    return (struct memory_sight){
        .wall = clock_wall(),
        .host = c->session.host,
        .address = c->session.lacking_at,
        .lacking = c->session.lacking,
        .verdict = "none",
        .sts_enforced = a->sts.policy && a->sts.policy->mode == STS_MODE_ENFORCE,
        .tlsa_usable = f->records.usable_count > 0,
        .sts_known = a->hop.sts && a->sts.txt != STS_TXT_ERROR,
        .tlsa_known = tlsa_known,
        .sts_withdrawn = a->sts.policy && a->sts.policy->mode != STS_MODE_ENFORCE,
    };
}

/* --- facts --------------------------------------------------------------------- */

static bool tlsa_policy(const struct host_findings *f, struct arena *arena, struct report_policy *out)
{
    struct tlsa *all = arena_take(arena, (f->records.count + 1) * sizeof *all);

    for (size_t i = 0; all && i < f->records.count; i++)
        all[i] = f->records.all[i].tlsa;
    return all && report_policy_of_tlsa(f->base, all, f->records.count, arena, out);
}

/* The policies that the decision goes by, as reports quote them. */
static void note_policies(const struct attempt *a, const struct host_findings *f)
{
    struct courier *c = a->courier;
    struct arena *arena = &a->delivery->arena;
    struct report_policy p;

    memset(c->policies, 0, sizeof c->policies);
    c->policies[POLICY_NONE_FOUND] = REPORT_POLICY_NONE;
    if (!c->house->policy)
        return;
    /* The operator may ask for DANE where there are no records: that is reported as well (PD-G5). */
    if ((f->dane != DANE_NONE || a->rule->tls.level == TLS_LEVEL_DANE_ONLY) && tlsa_policy(f, arena, &p))
        c->policies[POLICY_TLSA] = c->house->policy(c->self, &p);
    if (f->sts != STS_NONE && a->sts.policy &&
        report_policy_of_sts(a->hop.domain, a->sts.text, a->sts.policy->mx, a->sts.policy->mx_count, arena, &p))
        c->policies[POLICY_STS] = c->house->policy(c->self, &p);
}

static struct fact fact_of(const struct courier *c, const struct decision *d, const char *next_hop,
                           const struct tls_facts *tls, const struct error *why)
{
    const struct session *s = &c->session;

    struct fact f = {
        .wall = clock_wall(),
        .next_hop = next_hop,
        .host = s->host,
        .relay = s->shown,
        .decision = *d,
        .how = why->code,
        .why = why->text,
        .tls_problem = s->tls_problem.code,
        .starttls_code = s->starttls_code,
        .starttls_missing = s->starttls_missing,
        .keyword = tls && s->smtp.peer.requiretls,
        .tls = tls,
        .own_report = c->own_report,
        .sending_ip = s->ends.from,
        .receiving_ip = s->ends.to,
        .helo = s->ends.helo,
    };

    memcpy(f.policies, c->policies, sizeof f.policies);
    return f;
}

static void tell(const struct courier *c, const struct fact *f)
{
    if (c->house->tell)
        c->house->tell(c->self, f);
}

void courier_close(struct courier *c, bool polite)
{
    static const struct error fine;
    struct session *s = &c->session;

    if (session_is_open(s)) {
        struct fact f = fact_of(c, &s->held, c->next_hop, session_tls(s), &fine);

        f.messages = c->accepted;
        if (c->accepted) {
            c->sight.wall = f.wall;
            c->sight.delivered = true;
            c->sight.tls = session_tls(s);
            c->sight.verdict = verdict_name(&s->held, session_tls(s));
            remember(c, c->next_hop, &c->sight);
        }
        tell(c, &f);
    }
    session_close(s, polite);
    c->accepted = 0;
}

/* --- one host --------------------------------------------------------------------- */

/* What is final for one host is not yet final for the mail. */
static void host_failed(struct attempt *a, const struct decision *d, struct error *why)
{
    bool definitive = d && decide_is_definitive(d, why->code) && !a->courier->session.some_unasked;

    if (!definitive)
        a->all_definitive = false;
    if (why->code == E_REQUIRETLS_MISSING || why->code == E_REQUIRETLS_NO_TLS) {
        a->keyword_missing |= why->code == E_REQUIRETLS_MISSING;
        why->code = E_REQUIRETLS_UNMET;
    } else if (error_is_final(why->code)) {
        why->code = E_HOST_REFUSES;     /* only an answer to the message itself is final */
    }
    attempt_failed(a, why);
}

static bool no_address(struct attempt *a, const struct host_findings *f)
{
    struct error why = f->no_address;

    /* A host without an address says nothing about its domain (SMTP-123): there may be others. */
    if (error_is_final(why.code))
        why.code = E_NO_USABLE_HOST;
    a->all_definitive = false;
    attempt_failed(a, &why);
    return false;
}

static void skipped(struct attempt *a, const struct decision *d, const struct host_findings *f, struct error *why)
{
    struct fact fact = fact_of(a->courier, d, a->hop.domain, NULL, why);

    if (why->code == E_TLSA_LOOKUP && f->tlsa.why.code != E_NONE)
        *why = f->tlsa.why;
    fact.how = why->code;
    blame(why, "%s", f->host);
    fact_log(&fact);
    tell(a->courier, &fact);
    /* Whether the name can be trusted is not known while the policy is not: that is no answer (REQTLS-027). */
    if (why->code == E_REQUIRETLS_MISSING && a->hop.sts && a->sts.unknown)
        why->code = E_REQUIRETLS_UNMET;
    host_failed(a, d, why);
}

bool attempt_is_about_the_network(enum error_code code)
{
    return code == E_CONNECT || code == E_TIMEOUT || code == E_CLOSED;
}

/* Nobody else asks for TLS: then the operator should read what memory goes by. */
static void add_what_is_remembered(const struct attempt *a, const struct decision *d, struct error *why)
{
    const struct error seen = *why;

    if (a->held.code != E_NONE && a->courier->sight.tls_missing && strcmp(d->held_by, "memory") == 0)
        fail(why, seen.code, "%s; %s", seen.text, a->held.text);
}

static bool open_session(struct attempt *a, const struct decision *d, const struct host_findings *f, bool *stop)
{
    struct courier *c = a->courier;
    struct session *s = &c->session;
    struct session_target target = {
        .found = f,
        .addresses = f->addresses.at,
        .address_count = f->addresses.count < ADDRESSES_MAX ? f->addresses.count : ADDRESSES_MAX,
        .implicit_tls = a->rule->route.kind == ROUTE_SMTP && a->rule->route.implicit_tls,
        .decision = d,
        .waited = clock_wall() - a->delivery->lease.envelope.arrived,
    };
    struct error why = { 0 };
    bool opened = session_open(&c->settings->session, &target, s, &why);
    struct fact fact = fact_of(c, d, a->hop.domain, s->handshaken ? &s->seen : NULL, &why);

    c->sight = sight_of(a, f);
    c->sight.tls_missing = opened ? d->tls_tried && !session_tls(s) : s->lacking > 0;
    c->sight.tls = opened ? session_tls(s) : NULL;
    fact.tls = opened ? session_tls(s) : fact.tls;
    if (c->sight.tls_missing || (c->sight.tls && a->memory.broken & BREAK_TLS))
        remember(c, a->hop.domain, &c->sight);      /* what comes of the session is not waited for */
    fact_log(&fact);
    if (opened) {
        snprintf(c->next_hop, sizeof c->next_hop, "%s", a->hop.domain);
        c->named_by = f->from;
        c->only_address = a->only_host && f->addresses.count == 1;
        return true;
    }
    s->some_unasked |= target.address_count < f->addresses.count;
    tell(c, &fact);
    add_what_is_remembered(a, d, &why);
    if (a->need == NEED_STANDARD || attempt_is_about_the_network(why.code))
        a->round->broke = true;         /* else the next message may fare better */
    *stop = why.code == E_CANCELLED;
    host_failed(a, d, &why);
    return false;
}

bool attempt_open(struct attempt *a, const char *host, uint16_t port, bool *stop)
{
    struct courier *c = a->courier;
    const struct deliverer_settings *s = c->settings;
    const struct host_discovery discovery = { s->resolver, &s->decide, &s->dane };
    struct host_findings *found = arena_take(&a->delivery->arena, sizeof *found);
    struct decide_input input;
    struct decision d;
    struct error why = { 0 };
    bool holds;

    a->asked = true;
    a->held = why;
    c->own_report = a->delivery->lease.envelope.tls == TLS_REPORT;
    c->session = (struct session){ 0 };
    snprintf(c->session.shown, sizeof c->session.shown, "%s", host);
    snprintf(c->session.host, sizeof c->session.host, "%s", host);
    if (!found) {
        fail(&why, E_LIMIT, "the DNS answers for %s are too large", a->hop.domain);
        host_failed(a, NULL, &why);
        return false;
    }
    host_discover(&discovery, &a->rule->tls, &a->hop, host, port, &a->delivery->arena, found);
    if (found->addresses.count == 0)
        return no_address(a, found);
    note_policies(a, found);
    holds = memory_holds(&a->memory, &s->memory, clock_wall(), a->only_host && found->addresses.count == 1, &a->held);
    input = host_decide_input(found, a->need, holds);
    d = decide(&a->rule->tls, &s->decide, &input, &why);
    if (d.outcome != DECIDED_GO) {
        skipped(a, &d, found, &why);
        return false;
    }
    return open_session(a, &d, found, stop);
}

void attempt_over(struct attempt *a)
{
    struct error why = { 0 };

    if (!a->asked || a->hosts_left > 0 || !a->all_definitive ||
        outcomes_open(a->outcomes, a->delivery->lease.envelope.count) == 0)
        return;
    decide_after_last_host(a->need, a->keyword_missing, &a->round->why, &why);
    if (why.code != E_NONE)
        attempt_failed(a, &why);
}

/* A policy may have become known, or changed, since the session was opened. */
static struct decide_input input_of_now(const struct attempt *a)
{
    const struct courier *c = a->courier;
    const struct deliverer_settings *s = c->settings;
    struct decide_input input = c->session.held.input;
    struct address literal;
    const char *pattern;

    input.need = a->need;
    input.memory_holds = memory_holds(&a->memory, &s->memory, clock_wall(), c->only_address, NULL);
    if (address_parse_ip(slice_of(c->session.host), &literal))
        return input;
    input.sts = host_sts(a->hop.sts, c->session.host, &pattern);
    input.authentic = decide_authentic(&s->decide, &c->named_by, input.sts);
    return input;
}

bool attempt_may_reuse(struct attempt *a, bool *stop)
{
    struct courier *c = a->courier;
    bool may;
    struct decide_input input;
    struct decision d;

    a->hop = (struct next_hop){ .domain = c->next_hop, .canonical = c->next_hop };
    *stop = !attempt_learn(a);
    if (*stop || !session_is_open(&c->session))
        return false;
    input = input_of_now(a);
    d = decide(&a->rule->tls, &c->settings->decide, &input, NULL);
    may = session_may_carry(&c->session, &d, clock_wall() - a->delivery->lease.envelope.arrived);
    if (may && a->delivery->lease.envelope.tls != TLS_REPORT)
        c->own_report = false;      /* from now on it is a session like others, and is counted */
    return may;
}
