#include "serve/recorder.h"

#include "base/log.h"
#include "base/memory.h"
#include "fact/digest.h"
#include "policy/memory.h"

#include <stdio.h>

enum {
    KNOWN_MAX = 4096,           /* policies whose text is known to be kept; a table of a power of two */
    KEPT_MOST = 20000,          /* policies whose text is written in an hour */
    ARENA_MAX = 1024 * 1024,
};

struct recorder {
    struct scribe *scribe;
    struct bell *bell;
    unsigned keep;
    int64_t hour;               /* for which `known` holds */
    unsigned kept;              /* in it */
    uint64_t known[KNOWN_MAX];
};

struct recorder *recorder_new(struct scribe *n, struct bell *bell, unsigned keep)
{
    struct recorder *r = NEW(struct recorder);

    r->scribe = n;
    r->bell = bell;
    r->keep = keep;
    return r;
}

void recorder_free(struct recorder *r)
{
    free(r);
}

/* --- policies that reports quote ------------------------------------------------ */

/* Was it kept in this hour already? One that had to make room for another is kept once more, which does no harm; and one
 * that a store or a disk in trouble has lost comes again. */
static bool was_kept(struct recorder *r, uint64_t id)
{
    int64_t now = clock_wall() / HOURS(1);
    uint64_t *place = &r->known[id % KNOWN_MAX];

    if (r->hour != now) {
        memset(r->known, 0, sizeof r->known);
        r->kept = 0;
    }
    r->hour = now;
    if (*place == id)
        return true;
    *place = id;
    return false;
}

uint64_t recorder_policy(struct recorder *r, const struct report_policy *p)
{
    uint64_t id = report_policy_id(p);
    char key[REPORT_POLICY_KEY_MAX];
    auto_buf struct buf value = { 0 };
    struct note note = { .kind = NOTE_POLICY, .due = clock_wall() + DAYS((time_ms)r->keep + 2) };

    if (was_kept(r, id))
        return id;
    if (r->kept >= KEPT_MOST)       /* somebody makes them up, to fill our disk */
        return REPORT_POLICY_NONE;
    r->kept++;
    buf_init(&value, NOTE_VALUE_MAX);
    report_policy_encode(p, &value);
    note.key = report_policy_key(id, key);
    note.value = buf_slice(&value);
    if (!value.failed)
        scribe_keep(r->scribe, &note);
    return id;
}

/* --- TLS reports ------------------------------------------------------------------ */

void recorder_result(struct recorder *r, const struct report_tally *t, uint64_t count)
{
    auto_buf struct buf key = { 0 }, rest = { 0 };

    buf_init(&key, TALLY_KEY_MAX);
    buf_init(&rest, TALLY_KEY_MAX);
    report_tally_encode(t, &key);
    report_tally_rest(t, &rest);
    if (!key.failed && !rest.failed)
        scribe_count(r->scribe, buf_slice(&key), buf_slice(&rest), count);
}

static void count_results(struct recorder *r, const struct fact *f)
{
    struct policy_result results[POLICY_RESULTS_MAX];
    size_t count = f->own_report ? 0 : fact_results(f, results);

    for (size_t i = 0; i < count; i++) {
        struct report_tally t = {
            .domain = f->next_hop, .policy = f->policies[results[i].type], .result_type = "", .sending_ip = "",
            .receiving_ip = "", .mx = "", .helo = "", .reason = "" };

        if (!results[i].success) {
            t.result_type = results[i].result_type;
            t.sending_ip = f->sending_ip;
            t.receiving_ip = f->receiving_ip;
            t.mx = f->host;
            t.helo = f->helo;
            t.reason = results[i].reason;
        }
        if (t.policy != 0)
            recorder_result(r, &t, 1);
    }
}

/* Without a policy that is kept there is none to quote: the domain alone is named. */
void recorder_sts_failure(struct recorder *r, const char *domain, const struct error *why, const struct sts_cached *kept)
{
    auto_arena struct arena arena = { 0 };
    struct report_policy p;
    struct report_tally t = { .domain = domain, .result_type = error_tls_rpt(why->code), .sending_ip = "",
                              .receiving_ip = "", .mx = "", .helo = "", .reason = why->text };

    arena_init(&arena, ARENA_MAX);
    if (!report_policy_of_sts(domain, kept ? kept->text : slice("", 0), kept ? kept->policy.mx : NULL,
                              kept ? kept->policy.mx_count : 0, &arena, &p))
        return;
    t.policy = recorder_policy(r, &p);
    recorder_result(r, &t, 1);
}

/* --- statistics ------------------------------------------------------------------- */

/* Counted are messages that went over a session, and attempts that came to none. */
static void count_delivery(struct recorder *r, const struct fact *f)
{
    auto_buf struct buf key = { 0 }, rest = { 0 };

    if ((f->how == E_NONE && f->messages == 0) || f->own_report)
        return;
    buf_init(&key, TALLY_KEY_MAX);
    buf_init(&rest, TALLY_KEY_MAX);
    fact_digest_encode(f, &key);
    fact_digest_rest(f, &rest);
    if (!key.failed && !rest.failed)
        scribe_count(r->scribe, buf_slice(&key), buf_slice(&rest), f->how == E_NONE ? f->messages : 1);
}

