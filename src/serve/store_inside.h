/* serve/store_inside.h - what the sources of the store share.
 *
 *     store.c         its life: group commit, links to the others, ticks
 *     store_rules.c   which process may say what
 *     store_mail.c    messages come in
 *     store_leases.c  leases go out, settlements come back
 *     store_notes.c   notes, tallies and questions about both */
#ifndef SERVE_STORE_INSIDE_H
#define SERVE_STORE_INSIDE_H

#include "run/channel.h"
#include "serve/frames.h"
#include "serve/store.h"

/* A process at the other end of a link. */
struct peer {
    struct store *store;
    struct channel *channel;    /* NULL when it is gone */
    struct frame_link link;
    struct peer *next;
    unsigned waiting;           /* answers of the queue that are still to come */
    struct arriving *arriving;  /* messages on their way in */
    /* of an outbound process */
    bool said_hello;
    time_ms linked;
    bool draining;              /* gets no more */
    uint64_t *leases;
    size_t lease_count, lease_room;
};

struct store {
    const struct config *config;
    struct queue *queue;
    struct peer *peers;
    struct control *control;
    struct soon commit;
    struct timer *due, *tick;
    unsigned ticks;
    bool committing, draining, ended;
};

/* --- store.c ---------------------------------------------------------------- */

/* store_run without the master: tests link their own peers. The queue stays the caller's. */
void store_begin(struct store *s, const struct config *config, struct queue *q);
void store_link(struct store *s, const struct frame_link *link, int fd);    /* takes `fd` */
void store_end(struct store *s);            /* the links are gone */

/* An answer of the queue to a request that a peer made; `ticket` names it. */
struct request {
    struct peer *peer;
    enum frame_type answer;
    uint64_t ticket;
};
struct request *request_new(struct peer *p, enum frame_type answer, uint64_t ticket);
void request_end(struct request *r);        /* the peer may go with it */
void request_answered(void *arg, bool done, const struct error *why);      /* a queue_answer, with a struct frame_answer */

/* --- store_rules.c ------------------------------------------------------------ */

/* A frame that came by a link. False: it makes no sense, or not from this process. */
bool rules_take(struct peer *p, uint8_t type, struct slice body) must_check;

bool rules_may_ask(const struct peer *p, uint8_t question) must_check;      /* in a FRAME_ASK */
bool rules_may_write(const struct peer *p, uint8_t kind) must_check;        /* notes of this kind */
bool rules_hears(const struct peer *p, uint8_t kind);       /* when others write one */

/* --- store_mail.c --------------------------------------------------------------- */
bool mail_take_body(struct peer *p, struct slice body);
bool mail_take_accept(struct peer *p, struct slice body);
bool mail_take_drop(struct peer *p, struct slice body);
void mail_forget(struct peer *p);           /* what it has not finished */

/* --- store_leases.c --------------------------------------------------------------- */
bool leases_take_hello(struct peer *p, struct slice body);
bool leases_take_settle(struct peer *p, struct slice body);
bool leases_take_read(struct peer *p, struct slice body);
bool leases_take_no_more(struct peer *p, struct slice body);
void leases_revoke(struct peer *p);         /* all that it has */
void leases_dispatch(struct store *s);      /* to whoever has room; and wakes up when more is due */

/* --- store_notes.c ---------------------------------------------------------------- */
bool notes_take_recall(struct peer *p, struct slice body);
bool notes_take_note(struct peer *p, struct slice body);
bool notes_take_due(struct peer *p, struct slice body);
bool notes_take_tallies(struct peer *p, struct slice body);
bool notes_take_question(struct peer *p, struct slice body);

/* Whoever has the note in its cache drops it; `author` (may be NULL) has the new one. */
void notes_tell_others(struct store *s, const struct peer *author, const struct frame_note_key *what);

#endif
