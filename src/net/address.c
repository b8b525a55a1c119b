#include "net/address.h"

#include "base/escape.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { HOST_MAX = 255 };

static size_t ip_len(int family)
{
    return family == AF_INET ? 4 : 16;
}

/* --- as text ---------------------------------------------------------- */

const char *address_ip_text(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
    if (a->family != AF_INET && a->family != AF_INET6)
        snprintf(text, ADDRESS_TEXT_MAX, "none");
    else
        inet_ntop(a->family, a->ip, text, ADDRESS_TEXT_MAX);
    return text;
}

const char *address_text(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
    char ip[ADDRESS_TEXT_MAX - 8];     /* room for brackets and port; INET6_ADDRSTRLEN is 46 */

    if (a->family != AF_INET && a->family != AF_INET6)
        return address_ip_text(a, text);
    inet_ntop(a->family, a->ip, ip, sizeof ip);
    snprintf(text, ADDRESS_TEXT_MAX, a->family == AF_INET ? "%s:%u" : "[%s]:%u", ip, (unsigned)a->port);
    return text;
}

const char *address_literal_text(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
    char ip[ADDRESS_TEXT_MAX - 8];

    if (a->family != AF_INET6)
        return address_ip_text(a, text);
    inet_ntop(AF_INET6, a->ip, ip, sizeof ip);
    snprintf(text, ADDRESS_TEXT_MAX, "IPv6:%s", ip);
    return text;
}

/* --- from text -------------------------------------------------------- */

static bool is_mapped(const struct address *a)
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    return a->family == AF_INET6 && memcmp(a->ip, prefix, sizeof prefix) == 0;
}

/* One host has one address here, however its bytes came: rules written for
 * 192.0.2.1 hold for ::ffff:192.0.2.1 as well. */
static void unmap(struct address *a)
{
    uint8_t ip[4];

    memcpy(ip, a->ip + 12, sizeof ip);
    memset(a->ip, 0, sizeof a->ip);
    memcpy(a->ip, ip, sizeof ip);
    a->family = AF_INET;
}

static bool parse_as_written(struct slice text, struct address *out)
{
    char copy[INET6_ADDRSTRLEN];
    struct address a = { 0 };

    if (text.len == 0 || text.len >= sizeof copy || slice_find(text, '\0') < text.len)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    a.family = slice_find(text, ':') < text.len ? AF_INET6 : AF_INET;
    if (inet_pton(a.family, copy, a.ip) != 1)
        return false;
    *out = a;
    return true;
}

bool address_parse_ip(struct slice text, struct address *out)
{
    if (!parse_as_written(text, out))
        return false;
    if (is_mapped(out))
        unmap(out);
    return true;
}

/* Five digits at most, so that no run of zeros counts as a port. */
static bool parse_port(struct slice text, uint16_t *port)
{
    uint64_t number;

    if (text.len > 5 || !slice_to_number(text, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

/* "host", "host:port", "[host]", "[host]:port" into its parts. */
struct host_port {
    struct slice host, port;
    bool bracketed, has_port;
};

static bool split_host_port(struct slice text, struct host_port *out)
{
    struct host_port p = { 0 };
    struct slice rest = text;

    p.bracketed = slice_starts(text, SLICE("["));
    if (p.bracketed) {
        size_t close = slice_find(text, ']');

        if (close == text.len)
            return false;
        p.host = slice(text.at + 1, close - 1);
        rest = slice_after(text, close + 1);
        p.has_port = rest.len > 0;
        if (p.has_port && rest.at[0] != ':')
            return false;
        p.port = slice_after(rest, 1);
    } else {
        p.host = slice_cut(&rest, ':');
        p.has_port = rest.at != NULL;
        p.port = rest;
        if (slice_find(rest, ':') < rest.len)
            return false;       /* 2001:db8::1:25 could be read in two ways */
    }
    *out = p;
    return true;
}

static bool not_this(struct slice text, struct error *why, const char *wanted)
{
    char shown[100];

    return fail(why, E_MALFORMED, "\"%s\" is not %s", escape_line(text, shown, sizeof shown), wanted);
}

bool address_parse(struct slice text, struct address *out, struct error *why)
{
    struct host_port parts;
    struct address a;
    uint16_t port;

    if (!split_host_port(text, &parts) || !parts.has_port || !parse_port(parts.port, &port) ||
        parts.bracketed != (slice_find(parts.host, ':') < parts.host.len) || !address_parse_ip(parts.host, &a))
        return not_this(text, why, "an address with a port, such as 192.0.2.1:25 or [2001:db8::1]:25");
    a.port = port;
    *out = a;
    return true;
}

bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, ip_len(a->family)) == 0;
}

/* --- the socket API --------------------------------------------------- */

struct address address_from(const struct sockaddr *sa)
{
    struct address a = { 0 };

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof in);
        memcpy(a.ip, &in.sin_addr, 4);
        a.port = ntohs(in.sin_port);
        a.family = AF_INET;
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof in6);
        memcpy(a.ip, &in6.sin6_addr, 16);
        a.port = ntohs(in6.sin6_port);
        a.family = AF_INET6;
        if (is_mapped(&a))
            unmap(&a);
    }
    return a;
}

