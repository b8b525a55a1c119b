#include "tlsrpt/take.h"

#include "tlsrpt/read_inside.h"

static const char *claimed_submitter(const struct report *r, struct arena *arena)
{
    const char *domain = report_address_domain(r->contact, arena);

    return domain[0] ? domain : "unknown";
}

bool report_take_letter(struct slice message, const struct dkim_keys *keys, const struct report_ours *ours, bool unsigned_too,
                        time_ms wall, struct arena *arena, struct received_report *out, struct error *why)
{
    struct dkim_result results[DKIM_RESULTS_MAX];
    const struct letter_parts *parts;
    struct report_letter letter;
    struct error unsigned_why = { 0 };
    const char *signer;
    size_t count;

    parts = letter_open(message, arena, &letter, why);
    if (!parts)
        return false;
    count = dkim_verify(message, "tlsrpt", wall, keys, arena, results);
    signer = judge_signer(results, count, &letter, &unsigned_why);
    if (!signer && !unsigned_too)       /* nobody's JSON is not even looked at */
        return fail(why, unsigned_why.code, "%s", unsigned_why.text);
    if (!letter_read(parts, arena, &letter, why))
        return false;
    *out = (struct received_report){
        .report = letter.report,
        .notes = letter.notes,
        .way = signer ? REPORT_BY_MAIL : REPORT_BY_HAND,
        .trust = signer ? REPORT_SIGNED : REPORT_UNSIGNED,
        .submitter = signer ? signer : claimed_submitter(&letter.report, arena),
        .peer = "",
        .received = wall,
        .foreign = !judge_is_ours(&letter.report, ours, NULL),
    };
    return true;
}

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
