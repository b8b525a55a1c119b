/* What an operator may do, and what people get to see. */
#include "tests/queue/fixture.h"

#include "base/memory.h"

static struct answered operate(struct fixture *f, enum queue_act act, message_id id)
{
    struct answered a = { 0 };

    queue_operate(f->q, act, id, f->now, note_answer, &a);
    CHECK(a.count == 0);
    commit(f);
    CHECK(a.count == 1);
    return a;
}

TEST(what_is_held_waits_until_released)
{
    struct fixture f;
    struct lease l;
    message_id id;

    fixture_begin(&f);
    id = deposit(&f, "a.example b.example", 10);
    deposit(&f, "a.example", 10);
    CHECK(operate(&f, ACT_HOLD, id).done);
    CHECK_EQUAL(figures(&f).held, 1);
    for (int again = 0; again < 2; again++) {
        f.now += DAYS(1);
        CHECK(take(&f, &l));
        CHECK(l.envelope.id != id);
        CHECK(!take(&f, &l));
        fixture_reopen(&f);                 /* it stays held */
        CHECK_EQUAL(figures(&f).held, 1);
    }
    CHECK(operate(&f, ACT_RETRY, id).done); /* due, but still held */
    CHECK_EQUAL(deliver_all(&f), 1);
    CHECK(operate(&f, ACT_RELEASE, id).done);
    CHECK_EQUAL(figures(&f).held, 0);
    CHECK_EQUAL(deliver_all(&f), 2);
    fixture_end(&f);
}

TEST(a_lease_under_way_goes_on_when_its_message_is_held)
{
    struct fixture f;
    struct lease l;
    message_id id;

    fixture_begin(&f);
    id = deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    CHECK(operate(&f, ACT_HOLD, id).done);
    settle(&f, &l, SETTLE_DEFERRED, f.now, NULL);
    commit(&f);
    CHECK(!take(&f, &l));                   /* now it is held */
    CHECK(operate(&f, ACT_RELEASE, id).done);
    CHECK(take(&f, &l));
    CHECK(operate(&f, ACT_HOLD, id).done);
    queue_revoke(f.q, l.number, f.now);
    CHECK(!take(&f, &l));
    CHECK(operate(&f, ACT_HOLD, id).done);  /* twice is once */
    CHECK_EQUAL(figures(&f).held, 1);
    CHECK(operate(&f, ACT_RELEASE, id).done);
    CHECK_EQUAL(deliver_all(&f), 1);
    CHECK_EQUAL(figures(&f).held, 0);
    fixture_end(&f);
}

TEST(retry_makes_due_what_waits)
{
    struct fixture f;
    struct lease l;
    message_id id;

    fixture_begin(&f);
    for (int i = 0; i < 3; i++) {
        id = deposit(&f, "a.example", 10);
        CHECK(take(&f, &l));
        settle(&f, &l, SETTLE_DEFERRED, f.now + HOURS(4), NULL);
        commit(&f);
    }
    CHECK(!take(&f, &l));
    CHECK(operate(&f, ACT_RETRY, id).done);
    CHECK(take(&f, &l));
    CHECK(l.envelope.id == id && l.attempts == 1);
    CHECK(!take(&f, &l));
    CHECK(operate(&f, ACT_RETRY, 0).done);
    fixture_reopen(&f);
    CHECK_EQUAL(deliver_all(&f), 3);
    fixture_end(&f);
}

TEST(what_is_removed_is_gone_and_makes_no_bounce)
{
    struct fixture f;
    struct lease l;
    message_id id;

    fixture_begin(&f);
    id = deposit(&f, "a.example b.example", 100000);
    deposit(&f, "a.example", 10);
    CHECK(operate(&f, ACT_REMOVE, id).done);
    CHECK_EQUAL(figures(&f).messages, 1);
    CHECK_EQUAL(figures(&f).recipients, 1);
    CHECK_EQUAL(figures(&f).body_bytes, 10);
    fixture_reopen(&f);
    CHECK(take(&f, &l));
    CHECK(l.envelope.id != id);
    CHECK(!take(&f, &l));
    fixture_end(&f);
}

static void fail_with_bounce(struct fixture *f, const struct lease *l, struct answered *a)
{
    static const struct queue_recipient to = { 0, "sender@example.org", "bounce.example" };
    struct envelope e = { .id = message_id_new(&f->ids, f->now), .sender = "", .origin = "", .recipients = &to,
                          .count = 1 };
    struct consequence bounce = { &e, SLICE("bounced") };
    struct settlement failed = { .number = 0, .state = SETTLE_FAILED, .status = "5.0.0", .why = "no" };

    queue_settle(f->q, &(struct settle){ .lease = l->number, .recipients = &failed, .count = 1, .attempted = true,
                                         .consequence = &bounce }, note_answer, a);
}

