#include "serve/clerk.h"

#include "base/log.h"
#include "base/memory.h"
#include "serve/worker.h"

enum { LAST_WORDS_MS = 2000 };

struct clerk {
    const struct clerk_orders *orders;
    void *self;
    struct channel *store;
    struct scribe *scribe;
};

static void note_changed(void *self, uint8_t kind, const char *key)
{
    struct clerk *c = self;

    if (c->orders->changed)
        c->orders->changed(c->self, kind, key);
}

/* --- the line to the store ----------------------------------------------------- */

static bool store_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct clerk *c = owner;
    bool good = false;

    if (fd >= 0) {
        close(fd);
        return false;
    }
    return scribe_takes(c->scribe, type, body, &good) && good;
}

static void store_closed(void *owner, const struct error *why)
{
    struct clerk *c = owner;

    log_say(LOG_LEVEL_WARNING, "store.lost", why, "what is to be kept waits until it is back");
    scribe_link(c->scribe, NULL);
    channel_free(c->store);
    c->store = NULL;
    worker_link_lost();
}

static const struct channel_events store_events = { store_frame, store_closed };

static void linked(void *self, const struct frame_link *link, int fd)
{
    struct clerk *c = self;

    if (c->store)
        store_closed(c, NULL);
    worker_link_made();
    c->store = channel_new(fd, &store_events, c);
    channel_start(c->store);
    scribe_link(c->scribe, c->store);
}

static void drain(void *self, bool hurry)
{
    struct clerk *c = self;

    c->orders->drain(c->self, hurry);
}

static const struct worker_orders orders = { linked, drain };

/* --- life ------------------------------------------------------------------------ */

struct clerk *clerk_new(int control_fd, const struct clerk_orders *clerk_orders, void *self)
{
    struct clerk *c = NEW(struct clerk);

    *c = (struct clerk){ .orders = clerk_orders, .self = self };
    c->scribe = scribe_new(note_changed, c);
    worker_begin(control_fd, &orders, c);
    return c;
}

void clerk_free(struct clerk *c)
{
    if (!c)
        return;
    scribe_free(c->scribe);
    channel_free(c->store);
    free(c);
    worker_end();
}

struct scribe *clerk_scribe(struct clerk *c)
{
    return c->scribe;
}

void clerk_finish(struct clerk *c)
{
    scribe_flush(c->scribe);
    if (c->store)
        channel_drain(c->store, clock_now() + LAST_WORDS_MS);
    worker_finish();
}
