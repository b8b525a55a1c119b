#include "serve/operator.h"
#include "serve/scribe_inside.h"

#include <stdio.h>

enum {
    PATIENCE_MS = 5000,                 /* mail waits for what is recalled; */
    LONG_PATIENCE_MS = 60 * 1000,       /* what clerks ask for can wait for a disk that is slow */
    PAGE_NOTES = CHANNEL_FRAME_MAX / NOTE_VALUE_MAX,        /* about a frame in bytes, as is OPERATOR_PAGE of tallies */
};

void question_begin(struct scribe *n, struct question *q)
{
    q->ticket = ++n->last_ticket;
    q->asker = fiber_current();
    q->next = n->questions;
    n->questions = q;
}

void question_end(struct scribe *n, struct question *q)
{
    struct question **at = &n->questions;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

void question_answered(struct question *q)
{
    q->done = true;
    fiber_wake(q->asker);
}

bool question_unanswered(struct error *why)
{
    if (fiber_is_cancelled())
        return fail(why, E_CANCELLED, "the store was not waited for");
    return fail(why, E_STORAGE, "the store does not answer");
}

bool question_ask(struct scribe *n, struct question *q, time_ms deadline, struct error *why)
{
    enum wake wake = FIBER_WOKEN;
    uint64_t asked = 0;

    q->done = false;
    question_begin(n, q);
    while (!q->done && wake == FIBER_WOKEN) {
        if (n->store && asked != n->links) {
            q->put(n, q);
            asked = n->links;
        }
        wake = fiber_wait(deadline);
    }
    question_end(n, q);
    return q->done || question_unanswered(why);
}

bool question_told(struct scribe *n, uint64_t ticket, uint8_t type, struct slice body)
{
    struct question *q = n->questions;

    while (q && q->ticket != ticket)
        q = q->next;
    return !q || q->done || q->take(q, type, body);     /* it may have given up waiting */
}

/* --- one note, and those that are due ------------------------------------------------ */

struct recalling {
    struct question question;
    uint8_t kind;
    const char *key;
    struct arena *arena;
    int answer;
    struct slice value;
};

static void put_recall(struct scribe *n, struct question *q)
{
    const struct recalling *r = (struct recalling *)q;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_recall(&frame, &(struct frame_recall){ q->ticket, r->kind, r->key });
    channel_send(n->store, FRAME_RECALL, buf_slice(&frame));
}

static bool take_recalled(struct question *q, uint8_t type, struct slice body)
{
    struct recalling *r = (struct recalling *)q;
    auto_arena struct arena arena = { 0 };
    struct frame_recalled f;

    arena_init(&arena, 4096);
    if (type != FRAME_RECALLED || !frame_get_recalled(body, &arena, &f))
        return false;
    r->answer = f.answer;
    r->value = arena_copy(r->arena, f.note.value);
    if (r->arena->failed)
        r->answer = RECALL_UNKNOWN;
    question_answered(q);
    return true;
}

static int recall_once(struct scribe *n, uint8_t kind, const char *key, struct arena *arena, struct slice *value)
{
    struct recalling r = { { .put = put_recall, .take = take_recalled }, kind, key, arena, RECALL_UNKNOWN, { 0 } };

    if (!question_ask(n, &r.question, clock_now() + PATIENCE_MS, NULL))
        return RECALL_UNKNOWN;
    if (r.answer == RECALL_FOUND)
        *value = r.value;
    return r.answer;
}

/* Behind an answer may stand, in the same read, that somebody has changed what it says: then it is asked for again. */
int scribe_recall(struct scribe *n, uint8_t kind, const char *key, struct arena *arena, struct slice *value)
{
    enum { TRIES = 3 };
    int answer = RECALL_UNKNOWN;

    if (strlen(key) > NOTE_KEY_MAX)
        return RECALL_NONE;     /* no key that could be kept */
    for (int i = 0; i < TRIES; i++) {
        uint64_t changes = n->changes;

        answer = recall_once(n, kind, key, arena, value);
        if (answer == RECALL_UNKNOWN || changes == n->changes)
            break;
    }
    return answer;
}

struct looking {
    struct question question;
    uint8_t kind;
    struct arena *arena;
    struct note *notes;
    size_t count;
};

static void put_due(struct scribe *n, struct question *q)
{
    struct looking *l = (struct looking *)q;
    auto_buf struct buf frame = { 0 };

    l->count = 0;
    buf_init(&frame, 64);
    frame_put_notes_due(&frame, &(struct frame_notes_due){ q->ticket, l->kind, clock_wall(), FRAME_NOTES_MOST });
    channel_send(n->store, FRAME_NOTES_DUE, buf_slice(&frame));
}

static bool take_due_note(struct looking *l, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct frame_recalled f;

    arena_init(&arena, 4096);
    if (!frame_get_recalled(body, &arena, &f) || f.answer != RECALL_FOUND || l->count >= FRAME_NOTES_MOST)
        return false;
    l->notes[l->count] = f.note;
    l->notes[l->count].key = arena_string(l->arena, slice_of(f.note.key));
    l->notes[l->count].value = arena_copy(l->arena, f.note.value);
    l->count += !l->arena->failed;
    return true;
}

static bool take_due(struct question *q, uint8_t type, struct slice body)
{
    uint64_t ticket;

    if (type == FRAME_DUE_NOTE)
        return take_due_note((struct looking *)q, body);
    if (type != FRAME_DUE_END || !frame_get_ticket(body, &ticket))
        return false;
    question_answered(q);
    return true;
}

size_t scribe_due(struct scribe *n, uint8_t kind, struct arena *arena, struct note out[FRAME_NOTES_MOST])
{
    struct looking l = { { .put = put_due, .take = take_due }, kind, arena, out, 0 };

    question_ask(n, &l.question, clock_now() + PATIENCE_MS, NULL);     /* what has come is due, all or not */
    return l.count;
}

/* --- what commands ask as well (serve/operator.h) ------------------------------------- */

static void ask_frame(struct scribe *n, const struct question *q, enum frame_type type, struct slice body)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_ticketed(&frame, &(struct frame_ticketed){ q->ticket, (uint8_t)type, body });
    channel_send(n->store, FRAME_ASK, buf_slice(&frame));
}

