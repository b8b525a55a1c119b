/* queue/queue.h - the queue as its users see it.
 *
 * Messages are accepted, leased to deliverers, and settled. Everything that
 * changes the queue joins the next *group*: one transaction and one sync serve
 * all that waits (P1). The caller drives it:
 *
 *     queue_accept(q, ...), queue_settle(q, ...)      as requests come
 *     g = queue_group(q)                              take all that waits
 *     group_apply(g)                                  write and sync; may run on a worker thread
 *     queue_applied(q, g)                             back on the loop: answers go out
 *
 * While one group is being applied the next one gathers. Nothing here knows
 * the network, the configuration or the time: the caller says what time it is
 * and where mail goes. README.md numbers the states and invariants (Q1...). */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "queue/message_id.h"

struct queue_settings {
    const char *directory;          /* data directory; must exist */
    uint64_t minimum_free;          /* bytes, at most 1/8 of the file system; with less, new mail is E_STORAGE_FULL */
    unsigned slots;                 /* deliverers; a destination always hashes to the same one */
    unsigned per_destination;       /* leases out at once for one destination */
};

struct queue;
struct group;

/* E_STORAGE_LOCKED when another instance has the directory, with its pid;
 * E_STORAGE_VERSION when a newer postern made it. All deliveries found are due
 * as recorded; leases do not survive. */
struct queue *queue_open(const struct queue_settings *s, struct error *why) must_check;

/* No group and no incoming may be out. What waits is answered with E_CANCELLED. NULL is fine. */
void queue_close(struct queue *q);

/* --- accepting --------------------------------------------------------- */

/* A message on its way in. Its bytes are kept in memory while few and go to
 * disk as they come when many, so memory is constant whatever its size. */
struct incoming;
struct incoming *incoming_new(struct queue *q);
bool incoming_add(struct incoming *in, struct slice bytes, struct error *why) must_check;   /* E_STORAGE_FULL, E_STORAGE */
void incoming_drop(struct incoming *in);    /* NULL is fine */

struct queue_recipient {
    uint32_t number;                /* 0, 1, ... within the message */
    const char *address;
    const char *destination;        /* where it goes, in the words of deliver/route.h; groups deliveries */
};

/* What the sender asked of TLS (RFC 8689). Kept with the message, for every copy of it. */
enum tls_request {
    TLS_AS_USUAL,
    TLS_REQUIRED,                   /* MAIL ... REQUIRETLS */
    TLS_OPTIONAL,                   /* the header field TLS-Required: No */
    TLS_REPORT,                     /* one of our own TLS reports: as TLS_OPTIONAL, and it is neither counted in reports nor
                                     * bounced, and given up after a day (RFC 8460 3, 5.5) */
};

struct envelope {
    message_id id;
    const char *sender;             /* "" for null */
    time_ms arrived;                /* wall clock */
    uint64_t size;                  /* bytes of the message; set by the queue */
    bool eight_bit;                 /* it has bytes above 127 */
    enum tls_request tls;
    struct slice head;              /* of queue_accept: bytes that stand before the message, known only at its end (a DKIM
                                     * signature, at most ENVELOPE_HEAD_MAX). From then on they are part of it, and this is empty */
    const char *origin;             /* for people: "client.example.org[192.0.2.7] ESMTPS TLSv1.3" */
    const struct queue_recipient *recipients;
    size_t count;
};

enum { ENVELOPE_HEAD_MAX = 8192 };

/* Called from queue_applied: the message is on stable storage, or it is not and never will be. */
typedef void queue_answer(void *arg, bool done, const struct error *why);

/* Takes `in`, and copies the envelope. Answers exactly once. Due at once. */
void queue_accept(struct queue *q, struct incoming *in, const struct envelope *e, queue_answer *answer, void *arg);

/* --- leasing ----------------------------------------------------------- */

/* One message for one destination: recipients that share it and are due. */
struct lease {
    uint64_t number;                /* of this lease; 0 is none */
    struct envelope envelope;       /* only the recipients of this lease */
    const char *destination;
    uint32_t attempts;              /* finished ones */
    time_ms first_attempt;          /* 0 before any */
    bool delay_told;                /* a delay notice was sent */
    struct slice body;              /* all of it when it is small (LEASE_BODY_MAX), else empty: queue_read */
};
enum { LEASE_BODY_MAX = 64 * 1024 };

/* The next due delivery for deliverer `slot`, fair between destinations;
 * false when there is none. Memory from `arena`. A lease lasts until settled
 * or revoked. A message whose body cannot be read is not leased but logged
 * and tried again after five minutes. */
