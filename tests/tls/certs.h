/* tests/tls/certs.h - certificates good and bad, made while the test runs.
 *
 *     struct cert *ca = cert_make(&(struct cert_wish){ .common_name = "CA", .is_ca = true }, NULL);
 *     struct cert *leaf = cert_make(&(struct cert_wish){ .dns = { "mx.example.org" } }, ca);
 *     struct tls_identity id = { cert_file("mx.pem", leaf, NULL), cert_key_file("mx.key", leaf) };
 *
 * Files lie in a folder that is removed when the program ends. Trouble aborts. */
#ifndef TESTS_TLS_CERTS_H
#define TESTS_TLS_CERTS_H

#include "base/clock.h"

/* Keys are made once for each program and kind, except that EC keys are always fresh. */
enum cert_key { CERT_P256, CERT_P384, CERT_RSA_2048, CERT_RSA_1024, CERT_ED25519 };

struct cert_wish {
    const char *common_name;        /* NULL: the first of `dns`, else none */
    const char *dns[8];             /* DNS-IDs, as they are */
    struct slice odd_dns;           /* one more that may hold any byte */
    struct slice odd_common_name;   /* a CN of UTF-8 that may hold any byte */
    struct slice odd_names;         /* the whole subjectAltName, as it is */
    const char *organization;
    const char *address;            /* an iPAddress */
    enum cert_key key;
    const struct cert *key_of;      /* the key of another one instead */
    time_ms from, until;            /* 0: a day ago, in a year */
    bool is_ca;
    const char *basic;              /* basicConstraints in OpenSSL's words, NULL for what `is_ca` says */
    const char *usage;              /* extKeyUsage, NULL for serverAuth (none for a CA) */
    const char *name_constraints;   /* "permitted;DNS:example.org" */
    bool unknown_critical;          /* an extension that nobody knows, marked critical */
    bool sha1;                      /* sign with SHA-1 */
};

struct cert;

/* `issuer` NULL: self-signed. */
struct cert *cert_make(const struct cert_wish *wish, const struct cert *issuer);
void cert_free(struct cert *c);

/* Write PEM; the whole path is returned and stays valid until the end. */
const char *cert_file(const char *file, const struct cert *first, ...) __attribute__((sentinel));
const char *cert_key_file(const char *file, const struct cert *c);
const char *cert_text_file(const char *file, const char *text);
const char *cert_path(const char *file);        /* writes nothing */

void cert_fingerprint(const struct cert *c, char text[65]);

/* The certificate, and its SubjectPublicKeyInfo, as DER; valid as long as `c`. */
struct slice cert_der(const struct cert *c);
struct slice cert_key_der(const struct cert *c);

#endif
