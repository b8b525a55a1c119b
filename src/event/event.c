#include "event/event.h"

#include "base/cursor.h"
#include "base/escape.h"

#include <assert.h>
#include <stdio.h>

enum { FORMAT = 1 };

/* The last moment that has a year of four digits. */
static const time_ms latest = 253402300799999;

static const char *const names[EVENT_KINDS] = {
    [EVENT_BLOCKED] = "blocked", [EVENT_CLEARTEXT] = "cleartext", [EVENT_DOWNGRADE] = "downgrade",
    [EVENT_POLICY_VANISHED] = "policy-vanished", [EVENT_CERTIFICATE] = "certificate", [EVENT_REPORT] = "report",
    [EVENT_QUEUE_AGE] = "queue-age",
};

const char *event_kind_name(enum event_kind k)
{
    assert(k < EVENT_KINDS);
    return names[k];
}

bool event_kind_parse(struct slice text, enum event_kind *k)
{
    for (enum event_kind i = 0; i < EVENT_KINDS; i++) {
        if (slice_equal(text, slice_of(names[i]))) {
            *k = i;
            return true;
        }
    }
    return false;
}

const char *event_key(const struct event *e, char text[EVENT_KEY_MAX])
{
    snprintf(text, EVENT_KEY_MAX, "%s/%.*s", event_kind_name(e->kind), EVENT_SUBJECT_MAX, e->subject ? e->subject : "");
    return text;
}

/* --- bytes --------------------------------------------------------------------- */

static time_ms within_years(time_ms wall)
{
    return wall < 0 ? 0 : wall > latest ? latest : wall;
}

/* What every reader of JSON can hold as a number. */
static uint64_t within_numbers(uint64_t count)
{
    return count == 0 ? 1 : count > INT64_MAX ? INT64_MAX : count;
}

static void put_text(struct buf *out, const char *text, size_t most)
{
    buf_block(out, slice_first(slice_of(text), most));
}

static const char *get_text(struct cursor *in, struct arena *a, size_t most)
{
    struct slice text = cursor_block(in);

    if (text.len > most || slice_find(text, '\0') != text.len)
        in->failed = true;
    return in->failed ? "" : arena_string(a, text);
}

static time_ms get_time(struct cursor *in)
{
    uint64_t wall = cursor_u64(in);

    if (wall > (uint64_t)latest)
        in->failed = true;
    return in->failed ? 0 : (time_ms)wall;
}

void event_encode(const struct event *e, struct buf *out)
{
    buf_u8(out, FORMAT);
    buf_u8(out, (uint8_t)e->kind);
    buf_u64(out, (uint64_t)within_years(e->first));
    buf_u64(out, (uint64_t)within_years(e->last));
    buf_u64(out, within_numbers(e->count));
    put_text(out, e->subject, EVENT_SUBJECT_MAX);
    put_text(out, e->what, EVENT_WHAT_MAX);
    put_text(out, e->policy, EVENT_WORD_MAX);
    put_text(out, e->reason, EVENT_WORD_MAX);
    put_text(out, e->relay, EVENT_RELAY_MAX);
}

bool event_decode(struct slice bytes, struct arena *arena, struct event *out)
{
    struct cursor in = cursor_over(bytes);
    struct event e = { 0 };
    uint8_t format = cursor_u8(&in), kind = cursor_u8(&in);

    e.first = get_time(&in);
    e.last = get_time(&in);
    e.count = cursor_u64(&in);
    e.subject = get_text(&in, arena, EVENT_SUBJECT_MAX);
    e.what = get_text(&in, arena, EVENT_WHAT_MAX);
    e.policy = get_text(&in, arena, EVENT_WORD_MAX);
    e.reason = get_text(&in, arena, EVENT_WORD_MAX);
    e.relay = get_text(&in, arena, EVENT_RELAY_MAX);
    if (e.count != within_numbers(e.count))
        in.failed = true;
    if (!cursor_ended(&in) || arena->failed || format != FORMAT || kind >= EVENT_KINDS)
        return false;
    e.kind = (enum event_kind)kind;
    *out = e;
    return true;
}

/* --- gathering ----------------------------------------------------------------- */

void event_join(struct event *into, const struct event *more)
{
    uint64_t count = within_numbers(into->count) + within_numbers(more->count);
    time_ms first = into->first < more->first ? into->first : more->first;
    const char *subject = into->subject;

    if (more->last >= into->last)
        *into = *more;
    into->subject = subject;
    into->first = first;
    into->count = within_numbers(count);
}

/* --- JSON ---------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *key, const char *text, size_t most)
{
    buf_text(out, ", \"%s\": ", key);
    escape_json(out, slice_first(slice_of(text), most));
}

static void add_time(struct buf *out, const char *key, time_ms wall)
{
    char text[CLOCK_TEXT_MAX];

    buf_text(out, ", \"%s\": \"%s\"", key, clock_iso_date(within_years(wall), text));
}

void event_json(const struct event *e, const char *hostname, struct buf *out)
{
    buf_text(out, "{\"event\": \"%s\"", event_kind_name(e->kind));
    add_text(out, "subject", e->subject, EVENT_SUBJECT_MAX);
    add_text(out, "host", hostname, EVENT_SUBJECT_MAX);
    add_time(out, "first", e->first);
    add_time(out, "last", e->last);
    buf_text(out, ", \"count\": %llu", (unsigned long long)within_numbers(e->count));
    add_text(out, "what", e->what, EVENT_WHAT_MAX);
    add_text(out, "policy", e->policy, EVENT_WORD_MAX);
    add_text(out, "reason", e->reason, EVENT_WORD_MAX);
    add_text(out, "relay", e->relay, EVENT_RELAY_MAX);
    buf_text(out, "}\n");
}
