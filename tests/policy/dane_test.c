#include "tests/test.h"

#include "policy/dane.h"

#include <stdlib.h>

/* A self-signed certificate of mx.example.org (Ed25519), and its public key. */
#define CERTIFICATE \
    "\x30\x81\xdb\x30\x81\x8e\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x30\x19\x31\x17\x30\x15\x06\x03\x55\x04" \
    "\x03\x0c\x0e\x6d\x78\x2e\x65\x78\x61\x6d\x70\x6c\x65\x2e\x6f\x72\x67\x30\x20\x17\x0d\x32\x36\x31\x31\x32" \
    "\x32\x30\x39\x34\x32\x35\x33\x5a\x18\x0f\x32\x31\x32\x36\x31\x30\x32\x39\x30\x39\x34\x32\x35\x33\x5a\x30" \
    "\x19\x31\x17\x30\x15\x06\x03\x55\x04\x03\x0c\x0e\x6d\x78\x2e\x65\x78\x61\x6d\x70\x6c\x65\x2e\x6f\x72\x67" \
    "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x1b\xda\x03\xb5\xcf\xe6\xe7\x67\xaa\x07\xc4\x15\x48\x9a" \
    "\x54\xc8\xf7\xe3\xb8\xb0\x0b\x03\xfb\xc5\xa9\xf9\x23\x51\x08\xfa\xc1\xaf\x30\x05\x06\x03\x2b\x65\x70\x03" \
    "\x41\x00\xec\xbf\x13\x8f\x4d\x7a\x89\x44\x39\xdf\x65\x0b\x8c\x42\x65\xc5\x9c\x50\x00\xed\xec\x9e\x28\xb4" \
    "\x5d\x89\xa2\x7f\xc4\x76\x1e\x70\x90\x65\x7d\x7a\x65\xc3\x2e\x82\x55\xab\xc8\x1c\xb2\xe1\x64\x92\xef\x37" \
    "\xf7\x12\x42\x38\x8f\x37\x81\x94\x92\x70\xec\x43\xf2\x09"
#define PUBLIC_KEY \
    "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x1b\xda\x03\xb5\xcf\xe6\xe7\x67\xaa\x07\xc4\x15\x48\x9a" \
    "\x54\xc8\xf7\xe3\xb8\xb0\x0b\x03\xfb\xc5\xa9\xf9\x23\x51\x08\xfa\xc1\xaf"
#define DIGEST_32 "0123456789abcdef0123456789abcdef"
#define DIGEST_64 DIGEST_32 DIGEST_32

static const struct dane_settings usual = { .sha512_off = false }, no_sha512 = { .sha512_off = true };

/* What each record comes to, as letters: U used, M malformed, u usage, s selector, m matching, w weaker. */
static const char *judged(const struct slice *rdata, size_t count, const struct dane_settings *settings)
{
    static const char letters[] = "UMusmw";
    static char text[32];
    struct dane_records r;
    struct error why = { 0 };
    size_t used = 0;
    auto_arena struct arena arena;

    arena_init(&arena, 64 * 1024);
    CHECK_OK(dane_records_judge(rdata, count, settings, &arena, &r, &why), &why);
    CHECK_EQUAL(r.count, count);
    for (size_t i = 0; i < count; i++) {
        text[i] = letters[r.all[i].use];
        if (r.all[i].use == RECORD_USED) {
            CHECK(r.usable[used].data.at == r.all[i].tlsa.data.at);
            CHECK_EQUAL(r.usable[used].matching, r.all[i].tlsa.matching);
            used++;
        }
    }
    text[count] = '\0';
    CHECK_EQUAL(r.usable_count, used);
    return text;
}

static const char *judge_one(struct slice rdata)
{
    return judged(&rdata, 1, &usual);
}

#define JUDGED(settings, ...) \
    judged((struct slice[]){ __VA_ARGS__ }, sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), settings)

/* --- one record ------------------------------------------------------------------ */

TEST(a_record_is_three_numbers_and_data)
{
    struct error why = { 0 };
    struct tlsa t = { 0 };

    CHECK_OK(tlsa_parse(SLICE("\x03\x01\xff" "abc"), &t, &why), &why);
    CHECK_EQUAL(t.usage, 3);
    CHECK_EQUAL(t.selector, 1);
    CHECK_EQUAL(t.matching, 255);
    CHECK_SLICE(t.data, "abc");
}

