/* fact/clients.h - who sends to us, how, and who could not under a stricter rule. Pure.
 *
 *     c = clients_new(&want)
 *     clients_take(c, tally.day, tally.key, tally.count)   for each tally from want.since on
 *     clients_finish(c)
 *     clients_list(c)
 *
 * Memory is bounded: clients beyond CLIENTS_MAX are counted together, as the
 * store does beyond its own bound. */
#ifndef FACT_CLIENTS_H
#define FACT_CLIENTS_H

#include "fact/visit.h"

enum { CLIENTS_MAX = 200000, CLIENT_NAMES_MAX = 8, CLIENT_PROBLEMS_MAX = 4 };

enum clients_by {
    CLIENTS_BY_HABIT,               /* submission by address, mx by network */
    CLIENTS_BY_ADDRESS,
    CLIENTS_BY_NETWORK,             /* /24, /48 */
    CLIENTS_BY_NAME,                /* of EHLO */
    CLIENTS_BY_USER,
};

/* What is thought of; any part that refuses a message cuts its client off. */
struct clients_rule {
    bool tls_required;              /* nothing in clear */
    enum tls_version minimum;       /* nothing by an older version; it does not touch what goes in clear. NONE: any */
};

struct clients_want {
    uint32_t since, until;          /* days, both included */
    enum clients_by by;
    bool no_mx, no_submission;
    struct clients_rule rule;
};

/* A few different texts, in the order in which they came up. */
struct client_names {
    const char *at[CLIENT_NAMES_MAX];
    size_t count;
    bool more;
};

struct client_problem {
    const char *words;              /* "" for those beyond CLIENT_PROBLEMS_MAX */
    uint64_t sessions;
};

struct client {
    enum visit_role role;
    bool unnamed;                   /* all beyond a bound */
    const char *who;                /* address, network, name or user, as asked for; "" gave no name, or no user */
    struct client_names addresses, names, users;
    uint64_t messages, versions[TLS_1_3 + 1];       /* TLS_VERSION_NONE: in clear */
    enum tls_version oldest;        /* of messages under TLS; NONE: there were none */
    uint64_t in_clear_with_password;                /* messages and sessions with a password outside TLS */
    enum tls_version password_oldest;               /* oldest version that a user's messages went by; NONE: there were none */
    uint64_t refused;               /* messages that the rule would refuse */
    uint64_t refused_clear, refused_old;            /* of them, for going in clear, and for an old version */
    uint64_t failed, turned_away;   /* sessions: the handshake failed; refused in clear. They cannot send now */
    struct client_problem problems[CLIENT_PROBLEMS_MAX + 1];
    size_t problem_count;
    uint32_t last;                  /* the latest day of all of this */
    uint32_t last_refused;          /* of what the rule would refuse; 0: there was nothing */
};
bool client_fails_already(const struct client *c);

/* Of one role, or of both. */
struct clients_sum {
    size_t clients, cut_off, failing;           /* cut_off: by the rule; failing: those who fail already, and are not cut off */
    uint64_t messages, versions[TLS_1_3 + 1], refused, refused_clear, refused_old;
};

struct clients;
struct clients *clients_new(const struct clients_want *w);
void clients_free(struct clients *c);           /* NULL is fine */
/* Tallies of other kinds, other days, or that make no sense are passed over. */
void clients_take(struct clients *c, uint32_t day, struct slice key, uint64_t count);
void clients_finish(struct clients *c);

/* After clients_finish; valid as long as `c`. By role; then those that lose most under the rule, those that send most in
 * clear or by versions before 1.2, those that fail, those that send most. With a rule, only those that are cut off or fail. */
const struct client *const *clients_list(const struct clients *c, size_t *count);
const struct clients_sum *clients_sum_of(const struct clients *c, enum visit_role role);
struct clients_sum clients_total(const struct clients *c);
uint32_t clients_counted_since(const struct clients *c);    /* the first day of which anything is known; 0: nothing is */

#endif
