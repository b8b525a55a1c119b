/* queue/inside.h - what the sources of the queue share.
 *
 *     queue.c      open, load, close, figures
 *     message.c    messages and their deliveries in memory
 *     accept.c     mail on its way in
 *     lease.c      what deliverers get to see
 *     settle.c     what became of it
 *     operate.c    what people may do
 *     list.c       what people get to see
 *     note.c       what others want kept
 *     tally.c      what is counted
 *     group.c      many requests, one transaction
 *     fresh.c      new messages that are still in memory
 *     schedule.c   who is next
 */
#ifndef QUEUE_INSIDE_H
#define QUEUE_INSIDE_H

#include "queue/engine.h"
#include "queue/schedule.h"
#include "queue/table.h"

/* --- messages ------------------------------------------------------------ */

/* A stored message; a million of these are kept: 40 bytes. */
struct message {
    struct table_link link;         /* by id */
    struct delivery *deliveries;
    struct fresh *fresh;            /* NULL: to be read from the engine */
    bool held;
    bool removed;                   /* out of the table; here only until its leases end */
};

/* delivery.recipients when only the engine knows. */
#define RECIPIENTS_UNKNOWN UINT32_MAX

struct message *message_find(const struct queue *q, message_id id);
struct delivery *message_delivery(const struct message *m, const char *destination);   /* NULL: none */

/* A committed message, with all its deliveries due. */
struct message *message_enlist(struct queue *q, const struct envelope *e);

/* One recipient at the start; they come message by message. `*last` begins as
 * NULL and is the message before. */
void message_load(struct queue *q, const struct engine_due *due, struct message **last);

/* No more in the engine. Deliveries under way stay until their leases end. */
void message_delist(struct queue *q, struct message *m);

/* One delivery has ended; without any, the message goes too. */
void message_end_delivery(struct queue *q, struct delivery *d);

/* Due at `due`, or held like its message. */
void message_wait(struct queue *q, struct delivery *d, time_ms due);

/* Make the deliveries what the engine says they are. Those under way are left
 * alone, but their number of recipients is unknown from then on. */
void message_resync(struct queue *q, struct message *m);

/* --- fresh messages -------------------------------------------------------- */

/* A message as it was accepted: its first lease needs neither SQL nor a file. */
struct fresh {
    struct fresh *older, *newer;
    struct message *message;
    struct arena memory;            /* of the envelope */
    struct envelope envelope;
    struct buf body;
    size_t bytes;
};

/* Takes `memory` and `body` (leaving both empty), and lets the oldest go when there are too many. */
void fresh_keep(struct queue *q, struct message *m, const struct envelope *e, struct arena *memory, struct buf *body);
void fresh_forget(struct queue *q, struct message *m);      /* it has none: fine */

/* --- leases ------------------------------------------------------------------ */

struct loan {
    struct table_link link;         /* by the number of the lease */
    struct delivery *delivery;
    struct engine_body *body;       /* of a message too large for the lease, open */
    time_ms since;                  /* 0: unknown, resumed */
    uint32_t recipients;            /* in the lease */
    bool settling;                  /* a settlement is on its way to the disk */
};

struct loan *loan_find(const struct queue *q, uint64_t number);
void loan_end(struct queue *q, struct loan *l);     /* the delivery stays TAKEN: the caller knows better */

/* --- requests that wait for a group ------------------------------------------- */

struct member;
struct member_kind {
    /* Apply thread. May run more than once: a transaction that failed is made again. */
    bool (*apply)(struct member *m, struct engine *e, struct error *why);

    /* Loop: change what is in memory; m->done tells. Sets m->again to come back with the next group. */
    void (*applied)(struct queue *q, struct member *m);

    bool brings_mail;               /* refused when space runs out */
    bool insists;                   /* when the disk fails it is not answered but tried again */
};

struct member {
    struct member *next;
    const struct member_kind *kind;
    struct arena memory;            /* of all it has copied */
    struct draft draft;
    bool has_draft;                 /* a message comes with it */
    queue_answer *answer;
    void *arg;
    bool refused;                   /* before it was tried */
    bool done, again;
    struct error why;
};

/* `size` bytes that begin with a struct member. */
struct member *member_new(size_t size, const struct member_kind *kind, queue_answer *answer, void *arg);
void member_refuse(struct member *m, const struct error *why);
void member_join(struct queue *q, struct member *m);        /* the next group */
void member_finish(struct queue *q, struct member *m);      /* answers and frees */

/* Into the member's memory. */
struct envelope member_envelope(struct member *m, const struct envelope *e);

/* Why an envelope makes no sense. */
bool envelope_check(const struct envelope *e, struct error *why) must_check;

/* A message just stored by this member is in memory now. */
void member_enlist(struct queue *q, struct member *m, const struct envelope *e);

/* --- notes and tallies --------------------------------------------------------- */

/* Trouble with what is kept for others and has nobody who asks: said when it begins and when it is over. */
void kept_report(struct queue *q, bool done, const struct error *why);

/* How many keys a day has of one kind. Known of those that were asked about, not stored; the apply thread's. */
struct crowd {
    uint32_t day;
    uint8_t kind;                   /* the first byte of the keys */
    uint64_t keys;
};
struct crowds {
    struct crowd at[32];
    size_t count;
};

/* Counted since the last flush. */
struct tallies {
    struct table table;             /* of struct counted, by day and key */
    struct counted *first;          /* all of them */
    struct arena memory;
    bool overflow;                  /* some had no room; said once */
};
void tallies_init(struct tallies *t);
void tallies_done(struct tallies *t);

/* --- the queue ------------------------------------------------------------------ */

struct queue {
    struct engine *engine;
    uint64_t minimum_free;
    struct schedule *schedule;
    unsigned slots;
    struct table messages, leases;
    struct table notes;             /* on their way to the disk: the latest of each kind and key */
    struct tallies tallies;
    struct crowds crowds;
    uint64_t last_lease;            /* numbers begin at random: those of a former process mean nothing here */
    uint64_t recipients;
    size_t held;                    /* messages */
    struct fresh *oldest, *newest;
    size_t fresh_bytes;
    struct member *waiting, **waiting_end;
    bool group_wanted;              /* false: what waits has failed before, and can wait */
    bool in_trouble;                /* settlements could not be stored; said once */
    bool keeping_fails;             /* notes or tallies could not be; said once */
    struct group *out;
    uint64_t groups, members;
    time_ms now;                    /* as last told */
};

/* queue_open over any engine, which it takes in any case. */
struct queue *queue_over(struct engine *e, const struct queue_settings *s, struct error *why) must_check;

#endif
