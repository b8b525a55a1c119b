/* A key as the store gives it back: what can be read is written the same again. And seven strings, NUL between them, as
 * a session makes them: what is written can be read, fits the store, and its report is made without harm. */
#include "tests/fuzz/fuzz.h"

#include "tlsrpt/build.h"

enum { KEY_MAX_BYTES = 2048, STRINGS = 7 };

static void check_key(struct slice bytes)
{
    struct report_tally t;
    struct arena arena;
    struct buf key;

    arena_init(&arena, 4 * KEY_MAX_BYTES);
    buf_init(&key, KEY_MAX_BYTES);
    if (report_tally_decode(bytes, &arena, &t)) {
        report_tally_encode(&t, &key);
        assert(!key.failed && slice_equal(buf_slice(&key), bytes));
    }
    buf_done(&key);
    arena_done(&arena);
}

static void check_policy(struct slice bytes)
{
    struct report_policy p;
    struct arena arena;
    struct buf again;

    arena_init(&arena, 256 * 1024);
    buf_init(&again, 256 * 1024);
    if (report_policy_decode(bytes, &arena, &p)) {
        report_policy_encode(&p, &again);
        assert(!again.failed && slice_equal(buf_slice(&again), bytes));
    }
    buf_done(&again);
    arena_done(&arena);
}

static void check_report(const struct report_tally *t)
{
    const struct report_author author = { "Example Org", "tls-reports@example.org" };
    struct report_build *b = build_new(t->domain, 20778);
    struct report report;
    struct buf json;

    buf_init(&json, 1024 * 1024);
    build_add(b, t, 1);
    build_add(b, t, 2);
    assert(build_end(b, &author, false, &report, NULL));
    assert(report.entry_count == 1 && report.entries[0].successes + report.entries[0].failures == 3);
    assert(report_write(&report, &json, NULL));
    buf_done(&json);
    build_free(b);
}

static void check_strings(const char *const s[STRINGS], uint64_t policy)
{
    const struct report_tally t = { s[0], policy, s[1], s[2], s[3], s[4], s[5], s[6] };
    struct report_tally again;
    struct arena arena;
    struct buf key, prefix;

    arena_init(&arena, 4 * KEY_MAX_BYTES);
    buf_init(&key, KEY_MAX_BYTES);
    buf_init(&prefix, KEY_MAX_BYTES);
    report_tally_encode(&t, &key);
    report_tally_prefix(t.domain, &prefix);
    assert(!key.failed && slice_starts(buf_slice(&key), buf_slice(&prefix)));
    assert(report_tally_decode(buf_slice(&key), &arena, &again) && again.policy == policy);
    check_report(&again);
    buf_clear(&key);
    report_tally_rest(&t, &key);
    assert(!key.failed && report_tally_decode(buf_slice(&key), &arena, &again));
    buf_done(&prefix);
    buf_done(&key);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice(data, size);
    const char *strings[STRINGS];
    struct arena arena;

    check_key(rest);
    check_policy(rest);
    arena_init(&arena, 2 * size + 4096);
    for (size_t i = 0; i < STRINGS; i++)
        strings[i] = arena_string(&arena, slice_cut(&rest, '\0'));
    check_strings(strings, size);
    arena_done(&arena);
    return 0;
}