void recorder_visit(struct recorder *r, const struct visit *v, uint64_t count)
{
    auto_buf struct buf key = { 0 }, rest = { 0 };

    buf_init(&key, TALLY_KEY_MAX);
    buf_init(&rest, TALLY_KEY_MAX);
    visit_encode(v, &key);
    visit_rest(v, &rest);
    if (!key.failed && !rest.failed)
        scribe_count(r->scribe, buf_slice(&key), buf_slice(&rest), count);
}

void recorder_receipt(struct recorder *r, const struct receipt *t, uint64_t count)
{
    auto_buf struct buf key = { 0 }, rest = { 0 };

    buf_init(&key, TALLY_KEY_MAX);
    buf_init(&rest, TALLY_KEY_MAX);
    receipt_encode(t, &key);
    receipt_rest(t, &rest);
    if (!key.failed && !rest.failed)
        scribe_count(r->scribe, buf_slice(&key), buf_slice(&rest), count);
}

/* --- events ------------------------------------------------------------------------- */

static bool wants(const struct recorder *r, enum event_kind kind)
{
    return r->bell && bell_wants(r->bell, kind);
}

/* Is this what mail is held for want of TLS comes to? Not what the network does, nor what a host says of the mail. */
static bool is_for_tls(enum error_code code)
{
    const char *status = error_dsn(code);

    return strcmp(status, "4.7.4") == 0 || strcmp(status, "4.7.5") == 0 || code == E_REQUIRETLS_MISSING ||
           code == E_REQUIRETLS_NO_TLS;
}

/* Is the mail held for it, or will it go in clear once it has waited? Injected bytes are an attack, whatever the rule. */
static bool is_held(const struct fact *f)
{
    const struct decision *d = &f->decision;

    return is_for_tls(f->how) &&
           (d->outcome != DECIDED_GO || d->tls_needed || d->checks || f->how == E_STARTTLS_INJECTED);
}

/* Who asks for what could not be had. */
static const char *policy_of(const struct fact *f)
{
    switch (f->how) {
    case E_TLSA_LOOKUP:
    case E_DANE_REQUIRED:
    case E_DANE_MISMATCH:
        return "dane";
    case E_STS_MX_MISMATCH:
        return "mta-sts";
    default:
        return f->decision.held_by;
    }
}

static void ring_for_fact(struct recorder *r, const struct fact *f)
{
    struct event e = { .subject = f->next_hop, .policy = policy_of(f), .reason = "", .relay = f->relay };
    char what[500];

    if (is_held(f) && wants(r, EVENT_BLOCKED)) {
        e.kind = EVENT_BLOCKED;
        e.reason = error_name(f->how);
        snprintf(what, sizeof what, "mail to %s is held: %s", f->next_hop, f->why);
    } else if (f->how == E_NONE && !f->tls && f->messages > 0 && !f->own_report && wants(r, EVENT_CLEARTEXT)) {
        e.kind = EVENT_CLEARTEXT;
        e.count = f->messages;
        e.policy = "";
        e.reason = f->tls_problem != E_NONE ? error_name(f->tls_problem)
                   : f->decision.tls_tried  ? error_name(E_STARTTLS_NOT_OFFERED) : "";
        snprintf(what, sizeof what, "mail to %s was delivered in clear: %s", f->next_hop,
                 f->tls_problem != E_NONE ? "TLS was tried and failed" : f->decision.tls_tried
                 ? "the host does not offer STARTTLS" : "the operator's rule says so (level off)");
    } else {
        return;
    }
    e.what = what;
    bell_ring(r->bell, &e);
}

/* Statuses that only want of TLS gives (RFC 3463, RFC 8689 7). */
static bool is_status_of_tls(const char *status)
{
    static const char *const all[] = { "5.7.4", "5.7.5", "5.7.10", "5.7.30" };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(status, all[i]) == 0)
            return true;
    return false;
}

void recorder_settled(struct recorder *r, const char *destination, const struct settlement *s)
{
    struct event e = { .kind = EVENT_BLOCKED, .subject = destination, .policy = "", .reason = "",
                       .relay = "" };
    char what[500];

    if (s->state != SETTLE_FAILED || !is_status_of_tls(s->status) || !wants(r, EVENT_BLOCKED))
        return;
    snprintf(what, sizeof what, "mail to %s was returned to its sender, status %s: %s", destination, s->status, s->why);
    e.what = what;
    bell_ring(r->bell, &e);
}

void recorder_alarm(struct recorder *r, const char *next_hop, const char *relay, unsigned breaks)
{
    for (unsigned bit = 1; bit <= BREAK_HOSTS; bit <<= 1) {
        enum event_kind kind = bit & (BREAK_STS | BREAK_TLSA) ? EVENT_POLICY_VANISHED : EVENT_DOWNGRADE;
        struct event e = { .kind = kind, .subject = next_hop, .relay = relay, .policy = "memory",
                           .reason = memory_break_name((enum memory_break)bit) };
        char what[500];

        if (!(breaks & bit) || !wants(r, kind))
            continue;
        snprintf(what, sizeof what, "%s: %s", next_hop, memory_break_text(bit));
        e.what = what;
        bell_ring(r->bell, &e);
    }
}

void recorder_fact(struct recorder *r, const struct fact *f)
{
    count_delivery(r, f);
    count_results(r, f);
    if (r->bell)
        ring_for_fact(r, f);
}
