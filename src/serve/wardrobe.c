#include "serve/wardrobe.h"

#include "base/cursor.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>

enum { FORMAT = 1, ARENA_MAX = NOTE_VALUE_MAX + 1024 };

/* --- those in force --------------------------------------------------------------- */

static bool is_taken(const struct wardrobe *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->items[i].name, name) == 0)
            return true;
    return false;
}

static void name_item(const struct wardrobe *w, struct wardrobe_item *item)
{
    const char *name = item->own.name[0] ? item->own.name : "(no name)";

    snprintf(item->name, sizeof item->name, "%s", name);
    if (is_taken(w, item->name))
        snprintf(item->name, sizeof item->name, "%s (%s)", name, item->own.key);
    for (unsigned n = 2; is_taken(w, item->name); n++)
        snprintf(item->name, sizeof item->name, "%s (%s, %u)", name, item->own.key, n);
}

struct wardrobe *wardrobe_new(const struct tls_identity *identities, size_t count, struct error *why)
{
    struct wardrobe *w = NEW(struct wardrobe);

    w->items = memory_array(count, sizeof *w->items);
    for (size_t i = 0; i < count; i++) {
        struct wardrobe_item *item = &w->items[i];

        if (!tls_own_read(&identities[i], &item->own, why)) {
            wardrobe_free(w);
            return NULL;
        }
        name_item(w, item);
        item->file = memory_text(slice_of(identities[i].chain_file));
        w->count++;
    }
    return w;
}

void wardrobe_free(struct wardrobe *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i].file);
    free(w->items);
    free(w);
}

/* --- history -------------------------------------------------------------------- */

bool wardrobe_history_add(struct wardrobe_history *h, const struct wardrobe_piece *now)
{
    if (h->count > 0 && strcmp(h->at[h->count - 1].fingerprint, now->fingerprint) == 0)
        return false;
    if (h->count == WARDROBE_PIECES_MAX)
        memmove(&h->at[0], &h->at[1], --h->count * sizeof h->at[0]);
    h->at[h->count++] = *now;
    return true;
}

void wardrobe_history_encode(const struct wardrobe_history *h, struct buf *out)
{
    buf_u8(out, FORMAT);
    buf_u8(out, (uint8_t)h->count);
    for (size_t i = 0; i < h->count; i++) {
        const struct wardrobe_piece *p = &h->at[i];

        buf_u64(out, (uint64_t)p->seen);
        buf_u64(out, (uint64_t)p->not_before);
        buf_u64(out, (uint64_t)p->not_after);
        buf_block(out, slice_of(p->fingerprint));
        buf_block(out, slice_of(p->key_fingerprint));
    }
}

/* 64 digits, or none. */
static void get_hex(struct cursor *in, char text[65])
{
    struct slice hex = cursor_block(in);

    if (hex.len != 0 && hex.len != 64)
        in->failed = true;
    for (size_t i = 0; !in->failed && i < hex.len; i++)
        if (!byte_is_digit(hex.at[i]) && !(hex.at[i] >= 'a' && hex.at[i] <= 'f'))
            in->failed = true;
    text[0] = '\0';
    if (!in->failed)
        snprintf(text, 65, "%.*s", SLICE_ARGS(hex));
}

/* From 1970 to 9999, what a date can be written of. */
static time_ms get_time(struct cursor *in)
{
    uint64_t wall = cursor_u64(in);

    if (wall > 253402300799999)
        in->failed = true;
    return in->failed ? 0 : (time_ms)wall;
}

bool wardrobe_history_decode(struct slice bytes, struct wardrobe_history *h)
{
    struct cursor in = cursor_over(bytes);
    uint8_t format = cursor_u8(&in), count = cursor_u8(&in);

    *h = (struct wardrobe_history){ 0 };
    if (format != FORMAT || count > WARDROBE_PIECES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct wardrobe_piece *p = &h->at[i];

        p->seen = get_time(&in);
        p->not_before = get_time(&in);
        p->not_after = get_time(&in);
        get_hex(&in, p->fingerprint);
        get_hex(&in, p->key_fingerprint);
    }
    h->count = count;
    return cursor_ended(&in);
}

/* --- writing it down ---------------------------------------------------------------- */

/* A certificate may claim to be older than 1970. */
static time_ms from_1970(time_ms wall)
{
    return wall < 0 ? 0 : wall;
}

static struct wardrobe_piece piece_of(const struct tls_own *own)
{
    struct wardrobe_piece p = { .seen = from_1970(clock_wall()), .not_before = from_1970(own->not_before),
                                .not_after = from_1970(own->not_after) };

    memcpy(p.fingerprint, own->fingerprint, sizeof p.fingerprint);
    memcpy(p.key_fingerprint, own->key_fingerprint, sizeof p.key_fingerprint);
    return p;
}

static void record(struct scribe *n, const struct wardrobe_item *item)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf value = { 0 };
    auto_free struct wardrobe_history *h = NEW(struct wardrobe_history);
    struct wardrobe_piece now = piece_of(&item->own);
    struct note note = { .kind = NOTE_CERTIFICATE, .key = item->name, .due = TIME_NEVER };
    struct slice kept;
    int answer;

    arena_init(&arena, ARENA_MAX);
    answer = scribe_recall(n, NOTE_CERTIFICATE, item->name, &arena, &kept);
    if (answer == RECALL_UNKNOWN)
        return;         /* the next start will tell */
    if (answer == RECALL_FOUND && !wardrobe_history_decode(kept, h))
        *h = (struct wardrobe_history){ 0 };
    if (!wardrobe_history_add(h, &now))
        return;
    buf_init(&value, NOTE_VALUE_MAX);
    wardrobe_history_encode(h, &value);
    note.value = buf_slice(&value);
    scribe_keep(n, &note);
    log_say(LOG_LEVEL_INFO, "tls.certificate", NULL, "%s: certificate %.16s... from %s is in force", item->name,
            now.fingerprint, item->file);
}

void wardrobe_record(struct scribe *n, const struct wardrobe *w)
{
    for (size_t i = 0; i < w->count; i++)
        record(n, &w->items[i]);
}
