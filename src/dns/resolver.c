#include "dns/resolver.h"

#include "base/memory.h"
#include "dns/setup.h"
#include "run/fiber.h"
#include "run/loop.h"

#include <assert.h>
#include <unbound.h>

enum { CLASS_IN = 1, DEFAULT_TIMEOUT_MS = 10000, RCODE_NOERROR = 0 };

/* Lives on the stack of its asker, who takes it back before leaving: either it
 * is answered, or it is cancelled, and then the library forgets its address. */
struct question {
    struct resolver *asked;         /* NULL: no longer, or never */
    int id;
    bool answered;
    struct ub_result *result;       /* ours to free; NULL when there is only trouble */
    const char *trouble;            /* static */
    struct gate gate;
    struct question *next, **where;
};

struct resolver {
    struct ub_ctx *library;
    struct watch *watch;
    struct question *open;
    time_ms timeout;
    bool validates;
    bool broken;                    /* the library's thread is gone */
};

/* --- questions and the library ------------------------------------------------ */

static void question_enlist(struct question *q, struct resolver *r)
{
    q->asked = r;
    q->next = r->open;
    q->where = &r->open;
    if (q->next)
        q->next->where = &q->next;
    r->open = q;
}

static void question_delist(struct question *q)
{
    if (!q->asked)
        return;
    *q->where = q->next;
    if (q->next)
        q->next->where = q->where;
    q->asked = NULL;
}

static void question_settle(struct question *q, struct ub_result *result, const char *trouble)
{
    question_delist(q);
    q->answered = true;
    q->result = result;
    q->trouble = trouble;
    gate_open_all(&q->gate);
}

static void settle_all(struct resolver *r, const char *trouble)
{
    while (r->open)
        question_settle(r->open, NULL, trouble);
}

/* The library's callback, from within ub_process, on the loop. Never called for
 * a question that was cancelled. */
static void library_answers(void *arg, int trouble, struct ub_result *result)
{
    question_settle(arg, result, trouble ? ub_strerror(trouble) : NULL);
}

static void library_ready(void *owner, int events)
{
    struct resolver *r = owner;

    if (ub_process(r->library) == 0)
        return;
    r->broken = true;
    watch_set(r->watch, 0);
    settle_all(r, "the resolver's thread is gone");
}

/* --- the resolver -------------------------------------------------------------- */

struct resolver *resolver_new(const struct resolver_settings *s, struct error *why)
{
    struct resolver *r = NEW(struct resolver);

    r->library = setup_library(s, &r->validates, why);
    if (!r->library) {
        free(r);
        blame(why, "resolver");
        return NULL;
    }
    r->timeout = s->timeout > 0 ? s->timeout : DEFAULT_TIMEOUT_MS;
    r->watch = watch_new(ub_fd(r->library), library_ready, r);
    watch_set(r->watch, WATCH_READ);
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    settle_all(r, "the resolver was shut down");
    watch_free(r->watch);
    ub_ctx_delete(r->library);
    free(r);
}

bool resolver_validates(const struct resolver *r)
{
    return r->validates;
}

/* --- answers ------------------------------------------------------------------- */

static const char *rcode_words(int rcode)
{
    switch (rcode) {
    case 1: return "the name servers take the question for malformed (FORMERR)";
    case 2: return "no usable answer from the name servers (SERVFAIL)";
    case 4: return "the name servers do not know such questions (NOTIMP)";
    case 5: return "the name servers refuse to answer (REFUSED)";
    default: return "the name servers report an error";
    }
}

static void fail_answer(struct dns_answer *out, enum dns_status status, struct arena *arena, const char *words)
{
    out->status = status;
    out->why = arena_string(arena, slice_of(words));
}

static struct slice message_of(const struct ub_result *result)
{
    return result->answer_packet && result->answer_len > 0 ? slice(result->answer_packet, (size_t)result->answer_len)
                                                           : slice("", 0);
}

/* The library itself forgets an answer with its signatures, but tells the TTL of
 * the records (DANE-013). */
static uint32_t ttl_of(const struct ub_result *result)
{
    uint32_t ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
    uint32_t held = result->secure ? dns_signed_seconds(message_of(result), (uint32_t)(clock_wall() / 1000)) : ttl;

    return held < ttl ? held : ttl;
}