/* --- keeping for certain --- */

struct putting {
    struct question question;
    const struct note *note;
    struct frame_answer answer;
};

static void put_note(struct scribe *n, struct question *q)
{
    auto_buf struct buf body = { 0 };

    buf_init(&body, CHANNEL_FRAME_MAX);
    frame_put_note(&body, ((struct putting *)q)->note);
    ask_frame(n, q, FRAME_NOTE_PUT, buf_slice(&body));
}

static bool take_operated(struct question *q, uint8_t type, struct slice body)
{
    if (type != FRAME_OPERATED || !frame_get_answer(body, &((struct putting *)q)->answer))
        return false;
    question_answered(q);
    return true;
}

/* The same note twice is the same note: a store that has died may well have had it. */
bool scribe_put(struct scribe *n, const struct note *note, struct error *why)
{
    struct putting p = { { .put = put_note, .take = take_operated }, note, { 0 } };

    if (!note_is_sensible(note, why) || !question_ask(n, &p.question, clock_now() + LONG_PATIENCE_MS, why))
        return false;
    return p.answer.done || fail(why, p.answer.why.code, "%s", p.answer.why.text);
}

/* --- all notes of a kind --- */

struct listing {
    struct question question;
    uint8_t kind;
    char after[NOTE_KEY_MAX + 1];       /* the last one given */
    uint32_t count;                     /* of this page */
    note_each *each;
    void *arg;
};

static void put_list(struct scribe *n, struct question *q)
{
    struct listing *l = (struct listing *)q;
    auto_buf struct buf body = { 0 };

    buf_init(&body, 1024);
    frame_put_note_list(&body, &(struct frame_note_list){ l->kind, l->after, PAGE_NOTES });
    ask_frame(n, q, FRAME_NOTE_LIST, buf_slice(&body));
}

static bool take_listed(struct question *q, uint8_t type, struct slice body)
{
    struct listing *l = (struct listing *)q;
    auto_arena struct arena arena = { 0 };
    struct frame_notes_listed end;
    struct note note;

    arena_init(&arena, 4096);
    if (type == FRAME_NOTE_VIEW && frame_get_note(body, &arena, &note)) {
        snprintf(l->after, sizeof l->after, "%s", note.key);
        l->each(l->arg, &note);
        return true;
    }
    if (type != FRAME_NOTES_LISTED || !frame_get_notes_listed(body, &arena, &end))
        return false;
    l->count = end.count;
    question_answered(q);
    return true;
}

bool scribe_notes(struct scribe *n, uint8_t kind, note_each *each, void *arg, struct error *why)
{
    struct listing l = { .question = { .put = put_list, .take = take_listed }, .kind = kind, .each = each, .arg = arg };

    do
        if (!question_ask(n, &l.question, clock_now() + LONG_PATIENCE_MS, why))
            return false;
    while (l.count > 0);
    return true;
}

