#include "serve/scribe_inside.h"

#include <assert.h>

enum {
    MESSAGE_MAX = 16 * 1024 * 1024,
    PIECE = 256 * 1024,
    PATIENCE_MS = 120 * 1000,
};

struct posting {
    struct question question;
    struct frame_answer answer;
};

static bool take_accepted(struct question *q, uint8_t type, struct slice body)
{
    if (type != FRAME_ACCEPTED || !frame_get_answer(body, &((struct posting *)q)->answer))
        return false;
    question_answered(q);
    return true;
}

/* The line may break while it waits for room. */
static bool send_body(struct scribe *n, uint64_t ticket, struct slice bytes, time_ms deadline)
{
    uint64_t line = n->links;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    for (; bytes.len > 0; bytes = slice_after(bytes, PIECE)) {
        buf_clear(&frame);
        frame_put_body(&frame, ticket, slice_first(bytes, PIECE));
        channel_send(n->store, FRAME_BODY, buf_slice(&frame));
        if (!channel_wait_room(n->store, deadline) || !n->store || n->links != line)
            return false;
    }
    return true;
}

static void send_end(struct scribe *n, uint64_t ticket, const struct envelope *e)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_accept(&frame, &(struct frame_accept){ .ticket = ticket, .envelope = *e });
    assert(!frame.failed);      /* bounded by FRAME_RECIPIENTS_MAX */
    channel_send(n->store, FRAME_ACCEPT, buf_slice(&frame));
}

/* The store need not keep the beginning of what will not come. */
static void send_drop(struct scribe *n, uint64_t ticket)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 16);
    buf_u64(&frame, ticket);
    channel_send(n->store, FRAME_DROP, buf_slice(&frame));
}

/* To one store; until it answers, or is lost. */
static void post_once(struct scribe *n, struct posting *p, const struct envelope *e, struct slice message,
                      time_ms deadline)
{
    enum wake wake = FIBER_WOKEN;
    uint64_t line = n->links;

    question_begin(n, &p->question);
    if (send_body(n, p->question.ticket, message, deadline))
        send_end(n, p->question.ticket, e);
    else if (n->store && n->links == line)
        send_drop(n, p->question.ticket);
    while (!p->question.done && n->links == line && wake == FIBER_WOKEN)
        wake = fiber_wait(deadline);
    question_end(n, &p->question);
}

/* A store that died with the message may have stored it: its successor is asked before it gets it again, and so is the
 * first, because the caller may have been here before. */
bool scribe_post(struct scribe *n, const struct envelope *e, struct slice message, struct error *why)
{
    struct posting p = { { .take = take_accepted }, { 0 } };
    time_ms deadline = clock_now() + PATIENCE_MS;
    bool stored;

    if (message.len > MESSAGE_MAX)
        return fail(why, E_MESSAGE_TOO_LARGE, "a message of our own has %zu bytes", message.len);
    while (!p.question.done) {
        if (!question_is_stored(n, e->id, &stored, deadline, why))
            return false;
        if (stored)
            return true;
        if (n->store)
            post_once(n, &p, e, message, deadline);
        if (!p.question.done && (fiber_is_cancelled() || clock_now() >= deadline))
            return question_unanswered(why);
    }
    return p.answer.done || fail(why, p.answer.why.code, "%s", p.answer.why.text);
}
