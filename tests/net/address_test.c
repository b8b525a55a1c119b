#include "tests/test.h"

#include "net/address.h"

#include <netinet/in.h>

static struct address ip(const char *text)
{
    struct address a;

    if (!address_parse_ip(slice_of(text), &a))
        fail_msg("not an address: %s", text);
    return a;
}

TEST(addresses_are_read_and_shown)
{
    static const struct { const char *in, *out, *literal; int family; } table[] = {
        { "192.0.2.1", "192.0.2.1", "192.0.2.1", AF_INET },
        { "0.0.0.0", "0.0.0.0", "0.0.0.0", AF_INET },
        { "255.255.255.255", "255.255.255.255", "255.255.255.255", AF_INET },
        { "2001:db8::1", "2001:db8::1", "IPv6:2001:db8::1", AF_INET6 },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1", "IPv6:2001:db8::1", AF_INET6 },
        { "::", "::", "IPv6:::", AF_INET6 },
        { "::1", "::1", "IPv6:::1", AF_INET6 },
        { "2001:db8:1:2:3:4:192.0.2.33", "2001:db8:1:2:3:4:c000:221", "IPv6:2001:db8:1:2:3:4:c000:221", AF_INET6 },
        /* one host, one address */
        { "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", AF_INET },
        { "::ffff:c000:201", "192.0.2.1", "192.0.2.1", AF_INET },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          "IPv6:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", AF_INET6 },
    };
    char text[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address a = ip(table[i].in);

        CHECK_EQUAL(a.family, table[i].family);
        CHECK_EQUAL(a.port, 0);
        CHECK_TEXT(address_ip_text(&a, text), table[i].out);
        CHECK_TEXT(address_literal_text(&a, text), table[i].literal);
    }
}

TEST(what_is_no_address_is_refused)
{
    static const char *const table[] = {
        "", " ", "localhost", "192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.2.01", "0x7f.0.0.1", "3221225985",
        "192.0.2.1 ", " 192.0.2.1", "192.0.2.1:25", "192.0.2.-1", "192.0.2.1/32", "[192.0.2.1]", ":", ":::",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "2001:db8::1::2", "12345::", "fe80::1%lo", "::g", "[::1]",
        "::ffff:192.0.2.256", "::192.0.2", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
    };
    struct address a = { .family = 77 };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (address_parse_ip(slice_of(table[i]), &a))
            fail_msg("taken for an address: \"%s\"", table[i]);
    CHECK(!address_parse_ip(slice("192.0.2.1\0", 10), &a));
    CHECK(!address_parse_ip(slice("192.0.2.1\0.example.org", 22), &a));
    CHECK(!address_parse_ip(slice("\0", 1), &a));
    CHECK(!address_parse_ip(slice(NULL, 0), &a));
    CHECK_EQUAL(a.family, 77);      /* outputs are written on success only */
}

TEST(addresses_with_ports_are_read_and_shown)
{
    static const struct { const char *in, *out; } table[] = {
        { "192.0.2.1:25", "192.0.2.1:25" },
        { "192.0.2.1:0", "192.0.2.1:0" },
        { "192.0.2.1:65535", "192.0.2.1:65535" },
        { "[2001:db8::1]:25", "[2001:db8::1]:25" },
        { "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
        { "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535" },
    };
    static const char *const wrong[] = {
        "", ":", ":25", "*:25", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536", "192.0.2.1:-1",
        "192.0.2.1:+1", "192.0.2.1: 25", "192.0.2.1:000025", "192.0.2.1:99999999999999999999", "2001:db8::1:25",
        "[2001:db8::1]", "[2001:db8::1]25", "[2001:db8::1:25", "2001:db8::1]:25", "[192.0.2.1]:25", "[]:25", "[",
        "[]", "localhost:25", "[[::1]]:25", "[::1]:25:25", "192.0.2.1:25:25",
    };
    char text[ADDRESS_TEXT_MAX];
    struct address a;
    struct error why;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK_OK(address_parse(slice_of(table[i].in), &a, &why), &why);
        CHECK_TEXT(address_text(&a, text), table[i].out);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (address_parse(slice_of(wrong[i]), &a, &why))
            fail_msg("taken for an address with port: \"%s\"", wrong[i]);
        CHECK_EQUAL(why.code, E_MALFORMED);
    }
    CHECK(strstr(why.text, "192.0.2.1:25:25"));
}

