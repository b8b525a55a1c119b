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
        "[mx.example.org]x", "[mx.example.org]smtp", "ex ample.org", "exa\tmple", "private/lmtp", "run/x:smtp", "run/m\xc3\xbc",
        ".m\xc3\xbcller.example", "[.example.org]", ":25", ":smtp", "[]:smtp", ".example.org:x" };

    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (kind_of(nothing[i]) != MAP_KEY_NOTHING || k.why)
            fail_msg("%s is of kind %d", nothing[i], (int)k.kind);
}

/* The usual form of relayhost. */
TEST(ports_may_be_names)
{
    is("[mx.example.org]:submission", MAP_KEY_HOST, "mx.example.org", 587);
    is("[mx.example.org]:Submissions", MAP_KEY_HOST, "mx.example.org", 465);
    is("[mx.example.org]:smtps", MAP_KEY_HOST, "mx.example.org", 465);
    is("[mx.example.org]:ssmtp", MAP_KEY_HOST, "mx.example.org", 465);
    is("[mx.example.org]:lmtp", MAP_KEY_HOST, "mx.example.org", 24);
    is("example.org:smtp", MAP_KEY_DOMAIN, "example.org", 25);
    is("[192.0.2.1]:submission", MAP_KEY_ADDRESS, "192.0.2.1", 587);
    is("[2001:db8::1]:submission", MAP_KEY_ADDRESS, "2001:db8::1", 587);
}

/* "host:, [host]:" (host_port(3)) */
TEST(nothing_behind_the_colon_is_the_usual_port)
{
    map_key_parse(SLICE("example.org:"), 2525, &k);
    CHECK(k.kind == MAP_KEY_DOMAIN && k.port == 2525);
    map_key_parse(SLICE("[mx.example.org]:"), 2525, &k);
    CHECK(k.kind == MAP_KEY_HOST && k.port == 2525);
}

/* Postfix could send there, so to know nothing of it is no answer. */
TEST(ports_that_are_not_known_are_unclear)
{
    static const char *const unclear[] = { "[mx.example.org]:relay", "example.org:x", "[192.0.2.1]:mail", "example.org:0",
        "example.org:65536", "example.org:smtpx", "example.org:smt", "example.org: smtp", "example.org:25:25" };

    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
        if (kind_of(unclear[i]) != MAP_KEY_UNCLEAR || !strstr(k.why, "port") || k.name[0] == '\0')
            fail_msg("%s is of kind %d", unclear[i], (int)k.kind);
}

TEST(names_in_utf_8_are_unclear)
{
    static const char *const unclear[] = { "m\xc3\xbcller.example", "[mx.m\xc3\xbcller.example]",
        "m\xc3\xbcller.example:587", "[mx.m\xc3\xbcller.example]:x", "\xe4\xbe\x8b\xe3\x80\x82\xe4\xbe\x8b", "\xff" };
    char text[600] = "";

    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
        if (kind_of(unclear[i]) != MAP_KEY_UNCLEAR || !strstr(k.why, "UTF-8"))
            fail_msg("%s is of kind %d", unclear[i], (int)k.kind);
    for (int i = 0; i < 30; i++)            /* longer than its A-labels may be */
        strcat(text, "\xe4\xbe\x8b\xe4\xbe\x8b\xe4\xbe\x8b.");
    CHECK_EQUAL(kind_of(text), MAP_KEY_UNCLEAR);
    CHECK_TEXT(k.name, "");
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
