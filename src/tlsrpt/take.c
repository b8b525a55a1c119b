#include "tlsrpt/take.h"

#include "tlsrpt/read_inside.h"

static const char *claimed_submitter(const struct report *r, struct arena *arena)
{
    const char *domain = report_address_domain(r->contact, arena);

    return domain[0] ? domain : "unknown";
}

/* --- a letter -------------------------------------------------------------------- */

/* The work on one message that needs nothing but time: done apart, in two jobs, between which its signatures are checked. */
struct taking {
    struct slice message;
    struct arena *arena;
    const struct letter_parts *parts;
    struct report_letter letter;
    struct error why;
    bool good;
};

static void open_apart(void *arg)
{
    struct taking *t = arg;

    t->parts = letter_open(t->message, t->arena, &t->letter, &t->why);
}

static void read_apart(void *arg)
{
    struct taking *t = arg;

    t->good = letter_read(t->parts, t->arena, &t->letter, &t->why);
}

static void run_job(const struct report_taking *how, void (*job)(void *arg), struct taking *t)
{
    if (how->apart)
        how->apart(job, t);
    else
        job(t);
}

/* The domain that signed it; "" with `unsigned_too` and none. NULL: it is not to be read. */
static const char *signer_of(struct taking *t, const struct report_taking *how, time_ms wall)
{
    struct dkim_result results[DKIM_RESULTS_MAX];
    size_t count = dkim_verify(t->message, "tlsrpt", wall, how->keys, t->arena, results);
    const struct dkim_result *by = judge_signer(results, count, &t->letter, &t->why);

    if (!by)
        return how->unsigned_too ? "" : NULL;
    if (!dkim_covers(by, SLICE("TLS-Report-Domain")))
        t->letter.domain = "";      /* whoever passed it on may have added it */
    return by->domain;
}

bool report_take_letter(struct slice message, const struct report_taking *how, time_ms wall, struct arena *arena,
                        struct received_report *out, struct error *why)
{
    struct taking t = { .message = message, .arena = arena };
    const char *signer = NULL;

    run_job(how, open_apart, &t);
    if (t.parts)
        signer = signer_of(&t, how, wall);
    if (signer)                         /* nobody's JSON is not even looked at */
        run_job(how, read_apart, &t);
    if (!t.good)
        return fail(why, t.why.code, "%s", t.why.text);
    *out = (struct received_report){
        .report = t.letter.report,
        .notes = t.letter.notes,
        .way = signer[0] ? REPORT_BY_MAIL : REPORT_BY_HAND,
        .trust = signer[0] ? REPORT_SIGNED : REPORT_UNSIGNED,
        .submitter = signer[0] ? signer : claimed_submitter(&t.letter.report, arena),
        .peer = "",
        .received = wall,
        .foreign = !judge_is_ours(&t.letter.report, how->ours, NULL),
    };
    return true;
}

/* --- a report itself ------------------------------------------------------------------ */

bool report_take_bare(struct slice bytes, enum report_way way, const char *peer, const struct report_ours *ours,
                      time_ms wall, struct arena *arena, struct received_report *out, struct error *why)
{
    struct received_report r = { .way = way, .trust = REPORT_UNSIGNED, .received = wall };

    if (!report_read(bytes, arena, &r.report, &r.notes, why))
        return false;
    r.submitter = claimed_submitter(&r.report, arena);
    r.peer = arena_string(arena, slice_of(peer));
    r.foreign = !judge_is_ours(&r.report, ours, NULL);
    *out = r;
    return true;
}
