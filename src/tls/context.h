/* tls/context.h - what we offer and accept in TLS, set up once, used by many sessions.
 *
 * OpenSSL is seen in this folder only. RFC 9325 and RFC 8996 give the
 * defaults (spec STARTTLS-095 to -107): TLS 1.2 and 1.3, ECDHE with AEAD
 * first, the server's own order, no compression, no early data, no client
 * renegotiation. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "base/clock.h"
#include "base/error.h"

enum tls_version { TLS_VERSION_NONE, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };
const char *tls_version_name(enum tls_version v);       /* "TLSv1.2"; "TLSv1.0" as RFC 8996 spells it; "none" */
bool tls_version_parse(struct slice text, enum tls_version *v) must_check;  /* "1.0" .. "1.3" */

/* --- a server's certificates ------------------------------------------ */

/* One certificate chain with its key, PEM. */
struct tls_identity {
    const char *chain_file;     /* leaf first, then intermediates */
    const char *key_file;       /* may equal chain_file */
};

struct tls_server_settings {
    const struct tls_identity *identities;  /* the first is the default; ECDSA and RSA may stand side by side */
    size_t identity_count;
    enum tls_version minimum;   /* default TLS_1_2; 1.0 and 1.1 lower the security level for those versions only */
    const char *ciphers;        /* OpenSSL list for TLS 1.2 and below, NULL for ours */
    const char *suites;         /* TLS 1.3, NULL for OpenSSL's default */
    const char *groups;         /* NULL: X25519MLKEM768 when the library has it, X25519, P-256, P-384 */
    bool tickets;               /* session resumption; off on mx listeners */
    bool refuse_unknown_name;   /* SNI that no certificate covers: alert (submission), else default (mx) */
};

struct tls_server;
struct tls_server *tls_server_new(const struct tls_server_settings *s, struct error *why) must_check;
void tls_server_free(struct tls_server *s);     /* sessions under way keep what they need */

/* Warnings about what was loaded, for the log: a key under 2048 bits, a
 * certificate that expires within 14 days or has, a SHA-1 signature, a chain
 * out of order, a certificate that no client gets. Calls `tell` once for each. */
void tls_server_review(const struct tls_server *s, time_ms wall, void (*tell)(void *arg, const char *text), void *arg);

/* Make a self-signed ECDSA P-256 certificate for `name`, ten years, into two
 * new files (the key mode 0600, written first, both synced). */
bool tls_make_self_signed(const char *name, const char *chain_file, const char *key_file, time_ms wall,
                          struct error *why) must_check;

/* --- a client's expectations ------------------------------------------- */
struct tls_client_settings {
    enum tls_version minimum;   /* default TLS_1_2 */
    const char *ciphers, *suites, *groups;  /* as above */
    const char *ca_file;        /* PEM bundle; NULL for the system's store */
};
struct tls_client;
struct tls_client *tls_client_new(const struct tls_client_settings *s, struct error *why) must_check;
void tls_client_free(struct tls_client *c);

#endif
