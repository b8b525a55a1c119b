#include "tests/test.h"

#include "base/buf.h"
#include "dkim/signature.h"

#define HASH "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static bool reads(const char *text, struct dkim_signature *s, struct error *why)
{
    static struct dkim_tags tags;

    *why = (struct error){ 0 };
    return dkim_tags_parse(slice_of(text), &tags, why) && dkim_signature_from(&tags, s, why);
}

TEST(a_whole_signature_is_read)
{
    struct dkim_signature s;
    struct error why;

    CHECK_OK(reads("v=1; a=ed25519-sha256; c=relaxed/simple; d=Example.org; s=a.b; t=100; x=200;\r\n"
                   " h=To : from:\r\n Subject; i=@x.example.org; q=dns/txt; z=From:x;"
                   " unknown=yes;\r\n bh=" HASH "; b=A A\r\n\tAA ", &s, &why), &why);
    CHECK_EQUAL(s.kind, SIGNATURE_ED25519);
    CHECK_EQUAL(s.header, DKIM_RELAXED);
    CHECK_EQUAL(s.body, DKIM_SIMPLE);
    CHECK_SLICE(s.domain, "Example.org");
    CHECK_SLICE(s.selector, "a.b");
    CHECK_EQUAL(s.name_count, 3);
    CHECK_SLICE(s.names[0], "To");
    CHECK_SLICE(s.names[1], "from");
    CHECK_SLICE(s.names[2], "Subject");
    CHECK(s.below);
    CHECK_EQUAL(s.made, SECONDS(100));
    CHECK_EQUAL(s.expires, SECONDS(200));
    CHECK(memcmp(s.body_hash, "\xe3\xb0\xc4\x42", 4) == 0);
    CHECK_EQUAL(s.bytes_len, 3);
    CHECK_SLICE(s.b, "A A\r\n\tAA ");
}

/* A good one with `more`, and its a= b= bh= c= d= h= s= or v= replaced. */
static const char *with(char tag, const char *value, const char *more)
{
    static const struct {
        const char *name, *value;
    } PARTS[] = {
        { "v", "1" }, { "a", "rsa-sha256" }, { "d", "example.org" }, { "s", "sel" }, { "h", "From" }, { "bh", HASH }, { "b", "AAAA" },
    };
    static char text[2000];
    size_t used = 0;

    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        bool this = tag == PARTS[i].name[0] && !PARTS[i].name[1];

        this |= tag == 'B' && PARTS[i].name[1];     /* bh= */
        if (!this)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s=%s; ", PARTS[i].name, PARTS[i].value);
        else if (value)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s=%s; ", PARTS[i].name, value);
    }
    snprintf(text + used, sizeof text - used, "%s", more);
    return text;
}

static void good(const char *text)
{
    struct dkim_signature s;
    struct error why;

    if (!reads(text, &s, &why))
        fail_msg("\"%s\": %s", text, why.text);
}

static void bad(const char *text, const char *words)
{
    struct dkim_signature s;
    struct error why;

    if (reads(text, &s, &why))
        fail_msg("\"%s\" was taken", text);
    CHECK_EQUAL(why.code, E_MALFORMED);
    if (!strstr(why.text, words))
        fail_msg("\"%s\" does not say \"%s\"", why.text, words);
}

TEST(what_is_not_told_is_taken_as_the_rfc_says)
{
    struct dkim_signature s;
    struct error why;

    CHECK_OK(reads(with(0, NULL, ""), &s, &why), &why);
    CHECK_EQUAL(s.header, DKIM_SIMPLE);
    CHECK_EQUAL(s.body, DKIM_SIMPLE);
    CHECK_EQUAL(s.made, 0);
    CHECK(s.expires == TIME_NEVER);
    CHECK(!s.below);
}

TEST(required_tags_are_missed)
{
    bad(with('v', NULL, ""), "v= is missing");
    bad(with('a', NULL, ""), "a= is missing");
    bad(with('d', NULL, ""), "d= is missing");
    bad(with('s', NULL, ""), "s= is missing");
    bad(with('h', NULL, ""), "h= is missing");
    bad(with('b', NULL, ""), "b= is missing");
    bad(with('B', NULL, ""), "bh= is missing");
}

TEST(the_version_is_1)
{
    bad(with('v', "2", ""), "v=2");
    bad(with('v', "1.0", ""), "v=1.0");
    bad(with('v', "", ""), "v=");
}

/* RFC 8301 3.1 */
TEST(rsa_sha1_is_refused)
{
    bad(with('a', "rsa-sha1", ""), "RFC 8301");
    bad(with('a', "RSA-SHA256", ""), "nobody knows");
    bad(with('a', "ed25519", ""), "nobody knows");
    good(with('a', "ed25519-sha256", ""));
}

TEST(canonical_forms_are_two)
{
    struct dkim_signature s;
    struct error why;

    CHECK(reads(with(0, NULL, "c=relaxed"), &s, &why) && s.header == DKIM_RELAXED && s.body == DKIM_SIMPLE);
    CHECK(reads(with(0, NULL, "c=simple/relaxed"), &s, &why) && s.header == DKIM_SIMPLE && s.body == DKIM_RELAXED);
    bad(with(0, NULL, "c=nofws"), "c=nofws");
    bad(with(0, NULL, "c=relaxed/"), "c=relaxed/");
    bad(with(0, NULL, "c=/relaxed"), "c=/relaxed");
    bad(with(0, NULL, "c=simple/simple/simple"), "c=simple");
    bad(with(0, NULL, "c="), "c=");
}

