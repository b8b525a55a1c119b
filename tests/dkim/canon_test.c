#include "tests/test.h"

#include "base/buf.h"
#include "dkim/canon.h"
#include "tests/dkim/hand.h"

/* --- fields ------------------------------------------------------------------------ */

static void check_field(const char *field, enum dkim_canon canon, const char *wanted)
{
    auto_buf struct buf out = { 0 }, slow = { 0 };

    buf_init(&out, 2 * strlen(field) + 1);
    buf_init(&slow, 2 * strlen(field) + 3);
    dkim_canon_field(slice_of(field), canon, &out);
    CHECK(!out.failed);
    CHECK_SLICE(buf_slice(&out), wanted);
    hand_field(slice_of(field), canon == DKIM_SIMPLE, &slow);
    CHECK(slice_equal(slice_first(buf_slice(&slow), buf_len(&slow) - 2), buf_slice(&out)));
}

/* RFC 6376 3.4.5 */
TEST(the_rfcs_fields_are_relaxed)
{
    check_field("A: X", DKIM_RELAXED, "a:X");
    check_field("B : Y\t\r\n\tZ  ", DKIM_RELAXED, "b:Y Z");
}

TEST(the_rfcs_fields_stay_simple)
{
    check_field("A: X", DKIM_SIMPLE, "A: X");
    check_field("B : Y\t\r\n\tZ  ", DKIM_SIMPLE, "B : Y\t\r\n\tZ  ");
}

TEST(relaxed_fields_have_single_spaces)
{
    check_field("Subject:", DKIM_RELAXED, "subject:");
    check_field("SUBJECT: \t ", DKIM_RELAXED, "subject:");
    check_field("Subject\t :a  b\t\tc", DKIM_RELAXED, "subject:a b c");
    check_field("Subject:\r\n a\r\n \r\n\tb\r\n ", DKIM_RELAXED, "subject:a b");
    check_field("Subject: a: B :c", DKIM_RELAXED, "subject:a: B :c");
    check_field("Subject: \xc3\x9c\x01", DKIM_RELAXED, "subject:\xc3\x9c\x01");
}

TEST(bare_line_ends_of_folds_are_folds)
{
    check_field("Subject: a\n b", DKIM_RELAXED, "subject:a b");
    check_field("Subject: a\n b\r\n c", DKIM_SIMPLE, "Subject: a\r\n b\r\n c");
    check_field("Subject:\n b", DKIM_SIMPLE, "Subject:\r\n b");
}

TEST(a_bare_cr_is_a_byte_of_a_field)
{
    check_field("Subject: a \r b\r", DKIM_RELAXED, "subject:a \r b\r");
    check_field("Subject: a \r b\r", DKIM_SIMPLE, "Subject: a \r b\r");
}

/* --- bodies -------------------------------------------------------------------------- */

static void hash_in_pieces(struct slice body, enum dkim_canon canon, size_t first, size_t piece, uint8_t out[SHA256_BYTES])
{
    struct sha256 *hash = sha256_new();
    struct dkim_body b;

    dkim_body_init(&b, canon, hash);
    dkim_body_add(&b, slice_first(body, first));
    for (struct slice rest = slice_after(body, first); rest.len > 0; rest = slice_after(rest, piece))
        dkim_body_add(&b, slice_first(rest, piece));
    dkim_body_end(&b, out);
    sha256_free(hash);
}

static void check_body(struct slice body, enum dkim_canon canon, struct slice wanted)
{
    uint8_t digest[SHA256_BYTES], right[SHA256_BYTES];

    sha256_of(wanted, right);
    for (size_t cut = 0; cut <= body.len; cut++) {
        hash_in_pieces(body, canon, cut, body.len + 1, digest);
        if (memcmp(digest, right, sizeof right) != 0)
            fail_msg("\"%.*s\" cut at %zu is not \"%.*s\"", SLICE_ARGS(body), cut, SLICE_ARGS(wanted));
    }
    hash_in_pieces(body, canon, 0, 1, digest);
    CHECK(memcmp(digest, right, sizeof right) == 0);
}

#define CHECK_BODY(body, simple, relaxed)                       \
    do {                                                        \
        check_body(SLICE(body), DKIM_SIMPLE, SLICE(simple));    \
        check_body(SLICE(body), DKIM_RELAXED, SLICE(relaxed));  \
    } while (0)

/* RFC 6376 3.4.5 */
TEST(the_rfcs_body_in_both_forms)
{
    CHECK_BODY(" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n");
}

