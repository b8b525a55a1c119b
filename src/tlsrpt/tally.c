#include "tlsrpt/tally.h"

#include "base/cursor.h"
#include "fact/tally_kind.h"

/* The key, in the order that memcmp sorts: kind, domain, NUL, policy; of a failure the
 * six strings behind it, each with its NUL. No string holds a NUL, so "example.org" and
 * what begins like it do not mix. */

/* --- writing ------------------------------------------------------------------------ */

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

/* With its NUL. In one piece: this is done for each session. */
static void put(struct buf *out, const char *text, bool lower)
{
    char clean[TALLY_TEXT_MAX + 1];
    size_t len = 0;

    for (; text && *text && len < TALLY_TEXT_MAX; text++)
        clean[len++] = !is_printable(*text) ? '?' : lower ? byte_lower(*text) : *text;
    clean[len++] = '\0';
    buf_add(out, slice(clean, len));
}

void report_tally_prefix(const char *domain, struct buf *out)
{
    buf_u8(out, TALLY_REPORT);
    if (domain)
        put(out, domain, true);
}

void report_tally_encode(const struct report_tally *t, struct buf *out)
{
    report_tally_prefix(t->domain, out);
    buf_u64(out, t->policy);
    if (!t->result_type || !t->result_type[0])
        return;
    put(out, t->result_type, false);
    put(out, t->sending_ip, false);
    put(out, t->receiving_ip, false);
    put(out, t->mx, true);
    put(out, t->helo, false);
    put(out, t->reason, false);
}

void report_tally_rest(const struct report_tally *t, struct buf *out)
{
    const struct report_tally rest = { .domain = t->domain, .policy = t->policy, .result_type = REPORT_REST_TYPE,
                                       .reason = REPORT_REST_REASON };

    report_tally_encode(&rest, out);
}

/* --- reading ---------------------------------------------------------------------------- */

static const char *get_text(struct cursor *in, struct arena *arena, bool lower)
{
    struct slice text = cursor_until(in, '\0');

    if (!cursor_skip(in, '\0') || text.len > TALLY_TEXT_MAX)
        in->failed = true;
    for (size_t i = 0; i < text.len; i++)
        if (!is_printable(text.at[i]) || (lower && text.at[i] != byte_lower(text.at[i])))
            in->failed = true;
    return arena_string(arena, in->failed ? slice("", 0) : text);
}

bool report_tally_decode(struct slice key, struct arena *arena, struct report_tally *out)
{
    struct cursor in = cursor_over(key);
    struct report_tally t = { .result_type = "", .sending_ip = "", .receiving_ip = "", .mx = "", .helo = "", .reason = "" };

    if (cursor_u8(&in) != TALLY_REPORT)
        return false;
    t.domain = get_text(&in, arena, true);
    t.policy = cursor_u64(&in);
    if (in.failed)
        return false;
    if (!cursor_ended(&in)) {
        t.result_type = get_text(&in, arena, false);
        t.sending_ip = get_text(&in, arena, false);
        t.receiving_ip = get_text(&in, arena, false);
        t.mx = get_text(&in, arena, true);
        t.helo = get_text(&in, arena, false);
        t.reason = get_text(&in, arena, false);
        if (!t.result_type[0])
            return false;
    }
    if (!cursor_ended(&in) || arena->failed)
        return false;
    *out = t;
    return true;
}
