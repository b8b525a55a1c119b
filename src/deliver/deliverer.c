#include "deliver/deliverer.h"

#include "base/log.h"
#include "base/memory.h"
#include "deliver/attempt.h"
#include "deliver/destination.h"
#include "message/header.h"

#include <assert.h>
#include <sys/random.h>

enum {
    BUCKETS = 4096,
    HEADER_MAX = 32 * 1024,
    SESSION_AGE_MS = 5 * 60 * 1000,     /* a session is not kept longer: what the DNS said of its host grows old */
};

struct deliverer {
    struct deliverer_settings settings;
    const struct delivery_house *house;
    void *self;
    bool draining;
    unsigned couriers;
    unsigned connected;         /* of them, those whose destination is not local */
    struct destination *hungry, **last_hungry;
    struct destination *buckets[BUCKETS];
};

struct delivery *delivery_new(void)
{
    struct delivery *d = NEW(struct delivery);

    arena_init(&d->arena, DELIVERY_ARENA_MAX);
    return d;
}

void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    arena_done(&d->arena);
    free(d);
}

struct deliverer *deliverer_new(const struct deliverer_settings *s, const struct delivery_house *house, void *self)
{
    struct deliverer *d = NEW(struct deliverer);

    d->settings = *s;
    d->house = house;
    d->self = self;
    d->last_hungry = &d->hungry;
    return d;
}

static uint64_t randomness(void)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint64_t)clock_now() * 0x9e3779b97f4a7c15u;
    return random;
}

/* --- destinations -------------------------------------------------------- */

static struct destination **bucket_of(struct deliverer *d, const char *key)
{
    return &d->buckets[slice_hash(slice_of(key)) % BUCKETS];
}

/* Destinations at rest are remembered a little longer than they have mail; the
 * bucket that is looked into is cleaned of those that have had their rest. */
static struct destination *find_destination(struct deliverer *d, const char *key)
{
    struct destination **at = bucket_of(d, key), *found = NULL;

    while (*at) {
        struct destination *here = *at;

        if (strcmp(here->key, key) == 0)
            found = here;
        else if (here->couriers == 0 && here->waiting == 0 && !here->hungry &&
                 !destination_rests(here, loop_now())) {
            *at = here->next;
            destination_free(here);
            continue;
        }
        at = &here->next;
    }
    if (!found) {
        found = destination_new(key, d->settings.connections_per_destination);
        *at = found;
    }
    return found;
}

static void forget_if_unused(struct deliverer *d, struct destination *dest)
{
    struct destination **at = bucket_of(d, dest->key);

    if (dest->couriers || dest->waiting || dest->hungry || destination_rests(dest, loop_now()))
        return;
    while (*at != dest)
        at = &(*at)->next;
    *at = dest->next;
    destination_free(dest);
}

/* --- settling ------------------------------------------------------------- */

/* The header of the original, for the bounce; what cannot be read is left out. */
static void read_header(struct deliverer *d, struct delivery *delivery, struct buf *header)
{
    uint64_t offset = 0;
    struct slice piece;

    while (d->house->read(d->self, delivery, offset, &piece, NULL) && piece.len) {
        struct slice wanted = slice_first(piece, HEADER_MAX - buf_len(header));

        buf_add(header, wanted);
        offset += piece.len;
        if (buf_len(header) >= HEADER_MAX || header_of(buf_slice(header)).len < buf_len(header))
            break;
    }
}

static bool wants_delay_notice(const struct deliverer *d, const struct delivery *delivery, time_ms wall)
{
    time_ms after = d->settings.retry.delay_notice;

    return after > 0 && !delivery->lease.delay_told && wall - delivery->lease.envelope.arrived >= after;
}

