/* tls/session.h - one TLS connection, without the connection: bytes in, bytes out.
 *
 * The caller moves bytes between the network and the session; nothing here
 * waits or touches a socket. OpenSSL's error queue is cleared before and read
 * right after each call. Idle sessions give their buffers back
 * (SSL_MODE_RELEASE_BUFFERS, and the two bufs here shrink to nothing). */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "base/buf.h"
#include "tls/context.h"

/* What a client wants of the server it talks to. Certificate errors alone
 * never fail the handshake (STARTTLS-105): they are facts, and policy decides
 * directly after the handshake (STARTTLS-007). */
struct tls_want {
    const struct tls_client *client;
    const char *server_name;    /* for SNI; NULL sends none (addresses, STARTTLS-102) */
    const char *check_name;     /* reference identity for facts.name_matches; NULL skips the name */
};

enum tls_trust {
    TLS_TRUST_NONE,             /* no certificate was shown */
    TLS_TRUST_UNTRUSTED,        /* no chain to an anchor we know */
    TLS_TRUST_EXPIRED,          /* chain good but for dates */
    TLS_TRUST_PKIX,             /* chain good */
};

/* What the handshake came to; copied out, so it outlives the session. */
struct tls_facts {
    enum tls_version version;
    char cipher[48];            /* "TLS_AES_256_GCM_SHA384" */
    int cipher_bits;
    char group[32];             /* key exchange: "X25519" "" when unknown */
    char server_name[256];      /* SNI sent or received, "" for none */
    bool resumed;
    enum tls_trust trust;       /* of the peer's chain (client side) */
    bool name_matches;          /* check_name against DNS-IDs, RFC 9525 6.3; CN is not used */
    char trust_problem[80];     /* X.509's words, "" when trusted: "self-signed certificate" */
    char fingerprint[65];       /* SHA-256 of the peer's certificate, hex, "" for none */
    char subject[128];          /* first DNS-ID, else CN; escaped */
    char key[24];               /* peer's key: "ECDSA P-256", "RSA 2048" */
    time_ms not_after;          /* 0 for no certificate */
};

struct tls;
struct tls *tls_accept(const struct tls_server *server);
struct tls *tls_connect(const struct tls_want *want, struct error *why);
void tls_free(struct tls *t);           /* NULL is fine */

/* Bytes that came from the network, and bytes that must go there. `tls_output`
 * is emptied by the caller with buf_take. */
enum { TLS_INPUT_MAX = 36 * 1024 };     /* two records; feed no more while tls_input_room is less */
size_t tls_input_room(const struct tls *t);
void tls_feed(struct tls *t, struct slice bytes);
void tls_feed_end(struct tls *t);       /* the network ended: what would be TLS_MORE is TLS_FAILED from now on */
struct buf *tls_output(struct tls *t);

enum tls_step {
    TLS_DONE,           /* what was asked is done */
    TLS_MORE,           /* feed more, after sending the output */
    TLS_ENDED,          /* the peer sent close_notify */
    TLS_FAILED,         /* see `why`; send the output (an alert), then close */
};
enum tls_step tls_handshake(struct tls *t, struct error *why);
/* Up to `size` bytes of clear text; TLS_DONE with *got > 0. Read until TLS_MORE
 * before waiting for the network. */
enum tls_step tls_read(struct tls *t, char *into, size_t size, size_t *got, struct error *why);
/* All of `clear` is taken. */
enum tls_step tls_write(struct tls *t, struct slice clear, struct error *why);
void tls_close(struct tls *t);          /* puts close_notify into the output */

/* After the handshake. */
void tls_get_facts(const struct tls *t, struct tls_facts *facts);

#endif
