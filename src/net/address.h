/* net/address.h - IP addresses, networks, and "host:port" as people write them. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/error.h"

#include <sys/socket.h>

struct address {            /* of a TCP socket; zeroed is "none" */
    int family;             /* AF_INET or AF_INET6 */
    uint8_t ip[16];         /* network order; the first 4 for IPv4 */
    uint16_t port;          /* host order */
};

enum { ADDRESS_TEXT_MAX = 64 };
/* "192.0.2.1" or "2001:db8::1"; with port: "192.0.2.1:25", "[2001:db8::1]:25". Both return `text`. */
const char *address_ip_text(const struct address *a, char text[ADDRESS_TEXT_MAX]);
const char *address_text(const struct address *a, char text[ADDRESS_TEXT_MAX]);
/* RFC 5321 4.1.3 literal without brackets: "192.0.2.1", "IPv6:2001:db8::1". */
const char *address_literal_text(const struct address *a, char text[ADDRESS_TEXT_MAX]);

/* An IP without port or brackets. IPv4-mapped IPv6 becomes IPv4. */
bool address_parse_ip(struct slice text, struct address *out) must_check;
/* "192.0.2.1:25", "[2001:db8::1]:25", "*:25" is not accepted here. Port 0 is: listen on any. */
bool address_parse(struct slice text, struct address *out, struct error *why) must_check;

bool address_is_unspecified(const struct address *a);       /* 0.0.0.0 or :: */
bool address_same_ip(const struct address *a, const struct address *b);

/* From and to the socket API. */
struct address address_from(const struct sockaddr *sa);
socklen_t address_to(const struct address *a, struct sockaddr_storage *out);

/* "192.0.2.0/24", "2001:db8::/32", or a single address. Bits behind the
 * prefix are refused: 192.0.2.7/24 is more often a slip than a network. */
struct network {
    struct address base;
    unsigned bits;
};
bool network_parse(struct slice text, struct network *out, struct error *why) must_check;
bool network_holds(const struct network *n, const struct address *a);

/* "host:port", "[addr]:port", or without port (then `default_port`). The host
 * is left as it is, without brackets; address_parse_ip tells whether it is an
 * address. IPv6 needs its brackets, port 0 is refused. */
bool host_port_parse(struct slice text, uint16_t default_port, struct slice *host, uint16_t *port,
                     struct error *why) must_check;

/* Does the Internet route it? Not those of private, loopback, link-local, shared or multicast use (RFC 6890): who is
 * sent there by a stranger's DNS is sent to our own network. IPv4 in IPv6 counts as what it holds. */
bool address_is_public(const struct address *a);

#endif