TEST(no_address_is_shown_as_none)
{
    char text[ADDRESS_TEXT_MAX];
    struct address none = { 0 };

    CHECK_TEXT(address_ip_text(&none, text), "none");
    CHECK_TEXT(address_text(&none, text), "none");
    CHECK_TEXT(address_literal_text(&none, text), "none");
}

TEST(hostile_bytes_are_escaped_in_the_error)
{
    struct address a;
    struct error why;

    CHECK(!address_parse(SLICE("\x1b[2J\r\n:25"), &a, &why));
    CHECK(strstr(why.text, "\\x1b") || strstr(why.text, "\\x1B"));
    CHECK(!strchr(why.text, '\n') && !strchr(why.text, '\x1b'));
}

TEST(addresses_are_compared_without_their_ports)
{
    struct address a = ip("192.0.2.1"), b = ip("::ffff:192.0.2.1"), c = ip("192.0.2.2"), d = ip("2001:db8::1");

    a.port = 25;
    CHECK(address_same_ip(&a, &b));
    CHECK(!address_same_ip(&a, &c));
    CHECK(!address_same_ip(&a, &d));
}

TEST(addresses_go_to_the_socket_api_and_back)
{
    static const char *const table[] = { "192.0.2.1:25", "[2001:db8::1]:465" };
    struct sockaddr_storage storage;
    struct address a, b;
    struct error why;

    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(address_parse(slice_of(table[i]), &a, &why), &why);
        CHECK_EQUAL(address_to(&a, &storage),
                    a.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        b = address_from((struct sockaddr *)&storage);
        CHECK(address_same_ip(&a, &b));
        CHECK_EQUAL(a.port, b.port);
    }
    CHECK_EQUAL(address_to(&(struct address){ 0 }, &storage), 0);
    b = address_from(&(struct sockaddr){ .sa_family = AF_UNIX });
    CHECK_EQUAL(b.family, 0);
}

TEST(networks_hold_their_addresses_and_no_others)
{
    static const struct { const char *network, *address; bool holds; } table[] = {
        { "192.0.2.0/24", "192.0.2.0", true },
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.0/24", "192.0.1.255", false },
        { "192.0.2.0/24", "::ffff:192.0.2.7", true },
        { "192.0.2.0/24", "2001:db8::1", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.4/30", "192.0.2.7", true },
        { "192.0.2.4/30", "192.0.2.8", false },
        { "192.0.2.7", "192.0.2.7", true },
        { "192.0.2.7", "192.0.2.6", false },
        { "192.0.2.7/32", "192.0.2.7", true },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "192.0.2.1", false },
        { "2001:db8::/32", "2001:db8:ffff::1", true },
        { "2001:db8::/32", "2001:db9::1", false },
        { "2001:db8::8/125", "2001:db8::f", true },
        { "2001:db8::8/125", "2001:db8::10", false },
        { "2001:db8::1", "2001:db8::1", true },
        { "2001:db8::1/128", "2001:db8::2", false },
        { "::ffff:192.0.2.0/120", "192.0.2.200", true },
        { "::ffff:192.0.2.0/120", "192.0.3.1", false },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address a = ip(table[i].address);
        struct network n;
        struct error why;

        CHECK_OK(network_parse(slice_of(table[i].network), &n, &why), &why);
        if (network_holds(&n, &a) != table[i].holds)
            fail_msg("%s in %s", table[i].address, table[i].network);
    }
}

TEST(an_empty_network_holds_nothing)
{
    struct network none = { 0 };
    struct address a = ip("0.0.0.0"), nobody = { 0 };

    CHECK(!network_holds(&none, &a));
    CHECK(!network_holds(&none, &nobody));
}

