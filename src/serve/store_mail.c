#include "serve/store_inside.h"

#include "base/memory.h"

/* A message on its way in from one of the processes that bring any. */
struct arriving {
    uint64_t ticket;
    struct incoming *incoming;  /* NULL once it has failed */
    struct error why;
    struct arriving *next;
};

static void arriving_free(struct arriving *a)
{
    incoming_drop(a->incoming);
    free(a);
}

static struct arriving **find_arriving(struct peer *p, uint64_t ticket)
{
    struct arriving **at = &p->arriving;

    while (*at && (*at)->ticket != ticket)
        at = &(*at)->next;
    return at;
}

/* What cannot be kept is remembered as failed, and said once at the end. */
static void add_bytes(struct arriving *a, struct slice bytes)
{
    if (!a->incoming || incoming_add(a->incoming, bytes, &a->why))
        return;
    incoming_drop(a->incoming);
    a->incoming = NULL;
}

static struct arriving *get_arriving(struct peer *p, uint64_t ticket)
{
    struct arriving **at = find_arriving(p, ticket), *a = *at;

    if (!a) {
        a = NEW(struct arriving);
        a->ticket = ticket;
        a->incoming = incoming_new(p->store->queue);
        *at = a;
    }
    return a;
}

static void remove_arriving(struct peer *p, struct arriving *a)
{
    *find_arriving(p, a->ticket) = a->next;
}

bool mail_take_body(struct peer *p, struct slice body)
{
    struct frame_body f;

    if (!frame_get_body(body, &f))
        return false;
    add_bytes(get_arriving(p, f.ticket), f.bytes);
    return true;
}

bool mail_take_drop(struct peer *p, struct slice body)
{
    struct arriving *a;
    uint64_t ticket;

    if (!frame_get_ticket(body, &ticket))
        return false;
    a = *find_arriving(p, ticket);
    if (a) {
        remove_arriving(p, a);
        arriving_free(a);
    }
    return true;
}

bool mail_take_accept(struct peer *p, struct slice body)
{
    auto_arena struct arena arena = { 0 };
    struct store *s = p->store;     /* a refused message is answered at once, and the peer may go with it */
    struct frame_accept f;
    struct request *r;
    struct arriving *a;

    arena_init(&arena, 2 * CHANNEL_FRAME_MAX);
    if (!frame_get_accept(body, &arena, &f) || (f.envelope.tls == TLS_REPORT && p->link.role != LINK_REPORT))
        return false;
    a = get_arriving(p, f.ticket);
    add_bytes(a, f.bytes);
    r = request_new(p, FRAME_ACCEPTED, f.ticket);
    remove_arriving(p, a);
    if (a->incoming)
        queue_accept(s->queue, a->incoming, &f.envelope, request_answered, r);
    else
        request_answered(r, false, &a->why);
    free(a);
    soon_add(&s->commit);
    return true;
}

void mail_forget(struct peer *p)
{
    while (p->arriving) {
        struct arriving *a = p->arriving;

        p->arriving = a->next;
        arriving_free(a);
    }
}
