#include "tests/test.h"

#include "dns/answer.h"

static char text[DNS_NAME_MAX];
static size_t used;

#define NAME(literal) dns_name_text(SLICE(literal), text, &used)

TEST(a_wire_name_becomes_lower_case_text_without_final_dot)
{
    CHECK(NAME("\2mX\7Example\3ORG\0"));
    CHECK_TEXT(text, "mx.example.org");
    CHECK_EQUAL(used, 16);
}

TEST(the_root_is_a_dot)
{
    CHECK(NAME("\0behind"));
    CHECK_TEXT(text, ".");
    CHECK_EQUAL(used, 1);
}

TEST(bytes_behind_the_name_are_left)
{
    CHECK(NAME("\1a\0\1b\0"));
    CHECK_TEXT(text, "a");
    CHECK_EQUAL(used, 3);
}

TEST(unusual_bytes_are_written_in_decimal)
{
    CHECK(NAME("\5_a-9.\4\0\xff\\ \0"));
    CHECK_TEXT(text, "_a-9\\046.\\000\\255\\092\\032");
}

TEST(a_name_that_ends_early_is_refused_and_nothing_is_written)
{
    static const struct slice bad[] = { SLICE(""), SLICE("\2m"), SLICE("\2mx"), SLICE("\2mx\7example"), SLICE("\1") };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        strcpy(text, "as before");
        used = 77;
        CHECK(!dns_name_text(bad[i], text, &used));
        CHECK_TEXT(text, "as before");
        CHECK_EQUAL(used, 77);
    }
    CHECK(!dns_name_text(slice(NULL, 0), text, &used));
}

TEST(compression_pointers_and_unknown_label_kinds_are_refused)
{
    CHECK(!NAME("\xc0\x00"));
    CHECK(!NAME("\1a\xc0\x0c"));
    CHECK(!NAME("\x40" "a\0"));
    CHECK(!NAME("\x80" "a\0"));
}

TEST(a_name_of_255_bytes_is_the_longest)
{
    char wire[300];
    size_t len = 0;

    for (int i = 0; i < 3; i++) {
        wire[len] = 63;
        memset(wire + len + 1, 0xff, 63);
        len += 64;
    }
    wire[len] = 61;
    memset(wire + len + 1, 0xff, 61);
    wire[len + 62] = '\0';
    CHECK_EQUAL(len + 63, 255);
    CHECK(dns_name_text(slice(wire, 255), text, &used));
    CHECK_EQUAL(used, 255);
    CHECK_EQUAL(strlen(text), 4 * 250 + 3);

    wire[len] = 62;
    wire[len + 62] = (char)0xff;
    wire[len + 63] = '\0';
    CHECK(!dns_name_text(slice(wire, 256), text, &used));
}

TEST(many_short_labels_fit)
{
    char wire[255] = { 0 };

    for (size_t i = 0; i < 254; i += 2) {
        wire[i] = 1;
        wire[i + 1] = '\t';
    }
    CHECK(dns_name_text(slice(wire, sizeof wire), text, &used));
    CHECK_EQUAL(strlen(text), 127 * 4 + 126);
}

#define HEAD "\0\0\x81\x80"
#define QUESTION "\1a\0\0\1\0\1"
#define CNAME "\xc0\x0c\0\5\0\1\0\0\0\12\0\3\1b\0"
#define ADDRESS "\1b\0\0\1\0\1\0\0\0\12\0\4\xc0\0\2\1"

TEST(the_links_of_a_chain_are_counted_in_the_answer_section)
{
    CHECK_EQUAL(dns_aliases_in(SLICE(HEAD "\0\1\0\3\0\1\0\0" QUESTION CNAME CNAME ADDRESS CNAME)), 2);
    CHECK_EQUAL(dns_aliases_in(SLICE(HEAD "\0\1\0\1\0\0\0\0" QUESTION ADDRESS)), 0);
    CHECK_EQUAL(dns_aliases_in(SLICE(HEAD "\0\0\0\1\0\0\0\0" CNAME)), 1);
}

TEST(a_message_that_ends_early_is_counted_as_far_as_it_goes)
{
    const struct slice whole = SLICE(HEAD "\0\1\0\2\0\0\0\0" QUESTION CNAME CNAME);

    for (size_t len = 0; len < whole.len; len++)
        CHECK(dns_aliases_in(slice_first(whole, len)) < 2);
    CHECK_EQUAL(dns_aliases_in(whole), 2);
    CHECK_EQUAL(dns_aliases_in(slice_first(whole, whole.len - 1)), 1);
    CHECK_EQUAL(dns_aliases_in(SLICE(HEAD "\xff\xff\xff\xff\0\0\0\0" QUESTION)), 0);
}

#define SIGNATURE(ends) "\1a\0\0\x2e\0\1\0\0\0\12\0\x13" "\0\1\15\2\0\0\2\x58" ends "\0\0\0\1\0\1\0"

