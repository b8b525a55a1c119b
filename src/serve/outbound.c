#include "serve/outbound.h"

#include "base/log.h"
#include "base/memory.h"
#include "deliver/deliverer.h"
#include "serve/intake.h"
#include "serve/knowledge.h"
#include "serve/ourselves.h"
#include "serve/worker.h"

#include <assert.h>

enum { READ_PATIENCE_MS = 60000, DRAIN_GRACE_MS = 15000, LAST_WORDS_MS = 2000, BUCKETS = 1024 };

/* A delivery, as this process keeps it from lease to settled. */
struct job {
    struct outbound *outbound;
    struct delivery *delivery;      /* NULL once the deliverer is done with it */
    uint64_t lease;                 /* the present store's number; 0 while it has none for us */
    uint64_t former;                /* the number that the store before it had given */
    bool gone;                      /* the present store knows nothing of it: it was settled */
    message_id id;
    char *destination;
    struct buf settle;              /* the frame, until the store has it */
    /* a read under way */
    struct fiber *reader;
    struct buf piece;
    uint64_t offset;
    bool arrived, done;
    struct job *next, **where;      /* among all */
    struct job *next_in_bucket;     /* by lease */
};

struct outbound {
    const struct outbound_start *start;
    struct channel *store;
    struct deliverer *deliverer;
    struct resolver *resolver;
    struct knowledge *knowledge;
    struct bell *bell;
    struct recorder *recorder;
    struct ourselves *ourselves;
    struct id_maker ids;
    struct dial_settings dial;
    struct job *jobs;
    struct job *by_lease[BUCKETS];
    struct intake_bounds intake;
    struct timer *cut;
    struct fiber *historian;        /* writes down which certificates we have */
    bool draining;
};

/* Give a job its lease's number, or take it away with 0. */
static void set_lease(struct job *j, uint64_t lease)
{
    struct job **at = &j->outbound->by_lease[j->lease % BUCKETS];

    while (j->lease && *at != j)
        at = &(*at)->next_in_bucket;
    if (j->lease)
        *at = j->next_in_bucket;
    j->lease = lease;
    if (!lease)
        return;
    at = &j->outbound->by_lease[lease % BUCKETS];
    j->next_in_bucket = *at;
    *at = j;
}

static void job_free(struct job *j)
{
    set_lease(j, 0);
    *j->where = j->next;
    if (j->next)
        j->next->where = j->where;
    delivery_free(j->delivery);
    buf_done(&j->settle);
    buf_done(&j->piece);
    free(j->destination);
    free(j);
}

static struct job *find_job(struct outbound *o, uint64_t lease)
{
    struct job *j = o->by_lease[lease % BUCKETS];

    while (j && j->lease != lease)
        j = j->next_in_bucket;
    return lease ? j : NULL;
}

/* What was learned goes to the store before this process does. */
static void last_words(struct outbound *o)
{
    bell_flush(o->bell);
    knowledge_stop(o->knowledge);
    if (o->store)
        channel_drain(o->store, clock_now() + LAST_WORDS_MS);
}

static void finish_if_drained(struct outbound *o)
{
    if (o->draining && deliverer_busy(o->deliverer) == 0 && !o->jobs && !o->historian) {
        last_words(o);
        if (!knowledge_is_busy(o->knowledge))
            worker_finish();
    }
}

/* --- what the deliverer asks ------------------------------------------------------ */

static void ask_for_piece(struct job *j)
{
    auto_buf struct buf frame = { 0 };
    struct frame_read read = { j->lease, j->offset, LEASE_BODY_MAX };

    buf_init(&frame, 64);
    frame_put_read(&frame, &read);
    channel_send(j->outbound->store, FRAME_READ, buf_slice(&frame));
}

static bool read_piece(struct job *j, uint64_t offset, struct slice *piece, struct error *why)
{
    time_ms deadline = clock_now() + READ_PATIENCE_MS;
    enum wake wake = FIBER_WOKEN;

    if (!j->outbound->store || !j->lease)
        return fail(why, E_STORAGE, "the queue is being restarted");
    j->offset = offset;
    j->arrived = j->done = false;
    j->reader = fiber_current();
    ask_for_piece(j);
    while (!j->arrived && wake == FIBER_WOKEN)
        wake = fiber_wait(deadline);
    j->reader = NULL;
    if (!j->arrived || !j->done)
        return fail(why, E_STORAGE, "the message could not be read from the queue");
    *piece = buf_slice(&j->piece);
    return true;
}

