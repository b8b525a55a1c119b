#include "serve/store_inside.h"

#include "base/memory.h"

#include <assert.h>

enum {
    WINDOW = 2048,              /* leases out at once to one outbound process: more than it has connections */
    HELLO_PATIENCE_MS = 5000,   /* how long leasing waits for a silent outbound process */
};

/* More than WINDOW after a restart: what waited to be settled is held as well. */
static void add_lease(struct peer *p, uint64_t lease)
{
    if (p->lease_count == p->lease_room) {
        p->lease_room = p->lease_room ? 2 * p->lease_room : 64;
        p->leases = memory_grow(p->leases, p->lease_room, sizeof *p->leases);
    }
    p->leases[p->lease_count++] = lease;
}

static bool forget_lease(struct peer *p, uint64_t lease)
{
    for (size_t i = 0; i < p->lease_count; i++) {
        if (p->leases[i] == lease) {
            p->leases[i] = p->leases[--p->lease_count];
            return true;
        }
    }
    return false;
}

static bool has_lease(const struct peer *p, uint64_t lease)
{
    for (size_t i = 0; i < p->lease_count; i++)
        if (p->leases[i] == lease)
            return true;
    return false;
}

bool leases_take_settle(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct settle f;

    arena_init(&arena, 4 * CHANNEL_FRAME_MAX);
    if (!frame_get_settle(body, &arena, &f) || !forget_lease(p, f.lease))
        return false;
    queue_settle(p->store->queue, &f, request_answered, request_new(p, FRAME_SETTLED, f.lease));
    soon_add(&p->store->commit);
    return true;
}

bool leases_take_read(struct peer *p, struct slice body)
{
    auto_buf struct buf bytes = { 0 }, frame = { 0 };
    struct frame_piece piece = { 0 };
    struct frame_read f;
    size_t got = 0;
    char *room;

    if (!frame_get_read(body, &f) || f.size == 0 || f.size > LEASE_BODY_MAX || !has_lease(p, f.lease))
        return false;
    buf_init(&bytes, f.size);
    buf_init(&frame, CHANNEL_FRAME_MAX);
    room = buf_room(&bytes, f.size);
    piece = (struct frame_piece){ .lease = f.lease, .offset = f.offset };
    piece.done = room && queue_read(p->store->queue, f.lease, f.offset, room, f.size, &got, NULL);
    piece.bytes = slice(room, got);
    frame_put_piece(&frame, &piece);
    channel_send(p->channel, FRAME_PIECE, buf_slice(&frame));
    return true;
}

bool leases_take_hello(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf frame = { 0 };
    struct frame_resumed resumed = { 0 };
    struct frame_hello f;

    arena_init(&arena, CHANNEL_FRAME_MAX);
    if (!frame_get_hello(body, &arena, &f))
        return false;
    if (f.id == 0) {
        p->said_hello = true;
        leases_dispatch(p->store);
        return true;
    }
    resumed.old_lease = f.lease;
    if (queue_resume(p->store->queue, f.id, f.destination, p->link.slot, &resumed.lease))
        add_lease(p, resumed.lease);
    else
        resumed.lease = 0;
    buf_init(&frame, 64);
    frame_put_resumed(&frame, &resumed);
    channel_send(p->channel, FRAME_RESUMED, buf_slice(&frame));
    return true;
}

bool leases_take_no_more(struct peer *p, struct slice body)
{
    p->draining = true;
    return slice_empty(body);
}

/* What it was delivering is due again at once: at least once is promised. */
void leases_revoke(struct peer *p)
{
    for (size_t i = 0; i < p->lease_count; i++)
        queue_revoke(p->store->queue, p->leases[i], clock_wall());
    p->lease_count = 0;
}

static void send_lease(struct peer *p, const struct lease *lease)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_lease(&frame, lease);
    assert(!frame.failed);      /* bounded by FRAME_RECIPIENTS_MAX and LEASE_BODY_MAX */
    add_lease(p, lease->number);
    channel_send(p->channel, FRAME_LEASE, buf_slice(&frame));
}

static void feed(struct store *s, struct peer *p)
{
    auto_arena struct arena arena = { 0 };
    struct lease lease;

    arena_init(&arena, 4 * CHANNEL_FRAME_MAX);
    while (p->lease_count < WINDOW && channel_backlog(p->channel) < CHANNEL_BACKLOG_HIGH &&
           queue_lease(s->queue, clock_wall(), p->link.slot, &arena, &lease)) {
        send_lease(p, &lease);
        arena_reset(&arena);
    }
}

/* After a restart nothing is leased until every outbound process has said what
 * it still works on, lest it be delivered twice; but not for ever. */
static bool somebody_is_silent(const struct store *s)
{
    for (const struct peer *p = s->peers; p; p = p->next)
        if (p->channel && p->link.role == LINK_OUTBOUND && !p->said_hello &&
            loop_now() - p->linked < HELLO_PATIENCE_MS)
            return true;
    return false;
}

/* A slot may have two processes while one of an older configuration drains: the newest gets the work. */
static struct peer *deliverer_of(const struct store *s, unsigned slot)
{
    struct peer *best = NULL;

    for (struct peer *p = s->peers; p; p = p->next)
        if (p->channel && p->said_hello && !p->draining && p->link.role == LINK_OUTBOUND && p->link.slot == slot &&
            (!best || p->link.generation > best->link.generation))
            best = p;
    return best;
}

void leases_dispatch(struct store *s)
{
    time_ms due, wall = clock_wall();

    if (s->draining || somebody_is_silent(s))
        return;
    for (struct peer *p = s->peers; p; p = p->next)
        if (p->link.role == LINK_OUTBOUND && p == deliverer_of(s, p->link.slot))
            feed(s, p);
    due = queue_next_due(s->queue);
    if (due == TIME_NEVER)
        timer_stop(s->due);
    else
        timer_set(s->due, loop_now() + (due > wall ? due - wall : SECONDS(1)));
}
