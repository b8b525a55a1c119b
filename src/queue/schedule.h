/* queue/schedule.h - which delivery is tried next.
 *
 * A delivery is one message for one destination. It waits for its time in a
 * heap, then stands in its destination's line until a deliverer takes it.
 * The destinations of one slot take turns, so that a long line for one does
 * not keep the others waiting, and none has more than `per_destination`
 * deliveries out at once.
 *
 *     WAITING (heap) -> READY (line) -> TAKEN -> WAITING or READY again, or gone
 *     HELD: in neither, until scheduled again
 *
 * Knows neither disk nor messages. The caller says what time it is. */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "base/clock.h"

struct schedule;
struct destination;
struct message;

enum delivery_state { DELIVERY_HELD, DELIVERY_WAITING, DELIVERY_READY, DELIVERY_TAKEN };

/* A million of these are kept: 56 bytes. */
struct delivery {
    struct message *message;            /* its owner */
    struct delivery *sibling;           /* next of the same message; the owner's */
    struct destination *destination;
    struct delivery *before, *behind;   /* neighbours in line, while READY */
    time_ms due;
    uint32_t recipients;                /* the owner's */
    uint32_t place : 30;                /* in the heap, while WAITING */
    uint32_t state : 2;
};

struct schedule *schedule_new(unsigned slots, unsigned per_destination);
void schedule_free(struct schedule *s);     /* but not its deliveries: free() does for them then. NULL is fine */

/* Whose a destination of this name is: always the same one's of `slots`. */
unsigned schedule_slot(struct slice destination, unsigned slots);

/* A new delivery, HELD. */
struct delivery *schedule_delivery(struct schedule *s, const char *destination);

/* Gone from wherever it is, and freed. */
void schedule_forget(struct schedule *s, struct delivery *d);

/* Due at `due`; a delivery already in line or held moves, a TAKEN one comes back. */
void schedule_at(struct schedule *s, struct delivery *d, time_ms due);
void schedule_hold(struct schedule *s, struct delivery *d);

/* The next delivery for `slot`, now TAKEN; NULL when none is due and allowed. */
struct delivery *schedule_take(struct schedule *s, time_ms now, unsigned slot) must_check;

/* Take this one, whatever its time. It must not be TAKEN. */
void schedule_claim(struct schedule *s, struct delivery *d);

/* When schedule_take will next have something: 0 when it has at once, TIME_NEVER. */
time_ms schedule_next(const struct schedule *s);

size_t schedule_ready(const struct schedule *s);        /* deliveries in line */

const char *schedule_destination(const struct delivery *d);

#endif
