/* `postern explain --json`; docs/explain.md has its fields. See cli/explain.h. */
#include "cli/explain.h"

#include "base/escape.h"

#include <jansson.h>
#include <stdio.h>

/* What strangers published may be no UTF-8: escaped, as in the log. */
static json_t *text_of(struct slice s)
{
    char shown[4096];

    escape_line(s, shown, sizeof shown);
    return json_string(shown);
}

static json_t *text(const char *s)
{
    return text_of(slice_of(s));
}

/* Absent where there is nothing to say. */
static void put_text(json_t *to, const char *key, const char *s)
{
    if (s && s[0])
        json_object_set_new(to, key, text(s));
}

static void put_time(json_t *to, const char *key, time_ms wall)
{
    char date[CLOCK_TEXT_MAX];

    if (wall)
        json_object_set_new(to, key, json_string(clock_iso_date(wall, date)));
}

static void put_truth(json_t *to, const char *key, bool value)
{
    json_object_set_new(to, key, json_boolean(value));
}

static void put_error(json_t *to, const char *key, const struct error *why)
{
    json_t *o;

    if (why->code == E_NONE)
        return;
    o = json_pack("{s:s}", "code", error_name(why->code));
    put_text(o, "text", why->text);
    json_object_set_new(to, key, o);
}

static json_t *messages_of(const struct explanation *e)
{
    json_t *all = json_array();

    for (size_t i = 0; i < e->message_count; i++) {
        const struct explained_message *m = &e->messages[i];
        json_t *o = json_pack("{s:s, s:o, s:i, s:b}", "id", m->id, "recipient", text(m->recipient), "attempts",
                              (int)m->attempts, "held", m->held);

        put_text(o, "status", m->status);
        put_text(o, "why", m->why);
        put_time(o, "arrived", m->arrived);
        put_time(o, "due", m->due);
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *sts_of(const struct explanation *e)
{
    json_t *o = json_pack("{s:s}", "row", e->sts.row);
    const struct sts_policy *p = e->sts.policy;

    put_error(o, "problem", &e->sts.problem);
    put_text(o, "id", e->sts.id);
    if (!p)
        return o;
    json_object_set_new(o, "mode", json_string(sts_mode_name(p->mode)));
    json_object_set_new(o, "max-age", json_integer(p->max_age));
    put_time(o, "fetched", e->sts.fetched);
    put_time(o, "expires", e->sts.expires);
    json_object_set_new(o, "mx", json_array());
    for (size_t i = 0; i < p->mx_count; i++)
        json_array_append_new(json_object_get(o, "mx"), text(p->mx[i]));
    return o;
}

static json_t *memory_of(const struct explanation *e)
{
    const struct memory *m = &e->memory;
    json_t *o = json_pack("{s:I, s:I, s:b, s:b}", "sessions", (json_int_t)m->deliveries, "with-tls",
                          (json_int_t)m->with_tls, "habit", e->habit, "alarm", m->broken != 0);

    put_time(o, "first", m->first);
    put_time(o, "last", m->last);
    put_time(o, "tls-last", m->tls_last);
    put_text(o, "best", m->verdict);
    if (m->broken)
        put_text(o, "what", memory_break_text(m->broken));
    put_time(o, "tls-missing-since", m->alarm);
    return o;
}

/* --- hosts -------------------------------------------------------------------- */

static json_t *addresses_of(const struct host_findings *f)
{
    char shown[ADDRESS_TEXT_MAX];
    json_t *all = json_array();

    for (size_t i = 0; i < f->addresses.count; i++)
        json_array_append_new(all, json_string(address_ip_text(&f->addresses.at[i], shown)));
    return all;
}

static json_t *tlsa_of(const struct host_findings *f)
{
    json_t *o = json_pack("{s:s, s:o, s:[], s:[]}", "status", tlsa_status_name(f->tlsa.status), "base",
                          text(f->base), "asked", "records");
    char shown[TLSA_TEXT_MAX];

    put_error(o, "problem", &f->tlsa.why);
    for (size_t i = 0; i < f->tlsa.asked_count; i++)
        json_array_append_new(json_object_get(o, "asked"),
                              json_pack("{s:o, s:s}", "name", text(f->tlsa.asked[i].owner), "status", f->tlsa.asked[i].status));
    for (size_t i = 0; i < f->records.count; i++)
        json_array_append_new(json_object_get(o, "records"),
                              json_pack("{s:s, s:b, s:s}", "record", tlsa_text(&f->records.all[i].tlsa, shown), "used",
                                        f->records.all[i].use == RECORD_USED, "use",
                                        record_use_name(f->records.all[i].use)));
    return o;
}

static json_t *decision_of(const struct explained_host *h)
{
    static const char *const checks[] = { "dane", "mta-sts", "pkix", "operator", "requiretls" };
    const struct decision *d = &h->decision;
    json_t *o = json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:b, s:[]}", "row", d->row, "send",
                          d->outcome == DECIDED_GO && h->found.addresses.count > 0, "need", mail_need_name(d->input.need),
                          "level", tls_level_name(d->rule->level), "dane", dane_finding_name(d->input.dane), "sts",
                          sts_finding_name(d->input.sts), "held-by", d->held_by ? d->held_by : "", "authentic",
                          d->input.authentic, "checks");

    put_error(o, "why-not", &h->skip);
    if (d->outcome != DECIDED_GO)
        return o;
    put_truth(o, "tls-needed", d->tls_needed);
    put_truth(o, "memory-holds", h->memory_holds);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (d->checks & 1u << i)
            json_array_append_new(json_object_get(o, "checks"), json_string(checks[i]));
    put_truth(o, "clear-text-if-stripped", h->stripped != PLAN_NEXT_HOST);
    put_truth(o, "clear-retry", d->clear_retry);
    return o;
}