static bool make_notice(struct deliverer *d, struct delivery *delivery, const struct outcome *outcomes, size_t failed,
                        time_ms wall, struct arena *arena, struct bounce *out)
{
    struct bounce_settings settings = { d->settings.hostname, d->settings.routing, d->settings.ids };
    enum dsn_action action = failed ? DSN_FAILED : DSN_DELAYED;
    const struct envelope *e = &delivery->lease.envelope;
    auto_buf struct buf header = { 0 };

    if (bounce_is_pointless(e) || delivery->lease.destination[0] == '(' || (failed == 0 && !wants_delay_notice(d, delivery, wall)))
        return false;
    buf_init(&header, HEADER_MAX);
    read_header(d, delivery, &header);
    return bounce_make(&settings, action, e, outcomes, e->count, header_of(buf_slice(&header)),
                       e->arrived + d->settings.retry.give_up, wall, arena, out);
}

static void log_notice(const struct delivery *delivery, const struct bounce *b, bool failed)
{
    struct log_line l = log_begin(LOG_LEVEL_INFO, failed ? "bounce.queued" : "delay-notice.queued");
    char id[MESSAGE_ID_TEXT];

    log_text(&l, "id", message_id_text(b->envelope.id, id));
    log_text(&l, "about", message_id_text(delivery->lease.envelope.id, id));
    log_text(&l, "to", b->recipient.address);
    log_end(&l);
}

/* A failure that is not told to anybody is not final: those that the bounce does
 * not name stay, and fail again with a bounce of their own. */
static void keep_untold(struct settlement *settlements, size_t count, size_t told, time_ms due)
{
    size_t failed = 0;

    for (size_t i = 0; i < count; i++) {
        if (settlements[i].state != SETTLE_FAILED || failed++ < told)
            continue;
        settlements[i].state = SETTLE_DEFERRED;
        settlements[i].due = due;
    }
}

static void settle(struct deliverer *d, struct delivery *delivery, struct outcome *outcomes, const struct session *session)
{
    struct envelope *e = &delivery->lease.envelope;
    auto_free struct settlement *settlements = memory_array(e->count, sizeof *settlements);
    auto_arena struct arena arena = { 0 };      /* of its own: the delivery's may be full of what was said */
    struct bounce bounce = { 0 };
    struct consequence consequence;
    struct settle s = { .recipients = settlements, .count = e->count, .attempted = true };
    time_ms wall = clock_wall();
    size_t failed = outcomes_settle(outcomes, e->count, &d->settings.retry, e, delivery->lease.attempts + 1, wall,
                                    randomness(), settlements, &delivery->arena);

    arena_init(&arena, DELIVERY_ARENA_MAX);
    courier_log(delivery, outcomes, session);   /* deferred, or given up, or never asked */
    if (make_notice(d, delivery, outcomes, failed, wall, &arena, &bounce)) {
        consequence = (struct consequence){ &bounce.envelope, buf_slice(&bounce.body) };
        s.consequence = &consequence;
        s.delay_told = failed == 0;
        if (failed)
            keep_untold(settlements, e->count, bounce.named, wall + SECONDS(1));
        log_notice(delivery, &bounce, failed > 0);
    } else if (failed && !bounce_is_pointless(e)) {
        log_say(LOG_LEVEL_ERROR, "bounce.impossible", NULL, "the bounce does not fit; the delivery is tried again");
        keep_untold(settlements, e->count, 0, wall + MINUTES(5));
    } else if (failed) {
        char id[MESSAGE_ID_TEXT];

        log_say(LOG_LEVEL_WARNING, "bounce.none", NULL,
                "%s has a null sender, or is a TLS report: its failure is reported to nobody (RFC 5321 6.1, RFC 8460 5.5)",
                message_id_text(e->id, id));
    }
    d->house->settle(d->self, delivery, &s);
    buf_done(&bounce.body);
}

/* Back to the queue, untried; `destinations` are the new ones where they differ.
 * A second's delay keeps a mistake here from becoming a busy loop. */
static void give_back(struct deliverer *d, struct delivery *delivery, const char *const *destinations)
{
    time_ms delay = destinations ? SECONDS(1) : 0;
    struct envelope *e = &delivery->lease.envelope;
    auto_free struct settlement *settlements = memory_array(e->count, sizeof *settlements);
    struct settle s = { .recipients = settlements, .count = e->count };

    for (size_t i = 0; i < e->count; i++)
        settlements[i] = (struct settlement){ .number = e->recipients[i].number, .state = SETTLE_DEFERRED,
            .status = "", .why = "", .due = clock_wall() + delay, .destination = destinations ? destinations[i] : NULL };
    d->house->settle(d->self, delivery, &s);
}

