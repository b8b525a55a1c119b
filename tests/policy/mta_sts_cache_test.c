#include "tests/test.h"

#include "base/cursor.h"
#include "policy/mta_sts.h"

#define NOW DAYS(20000)
#define TEXT "version: STSv1\nmode: enforce\nmax_age: 604800\nmx: mx.example.org\nmx: *.example.net\n"

static struct arena arena;

static struct sts_cached made(struct slice text, time_ms wall, uint64_t random)
{
    struct sts_policy policy;
    struct sts_cached c;
    struct error why = { 0 };

    arena_done(&arena);
    arena_init(&arena, 512 * 1024);
    CHECK_OK(sts_policy_parse(text, &arena, &policy, &why), &why);
    sts_cached_set(&c, "20240101T000000", text, &policy, wall, random);
    return c;
}

static struct sts_cached aged(uint32_t max_age, time_ms wall, uint64_t random)
{
    static char text[128];

    snprintf(text, sizeof text, "version: STSv1\nmode: enforce\nmax_age: %u\nmx: mx.example.org\n", max_age);
    return made(slice_of(text), wall, random);
}

static struct sts_cached usual(void)
{
    return made(SLICE(TEXT), NOW, 0);
}

/* --- setting -------------------------------------------------------------------------- */

TEST(a_fresh_policy_is_kept_with_its_times)
{
    struct sts_cached c = usual();

    CHECK_TEXT(c.id, "20240101T000000");
    CHECK(c.fetched == NOW && c.failed == 0);
    CHECK_ID("MTASTS-080", c.expires == NOW + DAYS(7));
    CHECK_ID("MTASTS-081", c.refresh == NOW + DAYS(1));
    CHECK_SLICE(c.text, TEXT);
    CHECK_EQUAL(c.policy.mx_count, 2);
}

TEST(an_id_of_32_characters_is_kept_whole)
{
    struct sts_cached c;
    struct sts_policy none = { .max_age = 1 };

    sts_cached_set(&c, "0123456789abcdefABCDEF0123456789", SLICE("x"), &none, NOW, 0);
    CHECK_TEXT(c.id, "0123456789abcdefABCDEF0123456789");
}

