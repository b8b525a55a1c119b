#include "serve/store.h"

#include "base/log.h"
#include "base/memory.h"
#include "queue/queue.h"
#include "serve/control.h"
#include "serve/keeper.h"
#include "serve/worker.h"

#include <assert.h>

enum {
    WINDOW = 2048,              /* leases out at once to one outbound process: more than it has connections */
    HELLO_PATIENCE_MS = 5000,   /* how long leasing waits for a silent outbound process */
};

/* A message on its way in from one of the inbound processes. */
struct arriving {
    uint64_t ticket;
    struct incoming *incoming;  /* NULL once it has failed */
    struct error why;
    struct arriving *next;
};

/* An inbound or outbound process. */
struct peer {
    struct store *store;
    struct channel *channel;    /* NULL when it is gone */
    struct frame_link link;
    struct peer *next;
    unsigned waiting;           /* answers of the queue that are still to come */
    struct arriving *arriving;
    bool said_hello;
    time_ms linked;
    bool draining;              /* gets no more */
    uint64_t *leases;
    size_t lease_count, lease_room;
};

struct store {
    struct queue *queue;
    struct peer *peers;
    struct control *control;
    struct soon commit;
    struct timer *due, *tick;
    unsigned ticks;
    bool committing, draining, ended;
};

static void dispatch(struct store *s);
static void end_if_drained(struct store *s);

/* --- group commit ----------------------------------------------------------- */

struct work {
    struct store *store;
    struct group *group;
};

static void apply_on_thread(void *arg)
{
    struct work *w = arg;

    group_apply(w->group);
}

static void applied(void *arg)
{
    struct work *w = arg;
    struct store *s = w->store;

    s->committing = false;
    queue_applied(s->queue, w->group);
    free(w);
    soon_add(&s->commit);
    dispatch(s);
    end_if_drained(s);
}

/* At the end of each turn: everything that came in this turn, or while the
 * last group was written, makes the next group. */
static void commit(void *owner)
{
    struct store *s = owner;
    struct group *group = s->committing || s->ended ? NULL : queue_group(s->queue);
    struct work *w;

    if (!group)
        return;
    w = NEW(struct work);
    *w = (struct work){ s, group };
    s->committing = true;
    loop_work(apply_on_thread, applied, w);
}

/* --- peers --------------------------------------------------------------------- */

static void arriving_free(struct arriving *a)
{
    incoming_drop(a->incoming);
    free(a);
}

static void peer_forget(struct peer *p)
{
    struct peer **at = &p->store->peers;

    if (p->channel || p->waiting)
        return;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p->leases);
    free(p);
}

static void peer_gone(void *owner, const struct error *why)
{
    struct peer *p = owner;
    struct store *s = p->store;

    channel_free(p->channel);
    p->channel = NULL;
    while (p->arriving) {
        struct arriving *a = p->arriving;

        p->arriving = a->next;
        arriving_free(a);
    }
    /* What it was delivering is due again at once: at least once is promised. */
    for (size_t i = 0; i < p->lease_count; i++)
        queue_revoke(s->queue, p->leases[i], clock_wall());
    p->lease_count = 0;
    peer_forget(p);
    dispatch(s);
    end_if_drained(s);
}

/* An answer of the queue to a request that a peer made. */
struct request {
    struct peer *peer;
    enum frame_type answer;
    uint64_t ticket;
};

static void answered(void *arg, bool done, const struct error *why)
{
    struct request *r = arg;
    struct peer *p = r->peer;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_answer(&frame, r->ticket, done, why);
    if (p->channel)
        channel_send(p->channel, (uint8_t)r->answer, buf_slice(&frame));
    /* What became of it cannot be recorded (an id that is taken): it is tried once more. */
    if (r->answer == FRAME_SETTLED && !done)
        queue_revoke(p->store->queue, r->ticket, clock_wall() + SECONDS(60));
    p->waiting--;
    free(r);
    peer_forget(p);
}

static struct request *request_new(struct peer *p, enum frame_type answer, uint64_t ticket)
{
    struct request *r = NEW(struct request);

    *r = (struct request){ p, answer, ticket };
    p->waiting++;
    return r;
}

/* --- inbound: messages come in --------------------------------------------------- */

