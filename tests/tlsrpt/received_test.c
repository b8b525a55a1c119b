#include "tests/test.h"

#include "tests/tlsrpt/fixture.h"
#include "tlsrpt/gzip.h"
#include "tlsrpt/read.h"

#include <stdio.h>

static struct error why;

/* What the letter says, as it would be kept. */
static struct received_report received(const char *name, struct arena *arena)
{
    auto_buf struct buf file = { 0 };
    struct received_report r = { .way = REPORT_BY_HTTPS, .trust = REPORT_UNSIGNED, .submitter = "example.com",
                                 .peer = "192.0.2.7", .received = SECONDS(1795300000), .foreign = true };
    struct report_letter letter;

    arena_init(arena, REPORT_ARENA_MAX);
    CHECK_OK(report_letter_read(fixture(name, &file), arena, &letter, &why), &why);
    r.report = letter.report;
    r.notes = letter.notes;
    return r;
}

static void check_strings(const char *const *a, size_t count, const char *const *b, size_t other)
{
    CHECK_EQUAL(count, other);
    for (size_t i = 0; i < count; i++)
        CHECK_TEXT(a[i], b[i]);
}

static void check_entry(const struct report_entry *a, const struct report_entry *b)
{
    CHECK_EQUAL(a->policy.type, b->policy.type);
    CHECK_TEXT(a->type_text, b->type_text);
    CHECK_TEXT(a->policy.domain, b->policy.domain);
    check_strings(a->policy.strings, a->policy.string_count, b->policy.strings, b->policy.string_count);
    check_strings(a->policy.mx, a->policy.mx_count, b->policy.mx, b->policy.mx_count);
    CHECK_EQUAL(a->successes, b->successes);
    CHECK_EQUAL(a->failures, b->failures);
    CHECK_EQUAL(a->detail_count, b->detail_count);
    for (size_t i = 0; i < a->detail_count; i++) {
        CHECK_TEXT(a->details[i].result_type, b->details[i].result_type);
        CHECK_TEXT(a->details[i].receiving_ip, b->details[i].receiving_ip);
        CHECK_TEXT(a->details[i].mx, b->details[i].mx);
        CHECK_TEXT(a->details[i].reason, b->details[i].reason);
        CHECK_EQUAL(a->details[i].count, b->details[i].count);
    }
}

TEST(what_is_kept_comes_back_as_it_was)
{
    static const char *const names[] = { "text_first.eml", "html_first.eml", "never_closed.eml", "octet_stream.eml" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        auto_arena struct arena one = { 0 }, two = { 0 };
        struct received_report a = received(names[i], &one), b;
        auto_buf struct buf value = { 0 };

        arena_init(&two, RECEIVED_ARENA_MAX);
        buf_init(&value, RECEIVED_VALUE_MAX);
        received_report_encode(&a, &value);
        CHECK(!value.failed);
        CHECK(received_report_decode(buf_slice(&value), &two, &b));
        CHECK_TEXT(a.report.organization, b.report.organization);
        CHECK_TEXT(a.report.contact, b.report.contact);
        CHECK_TEXT(a.report.id, b.report.id);
        CHECK_TEXT(a.submitter, b.submitter);
        CHECK_TEXT(a.peer, b.peer);
        CHECK(a.report.begin == b.report.begin && a.report.end == b.report.end && a.received == b.received);
        CHECK(a.way == b.way && a.trust == b.trust && a.foreign == b.foreign);
        check_strings(a.notes.at, a.notes.count, b.notes.at, b.notes.count);
        CHECK_EQUAL(a.report.entry_count, b.report.entry_count);
        for (size_t k = 0; k < a.report.entry_count; k++)
            check_entry(&a.report.entries[k], &b.report.entries[k]);
    }
}

