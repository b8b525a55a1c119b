#include "serve/store_inside.h"

#include "base/log.h"
#include "base/memory.h"
#include "serve/control.h"
#include "serve/keeper.h"
#include "serve/worker.h"

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
    leases_dispatch(s);
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
    mail_forget(p);
    leases_revoke(p);
    peer_forget(p);
    leases_dispatch(s);
    end_if_drained(s);
}

static bool peer_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    if (fd < 0)
        return rules_take(owner, type, body);
    close(fd);
    return false;
}

static const struct channel_events peer_events = { peer_frame, peer_gone };

struct request *request_new(struct peer *p, enum frame_type answer, uint64_t ticket)
{
    struct request *r = NEW(struct request);

    *r = (struct request){ p, answer, ticket };
    p->waiting++;
    return r;
}

void request_end(struct request *r)
{
    struct peer *p = r->peer;

    p->waiting--;
    free(r);
    peer_forget(p);
}

void request_answered(void *arg, bool done, const struct error *why)
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
    request_end(r);
}

/* --- links and the rest ---------------------------------------------------------------- */

void store_link(struct store *s, const struct frame_link *link, int fd)
{
    struct peer *p = NEW(struct peer);

    p->store = s;
    p->link = *link;
    p->linked = loop_now();
    p->next = s->peers;
    s->peers = p;
    p->channel = channel_new(fd, &peer_events, p);
    channel_start(p->channel);
}

static void link_peer(void *self, const struct frame_link *link, int fd)
{
    store_link(self, link, fd);
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
    leases_dispatch(s);
}

static void operator_noted(void *owner, const struct frame_note_key *what)
{
    notes_tell_others(owner, NULL, what);
}

static void due_now(void *owner)
{
    leases_dispatch(owner);
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
        keeper_forget(s->queue, clock_wall(), s->config->facts.keep);
    soon_add(&s->commit);       /* what could not be stored a while ago may go now */
    leases_dispatch(s);
}

/* --- life -------------------------------------------------------------------------------- */

void store_begin(struct store *s, const struct config *config, struct queue *q)
{
    *s = (struct store){ .config = config, .queue = q };
    s->commit = (struct soon){ .run = commit, .owner = s };
    s->due = timer_new(due_now, s);
    s->tick = timer_new(tick, s);
    tick(s);
}

void store_end(struct store *s)
{
    s->ended = true;
    while (s->committing)       /* a group of housekeeping may be under way */
        loop_turn(true);
    timer_free(s->due);
    timer_free(s->tick);
    soon_remove(&s->commit);
    queue_tally_flush(s->queue);
    queue_commit(s->queue);     /* the last words of the others: nobody waits for an answer to them */
}

static const struct worker_orders orders = { link_peer, drain };
static const struct control_events operator_events = { operator_acted, operator_noted };

static struct queue *open_queue(const struct config *config, time_ms patience, struct error *why)
{
    time_ms deadline = clock_now() + patience;
    struct queue_settings settings = {
        .directory = config->data_directory,
        .minimum_free = config->minimum_free,
        .slots = config->outbound_processes,
        .per_destination = 2 * config->delivery.connections_per_destination,
    };
    struct queue *q = queue_open(&settings, why);

    while (!q && why->code == E_STORAGE_LOCKED && clock_now() < deadline) {
        usleep(50000);
        q = queue_open(&settings, why);
    }
    return q;
}

int store_run(const struct config *config, time_ms lock_patience, int control_fd)
{
    struct error why = { 0 };
    struct queue *q = open_queue(config, lock_patience, &why);
    struct store s;

    if (!q) {
        log_say(LOG_LEVEL_ERROR, "queue.unusable", &why, "the queue in %s cannot be opened", config->data_directory);
        return why.code == E_STORAGE_LOCKED || why.code == E_STORAGE_VERSION ? WORKER_CANNOT_START : EXIT_FAILURE;
    }
    store_begin(&s, config, q);
    worker_begin(control_fd, &orders, &s);
    s.control = control_new(config->data_directory, q, &operator_events, &s, &why);
    if (!s.control)
        log_say(LOG_LEVEL_WARNING, "control.unavailable", &why, "postern queue cannot reach this instance");
    worker_ready();
    loop_run();
    control_free(s.control);
    store_end(&s);
    queue_close(q);
    worker_end();
    return WORKER_DONE;
}
