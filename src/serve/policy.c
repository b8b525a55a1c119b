#include "serve/policy.h"

#include "base/log.h"
#include "base/memory.h"
#include "postfix/collector.h"
#include "postfix/map_server.h"
#include "serve/clerk.h"
#include "serve/knowledge.h"
#include "serve/recorder.h"
#include "serve/worker.h"

enum {
    LOOK_MS = 40 * 1000,            /* a next hop is looked at for so long; then what is found decides */
    TROUBLE_MS = 5 * 1000,          /* who is told to come again need not be looked up for each that asks */
};

struct policy_desk {
    const struct policy_start *start;
    struct resolver *resolver;
    struct clerk *clerk;
    struct recorder *recorder;
    struct knowledge *knowledge;
    struct map_server *maps;
    struct collector *collector;
    bool draining, finished;
};

/* --- what Postfix asks -------------------------------------------------------------- */

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" as in a recipient, however it is spelt; or without the brackets. */
static bool is_rule_of(const struct routing_rule *rule, const struct address *a)
{
    struct slice name = slice_of(rule->name);
    struct address its;

    if (name.at[0] == '[')
        name = slice(name.at + 1, name.len - 2);
    if (slice_starts_nocase(name, SLICE("IPv6:")))
        name = slice_after(name, 5);
    return address_parse_ip(name, &its) && address_same_ip(&its, a);
}

static const struct routing_rule *rule_of(const struct config *c, const struct map_key *key)
{
    struct address a;

    if (key->kind == MAP_KEY_ADDRESS && address_parse_ip(slice_of(key->name), &a))
        for (size_t i = 0; i < c->rule_count; i++)
            if (is_rule_of(c->rules[i], &a))
                return c->rules[i];
    return routing_find(&c->routing, slice_of(key->name));
}

static time_ms find(void *self, const struct map_key *key, struct arena *arena, struct verdict *out)
{
    const struct policy_desk *d = self;
    const struct config *c = d->start->config;
    const struct routing_rule *rule = rule_of(c, key);
    const struct domain_discovery discovery = { { d->resolver, &c->decide, &c->dane }, knowledge_sts(d->knowledge) };
    const struct domain_question question = { key->name, key->kind == MAP_KEY_HOST, key->port };
    const struct verdict_terms terms = { &rule->tls, strcmp(rule->name, "default") != 0, &c->decide };
    struct domain_findings found;

    domain_discover(&discovery, &rule->tls, &question, clock_now() + LOOK_MS, arena, &found);
    verdict_of(&found, &terms, arena, out);
    return out->status == MAP_TRY_LATER ? TROUBLE_MS : domain_keep(&found, clock_wall());
}

/* --- what it tells ------------------------------------------------------------------- */

static uint64_t policy_id(void *self, const struct report_policy *p)
{
    const struct policy_desk *d = self;

    return recorder_policy(d->recorder, p);
}

static void count_result(void *self, const struct report_tally *t)
{
    const struct policy_desk *d = self;

    recorder_result(d->recorder, t, 1);
}

/* --- the end ---------------------------------------------------------------------------- */

static void finish_if_drained(void *self)
{
    struct policy_desk *d = self;

    if (!d->draining || d->finished || map_server_is_busy(d->maps))
        return;
    knowledge_stop(d->knowledge);
    if (knowledge_is_busy(d->knowledge))
        return;
    d->finished = true;
    clerk_finish(d->clerk);
}

static void drain(void *self, bool hurry)
{
    struct policy_desk *d = self;

    if (!d->draining && d->collector) {
        collector_drain(d->collector);
        collector_free(d->collector);
        d->collector = NULL;
    }
    d->draining = true;
    map_server_drain(d->maps, hurry);
    finish_if_drained(d);
}

static void policy_changed(void *self, const char *domain)
{
    const struct policy_desk *d = self;

    map_server_forget(d->maps, domain);
}

static void changed(void *self, uint8_t kind, const char *key)
{
    struct policy_desk *d = self;

    knowledge_changed(d->knowledge, kind, key);
    if (kind == NOTE_STS)
        map_server_forget(d->maps, key[0] ? key : NULL);
}

static const struct clerk_orders orders = { drain, changed };

/* --- life --------------------------------------------------------------------------------- */

static bool set_up(struct policy_desk *d, struct error *why)
{
    const struct config *c = d->start->config;
    const struct map_finder finder = { find, d };
    struct map_settings settings = map_default_settings;

    d->resolver = resolver_new(&c->resolver, why);
    if (!d->resolver)
        return blame(why, "the resolver cannot be set up");
    if (!resolver_validates(d->resolver))
        log_say(LOG_LEVEL_WARNING, "dns.unvalidated", NULL, "no trust anchor: no DNS answer counts as secure; "
                "install dns-root-data or set dns { trust-anchor = FILE }");
    d->clerk = clerk_new(d->start->control_fd, &orders, d);
    d->knowledge = knowledge_on(c, d->resolver, clerk_scribe(d->clerk), finish_if_drained, d, why);
    if (!d->knowledge)
        return blame(why, "MTA-STS policies cannot be fetched");
    d->recorder = recorder_new(clerk_scribe(d->clerk), NULL, c->facts.keep);
    knowledge_tell(d->knowledge, d->recorder);
    knowledge_watch(d->knowledge, policy_changed, d);
    settings.reported = c->postfix.tlsrpt_attributes;
    settings.port = c->delivery.port;
    d->maps = map_server_new(&settings, &finder, finish_if_drained, d);
    return true;
}

static void open_doors(struct policy_desk *d)
{
    const struct config *c = d->start->config;
    const struct datagram_reader reader = { policy_id, count_result, d };

    for (size_t i = 0; i < c->postfix.socketmap_count; i++)
        map_server_listen(d->maps, d->start->socketmap_fds[i], MAP_SOCKETMAP);
    for (size_t i = 0; i < c->postfix.tcp_table_count; i++)
        map_server_listen(d->maps, d->start->tcp_table_fds[i], MAP_TCP_TABLE);
    if (d->start->tlsrpt_fd >= 0)
        d->collector = collector_new(d->start->tlsrpt_fd, &reader);
}

int policy_run(const struct policy_start *start)
{
    struct policy_desk d = { .start = start };
    struct error why = { 0 };

    if (!set_up(&d, &why)) {
        log_say(LOG_LEVEL_ERROR, "postfix.unusable", &why, "Postfix cannot be answered");
        return WORKER_CANNOT_START;
    }
    open_doors(&d);
    worker_ready();
    loop_run();
    collector_free(d.collector);
    map_server_free(d.maps);
    recorder_free(d.recorder);
    knowledge_free(d.knowledge);
    resolver_free(d.resolver);
    clerk_free(d.clerk);
    return WORKER_DONE;
}