static bool on_read(void *self, struct delivery *d, uint64_t offset, struct slice *piece, struct error *why)
{
    (void)self;
    if (d->lease.body.len == 0 && d->lease.envelope.size > 0)
        return read_piece(d->house, offset, piece, why);
    *piece = slice_after(d->lease.body, offset);
    return true;
}

static void send_settle(struct job *j)
{
    struct outbound *o = j->outbound;
    auto_buf struct buf frame = { 0 };

    if (!o->store || !j->lease)
        return;     /* it goes when the lease is resumed */
    buf_init(&frame, CHANNEL_FRAME_MAX);
    buf_u64(&frame, j->lease);
    buf_add(&frame, slice_after(buf_slice(&j->settle), 8));     /* the number stands first */
    channel_send(o->store, FRAME_SETTLE, buf_slice(&frame));
}

static void on_settle(void *self, struct delivery *d, const struct settle *s)
{
    struct job *j = d->house;

    for (size_t i = 0; i < s->count; i++)
        recorder_settled(j->outbound->recorder, j->destination, &s->recipients[i]);
    buf_init(&j->settle, CHANNEL_FRAME_MAX);
    frame_put_settle(&j->settle, s);
    assert(!j->settle.failed);
    delivery_free(j->delivery);
    j->delivery = NULL;
    if (j->gone)
        job_free(j);
    else
        send_settle(j);
}

static void on_drained(void *self)
{
    finish_if_drained(self);
}

static bool on_recall(void *self, const char *next_hop, struct memory *m)
{
    struct outbound *o = self;

    return knowledge_recall(o->knowledge, next_hop, m);
}

static void on_remember(void *self, const char *next_hop, const struct memory *m)
{
    struct outbound *o = self;

    knowledge_remember(o->knowledge, next_hop, m);
}

static void on_fact(void *self, const struct fact *f)
{
    struct outbound *o = self;

    recorder_fact(o->recorder, f);
}

static void on_alarm(void *self, const char *next_hop, const char *relay, unsigned breaks)
{
    struct outbound *o = self;

    recorder_alarm(o->recorder, next_hop, relay, breaks);
}

static uint64_t on_policy(void *self, const struct report_policy *p)
{
    struct outbound *o = self;

    return recorder_policy(o->recorder, p);
}

static bool on_report(void *self, struct slice message, struct error *why)
{
    struct outbound *o = self;
    struct intake intake = { o->start->config, knowledge_scribe(o->knowledge), o->bell, o->resolver,
                             &o->intake };

    return intake_letter(&intake, message, why);
}

static const struct delivery_house house = { on_read, on_settle, on_drained, on_recall, on_remember, on_fact, on_alarm,
                                             on_policy, on_report };

/* --- what the store says -------------------------------------------------------------- */

static bool take_lease(struct outbound *o, struct slice body)
{
    struct delivery *d = delivery_new();
    struct job *j;

    if (!frame_get_lease(body, &d->arena, &d->lease)) {
        delivery_free(d);
        return false;
    }
    j = NEW(struct job);
    *j = (struct job){ .outbound = o, .delivery = d, .id = d->lease.envelope.id,
                       .destination = memory_text(slice_of(d->lease.destination)),
                       .next = o->jobs, .where = &o->jobs };
    buf_init(&j->piece, LEASE_BODY_MAX);
    if (j->next)
        j->next->where = &j->next;
    o->jobs = j;
    set_lease(j, d->lease.number);
    d->house = j;
    deliverer_take(o->deliverer, d);
    return true;
}

static bool take_settled(struct outbound *o, struct slice body)
{
    struct frame_answer answer;
    struct job *j;

    if (!frame_get_answer(body, &answer))
        return false;
    j = find_job(o, answer.ticket);
    if (!j || j->delivery)
        return false;
    if (!answer.done)
        log_say(LOG_LEVEL_ERROR, "settle.failed", &answer.why, "the queue did not take what became of a delivery");
    job_free(j);
    finish_if_drained(o);
    return true;
}

