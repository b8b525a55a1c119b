/* web/machine.h - libmicrohttpd as a machine: bytes go in, requests come out; answers go in, bytes come out.
 *
 * The library reads and writes a socket. We give it one end of a pair and keep
 * the other, so that TLS, deadlines and back-pressure stay with our own conn.
 * It runs only when machine_run is called, and then as far as it can: after
 * that either output is waiting, or a request, or it wants input. No loop,
 * no fiber, no clock; the only place that sees libmicrohttpd. */
#ifndef WEB_MACHINE_H
#define WEB_MACHINE_H

#include "web/page.h"

/* Called from machine_run; they may call nothing here but http_field. */
struct machine_events {
    /* A request's head is there: go on with its body, or give `refusal` for an answer at once. */
    bool (*head)(void *owner, const struct http_head *h, struct http_answer *refusal);
    /* More of its body. */
    void (*body)(void *owner, struct slice part);
    /* All of it is there: machine_answer is to follow. */
    void (*complete)(void *owner);
    /* It is over: another may come. */
    void (*over)(void *owner);
};

struct machine;
struct machine *machine_new(const struct machine_events *events, unsigned connections, struct error *why) must_check;
void machine_free(struct machine *m);           /* all wires must be closed; NULL is fine */
void machine_run(struct machine *m);

/* A connection; NULL when there is no room for another. */
struct wire *machine_open(struct machine *m, void *owner, struct error *why) must_check;
void machine_close(struct wire *w);             /* whatever is under way; no more events. NULL is fine */

/* Says how many bytes it took: all, unless it was fed without having been run. */
size_t machine_feed(struct wire *w, struct slice bytes);

/* What it has to say, 0 for nothing now; `*ended`: and nothing ever again. */
size_t machine_drain(struct wire *w, char *into, size_t size, bool *ended);

/* Answers the complete request; copied by the next machine_run. `last`: the connection is to end with it. */
void machine_answer(struct wire *w, const struct http_answer *a, bool last);

#endif
