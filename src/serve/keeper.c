#include "serve/keeper.h"

#include "base/log.h"

static void send_recalled(const struct keeper_user *user, enum frame_type type, const struct frame_recalled *f)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_recalled(&frame, f);
    channel_send(user->channel, (uint8_t)type, buf_slice(&frame));
}

bool keeper_recall(struct queue *q, const struct keeper_user *user, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct frame_recalled answer = { .answer = RECALL_FOUND };
    struct frame_recall f;
    struct error why = { 0 };

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_recall(body, &arena, &f))
        return false;
    answer.ticket = f.ticket;
    if (!queue_note_find(q, f.kind, f.key, &arena, &answer.note, &why))
        answer.answer = why.code == E_NOT_FOUND ? RECALL_NONE : RECALL_UNKNOWN;
    if (answer.answer == RECALL_UNKNOWN)
        log_say(LOG_LEVEL_ERROR, "queue.read", &why, "a note cannot be read");
    send_recalled(user, FRAME_RECALLED, &answer);
    return true;
}

struct due_for {
    const struct keeper_user *user;
    uint64_t ticket;
};

static void send_due(void *arg, const struct note *n)
{
    const struct due_for *to = arg;

    send_recalled(to->user, FRAME_DUE_NOTE, &(struct frame_recalled){ to->ticket, RECALL_FOUND, *n });
}

bool keeper_due(struct queue *q, const struct keeper_user *user, struct slice body)
{
    auto_buf struct buf end = { 0 };
    struct frame_notes_due f;
    struct due_for to;
    size_t limit;

    if (!frame_get_notes_due(body, &f))
        return false;
    to = (struct due_for){ user, f.ticket };
    limit = f.limit < FRAME_NOTES_MOST ? f.limit : FRAME_NOTES_MOST;
    queue_note_due(q, f.kind, user->slot, f.now, limit, send_due, &to);
    buf_init(&end, 16);
    buf_u64(&end, f.ticket);
    channel_send(user->channel, FRAME_DUE_END, buf_slice(&end));
    return true;
}

/* A day that has not begun anywhere is nobody's: nothing would ever forget it. */
bool keeper_count(struct queue *q, struct slice body, time_ms wall)
{
    auto_arena struct arena arena = { 0 };
    struct frame_tallies f;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_tallies(body, &arena, &f))
        return false;
    for (size_t i = 0; i < f.count; i++)
        if (f.tallies[i].day <= wall / DAYS(1) + 1)
            queue_tally(q, &f.tallies[i]);
    return true;
}

void keeper_forget(struct queue *q, time_ms wall, unsigned keep)
{
    static const uint8_t kinds[] = { NOTE_POLICY, NOTE_RECEIVED, NOTE_HOOK, NOTE_CERTIFICATE };
    time_ms today = wall / DAYS(1), days = keep ? keep : TALLY_DAYS;

    if (today <= days)      /* a clock that is wrong */
        return;
    queue_tally_forget(q, (uint32_t)(today - days));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        queue_note_forget(q, kinds[i], wall);
    /* Their own processes see to these; where there is none any more nobody does. */
    queue_note_forget(q, NOTE_EVENT, wall - DAYS(30));
    queue_note_forget(q, NOTE_REPORT, wall - DAYS(30));
}
