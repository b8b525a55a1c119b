/* deliver/deliverer.h - takes leases, delivers them, says what became of each recipient.
 *
 * One per outbound process. Messages for one destination wait in one line;
 * couriers (fibers, each with one connection that it keeps for more mail) take
 * them from it. How many couriers a destination may have grows with success
 * and shrinks with failure. A destination where no host could be reached rests
 * for a while: its mail is deferred without trying (SMTP-086). */
#ifndef DELIVER_DELIVERER_H
#define DELIVER_DELIVERER_H

#include "deliver/bounce.h"
#include "deliver/session.h"
#include "fact/fact.h"
#include "policy/memory.h"
#include "tlsrpt/policy.h"

struct deliverer_settings {
    const char *hostname;
    const struct routing *routing;
    struct retry_rule retry;
    struct session_settings session;
    struct resolver *resolver;
    struct decide_settings decide;
    struct dane_settings dane;
    struct memory_settings memory;
    struct sts_engine *sts;             /* NULL: no MTA-STS */
    struct id_maker *ids;
    uint16_t mx_port;                   /* 25 */
    unsigned connections;               /* in all, of this process */
    unsigned connections_per_destination;
    unsigned messages_per_connection;
    time_ms idle_connection;            /* a connection waits so long for more mail */
    time_ms rest;                       /* of an unreachable destination: 60 s */
    bool (*is_us)(void *arg, const struct address *a);  /* would connecting there reach this very postern? (SMTP-127) */
    void *is_us_arg;
};

/* A lease being worked on. The store's number of it may change (queue_resume). */
struct delivery {
    struct arena arena;
    struct lease lease;                 /* memory from `arena` */
    struct delivery *next;
    void *house;                        /* for the deliverer's owner */
};

/* What the deliverer needs of the store. */
struct delivery_house {
    /* Bytes of the message from `offset`; *piece empty at the end; valid until the next call. May wait. */
    bool (*read)(void *self, struct delivery *d, uint64_t offset, struct slice *piece, struct error *why);
    /* All that became of it; the deliverer is done with `d`. `s->lease` is not filled in. */
    void (*settle)(void *self, struct delivery *d, const struct settle *s);
    /* Draining, and the last courier has ended. NULL is fine. */
    void (*drained)(void *self);
    /* What is remembered of a next hop; zeroed when nothing is. May wait. False: it cannot be told now. NULL is fine, for
     * this and the others below. */
    bool (*recall)(void *self, const char *next_hop, struct memory *m);
    void (*remember)(void *self, const char *next_hop, const struct memory *m);
    /* An attempt at a host is over, or a session that it opened has ended. */
    void (*tell)(void *self, const struct fact *f);
    /* The next hop no longer does what it used to: bits of policy/memory.h. */
    void (*alarm)(void *self, const char *next_hop, const char *relay, unsigned breaks);
    /* A policy that was applied, for TLS reports: its id (tlsrpt/policy.h). */
    uint64_t (*policy)(void *self, const struct report_policy *p);
    /* Mail for an address that takes TLS reports, whole. May wait. False: not now, or not at all (error_is_final). */
    bool (*report)(void *self, struct slice message, struct error *why);
};

struct deliverer;
struct deliverer *deliverer_new(const struct deliverer_settings *s, const struct delivery_house *house, void *self);

/* Takes `d` (from delivery_new) and settles it some time. */
void deliverer_take(struct deliverer *d, struct delivery *delivery);

/* The operator wants it tried now: no destination rests any longer. */
void deliverer_end_rests(struct deliverer *d);

/* Start no more; what has not been started is settled as untried. The rest ends by
 * itself. `deliverer_busy` couriers are left. */
void deliverer_drain(struct deliverer *d);
unsigned deliverer_busy(const struct deliverer *d);
void deliverer_free(struct deliverer *d);       /* nothing may be busy; NULL is fine */

/* A thousand recipients, what eight hosts said to each, and the answers of the DNS. */
enum { DELIVERY_ARENA_MAX = 32 * 1024 * 1024 };
struct delivery *delivery_new(void);
void delivery_free(struct delivery *d);

#endif
