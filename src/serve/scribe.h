/* serve/scribe.h - the notes and tallies that the store keeps, as an outbound process uses them.
 *
 * Questions wait for the store's answer; what is to be kept goes out as it
 * comes, and waits here while there is no store. Tallies are gathered for a
 * second. */
#ifndef SERVE_SCRIBE_H
#define SERVE_SCRIBE_H

#include "run/channel.h"
#include "serve/frames.h"

struct scribe;
/* `changed`: somebody else changed a note; the key "" stands for all of that kind. */
struct scribe *scribe_new(void (*changed)(void *self, uint8_t kind, const char *key), void *self);
void scribe_free(struct scribe *n);         /* nobody may wait; NULL is fine */

/* The line to the store, or NULL when it is lost. What waits to be kept goes out. */
void scribe_link(struct scribe *n, struct channel *store);

/* Is this a frame for a scribe? `*good` is false when it makes no sense. */
bool scribe_takes(struct scribe *n, uint8_t type, struct slice body, bool *good);

/* Waits, at most five seconds. RECALL_UNKNOWN when the store did not answer; `*value` is in `arena`. */
int scribe_recall(struct scribe *n, uint8_t kind, const char *key, struct arena *arena, struct slice *value);

/* Waits. The notes of a kind that are due now, at most FRAME_NOTES_MOST, into `out`; returns how many. */
size_t scribe_due(struct scribe *n, uint8_t kind, struct arena *arena, struct note out[FRAME_NOTES_MOST]);

void scribe_keep(struct scribe *n, const struct note *note);        /* an empty value removes it */

void scribe_flush(struct scribe *n);            /* what was counted goes now, if there is a store */

/* Count one more day's happening. What cannot be held while there is no store is dropped. */
void scribe_count(struct scribe *n, struct slice key, uint64_t count);

#endif
