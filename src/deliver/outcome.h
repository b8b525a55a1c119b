/* deliver/outcome.h - what became of each recipient, while it is being tried. Pure.
 *
 * A recipient is tried at one host after another until somebody decides; what
 * was said last is kept for the log, the queue and the bounce. */
#ifndef DELIVER_OUTCOME_H
#define DELIVER_OUTCOME_H

#include "base/arena.h"
#include "queue/retry.h"
#include "queue/queue.h"
#include "smtp/client.h"

/* Mail whose failure is told to nobody, and that is given up sooner: it has a null sender (RFC 5321 6.1: no error
 * message about an error message), or is a TLS report of ours (TLSRPT-082). */
bool bounce_is_pointless(const struct envelope *original);

struct outcome {
    uint32_t number;            /* of the recipient in its message */
    const char *address;
    enum rcpt_result result;    /* RCPT_UNDECIDED: nobody could be asked yet */
    const char *status;         /* "2.0.0"; "" while nothing happened */
    const char *host;           /* who decided: "mx1.example.net[192.0.2.7]:25", NULL when nobody did */
    const char *words;          /* its reply, code and text, unescaped; NULL when it did not speak */
    const char *why;            /* one line for people, "" when delivered */
    enum error_code code;
    bool logged;                /* its delivery line has been written */
};

/* An error of ours (no connection, no TLS, no DNS) for every recipient that is
 * still open; final ones fail it. */
void outcomes_fail(struct outcome *all, size_t count, const struct error *why, const char *host, struct arena *arena);

/* A server's answer to one recipient. */
void outcome_answered(struct outcome *o, const struct smtp_recipient *r, const char *host, struct arena *arena);

/* Recipients that the next host may be tried for. */
size_t outcomes_open(const struct outcome *all, size_t count);

/* Turn what is not delivered or failed into deferred with its next time, or
 * into failed when the message's time is over (E_UNDELIVERED_TOO_LONG). Fills
 * `out[count]`; returns how many of them are failed now. */
size_t outcomes_settle(struct outcome *all, size_t count, const struct retry_rule *rule, const struct envelope *envelope,
                       uint32_t attempts, time_ms wall, uint64_t random, struct settlement *out, struct arena *arena);

#endif
