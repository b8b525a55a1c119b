/* serve/scribe_inside.h - what the sources of a scribe share.
 *
 *     scribe.c            the line to the store; what is kept and counted
 *     scribe_questions.c  what is asked
 *     scribe_post.c       messages of our own */
#ifndef SERVE_SCRIBE_INSIDE_H
#define SERVE_SCRIBE_INSIDE_H

#include "run/fiber.h"
#include "serve/scribe.h"

/* A question that a fiber waits for, on that fiber's stack. What asks embeds it as its first member. */
struct question {
    uint64_t ticket;
    struct fiber *asker;
    /* Asks for what has not been told yet: a store that takes the place of another is asked for the rest. */
    void (*put)(struct scribe *n, struct question *q);
    /* A frame of the answer; question_answered() with the last. False: it makes no sense. */
    bool (*take)(struct question *q, uint8_t type, struct slice body);
    bool done;
    struct question *next;
};

enum { TALLY_BUCKETS = 256 };

struct count {
    uint32_t day;
    struct slice key, rest;
    uint64_t count;
    struct count *next;
};

struct scribe {
    void (*changed)(void *self, uint8_t kind, const char *key);
    void *self;
    struct channel *store;
    uint64_t links;                 /* stores there have been: a new one may have the old one's address */
    uint64_t changes;               /* notes that others have changed */
    uint64_t last_ticket;
    struct question *questions;
    struct buf pending;             /* notes as blocks, while there is no store */
    struct timer *gather;
    struct arena keys;              /* of the counts */
    struct count *buckets[TALLY_BUCKETS];
    size_t counted;
};

/* --- scribe_questions.c ------------------------------------------------------- */

/* Waits; false when the answer is not whole by `deadline`, or the fiber was cancelled. */
bool question_ask(struct scribe *n, struct question *q, time_ms deadline, struct error *why);

/* The parts of question_ask, for what is said in many frames. */
void question_begin(struct scribe *n, struct question *q);
void question_end(struct scribe *n, struct question *q);
void question_answered(struct question *q);
bool question_unanswered(struct error *why);    /* says why; false */

/* Hands a frame of an answer to who asked, if it still waits. False: it makes no sense. */
bool question_told(struct scribe *n, uint64_t ticket, uint8_t type, struct slice body) must_check;

/* Waits. Is a message with this id in the queue? */
bool question_is_stored(struct scribe *n, message_id id, bool *stored, time_ms deadline, struct error *why) must_check;

#endif
