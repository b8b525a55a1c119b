/* serve/frames.h - what the processes say to each other.
 *
 * One struct for each frame with a body, an encoder and a decoder; pure. The
 * decoders trust nothing: a frame that is cut short, too long, or out of range
 * is refused, and the channel it came by is closed. Slices and strings of a
 * decoded frame are copied into the arena given. Which process may send which
 * frame to the store stands in serve/store_rules.c. */
#ifndef SERVE_FRAMES_H
#define SERVE_FRAMES_H

#include "base/arena.h"
#include "base/buf.h"
#include "queue/queue.h"

enum frame_type {
    /* master → everybody */
    FRAME_LINK = 1,         /* with a descriptor: struct frame_link */
    FRAME_DRAIN,            /* shutdown: take no new work, end what is under way soon, then exit */
    FRAME_RETIRE,           /* a newer generation is here: the same, but sessions may take their time */
    /* everybody → master */
    FRAME_READY,
    FRAME_UNLINKED,         /* the line to the store broke, and no new one came */

    /* inbound, report → store */
    FRAME_BODY = 10,        /* struct frame_body: more of a message */
    FRAME_ACCEPT,           /* struct frame_accept: its end */
    FRAME_DROP,             /* u64 ticket: it will not be finished */
    /* store → inbound, report */
    FRAME_ACCEPTED,         /* struct frame_answer */

    /* outbound → store */
    FRAME_HELLO = 20,       /* struct frame_hello for each lease still held, then one with id 0 */
    FRAME_SETTLE,           /* struct settle */
    FRAME_READ,             /* struct frame_read */
    FRAME_NO_MORE,          /* no body: draining, lease nothing more to me */
    /* store → outbound */
    FRAME_LEASE,            /* struct lease */
    FRAME_SETTLED,          /* struct frame_answer: ticket is the lease */
    FRAME_PIECE,            /* struct frame_piece */
    FRAME_RESUMED,          /* struct frame_resumed */
    FRAME_TRY_ANEW,         /* no body: the operator wants resting destinations tried */

    /* outbound, clerks → store: what they want kept, counted and told */
    FRAME_RECALL = 60,      /* struct frame_recall: a note, please */
    FRAME_NOTE,             /* struct note: keep it; an empty value removes it. No answer */
    FRAME_NOTES_DUE,        /* struct frame_notes_due: those of my slot; a clerk's are all */
    FRAME_TALLY,            /* struct frame_tallies; inbound sends it too. No answer */
    /* store → outbound, clerks */
    FRAME_RECALLED,         /* struct frame_recalled */
    FRAME_DUE_NOTE,         /* struct frame_recalled, of those that FRAME_NOTES_DUE asked for; then */
    FRAME_DUE_END,          /* u64 ticket: that was all */
    FRAME_NOTES_CHANGED,    /* struct frame_note_key: somebody else changed it; with the key "": all of that kind */

    /* outbound, clerks ↔ store: a frame of the command line below, under the asker's ticket */
    FRAME_ASK = 70,         /* struct frame_ticketed */
    FRAME_TOLD,             /* struct frame_ticketed: each frame of the answer */

    /* command line ↔ store */
    FRAME_LIST = 40,        /* struct frame_list */
    FRAME_OPERATE,          /* struct frame_operate */
    FRAME_FIGURES,          /* no body */
    FRAME_VIEW,             /* struct queue_view */
    FRAME_LISTED,           /* struct frame_listed: this page is complete */
    FRAME_OPERATED,         /* struct frame_answer */
    FRAME_COUNTED,          /* struct queue_figures */

    FRAME_NOTE_LIST = 80,   /* struct frame_note_list */
    FRAME_NOTE_FIND,        /* struct frame_note_key */
    FRAME_NOTE_PUT,         /* struct note; an empty value removes it. FRAME_OPERATED answers when it is stored */
    FRAME_TALLY_LIST,       /* struct frame_tally_list */
    FRAME_NOTE_VIEW,        /* struct note: of FRAME_NOTE_LIST and FRAME_NOTE_FIND; then */
    FRAME_NOTES_LISTED,     /* struct frame_notes_listed: this page is complete */
    FRAME_TALLY_VIEW,       /* struct tally; then */
    FRAME_TALLIES_LISTED,   /* struct frame_tallies_listed */
    FRAME_TALLY_FIND,       /* struct frame_tally_find; the answer is that of FRAME_TALLY_LIST */
};