TEST(a_record_of_fewer_than_four_bytes_is_malformed_and_leaves_the_output_alone)
{
    struct tlsa t = { .usage = 77 };

    for (size_t len = 0; len < 4; len++) {
        struct error why = { 0 };

        CHECK(!tlsa_parse(slice_first(SLICE("\x03\x01\x01"), len), &t, &why));
        CHECK_EQUAL(why.code, E_MALFORMED);
        CHECK_EQUAL(t.usage, 77);
    }
    CHECK(!tlsa_parse(slice(NULL, 0), &t, NULL));
}

/* The rule of DANE-060 and -061 as a table of what is good; all else has its first reason. */
static char expected(const unsigned char *rdata, size_t len, bool sha512_off)
{
    static const size_t digest_length[] = { 0, 32, 64 };

    if (len < 4)
        return 'M';
    if (rdata[0] != 2 && rdata[0] != 3)
        return 'u';
    if (rdata[1] != 0 && rdata[1] != 1)
        return 's';
    if (rdata[2] > (sha512_off ? 1 : 2))
        return 'm';
    return rdata[2] > 0 && len - 3 == digest_length[rdata[2]] ? 'U' : 'M';     /* Full: the filler is no DER */
}

TEST(records_of_every_length_and_kind_have_the_use_of_the_table)
{
    static const unsigned char values[] = { 0, 1, 2, 3, 4, 5, 127, 128, 254, 255 };
    enum { VALUES = sizeof values, LONGEST = 70 };

    for (size_t len = 0; len <= LONGEST; len++) {
        unsigned char *rdata = malloc(len ? len : 1);   /* exact, so that a sanitizer sees a byte too many */

        memset(rdata, 0xa5, len);
        for (size_t kind = 0; kind < VALUES * VALUES * VALUES; kind++) {
            struct slice one = slice(rdata, len);

            if (len > 0)
                rdata[0] = values[kind / VALUES / VALUES];
            if (len > 1)
                rdata[1] = values[kind / VALUES % VALUES];
            if (len > 2)
                rdata[2] = values[kind % VALUES];
            CHECK_ID("DANE-060", judged(&one, 1, &usual)[0] == expected(rdata, len, false));
            CHECK_ID("DANE-073", judged(&one, 1, &no_sha512)[0] == expected(rdata, len, true));
        }
        free(rdata);
    }
}

TEST(full_data_must_be_one_certificate_or_one_public_key)
{
    CHECK_TEXT(judge_one(SLICE("\x03\x00\x00" CERTIFICATE)), "U");
    CHECK_TEXT(judge_one(SLICE("\x02\x00\x00" CERTIFICATE)), "U");
    CHECK_TEXT(judge_one(SLICE("\x03\x01\x00" PUBLIC_KEY)), "U");
    CHECK_TEXT(judge_one(SLICE("\x02\x01\x00" PUBLIC_KEY)), "U");
    CHECK_TEXT(judge_one(SLICE("\x03\x01\x00" CERTIFICATE)), "M");
    CHECK_TEXT(judge_one(SLICE("\x03\x00\x00" PUBLIC_KEY)), "M");
    CHECK_TEXT(judge_one(SLICE("\x03\x00\x00" CERTIFICATE "\x00")), "M");
    CHECK_TEXT(judge_one(SLICE("\x03\x01\x00" PUBLIC_KEY PUBLIC_KEY)), "M");
    CHECK_TEXT(judge_one(SLICE("\x01\x00\x00" CERTIFICATE)), "u");
}

TEST(full_data_cut_off_anywhere_are_malformed)
{
    struct slice whole[] = { SLICE("\x03\x00\x00" CERTIFICATE), SLICE("\x03\x01\x00" PUBLIC_KEY) };

    for (size_t i = 0; i < 2; i++)
        for (size_t len = 0; len < whole[i].len; len++) {
            char *rdata = malloc(len + 1);

            memcpy(rdata, whole[i].at, len);
            CHECK_TEXT(judge_one(slice(rdata, len)), "M");
            free(rdata);
        }
}

