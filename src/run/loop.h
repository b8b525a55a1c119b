/* run/loop.h - the one event loop of a process.
 *
 * A wrapper over libuv that shows no libuv: watches for file descriptors,
 * timers, signals, and jobs for worker threads. There is one loop per
 * process, so nothing here takes a loop. Callbacks run on the loop; a
 * callback may free its own watch or timer. Code that wants to wait runs on
 * a fiber (run/fiber.h) instead. */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H

#include "base/clock.h"
#include "base/error.h"

void loop_open(void);           /* once, before anything else here; again after loop_close or in a forked child after loop_forked */
void loop_run(void);            /* until loop_stop */
void loop_stop(void);
void loop_turn(bool wait);      /* one turn: wait for the next event, or only handle what is there */
void loop_close(void);          /* everything must have been freed; pending closes are run */

/* In a forked child, before anything else here (process_fork does it): forget
 * the parent's loop without touching its descriptors' registrations. What was
 * made on it may only be freed, or left alone. */
void loop_forked(void);

/* The loop's idea of now (clock_now as of this turn; cheap). */
time_ms loop_now(void);

/* --- timers ---------------------------------------------------------- */
struct timer;
struct timer *timer_new(void (*fire)(void *owner), void *owner);
void timer_set(struct timer *t, time_ms deadline);      /* clock_now time; TIME_NEVER stops it */
void timer_stop(struct timer *t);
void timer_free(struct timer *t);                       /* NULL is fine */

/* --- file descriptors -------------------------------------------------
 * The descriptor stays the caller's; it must be non-blocking and outlive the
 * watch. Level-triggered. One watch for a descriptor; no regular files. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch;
struct watch *watch_new(int fd, void (*ready)(void *owner, int events), void *owner);
void watch_set(struct watch *w, int events);            /* 0 stops; cheap when nothing changes */
void watch_free(struct watch *w);                       /* NULL is fine; call before close(fd) */

/* --- signals ---------------------------------------------------------- */
struct signal_watch;
struct signal_watch *signal_watch_new(int signal_number, void (*arrived)(void *owner, int signal_number), void *owner);
void signal_watch_free(struct signal_watch *s);

/* --- soon: run once at the end of this turn, before the loop sleeps ----
 * Used to write many frames or replies in one system call. */
struct soon {
    void (*run)(void *owner);
    void *owner;
    struct soon *next, **where;     /* the loop's; zero when not queued */
};
void soon_add(struct soon *s);      /* the caller's memory; already queued is fine */
void soon_remove(struct soon *s);   /* not queued is fine */

/* --- work for a thread ------------------------------------------------
 * `job` runs on a worker thread and must touch nothing that the loop also
 * touches; `done` then runs on the loop. */
void loop_work(void (*job)(void *arg), void (*done)(void *arg), void *arg);

#endif