/* TLSRPT-092. */
TEST(the_key_is_of_submitter_and_id)
{
    struct received_report r = { .submitter = "example.net", .report.id = "a" };
    char one[RECEIVED_KEY_MAX], two[RECEIVED_KEY_MAX];

    CHECK_TEXT(received_report_key(&r, one), "example.net/af63dc4c8601ec8c");
    r.report.id = "b";
    CHECK(strcmp(received_report_key(&r, two), one) != 0);
    r.report.id = "a";
    CHECK_TEXT(received_report_key(&r, two), one);
    r.trust = REPORT_UNSIGNED;
    CHECK_TEXT(received_report_key(&r, two), "example.net/af63dc4c8601ec8c-unsigned");
    CHECK_TEXT(received_report_key_as(&r, REPORT_SIGNED, two), one);
}

TEST(the_longest_submitter_fits_the_key)
{
    char name[400], key[RECEIVED_KEY_MAX];
    struct received_report r = { .submitter = name, .report.id = "a", .trust = REPORT_UNSIGNED };

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK(strlen(received_report_key(&r, key)) < RECEIVED_KEY_MAX);
    CHECK_SLICE(slice_after(slice_of(key), 253), "/af63dc4c8601ec8c-unsigned");
}

/* --- reports larger than a note -------------------------------------------------------- */

static const char *noise(char *text, size_t len, uint32_t *seed)
{
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 1664525 + 1013904223;
        text[i] = (char)('!' + (*seed >> 16) % 90);
    }
    text[len] = '\0';
    return text;
}

/* As large as a reader lets it be, of bytes that cannot be packed. */
static struct received_report hostile(struct arena *arena, size_t entries, size_t details, size_t strings)
{
    struct received_report r = { .submitter = "example.net", .peer = "" };
    const char *text;
    uint32_t seed = 7;

    arena_init(arena, 512 * 1024 * 1024);
    text = noise(arena_take(arena, REPORT_TEXT_MAX + 1), REPORT_TEXT_MAX, &seed);
    r.report = (struct report){ .organization = text, .contact = text, .id = text, .entry_count = entries };
    r.report.entries = arena_take(arena, entries * sizeof *r.report.entries);
    for (size_t i = 0; i < entries; i++) {
        struct report_entry *e = &r.report.entries[i];
        const char **at = arena_take(arena, strings * sizeof *at + 1);

        *e = (struct report_entry){ .type_text = "", .successes = 1, .failures = 2, .detail_count = details };
        e->policy = (struct report_policy){ POLICY_STS, "example.org", at, strings, at, strings };
        e->details = arena_take(arena, details * sizeof *e->details + 1);
        for (size_t k = 0; k < strings; k++)
            at[k] = noise(arena_take(arena, 129), 128, &seed);
        for (size_t k = 0; k < details; k++) {
            text = noise(arena_take(arena, 129), 128, &seed);
            e->details[k] = (struct report_failure){ text, text, text, text, text,
                                                     noise(arena_take(arena, 129), 128, &seed), text, 3 };
        }
    }
    return r;
}

static void check_folded(size_t entries, size_t details, size_t strings)
{
    auto_arena struct arena one = { 0 }, two = { 0 };
    struct received_report r = hostile(&one, entries, details, strings), back;
    auto_buf struct buf value = { 0 };
    uint64_t successes = 0, failures = 0, counted = 0;

    arena_init(&two, RECEIVED_ARENA_MAX);
    buf_init(&value, RECEIVED_VALUE_MAX);
    received_report_encode(&r, &value);
    CHECK(!value.failed && buf_len(&value) > 0);
    CHECK(received_report_decode(buf_slice(&value), &two, &back));
    for (size_t i = 0; i < back.report.entry_count; i++) {
        successes += back.report.entries[i].successes;
        failures += back.report.entries[i].failures;
    }
    CHECK_EQUAL(successes, entries);
    CHECK_EQUAL(failures, 2 * entries);
    for (size_t k = 0; k < back.report.entries[0].detail_count; k++)
        counted += back.report.entries[0].details[k].count;
    CHECK_EQUAL(counted, 3 * details);
    CHECK_EQUAL(back.notes.count, 1);
    CHECK_TEXT(back.report.id, r.report.id);
}