/* --- many -------------------------------------------------------------------------- */

TEST(the_strongest_digest_of_a_usage_and_selector_counts)
{
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x01" DIGEST_32), SLICE("\x03\x01\x02" DIGEST_64)), "wU");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x02" DIGEST_64), SLICE("\x03\x01\x01" DIGEST_32)), "Uw");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x01" DIGEST_32), SLICE("\x03\x01\x01" DIGEST_32)), "UU");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x02\x00\x01" DIGEST_32), SLICE("\x02\x00\x02" DIGEST_64),
                      SLICE("\x02\x00\x01" DIGEST_32), SLICE("\x02\x00\x02" DIGEST_64)), "wUwU");
}

TEST(digests_of_another_usage_or_selector_are_not_compared)
{
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x01" DIGEST_32), SLICE("\x03\x00\x02" DIGEST_64)), "UU");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x01" DIGEST_32), SLICE("\x02\x01\x02" DIGEST_64)), "UU");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x02\x00\x01" DIGEST_32), SLICE("\x02\x01\x02" DIGEST_64)), "UU");
}

TEST(full_records_stay_beside_digests)
{
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x00" PUBLIC_KEY), SLICE("\x03\x01\x01" DIGEST_32),
                      SLICE("\x03\x01\x02" DIGEST_64)), "UwU");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x01" DIGEST_32), SLICE("\x03\x01\x00" PUBLIC_KEY)), "UU");
}

/* DANE-062: what is not usable is dropped first. */
TEST(a_record_that_does_not_count_hides_no_weaker_one)
{
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x02" DIGEST_32), SLICE("\x03\x01\x01" DIGEST_32)), "MU");
    CHECK_TEXT(JUDGED(&usual, SLICE("\x03\x01\x03" DIGEST_64), SLICE("\x03\x01\x01" DIGEST_32)), "mU");
    CHECK_TEXT(JUDGED(&no_sha512, SLICE("\x03\x01\x02" DIGEST_64), SLICE("\x03\x01\x01" DIGEST_32)), "mU");
}

/* DANE-061, -072, -073: no usable record is an answer, not an error. */
TEST(when_no_record_is_usable_each_says_why)
{
    CHECK_TEXT(JUDGED(&usual, SLICE(""), SLICE("\x01\x01\x01" DIGEST_32), SLICE("\x00\x00\x01" DIGEST_32),
                      SLICE("\x04\x01\x01" DIGEST_32), SLICE("\x03\x02\x01" DIGEST_32),
                      SLICE("\x03\x01\xff" DIGEST_32), SLICE("\x03\x01\x00" "?")), "MuuusmM");
    CHECK_TEXT(JUDGED(&no_sha512, SLICE("\x03\x01\x02" DIGEST_64)), "m");
    CHECK_TEXT(judged(NULL, 0, &usual), "");
}

