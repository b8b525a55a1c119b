#include "serve/intake.h"

#include "base/log.h"
#include "dns/text.h"
#include "run/fiber.h"
#include "tlsrpt/take.h"

#include <stdio.h>

enum { ARENA_MAX = 256 * 1024 * 1024 };

struct report_ours intake_ours(const struct config *c)
{
    return (struct report_ours){ .domains = c->report.domains, .domain_count = c->report.domain_count,
                                 .hosts = &c->hostname, .host_count = 1 };
}

enum dkim_lookup intake_find_key(void *resolver, const char *name, struct arena *arena, struct slice *texts, size_t most,
                                 size_t *count)
{
    struct text_records records;
    struct dns_answer answer;

    *count = 0;
    if (!dns_name_valid(name))
        return DKIM_LOOKUP_NONE;
    resolver_ask(resolver, name, DNS_TXT, arena, &answer);
    if (answer.status == DNS_FAILED || answer.status == DNS_BOGUS)
        return DKIM_LOOKUP_FAILED;
    if (!text_records_from(&answer, arena, &records))
        return DKIM_LOOKUP_FAILED;
    if (records.count == 0)
        return DKIM_LOOKUP_NONE;
    for (; *count < records.count && *count < most; (*count)++)
        texts[*count] = records.at[*count];
    return DKIM_LOOKUP_FOUND;
}

/* --- keeping ---------------------------------------------------------------------- */

static uint64_t failures_of(const struct report *r)
{
    uint64_t failures = 0;

    for (size_t i = 0; i < r->entry_count; i++)
        failures += r->entries[i].failures;
    return failures;
}

static const char *policy_domain_of(const struct received_report *r)
{
    return r->report.entry_count > 0 && r->report.entries[0].policy.domain[0] ? r->report.entries[0].policy.domain
                                                                              : "(no domain)";
}

/* The result type of the row with the most sessions, and how many all rows of that type have; "". */
static const char *largest_cause(const struct report *r, uint64_t *sessions)
{
    const char *cause = "";
    uint64_t most = 0;

    for (size_t i = 0; i < r->entry_count; i++)
        for (size_t j = 0; j < r->entries[i].detail_count; j++)
            if (r->entries[i].details[j].count > most) {
                most = r->entries[i].details[j].count;
                cause = r->entries[i].details[j].result_type;
            }
    *sessions = 0;
    for (size_t i = 0; i < r->entry_count; i++)
        for (size_t j = 0; j < r->entries[i].detail_count; j++)
            if (strcmp(r->entries[i].details[j].result_type, cause) == 0)
                *sessions += r->entries[i].details[j].count;
    return cause;
}

static void ring(const struct intake *in, const struct received_report *r)
{
    uint64_t failures = failures_of(&r->report);
    struct event e = { .kind = EVENT_REPORT, .subject = policy_domain_of(r), .count = failures, .policy = "", .relay = "" };
    uint64_t of_cause;
    char what[500];
    int used;

    /* Only what somebody has signed, anybody may post in the name of a large provider; and lately, for it may be sent again. */
    if (!in->bell || failures == 0 || r->foreign || r->trust != REPORT_SIGNED || !judge_is_recent(&r->report, r->received))
        return;
    e.reason = largest_cause(&r->report, &of_cause);
    used = snprintf(what, sizeof what, "%.200s reports %llu session%s to %.200s that failed", r->submitter,
                    (unsigned long long)failures, failures == 1 ? "" : "s", e.subject);
    if (e.reason[0])
        snprintf(what + used, sizeof what - (size_t)used, ": %llu for %s", (unsigned long long)of_cause, e.reason);
    e.what = what;
    bell_ring(in->bell, &e);
}

static void log_taken(const struct received_report *r, bool known)
{
    static const char *const ways[] = { [REPORT_BY_MAIL] = "mail", [REPORT_BY_HTTPS] = "https", [REPORT_BY_HAND] = "hand" };
    struct log_line l = log_begin(LOG_LEVEL_INFO, known ? "report.repeated" : "report.received");

    log_text(&l, "from", r->submitter);
    log_text(&l, "report", r->report.id);
    log_text(&l, "domain", policy_domain_of(r));
    log_number(&l, "failures", (int64_t)failures_of(&r->report));
    log_text(&l, "by", ways[r->way]);
    log_truth(&l, "signed", r->trust == REPORT_SIGNED);
    if (r->foreign)
        log_truth(&l, "foreign", true);
    if (r->notes.count > 0)
        log_text(&l, "note", r->notes.at[0]);
    log_end(&l);
}

