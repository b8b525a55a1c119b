/* tests/tls/pair.h - a client and a server, wired memory to memory.
 *
 * Also a `raw` peer: bare OpenSSL, for what our own sessions would never do. */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "tests/test.h"
#include "tls/session.h"

#include <openssl/ssl.h>

struct pair {
    struct tls *client, *server;
    enum tls_step client_step, server_step;     /* of the last handshake call */
    struct error client_why, server_why;
};

/* Both belong to the pair from here on. */
struct pair pair_of(struct tls *client, struct tls *server);
void pair_done(struct pair *p);

/* Carry up to `chunk` bytes at a time to and fro until both are done or one
 * has failed and the other has heard of it. True when both are done. */
bool pair_shake(struct pair *p, size_t chunk);

/* The whole output of `from` becomes input of `to`, as far as there is room; how much it was. */
size_t pair_carry(struct tls *from, struct tls *to, size_t most);

/* A server and a client with one setting each, shaken; aborts when that fails. */
struct pair pair_new(const struct tls_server *server, const struct tls_want *want);

struct raw {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
};

/* Security level 0, so that the test decides alone. Set up `ctx` and `ssl` further as needed. */
struct raw raw_client(void);
struct raw raw_server(const char *chain_file, const char *key_file);
void raw_done(struct raw *r);

/* Shake hands with one of ours. True when both are done; else see `*step` and `why`. */
bool raw_shake(struct raw *r, struct tls *ours, enum tls_step *step, struct error *why);

/* Carry what there is, both ways, once. */
void raw_exchange(struct raw *r, struct tls *ours);

#endif
