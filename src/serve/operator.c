#include "serve/operator.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/channel.h"

#include <stdio.h>

struct emitter {
    operator_emit *emit;
    void *arg;
};

static void emit_view(void *arg, const struct queue_view *view)
{
    struct emitter *to = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_view(&frame, view);
    to->emit(to->arg, FRAME_VIEW, buf_slice(&frame));
}

static size_t page(uint32_t limit)
{
    return limit < OPERATOR_PAGE ? limit : OPERATOR_PAGE;
}

static bool list(struct queue *q, struct slice body, struct emitter *to)
{
    auto_buf struct buf frame = { 0 };
    struct frame_listed listed = { 0 };
    struct frame_list request;

    if (!frame_get_list(body, &request))
        return false;
    if (request.id) {
        listed.count = queue_show(q, request.id, emit_view, to);
    } else {
        listed.after_id = request.after_id;
        listed.after_number = request.after_number;
        listed.count =
            (uint32_t)queue_list(q, &listed.after_id, &listed.after_number, page(request.limit), emit_view, to);
    }
    buf_init(&frame, 256);
    frame_put_listed(&frame, &listed);
    to->emit(to->arg, FRAME_LISTED, buf_slice(&frame));
    return true;
}

static void operated(void *arg, bool done, const struct error *why)
{
    struct emitter *to = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_answer(&frame, 0, done, why);
    to->emit(to->arg, FRAME_OPERATED, buf_slice(&frame));
    free(to);
}

static bool operate(struct queue *q, struct slice body, const struct emitter *to)
{
    struct frame_operate request;
    struct emitter *waiting;

    if (!frame_get_operate(body, &request))
        return false;
    waiting = NEW(struct emitter);
    *waiting = *to;
    queue_operate(q, (enum queue_act)request.act, request.id, clock_wall(), operated, waiting);
    return true;
}

static bool count(struct queue *q, struct slice body, struct emitter *to)
{
    auto_buf struct buf frame = { 0 };
    struct queue_figures figures;

    if (!slice_empty(body))
        return false;
    queue_figures(q, &figures);
    buf_init(&frame, 256);
    frame_put_figures(&frame, &figures);
    to->emit(to->arg, FRAME_COUNTED, buf_slice(&frame));
    return true;
}

/* --- notes and tallies --------------------------------------------------------- */

struct note_emitter {
    struct emitter *to;
    char after[NOTE_KEY_MAX + 1];   /* the key of the last one */
};

static void emit_note(void *arg, const struct note *n)
{
    struct note_emitter *e = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_note(&frame, n);
    snprintf(e->after, sizeof e->after, "%s", n->key);
    e->to->emit(e->to->arg, FRAME_NOTE_VIEW, buf_slice(&frame));
}

static void end_notes(struct emitter *to, const char *after, size_t count)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_notes_listed(&frame, &(struct frame_notes_listed){ after, (uint32_t)count });
    to->emit(to->arg, FRAME_NOTES_LISTED, buf_slice(&frame));
}

static bool list_notes(struct queue *q, struct slice body, struct emitter *to)
{
    auto_arena struct arena arena = { 0 };
    struct note_emitter e = { .to = to };
    struct frame_note_list request;
    size_t limit, count;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_note_list(body, &arena, &request))
        return false;
    snprintf(e.after, sizeof e.after, "%s", request.after);
    limit = request.limit < FRAME_NOTES_MOST ? request.limit : FRAME_NOTES_MOST;
    count = queue_note_list(q, request.kind, request.after, limit, emit_note, &e);
    end_notes(to, e.after, count);
    return true;
}

static bool find_note(struct queue *q, struct slice body, struct emitter *to)
{
    auto_arena struct arena arena = { 0 };
    struct note_emitter e = { .to = to };
    struct frame_note_key request;
    struct error why = { 0 };
    struct note n;
    bool found;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_note_key(body, &arena, &request))
        return false;
    found = queue_note_find(q, request.kind, request.key, &arena, &n, &why);
    if (found)
        emit_note(&e, &n);
    else if (why.code != E_NOT_FOUND)
        log_say(LOG_LEVEL_ERROR, "queue.read", &why, "a note cannot be read");
    end_notes(to, request.key, found);
    return true;
}

static bool put_note(struct queue *q, struct slice body, const struct emitter *to)
{
    auto_arena struct arena arena = { 0 };
    struct emitter *waiting;
    struct note n;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_note(body, &arena, &n))
        return false;
    waiting = NEW(struct emitter);
    *waiting = *to;
    queue_note(q, &n, operated, waiting);
    return true;
}

static void emit_tally(void *arg, const struct tally *t)
{
    struct emitter *to = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_tally(&frame, t);
    to->emit(to->arg, FRAME_TALLY_VIEW, buf_slice(&frame));
}

static void end_tallies(struct emitter *to, uint32_t day, const struct buf *after, size_t count)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_tallies_listed(&frame, &(struct frame_tallies_listed){ day, buf_slice(after), (uint32_t)count });
    to->emit(to->arg, FRAME_TALLIES_LISTED, buf_slice(&frame));
}

static bool list_tallies(struct queue *q, struct slice body, struct emitter *to)
{
    auto_buf struct buf after = { 0 };
    struct frame_tally_list request;
    size_t count;

    if (!frame_get_tally_list(body, &request))
        return false;
    buf_init(&after, TALLY_KEY_MAX);
    buf_add(&after, request.after);
    count = queue_tally_list(q, &request.day, &after, page(request.limit), emit_tally, to);
    end_tallies(to, request.day, &after, count);
    return true;
}

static bool find_tallies(struct queue *q, struct slice body, struct emitter *to)
{
    auto_buf struct buf after = { 0 };
    struct frame_tally_find request;
    size_t count;

    if (!frame_get_tally_find(body, &request))
        return false;
    buf_init(&after, TALLY_KEY_MAX);
    buf_add(&after, request.after);
    count = queue_tally_find(q, request.day, request.prefix, &after, page(request.limit), emit_tally, to);
    end_tallies(to, request.day, &after, count);
    return true;
}

bool operator_request(struct queue *q, uint8_t type, struct slice body, operator_emit *emit, void *arg)
{
    struct emitter to = { emit, arg };

    switch (type) {
    case FRAME_LIST:
        return list(q, body, &to);
    case FRAME_OPERATE:
        return operate(q, body, &to);
    case FRAME_FIGURES:
        return count(q, body, &to);
    case FRAME_NOTE_LIST:
        return list_notes(q, body, &to);
    case FRAME_NOTE_FIND:
        return find_note(q, body, &to);
    case FRAME_NOTE_PUT:
        return put_note(q, body, &to);
    case FRAME_TALLY_LIST:
        return list_tallies(q, body, &to);
    case FRAME_TALLY_FIND:
        return find_tallies(q, body, &to);
    default:
        return false;
    }
}

bool operator_ends_answer(uint8_t type)
{
    return type == FRAME_LISTED || type == FRAME_OPERATED || type == FRAME_COUNTED || type == FRAME_NOTES_LISTED ||
           type == FRAME_TALLIES_LISTED;
}