/* Whose a note is (queue/queue.h), and what its value holds. */
enum note_kind {
    NOTE_STS = 1,           /* by domain: a policy (policy/mta_sts.h) */
    NOTE_MEMORY,            /* by next hop: what it used to offer (policy/memory.h) */
    NOTE_HEALTH,            /* by process: "dns/0", the result of its self-test */
    NOTE_POLICY,            /* by report_policy_key: a policy that reports quote (tlsrpt/policy.h) */
    NOTE_REPORT,            /* by day and domain, "2026-11-21/example.org": what became of its report (serve/report_state.h) */
    NOTE_RECEIVED,          /* by received_report_key: a report that others sent (tlsrpt/read.h) */
    NOTE_EVENT,             /* by event_key: something the operator may want to be told (event/event.h) */
    NOTE_HOOK,              /* by hook and event, "pager/blocked/example.org": when it was told (serve/hooks.c) */
    NOTE_CERTIFICATE,       /* by name: our own certificates over time (serve/wardrobe.h) */
    NOTE_KINDS
};

/* Which process is at the other end of a link. Those behind LINK_OUTBOUND are clerks (serve/clerk.h): each has one seat, and
 * what the store has due belongs to whichever of them asks, whatever its slot. */
enum link_role { LINK_STORE, LINK_INBOUND, LINK_OUTBOUND, LINK_POLICY, LINK_REPORT, LINK_HOOKS, LINK_WEB, LINK_ROLES };
enum { CLERK_SLOT = 0xffff };       /* in a clerk's link: no slot in particular */
struct frame_link {
    uint8_t role;
    uint16_t slot;
    uint32_t generation;
};

struct frame_body {
    uint64_t ticket;        /* the sender's name for the message */
    struct slice bytes;
};

struct frame_accept {
    uint64_t ticket;
    struct envelope envelope;       /* with its head */
    struct slice bytes;     /* the rest of the message */
};

struct frame_answer {
    uint64_t ticket;
    bool done;
    struct error why;       /* when not done */
};

struct frame_hello {
    uint64_t lease;         /* of the former store */
    message_id id;          /* 0: that was all */
    const char *destination;
};

struct frame_resumed {
    uint64_t old_lease, lease;  /* lease 0: nothing is left of it */
};

struct frame_read {
    uint64_t lease, offset;
    uint32_t size;
};

struct frame_piece {
    uint64_t lease, offset;
    bool done;              /* false: could not be read */
    struct slice bytes;     /* empty at the end */
};

struct frame_list {
    message_id id;          /* show one message; 0: list */
    message_id after_id;
    int64_t after_number;
    uint32_t limit;
};

struct frame_listed {
    message_id after_id;
    int64_t after_number;
    uint32_t count;
};

struct frame_operate {
    uint8_t act;            /* enum queue_act */
    message_id id;
};

struct frame_recall {
    uint64_t ticket;        /* the asker's name for its question */
    uint8_t kind;           /* enum note_kind */
    const char *key;
};

struct frame_recalled {
    uint64_t ticket;
    enum { RECALL_NONE, RECALL_FOUND, RECALL_UNKNOWN } answer;      /* unknown: the store cannot read it now */
    struct note note;       /* when found; its value is not empty */
};

struct frame_notes_due {
    uint64_t ticket;
    uint8_t kind;
    time_ms now;
    uint32_t limit;         /* no more than FRAME_NOTES_MOST come */
};

struct frame_note_key {
    uint8_t kind;
    const char *key;
};

struct frame_note_list {
    uint8_t kind;
    const char *after;      /* "": from the first */
    uint32_t limit;         /* no more than FRAME_NOTES_MOST come */
};

struct frame_notes_listed {
    const char *after;      /* where the next page begins */
    uint32_t count;         /* of this one; 0: there is no more */
};

struct frame_ticketed {
    uint64_t ticket;        /* the asker's name for its question */
    uint8_t type;           /* enum frame_type, of the frame inside; */
    struct slice body;      /* and its body */
};

struct frame_tallies {
    const struct tally *tallies;    /* with their `rest` */
    size_t count;           /* 1 to FRAME_TALLIES_MAX */
};

struct frame_tally_list {
    uint32_t day;
    struct slice after;     /* a key of `day`; empty: from its first */
    uint32_t limit;
};

struct frame_tally_find {
    uint32_t day;
    struct slice prefix;    /* only keys that begin with it */
    struct slice after;     /* and stand behind this one; empty: from the first */
    uint32_t limit;
};

struct frame_tallies_listed {
    uint32_t day;           /* where the next page begins */
    struct slice after;
    uint32_t count;         /* of this one; 0: there is no more */
};

enum {
    FRAME_NOTES_MOST = 50,      /* in one answer: each may have NOTE_VALUE_MAX bytes */
    FRAME_TALLIES_MAX = 240,    /* in one frame: each key, and its rest, may have TALLY_KEY_MAX bytes */
};

