/* Datagrams of libtlsrpt. Whatever is taken is counted under keys that can be read again, and its policies can be kept. */
#include "tests/fuzz/fuzz.h"

#include "postfix/datagram.h"
#include "queue/queue.h"

static uint64_t policy_id(void *self, const struct report_policy *p)
{
    auto_buf struct buf bytes = { 0 };
    auto_arena struct arena arena = { 0 };
    struct report_policy again;

    (void)self;
    buf_init(&bytes, NOTE_VALUE_MAX);
    report_policy_encode(p, &bytes);
    assert(!bytes.failed);
    arena_init(&arena, 1 << 20);
    assert(report_policy_decode(buf_slice(&bytes), &arena, &again));
    assert(again.type == p->type && again.string_count == p->string_count && again.mx_count == p->mx_count);
    return report_policy_id(p);
}

static void result(void *self, const struct report_tally *t)
{
    auto_buf struct buf key = { 0 };
    auto_arena struct arena arena = { 0 };
    struct report_tally again;

    (void)self;
    buf_init(&key, TALLY_KEY_MAX);
    report_tally_encode(t, &key);
    assert(!key.failed);
    arena_init(&arena, 1 << 16);
    assert(report_tally_decode(buf_slice(&key), &arena, &again));
    assert(strcmp(again.domain, t->domain) == 0 && again.policy == t->policy);
    assert(strcmp(again.result_type, t->result_type) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct datagram_reader reader = { policy_id, result, NULL };
    auto_arena struct arena arena = { 0 };
    struct error why = { 0 };
    struct datagram d;

    arena_init(&arena, 4 * DATAGRAM_BYTES_MAX);
    if (!datagram_parse(slice(data, size), &arena, &d, &why)) {
        assert(why.code == E_MALFORMED || why.code == E_LIMIT);
        return 0;
    }
    assert(d.policy_count > 0 && d.policy_count <= DATAGRAM_POLICIES_MAX);
    datagram_results(&d, &reader);
    return 0;
}
