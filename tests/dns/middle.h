/* tests/dns/middle.h - a name server that stands before the signed tree and sees what is asked.
 *
 * Questions by UDP go on to the tree, answers come back as they are, except
 * where a rule says otherwise. Nothing listens on its TCP port. */
#ifndef TESTS_DNS_MIDDLE_H
#define TESTS_DNS_MIDDLE_H

#include "tests/dns/tree.h"

enum trick {
    PASS_ON,
    SERVFAIL, REFUSED,
    SILENCE,
    TRUNCATED,          /* "ask again by TCP" */
    GARBAGE,            /* the answer stops in the middle of its first record */
    WITHOUT_SIGNATURES, /* as if the question had come without DO */
    AS_IF_AUTHENTIC,    /* the AD bit is set */
    ODD_LENGTHS,        /* records with RDATA of 1 to 5, 65 and 400 bytes, each 3 */
};

/* For questions of `type` (0: any) for `name` (NULL: any). The first rule that fits counts. */
struct middle_rule {
    const char *name;
    enum dns_type type;
    enum trick trick;
};

struct middle_question {
    char name[256];
    unsigned type;
    bool wants_dnssec, checking_disabled;
};

enum { MIDDLE_RULES_MAX = 4, MIDDLE_QUESTIONS_MAX = 200 };
extern struct middle {
    char address[40];
    struct middle_rule rules[MIDDLE_RULES_MAX];
    struct middle_question asked[MIDDLE_QUESTIONS_MAX];
    size_t count;
} middle;

/* Grows the tree and starts a resolver whose zones are all here, or which sends
 * everything here (`as_forwarder`). middle_stop ends both. */
void middle_start(bool as_forwarder, time_ms timeout);
void middle_stop(void);
void middle_forget(void);               /* what was asked */

/* How often it was asked; NULL and 0 mean any. */
size_t middle_count(const char *name, unsigned type);

bool middle_is_about_keys(const struct middle_question *q);     /* DNSKEY, DS */

/* "MX sec.test, A mx1.sec.test": in order, all but keys and what a resolver asks the root once at its start. */
const char *middle_text(void);

#endif
