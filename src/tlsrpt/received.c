/* What is kept of a received report; see tlsrpt/read.h.
 *
 * A version, then strings of u16 length, numbers in network order, lists with
 * their count before them; all of it in gzip, since the members of a report
 * repeat themselves. */
#include "tlsrpt/read_inside.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "tlsrpt/gzip.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    VERSION = 1,
    PLAIN_MAX = 1024 * 1024,        /* gzip_unpack takes so much at any ratio */
};

const char *received_report_key_as(const struct received_report *r, enum report_trust trust, char text[RECEIVED_KEY_MAX])
{
    snprintf(text, RECEIVED_KEY_MAX, "%.253s/%016" PRIx64 "%s", r->submitter, slice_hash(slice_of(r->report.id)),
             trust == REPORT_SIGNED ? "" : "-unsigned");
    return text;
}

const char *received_report_key(const struct received_report *r, char text[RECEIVED_KEY_MAX])
{
    return received_report_key_as(r, r->trust, text);
}

/* --- writing ---------------------------------------------------------------------- */

/* How much of a report is kept. */
struct measure {
    size_t entries, details, strings, text;
};

static void put_text(struct buf *out, const char *text, const struct measure *m)
{
    struct slice s = report_text_cut(slice_of(text), m->text);

    buf_u16(out, (uint16_t)s.len);
    buf_add(out, s);
}

static void put_strings(struct buf *out, const char *const *at, size_t count, const struct measure *m)
{
    size_t kept = count < m->strings ? count : m->strings;

    buf_u16(out, (uint16_t)kept);
    for (size_t i = 0; i < kept; i++)
        put_text(out, at[i], m);
}

static void put_failure(struct buf *out, const struct report_failure *f, const struct measure *m)
{
    put_text(out, f->result_type, m);
    put_text(out, f->sending_ip, m);
    put_text(out, f->receiving_ip, m);
    put_text(out, f->mx, m);
    put_text(out, f->helo, m);
    put_text(out, f->reason, m);
    put_text(out, f->information, m);
    buf_u64(out, f->count);
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > REPORT_COUNT_MAX - b ? REPORT_COUNT_MAX : a + b;
}

/* What is beyond the measure, as one. */
static void put_folded_failures(struct buf *out, const struct report_failure *at, size_t count, const struct measure *m)
{
    struct report_failure rest = { "validation-failure", "", "", "", "", "truncated", "", 0 };

    for (size_t i = 0; i < count; i++)
        rest.count = add(rest.count, at[i].count);
    put_failure(out, &rest, m);
}

static void put_entry(struct buf *out, const struct report_entry *e, const struct measure *m)
{
    bool folded = e->detail_count > m->details;
    size_t kept = folded ? m->details - 1 : e->detail_count;

    buf_u8(out, (uint8_t)e->policy.type);
    put_text(out, e->type_text, m);
    put_text(out, e->policy.domain, m);
    put_strings(out, e->policy.strings, e->policy.string_count, m);
    put_strings(out, e->policy.mx, e->policy.mx_count, m);
    buf_u64(out, e->successes);
    buf_u64(out, e->failures);
    buf_u16(out, (uint16_t)(kept + folded));
    for (size_t i = 0; i < kept; i++)
        put_failure(out, &e->details[i], m);
    if (folded)
        put_folded_failures(out, e->details + kept, e->detail_count - kept, m);
}

static void put_folded_entries(struct buf *out, const struct report_entry *at, size_t count, const struct measure *m)
{
    struct report_entry rest = { .policy = { .type = POLICY_NONE_FOUND, .domain = "" }, .type_text = "truncated" };

    for (size_t i = 0; i < count; i++) {
        rest.successes = add(rest.successes, at[i].successes);
        rest.failures = add(rest.failures, at[i].failures);
    }
    put_entry(out, &rest, m);
}

static void put_entries(struct buf *out, const struct report *r, const struct measure *m)
{
    bool folded = r->entry_count > m->entries;
    size_t kept = folded ? m->entries - 1 : r->entry_count;

    buf_u16(out, (uint16_t)(kept + folded));
    for (size_t i = 0; i < kept; i++)
        put_entry(out, &r->entries[i], m);
    if (folded)
        put_folded_entries(out, r->entries + kept, r->entry_count - kept, m);
}

static void put_all(struct buf *out, const struct received_report *r, const struct report_notes *notes,
                    const struct measure *m)
{
    const struct measure whole = { .strings = REPORT_NOTES_MAX, .text = REPORT_TEXT_MAX };

    buf_u8(out, VERSION);
    buf_u8(out, (uint8_t)r->way);
    buf_u8(out, (uint8_t)r->trust);
    buf_u8(out, r->foreign);
    buf_u64(out, (uint64_t)r->received);
    buf_u64(out, (uint64_t)r->report.begin);
    buf_u64(out, (uint64_t)r->report.end);
    put_text(out, r->submitter, &whole);
    put_text(out, r->peer, &whole);
    put_text(out, r->report.organization, &whole);
    put_text(out, r->report.contact, &whole);
    put_text(out, r->report.id, &whole);
    put_strings(out, notes->at, notes->count, &whole);
    put_entries(out, &r->report, m);
}

static bool pack(const struct received_report *r, const struct report_notes *notes, const struct measure *m, struct buf *out)
{
    auto_buf struct buf plain = { 0 };

    buf_init(&plain, PLAIN_MAX);
    put_all(&plain, r, notes, m);
    buf_clear(out);
    return !plain.failed && gzip_pack(buf_slice(&plain), out, NULL) && buf_len(out) <= RECEIVED_VALUE_MAX;
}

