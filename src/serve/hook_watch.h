/* serve/hook_watch.h - what the hooks process sees by itself: mail that waits too long, and certificates that end soon. */
#ifndef SERVE_HOOK_WATCH_H
#define SERVE_HOOK_WATCH_H

#include "event/event.h"
#include "serve/config.h"
#include "serve/wardrobe.h"

struct hook_watch {
    const struct config *config;
    const struct wardrobe *wardrobe;
    struct scribe *scribe;
    const struct event *(*known)(void *self, const char *key);      /* the event as it stands; NULL: there is none */
    void (*ring)(void *self, const struct event *e);                /* as it stands from now on */
    void *self;
};

/* Waits. Once a minute: rings what is wrong, for as long as it is: the queue's age once an hour, a certificate once a day. */
void hook_watch_look(const struct hook_watch *w, time_ms now);

/* The two by themselves, for tests. False: all is well. `what` has EVENT_WHAT_MAX + 1 bytes; the event borrows from it. */
bool hook_watch_queue(const struct config *c, const struct queue_figures *f, time_ms now, char *what, struct event *out) must_check;
bool hook_watch_certificate(const struct config *c, const struct wardrobe_item *item, time_ms now, char *what,
                            struct event *out) must_check;

#endif
