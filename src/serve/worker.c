#include "serve/worker.h"

#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
    struct channel *control;
    const struct worker_orders *orders;
    void *self;
    struct timer *patience;
    time_ms unlinked;
} worker;

enum { LINK_WAIT_MS = 2000, LINK_PATIENCE_MS = 10000 };

static void without_store(void *owner)
{
    time_ms now = loop_now();

    if (now < worker.unlinked + LINK_PATIENCE_MS) {     /* a store may well be there: ask for a line to it */
        channel_send(worker.control, FRAME_UNLINKED, slice("", 0));
        timer_set(worker.patience, worker.unlinked + LINK_PATIENCE_MS);
        return;
    }
    log_say(LOG_LEVEL_ERROR, "store.missing", NULL, "there was no store for %d seconds; leaving to be replaced",
            LINK_PATIENCE_MS / 1000);
    _exit(EXIT_FAILURE);
}

void worker_link_lost(void)
{
    if (!worker.control)
        return;
    if (!worker.patience)
        worker.patience = timer_new(without_store, NULL);
    worker.unlinked = loop_now();
    timer_set(worker.patience, worker.unlinked + LINK_WAIT_MS);
}

void worker_link_made(void)
{
    if (worker.patience)
        timer_stop(worker.patience);
}

static bool on_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct frame_link link;

    switch (type) {
    case FRAME_LINK:
        if (fd < 0 || !frame_get_link(body, &link))
            return false;
        worker.orders->link(worker.self, &link, fd);
        return true;
    case FRAME_DRAIN:
    case FRAME_RETIRE:
        worker.orders->drain(worker.self, type == FRAME_DRAIN);
        return true;
    default:
        return false;
    }
}

static void on_closed(void *owner, const struct error *why)
{
    log_say(LOG_LEVEL_ERROR, "master.lost", why, "the master is gone; leaving");
    _exit(EXIT_FAILURE);
}

static const struct channel_events events = { on_frame, on_closed };

void worker_begin(int control_fd, const struct worker_orders *orders, void *self)
{
    worker.orders = orders;
    worker.self = self;
    worker.control = channel_new(control_fd, &events, NULL);
    channel_start(worker.control);
}

void worker_ready(void)
{
    channel_send(worker.control, FRAME_READY, slice("", 0));
}

void worker_finish(void)
{
    loop_stop();
}

void worker_end(void)
{
    timer_free(worker.patience);
    worker.patience = NULL;
    channel_free(worker.control);
    worker.control = NULL;
}
