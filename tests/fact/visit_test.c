/* Visits and receipts as keys: what a question needs comes back, and strangers cannot make many of one. */
#include "tests/test.h"

#include "fact/tally_kind.h"
#include "fact/visit.h"

static struct visit a_visit(const char *address)
{
    struct visit v = { .role = VISIT_SUBMISSION, .end = VISIT_SENT, .name = "scanner.example.org", .user = "scanner",
                       .version = TLS_1_0, .group = "P-256", .cipher = "ECDHE-RSA-AES256-SHA", .problem = "" };

    CHECK(address_parse_ip(slice_of(address), &v.client));
    v.client.port = 40000;
    return v;
}

static struct visit through(const struct visit *v, struct arena *arena)
{
    auto_buf struct buf bytes = { 0 };
    struct visit out;

    buf_init(&bytes, 2048);
    visit_encode(v, &bytes);
    CHECK(!bytes.failed);
    CHECK(visit_decode(buf_slice(&bytes), arena, &out));
    return out;
}

TEST(a_visit_comes_back_without_its_port)
{
    static const char *const addresses[] = { "192.0.2.7", "2001:db8::7" };
    auto_arena struct arena arena = { 0 };

    arena_init(&arena, 4096);
    for (size_t i = 0; i < 2; i++) {
        struct visit v = a_visit(addresses[i]), out;

        v.password_in_clear = true;
        out = through(&v, &arena);
        CHECK(address_same_ip(&out.client, &v.client) && out.client.port == 0);
        CHECK(out.role == VISIT_SUBMISSION && out.end == VISIT_SENT && out.version == TLS_1_0 && out.password_in_clear);
        CHECK_TEXT(out.name, "scanner.example.org");
        CHECK_TEXT(out.user, "scanner");
        CHECK_TEXT(out.group, "P-256");
        CHECK_TEXT(out.cipher, "ECDHE-RSA-AES256-SHA");
    }
}

TEST(keys_of_one_client_stand_together)
{
    auto_buf struct buf bytes = { 0 };
    const struct visit v = a_visit("192.0.2.7");

    buf_init(&bytes, 2048);
    visit_encode(&v, &bytes);
    CHECK(slice_starts(buf_slice(&bytes), SLICE("\x03\x01\x04\xc0\x00\x02\x07\x13scanner.example.org")));
}

/* A name that differs each time would be another key each time. */
TEST(what_a_client_says_in_quotes_is_not_kept)
{
    static const struct { const char *said, *kept; } rows[] = {
        { "", "" },
        { "unsupported protocol", "unsupported protocol" },
        { "TLS handshake failed: no shared cipher", "no shared cipher" },
        { "no certificate here is for the name \"a1b2.example.org\" that the peer asked for",
          "no certificate here is for the name \"...\" that the peer asked for" },
        { "the peer answered in clear (starts \"EHLO", "the peer answered in clear (starts \"..." },
        { "\"one\" and \"two\"", "\"...\" and \"...\"" },
    };
    auto_arena struct arena arena = { 0 };

    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct visit v = a_visit("192.0.2.7");

        v.problem = rows[i].said;
        CHECK_TEXT(through(&v, &arena).problem, rows[i].kept);
    }
}

TEST(strings_are_bounded_whatever_a_client_says)
{
    auto_arena struct arena arena = { 0 };
    char longest[2001] = "", quotes[2001] = "";
    struct visit v = a_visit("2001:db8::7"), out;

    arena_init(&arena, 4096);
    memset(longest, 'x', 2000);
    memset(quotes, '"', 2000);
    v.name = v.user = longest;
    v.problem = longest;
    out = through(&v, &arena);
    CHECK_EQUAL(strlen(out.name), 255);
    CHECK_EQUAL(strlen(out.user), 255);
    CHECK(strlen(out.problem) <= 255);
    v.problem = quotes;
    out = through(&v, &arena);
    CHECK(strlen(out.problem) <= 255);
}

TEST(beyond_the_bound_nobody_is_named)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf one = { 0 }, other = { 0 };
    struct visit v = a_visit("192.0.2.7"), out;

    arena_init(&arena, 4096);
    buf_init(&one, 2048);
    buf_init(&other, 2048);
    visit_rest(&v, &one);
    v = a_visit("2001:db8::7");
    v.name = "other";
    v.user = v.cipher = "";
    v.problem = "what it says";
    visit_rest(&v, &other);
    CHECK(slice_equal(buf_slice(&one), buf_slice(&other)));
    CHECK(visit_decode(buf_slice(&one), &arena, &out));
    CHECK(out.client.family == 0 && out.name[0] == '\0' && out.user[0] == '\0');
    CHECK(out.role == VISIT_SUBMISSION && out.version == TLS_1_0);
}

TEST(what_is_no_visit_is_refused)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    const struct visit v = a_visit("192.0.2.7");
    struct visit out;

    arena_init(&arena, 1024 * 1024);
    buf_init(&bytes, 2048);
    visit_encode(&v, &bytes);
    for (size_t cut = 0; cut < buf_len(&bytes); cut++)
        CHECK(!visit_decode(slice_first(buf_slice(&bytes), cut), &arena, &out));
    buf_byte(&bytes, '\0');
    CHECK(!visit_decode(buf_slice(&bytes), &arena, &out));
    CHECK(!visit_decode(SLICE("\x03\x00\x05\x01\x02\x03\x04\x05\x00\x00\x00\x00\x00\x00\x00\x00"), &arena, &out));
    CHECK(visit_decode(SLICE("\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), &arena, &out));
    CHECK(!visit_decode(SLICE("\x03\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"), &arena, &out));
    CHECK(!visit_decode(SLICE("\x03\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00"), &arena, &out));
}

TEST(a_receipt_comes_back_and_its_rest_is_the_same_for_all)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    struct receipt r = { "Example.NET", TLS_1_3, "X25519", "TLS_AES_256_GCM_SHA384" }, out;
    struct visit visit;

    arena_init(&arena, 4096);
    buf_init(&bytes, 2048);
    receipt_encode(&r, &bytes);
    CHECK_EQUAL(buf_slice(&bytes).at[0], TALLY_RECEIVED);
    CHECK(receipt_decode(buf_slice(&bytes), &arena, &out) && !visit_decode(buf_slice(&bytes), &arena, &visit));
    CHECK_TEXT(out.domain, "example.net");
    CHECK_TEXT(out.group, "X25519");
    CHECK_EQUAL(out.version, TLS_1_3);
    for (size_t cut = 0; cut < buf_len(&bytes); cut++)
        CHECK(!receipt_decode(slice_first(buf_slice(&bytes), cut), &arena, &out));
    buf_clear(&bytes);
    receipt_rest(&r, &bytes);
    CHECK(receipt_decode(buf_slice(&bytes), &arena, &out));
    CHECK_TEXT(out.domain, "(others)");
    CHECK_TEXT(out.cipher, "");
}
