#include "serve/frames_inside.h"

/* --- notes ----------------------------------------------------------------- */

static uint8_t get_kind(struct cursor *in)
{
    uint8_t kind = get_choice(in, NOTE_KINDS - 1);

    if (kind == 0)
        in->failed = true;
    return kind;
}

static const char *get_key(struct cursor *in, struct arena *a)
{
    const char *key = get_text(in, a);

    if (strlen(key) > NOTE_KEY_MAX)
        in->failed = true;
    return key;
}

static void get_note(struct cursor *in, struct arena *a, struct note *n)
{
    n->kind = get_kind(in);
    n->key = get_key(in, a);
    n->due = get_time(in);
    n->value = cursor_block(in);
    if (n->key[0] == '\0' || n->value.len > NOTE_VALUE_MAX)
        in->failed = true;
}

void frame_put_note(struct buf *out, const struct note *n)
{
    buf_u8(out, n->kind);
    put_text(out, n->key);
    put_time(out, n->due);
    buf_block(out, n->value);
}

bool frame_get_note(struct slice body, struct arena *a, struct note *n)
{
    struct cursor in = cursor_over(body);

    get_note(&in, a, n);
    return complete(&in, a);
}

void frame_put_recall(struct buf *out, const struct frame_recall *f)
{
    buf_u64(out, f->ticket);
    buf_u8(out, f->kind);
    put_text(out, f->key);
}

bool frame_get_recall(struct slice body, struct arena *a, struct frame_recall *f)
{
    struct cursor in = cursor_over(body);

    f->ticket = cursor_u64(&in);
    f->kind = get_kind(&in);
    f->key = get_key(&in, a);
    return complete(&in, a);
}

void frame_put_recalled(struct buf *out, const struct frame_recalled *f)
{
    buf_u64(out, f->ticket);
    buf_u8(out, (uint8_t)f->answer);
    if (f->answer == RECALL_FOUND)
        frame_put_note(out, &f->note);
}

bool frame_get_recalled(struct slice body, struct arena *a, struct frame_recalled *f)
{
    struct cursor in = cursor_over(body);

    *f = (struct frame_recalled){ .ticket = cursor_u64(&in) };
    f->answer = get_choice(&in, RECALL_UNKNOWN);
    if (f->answer != RECALL_FOUND)
        return complete(&in, a);
    get_note(&in, a, &f->note);
    return complete(&in, a) && !slice_empty(f->note.value);
}

void frame_put_note_key(struct buf *out, const struct frame_note_key *f)
{
    buf_u8(out, f->kind);
    put_text(out, f->key);
}

bool frame_get_note_key(struct slice body, struct arena *a, struct frame_note_key *f)
{
    struct cursor in = cursor_over(body);

    f->kind = get_kind(&in);
    f->key = get_key(&in, a);
    return complete(&in, a);
}

void frame_put_notes_due(struct buf *out, const struct frame_notes_due *f)
{
    buf_u64(out, f->ticket);
    buf_u8(out, f->kind);
    put_time(out, f->now);
    buf_u32(out, f->limit);
}

bool frame_get_notes_due(struct slice body, struct frame_notes_due *f)
{
    struct cursor in = cursor_over(body);

    f->ticket = cursor_u64(&in);
    f->kind = get_kind(&in);
    f->now = get_time(&in);
    f->limit = cursor_u32(&in);
    return complete(&in, NULL);
}

void frame_put_note_list(struct buf *out, const struct frame_note_list *f)
{
    buf_u8(out, f->kind);
    put_text(out, f->after);
    buf_u32(out, f->limit);
}

bool frame_get_note_list(struct slice body, struct arena *a, struct frame_note_list *f)
{
    struct cursor in = cursor_over(body);

    f->kind = get_kind(&in);
    f->after = get_key(&in, a);
    f->limit = cursor_u32(&in);
    return complete(&in, a);
}

void frame_put_notes_listed(struct buf *out, const struct frame_notes_listed *f)
{
    put_text(out, f->after);
    buf_u32(out, f->count);
}