static bool take_piece(struct outbound *o, struct slice body)
{
    struct frame_piece piece;
    struct job *j;

    if (!frame_get_piece(body, &piece) || piece.bytes.len > LEASE_BODY_MAX)
        return false;
    j = find_job(o, piece.lease);
    if (!j || !j->reader || j->arrived || piece.offset != j->offset)
        return true;        /* nobody waits for it any more */
    buf_clear(&j->piece);
    buf_add(&j->piece, piece.bytes);
    j->arrived = true;
    j->done = piece.done;
    fiber_wake(j->reader);
    return true;
}

/* A new store has a new number for what we work on, or knows that it is settled. */
static bool take_resumed(struct outbound *o, struct slice body)
{
    struct frame_resumed resumed;
    struct job *j = o->jobs;

    if (!frame_get_resumed(body, &resumed))
        return false;
    while (j && (j->lease != 0 || j->gone || j->former != resumed.old_lease))
        j = j->next;
    if (!j)
        return false;
    set_lease(j, resumed.lease);
    j->gone = resumed.lease == 0;
    if (j->gone && !j->delivery)
        job_free(j);
    else if (!j->delivery)
        send_settle(j);
    finish_if_drained(o);
    return true;
}

static bool store_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct outbound *o = owner;
    bool good = false;

    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (scribe_takes(knowledge_scribe(o->knowledge), type, body, &good))
        return good;
    switch (type) {
    case FRAME_LEASE: return take_lease(o, body);
    case FRAME_SETTLED: return take_settled(o, body);
    case FRAME_PIECE: return take_piece(o, body);
    case FRAME_RESUMED: return take_resumed(o, body);
    case FRAME_TRY_ANEW: deliverer_end_rests(o->deliverer); return slice_empty(body);
    default: return false;
    }
}

/* --- the line to the store ------------------------------------------------------------ */

static void store_lost(struct outbound *o, const struct error *why)
{
    log_say(LOG_LEVEL_WARNING, "store.lost", why, "deliveries go on; what becomes of them is kept until it is back");
    scribe_link(knowledge_scribe(o->knowledge), NULL);
    channel_free(o->store);
    o->store = NULL;
    worker_link_lost();
    for (struct job *j = o->jobs; j; j = j->next) {
        if (j->lease)
            j->former = j->lease;
        set_lease(j, 0);
        if (j->reader)
            fiber_wake(j->reader);
        j->arrived = true;
        j->done = false;
    }
}

static void store_closed(void *owner, const struct error *why)
{
    store_lost(owner, why);
}

static const struct channel_events store_events = { store_frame, store_closed };

static void say_hello(struct outbound *o)
{
    auto_buf struct buf frame = { 0 };
    struct frame_hello end = { .destination = "" };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    for (struct job *j = o->jobs; j; j = j->next) {
        struct frame_hello hello = { j->former, j->id, j->destination };

        if (j->gone)
            continue;
        buf_clear(&frame);
        frame_put_hello(&frame, &hello);
        channel_send(o->store, FRAME_HELLO, buf_slice(&frame));
    }
    buf_clear(&frame);
    frame_put_hello(&frame, &end);
    channel_send(o->store, FRAME_HELLO, buf_slice(&frame));
    if (o->draining)
        channel_send(o->store, FRAME_NO_MORE, slice("", 0));
}

static void linked(void *self, const struct frame_link *link, int fd)
{
    struct outbound *o = self;

    if (o->store)
        store_lost(o, NULL);
    worker_link_made();
    o->store = channel_new(fd, &store_events, o);
    channel_start(o->store);
    say_hello(o);
    scribe_link(knowledge_scribe(o->knowledge), o->store);
}

/* Hosts that take their time cannot hold up a shutdown; their mail stays queued. */
static void drain_over(void *owner)
{
    struct outbound *o = owner;

    log_say(LOG_LEVEL_WARNING, "drain.over", NULL, "%u deliveries did not end in time and will be tried again",
            deliverer_busy(o->deliverer));
    last_words(o);
    _exit(WORKER_DONE);
}

