/* deliver/bounce.h - telling the sender: failures, and delays when the operator wants it.
 *
 * RFC 3461 6, RFC 3464, RFC 5321 6.1 (spec SMTP-085, -154, -280 to -285). A
 * notice never returns more than the header, and asks of TLS what its message
 * did (RFC 8689 5, REQTLS-040, -041, -044). Pure. */
#ifndef DELIVER_BOUNCE_H
#define DELIVER_BOUNCE_H

#include "deliver/outcome.h"
#include "deliver/route.h"
#include "message/dsn.h"

struct bounce_settings {
    const char *hostname;
    const struct routing *routing;      /* for the way back to the sender */
    struct id_maker *ids;
};

struct bounce {
    struct envelope envelope;           /* memory from the arena given */
    struct queue_recipient recipient;
    struct buf body;                    /* buf_done when finished */
    size_t named;                       /* how many of those concerned it tells of, from the first: not all may fit */
};

enum { BOUNCE_BODY_MAX = 96 * 1024 };

/* A message from "<>" to the sender of `original` about those of `all` whose
 * result is failed (DSN_FAILED) or deferred (DSN_DELAYED). False when none may
 * be sent: the original has a null sender, or nobody is concerned. */
bool bounce_make(const struct bounce_settings *s, enum dsn_action action, const struct envelope *original,
                 const struct outcome *all, size_t count, struct slice original_header, time_ms give_up, time_ms wall,
                 struct arena *arena, struct bounce *out) must_check;

#endif