static struct arriving **find_arriving(struct peer *p, uint64_t ticket)
{
    struct arriving **at = &p->arriving;

    while (*at && (*at)->ticket != ticket)
        at = &(*at)->next;
    return at;
}

/* What cannot be kept is remembered as failed, and said once at the end. */
static void add_bytes(struct arriving *a, struct slice bytes)
{
    if (!a->incoming || incoming_add(a->incoming, bytes, &a->why))
        return;
    incoming_drop(a->incoming);
    a->incoming = NULL;
}

static struct arriving *get_arriving(struct peer *p, uint64_t ticket)
{
    struct arriving **at = find_arriving(p, ticket), *a = *at;

    if (!a) {
        a = NEW(struct arriving);
        a->ticket = ticket;
        a->incoming = incoming_new(p->store->queue);
        *at = a;
    }
    return a;
}

static void remove_arriving(struct peer *p, struct arriving *a)
{
    *find_arriving(p, a->ticket) = a->next;
}

static bool take_body(struct peer *p, struct slice body)
{
    struct frame_body f;

    if (!frame_get_body(body, &f))
        return false;
    add_bytes(get_arriving(p, f.ticket), f.bytes);
    return true;
}

static bool take_drop(struct peer *p, struct slice body)
{
    struct arriving *a;
    uint64_t ticket;

    if (!frame_get_ticket(body, &ticket))
        return false;
    a = *find_arriving(p, ticket);
    if (a) {
        remove_arriving(p, a);
        arriving_free(a);
    }
    return true;
}

static bool take_accept(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct store *s = p->store;     /* a refused message is answered at once, and the peer may go with it */
    struct frame_accept f;
    struct request *r;
    struct arriving *a;

    arena_init(&arena, 2 * CHANNEL_FRAME_MAX);
    if (!frame_get_accept(body, &arena, &f))
        return false;
    a = get_arriving(p, f.ticket);
    add_bytes(a, f.bytes);
    r = request_new(p, FRAME_ACCEPTED, f.ticket);
    remove_arriving(p, a);
    if (a->incoming)
        queue_accept(s->queue, a->incoming, &f.envelope, answered, r);
    else
        answered(r, false, &a->why);
    free(a);
    soon_add(&s->commit);
    return true;
}

/* --- outbound: leases go out, settlements come back --------------------------------- */

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

static bool take_settle(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct settle f;

    arena_init(&arena, 4 * CHANNEL_FRAME_MAX);
    if (!frame_get_settle(body, &arena, &f) || !forget_lease(p, f.lease))
        return false;
    queue_settle(p->store->queue, &f, answered, request_new(p, FRAME_SETTLED, f.lease));
    soon_add(&p->store->commit);
    return true;
}

static bool take_read(struct peer *p, struct slice body)
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

static bool take_hello(struct peer *p, struct slice body)
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
        dispatch(p->store);
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

static void dispatch(struct store *s)
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

static void due_now(void *owner)
{
    dispatch(owner);
}

/* --- notes ------------------------------------------------------------------------------- */

/* Whoever has the note in its cache drops it; `author` has the new one. */
static void tell_others(struct store *s, const struct peer *author, const struct frame_note_key *what)
{
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 2 * NOTE_KEY_MAX);
    frame_put_note_key(&frame, what);
    for (struct peer *p = s->peers; p; p = p->next)
        if (p != author && p->channel && p->link.role == LINK_OUTBOUND)
            channel_send(p->channel, FRAME_NOTES_CHANGED, buf_slice(&frame));
    soon_add(&s->commit);
}

static void peer_noted(void *owner, const struct frame_note_key *what)
{
    struct peer *p = owner;

    tell_others(p->store, p, what);
}

static void operator_noted(void *owner, const struct frame_note_key *what)
{
    tell_others(owner, NULL, what);
}

static bool take_notes(struct peer *p, uint8_t type, struct slice body)
{
    struct keeper_user user = { p->channel, p->link.slot, peer_noted, p };

    return keeper_take(p->store->queue, &user, type, body);
}

/* --- links and the rest ---------------------------------------------------------------- */