static json_t *tls_of(const struct tls_facts *t)
{
    static const char *const dane[] = { "not asked", "match", "no match", "expired", "name" };
    json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:s}", "version", tls_version_name(t->version), "cipher", t->cipher,
                          "chain-trusted", t->trust == TLS_TRUST_PKIX, "name-matches", t->name_matches, "dane",
                          dane[t->dane]);

    put_text(o, "group", t->group);
    put_text(o, "chain-problem", t->trust_problem);
    put_text(o, "dane-problem", t->dane_problem);
    put_text(o, "dane-record", t->dane_record);
    put_text(o, "subject", t->subject);
    put_text(o, "issuer", t->issuer);
    put_text(o, "key", t->key);
    put_text(o, "fingerprint", t->fingerprint);
    put_text(o, "key-fingerprint", t->key_fingerprint);
    put_time(o, "expires", t->not_after);
    return o;
}

static json_t *connection_of(const struct explained_host *h)
{
    json_t *o = json_pack("{s:o, s:b, s:s, s:b, s:[]}", "relay", text(h->relay), "usable", h->usable, "verdict",
                          h->usable ? verdict_name(&h->decision, h->has_tls ? &h->tls : NULL) : "none", "requiretls",
                          h->requiretls, "results");

    put_error(o, "problem", &h->problem);
    put_error(o, "tls-problem", &h->tls_problem);
    if (h->has_tls)
        json_object_set_new(o, "tls", tls_of(&h->tls));
    for (size_t i = 0; i < h->result_count; i++) {
        json_t *r = json_pack("{s:s, s:s}", "policy", policy_type_name(h->results[i].type), "result",
                              h->results[i].success ? "success" : h->results[i].result_type);

        put_text(r, "reason", h->results[i].reason);
        json_array_append_new(json_object_get(o, "results"), r);
    }
    return o;
}

static json_t *host_of(const struct explained_host *h)
{
    json_t *o = json_pack("{s:o, s:o, s:b}", "name", text(h->name), "addresses", addresses_of(&h->found),
                          "addresses-secure", h->found.addresses.secure);

    if (h->preference >= 0)
        json_object_set_new(o, "preference", json_integer(h->preference));
    put_error(o, "no-address", &h->found.no_address);
    if (h->found.addresses.aliased)
        put_text(o, "alias-of", h->found.addresses.canonical);
    if (h->found.tlsa_asked)
        json_object_set_new(o, "tlsa", tlsa_of(&h->found));
    put_text(o, "mx-pattern", h->found.pattern);
    json_object_set_new(o, "decision", decision_of(h));
    if (h->connected)
        json_object_set_new(o, "connection", connection_of(h));
    return o;
}

bool explain_print_json(const struct explanation *e)
{
    char sum[400];
    json_t *o = json_pack("{s:o, s:s, s:s, s:s}", "domain", text(e->domain), "rule", e->rule->name, "level",
                          tls_level_name(e->rule->tls.level), "summary", explain_sum(e, sum));
    bool printed;

    if (e->message_count)
        json_object_set_new(o, "messages", messages_of(e));
    put_error(o, "problem", &e->problem);
    if (e->asked_mx)
        put_truth(o, "mx-secure", e->hop.mx_secure);
    if (e->sts_asked)
        json_object_set_new(o, "mta-sts", sts_of(e));
    if (e->tls_rpt.len)
        json_object_set_new(o, "tls-rpt", text_of(e->tls_rpt));
    if (e->remembered)
        json_object_set_new(o, "memory", memory_of(e));
    put_error(o, "not-remembered", &e->no_store);
    json_object_set_new(o, "hosts", json_array());
    for (size_t i = 0; i < e->host_count; i++)
        json_array_append_new(json_object_get(o, "hosts"), host_of(&e->hosts[i]));
    printed = json_dumpf(o, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
    json_decref(o);
    return printed;
}