void received_report_encode(const struct received_report *r, struct buf *out)
{
    /* The last fits whatever its bytes are: eight entries of eight details and eight strings of 128 bytes. */
    static const struct measure steps[] = {
        { REPORT_ENTRIES_MAX, REPORT_DETAILS_MAX, REPORT_STRINGS_MAX, REPORT_TEXT_MAX },
        { REPORT_ENTRIES_MAX, 500, 100, REPORT_TEXT_MAX },
        { REPORT_ENTRIES_MAX, 100, 30, 255 },
        { 500, 20, 10, 255 },
        { 100, 10, 5, 255 },
        { 8, 8, 8, 128 },
    };
    struct report_notes notes = r->notes;

    if (pack(r, &notes, &steps[0], out))
        return;
    report_note(&notes, "it was too large to be kept whole: the rest of its details is folded into one");
    for (size_t i = 1; i < sizeof steps / sizeof *steps; i++)
        if (pack(r, &notes, &steps[i], out))
            return;
}

/* --- reading ------------------------------------------------------------------------- */

static const char *get_text(struct cursor *in, struct arena *arena)
{
    struct slice text = cursor_bytes(in, cursor_u16(in));

    return text.len ? arena_string(arena, text) : "";
}

/* How many follow; more than `most` is none of our making. */
static size_t get_count(struct cursor *in, size_t most)
{
    size_t count = cursor_u16(in);

    if (count > most)
        in->failed = true;
    return in->failed ? 0 : count;
}

static const char *const *get_strings(struct cursor *in, struct arena *arena, size_t *count)
{
    size_t given = get_count(in, REPORT_STRINGS_MAX);
    const char **at = arena_take(arena, (given + 1) * sizeof *at);

    *count = at ? given : 0;
    for (size_t i = 0; i < *count; i++)
        at[i] = get_text(in, arena);
    return at;
}

static void get_details(struct cursor *in, struct arena *arena, struct report_entry *e)
{
    size_t count = get_count(in, REPORT_DETAILS_MAX);

    e->details = arena_take(arena, (count + 1) * sizeof *e->details);
    e->detail_count = e->details ? count : 0;
    for (size_t i = 0; i < e->detail_count; i++) {
        struct report_failure *f = &e->details[i];

        f->result_type = get_text(in, arena);
        f->sending_ip = get_text(in, arena);
        f->receiving_ip = get_text(in, arena);
        f->mx = get_text(in, arena);
        f->helo = get_text(in, arena);
        f->reason = get_text(in, arena);
        f->information = get_text(in, arena);
        f->count = cursor_u64(in);
    }
}

static void get_entries(struct cursor *in, struct arena *arena, struct report *r)
{
    size_t count = get_count(in, REPORT_ENTRIES_MAX);

    r->entries = arena_take(arena, (count + 1) * sizeof *r->entries);
    r->entry_count = r->entries ? count : 0;
    for (size_t i = 0; i < r->entry_count && !in->failed; i++) {
        struct report_entry *e = &r->entries[i];
        uint8_t type = cursor_u8(in);

        in->failed |= type > POLICY_NONE_FOUND;
        e->policy.type = in->failed ? POLICY_NONE_FOUND : (enum policy_type)type;
        e->type_text = get_text(in, arena);
        e->policy.domain = get_text(in, arena);
        e->policy.strings = get_strings(in, arena, &e->policy.string_count);
        e->policy.mx = get_strings(in, arena, &e->policy.mx_count);
        e->successes = cursor_u64(in);
        e->failures = cursor_u64(in);
        get_details(in, arena, e);
    }
}

static void get_notes(struct cursor *in, struct arena *arena, struct report_notes *notes)
{
    notes->count = get_count(in, REPORT_NOTES_MAX);
    for (size_t i = 0; i < notes->count; i++)
        notes->at[i] = get_text(in, arena);
}

static bool get_all(struct cursor *in, struct arena *arena, struct received_report *r)
{
    uint8_t version = cursor_u8(in), way = cursor_u8(in), trust = cursor_u8(in), foreign = cursor_u8(in);

    if (in->failed || version != VERSION || way > REPORT_BY_HAND || trust > REPORT_UNSIGNED || foreign > 1)
        return false;
    r->way = (enum report_way)way;
    r->trust = (enum report_trust)trust;
    r->foreign = foreign;
    r->received = (time_ms)cursor_u64(in);
    r->report.begin = (time_ms)cursor_u64(in);
    r->report.end = (time_ms)cursor_u64(in);
    r->submitter = get_text(in, arena);
    r->peer = get_text(in, arena);
    r->report.organization = get_text(in, arena);
    r->report.contact = get_text(in, arena);
    r->report.id = get_text(in, arena);
    get_notes(in, arena, &r->notes);
    get_entries(in, arena, &r->report);
    return cursor_ended(in) && !arena->failed;
}

bool received_report_decode(struct slice bytes, struct arena *arena, struct received_report *out)
{
    struct received_report r = { .peer = "" };
    auto_buf struct buf plain = { 0 };
    struct cursor in;

    buf_init(&plain, PLAIN_MAX);
    if (!gzip_unpack(bytes, &plain, NULL))
        return false;
    in = cursor_over(buf_slice(&plain));
    if (!get_all(&in, arena, &r))
        return false;
    *out = r;
    return true;
}
