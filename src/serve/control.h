/* serve/control.h - the Unix socket by which `postern queue` reaches the store.
 *
 * Only root and the account of the service may speak to it: its directory is
 * theirs alone, and the kernel's word on who calls is checked. */
#ifndef SERVE_CONTROL_H
#define SERVE_CONTROL_H

#include "queue/queue.h"

struct control;
/* `acted` is called after each request that changes the queue. */
struct control *control_new(const char *data_directory, struct queue *q, void (*acted)(void *owner), void *owner,
                            struct error *why) must_check;
void control_free(struct control *c);       /* NULL is fine */

/* A connection to the instance that serves `data_directory`; -1 with
 * E_NOT_FOUND when none runs. */
int control_connect(const char *data_directory, struct error *why);

#endif