bool frame_get_notes_listed(struct slice body, struct arena *a, struct frame_notes_listed *f)
{
    struct cursor in = cursor_over(body);

    f->after = get_key(&in, a);
    f->count = cursor_u32(&in);
    return complete(&in, a);
}

/* --- questions: the frame inside has a decoder of its own ----------------------- */

void frame_put_ticketed(struct buf *out, const struct frame_ticketed *f)
{
    buf_u64(out, f->ticket);
    buf_u8(out, f->type);
    buf_add(out, f->body);
}

bool frame_get_ticketed(struct slice body, struct frame_ticketed *f)
{
    struct cursor in = cursor_over(body);

    f->ticket = cursor_u64(&in);
    f->type = cursor_u8(&in);
    f->body = cursor_rest(&in);
    return complete(&in, NULL);
}

/* --- tallies ------------------------------------------------------------------ */

/* A key, or nothing: the place before the first of a day, or no rest. */
static struct slice get_place(struct cursor *in)
{
    struct slice place = cursor_block(in);

    if (place.len > TALLY_KEY_MAX)
        in->failed = true;
    return place;
}

static void get_tally(struct cursor *in, struct tally *t)
{
    *t = (struct tally){ .day = cursor_u32(in) };
    t->count = cursor_u64(in);
    t->key = get_place(in);
    if (slice_empty(t->key) || t->count == 0 || t->count > INT64_MAX)
        in->failed = true;
}

void frame_put_tally(struct buf *out, const struct tally *t)
{
    buf_u32(out, t->day);
    buf_u64(out, t->count);
    buf_block(out, t->key);
}

bool frame_get_tally(struct slice body, struct tally *t)
{
    struct cursor in = cursor_over(body);

    get_tally(&in, t);
    return complete(&in, NULL);
}

void frame_put_tallies(struct buf *out, const struct frame_tallies *f)
{
    buf_u32(out, (uint32_t)f->count);
    for (size_t i = 0; i < f->count; i++) {
        frame_put_tally(out, &f->tallies[i]);
        buf_block(out, f->tallies[i].rest);
    }
}

bool frame_get_tallies(struct slice body, struct arena *a, struct frame_tallies *f)
{
    struct cursor in = cursor_over(body);
    uint32_t count = cursor_u32(&in);
    struct tally *tallies;

    if (count == 0 || count > FRAME_TALLIES_MAX)
        return false;
    tallies = arena_take(a, count * sizeof *tallies);
    if (!tallies)
        return false;
    for (uint32_t i = 0; i < count && !in.failed; i++) {
        get_tally(&in, &tallies[i]);
        tallies[i].rest = get_place(&in);
    }
    *f = (struct frame_tallies){ tallies, count };
    return complete(&in, a);
}

void frame_put_tally_list(struct buf *out, const struct frame_tally_list *f)
{
    buf_u32(out, f->day);
    buf_block(out, f->after);
    buf_u32(out, f->limit);
}

bool frame_get_tally_list(struct slice body, struct frame_tally_list *f)
{
    struct cursor in = cursor_over(body);

    f->day = cursor_u32(&in);
    f->after = get_place(&in);
    f->limit = cursor_u32(&in);
    return complete(&in, NULL);
}

void frame_put_tally_find(struct buf *out, const struct frame_tally_find *f)
{
    buf_u32(out, f->day);
    buf_block(out, f->prefix);
    buf_block(out, f->after);
    buf_u32(out, f->limit);
}

bool frame_get_tally_find(struct slice body, struct frame_tally_find *f)
{
    struct cursor in = cursor_over(body);

    f->day = cursor_u32(&in);
    f->prefix = get_place(&in);
    f->after = get_place(&in);
    f->limit = cursor_u32(&in);
    return complete(&in, NULL);
}

void frame_put_tallies_listed(struct buf *out, const struct frame_tallies_listed *f)
{
    buf_u32(out, f->day);
    buf_block(out, f->after);
    buf_u32(out, f->count);
}

bool frame_get_tallies_listed(struct slice body, struct frame_tallies_listed *f)
{
    struct cursor in = cursor_over(body);

    f->day = cursor_u32(&in);
    f->after = get_place(&in);
    f->count = cursor_u32(&in);
    return complete(&in, NULL);
}
