#include "tests/test.h"

#include "queue/queue.h"
#include "tlsrpt/policy.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena memory;

static void begin(void)
{
    arena_done(&memory);
    arena_init(&memory, 4 * 1024 * 1024);
}

static struct report_policy sts_of(struct slice text)
{
    static const char *const mx[] = { "mx1.example.net", "*.example.net" };
    struct report_policy p;

    begin();
    CHECK(report_policy_of_sts("example.net", text, mx, 2, &memory, &p));
    CHECK_EQUAL(p.type, POLICY_STS);
    CHECK_TEXT(p.domain, "example.net");
    return p;
}

static const char *joined(const struct report_policy *p)
{
    static char text[2048];

    text[0] = '\0';
    for (size_t i = 0; i < p->string_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "|" : "", p->strings[i]);
    return text;
}

#define STS_LINES(text) ((struct report_policy[]){ sts_of(SLICE(text)) })

/* TLSRPT-035, -037 */
TEST(a_policy_file_is_quoted_line_by_line)
{
    struct report_policy p =
        sts_of(SLICE("version: STSv1\r\nmode:testing\r\nmx: mx1.example.net\r\nmx: *.example.net\r\nmax_age:  86400\r\n"));

    CHECK_TEXT(joined(&p), "version: STSv1|mode:testing|mx: mx1.example.net|mx: *.example.net|max_age:  86400");
    CHECK_EQUAL(p.mx_count, 2);
    CHECK_TEXT(p.mx[1], "*.example.net");
}

/* TLSRPT-035: "errors included" */
TEST(errors_of_a_policy_file_are_quoted_as_well)
{
    CHECK_TEXT(joined(STS_LINES("version: STSv1\nmx nonsense \n\n=\n mode: enforce\n")),
               "version: STSv1|mx nonsense ||=| mode: enforce");
    CHECK_TEXT(joined(STS_LINES("a\r\nb\r\n\r\n \n\t\r\n")), "a|b");
    CHECK_TEXT(joined(STS_LINES("a")), "a");
    CHECK_TEXT(joined(STS_LINES("a\rb\r\r\n")), "a\rb\r");
    CHECK_TEXT(joined(STS_LINES("")), "");
    CHECK_TEXT(joined(STS_LINES("\r\n\r\n")), "");
}

TEST(lines_that_no_json_can_hold_are_made_harmless)
{
    CHECK_TEXT(joined(STS_LINES("x: \xc3\xa4\nx: \xc3\nx: a\0b\nx: \xed\xa0\x80")), "x: \xc3\xa4|x: ?|x: a?b|x: ???");
}

TEST(a_policy_has_its_bounds)
{
    auto_buf struct buf text, kept;
    struct report_policy p;
    size_t bytes = 0;

    buf_init(&text, 1024 * 1024);
    for (int i = 0; i < 400; i++)
        buf_text(&text, "mx: mx%d.example.net\r\n", i);
    CHECK_EQUAL(sts_of(buf_slice(&text)).string_count, REPORT_STRINGS_MAX);
    buf_clear(&text);
    for (int i = 0; i < 60; i++)
        buf_text(&text, "%04d%*s\n", i, i % 2 ? REPORT_STRING_BYTES : 4000, "x");
    p = sts_of(buf_slice(&text));
    for (size_t i = 0; i < p.string_count; i++) {
        CHECK_EQUAL(strlen(p.strings[i]), 4004);
        bytes += strlen(p.strings[i]);
    }
    CHECK(bytes <= REPORT_POLICY_BYTES && bytes > REPORT_POLICY_BYTES - 5000);
    buf_init(&kept, NOTE_VALUE_MAX);
    report_policy_encode(&p, &kept);
    CHECK(!kept.failed);
    buf_done(&kept);
}

static const unsigned char digests[][32] = { { 0xab, 0x01, 0xff }, { 0x00 }, { 0x7f } };

static struct tlsa record(uint8_t usage, size_t digest)
{
    return (struct tlsa){ usage, 1, 1, slice(digests[digest], sizeof digests[digest]) };
}

/* TLSRPT-035, -036 */
TEST(tlsa_records_are_quoted_in_full)
{
    const struct tlsa r = { 3, 1, 1, slice(digests[0], 32) };
    struct report_policy p;

    begin();
    CHECK(report_policy_of_tlsa("mx1.example.net", &r, 1, &memory, &p));
    CHECK_EQUAL(p.type, POLICY_TLSA);
    CHECK_TEXT(p.domain, "mx1.example.net");
    CHECK_EQUAL(p.string_count, 1);
    CHECK_TEXT(p.strings[0], "3 1 1 ab01ff0000000000000000000000000000000000000000000000000000000000");
    CHECK_EQUAL(p.mx_count, 0);
}

TEST(records_that_are_nothing_do_no_harm)
{
    char *certificate = calloc(1, 20000);
    const struct tlsa r[] = { { 255, 255, 255, slice("", 0) }, { 3, 0, 0, slice(certificate, 2000) },
                              { 3, 0, 0, slice(certificate, 20000) } };
    struct report_policy p;

    begin();
    CHECK(report_policy_of_tlsa("mx1.example.net", r, 3, &memory, &p));
    CHECK_EQUAL(p.string_count, 2);
    CHECK_TEXT(p.strings[0], "255 255 255");
    CHECK_EQUAL(strlen(p.strings[1]), 6 + 4000);
    CHECK(report_policy_of_tlsa("mx1.example.net", NULL, 0, &memory, &p));
    CHECK_EQUAL(p.string_count, 0);
    free(certificate);
}

