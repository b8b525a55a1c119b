/* policy/decide.h - may this mail go over this connection? Pure.
 *
 * The rows of the decision table that need nothing but the operator's level:
 * PD-01, PD-09, PD-10 and PD-12 with their wire events PD-E02 to PD-E06,
 * PD-E14 and PD-E19. Every source of policy can only raise the floor (P2). */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "base/clock.h"
#include "base/error.h"
#include "tls/session.h"

enum tls_level {
    TLS_LEVEL_OFF,          /* STARTTLS is not tried */
    TLS_LEVEL_MAY,          /* TLS when the other side can; any certificate */
    TLS_LEVEL_ENCRYPT,      /* never in clear; any certificate */
    TLS_LEVEL_VERIFY,       /* never in clear; trusted chain and matching name */
};
const char *tls_level_name(enum tls_level level);                               /* "may" */
bool tls_level_parse(struct slice text, enum tls_level *level) must_check;

struct tls_rule {
    enum tls_level level;
    /* A handshake that failed is followed by a try in clear only once the
     * message has waited this long: a passing fault, or an attacker's single
     * packet, must not be enough (the practice of Postfix). */
    time_ms cleartext_after;
};

/* After EHLO, before anything else is said. */
enum tls_plan { PLAN_STARTTLS, PLAN_CLEAR, PLAN_NEXT_HOST };
enum tls_plan decide_plan(const struct tls_rule *rule, bool starttls_offered, struct error *why);

/* The server answered STARTTLS with 4yz or 5yz: may the session go on in clear? (STARTTLS-026, PD-E03) */
bool decide_clear_after_refusal(const struct tls_rule *rule);

/* Securing a connection failed with `how`: may a *new* connection to the same
 * address try in clear? Only after a failed handshake (PD-E05, -E06, PD-32);
 * injected bytes are an attack and never lead to clear text (PD-E04). */
bool decide_clear_retry(const struct tls_rule *rule, enum error_code how, time_ms waited);

/* The handshake is done: are these facts enough? (STARTTLS-007) */
bool decide_facts(const struct tls_rule *rule, const struct tls_facts *facts, struct error *why) must_check;

/* How sure we are of the peer, in the words that logs use (STARTTLS-106). */
const char *verdict_name(const struct tls_facts *facts);    /* NULL facts: "none"; "encrypted" "trusted" "verified" */

#endif
