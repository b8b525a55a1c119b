/* serve/scribe.h - the store, as other processes use it: notes, tallies, and messages of our own.
 *
 * Questions wait for the store's answer, and are put to its successor when it
 * dies meanwhile; what is to be kept goes out as it comes, and waits here while
 * there is no store. Tallies are gathered for a second. Any number of fibers may
 * ask at once. Which process may ask what stands in serve/store_rules.c. */
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

/* Waits until the note is stored. E_STORAGE when it is not, or the store does not say so in time; here and below also
 * E_CANCELLED. */
bool scribe_put(struct scribe *n, const struct note *note, struct error *why) must_check;

/* Waits. All notes of a kind, by key; `each` may not wait. */
bool scribe_notes(struct scribe *n, uint8_t kind, note_each *each, void *arg, struct error *why) must_check;

/* Waits. Those of the day's tallies whose keys begin with `prefix`, by key; `each` may not wait. */
bool scribe_tallies(struct scribe *n, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t),
                    void *arg, struct error *why) must_check;

/* Waits. The first key of the day behind `*after` (a buf of at least TALLY_KEY_MAX, which it moves there) that begins with
 * `prefix`; false with E_NOT_FOUND when there is none, E_STORAGE when the store does not say. */
bool scribe_next_tally(struct scribe *n, uint32_t day, struct slice prefix, struct buf *after, struct error *why) must_check;

/* Waits until a message of our own is on disk (P1), at most two minutes. Its id is e->id; at most 16 MiB. When it fails
 * with E_STORAGE it may be there nevertheless: post it again under the same id, and it is there once (twice if the first
 * has been delivered already). */
bool scribe_post(struct scribe *n, const struct envelope *e, struct slice message, struct error *why) must_check;

/* Waits. */
bool scribe_figures(struct scribe *n, struct queue_figures *out, struct error *why) must_check;

void scribe_flush(struct scribe *n);            /* what was counted goes now, if there is a store */

/* Count one more day's happening. Once the store has as many keys of its kind for the day as it takes (TALLY_KEYS_MAX), new
 * ones are counted under `rest` instead; empty: not at all. What cannot be held while there is no store is dropped. */
void scribe_count(struct scribe *n, struct slice key, struct slice rest, uint64_t count);

#endif
