#include "tests/test.h"
#include "tls/name.h"

static bool covers(const char *presented, const char *reference)
{
    return tls_name_covers(slice_of(presented), slice_of(reference));
}

TEST(a_name_covers_itself_in_any_case)
{
    CHECK_ID("STARTTLS-081", covers("mx.example.org", "mx.example.org"));
    CHECK_ID("STARTTLS-081", covers("MX.Example.ORG", "mx.eXample.org"));
    CHECK(covers("mx.example.org", "mx.example.org."));
    CHECK(covers("localhost", "localhost"));
    CHECK(covers("_xmpp.example.org", "_xmpp.example.org"));
    CHECK(!covers("mx.example.org", "mx1.example.org"));
    CHECK(!covers("example.org", "mx.example.org"));
    CHECK(!covers("mx.example.org", "example.org"));
    CHECK(!covers("mx.example.org", ""));
    CHECK(!covers("", "mx.example.org"));
    CHECK(!covers("", ""));
}

TEST(internationalised_names_are_compared_as_a_labels)
{
    CHECK_ID("STARTTLS-081", covers("xn--mller-kva.example.org", "xn--mller-kva.example.org"));
    CHECK_ID("STARTTLS-081", !covers("m\xc3\xbcller.example.org", "m\xc3\xbcller.example.org"));
    CHECK_ID("STARTTLS-081", !covers("m\xc3\xbcller.example.org", "xn--mller-kva.example.org"));
    CHECK(covers("*.example.org", "xn--mller-kva.example.org"));
}

TEST(a_wildcard_stands_for_exactly_one_label)
{
    CHECK_ID("STARTTLS-082", covers("*.example.com", "a.example.com"));
    CHECK_ID("STARTTLS-082", covers("*.EXAMPLE.com", "a.example.COM."));
    CHECK_ID("STARTTLS-082", !covers("*.example.com", "example.com"));
    CHECK_ID("STARTTLS-082", !covers("*.example.com", "a.b.example.com"));
    CHECK_ID("STARTTLS-082", !covers("*.example.com", ".example.com"));
    CHECK_ID("STARTTLS-082", !covers("*.example.com", "*.example.com"));
    CHECK_ID("STARTTLS-082", !covers("*.b.example.com", "a.example.com"));
}

TEST(other_wildcards_are_as_if_absent)
{
    static const char *const bad[] = {
        "f*.example.com", "*f.example.com", "f*o.example.com", "*.*.com", "*.*.example.com", "a.*.example.com",
        "www.*.com", "*", "*.", "*.com", "*.com.", "**.example.com", "*example.com", "xn--*.example.com",
        "*.example.com.",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ID("STARTTLS-082", !tls_name_is_usable(slice_of(bad[i])));
        CHECK_ID("STARTTLS-082", !covers(bad[i], "foo.example.com"));
        CHECK_ID("STARTTLS-082", !covers(bad[i], "a.foo.example.com"));
        CHECK_ID("STARTTLS-082", !covers(bad[i], "x.com"));
        CHECK_ID("STARTTLS-082", !covers(bad[i], bad[i]));
    }
}

TEST(control_octets_make_a_name_unusable)
{
    CHECK_ID("STARTTLS-087", !tls_name_is_usable(SLICE("a.com\0.evil")));
    CHECK_ID("STARTTLS-087", !tls_name_covers(SLICE("a.com\0.evil"), SLICE("a.com")));
    CHECK_ID("STARTTLS-087", !tls_name_covers(SLICE("a.com\0"), SLICE("a.com")));
    CHECK_ID("STARTTLS-087", !tls_name_covers(SLICE("\0a.com"), SLICE("a.com")));
    CHECK_ID("STARTTLS-087", !tls_name_covers(SLICE("a.com\n"), SLICE("a.com\n")));
    CHECK_ID("STARTTLS-087", !covers("a b.com", "a b.com"));
    CHECK_ID("STARTTLS-087", !covers("a\x7f.com", "a\x7f.com"));
    CHECK(!tls_name_covers(SLICE("*.example.com"), SLICE("a\0.example.com")));
}

TEST(labels_have_1_to_63_octets_and_names_at_most_253)
{
    char label[70], name[300] = "";

    memset(label, 'a', sizeof label);
    CHECK(tls_name_is_usable(slice(label, 63)));
    CHECK(!tls_name_is_usable(slice(label, 64)));
    CHECK(!covers("a..example.org", "a..example.org"));
    CHECK(!covers(".example.org", ".example.org"));
    CHECK(!covers("example.org..", "example.org.."));
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    CHECK(tls_name_is_usable(slice(name, 253)));
    CHECK(!tls_name_is_usable(slice(name, 255)));
}

TEST(addresses_are_recognised)
{
    unsigned char octets[TLS_ADDRESS_MAX];

    CHECK_EQUAL(tls_name_address("192.0.2.1", octets), 4);
    CHECK(slice_equal(slice(octets, 4), SLICE("\xc0\x00\x02\x01")));
    CHECK_EQUAL(tls_name_address("2001:db8::1", octets), 16);
    CHECK_EQUAL(octets[15], 1);
    CHECK_EQUAL(tls_name_address("192.0.2", octets), 0);
    CHECK_EQUAL(tls_name_address("192.0.2.256", octets), 0);
    CHECK_EQUAL(tls_name_address("mx.example.org", octets), 0);
    CHECK_EQUAL(tls_name_address("", octets), 0);
}
