/* serve/bell.h - telling the operator: events on their way into the store's notes.
 *
 * The first of a kind about a subject is written at once; while more come they
 * are gathered and written once a minute, all since the first in one note, due
 * now. After an hour without one the next is a first again. serve/hooks.c reads
 * the notes. */
#ifndef SERVE_BELL_H
#define SERVE_BELL_H

#include "event/event.h"
#include "serve/scribe.h"

struct bell;
/* `wanted`: a bit for each kind that some hook wants; others are not rung. */
struct bell *bell_new(struct scribe *n, unsigned wanted);
void bell_free(struct bell *b);             /* what is gathered is written first; NULL is fine */

/* `first` and `last` are taken from the clock, and a count of 0 is 1. A bell that is NULL is not heard. */
void bell_ring(struct bell *b, const struct event *e);
bool bell_wants(const struct bell *b, enum event_kind kind);

void bell_flush(struct bell *b);            /* what is gathered is written now: the process ends. NULL is fine */

#endif
