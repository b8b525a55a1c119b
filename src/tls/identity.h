/* tls/identity.h - one certificate chain with its key, read from PEM files. */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include "tls/context.h"

#include <openssl/x509.h>

/* A context holds at most one certificate of each kind. */
enum key_kind { KEY_RSA, KEY_RSA_PSS, KEY_EC, KEY_ED25519, KEY_ED448, KEY_OTHER, KEY_KINDS };

struct identity {
    char *chain_file, *key_file;
    X509 *leaf;
    STACK_OF(X509) *above;      /* intermediates, perhaps none */
    EVP_PKEY *key;
    enum key_kind kind;
    char **names;               /* usable DNS-IDs; a certificate without any is known by its CN */
    size_t name_count;
};

bool identity_load(struct identity *out, const struct tls_identity *files, struct error *why) must_check;
void identity_done(struct identity *id);        /* a zeroed one is fine */

/* How well it fits an SNI, or a wildcard taken from another certificate. */
enum fit { FIT_NOT, FIT_WILDCARD, FIT_EXACT };
enum fit identity_fits(const struct identity *id, struct slice name);

/* See tls_server_review. */
void identity_review(const struct identity *id, time_ms wall, void (*tell)(void *arg, const char *text), void *arg);

/* --- reading certificates, the peer's too -------------------------------- */

/* "ECDSA P-256", "RSA 2048", "Ed25519". */
enum { KEY_TEXT_MAX = 24 };
void certificate_key(X509 *cert, char text[KEY_TEXT_MAX]);

/* SHA-256 in hex of the certificate, and of its SubjectPublicKeyInfo; "" when it cannot be had. */
void certificate_fingerprints(const X509 *cert, char fingerprint[65], char key_fingerprint[65]);

time_ms certificate_begins(const X509 *cert);       /* notBefore */
time_ms certificate_expires(const X509 *cert);      /* notAfter; both 0 when unreadable */

/* The DNS-IDs that are usable, in order, until `take` says that it has enough. */
void certificate_names(const X509 *cert, bool (*take)(void *arg, struct slice name), void *arg);

/* Does it have any DNS-ID, usable or not? Then its CN counts for nothing. */
bool certificate_has_names(const X509 *cert);

/* The last Common Name as UTF-8 into `text`; false when there is none or it
 * holds a NUL. Of the issuer the Organization will do as well. */
bool certificate_common_name(const X509 *cert, char *text, size_t size);
bool certificate_issuer(const X509 *cert, char *text, size_t size);

#endif