/* RFC 6376 3.4.3, 3.4.4 */
TEST(no_body_is_one_line_end_or_nothing)
{
    CHECK_BODY("", "\r\n", "");
    CHECK_BODY("\r\n", "\r\n", "");
    CHECK_BODY("\r\n\r\n\r\n", "\r\n", "");
    CHECK_BODY(" \t\r\n", " \t\r\n", "");
    CHECK_BODY(" ", " \r\n", "");
}

TEST(a_missing_line_end_is_added)
{
    CHECK_BODY("a", "a\r\n", "a\r\n");
    CHECK_BODY("a\r\nb", "a\r\nb\r\n", "a\r\nb\r\n");
    CHECK_BODY("a \t", "a \t\r\n", "a\r\n");
    CHECK_BODY("a\r\n\r\n ", "a\r\n\r\n \r\n", "a\r\n");
}

TEST(empty_lines_count_only_before_others)
{
    CHECK_BODY("\r\n\r\na\r\n\r\n\r\nb\r\n\r\n", "\r\n\r\na\r\n\r\n\r\nb\r\n", "\r\n\r\na\r\n\r\n\r\nb\r\n");
    CHECK_BODY("a\r\n \r\nb \r\n  \r\n", "a\r\n \r\nb \r\n  \r\n", "a\r\n\r\nb\r\n");
}

TEST(blanks_within_a_line_become_one_space)
{
    CHECK_BODY("a b  c\t\td \te\r\n", "a b  c\t\td \te\r\n", "a b c d e\r\n");
    CHECK_BODY("  a\r\n\tb\r\n", "  a\r\n\tb\r\n", " a\r\n b\r\n");
}

TEST(bare_line_ends_are_line_ends)
{
    CHECK_BODY("a\nb \n\nc\n\n", "a\r\nb \r\n\r\nc\r\n", "a\r\nb\r\n\r\nc\r\n");
    CHECK_BODY("a\r\nb\nc\r\n", "a\r\nb\r\nc\r\n", "a\r\nb\r\nc\r\n");
}

TEST(a_bare_cr_is_any_byte_of_a_body)
{
    CHECK_BODY("a\rb\r\r\nc \r d\r", "a\rb\r\r\nc \r d\r\r\n", "a\rb\r\r\nc \r d\r\r\n");
    CHECK_BODY("\r", "\r\r\n", "\r\r\n");
    CHECK_BODY("a \r \r\n", "a \r \r\n", "a \r\r\n");
    CHECK_BODY("\r\r\n\r\n", "\r\r\n", "\r\r\n");
}

TEST(many_empty_lines_are_kept_when_something_follows)
{
    auto_buf struct buf body = { 0 };
    uint8_t digest[SHA256_BYTES], right[SHA256_BYTES];

    buf_init(&body, 20000);
    for (int i = 0; i < 5000; i++)
        buf_add(&body, SLICE("\r\n"));
    hash_in_pieces(buf_slice(&body), DKIM_RELAXED, 0, 999, digest);
    sha256_of(SLICE(""), right);
    CHECK(memcmp(digest, right, sizeof right) == 0);
    buf_add(&body, SLICE("x\r\n"));
    hash_in_pieces(buf_slice(&body), DKIM_RELAXED, 0, 999, digest);
    sha256_of(buf_slice(&body), right);
    CHECK(memcmp(digest, right, sizeof right) == 0);
}

/* --- random bodies against the slow way ------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

TEST(random_bodies_come_out_as_the_slow_way_has_them)
{
    static const char *const PARTS[] = { "a", "word", " ", "  ", "\t", "\r\n", "\r\n", "\n", "\r", "\r\n\r\n", "\xff", "." };
    uint32_t seed = 8463;

    for (int round = 0; round < 4000; round++) {
        auto_buf struct buf body = { 0 };

        buf_init(&body, 400);
        for (uint32_t parts = next_random(&seed) % 24; parts > 0; parts--)
            buf_add(&body, slice_of(PARTS[next_random(&seed) % (sizeof PARTS / sizeof *PARTS)]));
        for (int simple = 0; simple <= 1; simple++) {
            auto_buf struct buf slow = { 0 };
            uint8_t digest[SHA256_BYTES], right[SHA256_BYTES];

            buf_init(&slow, 1000);
            hand_body(buf_slice(&body), simple, &slow);
            sha256_of(buf_slice(&slow), right);
            hash_in_pieces(buf_slice(&body), simple ? DKIM_SIMPLE : DKIM_RELAXED, next_random(&seed) % (buf_len(&body) + 1),
                           1 + next_random(&seed) % 9, digest);
            if (memcmp(digest, right, sizeof right) != 0)
                fail_msg("round %d: \"%.*s\"", round, SLICE_ARGS(buf_slice(&body)));
        }
    }
}
