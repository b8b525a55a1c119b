/* serve/frames.h - what the processes say to each other.
 *
 * One struct for each frame with a body, an encoder and a decoder; pure. The
 * decoders trust nothing: a frame that is cut short, too long, or out of range
 * is refused, and the channel it came by is closed. Slices and strings of a
 * decoded frame are copied into the arena given. */
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

    /* inbound → store */
    FRAME_BODY = 10,        /* struct frame_body: more of a message */
    FRAME_ACCEPT,           /* struct frame_accept: its end */
    FRAME_DROP,             /* u64 ticket: it will not be finished */
    /* store → inbound */
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

    /* command line ↔ store */
    FRAME_LIST = 40,        /* struct frame_list */
    FRAME_OPERATE,          /* struct frame_operate */
    FRAME_FIGURES,          /* no body */
    FRAME_VIEW,             /* struct queue_view */
    FRAME_LISTED,           /* struct frame_listed: this page is complete */
    FRAME_OPERATED,         /* struct frame_answer */
    FRAME_COUNTED,          /* struct queue_figures */
};

/* Which process is at the other end of a link. */
enum link_role { LINK_STORE, LINK_INBOUND, LINK_OUTBOUND };
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
    struct envelope envelope;
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

bool frame_get_link(struct slice body, struct frame_link *f) must_check;
bool frame_get_ticket(struct slice body, uint64_t *ticket) must_check;
bool frame_get_body(struct slice body, struct frame_body *f) must_check;        /* bytes borrow from `body` */
bool frame_get_accept(struct slice body, struct arena *a, struct frame_accept *f) must_check;   /* bytes borrow */
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

/* Most recipients of one message; the most that the configuration allows. */
enum { FRAME_RECIPIENTS_MAX = 1000 };

#endif
