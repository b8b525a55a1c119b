/* Keys of tallies, each with its length in two bytes and its count in eight. What is read comes back the same, and sums of
 * whatever it is hold together. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "fact/clients.h"
#include "fact/stats.h"

enum { DAY = 20000 };

static void check_visit(struct slice key, struct arena *arena)
{
    auto_buf struct buf again = { 0 };
    struct visit v, once_more;

    if (!visit_decode(key, arena, &v))
        return;
    buf_init(&again, 4096);
    visit_encode(&v, &again);
    assert(!again.failed && visit_decode(buf_slice(&again), arena, &once_more));
    assert(strcmp(v.name, once_more.name) == 0 && strcmp(v.user, once_more.user) == 0);
    assert(v.end == once_more.end && v.version == once_more.version && v.password_in_clear == once_more.password_in_clear);
}

static void check_receipt(struct slice key, struct arena *arena)
{
    auto_buf struct buf again = { 0 };
    struct receipt r, once_more;

    if (!receipt_decode(key, arena, &r))
        return;
    buf_init(&again, 4096);
    receipt_encode(&r, &again);
    assert(slice_equal_nocase(buf_slice(&again), key) && receipt_decode(buf_slice(&again), arena, &once_more));
    assert(strcasecmp(r.domain, once_more.domain) == 0 && r.version == once_more.version);
}

static void check_stats(struct stats *s, enum stats_direction d)
{
    const struct stats_side *side = stats_side(s, d);
    struct stats_item items[STATS_ITEMS_MAX];

    assert(side->sum.encrypted <= side->sum.messages && stats_authenticated(&side->sum) <= side->sum.messages);
    for (size_t i = 0; i < side->row_count; i++)
        assert(side->rows[i]->sum.encrypted <= side->rows[i]->sum.messages);
    assert(stats_list_groups(s, &side->sum, items) <= STATS_ITEMS_MAX);
    assert(stats_list_failures(s, items) + stats_list_clear(s, items) + stats_list_certificates(s, items) < 3 * STATS_ITEMS_MAX);
}

static void check_clients(struct clients *c)
{
    size_t count;
    const struct client *const *list = clients_list(c, &count);

    for (size_t i = 0; i < count; i++) {
        assert(list[i]->refused <= list[i]->messages && list[i]->problem_count <= CLIENT_PROBLEMS_MAX + 1);
        assert(list[i]->names.count <= CLIENT_NAMES_MAX && list[i]->last == DAY);
    }
    assert(clients_total(c).refused <= clients_total(c).messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct stats_want stats_want = { .since = DAY, .until = DAY, .minimum = 5, .top = 3 };
    const struct clients_want clients_want = { .since = DAY, .until = DAY, .rule = { true, TLS_1_2 } };
    struct stats *s = stats_new(&stats_want);
    struct clients *c = clients_new(&clients_want);
    struct cursor in = cursor_over(slice(data, size));
    auto_arena struct arena arena;

    arena_init(&arena, 1024 * 1024);
    while (in.rest.len && !in.failed) {
        struct slice key = cursor_bytes(&in, cursor_u16(&in));
        uint64_t count = cursor_u64(&in);

        check_visit(key, &arena);
        check_receipt(key, &arena);
        stats_take(s, DAY, key, count);
        clients_take(c, DAY, key, count);
    }
    stats_finish(s);
    clients_finish(c);
    check_stats(s, STATS_SENT);
    check_stats(s, STATS_RECEIVED);
    check_clients(c);
    stats_free(s);
    clients_free(c);
    return 0;
}