TEST(domains_and_selectors_are_names)
{
    char longest[300];

    bad(with('d', "org", ""), "d=org is no domain");
    bad(with('d', "", ""), "is no domain");
    bad(with('d', "example..org", ""), "is no domain");
    bad(with('d', "example.org.", ""), "is no domain");
    bad(with('d', "exa mple.org", ""), "is no domain");
    bad(with('d', "ex*mple.org", ""), "is no domain");
    bad(with('d', "b\xc3\xbc" "cher.example", ""), "is no domain");
    bad(with('s', "", ""), "is no selector");
    bad(with('s', ".sel", ""), "is no selector");
    bad(with('s', "a/b", ""), "is no selector");
    good(with('s', "_a-1.B", ""));
    memset(longest, 'a', sizeof longest);
    longest[63] = '\0';
    good(with('s', longest, ""));
    longest[63] = 'a', longest[64] = '\0';
    bad(with('s', longest, ""), "is no selector");
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = i % 50 == 49 ? '.' : 'a';
    longest[253 - strlen("sel._domainkey.")] = '\0';
    good(with('d', longest, ""));
    longest[253 - strlen("sel._domainkey.")] = 'a', longest[254 - strlen("sel._domainkey.")] = '\0';
    bad(with('d', longest, ""), "too long");
}

TEST(keys_are_found_in_the_dns_only)
{
    good(with(0, NULL, "q=dns/txt"));
    good(with(0, NULL, "q=other : dns/txt"));
    bad(with(0, NULL, "q=other"), "q=other");
    bad(with(0, NULL, "q="), "q=");
}

/* RFC 6376 3.5, i= */
TEST(the_identity_is_within_the_domain)
{
    struct dkim_signature s;
    struct error why;

    CHECK(reads(with(0, NULL, "i=@EXAMPLE.org"), &s, &why) && !s.below);
    CHECK(reads(with(0, NULL, "i=a=40b@example.org"), &s, &why) && !s.below);
    CHECK(reads(with(0, NULL, "i=\"a@b\"@x.y.Example.ORG"), &s, &why) && s.below);
    bad(with(0, NULL, "i=@example.com"), "is not within");
    bad(with(0, NULL, "i=@badexample.org"), "is not within");
    bad(with(0, NULL, "i=@x.badexample.org"), "is not within");
    bad(with(0, NULL, "i=@org"), "is not within");
    bad(with(0, NULL, "i=@.example.org"), "is not within");
    bad(with(0, NULL, "i=@x y.example.org"), "is not within");
    bad(with(0, NULL, "i=example.org"), "is not within");
    bad(with(0, NULL, "i="), "is not within");
    bad(with(0, NULL, "i=@example.org@"), "is not within");
}

TEST(the_from_field_is_signed)
{
    good(with('h', "subject:FROM", ""));
    bad(with('h', "Subject", ""), "From field is not signed");
    bad(with('h', "Subject:X-From", ""), "From field is not signed");
    bad(with('h', "", ""), "empty");
    bad(with('h', "From:", ""), "empty");
    bad(with('h', "From::To", ""), "empty");
}

TEST(signed_names_have_a_bound)
{
    auto_buf struct buf names = { 0 };

    buf_init(&names, 1024);
    buf_add(&names, SLICE("From"));
    for (int i = 1; i < DKIM_NAMES_MAX; i++)
        buf_add(&names, SLICE(":a"));
    buf_byte(&names, '\0');
    good(with('h', buf_slice(&names).at, ""));
    names.end--;
    buf_add(&names, SLICE(":a"));
    buf_byte(&names, '\0');
    bad(with('h', buf_slice(&names).at, ""), "more than 256");
}

TEST(times_are_numbers_in_order)
{
    good(with(0, NULL, "t=1; x=2"));
    good(with(0, NULL, "x=1"));
    good(with(0, NULL, "t=999999999999"));
    bad(with(0, NULL, "t=2; x=2"), "expires");
    bad(with(0, NULL, "t=2; x=1"), "expires");
    bad(with(0, NULL, "x=0"), "expires");
    bad(with(0, NULL, "t=-1"), "t=-1 is no time");
    bad(with(0, NULL, "t="), "is no time");
    bad(with(0, NULL, "x=1000000000000"), "is no time");
    bad(with(0, NULL, "x=1 2"), "is no time");
}

/* RFC 8460 3 */
TEST(a_part_of_the_body_is_not_enough)
{
    bad(with(0, NULL, "l=0"), "l=");
    bad(with(0, NULL, "l=999999"), "l=");
}

TEST(hashes_and_signatures_are_base64)
{
    char longest[1500];

    bad(with('b', "", ""), "b= is empty");
    bad(with('b', "A", ""), "b= is not in base64");
    bad(with('b', "****", ""), "b= is not in base64");
    bad(with('B', "", ""), "no hash");
    bad(with('B', "AAAA", ""), "no hash");
    bad(with('B', HASH "AAAA", ""), "bh= is not in base64");
    memset(longest, 'A', sizeof longest);
    longest[1364] = '\0';
    good(with('b', longest, ""));
    longest[1364] = 'A', longest[1368] = '\0';
    bad(with('b', longest, ""), "too long");
}
