#include "tests/test.h"

#include "tlsrpt/record.h"

#include <stdio.h>

static struct arena memory;
static struct rpt_record record;

static const char *find(const struct slice *texts, size_t count)
{
    struct error why = { 0 };

    arena_done(&memory);
    arena_init(&memory, 256 * 1024);
    memset(&record, 0, sizeof record);
    if (rpt_record_find(texts, count, &memory, &record, &why))
        return "found";
    CHECK(why.text[0] != '\0');
    CHECK_EQUAL(record.count, 0);
    return error_name(why.code);
}

#define FIND(text) find((const struct slice[]){ SLICE(text) }, 1)
#define AMONG(...) \
    find((const struct slice[]){ __VA_ARGS__ }, sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))

/* All that was found, in a line. */
static const char *shown(void)
{
    static char text[8192];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < record.count; i++) {
        const struct rua *r = &record.rua[i];

        if (r->scheme == RUA_MAILTO)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s<%s>", i ? " " : "", r->address);
        else
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s:%u %s", i ? " " : "", r->host, r->port, r->path);
    }
    snprintf(text + len, sizeof text - len, "%s+%zu", len ? " " : "", record.skipped);
    return text;
}

/* The addresses of one rua field, and how many were skipped. */
static const char *of(const char *value)
{
    char text[4096];
    struct slice s;

    snprintf(text, sizeof text, "v=TLSRPTv1; rua=%s", value);
    s = slice_of(text);
    CHECK_TEXT(find(&s, 1), "found");
    return shown();
}

/* TLSRPT-001 */
TEST(good_records_give_their_addresses)
{
    CHECK_TEXT(FIND("v=TLSRPTv1; rua=mailto:reports@example.com"), "found");
    CHECK_TEXT(shown(), "<reports@example.com> +0");
    CHECK_TEXT(record.rua[0].text, "mailto:reports@example.com");
    CHECK_TEXT(FIND("v=TLSRPTv1;rua=https://reporting.example.com/v1/tlsrpt;"), "found");
    CHECK_TEXT(shown(), "reporting.example.com:443 /v1/tlsrpt +0");
    CHECK_TEXT(FIND("v=TLSRPTv1\t ; \t rua=mailto:a@example.org \t;\t "), "found");
    CHECK_TEXT(shown(), "<a@example.org> +0");
    CHECK_TEXT(FIND("v=TLSRPTv1; rua=mailto:a@example.org \t"), "found");
    CHECK_TEXT(FIND("v=TLSRPTv1; ext=1; rua=mailto:a@example.org; x.y-z_9=a,b:c/<>!"), "found");
    CHECK_TEXT(shown(), "<a@example.org> +0");
}

/* TLSRPT-001, -005 */
TEST(records_that_break_the_grammar_are_malformed)
{
    static const char *const bad[] = {
        "v=TLSRPTv1", "v=TLSRPTv1;", "v=TLSRPTv1; ", "v=TLSRPTv1; x=y", "v=TLSRPTv1; rua=", "v=TLSRPTv1; rua= ;",
        "v=TLSRPTv1; rua", "v=TLSRPTv1;; rua=mailto:a@example.org", "v=TLSRPTv1; rua=mailto:a@example.org;;",
        "v=TLSRPTv1; rua=mailto:a@example.org; ;", "v=TLSRPTv1 rua=mailto:a@example.org",
        "v=TLSRPTv1, rua=mailto:a@example.org", "v=TLSRPTv1; RUA=mailto:a@example.org", "v=TLSRPTv1; rua =mailto:a@example.org",
        "v=TLSRPTv1; rua=mailto:a@example.org; x", "v=TLSRPTv1; rua=mailto:a@example.org; x=",
        "v=TLSRPTv1; rua=mailto:a@example.org; x=a=b", "v=TLSRPTv1; rua=mailto:a@example.org; x=a b",
        "v=TLSRPTv1; rua=mailto:a@example.org; -x=a", "v=TLSRPTv1; rua=mailto:a@example.org; x=\xc3\xa4",
        "v=TLSRPTv1; rua=mailto:a@example.org; =a", "v=TLSRPTv1; rua=mailto:a@example.org; x=a\x7f",
        "v=TLSRPTv1; rua=mailto:a@example.org; a23456789012345678901234567890123=x",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct slice text = slice_of(bad[i]);

        if (strcmp(find(&text, 1), "E_MALFORMED") != 0)
            fail_msg("taken for good: %s", bad[i]);
    }
    CHECK_TEXT(FIND("v=TLSRPTv1; rua=mailto:a@example.org; x=\0"), "E_MALFORMED");
    CHECK_TEXT(FIND("v=TLSRPTv1; rua=mailto:a@example.org; a2345678901234567890123456789012=x"), "found");
}