TEST(a_lease_of_a_removed_message_ends_in_peace)
{
    const size_t sizes[] = { 10, 200000 };

    for (size_t i = 0; i < 2; i++) {
        struct answered a = { 0 };
        struct fixture f;
        struct lease l;
        char *read = memory_new(sizes[i]);
        auto_buf struct buf wanted;
        struct error why;
        size_t got;

        fixture_begin(&f);
        deposit(&f, "a.example", sizes[i]);
        fixture_reopen(&f);
        CHECK(take(&f, &l));
        CHECK(operate(&f, ACT_REMOVE, l.envelope.id).done);
        for (int n = 0; n < 3; n++) {       /* housekeeping must not take the bytes away */
            queue_tend(f.q, f.now);
            commit(&f);
        }
        CHECK_EQUAL(figures(&f).messages, 0);
        CHECK_EQUAL(figures(&f).leased, 1);
        CHECK_OK(queue_read(f.q, l.number, 0, read, sizes[i], &got, &why), &why);
        CHECK(slice_equal(slice(read, got), pattern(&wanted, l.envelope.id, sizes[i])));
        fail_with_bounce(&f, &l, &a);
        commit(&f);
        CHECK(a.done);
        CHECK_EQUAL(figures(&f).messages, 0);       /* without a bounce */
        CHECK_EQUAL(figures(&f).leased, 0);
        queue_tend(f.q, f.now);
        commit(&f);
        CHECK_EQUAL(figures(&f).segment_bytes, 0);
        fixture_end(&f);
        free(read);
    }
}

TEST(removal_meets_settlement_revocation_and_the_end_in_any_order)
{
    for (int way = 0; way < 5; way++) {
        struct answered a = { 0 }, s = { 0 };
        struct fixture f;
        struct lease l;

        fixture_begin(&f);
        deposit(&f, "a.example b.example", 10);
        CHECK(take(&f, &l));
        if (way == 0) {             /* in one group: settled, then removed */
            settle(&f, &l, SETTLE_DEFERRED, f.now, &s);
            queue_operate(f.q, ACT_REMOVE, l.envelope.id, f.now, note_answer, &a);
        } else if (way == 1) {      /* removed, then settled */
            queue_operate(f.q, ACT_REMOVE, l.envelope.id, f.now, note_answer, &a);
            settle(&f, &l, SETTLE_DEFERRED, f.now, &s);
        } else {
            queue_operate(f.q, ACT_REMOVE, l.envelope.id, f.now, note_answer, &a);
            commit(&f);
            if (way == 2)
                queue_revoke(f.q, l.number, f.now);
            else if (way == 3)
                settle(&f, &l, SETTLE_DELIVERED, 0, &s);
            /* way 4: the lease is still out at the end */
        }
        commit(&f);
        CHECK(a.done && s.count == s.done);
        CHECK_EQUAL(figures(&f).messages, 0);
        CHECK_EQUAL(figures(&f).recipients, 0);
        CHECK_EQUAL(figures(&f).leased, way == 4);
        CHECK(!queue_resume(f.q, l.envelope.id, "a.example", 0, &l.number));
        fixture_end(&f);
    }
}

TEST(what_is_not_there_cannot_be_operated_on)
{
    const enum queue_act acts[] = { ACT_RETRY, ACT_HOLD, ACT_RELEASE, ACT_REMOVE };
    struct fixture f;

    fixture_begin(&f);
    for (int i = 0; i < 4; i++) {
        struct answered one = operate(&f, acts[i], 12345), all = operate(&f, acts[i], 0),
                        wild = operate(&f, acts[i], UINT64_MAX);

        CHECK(!one.done && one.why.code == E_NOT_FOUND);
        CHECK(!wild.done && wild.why.code == E_NOT_FOUND);
        CHECK(!all.done && all.why.code == (acts[i] == ACT_REMOVE ? E_USAGE : E_NOT_FOUND));
    }
    deposit(&f, "a.example", 10);
    CHECK(operate(&f, ACT_REMOVE, 0).why.code == E_USAGE);
    CHECK_EQUAL(figures(&f).messages, 1);
    fixture_end(&f);
}

/* More than one piece: other requests are answered in between. */
TEST(an_act_on_a_large_queue_lets_mail_through)
{
    enum { COUNT = 25000 };
    struct answered all = { 0 }, mail = { 0 };
    struct fixture f;
    struct group *g;

    fixture_begin(&f);
    for (int i = 0; i < COUNT; i++)
        post(&f, "a.example", 1, NULL);
    commit(&f);
    queue_operate(f.q, ACT_HOLD, 0, f.now, note_answer, &all);
    g = queue_group(f.q);
    post(&f, "a.example", 10, &mail);
    group_apply(g);
    queue_applied(f.q, g);
    CHECK_EQUAL(all.count, 0);
    CHECK_EQUAL(figures(&f).held, 10000);
    g = queue_group(f.q);
    group_apply(g);
    queue_applied(f.q, g);
    CHECK(mail.done && all.count == 0);
    commit(&f);
    CHECK(all.count == 1 && all.done);
    CHECK(figures(&f).held >= COUNT);
    fixture_reopen(&f);
    CHECK(figures(&f).held >= COUNT);
    CHECK(operate(&f, ACT_RELEASE, 0).done);
    CHECK_EQUAL(figures(&f).held, 0);
    fixture_end(&f);
}

