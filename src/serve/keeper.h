/* serve/keeper.h - the store's answers to outbound processes that want things kept and counted.
 *
 * serve/scribe.h asks. */
#ifndef SERVE_KEEPER_H
#define SERVE_KEEPER_H

#include "run/channel.h"
#include "serve/frames.h"

/* Who asks, and who must hear when it has changed a note. */
struct keeper_user {
    struct channel *channel;        /* answers go there */
    unsigned slot;
    void (*changed)(void *owner, const struct frame_note_key *what);
    void *owner;
};

/* False: the frame makes no sense, or is about something else. */
bool keeper_take(struct queue *q, const struct keeper_user *user, uint8_t type, struct slice body) must_check;

/* Once an hour: statistics do not go back further than TALLY_DAYS. */
enum { TALLY_DAYS = 90 };
void keeper_forget(struct queue *q, time_ms wall);

#endif