/* --- tallies of a day --- */

struct counting {
    struct question question;
    uint32_t day, limit;
    struct slice prefix;
    struct buf *after;                  /* moves on with each one given */
    uint32_t count;                     /* of this page */
    void (*each)(void *arg, const struct tally *t);
    void *arg;
};

static void put_find(struct scribe *n, struct question *q)
{
    const struct counting *c = (struct counting *)q;
    auto_buf struct buf body = { 0 };

    buf_init(&body, CHANNEL_FRAME_MAX);
    frame_put_tally_find(&body, &(struct frame_tally_find){ c->day, c->prefix, buf_slice(c->after), c->limit });
    ask_frame(n, q, FRAME_TALLY_FIND, buf_slice(&body));
}

static bool take_tally(struct question *q, uint8_t type, struct slice body)
{
    struct counting *c = (struct counting *)q;
    struct frame_tallies_listed end;
    struct tally t;

    if (type == FRAME_TALLY_VIEW && frame_get_tally(body, &t)) {
        buf_clear(c->after);
        buf_add(c->after, t.key);
        c->each(c->arg, &t);
        return true;
    }
    if (type != FRAME_TALLIES_LISTED || !frame_get_tallies_listed(body, &end))
        return false;
    c->count = end.count;
    question_answered(q);
    return true;
}

bool scribe_tallies(struct scribe *n, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t),
                    void *arg, struct error *why)
{
    auto_buf struct buf after = { 0 };
    struct counting c = { .question = { .put = put_find, .take = take_tally }, .day = day, .limit = OPERATOR_PAGE,
                          .prefix = prefix, .after = &after, .each = each, .arg = arg };

    buf_init(&after, TALLY_KEY_MAX);
    do
        if (!question_ask(n, &c.question, clock_now() + LONG_PATIENCE_MS, why))
            return false;
    while (c.count == OPERATOR_PAGE);
    return true;
}

static void found_one(void *arg, const struct tally *t)
{
    *(bool *)arg = true;
}

/* One is all: asked once more, a new store would give the one behind it. */
static bool take_next(struct question *q, uint8_t type, struct slice body)
{
    bool good = take_tally(q, type, body);

    if (good && !q->done)
        question_answered(q);
    return good;
}

bool scribe_next_tally(struct scribe *n, uint32_t day, struct slice prefix, struct buf *after, struct error *why)
{
    bool found = false;
    struct counting c = { .question = { .put = put_find, .take = take_next }, .day = day, .limit = 1,
                          .prefix = prefix, .after = after, .each = found_one, .arg = &found };

    if (!question_ask(n, &c.question, clock_now() + LONG_PATIENCE_MS, why))
        return false;
    return found || fail(why, E_NOT_FOUND, "nothing more was counted");
}

/* --- one frame for an answer --- */

struct counted {
    struct question question;
    struct queue_figures figures;
};

static void put_figures(struct scribe *n, struct question *q)
{
    ask_frame(n, q, FRAME_FIGURES, slice("", 0));
}

static bool take_figures(struct question *q, uint8_t type, struct slice body)
{
    if (type != FRAME_COUNTED || !frame_get_figures(body, &((struct counted *)q)->figures))
        return false;
    question_answered(q);
    return true;
}

bool scribe_figures(struct scribe *n, struct queue_figures *out, struct error *why)
{
    struct counted c = { { .put = put_figures, .take = take_figures }, { 0 } };

    if (!question_ask(n, &c.question, clock_now() + LONG_PATIENCE_MS, why))
        return false;
    *out = c.figures;
    return true;
}

struct stored {
    struct question question;
    message_id id;
    bool found;
};

static void put_show(struct scribe *n, struct question *q)
{
    auto_buf struct buf body = { 0 };

    buf_init(&body, 64);
    frame_put_list(&body, &(struct frame_list){ .id = ((struct stored *)q)->id });
    ask_frame(n, q, FRAME_LIST, buf_slice(&body));
}

static bool take_shown(struct question *q, uint8_t type, struct slice body)
{
    struct frame_listed end;

    if (type == FRAME_VIEW)
        return true;
    if (type != FRAME_LISTED || !frame_get_listed(body, &end))
        return false;
    ((struct stored *)q)->found = end.count > 0;
    question_answered(q);
    return true;
}

bool question_is_stored(struct scribe *n, message_id id, bool *stored, time_ms deadline, struct error *why)
{
    struct stored s = { { .put = put_show, .take = take_shown }, id, false };

    if (!question_ask(n, &s.question, deadline, why))
        return false;
    *stored = s.found;
    return true;
}
