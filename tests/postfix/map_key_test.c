#include "tests/test.h"

#include "postfix/map_key.h"

static struct map_key k;

static enum map_key_kind kind_of(const char *text)
{
    map_key_parse(slice_of(text), 25, &k);
    return k.kind;
}

static void is(const char *text, enum map_key_kind kind, const char *name, uint16_t port)
{
    if (kind_of(text) != kind)
        fail_msg("%s is of kind %d", text, (int)k.kind);
    CHECK_TEXT(k.name, name);
    CHECK_EQUAL(k.port, port);
}

/* SOCKMAP-004 */
TEST(next_hops_as_postfix_writes_them)
{
    is("example.org", MAP_KEY_DOMAIN, "example.org", 25);
    is("Example.ORG.", MAP_KEY_DOMAIN, "example.org", 25);
    is("example.org:587", MAP_KEY_DOMAIN, "example.org", 587);
    is("[mx.example.org]", MAP_KEY_HOST, "mx.example.org", 25);
    is("[mx.example.org]:587", MAP_KEY_HOST, "mx.example.org", 587);
    is("localhost", MAP_KEY_DOMAIN, "localhost", 25);
    is("_a.example.org", MAP_KEY_DOMAIN, "_a.example.org", 25);
}

TEST(addresses_with_and_without_their_brackets)
{
    is("[192.0.2.1]", MAP_KEY_ADDRESS, "192.0.2.1", 25);
    is("[192.0.2.1]:26", MAP_KEY_ADDRESS, "192.0.2.1", 26);
    is("192.0.2.1", MAP_KEY_ADDRESS, "192.0.2.1", 25);
    is("192.0.2.1:26", MAP_KEY_ADDRESS, "192.0.2.1", 26);
    is("[2001:db8::1]:26", MAP_KEY_ADDRESS, "2001:db8::1", 26);
    is("[IPv6:2001:DB8::1]", MAP_KEY_ADDRESS, "2001:db8::1", 25);
    is("2001:db8::1", MAP_KEY_ADDRESS, "2001:db8::1", 25);
}

TEST(what_names_nothing)
{
    static const char *const nothing[] = { "", ".", ".org", ".example.org", "[", "[]", "[]:25", "[mx.example.org", "a..b",
        "example.org:", "example.org:0", "example.org:65536", "example.org:x", "[mx.example.org]x", "[mx.example.org]:",
        "ex ample.org", "exa\tmple", "*", "private/lmtp", "m\xc3\xbcller.example", "[.example.org]", ":25" };

    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (strcmp(nothing[i], "*") != 0 && kind_of(nothing[i]) != MAP_KEY_NOTHING)
            fail_msg("%s is of kind %d", nothing[i], (int)k.kind);
}

TEST(long_keys_are_no_names)
{
    char text[600] = "";

    for (int i = 0; i < 64; i++)
        strcat(text, "abcdefg.");
    CHECK_EQUAL(kind_of(text), MAP_KEY_NOTHING);
    text[254] = '\0';
    CHECK_EQUAL(kind_of(text), MAP_KEY_NOTHING);
    text[253] = '\0';
    CHECK_EQUAL(kind_of(text), MAP_KEY_DOMAIN);
    map_key_parse(slice("a\0b", 3), 25, &k);
    CHECK_EQUAL(k.kind, MAP_KEY_NOTHING);
}