/* TLSRPT-004 */
TEST(exactly_one_record_must_be_left)
{
    const struct slice spf = SLICE("v=spf1 -all"), good = SLICE("v=TLSRPTv1;rua=mailto:a@example.org"),
                       loose = SLICE("v=TLSRPTv1 ;rua=mailto:b@example.org"), next = SLICE("v=TLSRPTv10;rua=mailto:c@example.org");

    CHECK_TEXT(find(NULL, 0), "E_NOT_FOUND");
    CHECK_TEXT(AMONG(spf), "E_NOT_FOUND");
    CHECK_TEXT(AMONG(next), "E_NOT_FOUND");
    CHECK_TEXT(FIND(""), "E_NOT_FOUND");
    CHECK_TEXT(FIND(" v=TLSRPTv1;rua=mailto:a@example.org"), "E_NOT_FOUND");
    CHECK_TEXT(FIND("V=TLSRPTv1;rua=mailto:a@example.org"), "E_NOT_FOUND");
    CHECK_TEXT(FIND("v=tlsrptv1;rua=mailto:a@example.org"), "E_NOT_FOUND");
    CHECK_TEXT(AMONG(spf, good, next), "found");
    CHECK_ID("TLSRPT-004", strcmp(AMONG(good, good), "E_NOT_FOUND") == 0);
    CHECK_TEXT(AMONG(good, SLICE("v=TLSRPTv1;")), "E_NOT_FOUND");
    CHECK_TEXT(AMONG(loose, good), "found");
    CHECK_TEXT(shown(), "<a@example.org> +0");
    CHECK_TEXT(AMONG(spf, loose), "found");
    CHECK_TEXT(shown(), "<b@example.org> +0");
    CHECK_TEXT(AMONG(loose, loose), "E_NOT_FOUND");
}

/* TLSRPT-002 */
TEST(addresses_are_split_at_commas_and_decoded_once)
{
    CHECK_TEXT(of("mailto:a@example.org,mailto:b@example.org \t, https://example.org/x"),
               "<a@example.org> <b@example.org> example.org:443 /x +0");
    CHECK_TEXT(of("mailto:a%21b@x"), "<a!b@x> +0");
    CHECK_TEXT(of("mailto:a%2540b@example.org"), "<a%40b@example.org> +0");
    CHECK_TEXT(of("mailto:%22a%2Cb%3bc%22@example.org"), "<\"a,b;c\"@example.org> +0");
    CHECK_TEXT(of("MAILTO:A@EXAMPLE.ORG"), "<A@example.org> +0");
    CHECK_TEXT(of("https://example.org/a%2Cb%21?c=%3B"), "example.org:443 /a%2Cb%21?c=%3B +0");
}

/* TLSRPT-002: "MUST be encoded" */
TEST(what_must_be_encoded_and_is_not_spoils_its_address)
{
    CHECK_TEXT(of("mailto:a!b@example.org"), "+1");
    CHECK_TEXT(of("mailto:a@example.org!10m"), "+1");
    CHECK_TEXT(of("mailto:a b@example.org,mailto:c@example.org"), "<c@example.org> +1");
    CHECK_TEXT(of("mailto:a%2@example.org"), "+1");
    CHECK_TEXT(of("mailto:a%zz@example.org"), "+1");
    CHECK_TEXT(of("mailto:a@example.org%"), "+1");
    CHECK_TEXT(of("mailto:\xc3\xa4@example.org"), "+1");
    CHECK_TEXT(of("mailto:a@example.org\r"), "+1");
}

/* TLSRPT-003 */
TEST(other_schemes_hide_no_others)
{
    CHECK_TEXT(of("ftp://example.org/,mailto:a@example.org"), "<a@example.org> +1");
    CHECK_TEXT(of("http://example.org/"), "+1");
    CHECK_TEXT(of("a@example.org"), "+1");
    CHECK_TEXT(of("mailto"), "+1");
    CHECK_TEXT(of(","), "+2");
    CHECK_TEXT(of(",mailto:a@example.org,"), "<a@example.org> +2");
}

/* TLSRPT-005 */
TEST(repeated_fields_are_merged)
{
    CHECK_TEXT(FIND("v=TLSRPTv1; rua=mailto:a@example.org; x=y; rua=https://example.org/r"), "found");
    CHECK_TEXT(shown(), "<a@example.org> example.org:443 /r +0");
}

TEST(nobody_gets_a_report_twice)
{
    CHECK_TEXT(of("mailto:a@example.org,mailto:a@EXAMPLE.org,mailto:%61@example.org?subject=x"), "<a@example.org> +0");
    CHECK_TEXT(of("https://example.org,https://EXAMPLE.ORG:443/,https://example.org:444/"),
               "example.org:443 / example.org:444 / +0");
}