/* Is it there? For one that nobody has signed, the signed one will do as well. */
static bool look_for(const struct intake *in, const struct received_report *r, bool *known, struct error *why)
{
    *known = false;
    for (int trust = REPORT_SIGNED; trust <= (int)r->trust && !*known; trust++) {
        auto_arena struct arena arena = { 0 };
        char key[RECEIVED_KEY_MAX];
        struct slice value;
        int answer;

        arena_init(&arena, 2 * NOTE_VALUE_MAX);
        answer = scribe_recall(in->scribe, NOTE_RECEIVED, received_report_key_as(r, (enum report_trust)trust, key), &arena,
                               &value);
        if (answer == RECALL_UNKNOWN)
            return fail(why, E_STORAGE, "the store does not say whether report %s is there already", r->report.id);
        *known = answer == RECALL_FOUND;
    }
    return true;
}

static bool store(const struct intake *in, const struct received_report *r, struct error *why)
{
    auto_buf struct buf value = { 0 };
    char key[RECEIVED_KEY_MAX], unsigned_key[RECEIVED_KEY_MAX];
    const time_ms due = r->received + DAYS((time_ms)in->config->facts.keep);
    const struct note no_more = { .kind = NOTE_RECEIVED, .due = TIME_NEVER,
                                  .key = received_report_key_as(r, REPORT_UNSIGNED, unsigned_key) };

    buf_init(&value, NOTE_VALUE_MAX);
    received_report_encode(r, &value);
    if (value.failed)
        return fail(why, E_LIMIT, "report %s is too large to keep", r->report.id);
    if (!scribe_put(in->scribe, &(struct note){ NOTE_RECEIVED, received_report_key(r, key), due, buf_slice(&value) }, why))
        return false;
    if (r->trust == REPORT_SIGNED)      /* it takes the place of what anybody may have posted in its name */
        scribe_keep(in->scribe, &no_more);
    return true;
}

static bool is_beyond_bounds(struct intake_bounds *b, const struct received_report *r)
{
    uint16_t *of_one;

    if (!b)
        return false;
    if (b->day != r->received / DAYS(1))
        *b = (struct intake_bounds){ .day = r->received / DAYS(1) };
    of_one = &b->of[slice_hash(slice_of(r->submitter)) % INTAKE_SIGNERS];
    if (b->all >= INTAKE_MOST || *of_one >= INTAKE_OF_ONE_MOST)
        return true;
    b->all++;
    (*of_one)++;
    return false;
}

bool intake_keep(const struct intake *in, const struct received_report *r, bool *known, struct error *why)
{
    if (!look_for(in, r, known, why))
        return false;
    if (!*known && is_beyond_bounds(in->bounds, r)) {
        log_say(LOG_LEVEL_WARNING, "report.day-full", NULL, "enough reports of %s, or in all, were taken by mail today",
                r->submitter);
        return true;
    }
    if (!*known && !store(in, r, why))
        return false;
    if (!*known)
        ring(in, r);
    log_taken(r, *known);
    return true;
}

/* --- by mail ------------------------------------------------------------------------- */

bool intake_letter(const struct intake *in, struct slice message, struct error *why)
{
    const struct dkim_keys keys = { intake_find_key, in->resolver };
    const struct report_ours ours = intake_ours(in->config);
    const struct report_taking how = { .keys = &keys, .ours = &ours, .apart = fiber_work };
    auto_arena struct arena arena = { 0 };
    struct received_report report;
    struct error problem = { 0 };
    bool known;

    arena_init(&arena, ARENA_MAX);
    if (report_take_letter(message, &how, clock_wall(), &arena, &report, &problem))
        return intake_keep(in, &report, &known, why);
    if (problem.code == E_DNS || problem.code == E_STORAGE) {
        *why = problem;
        return false;
    }
    log_say(LOG_LEVEL_WARNING, "report.refused", &problem, "mail to an address for TLS reports is dropped");
    return true;
}