/* The queue groups by the routes that were in force when the message came.
 * Where the configuration has changed since, the mail goes back to be grouped
 * anew. */
static bool reroute(struct deliverer *d, struct delivery *delivery)
{
    struct envelope *e = &delivery->lease.envelope;
    auto_free const char **destinations = memory_array(e->count, sizeof *destinations);
    bool changed = false;

    for (size_t i = 0; i < e->count; i++) {
        struct slice address = slice_of(e->recipients[i].address);
        const char *now = routing_destination(routing_for(d->settings.routing, address), address_domain(address),
                                              &delivery->arena);

        if (strcmp(now, delivery->lease.destination) != 0) {
            destinations[i] = now;
            changed = true;
        }
    }
    if (changed)
        give_back(d, delivery, destinations);
    return changed;
}

/* --- couriers -------------------------------------------------------------- */

struct courier_start {
    struct deliverer *deliverer;
    struct destination *destination;
};

static void feed_hungry(struct deliverer *d);

static void after_round(struct deliverer *d, struct destination *dest, const struct round *round)
{
    if (round->broke)
        destination_failed(dest);
    else if (round->reached)
        destination_succeeded(dest, d->settings.connections_per_destination);
    if (round->broke && !round->reached)
        destination_rest(dest, loop_now() + d->settings.rest, &round->why);
}

/* Hosts that cannot be reached cannot be by anyone. What a policy asks for may not concern this message, and
 * before it is given up it is tried (PD-31). */
static bool rest_concerns(const struct deliverer *d, const struct destination *dest, const struct envelope *e)
{
    return !attempt_is_last(&d->settings.retry, e) &&
           (attempt_need(e) == NEED_STANDARD || attempt_is_about_the_network(dest->rest_why.code));
}

static void deliver_one(struct deliverer *d, struct destination *dest, struct courier *courier,
                        struct delivery *delivery)
{
    struct envelope *e = &delivery->lease.envelope;
    const struct routing_rule *rule = routing_for(d->settings.routing, slice_of(e->recipients[0].address));
    auto_free struct outcome *outcomes = memory_array(e->count, sizeof *outcomes);
    struct round round = { 0 };

    if (reroute(d, delivery))
        return;
    for (size_t i = 0; i < e->count; i++)
        outcomes[i] = (struct outcome){ .number = e->recipients[i].number, .address = e->recipients[i].address,
                                        .status = "", .why = "" };
    if (destination_rests(dest, loop_now()) && rest_concerns(d, dest, e)) {
        outcomes_fail(outcomes, e->count, &dest->rest_why, NULL, &delivery->arena);
    } else {
        courier_carry(courier, delivery, rule, outcomes, &round);
        after_round(d, dest, &round);
    }
    settle(d, delivery, outcomes, &courier->session);
}

/* Keep the connection for a while in case more mail comes. */
static bool wait_for_work(struct deliverer *d, struct destination *dest, struct courier *courier)
{
    time_ms deadline = loop_now() + d->settings.idle_connection;
    enum wake wake = FIBER_WOKEN;

    while (wake == FIBER_WOKEN && !dest->first) {
        if (!session_is_open(&courier->session) || d->draining || d->hungry)
            return false;
        dest->idle++;
        wake = gate_wait(&dest->work, deadline);
        dest->idle--;
    }
    return dest->first != NULL;
}

/* A session that is in clear because TLS failed is no precedent for the next
 * message: that one has its own right to TLS, and its own time to wait. */
static bool is_spent(const struct deliverer *d, const struct session *s)
{
    return session_is_open(s) &&
           (s->messages >= d->settings.messages_per_connection || s->tls_problem.code != E_NONE ||
            clock_now() - s->opened > SESSION_AGE_MS);
}

