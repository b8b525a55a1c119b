/* discover/sts.h - the MTA-STS policy that is in force for a domain: looked up, fetched, kept, refreshed.
 *
 * RFC 8461 3 and 5 (spec MTASTS-010 to -013, -020 to -032, -080 to -085).
 * The grammars and the table of what counts are in policy/mta_sts.h. Kept
 * policies live with the house (the store), so that a restart reopens no
 * window; this process remembers some of them, with the time when their TXT
 * record is to be looked at again. One fetch for a domain at a time, however
 * many deliveries ask; who asks waits for it only for a while (MTASTS-032). */
#ifndef DISCOVER_STS_H
#define DISCOVER_STS_H

#include "dns/resolver.h"
#include "https/https.h"
#include "policy/mta_sts.h"

/* What the keeper of policies says. When it does not say, nothing may be decided: a policy may be in force. */
enum sts_recall { STS_NOTHING_KEPT, STS_RECALLED, STS_RECALL_FAILED };

/* Where policies are kept. */
struct sts_house {
    /* What is kept for the domain, from sts_cached_encode, into `arena`. May wait. NULL: nothing is ever kept. */
    enum sts_recall (*recall)(void *self, const char *domain, struct arena *arena, struct slice *value);
    /* Keep it; empty: forget. `due` is when its refresh is wanted. */
    void (*remember)(void *self, const char *domain, time_ms due, struct slice value);
    /* A policy could not be fetched, or not used: once for each fetch (RFC 8461 6, spec TLSRPT-023). `kept` is
     * the policy that stays in force, NULL when none does. NULL is fine. */
    void (*failed)(void *self, const char *domain, const struct error *why, const struct sts_cached *kept);
    /* After sts_engine_stop: nothing is under way any more. NULL is fine. */
    void (*idle)(void *self);
};

/* A policy that the operator has written down (MTASTS-085): in force unless the domain's own is. */
struct sts_pin {
    const char *domain;
    const struct sts_policy *policy;
};

struct sts_settings {
    struct resolver *resolver;
    struct https *https;
    uint16_t port;                  /* of the policy host: 443 */
    time_ms patience;               /* how long a fetch may keep deliveries waiting: 10 s. Not for house and DNS */
    time_ms fetch_time;             /* of one fetch in all: 60 s */
    bool defer_on_error;            /* MTASTS-011: no kept policy, and the TXT lookup fails */
    bool (*address_allowed)(const struct address *a);   /* MTASTS-031: NULL: all are */
    const struct sts_pin *pins;
    size_t pin_count;
};

struct sts_engine;
struct sts_engine *sts_engine_new(const struct sts_settings *s, const struct sts_house *house, void *self);
void sts_engine_free(struct sts_engine *e);         /* nothing may be under way; NULL is fine */
void sts_engine_stop(struct sts_engine *e);         /* cancel what is under way, and begin nothing more */
unsigned sts_engine_busy(const struct sts_engine *e);

struct sts_view {
    const struct sts_policy *policy;    /* in force; NULL: none */
    const char *row;                    /* ST-01 ... of policy/mta_sts.h; "pin" */
    struct slice text;                  /* the policy file */
    char id[33];                        /* of the record; "" when there is none */
    enum sts_txt txt;
    time_ms fetched, expires;           /* wall clock; 0 without a policy */
    bool defer;                         /* MTASTS-011: nothing may be decided now */
    bool unknown;                       /* no policy is in force, but only because one could not be had or looked up */
    struct error problem;               /* of lookup or fetch; its code is what TLS-RPT reports; E_NONE */
};

/* Waits for the house and the DNS, which have limits of their own, and at most `patience` for a fetch. Memory from
 * `arena`. `anew`: look at the TXT record now, whatever is
 * remembered, and fetch though an earlier fetch failed a moment ago (MTASTS-066). */
void sts_find(struct sts_engine *e, const char *domain, bool anew, struct arena *arena, struct sts_view *out);

/* A kept policy that is due: fetch it again in the background (MTASTS-081). */
void sts_refresh(struct sts_engine *e, const char *domain, struct slice kept);

/* What is remembered of a domain here is out of date; NULL: of all. */
void sts_forget(struct sts_engine *e, const char *domain);

/* Domains that are remembered here, with a policy or without: at most STS_REMEMBERED_MAX, those beyond are looked up again. */
enum { STS_REMEMBERED_MAX = 20000 };
size_t sts_remembered(const struct sts_engine *e);

#endif