/* TLSRPT-008 */
TEST(header_parts_of_mailto_are_ignored)
{
    CHECK_TEXT(of("mailto:a@x?bcc=b@y"), "<a@x> +0");
    CHECK_TEXT(of("mailto:a@example.org?"), "<a@example.org> +0");
    CHECK_TEXT(of("mailto:a@example.org#x"), "<a@example.org> +0");
    CHECK_TEXT(of("mailto:?to=b@example.org"), "+1");
    CHECK_TEXT(of("mailto:a@example.org%3Fbcc=b@example.org"), "+1");
    CHECK_TEXT(of("mailto:a@example.org%2Cb@example.org"), "+1");
}

TEST(only_addresses_of_domains_are_taken)
{
    CHECK_TEXT(of("mailto:"), "+1");
    CHECK_TEXT(of("mailto:%3C%3E"), "+1");
    CHECK_TEXT(of("mailto:postmaster"), "+1");
    CHECK_TEXT(of("mailto:a@%5B192.0.2.1%5D"), "+1");
    CHECK_TEXT(of("mailto:a@exa%00mple.org"), "+1");
    CHECK_TEXT(of("mailto:a@example.org%0D%0ABcc:b@example.org"), "+1");
    CHECK_TEXT(of("mailto:a..b@example.org"), "+1");
}

TEST(no_more_than_ten_addresses_are_taken)
{
    char text[2048] = "";

    for (int i = 0; i < 15; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%smailto:a%d@example.org", i ? "," : "", i);
    of(text);
    CHECK_ID("TLSRPT-008", record.count == RUA_MAX && record.skipped == 5);
    CHECK_TEXT(record.rua[9].address, "a9@example.org");
}

TEST(urls_are_taken_apart)
{
    CHECK_TEXT(of("https://example.org"), "example.org:443 / +0");
    CHECK_TEXT(of("HTTPS://Example.ORG:8443/A/b?c=D&e"), "example.org:8443 /A/b?c=D&e +0");
    CHECK_TEXT(of("https://example.org?q"), "example.org:443 /?q +0");
    CHECK_TEXT(of("https://example.org:/x"), "example.org:443 /x +0");
    CHECK_TEXT(of("https://example.org/x#part"), "example.org:443 /x +0");
    CHECK_TEXT(of("https://example.org:65535/a@b:c"), "example.org:65535 /a@b:c +0");
}

TEST(urls_that_lead_elsewhere_than_they_seem_are_skipped)
{
    static const char *const bad[] = {
        "https:", "https:/", "https://", "https:///x", "https:example.org", "https:/example.org", "https://:443/",
        "https://user@example.org/", "https://user:secret@example.org/", "https://example.org@192.0.2.1/",
        "https://192.0.2.1/", "https://[2001:db8::1]/", "https://0x7f.1/", "https://localhost/", "https://example.org:0/",
        "https://example.org:65536/", "https://example.org:1:2/", "https://example.org:x/", "https://example..org/",
        "https://-example.org/", "https://example.org./", "https://exam%70le.org/", "https://example.org/%", "https://exa_mple.org/",
        "https://example.org/ x", "https://example.org/\"", "https://example.org/<", "https://example.org\\@example.net/",
        "https://2130706433/",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(of(bad[i]), "+1") != 0)
            fail_msg("taken for good: %s: %s", bad[i], shown());
}

TEST(long_addresses_are_skipped)
{
    char path[RUA_TEXT_MAX + 2];
    const size_t head = strlen("https://example.org/");

    memset(path, 'x', sizeof path);
    memcpy(path, "https://example.org/", head);
    path[RUA_TEXT_MAX] = '\0';
    of(path);
    CHECK_EQUAL(record.count, 1);
    CHECK_EQUAL(strlen(record.rua[0].path), RUA_TEXT_MAX - head + 1);
    path[RUA_TEXT_MAX] = 'x';
    path[RUA_TEXT_MAX + 1] = '\0';
    CHECK_TEXT(of(path), "+1");
}

TEST(a_full_arena_is_told)
{
    const struct slice text = SLICE("v=TLSRPTv1; rua=mailto:a@example.org,https://example.org/a/rather/long/path");

    for (size_t most = 0; most < 200; most++) {
        struct arena small;
        struct rpt_record out = { 0 };
        struct error why = { 0 };
        bool found;

        arena_init(&small, most);
        found = rpt_record_find(&text, 1, &small, &out, &why);
        CHECK(found ? out.count == 2 && out.skipped == 0 : why.code == E_LIMIT && out.count == 0);
        arena_done(&small);
    }
}