/* --- listing -------------------------------------------------------------------- */

struct listed {
    message_id ids[30000];
    int64_t numbers[30000];
    size_t count, held, leased;
};

static void list_one(void *arg, const struct queue_view *v)
{
    struct listed *l = arg;

    CHECK_EQUAL(v->envelope.count, 1);
    l->ids[l->count] = v->envelope.id;
    l->numbers[l->count++] = v->envelope.recipients->number;
    l->held += v->held;
    l->leased += v->leased;
}

static struct listed *list_all(struct fixture *f, size_t page, void (*between)(struct fixture *f, int page))
{
    struct listed *l = NEW(struct listed);
    message_id after = 0;
    int64_t number = -1;
    size_t n;

    for (int pages = 0; (n = queue_list(f->q, &after, &number, page, list_one, l)) > 0; pages++) {
        CHECK(n <= page);
        if (between)
            between(f, pages);
    }
    for (size_t i = 1; i < l->count; i++)
        CHECK(l->ids[i - 1] < l->ids[i] || (l->ids[i - 1] == l->ids[i] && l->numbers[i - 1] < l->numbers[i]));
    return l;
}

static void change(struct fixture *f, int page)
{
    struct lease l;

    for (int i = 0; i < 20 && take(f, &l); i++)
        settle(f, &l, i % 2 ? SETTLE_DELIVERED : SETTLE_DEFERRED, f->now + 1000000, NULL);
    if (page < 50)
        deposit(f, "new.example new.example", 10);
    commit(f);
}

TEST(ten_thousand_are_listed_in_pages_while_they_change)
{
    enum { COUNT = 10000 };
    struct fixture f;
    struct listed *l;

    fixture_begin(&f);
    for (int i = 0; i < COUNT / 2; i++)
        post(&f, "a.example b.example", 10, NULL);
    commit(&f);
    l = list_all(&f, 77, NULL);
    CHECK_EQUAL(l->count, COUNT);
    free(l);
    l = list_all(&f, 100, change);
    CHECK(l->count > COUNT - 3000 && l->count <= COUNT + 200);
    free(l);
    l = list_all(&f, 1, NULL);
    CHECK_EQUAL(l->count, figures(&f).recipients);
    free(l);
    fixture_end(&f);
}

TEST(the_list_tells_what_is_held_and_what_is_leased)
{
    struct fixture f;
    struct listed *l;
    struct lease lease;
    message_id id;

    fixture_begin(&f);
    id = deposit(&f, "a.example a.example b.example", 10);
    CHECK(take(&f, &lease));
    CHECK(operate(&f, ACT_HOLD, id).done);
    l = list_all(&f, 1000, NULL);
    CHECK_EQUAL(l->count, 3);
    CHECK_EQUAL(l->held, 3);
    CHECK_EQUAL(l->leased, 2);
    free(l);
    fixture_end(&f);
}

TEST(one_message_is_shown_with_all_recipients)
{
    struct listed *l = NEW(struct listed);
    struct fixture f;
    message_id id;

    fixture_begin(&f);
    deposit(&f, "x.example", 10);
    id = deposit(&f, "a.example a.example b.example", 10);
    deposit(&f, "x.example", 10);
    CHECK(queue_show(f.q, id, list_one, l));
    CHECK_EQUAL(l->count, 3);
    CHECK(!queue_show(f.q, id + 12345, list_one, l));
    CHECK(!queue_show(f.q, 0, list_one, l));
    CHECK(!queue_show(f.q, UINT64_MAX, list_one, l));
    CHECK_EQUAL(l->count, 3);
    free(l);
    fixture_end(&f);
}

TEST(the_figures_agree)
{
    struct queue_figures n;
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    n = figures(&f);
    CHECK(n.messages == 0 && n.recipients == 0 && n.oldest_arrival == 0 && n.body_bytes == 0);
    deposit(&f, "a.example b.example b.example", 1000);
    f.now += 1000;
    deposit(&f, "a.example", 70000);
    n = figures(&f);
    CHECK(n.messages == 2 && n.recipients == 4 && n.due == 3 && n.leased == 0 && n.held == 0);
    CHECK_EQUAL(n.body_bytes, 71000);
    CHECK_EQUAL(n.oldest_arrival, f.now - 1000);
    CHECK_EQUAL(n.groups, 2);
    CHECK(take(&f, &l));
    n = figures(&f);
    CHECK(n.due == 2 && n.leased == 1);
    fixture_reopen(&f);
    n = figures(&f);
    CHECK(n.messages == 2 && n.recipients == 4 && n.leased == 0 && n.body_bytes == 71000 && n.groups == 0);
    fixture_end(&f);
}