static void take_records(const struct ub_result *result, struct arena *arena, struct dns_answer *out)
{
    size_t count = 0;

    while (result->data[count])
        count++;
    out->records = arena_take(arena, count * sizeof *out->records);
    if (!out->records) {
        fail_answer(out, DNS_FAILED, arena, "the answer is too large");
        return;
    }
    for (size_t i = 0; i < count; i++)
        out->records[i] = arena_copy(arena, slice(result->data[i], (size_t)result->len[i]));
    out->count = count;
    out->status = DNS_FOUND;
}

static void take_result(const struct ub_result *result, struct arena *arena, struct dns_answer *out)
{
    /* Before anything else: a bogus answer comes with data as if all were well. */
    if (result->bogus) {
        fail_answer(out, DNS_BOGUS, arena, result->why_bogus ? result->why_bogus : "DNSSEC validation failed");
        return;
    }
    if (dns_aliases_in(message_of(result)) > DNS_ALIASES_MAX)
        fail_answer(out, DNS_FAILED, arena, "too many CNAME records in a row");
    else if (result->havedata)
        take_records(result, arena, out);
    else if (result->nxdomain)
        out->status = DNS_NO_NAME;
    else if (result->rcode == RCODE_NOERROR)
        out->status = DNS_NO_DATA;
    else
        fail_answer(out, DNS_FAILED, arena, rcode_words(result->rcode));
    if (out->status == DNS_FAILED)
        return;
    out->secure = result->secure;
    out->ttl = ttl_of(result);
    if (result->canonname) {
        const char *asked = out->canonical;

        out->canonical = dns_name_copy(arena, slice_of(result->canonname));
        out->aliased = strcmp(out->canonical, asked) != 0;
    }
}

/* --- asking -------------------------------------------------------------------- */

static void question_begin(struct question *q, struct resolver *r, const struct dns_question *about)
{
    int trouble;

    *q = (struct question){ 0 };
    if (!dns_name_valid(about->name) && !slice_equal(slice_of(about->name), SLICE("."))) {
        question_settle(q, NULL, "this is not a domain name");
        return;
    }
    if (r->broken) {
        question_settle(q, NULL, "the resolver's thread is gone");
        return;
    }
    trouble = ub_resolve_async(r->library, about->name, (int)about->type, CLASS_IN, q, library_answers, &q->id);
    if (trouble == 0) {
        question_enlist(q, r);
        return;
    }
    if (q->id != 0)
        ub_cancel(r->library, q->id);
    question_settle(q, NULL, ub_strerror(trouble));
}

/* Afterwards nobody else knows `q`. */
static void question_end(struct question *q, time_ms deadline)
{
    enum wake wake = FIBER_WOKEN;

    while (!q->answered && wake == FIBER_WOKEN)
        wake = gate_wait(&q->gate, deadline);
    if (q->answered)
        return;
    ub_cancel(q->asked->library, q->id);
    question_settle(q, NULL, wake == FIBER_CANCELLED ? "given up" : "no answer in time");
}

static void question_answer(const struct question *q, const struct dns_question *about, struct arena *arena)
{
    struct dns_answer *out = about->out;

    *out = (struct dns_answer){ .why = "" };
    out->canonical = dns_name_copy(arena, slice_of(about->name));
    if (q->result)
        take_result(q->result, arena, out);
    else
        fail_answer(out, DNS_FAILED, arena, q->trouble);
    if (arena->failed)      /* a part of it is missing: then there is no answer */
        *out = (struct dns_answer){ .status = DNS_FAILED, .canonical = "", .why = "the answer is too large" };
}

void resolver_ask_all(struct resolver *r, const struct dns_question *questions, size_t count, struct arena *arena)
{
    struct question asked[RESOLVER_TOGETHER];
    time_ms deadline = clock_now() + r->timeout;

    assert(count <= RESOLVER_TOGETHER);
    for (size_t i = 0; i < count; i++)
        question_begin(&asked[i], r, &questions[i]);
    for (size_t i = 0; i < count; i++) {
        question_end(&asked[i], deadline);
        question_answer(&asked[i], &questions[i], arena);
        ub_resolve_free(asked[i].result);
    }
}

void resolver_ask(struct resolver *r, const char *name, enum dns_type type, struct arena *arena,
                  struct dns_answer *out)
{
    const struct dns_question question = { name, type, out };

    resolver_ask_all(r, &question, 1, arena);
}
