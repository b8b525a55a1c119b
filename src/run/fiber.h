/* run/fiber.h - dialogues that read from top to bottom.
 *
 * A fiber is a function with a stack of its own that gives way to the event
 * loop whenever it waits. Fibers of a process never run at the same time, so
 * they need no locks; but after a wait the world may have moved. Functions
 * marked "Waits." may only be called on a fiber.
 *
 * A wait ends in one of three ways, and FIBER_CANCELLED is for ever: once a
 * fiber is cancelled, every later wait returns it at once, so that the
 * function ends by returning. Stacks are 64 KiB with a guard page, pooled. */
#ifndef RUN_FIBER_H
#define RUN_FIBER_H

#include "run/loop.h"

struct fiber;

enum wake {
    FIBER_WOKEN,        /* by fiber_wake, or what was waited for is there */
    FIBER_TIMED_OUT,    /* the deadline passed first */
    FIBER_CANCELLED,
};

/* Start `run(arg)`; it first runs in the next turn of the loop. The fiber
 * frees itself when `run` returns; the pointer is valid until then. `name`
 * must be static; it shows in debuggers. */
struct fiber *fiber_start(const char *name, void (*run)(void *arg), void *arg);

struct fiber *fiber_current(void);              /* NULL on the loop itself */
/* Its fiber_wait ends soon. When it is not in one, the next returns at once;
 * waits of other kinds are not disturbed, and two wakes count as one. */
void fiber_wake(struct fiber *f);
void fiber_cancel(struct fiber *f);
bool fiber_is_cancelled(void);                  /* the current one */

/* Waits for fiber_wake. */
enum wake fiber_wait(time_ms deadline) must_check;

/* Waits until `deadline`. */
enum wake fiber_sleep_until(time_ms deadline);

/* Waits until the descriptor is ready. `w` must have been made by
 * fiber_watch_new and have no other waiter. WATCH_READ or WATCH_WRITE or both;
 * says in `*ready` which (may be NULL). */
struct fiber_watch;
struct fiber_watch *fiber_watch_new(int fd);
void fiber_watch_free(struct fiber_watch *w);   /* before close(fd); NULL is fine */
enum wake fiber_wait_ready(struct fiber_watch *w, int events, time_ms deadline, int *ready) must_check;

/* Waits while `job(arg)` runs on a worker thread. Always waits to the end:
 * `arg` may live on this fiber's stack. */
void fiber_work(void (*job)(void *arg), void *arg);

/* Fibers alive now, and the deepest stack use seen in bytes (0 unless built for debugging). */
size_t fiber_count(void);
size_t fiber_deepest(void);

/* A gate: fibers wait in order until somebody opens it for one or for all.
 * Zeroed is an empty gate. */
struct gate_waiter;
struct gate {
    struct gate_waiter *first, **last;
};
enum wake gate_wait(struct gate *g, time_ms deadline) must_check;   /* Waits. */
void gate_open_one(struct gate *g);
void gate_open_all(struct gate *g);
bool gate_is_empty(const struct gate *g);

#endif
