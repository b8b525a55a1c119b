/* tls/parameters.h - versions, suites and groups of an SSL_CTX, for server and client. */
#ifndef TLS_PARAMETERS_H
#define TLS_PARAMETERS_H

#include "tls/context.h"

#include <openssl/ssl.h>

struct tls_parameters {
    bool server;
    enum tls_version minimum;                   /* TLS_VERSION_NONE means TLS_1_2 */
    const char *ciphers, *suites, *groups;      /* NULL for ours */
};

/* Sets everything that both sides share, whatever the system's openssl.cnf says. */
bool tls_parameters_apply(SSL_CTX *ctx, const struct tls_parameters *p, struct error *why) must_check;

/* For one session: at least this version (TLS_VERSION_NONE: as the context
 * says), and this list for TLS 1.2 (NULL likewise). */
bool tls_parameters_narrow(SSL *ssl, enum tls_version minimum, const char *ciphers, struct error *why) must_check;

/* OpenSSL's number for a version, and back. */
int tls_version_number(enum tls_version v);
enum tls_version tls_version_of(int number);

#endif
