/* dns/selftest.h - does validation work here? Asked at start and each hour.
 *
 * DANE must neither fail silently (nothing is ever secure) nor defer all mail
 * silently (everything is bogus). So three names whose state is known are
 * looked up: one signed, one unsigned, one with broken signatures. */
#ifndef DNS_SELFTEST_H
#define DNS_SELFTEST_H

#include "dns/resolver.h"

struct selftest_name {
    const char *name;               /* NULL: this question is left out */
    enum dns_type type;             /* that exists there */
};

struct selftest_names {
    struct selftest_name signed_name;       /* com SOA: kept 15 minutes, so that each hour asks anew */
    struct selftest_name unsigned_name;     /* gmail.com A */
    struct selftest_name bogus_name;        /* dnssec-failed.org A: kept broken for such tests by its owner */
};
extern const struct selftest_names selftest_defaults;

/* "example.org", "example.org MX", ". SOA"; A when no type is given; "none" or "" leaves the question out. `out->name`
 * is in the arena. E_MALFORMED. */
bool selftest_name_parse(struct slice text, struct arena *arena, struct selftest_name *out, struct error *why) must_check;

enum selftest_verdict {
    SELFTEST_GOOD,
    SELFTEST_OFF,                   /* validation is switched off, or there is no trust anchor */
    SELFTEST_NOT_SECURE,            /* the signed name came insecure: DANE protects nobody */
    SELFTEST_ALL_BOGUS,             /* signed or unsigned names fail validation: mail to signed domains waits */
    SELFTEST_BLIND,                 /* the broken name came as good data: answers are not validated */
    SELFTEST_UNREACHABLE,           /* the signed or unsigned name got no answer: nothing can be said */
};
const char *selftest_verdict_name(enum selftest_verdict v);     /* "good", "off", "not secure" ... */

struct selftest {
    enum selftest_verdict verdict;
    char why[240];                  /* one line for the operator: what was seen, what it means, what to do; "" when good */
};

/* Waits. */
void selftest_run(struct resolver *r, const struct selftest_names *names, struct selftest *out);

/* The same from answers at hand, of which only those to questions that were asked count (pure; tests). */
struct selftest_answers {
    struct dns_answer signed_name, unsigned_name, bogus_name;
};
void selftest_judge(bool validates, const struct selftest_names *names, const struct selftest_answers *answers,
                    struct selftest *out);

#endif
