/* tests/tls/meet.h - shake hands once with a server that shows certain
 * certificates, and see what the client's facts are.
 *
 *     facts = meet(&(struct meeting){ .shown = { leaf, issuer }, RECORDS(tlsa_of(3, 1, 1, leaf)) });
 *
 * All that tls_connect was given is gone before the first byte is sent. */
#ifndef TESTS_TLS_MEET_H
#define TESTS_TLS_MEET_H

#include "tests/tls/certs.h"
#include "tls/session.h"

struct meeting {
    const struct cert *shown[6];    /* the leaf first; the server has its key */
    const char *server_name, *check_name;
    const char *names[4];
    const struct tlsa *dane;
    size_t dane_count;
    const char *dane_names[4];
    enum tls_version most;          /* of the server; NONE: whatever it can */
};

#define RECORDS(...)                                                                            \
    .dane = (const struct tlsa[]){ __VA_ARGS__ },                                               \
    .dane_count = sizeof (const struct tlsa[]){ __VA_ARGS__ } / sizeof(struct tlsa)

struct tls_facts meet(const struct meeting *m);

/* What the client trusts, and an intermediate below it. Not to be freed. */
const struct cert *meet_root(void);
const struct cert *meet_between(void);

/* The record that matches `c`; its data stay for some hundred more. */
struct tlsa tlsa_of(uint8_t usage, uint8_t selector, uint8_t matching, const struct cert *c);

#endif
