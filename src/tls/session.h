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
    enum tls_version minimum;   /* above the client's; TLS_VERSION_NONE: the client's */
    const char *ciphers;        /* OpenSSL list for TLS 1.2; NULL: the client's */
    /* Names that the operator takes as well (facts.listed_name), DNS-IDs and
     * addresses; ".example.org" is every name below it. */
    const char *const *names;
    size_t name_count;
    /* Usable TLSA records (RFC 7672 3.1), and the names that count for usage 2
     * (RFC 7672 3.2.2). No records: DANE is not asked. Records that are not
     * usable match nothing, and PKIX does not take their place. */
    const struct tlsa *dane;
    size_t dane_count;
    const char *const *dane_names;
    size_t dane_name_count;
};      /* everything it points to may go once tls_connect has returned, but for the client */

/* One TLSA record (RFC 6698 2.1), well formed or not. `data` is borrowed. */
struct tlsa {
    uint8_t usage, selector, matching;
    struct slice data;
};

/* Could these bytes be what a TLSA record with matching type Full holds: one
 * DER certificate (selector 0) or SubjectPublicKeyInfo (1), and nothing behind it? */
bool tls_is_certificate(struct slice der);
bool tls_is_public_key(struct slice der);

/* What the presented chain came to under the TLSA records (RFC 7672 3.2, 7671 5). */
enum tls_dane {
    TLS_DANE_NOT_ASKED,
    TLS_DANE_MATCH,             /* usage 3 matches the leaf; or usage 2 anchors it, dates and names good */
    TLS_DANE_NO_MATCH,          /* no record matches, or no valid chain to the anchor (PD-E07) */
    TLS_DANE_EXPIRED,           /* anchored by usage 2, but expired (PD-E09) */
    TLS_DANE_NAME,              /* anchored by usage 2, but for the names, and perhaps the dates (PD-E08) */
};

enum tls_trust {
    TLS_TRUST_NONE,             /* no certificate was shown */
    TLS_TRUST_UNTRUSTED,        /* no chain to an anchor we know */
    TLS_TRUST_EXPIRED,          /* chain good, but something in it has expired */
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
    bool common_name_matches;   /* check_name against the CN of a certificate that has no DNS-ID (REQTLS-021) */
    bool listed_name;           /* one of want.names covers it */
    bool self_signed;           /* the leaf is its own issuer */
    enum tls_dane dane;
    char dane_record[32];       /* that matched, but for dates or names perhaps: "3 1 1 2bb183af2d1c..."; "" for none */
    char dane_problem[80];      /* in words, "" for a match or when not asked */
    char trust_problem[80];     /* X.509's words, "" when trusted: "self-signed certificate" */
    char fingerprint[65];       /* SHA-256 of the peer's certificate, hex, "" for none */
    char key_fingerprint[65];   /* SHA-256 of its SubjectPublicKeyInfo, hex, as in "3 1 1" */
    char subject[128];          /* first DNS-ID, else CN; escaped */
    char key[24];               /* peer's key: "ECDSA P-256", "RSA 2048" */
    char issuer[128];           /* the issuer's CN, else O; escaped */
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