socklen_t address_to(const struct address *a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a->family == AF_INET) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };

        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    if (a->family == AF_INET6) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };

        memcpy(&in6.sin6_addr, a->ip, 16);
        memcpy(out, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

/* --- networks --------------------------------------------------------- */

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static void keep_prefix(struct address *a, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;

        if (kept < 8)
            a->ip[i] &= (uint8_t)(0xff00 >> kept);
    }
}

bool network_parse(struct slice text, struct network *out, struct error *why)
{
    struct slice bits_text = text, base_text = slice_cut(&bits_text, '/');
    struct network n = { 0 };
    struct address base;
    uint64_t bits;
    char ip[ADDRESS_TEXT_MAX];

    if (!parse_as_written(base_text, &n.base))
        return not_this(text, why, "a network, such as 192.0.2.0/24 or 2001:db8::/32");
    bits = ip_len(n.base.family) * 8;
    if (bits_text.at && (bits_text.len > 3 || !slice_to_number(bits_text, bits, &bits)))
        return not_this(text, why, "a network: the number behind the slash is too large or no number");
    if (is_mapped(&n.base) && bits >= 96) {
        unmap(&n.base);
        bits -= 96;
    }
    n.bits = (unsigned)bits;
    base = n.base;
    keep_prefix(&base, n.bits);
    if (!address_same_ip(&base, &n.base))
        return fail(why, E_MALFORMED, "%s has bits set behind its /%u; %s/%u is the network",
                    address_ip_text(&n.base, (char[ADDRESS_TEXT_MAX]){ 0 }), n.bits, address_ip_text(&base, ip),
                    n.bits);
    *out = n;
    return true;
}

bool network_holds(const struct network *n, const struct address *a)
{
    return n->base.family != 0 && n->base.family == a->family && same_prefix(n->base.ip, a->ip, n->bits);
}

/* --- host and port ---------------------------------------------------- */

static bool is_host_byte(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c) || c == '-' || c == '.' || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_host_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_host_byte(s.at[i]))
            return false;
    return s.len > 0 && s.len <= HOST_MAX;
}

bool host_port_parse(struct slice text, uint16_t default_port, struct slice *host, uint16_t *port, struct error *why)
{
    struct host_port parts;
    struct address ignored;
    uint16_t number = default_port;

    if (!split_host_port(text, &parts))
        return not_this(text, why, "a host and port; IPv6 addresses are written in brackets");
    if (parts.bracketed ? !address_parse_ip(parts.host, &ignored) : !is_host_name(parts.host))
        return not_this(text, why, parts.bracketed ? "an address in brackets" : "a host name");
    if (parts.has_port && (!parse_port(parts.port, &number) || number == 0))
        return not_this(text, why, "a host with a port between 1 and 65535");
    *host = parts.host;
    *port = number;
    return true;
}

bool address_is_unspecified(const struct address *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, a->family == AF_INET ? 4 : 16) == 0;
}

bool address_is_public(const struct address *a)
{
    static const char *const inside[] = { "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8" };
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct address plain = *a;

    if (a->family == AF_INET6 && memcmp(a->ip, mapped, sizeof mapped) == 0) {
        plain.family = AF_INET;
        memcpy(plain.ip, a->ip + sizeof mapped, 4);
    }
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        struct network network;

        if (network_parse(slice_of(inside[i]), &network, NULL) && network_holds(&network, &plain))
            return false;
    }
    return true;
}
