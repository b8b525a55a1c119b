/* What is kept of a policy. What decodes is written as the same bytes but for the
 * time of its refresh, and never lives longer than the policy in it says. */
#include "tests/fuzz/fuzz.h"

#include "policy/mta_sts.h"

/* A second time nothing is moved any more. */
static void check_again(struct slice bytes, const struct sts_cached *c)
{
    struct sts_cached again;
    auto_buf struct buf out = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 512 * 1024);
    if (!sts_cached_decode(bytes, &arena, &again))
        __builtin_trap();
    assert(again.fetched == c->fetched && again.expires == c->expires && again.refresh == c->refresh);
    assert(again.failed == c->failed && strcmp(again.id, c->id) == 0 && slice_equal(again.text, c->text));
    buf_init(&out, bytes.len);
    sts_cached_encode(&again, &out);
    assert(!out.failed && slice_equal(buf_slice(&out), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sts_cached c;
    struct sts_policy policy;
    auto_buf struct buf out = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 512 * 1024);
    if (!sts_cached_decode(slice(data, size), &arena, &c))
        return 0;
    buf_init(&out, size);
    sts_cached_encode(&c, &out);
    assert(!out.failed && buf_len(&out) == size);
    check_again(buf_slice(&out), &c);

    if (!sts_policy_parse(c.text, &arena, &policy, NULL))
        __builtin_trap();
    assert(policy.max_age == c.policy.max_age && policy.mx_count == c.policy.mx_count);
    assert(c.expires - c.fetched == SECONDS(policy.max_age));
    assert(c.fetched >= 0 && c.fetched <= c.refresh && c.refresh <= c.expires && c.failed >= 0);
    assert(!sts_cached_lives(&c, c.expires) && !sts_cached_lives(&c, c.fetched - STS_CLOCK_SLACK - 1));
    assert(policy.max_age == 0 || sts_cached_lives(&c, c.fetched));
    return 0;
}