TEST(what_does_not_fit_a_note_is_folded_and_no_count_is_lost)
{
    check_folded(1, REPORT_DETAILS_MAX, 4);
    check_folded(4, 10, REPORT_STRINGS_MAX);
    check_folded(REPORT_ENTRIES_MAX, 3, 3);
    check_folded(100, 100, 100);
}

/* Ten thousand equal tuples pack to nothing, but must come back through a bound that refuses bombs. */
TEST(what_packs_well_is_kept_whole_up_to_a_mebibyte)
{
    auto_arena struct arena one = { 0 }, two = { 0 };
    struct received_report r = { .submitter = "example.net", .peer = "", .report = { "", "", "id" } }, back;
    auto_buf struct buf value = { 0 };
    struct report_entry *entries;

    arena_init(&one, REPORT_ARENA_MAX);
    arena_init(&two, RECEIVED_ARENA_MAX);
    entries = arena_take(&one, REPORT_ENTRIES_MAX * sizeof *entries);
    for (size_t i = 0; i < REPORT_ENTRIES_MAX; i++) {
        entries[i] = (struct report_entry){ .policy.domain = "example.org", .type_text = "", .detail_count = 10 };
        entries[i].details = arena_take(&one, 10 * sizeof *entries[i].details);
        for (size_t k = 0; k < 10; k++)
            entries[i].details[k] = (struct report_failure){ "certificate-expired", "192.0.2.1", "192.0.2.2", "mx", "", "", "", 1 };
    }
    r.report.entries = entries;
    r.report.entry_count = REPORT_ENTRIES_MAX;
    buf_init(&value, RECEIVED_VALUE_MAX);
    received_report_encode(&r, &value);
    CHECK(received_report_decode(buf_slice(&value), &two, &back));
    CHECK(back.report.entry_count > 100);
}

TEST(more_than_a_note_holds_in_a_smaller_buf_fails_it)
{
    auto_arena struct arena one = { 0 };
    struct received_report r = received("html_first.eml", &one);
    auto_buf struct buf value = { 0 };

    buf_init(&value, 16);
    received_report_encode(&r, &value);
    CHECK(value.failed);
}

/* --- what was not made by us --------------------------------------------------------------- */

static bool decodes(struct slice plain)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf packed = { 0 };
    struct received_report r;

    arena_init(&arena, RECEIVED_ARENA_MAX);
    buf_init(&packed, 2 * 1024 * 1024);
    CHECK_OK(gzip_pack(plain, &packed, &why), &why);
    return received_report_decode(buf_slice(&packed), &arena, &r);
}

TEST(every_cut_of_a_value_is_refused)
{
    auto_arena struct arena one = { 0 };
    struct received_report r = received("html_first.eml", &one);
    auto_buf struct buf value = { 0 }, plain = { 0 }, longer = { 0 };

    buf_init(&value, RECEIVED_VALUE_MAX);
    received_report_encode(&r, &value);
    buf_init(&plain, 1000000);
    CHECK_OK(gzip_unpack(buf_slice(&value), &plain, &why), &why);
    CHECK(decodes(buf_slice(&plain)));
    for (size_t len = 0; len < buf_len(&plain); len++)
        CHECK(!decodes(slice_first(buf_slice(&plain), len)));
    buf_init(&longer, 1000000);
    buf_add(&longer, buf_slice(&plain));
    buf_byte(&longer, 'x');
    CHECK(!decodes(buf_slice(&longer)));
    for (size_t at = 0; at < 4; at++) {     /* version, way, trust, foreign */
        buf_clear(&longer);
        buf_add(&longer, buf_slice(&plain));
        longer.memory[longer.start + at] = 9;
        CHECK(!decodes(buf_slice(&longer)));
    }
    CHECK(!received_report_decode(SLICE(""), &one, &r));
    CHECK(!received_report_decode(SLICE("not gzip"), &one, &r));
}
