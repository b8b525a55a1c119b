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

struct tls {
    SSL *ssl;                   /* its app data is this struct */
    struct tls_server *server;  /* held; NULL in a client */
    enum tls_version minimum;
    struct buf input, output;
    char *check_name;           /* NULL in a server */
    int chain_error;            /* the first X509_V_ERR_* that is not about dates, X509_V_OK for none */
    int date_error;             /* the first one that is */
    bool name_refused;          /* no certificate for the SNI */
    bool established;           /* the handshake is done */
    bool input_ended;
    bool failed;                /* OpenSSL must not be called again */
    size_t handshake_bytes;     /* received so far, until the handshake is done */
    char opening[OPENING_MAX];  /* the first bytes received, to tell what it was when it is not TLS */
    size_t opening_len;
};

/* --- facts.c --------------------------------------------------------------- */

/* For SSL_set_verify: lets every certificate pass and keeps what is wrong with it. */
int facts_note_problem(int ok, X509_STORE_CTX *store);

/* --- trouble.c ------------------------------------------------------------- */

/* Reads and clears OpenSSL's error queue. */
void trouble_in_handshake(const struct tls *t, struct error *why);
void trouble_later(const struct tls *t, struct error *why);

#endif