TEST(an_rrset_that_the_arena_cannot_hold_is_an_error)
{
    static struct slice rdata[4000];
    struct dane_records r = { .count = 77 };
    struct error why = { 0 };
    auto_arena struct arena arena;

    for (size_t i = 0; i < 4000; i++)
        rdata[i] = SLICE("\x03\x01\x01" DIGEST_32);
    arena_init(&arena, 64 * 1024);
    CHECK(!dane_records_judge(rdata, 4000, &usual, &arena, &r, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    CHECK_EQUAL(r.count, 77);
    CHECK(dane_records_judge(rdata, 60, &usual, &arena, &r, &why));     /* DANE-014 */
    CHECK_EQUAL(r.usable_count, 60);
}

/* --- for people ---------------------------------------------------------------------- */

static const char *text_of(struct slice rdata)
{
    static char text[TLSA_TEXT_MAX];
    struct tlsa t = { 0 };

    (void)!tlsa_parse(rdata, &t, NULL);
    return tlsa_text(&t, text);
}

TEST(a_record_is_shown_with_sixteen_hex_digits_of_its_data)
{
    CHECK_TEXT(text_of(SLICE("\x03\x01\x01\x2b\xb1\x83\xaf\x2d\x1c\x0c\x1b" "more")), "3 1 1 2bb183af2d1c0c1b...");
    CHECK_TEXT(text_of(SLICE("\x03\x01\x01\x2b\xb1\x83\xaf\x2d\x1c\x0c\x1b")), "3 1 1 2bb183af2d1c0c1b");
    CHECK_TEXT(text_of(SLICE("\x02\x00\x00\x0a")), "2 0 0 0a");
    CHECK_TEXT(text_of(SLICE("\xff\xff\xff" DIGEST_64)), "255 255 255 3031323334353637...");
    CHECK_TEXT(text_of(SLICE("\x03\x01")), "0 0 0");
}

TEST(each_use_has_its_words)
{
    for (enum record_use u = RECORD_USED; u <= RECORD_WEAKER; u++) {
        CHECK(strcmp(record_use_name(u), "unknown") != 0);
        for (enum record_use other = RECORD_USED; other < u; other++)
            CHECK(strcmp(record_use_name(u), record_use_name(other)) != 0);
    }
    CHECK_TEXT(record_use_name((enum record_use)99), "unknown");
}

/* --- the name matrix of DANE-068 ------------------------------------------------------- */

static const char *names_of(const struct dane_names_in *in)
{
    static char text[256];
    const char *names[DANE_NAMES_MAX];
    size_t count = dane_names(in, names), used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", names[i]);
    return text;
}

#define NAMES(...) names_of(&(struct dane_names_in){ __VA_ARGS__ })

/* DT-04, DT-05 and DT-10 */
TEST(over_a_secure_mx_the_base_and_both_forms_of_the_next_hop_count)
{
    CHECK_TEXT(NAMES(.mx = true, .mx_secure = true, .base = "mx.example.org", .host = "mx.example.org",
                     .next_hop = "example.com", .next_hop_canonical = "example.com"), "mx.example.org example.com");
    CHECK_TEXT(NAMES(.mx = true, .mx_secure = true, .base = "mx.example.org", .host = "mx.example.org",
                     .next_hop = "example.com", .next_hop_canonical = "mail.example.net"),
               "mx.example.org example.com mail.example.net");
    CHECK_TEXT(NAMES(.mx = true, .mx_secure = true, .base = "big.example.net", .host = "mx.example.org",
                     .next_hop = "example.com", .next_hop_canonical = NULL), "big.example.net example.com");
    CHECK_TEXT(NAMES(.mx = true, .mx_secure = true, .base = "example.com", .host = "example.com",
                     .next_hop = "Example.COM", .next_hop_canonical = "example.com"), "example.com");
}

/* DT-11 */
TEST(over_an_insecure_mx_only_the_host_counts)
{
    CHECK_TEXT(NAMES(.mx = true, .mx_secure = false, .base = "mx.example.org", .host = "mx.example.org",
                     .next_hop = "example.com", .next_hop_canonical = "example.net"), "mx.example.org");
    CHECK_TEXT(NAMES(.mx = true, .mx_secure = false, .base = "big.example.net", .host = "mx.example.org",
                     .next_hop = "example.com", .next_hop_canonical = "example.net"), "mx.example.org");
}

/* DT-16 */
TEST(without_mx_the_base_counts_and_the_next_hop_whose_expansion_it_is)
{
    for (int secure = 0; secure < 2; secure++) {
        CHECK_TEXT(NAMES(.mx_secure = secure, .base = "example.com", .host = "example.com",
                         .next_hop = "example.com", .next_hop_canonical = "example.com"), "example.com");
        CHECK_TEXT(NAMES(.mx_secure = secure, .base = "big.example.net", .host = "example.com",
                         .next_hop = "example.com", .next_hop_canonical = "big.example.net"),
                   "big.example.net example.com");
        CHECK_TEXT(NAMES(.mx_secure = secure, .base = "example.com", .host = "example.com",
                         .next_hop = "example.com", .next_hop_canonical = "big.example.net"), "example.com");
    }
}

/* DT-18 */
TEST(for_a_route_with_a_fixed_host_the_base_and_the_host_count)
{
    CHECK_TEXT(NAMES(.mx_secure = true, .base = "relay.example.org", .host = "relay.example.org"), "relay.example.org");
    CHECK_TEXT(NAMES(.mx_secure = true, .base = "big.example.net", .host = "relay.example.org"),
               "big.example.net relay.example.org");
}