bool queue_lease(struct queue *q, time_ms now, unsigned slot, struct arena *arena, struct lease *out) must_check;

/* When queue_lease will next have something without anything else happening:
 * 0 when it has now, for some slot; TIME_NEVER. */
time_ms queue_next_due(const struct queue *q);

/* Bytes of a leased message from `offset`, at most `size`; 0 at the end. */
bool queue_read(struct queue *q, uint64_t lease, uint64_t offset, char *into, size_t size, size_t *got,
                struct error *why) must_check;

/* What became of each recipient. */
enum settle_state { SETTLE_DELIVERED, SETTLE_FAILED, SETTLE_DEFERRED };
struct settlement {
    uint32_t number;                /* of the recipient */
    enum settle_state state;
    const char *status;             /* "2.0.0", "4.4.1" */
    const char *why;                /* one line, for `queue show`; "" when delivered */
    time_ms due;                    /* deferred: when to try again */
    const char *destination;        /* deferred: where to; NULL as before (routes may change) */
};
/* A message made by us because of a settlement: stored in the same transaction,
 * so that it exists exactly when the settlement does (SMTP-285). */
struct consequence {
    const struct envelope *envelope;
    struct slice body;
};
struct settle {
    uint64_t lease;
    const struct settlement *recipients;    /* of the lease; one that is missing stays due at once */
    size_t count;
    bool attempted;                 /* counts as an attempt; false: given back untried */
    bool delay_told;                /* a delay notice goes with it */
    const struct consequence *consequence;  /* NULL: none */
};
/* Copies everything. Ends the lease when applied. A settlement that cannot be
 * stored now (disk full) is kept and tried again until it can: the answer
 * comes then. A number that is no lease answers with E_NOT_FOUND. */
void queue_settle(struct queue *q, const struct settle *s, queue_answer *answer, void *arg);

/* Give a lease back as it was, e.g. because its deliverer died: due again at `due`. Not stored. */
void queue_revoke(struct queue *q, uint64_t lease, time_ms due);

/* After a restart: a deliverer still works on this message for this
 * destination, under the lease number of the former store. It becomes a lease
 * again, under a new number, before anything is leased. False when there is no
 * such delivery (it was settled). */
bool queue_resume(struct queue *q, message_id id, const char *destination, unsigned slot, uint64_t *lease) must_check;

/* --- notes -------------------------------------------------------------
 * What others want kept beside the mail, and shared: policies, memories. The
 * queue knows only their kind, key and bytes. They join the groups, and every
 * reader sees the latest, stored or still on its way (Q10). `each` gets what is
 * valid during the call, and must not change notes. */
struct note {
    uint8_t kind;                   /* the owner's; 0 is none */
    const char *key;                /* "example.org"; 1 to NOTE_KEY_MAX bytes */
    time_ms due;                    /* wall clock: when its owner wants to look at it; TIME_NEVER */
    struct slice value;             /* at most NOTE_VALUE_MAX; empty: there is none */
};
enum { NOTE_KEY_MAX = 320, NOTE_VALUE_MAX = 128 * 1024 };
typedef void note_each(void *arg, const struct note *n);

/* E_USAGE: it has no kind or key, or passes the bounds. */
bool note_is_sensible(const struct note *n, struct error *why) must_check;

/* Put in place of the one with its kind and key; an empty value removes it.
 * Copies. When it cannot be stored the old one stays: E_STORAGE, E_STORAGE_FULL;
 * E_USAGE past the bounds. `answer` may be NULL: trouble is logged then, and of
 * several for one key that wait together only the last is written. */
void queue_note(struct queue *q, const struct note *n, queue_answer *answer, void *arg);

/* Memory from `arena`. E_NOT_FOUND: there is none; E_STORAGE: whether there is one cannot be said; E_LIMIT: it does
 * not fit the arena. */
bool queue_note_find(struct queue *q, uint8_t kind, const char *key, struct arena *arena, struct note *out,
                     struct error *why) must_check;

/* Up to `limit` notes of a kind by key, from behind `after` ("" from the first). Returns how many. */
size_t queue_note_list(struct queue *q, uint8_t kind, const char *after, size_t limit, note_each *each, void *arg);

/* Up to `limit` notes of a kind that are due by `now`, earliest first, of those that belong to `slot`:
 * a key belongs to the slot that a destination of that name would; QUEUE_ALL_SLOTS has all. Returns how many. */
#define QUEUE_ALL_SLOTS UINT32_MAX
size_t queue_note_due(struct queue *q, uint8_t kind, unsigned slot, time_ms now, size_t limit, note_each *each,
                      void *arg);

