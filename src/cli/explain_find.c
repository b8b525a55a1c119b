/* Finding out what decides over mail to a domain; see cli/explain.h. */
#include "cli/explain.h"

#include "dns/text.h"
#include "run/fiber.h"
#include "serve/asking.h"

#include <stdio.h>

/* --- what the running postern keeps -------------------------------------------- */

static enum sts_recall recall_policy(void *self, const char *domain, struct arena *arena, struct slice *value)
{
    struct error why = { 0 };
    struct note note;

    if (!asking_note(self, NOTE_STS, domain, arena, &note, &why))
        return why.code == E_NOT_FOUND ? STS_NOTHING_KEPT : STS_RECALL_FAILED;
    *value = note.value;
    return STS_RECALLED;
}

/* Explaining changes nothing: what is fetched for it is not kept. */
static const struct sts_house with_store = { .recall = recall_policy }, without_store = { 0 };

static void recall_memory(struct explanation *e, struct asking *store)
{
    struct error why = { 0 };
    struct note note;

    if (!store)
        return;
    e->remembered = asking_note(store, NOTE_MEMORY, e->hop.domain, &e->arena, &note, &why) &&
                    memory_decode(note.value, &e->memory);
    e->habit = e->remembered && memory_has_habit(&e->memory, &e->config->memory, clock_wall());
}

/* --- policies -------------------------------------------------------------------- */

static void find_sts(struct explanation *e, const struct explain_tools *tools)
{
    const struct config *c = e->config;
    struct sts_settings settings = { .resolver = tools->resolver, .https = tools->https, .port = c->sts.port,
        .patience = c->sts.fetch_time, .fetch_time = c->sts.fetch_time, .defer_on_error = c->sts.defer_on_error,
        .pins = c->sts.pins, .pin_count = c->sts.pin_count };
    struct sts_engine *engine;
    struct address literal;

    if (!tools->https || e->rule->tls.no_sts || address_parse_ip(slice_of(e->hop.domain), &literal))
        return;
    engine = sts_engine_new(&settings, tools->store ? &with_store : &without_store, tools->store);
    sts_find(engine, e->hop.domain, false, &e->arena, &e->sts);
    e->sts_asked = true;
    e->hop.sts = &e->sts;
    sts_engine_stop(engine);
    while (sts_engine_busy(engine) > 0)
        fiber_sleep_until(clock_now() + 10);
    sts_engine_free(engine);
}

/* RFC 8460 3: shown because who asks "why" often asks "who was told" next. */
static void find_tls_rpt(struct explanation *e, struct resolver *r)
{
    struct text_records texts;
    struct dns_answer answer;
    char name[DNS_NAME_MAX];

    snprintf(name, sizeof name, "_smtp._tls.%s", e->hop.domain);
    if (!dns_name_valid(name))
        return;
    resolver_ask(r, name, DNS_TXT, &e->arena, &answer);
    if (answer.status != DNS_FOUND || !text_records_from(&answer, &e->arena, &texts))
        return;
    for (size_t i = 0; i < texts.count; i++)
        if (slice_starts(texts.at[i], SLICE("v=TLSRPTv1")))
            e->tls_rpt = texts.at[i];
}

/* --- hosts ------------------------------------------------------------------------- */

static bool literal_of(const char *domain, struct arena *arena, const char **host)
{
    struct slice text = slice_of(domain);

    if (text.len < 3 || text.at[0] != '[')
        return false;
    text = slice(text.at + 1, text.len - 2);
    if (slice_starts_nocase(text, SLICE("IPv6:")))
        text = slice_after(text, 5);
    *host = arena_string(arena, text);
    return true;
}

static bool one_host(struct explanation *e, const char *name)
{
    e->hosts = arena_take(&e->arena, sizeof *e->hosts);
    if (!e->hosts)
        return false;
    e->hosts[0] = (struct explained_host){ .name = name, .preference = -1 };
    e->host_count = 1;
    return true;
}

