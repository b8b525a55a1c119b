/* A few stuck messages do not keep whole segments alive. */
#include "queue/engine/segments.h"
#include "tests/queue/fixture.h"

#include <unistd.h>

static bool segment_exists(struct fixture *f, unsigned number)
{
    char path[128];

    snprintf(path, sizeof path, "%s/segments/%08u.body", f->directory, number);
    return access(path, F_OK) == 0;
}

/* Ten messages of 9,000 bytes fill a segment; all but those for "stuck.example" are delivered. */
static void leave_stuck(struct fixture *f, int segments)
{
    struct lease l;

    segments_full_at = 90000;
    for (int s = 0; s < segments; s++) {
        for (int i = 0; i < 10; i++)
            post(f, i == 4 ? "stuck.example" : "a.example", 9000, NULL);
        commit(f);
    }
    while (take(f, &l)) {
        bool stuck = l.destination[0] == 's';

        settle(f, &l, stuck ? SETTLE_DEFERRED : SETTLE_DELIVERED, f->now + HOURS(1), NULL);
        commit(f);
        arena_reset(&f->arena);
    }
}

static void tend(struct fixture *f, int times)
{
    while (times-- > 0) {
        queue_tend(f->q, f->now);
        commit(f);
    }
}

TEST(a_segment_kept_alive_by_little_is_copied_together)
{
    enum { SEGMENTS = 20 };
    struct fixture f;

    fixture_begin(&f);
    leave_stuck(&f, SEGMENTS);
    CHECK_EQUAL(figures(&f).segment_bytes, SEGMENTS * 90000);
    tend(&f, 3 * SEGMENTS);
    CHECK(figures(&f).segment_bytes < 5 * 90000);
    CHECK_EQUAL(figures(&f).body_bytes, SEGMENTS * 9000);
    f.now += HOURS(1);
    fixture_reopen(&f);
    CHECK_EQUAL(deliver_all(&f), SEGMENTS);     /* compares the bytes */
    tend(&f, 2);
    CHECK_EQUAL(figures(&f).segment_bytes, 0);
    CHECK(queue_group(f.q) == NULL);
    segments_full_at = 64 * 1024 * 1024;
    fixture_end(&f);
}

TEST(what_is_leased_stays_readable_while_its_segment_is_emptied)
{
    struct fixture f;
    struct lease l;
    char read[70000];
    auto_buf struct buf wanted;
    struct error why;
    size_t got;

    fixture_begin(&f);
    segments_full_at = 400000;
    f.head = 300;
    deposit(&f, "stuck.example", 70000);
    fixture_reopen(&f);                         /* its segment takes no more */
    deposit(&f, "a.example", 9000);
    segments_full_at = 90000;
    CHECK(take(&f, &l));
    if (l.envelope.size != 70000)
        CHECK(take(&f, &l));
    leave_stuck(&f, 3);
    tend(&f, 10);
    CHECK_OK(queue_read(f.q, l.number, 0, read, sizeof read, &got, &why), &why);
    CHECK(slice_equal(slice(read, got), pattern(&wanted, l.envelope.id, 70000)));
    segments_full_at = 64 * 1024 * 1024;
    fixture_end(&f);
}

/* A body in pieces, of which one lies in the segment that goes; its head, which comes last, in one that stays. */
TEST(only_the_pieces_in_the_sparse_segment_move)
{
    auto_buf struct buf body;
    struct queue_recipient to = { 0, "user@stuck.example", "stuck.example" };
    struct incoming *in;
    struct fixture f;
    struct error why;
    struct lease l;

    fixture_begin(&f);
    segments_full_at = 300000;
    in = incoming_new(f.q);
    pattern(&body, 5, 300000);
    CHECK_OK(incoming_add(in, slice(body.memory + 300, 39700), &why), &why);        /* 32768 of it in segment 1 */
    for (int i = 0; i < 25; i++)
        post(&f, "a.example", 9000, NULL);
    commit(&f);
    CHECK_EQUAL(deliver_all(&f), 25);
    CHECK_OK(incoming_add(in, slice(body.memory + 40000, 260000), &why), &why);
    queue_accept(f.q, in, &(struct envelope){ .id = 5, .sender = "", .head = slice(body.memory, 300), .recipients = &to,
                                              .count = 1 }, note_answer, NULL);
    commit(&f);
    CHECK(segment_exists(&f, 1) && segment_exists(&f, 2));
    tend(&f, 5);
    CHECK(!segment_exists(&f, 1));
    fixture_reopen(&f);
    CHECK(take(&f, &l));
    CHECK_EQUAL(l.envelope.size, 300000);
    segments_full_at = 64 * 1024 * 1024;
    fixture_end(&f);
}

TEST(housekeeping_goes_on_while_groups_are_out)
{
    struct fixture f;

    fixture_begin(&f);
    leave_stuck(&f, 5);
    for (int i = 0; i < 40; i++) {
        struct group *g;

        post(&f, "b.example", 100, NULL);
        g = queue_group(f.q);
        CHECK(g != NULL);
        queue_tend(f.q, f.now);
        group_apply(g);
        queue_tend(f.q, f.now);
        queue_applied(f.q, g);
    }
    commit(&f);
    CHECK(figures(&f).segment_bytes < 3 * 90000);
    segments_full_at = 64 * 1024 * 1024;
    fixture_end(&f);
}
