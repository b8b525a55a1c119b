/* serve/worker.h - what all processes under the master share: the line to it.
 *
 * The master gives each worker one channel. Over it come links (a descriptor
 * of a channel to the store, or in the store to a worker) and the order to
 * drain; back goes that the worker is ready. When the master is gone the
 * worker ends at once. */
#ifndef SERVE_WORKER_H
#define SERVE_WORKER_H

#include "run/channel.h"
#include "serve/frames.h"

struct worker_orders {
    void (*link)(void *self, const struct frame_link *link, int fd);    /* takes `fd` */
    void (*drain)(void *self, bool hurry);      /* perhaps twice, the second time in a hurry */
};

/* One per process. */
void worker_begin(int control_fd, const struct worker_orders *orders, void *self);
void worker_ready(void);

/* The line to the store: lost, and there again. A new store brings a new line
 * within moments; after two seconds the worker asks the master for one, and one
 * that stays without is of no use, and ends so that its successor gets one. */
void worker_link_lost(void);
void worker_link_made(void);

/* Exit codes of workers that tell the master something. */
enum { WORKER_DONE = 0, WORKER_CANNOT_START = 78 /* EX_CONFIG: do not restart */ };

/* Flush what was said to the master and leave the loop. */
void worker_finish(void);
void worker_end(void);

#endif
