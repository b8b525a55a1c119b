/* deliver/destination.h - one destination: the line of messages for it, and how
 * hard it may be worked. Pure but for the caller's fibers.
 *
 * The limit of couriers starts low, grows by one after as many successes as it
 * has couriers, and is halved by a failure to connect. */
#ifndef DELIVER_DESTINATION_H
#define DELIVER_DESTINATION_H

#include "deliver/deliverer.h"
#include "run/fiber.h"

struct destination {
    char *key;                          /* routing_destination */
    bool local;                         /* files or nowhere: takes no connection */
    struct delivery *first, **last;     /* waiting, oldest first */
    unsigned waiting;
    unsigned couriers;                  /* at work or idle */
    unsigned idle;                      /* of them, holding a connection without work */
    struct gate work;                   /* idle couriers wait here */
    unsigned limit, successes;
    time_ms rests_until;                /* clock_now time; 0: not resting */
    struct error rest_why;
    bool hungry;                        /* wants a courier that the process cannot afford now */
    struct destination *next;           /* in its bucket */
    struct destination *next_hungry;
};

struct destination *destination_new(const char *key, unsigned limit);
void destination_free(struct destination *d);

void destination_add(struct destination *d, struct delivery *delivery);
struct delivery *destination_next(struct destination *d);      /* NULL when nobody waits */

void destination_succeeded(struct destination *d, unsigned most);
void destination_failed(struct destination *d);                 /* a connection could not be had or broke */
/* No host could be reached: nothing is tried until `until`. */
void destination_rest(struct destination *d, time_ms until, const struct error *why);
bool destination_rests(const struct destination *d, time_ms now);

/* Should one more courier be started? */
bool destination_wants_courier(const struct destination *d);

#endif