static void drain(void *self, bool hurry)
{
    struct outbound *o = self;

    if (hurry && !o->cut) {
        o->cut = timer_new(drain_over, o);
        timer_set(o->cut, loop_now() + DRAIN_GRACE_MS);
    }
    if (o->draining)
        return;
    o->draining = true;
    if (o->store)
        channel_send(o->store, FRAME_NO_MORE, slice("", 0));
    if (o->historian)
        fiber_cancel(o->historian);
    deliverer_drain(o->deliverer);
    knowledge_retire(o->knowledge);
    finish_if_drained(o);
}

static const struct worker_orders orders = { linked, drain };

/* --- life -------------------------------------------------------------------------------- */

static bool is_us(void *arg, const struct address *a)
{
    return ourselves_include(arg, a);
}

static void set_up_deliverer(struct outbound *o)
{
    const struct config *c = o->start->config;
    struct deliverer_settings settings = {
        .hostname = c->hostname,
        .routing = &c->routing,
        .retry = c->retry,
        .session = { c->hostname, &smtp_client_times, &o->dial, o->start->tls },
        .resolver = o->resolver,
        .decide = c->decide,
        .dane = c->dane,
        .memory = c->memory,
        .sts = knowledge_sts(o->knowledge),
        .ids = &o->ids,
        .mx_port = c->delivery.port,
        .connections = c->delivery.connections,
        .connections_per_destination = c->delivery.connections_per_destination,
        .messages_per_connection = c->delivery.messages_per_connection,
        .idle_connection = c->delivery.idle_connection,
        .rest = SECONDS(60) < c->retry.first ? SECONDS(60) : c->retry.first,
        .is_us = is_us,
        .is_us_arg = o->ourselves,
    };

    o->deliverer = deliverer_new(&settings, &house, o);
}

static void write_history(void *arg)
{
    struct outbound *o = arg;

    wardrobe_record(knowledge_scribe(o->knowledge), o->start->wardrobe);
    o->historian = NULL;
    finish_if_drained(o);
}

int outbound_run(const struct outbound_start *start)
{
    const struct config *c = start->config;
    struct outbound o = { .start = start };
    struct error why = { 0 };

    o.resolver = resolver_new(&c->resolver, &why);
    if (!o.resolver) {
        log_say(LOG_LEVEL_ERROR, "dns.unusable", &why, "the resolver cannot be set up");
        return WORKER_CANNOT_START;
    }
    if (!resolver_validates(o.resolver))
        log_say(LOG_LEVEL_WARNING, "dns.unvalidated", NULL, "no trust anchor: no DNS answer counts as secure; "
                "install dns-root-data or set dns { trust-anchor = FILE }");
    o.ids = (struct id_maker){ .maker = start->maker };
    o.dial = (struct dial_settings){ .connect_timeout = c->delivery.connect_timeout, .stagger = 250 };
    o.knowledge = knowledge_new(c, o.resolver, start->slot, on_drained, &o, &why);
    if (!o.knowledge) {
        log_say(LOG_LEVEL_ERROR, "https.unusable", &why, "MTA-STS policies cannot be fetched");
        return WORKER_CANNOT_START;
    }
    o.bell = bell_new(knowledge_scribe(o.knowledge), config_events(c));
    o.recorder = recorder_new(knowledge_scribe(o.knowledge), o.bell, c->facts.keep);
    knowledge_tell(o.knowledge, o.recorder);
    o.ourselves = ourselves_new(c->listeners, c->listener_count);
    set_up_deliverer(&o);
    worker_begin(start->control_fd, &orders, &o);
    worker_ready();
    knowledge_start(o.knowledge);
    if (start->slot == 0 && start->wardrobe)
        o.historian = fiber_start("wardrobe", write_history, &o);
    loop_run();
    timer_free(o.cut);
    deliverer_free(o.deliverer);
    recorder_free(o.recorder);
    bell_free(o.bell);
    knowledge_free(o.knowledge);
    resolver_free(o.resolver);
    ourselves_free(o.ourselves);
    channel_free(o.store);
    worker_end();
    return WORKER_DONE;
}
