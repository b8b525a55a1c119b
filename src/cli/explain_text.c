/* `postern explain`, for people; see cli/explain.h. */
#include "cli/explain.h"
#include "cli/style.h"

#include "base/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A row: what it is about in a column of its own, empty when it goes on from the row above. */
static void row(const char *about, const char *format, ...) printf_like(2, 3);
static void row(const char *about, const char *format, ...)
{
    va_list args;

    printf("  %s%-12s%s", style.dim, about, style.plain);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void heading(const char *text)
{
    printf("\n%s%s%s\n", style.bold, text, style.plain);
}

/* "in 5d", "2h ago". */
static const char *distance(time_ms wall, char text[40])
{
    time_ms span = wall - clock_wall();
    char length[24];

    snprintf(text, 40, span < 0 ? "%s ago" : "in %s", style_length(span, length));
    return text;
}

static const char *day(time_ms wall, char text[CLOCK_TEXT_MAX])
{
    clock_iso_date(wall, text);
    text[10] = '\0';
    return text;
}

/* --- the whole domain ----------------------------------------------------------- */

static void print_messages(const struct explanation *e)
{
    char due[40], arrived[40];

    for (size_t i = 0; i < e->message_count; i++) {
        const struct explained_message *m = &e->messages[i];

        row(i == 0 ? "message" : "", "%s to %s, arrived %s, %" PRIu32 " attempt%s, %s", m->id, m->recipient,
            distance(m->arrived, arrived), m->attempts, m->attempts == 1 ? "" : "s",
            m->held ? "held by the operator" : distance(m->due, due));
        if (m->why[0])
            row("", "%s %s", m->status, m->why);
    }
}

static void print_rule(const struct explanation *e)
{
    static const char *const needs[] = { "", "REQUIRETLS: only over authenticated TLS to a server that promises the same",
        "REQUIRETLS, with a null sender: not lost for it", "TLS-Required: No: the sender asks for less" };
    const struct tls_rule *t = &e->rule->tls;

    row("rule", "%s: tls level %s%s%s", e->rule->name, tls_level_name(t->level), t->no_dane ? ", DANE is switched off" : "",
        t->no_sts ? ", MTA-STS is switched off" : "");
    if (e->need != NEED_STANDARD)
        row("asked for", "%s", needs[e->need]);
    switch (e->rule->route.kind) {
    case ROUTE_SMTP:
        row("route", "smtp %s:%u%s, named by the operator", e->rule->route.host, e->rule->route.port,
            e->rule->route.implicit_tls ? " implicit" : "");
        break;
    case ROUTE_MAILDIR: row("route", "into files, %s: no policy applies", e->rule->route.path); break;
    case ROUTE_DISCARD: row("route", "nowhere: it counts as delivered"); break;
    case ROUTE_REPORTS: row("route", "read as TLS reports of others: no policy applies"); break;
    case ROUTE_MX: break;
    }
}

static void print_mx(const struct explanation *e)
{
    if (!e->asked_mx)
        return;
    row("MX", "%s%s", e->hop.mx_secure ? "secure" : "insecure: whoever forges it chooses the hosts",
        e->hop.implicit ? ", none: the domain is its own mail host" : "");
    for (size_t i = 0; i < e->host_count && !e->hop.implicit; i++)
        row("", "%d %s", e->hosts[i].preference, e->hosts[i].name);
}

static void print_policy(const struct explanation *e, const struct sts_policy *p)
{
    char since[40], until[40];

    if (e->sts.fetched)
        row("MTA-STS", "%s, id %s, fetched %s, expires %s %s[%s]%s", sts_mode_name(p->mode),
            e->sts.id[0] ? e->sts.id : "(the record is gone)", distance(e->sts.fetched, since),
            distance(e->sts.expires, until), style.dim, e->sts.row, style.plain);
    else
        row("MTA-STS", "%s, %s %s[%s]%s", sts_mode_name(p->mode),
            strcmp(e->sts.row, "pin") == 0 ? "pinned by the operator" : "fetched just now", style.dim, e->sts.row, style.plain);
    for (size_t i = 0; i < p->mx_count; i++) {
        const char *covered = "covers no host";

        for (size_t n = 0; n < e->host_count; n++)
            if (e->hosts[n].found.pattern && strcmp(e->hosts[n].found.pattern, p->mx[i]) == 0)
                covered = "covers a host";
        row("", "mx: %s  %s%s%s", p->mx[i], style.dim, covered, style.plain);
    }
}

static void print_sts(const struct explanation *e)
{
    if (!e->sts_asked)
        return;
    if (e->sts.policy)
        print_policy(e, e->sts.policy);
    else
        row("MTA-STS", "no policy %s[%s]%s", style.dim, e->sts.row, style.plain);
    if (e->sts.problem.code != E_NONE)
        row("", "%s", e->sts.problem.text);
}

static void print_memory(const struct explanation *e)
{
    const struct memory *m = &e->memory;
    char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

    if (e->no_store.code != E_NONE) {
        row("memory", "not known: %s", e->no_store.text);
        return;
    }
    if (!e->remembered || m->deliveries == 0) {
        row("memory", "nothing was delivered there yet");
        return;
    }
    row("memory", "%" PRIu64 " session%s since %s, %" PRIu64 " under TLS%s%s%s%s", m->deliveries,
        m->deliveries == 1 ? "" : "s", day(m->first, first), m->with_tls, m->tls_last ? ", the latest " : "",
        m->tls_last ? day(m->tls_last, last) : "", m->verdict[0] ? ", at best " : "", m->verdict);
    row("", "%s", e->habit ? "TLS is a habit: should it vanish, that is an alarm" : "not yet a habit that could be broken");
    for (unsigned bit = 1; bit <= BREAK_HOSTS; bit <<= 1)
        if (m->broken & bit)
            row("", "%sALARM%s %s%s%s", style.bold, style.plain, memory_break_text(bit), bit == BREAK_TLS ? ", since " : "",
                bit == BREAK_TLS ? day(m->alarm, last) : "");
}

/* --- one host --------------------------------------------------------------------- */

static void print_addresses(const struct host_findings *f)
{
    char text[ADDRESS_TEXT_MAX];

    if (f->addresses.count == 0) {
        row("addresses", "none: %s", f->no_address.text);
        return;
    }
    for (size_t i = 0; i < f->addresses.count; i++)
        row(i == 0 ? "addresses" : "", "%s%s", address_ip_text(&f->addresses.at[i], text),
            i > 0 || !f->is_name ? "" : f->addresses.secure ? "  secure" : "  insecure: TLSA is not asked for");
    if (f->addresses.aliased)
        row("alias of", "%s", f->addresses.canonical);
}

static void print_tlsa(const struct host_findings *f)
{
    char text[TLSA_TEXT_MAX];

    for (size_t i = 0; i < f->tlsa.asked_count; i++)
        row(i == 0 ? "TLSA" : "", "%s  %s", f->tlsa.asked[i].owner, f->tlsa.asked[i].status);
    if (f->tlsa.status == TLSA_ERROR)
        row("", "%s", f->tlsa.why.text);
    for (size_t i = 0; i < f->records.count; i++) {
        const struct dane_record *r = &f->records.all[i];

        row("", "%-32s %s", tlsa_text(&r->tlsa, text), record_use_name(r->use));
    }
}

static void print_decision(const struct explained_host *h)
{
    const struct decision *d = &h->decision;
    char text[DECISION_TEXT_MAX];

    if (h->found.addresses.count == 0) {
        row("decision", "it cannot be reached: the next host, or later");
        return;
    }
    if (d->outcome != DECIDED_GO) {
        row("decision", "%snot sent%s: %s %s[%s]%s", style.bold, style.plain, h->skip.text, style.dim, d->row, style.plain);
        return;
    }
    row("decision", "%s%s%s %s[%s]%s", style.bold, decision_text(d, text), style.plain, style.dim, d->row, style.plain);
    if (h->memory_holds)
        row("", "memory holds clear text back: TLS was there for long");
    if (!d->tls_tried)
        return;
    if (h->stripped == PLAN_NEXT_HOST)
        row("if stripped", "not sent: %s", h->stripped_why.text);
    else
        row("if stripped", "%ssent in clear%s: nobody asks for TLS, so nobody would notice", style.bold, style.plain);
}

static void print_certificate(const struct explained_host *h)
{
    const struct tls_facts *t = &h->tls;
    char until[40];

    row("", "%s %s%s%s", tls_version_name(t->version), t->cipher, t->group[0] ? " " : "", t->group);
    if (t->trust == TLS_TRUST_NONE)
        return;
    row("certificate", "for %s, %s, from %s, expires %s", t->subject, t->key, t->issuer[0] ? t->issuer : "itself",
        distance(t->not_after, until));
    row("", "chain %s, name %s", t->trust == TLS_TRUST_PKIX ? "trusted" : t->trust_problem,
        t->name_matches ? "matches" : t->common_name_matches ? "matches by common name only" : "does not match");
    if (t->dane != TLS_DANE_NOT_ASKED)
        row("", "DANE: %s%s", t->dane == TLS_DANE_MATCH ? "matches " : t->dane_problem, t->dane_record);
}

static void print_results(const struct explained_host *h)
{
    for (size_t i = 0; i < h->result_count; i++) {
        const struct policy_result *r = &h->results[i];

        row(i == 0 ? "reported as" : "", "%s: %s%s%s%s", policy_type_name(r->type), r->success ? "success" : r->result_type,
            r->reason[0] ? " (" : "", r->reason, r->reason[0] ? ")" : "");
    }
}

static void print_connection(const struct explained_host *h)
{
    if (!h->connected)
        return;
    row("connected", "%s", h->relay);
    if (h->has_tls)
        print_certificate(h);
    if (h->usable)
        row("", "mail could be sent: %s%s%s%s", style.bold, verdict_name(&h->decision, h->has_tls ? &h->tls : NULL), style.plain,
            h->requiretls ? ", REQUIRETLS is offered" : "");
    else
        row("", "%snot sent%s: %s", style.bold, style.plain, h->problem.text);
    if (!h->usable && decide_clear_retry(&h->decision, h->problem.code, TIME_NEVER))
        row("", "but in clear once the message has waited for %lld seconds (cleartext-after)",
            (long long)(h->decision.rule->cleartext_after / 1000));
    if (h->usable && h->tls_problem.code != E_NONE)
        row("", "in clear, because: %s", h->tls_problem.text);
    print_results(h);
}

void explain_print(const struct explanation *e)
{
    char sum[400];

    style_choose();
    printf("%s%s%s\n", style.bold, e->domain, style.plain);
    print_messages(e);
    print_rule(e);
    print_mx(e);
    if (e->host_count > 0) {
        print_sts(e);
        if (e->tls_rpt.len) {
            char shown[400];

            escape_line(e->tls_rpt, shown, sizeof shown);
            row("TLS-RPT", "%s", shown);
        }
        print_memory(e);
    }
    for (size_t i = 0; i < e->host_count; i++) {
        heading(e->hosts[i].name);
        print_addresses(&e->hosts[i].found);
        print_tlsa(&e->hosts[i].found);
        print_decision(&e->hosts[i]);
        print_connection(&e->hosts[i]);
    }
    printf("\n%s\n", explain_sum(e, sum));
}

/* --- in one line ---------------------------------------------------------------------- */

struct sums {
    size_t go, needed, verified, clear, skipped;
};

static struct sums sum_up(const struct explanation *e)
{
    struct sums s = { 0 };

    for (size_t i = 0; i < e->host_count; i++) {
        const struct explained_host *h = &e->hosts[i];
        bool go = h->decision.outcome == DECIDED_GO && h->found.addresses.count > 0;

        s.go += go;
        s.skipped += !go;
        s.needed += go && h->decision.tls_needed;
        s.verified += go && (h->decision.checks & (CHECK_DANE | CHECK_STS | CHECK_OPERATOR | CHECK_PKIX));
        s.clear += go && !h->decision.tls_needed;
    }
    return s;
}

const char *explain_sum(const struct explanation *e, char text[400])
{
    struct sums s = sum_up(e);

    if (e->problem.code != E_NONE)
        snprintf(text, 400, "%s: %s", error_is_final(e->problem.code) ? "Mail goes back to its sender" : "Mail waits",
                 e->problem.text);
    else if (e->rule->route.kind != ROUTE_MX && e->rule->route.kind != ROUTE_SMTP)
        snprintf(text, 400, "Mail stays here.");
    else if (s.go == 0)
        snprintf(text, 400, "Mail waits: there is no host that it may go to now.");
    else if (s.verified == s.go)
        snprintf(text, 400, "Mail goes only to a host that proves who it is; an attacker on the way can delay it, not read it.");
    else if (s.clear == 0)
        snprintf(text, 400, "Mail goes encrypted or not at all; but not every host must prove who it is.");
    else
        snprintf(text, 400, "Mail goes encrypted where the host offers it; who strikes the offer out on the way gets it in clear.");
    return text;
}
