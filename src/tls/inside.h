/* tls/inside.h - what the files of this room share behind context.h and session.h. */
#ifndef TLS_INSIDE_H
#define TLS_INSIDE_H

#include "tls/session.h"

#include <openssl/ssl.h>

/* --- server.c, client.c -------------------------------------------------- */

/* A new SSL, ready for its session. The server is held until server_release:
 * its callbacks run in handshakes that may outlive a reload. */
struct tls_server *server_hold(const struct tls_server *s);
void server_release(struct tls_server *s);
SSL *server_ssl(const struct tls_server *s);
SSL *client_ssl(const struct tls_client *c);
enum tls_version client_minimum(const struct tls_client *c);
enum tls_version server_minimum(const struct tls_server *s);

/* --- session.c ------------------------------------------------------------ */

enum { OPENING_MAX = 32 };

/* Copies of a want's. */
struct names {
    char **at;
    size_t count;
};

/* What a walk along the peer's chain found: the first X509_V_ERR_* that is not
 * about dates, and the first one that is; X509_V_OK for none. */
struct chain_problems {
    int chain, dates;
};

struct dane {
    size_t records;             /* how many OpenSSL has taken */
    size_t bare_keys;           /* how many of them are "2 1 0" */
    struct names names;         /* those that count for usage 2 */
    enum tls_dane result;
    char record[sizeof ((struct tls_facts *)0)->dane_record];
    char problem[sizeof ((struct tls_facts *)0)->dane_problem];
};

struct tls {
    SSL *ssl;                   /* its app data is this struct */
    struct tls_server *server;  /* held; NULL in a client */
    enum tls_version minimum;
    struct buf input, output;
    char *check_name;           /* NULL in a server */
    struct names names;         /* the operator's */
    struct chain_problems pkix; /* on the way to an anchor of the client's */
    struct dane dane;
    bool name_refused;          /* no certificate for the SNI */
    bool established;           /* the handshake is done */
    bool input_ended;
    bool failed;                /* OpenSSL must not be called again */
    size_t handshake_bytes;     /* received so far, until the handshake is done */
    char opening[OPENING_MAX];  /* the first bytes received, to tell what it was when it is not TLS */
    size_t opening_len;
};

/* --- chain.c, dane.c ------------------------------------------------------- */

/* For SSL_CTX_set_cert_verify_callback: finds out, and never fails the handshake. */
int chain_verify(X509_STORE_CTX *store, void *unused);

/* Let every certificate pass, so that all is looked at, and keep what is wrong
 * in `found`. False when OpenSSL could not even finish. */
bool chain_walk(X509_STORE_CTX *store, struct chain_problems *found);

/* Take over the records and names of `want`, perhaps none. */
void dane_ask(struct tls *t, const struct tls_want *want);

/* Judge the chain that `pkix` has been verified with. */
void dane_verify(struct tls *t, X509_STORE_CTX *pkix);
void dane_done(struct dane *d);

/* --- session.c -------------------------------------------------------------- */

struct names names_copy(const char *const *names, size_t count);
void names_done(struct names *n);

/* --- trouble.c ------------------------------------------------------------- */

/* Reads and clears OpenSSL's error queue. */
void trouble_in_handshake(const struct tls *t, struct error *why);
void trouble_later(const struct tls *t, struct error *why);

#endif