/* TLSRPT-018 */
TEST(a_set_of_records_that_was_turned_about_is_the_same_policy)
{
    const struct tlsa one[] = { record(3, 0), record(3, 1), record(2, 2) }, two[] = { record(2, 2), record(3, 0), record(3, 1) };
    struct report_policy a, b;

    begin();
    CHECK(report_policy_of_tlsa("mx1.example.net", one, 3, &memory, &a));
    CHECK(report_policy_of_tlsa("mx1.example.net", two, 3, &memory, &b));
    CHECK_TEXT(a.strings[0], b.strings[0]);
    CHECK(report_policy_id(&a) == report_policy_id(&b));
    CHECK(report_policy_of_tlsa("mx1.example.net", two, 2, &memory, &b));
    CHECK(report_policy_id(&a) != report_policy_id(&b));
}

/* TLSRPT-018: "changed policy during the day → separate entries" */
TEST(whatever_differs_in_a_policy_gives_it_another_id)
{
    static const char *const strings[] = { "ab", "c" }, *const shifted[] = { "a", "bc" };
    const struct report_policy base = { POLICY_STS, "example.net", strings, 2, strings, 1 };
    struct report_policy other[] = { base, base, base, base, base, base };

    other[0].type = POLICY_TLSA;
    other[1].domain = "example.org";
    other[2].strings = shifted;
    other[3].string_count = 1;
    other[4].mx_count = 2;
    other[5].mx_count = 0;
    for (size_t i = 0; i < 6; i++)
        CHECK(report_policy_id(&base) != report_policy_id(&other[i]));
    CHECK(report_policy_id(&base) > REPORT_POLICY_NONE);
}

/* On disk: a postern of tomorrow must find what one of today kept. */
TEST(ids_and_keys_never_change)
{
    static const char *const strings[] = { "3 1 1 00" };
    const struct report_policy p = { POLICY_TLSA, "mx.example.net", strings, 1, NULL, 0 };
    char key[REPORT_POLICY_KEY_MAX];

    CHECK_TEXT(report_policy_key(0x1f, key), "000000000000001f");
    CHECK(report_hash(SLICE("abc")) == 0xba7816bf8f01cfea);     /* FIPS 180-2 B.1 */
    CHECK_TEXT(report_policy_key(report_policy_id(&p), key), "5eb85285f48aa1a9");
}

TEST(what_is_kept_reads_as_it_was)
{
    const struct slice text = SLICE("version: STSv1\nmode: enforce\n");
    struct report_policy p = sts_of(text), q;
    auto_buf struct buf b;

    buf_init(&b, NOTE_VALUE_MAX);
    report_policy_encode(&p, &b);
    CHECK(report_policy_decode(buf_slice(&b), &memory, &q));
    CHECK_EQUAL(q.type, POLICY_STS);
    CHECK_TEXT(q.domain, "example.net");
    CHECK_EQUAL(q.string_count, 2);
    CHECK_TEXT(q.strings[1], "mode: enforce");
    CHECK_EQUAL(q.mx_count, 2);
    CHECK_TEXT(q.mx[0], "mx1.example.net");
    CHECK(report_policy_id(&p) == report_policy_id(&q));
}

TEST(damaged_bytes_are_no_policy)
{
    struct report_policy p = sts_of(SLICE("version: STSv1\nmode: enforce\n")), q = { .domain = "untouched" };
    auto_buf struct buf b;
    struct arena small;

    buf_init(&b, NOTE_VALUE_MAX);
    report_policy_encode(&p, &b);
    for (size_t len = 0; len < buf_len(&b); len++)
        CHECK(!report_policy_decode(slice_first(buf_slice(&b), len), &memory, &q));
    for (size_t most = 0; most < 64; most++) {
        arena_init(&small, most);
        CHECK(!report_policy_decode(buf_slice(&b), &small, &q));
        arena_done(&small);
    }
    buf_byte(&b, 0);
    CHECK(!report_policy_decode(buf_slice(&b), &memory, &q));
    buf_clear(&b);
    buf_u8(&b, 1);
    buf_block(&b, SLICE("sts"));
    buf_block(&b, SLICE("exam\0ple"));
    buf_u32(&b, 0);
    buf_u32(&b, 0);
    CHECK(!report_policy_decode(buf_slice(&b), &memory, &q));
    buf_clear(&b);
    buf_u8(&b, 1);
    buf_block(&b, SLICE("sts"));
    buf_block(&b, SLICE("example"));
    buf_u32(&b, UINT32_MAX);
    CHECK(!report_policy_decode(buf_slice(&b), &memory, &q));
    CHECK_TEXT(q.domain, "untouched");
}

TEST(a_full_arena_makes_no_policy)
{
    const struct tlsa r = record(3, 0);
    struct report_policy p;

    for (size_t most = 0; most < 100; most++) {
        struct arena small;

        arena_init(&small, most);
        CHECK(!report_policy_of_tlsa("mx1.example.net", &r, 1, &small, &p));
        arena_done(&small);
        arena_init(&small, most);
        CHECK(!report_policy_of_sts("example.net", SLICE("version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 86400\n"),
                                    NULL, 0, &small, &p));
        arena_done(&small);
    }
}