TEST(what_is_no_network_is_refused)
{
    static const char *const table[] = {
        "", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/24/24", "192.0.2.0/0024",
        "192.0.2.0/4294967320", "2001:db8::/129", "192.0.2/24", "192.0.2.0 /24", "192.0.2.0/ 24", "example.org/24",
        "192.0.2.0/255.255.255.0", "[2001:db8::]/32",
    };
    struct network n;
    struct error why;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (network_parse(slice_of(table[i]), &n, &why))
            fail_msg("taken for a network: \"%s\"", table[i]);
}

TEST(a_network_with_host_bits_is_refused_and_the_right_one_named)
{
    struct network n;
    struct error why;

    CHECK(!network_parse(SLICE("192.0.2.77/24"), &n, &why));
    CHECK_TEXT(why.text, "192.0.2.77 has bits set behind its /24; 192.0.2.0/24 is the network");
    CHECK(!network_parse(SLICE("2001:db8::1/64"), &n, &why));
    CHECK(strstr(why.text, "2001:db8::/64 is the network"));
}

TEST(hosts_with_and_without_ports_are_read)
{
    static const struct { const char *in, *host; uint16_t port; } table[] = {
        { "mx.example.org", "mx.example.org", 25 },
        { "mx.example.org:587", "mx.example.org", 587 },
        { "mx.example.org.:1", "mx.example.org.", 1 },
        { "localhost:65535", "localhost", 65535 },
        { "_submission.example.org", "_submission.example.org", 25 },
        { "m\xc3\xa9l.example.org:26", "m\xc3\xa9l.example.org", 26 },
        { "192.0.2.1", "192.0.2.1", 25 },
        { "192.0.2.1:2525", "192.0.2.1", 2525 },
        { "[192.0.2.1]:2525", "192.0.2.1", 2525 },
        { "[2001:db8::1]", "2001:db8::1", 25 },
        { "[2001:db8::1]:465", "2001:db8::1", 465 },
    };
    static const char *const wrong[] = {
        "", ":", ":25", "mx.example.org:", "mx.example.org:0", "mx.example.org:65536", "mx.example.org:25x",
        "mx.example.org:25:26", "2001:db8::1", "[2001:db8::1", "[2001:db8::1]465", "[mx.example.org]:25", "[]", "[]:25",
        "mx example.org", "mx.example.org :25", "user@example.org", "example.org/25", "mx\r\n.example.org",
    };
    struct slice host;
    uint16_t port;
    struct error why;
    char long_name[300];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK_OK(host_port_parse(slice_of(table[i].in), 25, &host, &port, &why), &why);
        CHECK_SLICE(host, table[i].host);
        CHECK_EQUAL(port, table[i].port);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (host_port_parse(slice_of(wrong[i]), 25, &host, &port, &why))
            fail_msg("taken for a host: \"%s\"", wrong[i]);
    CHECK(!host_port_parse(slice("mx\0.example.org", 15), 25, &host, &port, &why));
    memset(long_name, 'a', sizeof long_name);
    CHECK(host_port_parse(slice(long_name, 255), 25, &host, &port, &why));
    CHECK(!host_port_parse(slice(long_name, 256), 25, &host, &port, &why));
}

TEST(what_the_internet_does_not_route_is_not_public)        /* RFC 6890 */
{
    static const char *const inside[] = { "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1" };
    static const char *const outside[] = { "8.8.8.8", "172.32.0.1", "100.128.0.1", "11.0.0.1", "2001:db8::1", "2a00:1450::1",
        "::ffff:8.8.8.8" };
    struct address a;

    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        CHECK(address_parse_ip(slice_of(inside[i]), &a));
        if (address_is_public(&a))
            fail_msg("%s is not public", inside[i]);
    }
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        CHECK(address_parse_ip(slice_of(outside[i]), &a) && address_is_public(&a));
}