/* DANE-013 */
TEST(a_message_holds_as_long_as_its_first_signature)
{
    const struct slice two = SLICE(HEAD "\0\1\0\2\0\1\0\0" QUESTION ADDRESS SIGNATURE("\0\0\2\0") SIGNATURE("\0\0\1\x80"));

    CHECK_EQUAL(dns_signed_seconds(two, 0x100), 0x80);
    CHECK_EQUAL(dns_signed_seconds(two, 0x180), 0);
    CHECK_EQUAL(dns_signed_seconds(two, 0x1000), 0);
    CHECK_EQUAL(dns_signed_seconds(two, 0xffffff00), 0x280);        /* years later the count begins anew */
    CHECK(dns_signed_seconds(SLICE(HEAD "\0\1\0\1\0\0\0\0" QUESTION ADDRESS), 0) == UINT32_MAX);
    CHECK(dns_signed_seconds(SLICE(HEAD "\0\0\0\0\0\0\0\1" SIGNATURE("\0\0\2\0")), 0) == UINT32_MAX);    /* additional */
    CHECK(dns_signed_seconds(SLICE(""), 0) == UINT32_MAX);
    for (size_t len = 0; len < two.len; len++)
        CHECK(dns_signed_seconds(slice_first(two, len), 0) >= 0x200);
    CHECK_EQUAL(dns_signed_seconds(SLICE(HEAD "\0\0\0\1\0\0\0\0" "\1a\0\0\x2e\0\1\0\0\0\12\0\2\0\1"), 0), 0);
}

TEST(names_that_can_be_asked_for)
{
    static const char *const good[] = { "org", "example.org", "_25._tcp.mx.example.org", "*.example.org", "a_b.example",
                                        "xn--bcher-kva.example", "-a-.example", "1.2.0.192.in-addr.arpa" };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(dns_name_valid(good[i]));
}

TEST(names_that_cannot_be_asked_for)
{
    static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "a b", "a\nb", "a\\046b", "b\xc3\xbc.example",
                                       "a@b", "*a.example", "[192.0.2.1]", "a,b", "a;b", "\"a\"" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!dns_name_valid(bad[i]));
    CHECK(!dns_name_valid(NULL));
    CHECK_ID("DANE-029", !dns_name_valid("b\xc3\xbc" "cher.example") && dns_name_valid("xn--bcher-kva.example"));
}

TEST(labels_of_63_and_names_of_253_bytes_are_the_longest)
{
    char name[300];

    memset(name, 'a', sizeof name);
    name[63] = '\0';
    CHECK(dns_name_valid(name));
    name[63] = 'a';
    name[64] = '\0';
    CHECK(!dns_name_valid(name));
    name[64] = 'a';
    name[63] = name[127] = name[191] = '.';
    name[253] = '\0';
    CHECK(dns_name_valid(name));
    name[253] = 'a';
    name[254] = '\0';
    CHECK(!dns_name_valid(name));
}

/* DANE-001 */
TEST(each_status_has_its_name)
{
    struct dns_answer a = { .status = DNS_FOUND, .secure = true };

    CHECK_TEXT(dns_status_name(&a), "secure");
    a.status = DNS_NO_NAME;
    CHECK_TEXT(dns_status_name(&a), "secure");
    a.secure = false;
    CHECK_TEXT(dns_status_name(&a), "insecure");
    a.status = DNS_NO_DATA;
    CHECK_TEXT(dns_status_name(&a), "insecure");
    a.status = DNS_FAILED;
    CHECK_TEXT(dns_status_name(&a), "error");
    a.status = DNS_BOGUS;
    CHECK_TEXT(dns_status_name(&a), "bogus");
    CHECK_TEXT(dns_type_name(DNS_TLSA), "TLSA");
    CHECK_TEXT(dns_type_name(DNS_AAAA), "AAAA");
    CHECK_TEXT(dns_type_name(0), "UNKNOWN");
}

TEST(types_have_names_and_names_have_types)
{
    static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };
    enum dns_type type = DNS_A;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        CHECK(dns_type_parse(slice_of(dns_type_name(types[i])), &type) && type == types[i]);
    CHECK(dns_type_parse(SLICE("cName"), &type) && type == DNS_CNAME);
    CHECK(!dns_type_parse(SLICE(""), &type) && !dns_type_parse(SLICE("UNKNOWN"), &type) && !dns_type_parse(SLICE("AAA"), &type));
}

TEST(names_are_copied_in_lower_case_and_without_final_dot)
{
    struct arena arena;
    char text_of_2000[2000];

    arena_init(&arena, 4096);
    CHECK_TEXT(dns_name_copy(&arena, SLICE("MX.Example.ORG.")), "mx.example.org");
    CHECK_TEXT(dns_name_copy(&arena, SLICE("mx")), "mx");
    CHECK_TEXT(dns_name_copy(&arena, SLICE(".")), ".");
    CHECK_TEXT(dns_name_copy(&arena, SLICE("")), "");
    memset(text_of_2000, 'A', sizeof text_of_2000);
    CHECK_EQUAL(strlen(dns_name_copy(&arena, slice(text_of_2000, sizeof text_of_2000))), DNS_NAME_MAX - 1);
    arena_done(&arena);
}

TEST(errors_have_words)
{
    struct dns_answer a = { .status = DNS_FAILED, .why = "no answer in time" };
    struct error why = { 0 };

    CHECK(dns_answer_is_error(&a) && !dns_answer_fail(&a, "example.org", DNS_MX, E_DNS, &why));
    CHECK_EQUAL(why.code, E_DNS);
    CHECK_TEXT(why.text, "MX record of example.org cannot be looked up: no answer in time");
    a = (struct dns_answer){ .status = DNS_BOGUS };
    CHECK(dns_answer_is_error(&a) && !dns_answer_fail(&a, "example.org", DNS_A, E_DNS_BOGUS, &why));
    CHECK_TEXT(why.text, "A record of example.org fails DNSSEC validation: no reason given");
    a.status = DNS_NO_DATA;
    CHECK(!dns_answer_is_error(&a));
}
