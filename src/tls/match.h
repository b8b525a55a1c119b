/* tls/match.h - which names a peer's certificate stands for.
 *
 * Three rules for three readers: RFC 9525 for PKIX and MTA-STS, RFC 6125
 * 6.4.4 (a CN where no DNS-ID is) for DANE and REQUIRETLS, and the operator's
 * list. What a name covers is tls/name.h's to say. */
#ifndef TLS_MATCH_H
#define TLS_MATCH_H

#include <openssl/x509.h>
#include <stdbool.h>

/* A DNS-ID, or an iPAddress when `reference` is an address (RFC 9525 6.3, 6.4). */
bool match_name(const X509 *cert, const char *reference);

/* The CN of a certificate without any DNS-ID; never for an address. */
bool match_common_name(const X509 *cert, const char *reference);

/* As match_name; ".example.org" is every name below it, "*.example.org" too. */
bool match_listed(const X509 *cert, const char *listed);

#endif