static void run_courier(void *arg)
{
    struct courier_start start = *(struct courier_start *)arg;
    struct deliverer *d = start.deliverer;
    struct destination *dest = start.destination;
    struct courier courier = { .settings = &d->settings, .house = d->house, .self = d->self };
    struct delivery *delivery;

    free(arg);
    do {
        while ((delivery = destination_next(dest))) {
            if (d->draining)
                give_back(d, delivery, NULL);
            else
                deliver_one(d, dest, &courier, delivery);
            if (is_spent(d, &courier.session))
                courier_done(&courier);
        }
    } while (wait_for_work(d, dest, &courier));
    courier_done(&courier);
    dest->couriers--;
    d->couriers--;
    d->connected -= !dest->local;
    if (destination_wants_courier(dest) && !dest->hungry) {
        dest->hungry = true;
        *d->last_hungry = dest;
        d->last_hungry = &dest->next_hungry;
    } else if (!dest->hungry) {
        forget_if_unused(d, dest);
    }
    feed_hungry(d);
    if (d->draining && d->couriers == 0 && d->house->drained)
        d->house->drained(d->self);
}

static void start_courier(struct deliverer *d, struct destination *dest)
{
    struct courier_start *start = NEW(struct courier_start);

    *start = (struct courier_start){ d, dest };
    dest->couriers++;
    d->couriers++;
    d->connected += !dest->local;
    fiber_start("courier", run_courier, start);
}

static void feed_hungry(struct deliverer *d)
{
    while (d->hungry && d->connected < d->settings.connections) {
        struct destination *dest = d->hungry;

        d->hungry = dest->next_hungry;
        if (!d->hungry)
            d->last_hungry = &d->hungry;
        dest->hungry = false;
        dest->next_hungry = NULL;
        if (destination_wants_courier(dest))
            start_courier(d, dest);
        else
            forget_if_unused(d, dest);
    }
}

/* All places are taken, some perhaps by couriers that only keep a connection
 * warm: one of those is woken, sees that somebody is hungry, and ends. */
static void wake_an_idle_one(struct deliverer *d)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct destination *dest = d->buckets[i]; dest; dest = dest->next) {
            if (dest->local || gate_is_empty(&dest->work))
                continue;
            gate_open_one(&dest->work);
            return;
        }
    }
}

void deliverer_take(struct deliverer *d, struct delivery *delivery)
{
    struct destination *dest;

    if (d->draining || delivery->lease.envelope.count == 0) {
        give_back(d, delivery, NULL);
        return;
    }
    dest = find_destination(d, delivery->lease.destination);
    destination_add(dest, delivery);
    if (!gate_is_empty(&dest->work))
        gate_open_one(&dest->work);
    if (!destination_wants_courier(dest) || dest->hungry)
        return;
    if (dest->local) {          /* files take no connection: slow hosts elsewhere must not hold them up */
        start_courier(d, dest);
        return;
    }
    dest->hungry = true;
    dest->next_hungry = NULL;
    *d->last_hungry = dest;
    d->last_hungry = &dest->next_hungry;
    feed_hungry(d);
    if (d->hungry)
        wake_an_idle_one(d);
}

void deliverer_end_rests(struct deliverer *d)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct destination *dest = d->buckets[i]; dest; dest = dest->next)
            dest->rests_until = 0;
}

void deliverer_drain(struct deliverer *d)
{
    d->draining = true;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct destination *dest = d->buckets[i]; dest; dest = dest->next) {
            struct delivery *delivery;

            while ((delivery = destination_next(dest)))
                give_back(d, delivery, NULL);
            gate_open_all(&dest->work);
        }
    }
}

unsigned deliverer_busy(const struct deliverer *d)
{
    return d->couriers;
}

void deliverer_free(struct deliverer *d)
{
    if (!d)
        return;
    assert(d->couriers == 0);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (d->buckets[i]) {
            struct destination *dest = d->buckets[i];

            d->buckets[i] = dest->next;
            destination_free(dest);
        }
    }
    free(d);
}
