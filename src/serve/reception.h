/* serve/reception.h - one client's transactions: who may send what to whom, and
 * the message's way to the store.
 *
 * The house of smtp/server.h. A message travels in frames as it comes, so a
 * session holds at most RECEPTION_BUFFER bytes of it; a small one goes in a
 * single frame. */
#ifndef SERVE_RECEPTION_H
#define SERVE_RECEPTION_H

#include "run/channel.h"
#include "serve/config.h"
#include "serve/frames.h"
#include "serve/recorder.h"
#include "tls/signature.h"

enum { RECEPTION_BUFFER = 32 * 1024 };

/* The line to the store, shared by the sessions of a process. */
struct post {
    struct channel *store;          /* NULL while there is none */
    uint32_t generation;            /* counts stores: what was sent to a former one is lost */
    uint64_t next_ticket;
    struct id_maker ids;
    struct reception *waiting;      /* for the store's answer */
    struct scribe *scribe;          /* what is counted goes the same way */
    struct recorder *recorder;
    struct signing_key *const *keys;    /* for each dkim section of the configuration */
};
void post_init(struct post *p, const struct config *config, unsigned maker, struct signing_key *const *keys);
void post_link(struct post *p, int fd);     /* a new store; takes `fd` */
void post_flush(struct post *p);            /* what was counted goes to the store now: the process ends */
void post_done(struct post *p);

struct reception;
struct reception *reception_new(struct post *post, const struct config *config, enum listener_role role,
                                const struct address *client);
void reception_free(struct reception *r);
bool reception_is_open(const struct reception *r);      /* a transaction is under way */

/* The session is over: who it was is counted (fact/visit.h). */
void reception_count(const struct reception *r, const struct conn *c, const struct smtp_ending *ending);

extern const struct smtp_house reception_house;         /* self: struct reception */

#endif
