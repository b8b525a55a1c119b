/* dns/resolver.h - questions to the DNS, validated here (libunbound).
 *
 * One resolver per process. Every question has a deadline of its own, since
 * the library can wait for ever; a question that is given up is cancelled.
 * Without a usable trust anchor no answer is ever secure, and the resolver
 * says so once at start. */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "dns/answer.h"

struct dns_stub {
    const char *zone;           /* "example.org" or "." */
    const char *server;         /* "192.0.2.53" or "192.0.2.53@5353" */
};

struct resolver_settings {
    const char *const *forwarders;      /* "192.0.2.53@53"; none: full recursion from the root */
    size_t forwarder_count;
    const struct dns_stub *stubs;
    size_t stub_count;
    const char *trust_anchor_file;      /* NULL: Debian's /usr/share/dns/root.key when it is there */
    const char *hosts_file;             /* NULL: none is read */
    bool validate;                      /* false: no answer is secure; the configuration's default is true */
    time_ms timeout;                    /* of one question; 0: 10 s */
};

/* Reads the files it names, so it comes before the process is confined; the
 * library's thread starts with the first question, after it. A trust anchor
 * file that is named but cannot be used is an error (DANE-006). */
struct resolver;
struct resolver *resolver_new(const struct resolver_settings *s, struct error *why) must_check;
void resolver_free(struct resolver *r);         /* outstanding questions end as DNS_FAILED; NULL is fine */

/* True when validation is possible at all. */
bool resolver_validates(const struct resolver *r);

/* Waits. Always fills `out` (memory from `arena`); what went wrong is in its
 * status. `name` without final dot, A-labels; "." is the root. */
void resolver_ask(struct resolver *r, const char *name, enum dns_type type, struct arena *arena,
                  struct dns_answer *out);

/* Waits. The same for several questions at once, under one deadline. */
struct dns_question {
    const char *name;
    enum dns_type type;
    struct dns_answer *out;
};
enum { RESOLVER_TOGETHER = 8 };     /* most questions of one call */
void resolver_ask_all(struct resolver *r, const struct dns_question *questions, size_t count, struct arena *arena);

#endif