/* Those of a kind that are due by `now` go, a piece with each of the next groups. */
void queue_note_forget(struct queue *q, uint8_t kind, time_ms now);

/* --- tallies -----------------------------------------------------------
 * Counters by day: what happened how often, for statistics. They gather in
 * memory until queue_tally_flush, so that a busy counter costs one row now and
 * then, not one for each message; what gathered since is lost with a killed
 * process (Q11). */
struct tally {
    uint32_t day;                   /* days since 1970-01-01 UTC */
    struct slice key;               /* what is counted, in its owner's words; 1 to TALLY_KEY_MAX bytes */
    uint64_t count;                 /* up to INT64_MAX, where it stays */
    struct slice rest;              /* of queue_tally: counted under this key instead, once the day has as many as it may have
                                     * (TALLY_KEYS_MAX) of the kind, the key's first byte; empty: it is dropped then */
};
enum { TALLY_KEY_MAX = 2048, TALLY_KEYS_MAX = 100000 };

void queue_tally(struct queue *q, const struct tally *t);       /* adds `count`. Copies */

/* What has gathered joins the next group, and wants one. Call it every second or two, and before the end. */
void queue_tally_flush(struct queue *q);

/* Up to `limit` of the days from `*day` on, in the order of day and key, behind (*day, *after),
 * which it moves on (`after` is a buf of at least TALLY_KEY_MAX). Only those that are stored. Returns how many. */
size_t queue_tally_list(struct queue *q, uint32_t *day, struct buf *after, size_t limit,
                        void (*each)(void *arg, const struct tally *t), void *arg);

/* The same of one day, and only keys that begin with `prefix`. The cost is that of what it gives. */
size_t queue_tally_find(struct queue *q, uint32_t day, struct slice prefix, struct buf *after, size_t limit,
                        void (*each)(void *arg, const struct tally *t), void *arg);

/* Those of days before `day` go, a piece with each of the next groups. */
void queue_tally_forget(struct queue *q, uint32_t day);

/* --- groups ------------------------------------------------------------ */
struct group *queue_group(struct queue *q);         /* NULL when nothing waits or a group is out */
void group_apply(struct group *g);                  /* any thread */
void queue_applied(struct queue *q, struct group *g);   /* answers; frees the group */
void queue_commit(struct queue *q);                 /* all of it here and now, until no group is wanted; none may be out */

/* Housekeeping joins the groups by itself: dead segments go, a segment kept
 * alive by little is copied together. Call about every ten seconds. */
void queue_tend(struct queue *q, time_ms now);

/* --- the operator ------------------------------------------------------ */
struct queue_view {                 /* one recipient waiting, for people */
    struct envelope envelope;       /* count and recipients: only this one */
    uint32_t attempts;
    time_ms due, last_attempt;      /* wall; 0 never */
    bool held, leased;
    const char *status, *why;       /* of the last attempt, "" before */
};
/* Calls `each` for up to `limit` recipients, message by message, starting
 * behind (*after_id, *after_number), which it moves on; a million are listed in
 * flat memory. Returns how many. */
size_t queue_list(struct queue *q, message_id *after_id, int64_t *after_number, size_t limit,
                  void (*each)(void *arg, const struct queue_view *v), void *arg);
/* All recipients of one message. False: no such message. */
bool queue_show(struct queue *q, message_id id, void (*each)(void *arg, const struct queue_view *v), void *arg) must_check;

enum queue_act {
    ACT_RETRY,                      /* due now */
    ACT_HOLD,                       /* not leased until released; a lease under way goes on */
    ACT_RELEASE,                    /* from hold; due now */
    ACT_REMOVE,                     /* without a bounce; a lease under way may still deliver */
};
/* One message, or all with id 0 (not for ACT_REMOVE: E_USAGE). Answers with E_NOT_FOUND when there is none. */
void queue_operate(struct queue *q, enum queue_act act, message_id id, time_ms now, queue_answer *answer, void *arg);

struct queue_figures {
    uint64_t messages, recipients;
    uint64_t due, leased;           /* deliveries: one message for one destination. due: when queue_lease last looked */
    uint64_t held;                  /* messages */
    uint64_t body_bytes, segment_bytes;     /* of all bodies; of the segment files, dead bytes included */
    time_ms oldest_arrival;         /* wall; 0 when empty */
    uint64_t groups, group_members; /* since start: members / groups is the group size */
};
void queue_figures(const struct queue *q, struct queue_figures *out);

#endif
