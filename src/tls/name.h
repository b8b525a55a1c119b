/* tls/name.h - whether a name in a certificate covers the name we want to reach.
 *
 * RFC 9525 6.3 for names, 6.4 for addresses. Pure: no OpenSSL, no DNS. The
 * server uses the same rule to find the certificate for an SNI. */
#ifndef TLS_NAME_H
#define TLS_NAME_H

#include "base/slice.h"

/* A DNS-ID that may count: labels of letters, digits, "-" and "_" (A-labels
 * for IDN), with perhaps "*" as the whole left-most label above at least two
 * others. Anything else, such as "f*.example.org", "*.org", or a name with a
 * NUL in it, is as if it were not in the certificate. */
bool tls_name_is_usable(struct slice presented);

/* Label by label, ASCII letters in either case; "*" stands for exactly one
 * label. A final dot of `reference` is ignored. */
bool tls_name_covers(struct slice presented, struct slice reference);

/* The octets of an IPv4 or IPv6 address in text form, as in an iPAddress;
 * returns their number, 0 when `text` is no address. */
enum { TLS_ADDRESS_MAX = 16 };
size_t tls_name_address(const char *text, unsigned char octets[TLS_ADDRESS_MAX]);

#endif
