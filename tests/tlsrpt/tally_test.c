#include "tests/test.h"

#include "fact/tally_kind.h"
#include "queue/queue.h"
#include "tlsrpt/tally.h"

static struct arena memory;

static struct slice key_in(struct buf *b, const struct report_tally *t)
{
    buf_done(b);
    buf_init(b, TALLY_KEY_MAX);
    report_tally_encode(t, b);
    CHECK(!b->failed);
    return buf_slice(b);
}

static struct report_tally back(struct slice key)
{
    struct report_tally t = { 0 };

    arena_done(&memory);
    arena_init(&memory, 8192);
    CHECK(report_tally_decode(key, &memory, &t));
    return t;
}

static const struct report_tally failure = {
    .domain = "example.net", .policy = 0x0123456789abcdef, .result_type = "certificate-expired", .sending_ip = "192.0.2.1",
    .receiving_ip = "2001:db8::1", .mx = "mx1.example.net", .helo = "mx.example.net", .reason = "tls-timeout",
};

static int compare(struct slice a, struct slice b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

TEST(a_failure_reads_as_it_was_written)
{
    auto_buf struct buf b = { 0 };
    struct report_tally t = back(key_in(&b, &failure));

    CHECK_EQUAL(buf_slice(&b).at[0], TALLY_REPORT);
    CHECK_TEXT(t.domain, failure.domain);
    CHECK(t.policy == failure.policy);
    CHECK_TEXT(t.result_type, failure.result_type);
    CHECK_TEXT(t.sending_ip, failure.sending_ip);
    CHECK_TEXT(t.receiving_ip, failure.receiving_ip);
    CHECK_TEXT(t.mx, failure.mx);
    CHECK_TEXT(t.helo, failure.helo);
    CHECK_TEXT(t.reason, failure.reason);
}

/* TLSRPT-020: one counter for them all */
TEST(successes_are_not_told_apart)
{
    struct report_tally one = failure, two = { .domain = "example.net", .policy = failure.policy };
    auto_buf struct buf a = { 0 }, b = { 0 };
    struct report_tally t;

    one.result_type = "";
    CHECK(slice_equal(key_in(&a, &one), key_in(&b, &two)));
    t = back(buf_slice(&a));
    CHECK_TEXT(t.result_type, "");
    CHECK_TEXT(t.mx, "");
}

TEST(any_difference_makes_another_key)
{
    struct report_tally other[] = { failure, failure, failure, failure, failure, failure, failure, failure };
    auto_buf struct buf a = { 0 }, b = { 0 };

    other[0].domain = "example.com";
    other[1].policy++;
    other[2].result_type = "validation-failure";
    other[3].sending_ip = "";
    other[4].receiving_ip = "192.0.2.2";
    other[5].mx = "";
    other[6].helo = "x";
    other[7].reason = "";
    key_in(&a, &failure);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        CHECK(!slice_equal(buf_slice(&a), key_in(&b, &other[i])));
}

TEST(what_servers_say_of_themselves_cannot_forge_a_key)
{
    struct report_tally t = failure;
    auto_buf struct buf b = { 0 };

    t.helo = "a\r\n\x01\x7f\xc3\xa4 \"b";
    t.mx = "MX.Example.NET";
    t.domain = "Example.NET";
    t = back(key_in(&b, &t));
    CHECK_TEXT(t.helo, "a?????? \"b");
    CHECK_TEXT(t.mx, "mx.example.net");
    CHECK_TEXT(t.domain, "example.net");
}

TEST(the_longest_key_fits)
{
    char longest[400];
    const struct report_tally t = { longest, UINT64_MAX, longest, longest, longest, longest, longest, longest };
    auto_buf struct buf b = { 0 };

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(key_in(&b, &t).len <= TALLY_KEY_MAX);
    CHECK_EQUAL(strlen(back(buf_slice(&b)).helo), TALLY_TEXT_MAX);
    CHECK_EQUAL(strlen(back(buf_slice(&b)).domain), TALLY_TEXT_MAX);
}

/* What a report needs stands together: its domain, within it each policy, the success first. */
TEST(keys_sort_by_domain_then_policy)
{
    static const char *const domains[] = { "example", "example-a.org", "example.org", "example.org.example", "exampleorg" };
    auto_buf struct buf last = { 0 }, b = { 0 };

    for (size_t d = 0; d < sizeof domains / sizeof *domains; d++)
        for (uint64_t policy = 1; policy < UINT64_C(1) << 60; policy *= 11)
            for (int failed = 0; failed < 2; failed++) {
                struct report_tally t = failure;

                t.domain = domains[d];
                t.policy = policy;
                t.result_type = failed ? "starttls-not-supported" : "";
                key_in(&b, &t);
                CHECK(compare(buf_slice(&last), buf_slice(&b)) < 0);
                buf_done(&last);
                last = b;
                b = (struct buf){ 0 };
            }
}

TEST(a_prefix_fits_its_domain_alone)
{
    struct report_tally other = failure;
    auto_buf struct buf key = { 0 }, prefix;

    buf_init(&prefix, TALLY_KEY_MAX);
    report_tally_prefix("Example.net", &prefix);
    CHECK(slice_starts(key_in(&key, &failure), buf_slice(&prefix)));
    other.domain = "example.net.example.org";
    CHECK(!slice_starts(key_in(&key, &other), buf_slice(&prefix)));
    other.domain = "example.ne";
    CHECK(!slice_starts(key_in(&key, &other), buf_slice(&prefix)));
    buf_clear(&prefix);
    report_tally_prefix(NULL, &prefix);
    CHECK_EQUAL(buf_len(&prefix), 1);
    CHECK(slice_starts(key_in(&key, &other), buf_slice(&prefix)));
}

/* TLSRPT-020 */
TEST(the_rest_is_a_validation_failure_that_was_truncated)
{
    auto_buf struct buf b;
    struct report_tally t;

    buf_init(&b, TALLY_KEY_MAX);
    report_tally_rest(&failure, &b);
    t = back(buf_slice(&b));
    CHECK_TEXT(t.domain, "example.net");
    CHECK(t.policy == failure.policy);
    CHECK_TEXT(t.result_type, "validation-failure");
    CHECK_TEXT(t.reason, "truncated");
    CHECK_TEXT(t.mx, "");
    CHECK_TEXT(t.helo, "");
    CHECK_TEXT(t.sending_ip, "");
    CHECK_TEXT(t.receiving_ip, "");
}

TEST(what_the_encoder_never_writes_is_refused)
{
    auto_buf struct buf b = { 0 };
    struct report_tally t = { .domain = "untouched" };
    struct slice key = key_in(&b, &failure);
    char *bytes = (char *)key.at;
    const size_t kept = 1 + strlen("example.net") + 1 + 8;
    struct arena small;

    arena_done(&memory);
    arena_init(&memory, 64 * 1024);
    for (size_t len = 0; len < key.len; len++)
        CHECK(report_tally_decode(slice_first(key, len), &memory, &t) == (len == kept));
    t.domain = "untouched";
    bytes[0]++;
    CHECK(!report_tally_decode(key, &memory, &t));
    bytes[0]--;
    bytes[1] = 'E';
    CHECK(!report_tally_decode(key, &memory, &t));
    bytes[1] = '\n';
    CHECK(!report_tally_decode(key, &memory, &t));
    bytes[1] = 'e';
    CHECK(report_tally_decode(key, &memory, &t));
    t.domain = "untouched";
    bytes[kept] = '\0';         /* a failure of no type */
    CHECK(!report_tally_decode(key, &memory, &t));
    bytes[kept] = 'c';
    buf_byte(&b, '\0');
    CHECK(!report_tally_decode(buf_slice(&b), &memory, &t));
    arena_init(&small, 16);
    CHECK(!report_tally_decode(slice_first(buf_slice(&b), buf_len(&b) - 1), &small, &t));
    arena_done(&small);
    CHECK_TEXT(t.domain, "untouched");
}