static bool find_hosts(struct explanation *e, struct resolver *r)
{
    const struct route *route = &e->rule->route;
    struct mail_hosts hosts;
    const char *literal;

    if (route->kind == ROUTE_SMTP) {
        e->hop = (struct next_hop){ .domain = route->host, .canonical = route->host, .fixed = true, .mx_secure = true };
        return one_host(e, route->host);
    }
    e->hop = (struct next_hop){ .domain = e->domain, .canonical = e->domain };
    if (literal_of(e->domain, &e->arena, &literal)) {
        e->hop.domain = e->hop.canonical = literal;
        return one_host(e, literal);
    }
    if (!mail_hosts_find(r, e->domain, 0, &e->arena, &hosts, &e->problem))
        return false;
    e->asked_mx = true;
    e->hop = (struct next_hop){ .domain = e->domain, .canonical = hosts.domain, .mx_secure = hosts.secure,
                                .implicit = hosts.implicit };
    e->hosts = arena_take(&e->arena, hosts.count * sizeof *e->hosts);
    for (; e->hosts && e->host_count < hosts.count; e->host_count++)
        e->hosts[e->host_count] = (struct explained_host){ .name = hosts.hosts[e->host_count].name,
            .preference = hosts.implicit ? -1 : hosts.hosts[e->host_count].preference };
    return e->hosts != NULL;
}

static void decide_for(struct explanation *e, struct explained_host *h, struct resolver *r)
{
    const struct config *c = e->config;
    const struct host_discovery discovery = { r, &c->decide, &c->dane };
    uint16_t port = e->rule->route.kind == ROUTE_SMTP ? e->rule->route.port : c->delivery.port;
    struct decide_input input;

    host_discover(&discovery, &e->rule->tls, &e->hop, h->name, port, &e->arena, &h->found);
    h->memory_holds = memory_holds(&e->memory, &c->memory, clock_wall(),
                                   e->host_count == 1 && h->found.addresses.count == 1, NULL);
    input = host_decide_input(&h->found, e->need, h->memory_holds);
    h->decision = decide(&e->rule->tls, &c->decide, &input, &h->skip);
    if (h->found.tlsa.status == TLSA_ERROR && h->skip.code == E_TLSA_LOOKUP)
        h->skip = h->found.tlsa.why;
    if (h->decision.outcome == DECIDED_GO)
        h->stripped = decide_plan(&h->decision, false, &h->stripped_why);
}

/* --- --connect: up to where MAIL could be said ---------------------------------------- */

static void note_session(struct explained_host *h, const struct session *s)
{
    const struct decide_event event = { h->problem.code, s->tls_problem.code, h->problem.text, s->starttls_code,
                                        s->handshaken ? &s->seen : NULL };

    snprintf(h->relay, sizeof h->relay, "%s", s->shown);
    h->tls_problem = s->tls_problem;
    h->has_tls = s->handshaken;
    h->tls = s->seen;
    h->requiretls = h->usable && session_tls(s) && s->smtp.peer.requiretls;
    h->result_count = decide_results(&h->decision, &event, h->results);
}

static void connect_to(struct explanation *e, struct explained_host *h, const struct tls_client *tls)
{
    const struct config *c = e->config;
    struct dial_settings dialling = { .connect_timeout = c->delivery.connect_timeout, .stagger = 250 };
    struct session_settings settings = { c->hostname, &smtp_client_times, &dialling, tls };
    struct session_target target = {
        .found = &h->found,
        .addresses = h->found.addresses.at,
        .address_count = h->found.addresses.count,
        .implicit_tls = e->rule->route.kind == ROUTE_SMTP && e->rule->route.implicit_tls,
        .decision = &h->decision,
    };
    struct session session = { 0 };

    if (h->decision.outcome != DECIDED_GO || h->found.addresses.count == 0)
        return;
    h->connected = true;
    h->usable = session_open(&settings, &target, &session, &h->problem);
    if (h->usable)
        h->problem = (struct error){ 0 };       /* what was passed over on the way is in tls_problem */
    note_session(h, &session);
    session_close(&session, true);
}

void explain_find_out(struct explanation *e, const struct explain_tools *tools)
{
    if (!find_hosts(e, tools->resolver))
        return;
    recall_memory(e, tools->store);
    find_sts(e, tools);
    find_tls_rpt(e, tools->resolver);
    for (size_t i = 0; i < e->host_count; i++)
        decide_for(e, &e->hosts[i], tools->resolver);
    for (size_t i = 0; tools->tls && i < e->host_count; i++)
        connect_to(e, &e->hosts[i], tools->tls);
}
