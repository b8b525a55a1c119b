/* deliver/attempt.h - one message's round: from the next hop's policies over its hosts to a session.
 *
 * Inside deliver/: courier.c starts rounds and sends, attempt.c finds out,
 * decides and opens. */
#ifndef DELIVER_ATTEMPT_H
#define DELIVER_ATTEMPT_H

#include "deliver/courier.h"

struct attempt {
    time_ms end;                /* of the round, clock_now time */
    struct courier *courier;
    struct delivery *delivery;
    const struct routing_rule *rule;
    struct outcome *outcomes;
    struct round *round;
    enum mail_need need;
    /* the next hop */
    struct next_hop hop;
    bool learned;               /* attempt_learn has been asked: `memory` and `sts` are filled in */
    struct sts_view sts;
    struct memory memory;
    struct error held;          /* why it holds clear text back from the present host; E_NONE: it does not */
    bool only_host;             /* the next hop has no other */
    size_t hosts_left;          /* that nobody has asked in this round, the present one included */
    bool asked;                 /* at least one host was */
    bool all_definitive;        /* each host so far ended for good (PD-30) */
    bool keyword_missing;       /* of them one for want of REQUIRETLS, or of a host name that can be trusted */
};

/* What the envelope asks of TLS. */
enum mail_need attempt_need(const struct envelope *e);

/* A failure for all that are still open. */
void attempt_failed(struct attempt *a, const struct error *why);

/* Waits. Look up what is known of the next hop besides its hosts, once for a round: policy and memory. False: nothing
 * may be tried now, and the outcomes say so. */
bool attempt_learn(struct attempt *a) must_check;

/* Waits. One host: findings, decision, session. True: the courier's session is open and may carry the message. False: it is not,
 * and the outcomes say why; `*stop` when no other host may be tried either. */
bool attempt_open(struct attempt *a, const char *host, uint16_t port, bool *stop) must_check;

/* After the last host, for what is still open (PD-30). */
void attempt_over(struct attempt *a);

/* Waits. May the session that is open carry this message? Decided anew, with the policy and the memory of now. `*stop`
 * when the round is over before anything was tried. */
bool attempt_may_reuse(struct attempt *a, bool *stop) must_check;

/* Is nothing tried any more after this round (MTASTS-066)? */
bool attempt_is_last(const struct retry_rule *retry, const struct envelope *e);

/* Failures that say something of the way to a host, whatever the message. */
bool attempt_is_about_the_network(enum error_code code);

#endif