void frame_put_link(struct buf *out, const struct frame_link *f);
void frame_put_body(struct buf *out, uint64_t ticket, struct slice bytes);
void frame_put_accept(struct buf *out, const struct frame_accept *f);
void frame_put_answer(struct buf *out, uint64_t ticket, bool done, const struct error *why);
void frame_put_hello(struct buf *out, const struct frame_hello *f);
void frame_put_resumed(struct buf *out, const struct frame_resumed *f);
void frame_put_read(struct buf *out, const struct frame_read *f);
void frame_put_piece(struct buf *out, const struct frame_piece *f);
void frame_put_lease(struct buf *out, const struct lease *l);
void frame_put_settle(struct buf *out, const struct settle *s);
void frame_put_list(struct buf *out, const struct frame_list *f);
void frame_put_listed(struct buf *out, const struct frame_listed *f);
void frame_put_operate(struct buf *out, const struct frame_operate *f);
void frame_put_view(struct buf *out, const struct queue_view *v);
void frame_put_figures(struct buf *out, const struct queue_figures *f);
void frame_put_recall(struct buf *out, const struct frame_recall *f);
void frame_put_recalled(struct buf *out, const struct frame_recalled *f);
void frame_put_note(struct buf *out, const struct note *n);
void frame_put_note_key(struct buf *out, const struct frame_note_key *f);
void frame_put_notes_due(struct buf *out, const struct frame_notes_due *f);
void frame_put_note_list(struct buf *out, const struct frame_note_list *f);
void frame_put_notes_listed(struct buf *out, const struct frame_notes_listed *f);
void frame_put_ticketed(struct buf *out, const struct frame_ticketed *f);
void frame_put_tallies(struct buf *out, const struct frame_tallies *f);
void frame_put_tally(struct buf *out, const struct tally *t);
void frame_put_tally_list(struct buf *out, const struct frame_tally_list *f);
void frame_put_tally_find(struct buf *out, const struct frame_tally_find *f);
void frame_put_tallies_listed(struct buf *out, const struct frame_tallies_listed *f);

bool frame_get_link(struct slice body, struct frame_link *f) must_check;
bool frame_get_ticket(struct slice body, uint64_t *ticket) must_check;
bool frame_get_body(struct slice body, struct frame_body *f) must_check;        /* bytes borrow from `body` */
bool frame_get_accept(struct slice body, struct arena *a, struct frame_accept *f) must_check;   /* bytes, head borrow */
bool frame_get_answer(struct slice body, struct frame_answer *f) must_check;
bool frame_get_hello(struct slice body, struct arena *a, struct frame_hello *f) must_check;
bool frame_get_resumed(struct slice body, struct frame_resumed *f) must_check;
bool frame_get_read(struct slice body, struct frame_read *f) must_check;
bool frame_get_piece(struct slice body, struct frame_piece *f) must_check;      /* bytes borrow */
bool frame_get_lease(struct slice body, struct arena *a, struct lease *l) must_check;
bool frame_get_settle(struct slice body, struct arena *a, struct settle *s) must_check;
bool frame_get_list(struct slice body, struct frame_list *f) must_check;
bool frame_get_listed(struct slice body, struct frame_listed *f) must_check;
bool frame_get_operate(struct slice body, struct frame_operate *f) must_check;
bool frame_get_view(struct slice body, struct arena *a, struct queue_view *v) must_check;
bool frame_get_figures(struct slice body, struct queue_figures *f) must_check;
bool frame_get_recall(struct slice body, struct arena *a, struct frame_recall *f) must_check;
bool frame_get_recalled(struct slice body, struct arena *a, struct frame_recalled *f) must_check;   /* value borrows */
bool frame_get_note(struct slice body, struct arena *a, struct note *n) must_check;                 /* value borrows */
bool frame_get_note_key(struct slice body, struct arena *a, struct frame_note_key *f) must_check;
bool frame_get_notes_due(struct slice body, struct frame_notes_due *f) must_check;
bool frame_get_note_list(struct slice body, struct arena *a, struct frame_note_list *f) must_check;
bool frame_get_notes_listed(struct slice body, struct arena *a, struct frame_notes_listed *f) must_check;
bool frame_get_ticketed(struct slice body, struct frame_ticketed *f) must_check;                    /* body borrows */
bool frame_get_tallies(struct slice body, struct arena *a, struct frame_tallies *f) must_check;     /* keys borrow */
bool frame_get_tally(struct slice body, struct tally *t) must_check;                                /* key borrows */
bool frame_get_tally_list(struct slice body, struct frame_tally_list *f) must_check;                /* after borrows */
bool frame_get_tally_find(struct slice body, struct frame_tally_find *f) must_check;                /* slices borrow */
bool frame_get_tallies_listed(struct slice body, struct frame_tallies_listed *f) must_check;        /* after borrows */

/* Most recipients of one message; the most that the configuration allows. */
enum { FRAME_RECIPIENTS_MAX = 1000 };

#endif