TEST(the_refresh_is_spread_over_the_last_quarter_of_a_day_or_of_half_the_age)
{
    static const struct { uint32_t max_age; time_ms latest; } rows[] = {
        { 31557600, DAYS(1) }, { 604800, DAYS(1) }, { 172800, DAYS(1) }, { 172799, SECONDS(172799) / 2 },
        { 86400, HOURS(12) }, { 60, SECONDS(30) }, { 1, 500 }, { 0, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        time_ms earliest = rows[i].latest - rows[i].latest / 4, least = TIME_NEVER, most = 0;

        for (uint64_t n = 0; n < 2000; n++) {
            uint64_t random = n * 0x9e3779b97f4a7c15;
            struct sts_cached c = aged(rows[i].max_age, NOW, random);
            time_ms after = c.refresh - NOW;

            CHECK(after >= earliest && after <= rows[i].latest && c.refresh <= c.expires);
            least = after < least ? after : least;
            most = after > most ? after : most;
        }
        CHECK(most - least >= (rows[i].latest - earliest) * 9 / 10);
        CHECK(aged(rows[i].max_age, NOW, UINT64_MAX).refresh >= NOW + earliest);
    }
}

/* --- life ------------------------------------------------------------------------------- */

TEST(a_policy_lives_until_its_age_is_over)
{
    struct sts_cached c = usual();

    CHECK(sts_cached_lives(&c, NOW));
    CHECK_ID("MTASTS-080", sts_cached_lives(&c, NOW + DAYS(7) - 1));
    CHECK_ID("MTASTS-080", !sts_cached_lives(&c, NOW + DAYS(7)));
    CHECK(!sts_cached_lives(&c, NOW + DAYS(7) + 1));
    CHECK(!sts_cached_lives(&c, TIME_NEVER));
}

TEST(a_policy_of_age_zero_never_lives)
{
    struct sts_cached c = aged(0, NOW, 5);

    CHECK(c.expires == NOW && c.refresh == NOW);
    CHECK(!sts_cached_lives(&c, NOW));
    CHECK(!sts_cached_lives(&c, NOW + 1));
}

/* MTASTS-084 */
TEST(a_clock_that_goes_back_does_not_extend_a_life)
{
    struct sts_cached c = aged(31557600, NOW, 0), zero = { 0 };

    CHECK(sts_cached_lives(&c, NOW - 1));
    CHECK(sts_cached_lives(&c, NOW - DAYS(1)));
    CHECK(!sts_cached_lives(&c, NOW - DAYS(1) - 1));
    CHECK(!sts_cached_lives(&c, NOW - DAYS(3650)));
    CHECK(!sts_cached_lives(&c, 0));
    CHECK(!sts_cached_lives(&c, INT64_MIN));
    CHECK(!sts_cached_lives(&zero, NOW) && !sts_cached_lives(&zero, 0));
}

/* --- keeping ---------------------------------------------------------------------------- */

static struct slice encoded(const struct sts_cached *c)
{
    static struct buf out;

    buf_done(&out);
    buf_init(&out, 128 * 1024);
    sts_cached_encode(c, &out);
    CHECK(!out.failed);
    return buf_slice(&out);
}

TEST(what_is_encoded_decodes_to_the_same)
{
    struct sts_cached c = usual(), back;
    auto_arena struct arena other;

    c.failed = NOW + HOURS(30);
    arena_init(&other, 64 * 1024);
    CHECK(sts_cached_decode(encoded(&c), &other, &back));
    CHECK_TEXT(back.id, c.id);
    CHECK(back.fetched == c.fetched && back.expires == c.expires && back.refresh == c.refresh && back.failed == c.failed);
    CHECK_SLICE(back.text, TEXT);
    CHECK_EQUAL(back.policy.mode, STS_MODE_ENFORCE);
    CHECK_EQUAL(back.policy.max_age, 604800);
    CHECK_TEXT(sts_policy_match(&back.policy, "a.example.net"), "*.example.net");
}

TEST(the_longest_policy_can_be_kept)
{
    static char text[STS_POLICY_BYTES_MAX];
    struct sts_cached c, back;
    auto_arena struct arena other;

    memset(text, 'x', sizeof text);
    memcpy(text, TEXT "other: ", strlen(TEXT "other: "));
    c = made(slice(text, sizeof text), NOW, 0);
    arena_init(&other, 256 * 1024);
    CHECK(sts_cached_decode(encoded(&c), &other, &back));
    CHECK(slice_equal(back.text, c.text) && back.text.at != c.text.at);
}

static bool decodes(struct slice bytes)
{
    struct sts_cached back = { .fetched = 77 };
    bool good;
    auto_arena struct arena other;

    arena_init(&other, 512 * 1024);
    good = sts_cached_decode(bytes, &other, &back);
    CHECK(good || back.fetched == 77);
    return good;
}

TEST(bytes_cut_off_or_added_do_not_decode)
{
    struct sts_cached c = usual();
    struct slice bytes = encoded(&c);
    char more[512] = { 0 };

    for (size_t len = 0; len < bytes.len; len++)
        CHECK(!decodes(slice_first(bytes, len)));
    memcpy(more, bytes.at, bytes.len);
    CHECK(decodes(slice(more, bytes.len)));
    CHECK(!decodes(slice(more, bytes.len + 1)));
    CHECK(!decodes(slice(NULL, 0)));
}

TEST(each_byte_changed_decodes_to_something_whole_or_not_at_all)
{
    struct sts_cached c = usual();
    struct slice bytes = encoded(&c);
    char changed[512];

    for (size_t at = 0; at < bytes.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            struct sts_cached back;
            auto_arena struct arena other;

            memcpy(changed, bytes.at, bytes.len);
            changed[at] ^= (char)(1 << bit);
            arena_init(&other, 64 * 1024);
            if (!sts_cached_decode(slice(changed, bytes.len), &other, &back))
                continue;
            CHECK(back.expires == back.fetched + SECONDS(back.policy.max_age));
            CHECK(back.refresh >= back.fetched && back.refresh <= back.expires && back.failed >= 0);
        }
}

TEST(another_version_is_as_if_nothing_were_kept)
{
    struct sts_cached c = usual();
    struct slice bytes = encoded(&c);

    for (int version = 0; version < 256; version++) {
        char changed[512];

        memcpy(changed, bytes.at, bytes.len);
        changed[0] = (char)version;
        CHECK_EQUAL(decodes(slice(changed, bytes.len)), version == 1);
    }
}

TEST(values_that_make_no_sense_do_not_decode)
{
    struct sts_cached c = usual();

    c.id[0] = '\0';
    CHECK(!decodes(encoded(&c)));
    strcpy(c.id, "a b");
    CHECK(!decodes(encoded(&c)));

    c = usual();
    c.text = SLICE("version: STSv1\n");
    CHECK(!decodes(encoded(&c)));

    c = usual();
    c.fetched = -1;
    CHECK(!decodes(encoded(&c)));
    c.fetched = c.refresh = TIME_NEVER;
    CHECK(!decodes(encoded(&c)));

    c = usual();
    c.failed = -1;
    CHECK(!decodes(encoded(&c)));
}

/* A policy must not be lost because its refresh was put off for too long, or by a clock that jumped. */
TEST(a_refresh_outside_of_its_life_is_moved_into_it)
{
    static const struct { time_ms kept, wanted; } rows[] = {
        { NOW + DAYS(7), NOW + DAYS(7) }, { NOW + DAYS(7) + 1, NOW + DAYS(7) }, { NOW + DAYS(70), NOW + DAYS(7) },
        { NOW, NOW }, { NOW - 1, NOW }, { 0, NOW },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sts_cached c = usual(), back;
        auto_arena struct arena other;

        c.refresh = rows[i].kept;
        arena_init(&other, 64 * 1024);
        CHECK(sts_cached_decode(encoded(&c), &other, &back));
        CHECK(back.refresh == rows[i].wanted && back.expires == NOW + DAYS(7));
    }
}

/* The time of expiry is not believed but follows from the policy. */
TEST(nothing_kept_lives_longer_than_its_policy_says)
{
    struct sts_cached c = usual(), back;
    auto_arena struct arena other;

    c.expires = NOW + DAYS(3650);
    arena_init(&other, 64 * 1024);
    CHECK(sts_cached_decode(encoded(&c), &other, &back));
    CHECK(back.expires == NOW + DAYS(7));
}

TEST(an_arena_that_is_too_small_does_not_decode)
{
    struct sts_cached c = usual(), back;
    struct slice bytes = encoded(&c);
    bool good = false;

    for (size_t room = 0; !good; room += 8) {
        struct arena small;

        arena_init(&small, room);
        good = sts_cached_decode(bytes, &small, &back);
        if (good)
            CHECK_EQUAL(back.policy.mx_count, 2);
        arena_done(&small);
        CHECK(room < 1024);
    }
}
