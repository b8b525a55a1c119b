/* serve/control.h - the Unix socket by which commands reach the store.
 *
 * Only root and the account of the service may speak to it: its directory is
 * theirs alone, and the kernel's word on who calls is checked. */
#ifndef SERVE_CONTROL_H
#define SERVE_CONTROL_H

#include "serve/frames.h"

struct control_events {
    void (*acted)(void *owner);     /* a request may have changed what waits */
    void (*noted)(void *owner, const struct frame_note_key *what);  /* one has changed a note */
};

struct control;
struct control *control_new(const char *data_directory, struct queue *q, const struct control_events *events,
                            void *owner, struct error *why) must_check;
void control_free(struct control *c);       /* NULL is fine */

/* A connection, blocking, to the instance that serves `data_directory`; -1 with
 * E_NOT_FOUND when none runs. */
int control_connect(const char *data_directory, struct error *why);

#endif
