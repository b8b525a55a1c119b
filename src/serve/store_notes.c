#include "serve/store_inside.h"

#include "serve/keeper.h"
#include "serve/operator.h"

void notes_tell_others(struct store *s, const struct peer *author, const struct frame_note_key *what)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 2 * NOTE_KEY_MAX);
    frame_put_note_key(&frame, what);
    for (struct peer *p = s->peers; p; p = p->next)
        if (p != author && p->channel && rules_hears(p, what->kind))
            channel_send(p->channel, FRAME_NOTES_CHANGED, buf_slice(&frame));
    soon_add(&s->commit);
}

/* What is due belongs to the outbound process of its slot, and to any clerk. */
static struct keeper_user user_of(const struct peer *p)
{
    return (struct keeper_user){ p->channel, p->link.role == LINK_OUTBOUND ? p->link.slot : QUEUE_ALL_SLOTS };
}

bool notes_take_recall(struct peer *p, struct slice body)
{
    struct keeper_user user = user_of(p);

    return keeper_recall(p->store->queue, &user, body);
}

/* The others hear at once: what they ask for next they get as it is now, stored or not. */
bool notes_take_note(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct note n;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_note(body, &arena, &n) || !rules_may_write(p, n.kind))
        return false;
    queue_note(p->store->queue, &n, NULL, NULL);
    notes_tell_others(p->store, p, &(struct frame_note_key){ n.kind, n.key });
    return true;
}

bool notes_take_due(struct peer *p, struct slice body)
{
    struct keeper_user user = user_of(p);

    return keeper_due(p->store->queue, &user, body);
}

bool notes_take_tallies(struct peer *p, struct slice body)
{
    return keeper_count(p->store->queue, body, clock_wall());
}

/* --- questions ------------------------------------------------------------------- */

static void tell(void *arg, enum frame_type type, struct slice body)
{
    struct request *r = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_ticketed(&frame, &(struct frame_ticketed){ r->ticket, (uint8_t)type, body });
    if (r->peer->channel)
        channel_send(r->peer->channel, FRAME_TOLD, buf_slice(&frame));
    if (operator_ends_answer(type))
        request_end(r);
}

static bool may_put(const struct peer *p, struct slice body, struct arena *arena, struct note *n)
{
    return frame_get_note(body, arena, n) && rules_may_write(p, n->kind);
}

bool notes_take_question(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct store *s = p->store;
    struct frame_ticketed f;
    struct request *r;
    struct note n;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_ticketed(body, &f) || !rules_may_ask(p, f.type))
        return false;
    if (f.type == FRAME_NOTE_PUT && !may_put(p, f.body, &arena, &n))
        return false;
    r = request_new(p, FRAME_TOLD, f.ticket);
    if (!operator_request(s->queue, f.type, f.body, tell, r)) {
        request_end(r);
        return false;
    }
    if (f.type == FRAME_NOTE_PUT)
        notes_tell_others(s, p, &(struct frame_note_key){ n.kind, n.key });
    return true;
}
