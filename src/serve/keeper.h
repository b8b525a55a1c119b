/* serve/keeper.h - the store's answers to processes that want things kept and counted.
 *
 * serve/scribe.h asks. False: the frame makes no sense. */
#ifndef SERVE_KEEPER_H
#define SERVE_KEEPER_H

#include "run/channel.h"
#include "serve/frames.h"

/* Who asks. */
struct keeper_user {
    struct channel *channel;        /* answers go there */
    unsigned slot;                  /* whose notes are due; QUEUE_ALL_SLOTS: all */
};

bool keeper_recall(struct queue *q, const struct keeper_user *user, struct slice body) must_check;      /* FRAME_RECALL */
bool keeper_due(struct queue *q, const struct keeper_user *user, struct slice body) must_check;         /* FRAME_NOTES_DUE */
bool keeper_count(struct queue *q, struct slice body, time_ms wall) must_check;                         /* FRAME_TALLY */

/* Once an hour: statistics do not go back further than `keep` days (0: TALLY_DAYS), and of notes on policies, received
 * reports, hooks and certificates those go that are due: `due` is when they may be forgotten. */
enum { TALLY_DAYS = 90 };
void keeper_forget(struct queue *q, time_ms wall, unsigned keep);

#endif