static bool peer_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct peer *p = owner;

    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (p->link.role == LINK_INBOUND) {
        switch (type) {
        case FRAME_BODY: return take_body(p, body);
        case FRAME_ACCEPT: return take_accept(p, body);
        case FRAME_DROP: return take_drop(p, body);
        default: return false;
        }
    }
    switch (type) {
    case FRAME_HELLO: return take_hello(p, body);
    case FRAME_SETTLE: return take_settle(p, body);
    case FRAME_READ: return take_read(p, body);
    case FRAME_NO_MORE: p->draining = true; return slice_empty(body);
    default: return take_notes(p, type, body);
    }
}

static const struct channel_events peer_events = { peer_frame, peer_gone };

static void link_peer(void *self, const struct frame_link *link, int fd)
{
    struct store *s = self;
    struct peer *p = NEW(struct peer);

    p->store = s;
    p->link = *link;
    p->linked = loop_now();
    p->next = s->peers;
    s->peers = p;
    p->channel = channel_new(fd, &peer_events, p);
    channel_start(p->channel);
}

/* The master drains the other processes first; their channels close. */
static void end_if_drained(struct store *s)
{
    if (s->draining && !s->peers && !s->committing)
        worker_finish();
}

static void drain(void *self, bool hurry)
{
    struct store *s = self;

    s->draining = true;
    control_free(s->control);
    s->control = NULL;
    end_if_drained(s);
}

static void operator_acted(void *owner)
{
    struct store *s = owner;

    for (struct peer *p = s->peers; p; p = p->next)
        if (p->channel && p->link.role == LINK_OUTBOUND)
            channel_send(p->channel, FRAME_TRY_ANEW, slice("", 0));
    soon_add(&s->commit);
    dispatch(s);
}

static void tick(void *owner)
{
    struct store *s = owner;

    timer_set(s->tick, loop_now() + SECONDS(1));
    if (s->ticks % 10 == 0)
        queue_tend(s->queue, clock_wall());
    if (s->ticks % 2 == 0)
        queue_tally_flush(s->queue);
    if (s->ticks++ % 3600 == 0)
        keeper_forget(s->queue, clock_wall());
    soon_add(&s->commit);       /* what could not be stored a while ago may go now */
    dispatch(s);
}

static const struct worker_orders orders = { link_peer, drain };
static const struct control_events operator_events = { operator_acted, operator_noted };

static struct queue *open_queue(const struct queue_settings *settings, time_ms patience, struct error *why)
{
    time_ms deadline = clock_now() + patience;
    struct queue *q = queue_open(settings, why);

    while (!q && why->code == E_STORAGE_LOCKED && clock_now() < deadline) {
        usleep(50000);
        q = queue_open(settings, why);
    }
    return q;
}

int store_run(const struct config *config, time_ms lock_patience, int control_fd)
{
    struct store s = { 0 };
    struct error why = { 0 };
    struct queue_settings settings = {
        .directory = config->data_directory,
        .minimum_free = config->minimum_free,
        .slots = config->outbound_processes,
        .per_destination = 2 * config->delivery.connections_per_destination,
    };

    s.commit = (struct soon){ .run = commit, .owner = &s };
    s.queue = open_queue(&settings, lock_patience, &why);
    if (!s.queue) {
        log_say(LOG_LEVEL_ERROR, "queue.unusable", &why, "the queue in %s cannot be opened", config->data_directory);
        return why.code == E_STORAGE_LOCKED || why.code == E_STORAGE_VERSION ? WORKER_CANNOT_START : EXIT_FAILURE;
    }
    s.due = timer_new(due_now, &s);
    s.tick = timer_new(tick, &s);
    worker_begin(control_fd, &orders, &s);
    s.control = control_new(config->data_directory, s.queue, &operator_events, &s, &why);
    if (!s.control)
        log_say(LOG_LEVEL_WARNING, "control.unavailable", &why, "postern queue cannot reach this instance");
    worker_ready();
    tick(&s);
    loop_run();
    s.ended = true;
    while (s.committing)        /* a group of housekeeping may be under way */
        loop_turn(true);
    control_free(s.control);
    timer_free(s.due);
    timer_free(s.tick);
    soon_remove(&s.commit);
    queue_tally_flush(s.queue);
    queue_commit(s.queue);      /* the last words of the others: nobody waits for an answer to them */
    queue_close(s.queue);
    worker_end();
    return WORKER_DONE;
}
