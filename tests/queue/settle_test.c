/* What became of a lease: (Q4) to (Q6) of src/queue/README.md, recipient by recipient. */
#include "tests/queue/fixture.h"

struct seen {
    struct queue_view v;
    char status[16], why[64];
};

static void show_seen(void *arg, const struct queue_view *v)
{
    struct seen *seen = arg;

    seen->v = *v;
    snprintf(seen->status, sizeof seen->status, "%s", v->status);
    snprintf(seen->why, sizeof seen->why, "%s", v->why);
}

TEST(a_delivered_message_is_gone_for_good)
{
    struct answered a = { 0 };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 100000);
    CHECK(take(&f, &l));
    settle(&f, &l, SETTLE_DELIVERED, 0, &a);
    CHECK_EQUAL(figures(&f).messages, 1);
    CHECK_ID("SMTP-090", a.count == 0);
    commit(&f);
    CHECK(a.count == 1 && a.done);
    CHECK_EQUAL(figures(&f).messages, 0);
    CHECK_EQUAL(figures(&f).recipients, 0);
    CHECK_EQUAL(figures(&f).leased, 0);
    CHECK_EQUAL(figures(&f).oldest_arrival, 0);
    fixture_reopen(&f);
    CHECK_EQUAL(figures(&f).messages, 0);
    fixture_end(&f);
}

/* SMTP-089: delivered, failed and deferred in one transaction. */
TEST(recipients_are_tracked_one_by_one)
{
    struct settlement mixed[] = {
        { .number = 0, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" },
        { .number = 1, .state = SETTLE_DEFERRED, .status = "4.2.2", .why = "mailbox full" },
        { .number = 2, .state = SETTLE_FAILED, .status = "5.1.1", .why = "no such user" },
        { .number = 3, .state = SETTLE_DEFERRED, .status = "4.2.1", .why = "later" },
    };
    struct answered a = { 0 };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example a.example a.example a.example", 10);
    CHECK(take(&f, &l));
    mixed[1].due = f.now + MINUTES(5);
    mixed[3].due = f.now + MINUTES(10);
    queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = mixed, .count = 4, .attempted = true },
                 note_answer, &a);
    commit(&f);
    CHECK(a.done);
    CHECK_EQUAL(figures(&f).recipients, 2);
    CHECK_EQUAL(queue_next_due(f.q), f.now + MINUTES(5));
    f.now += MINUTES(5);
    CHECK(take(&f, &l));                            /* only the one that is due */
    CHECK_ID("SMTP-089", l.envelope.count == 1 && l.envelope.recipients[0].number == 1);
    CHECK_EQUAL(l.attempts, 1);
    CHECK_EQUAL(l.first_attempt, f.now - MINUTES(5));
    settle(&f, &l, SETTLE_DELIVERED, 0, &a);
    commit(&f);
    CHECK_EQUAL(queue_next_due(f.q), f.now + MINUTES(5));
    f.now += MINUTES(5);
    CHECK(take(&f, &l));
    CHECK(l.envelope.count == 1 && l.envelope.recipients[0].number == 3);
    settle(&f, &l, SETTLE_FAILED, 0, &a);
    commit(&f);
    CHECK_EQUAL(figures(&f).messages, 0);
    fixture_end(&f);
}

TEST(a_recipient_without_a_result_stays_due)
{
    struct settlement one = { .number = 1, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example a.example", 10);
    CHECK(take(&f, &l));
    queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = &one, .count = 1 }, note_answer, NULL);
    commit(&f);
    CHECK(take(&f, &l));
    CHECK(l.envelope.count == 1 && l.envelope.recipients[0].number == 0);
    queue_settle(f.q, &(struct settle){ .lease = l.number }, note_answer, NULL);        /* none at all */
    commit(&f);
    CHECK(take(&f, &l));
    CHECK_EQUAL(l.attempts, 0);
    fixture_end(&f);
}

TEST(a_lease_settles_only_its_own_recipients)
{
    struct settlement stray[] = {
        { .number = 0, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" },
        { .number = 1, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" },   /* of the other destination */
        { .number = 99, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" },
    };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example b.example", 10);
    CHECK(take(&f, &l));
    CHECK_TEXT(l.destination, "a.example");
    queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = stray, .count = 3, .attempted = true },
                 note_answer, NULL);
    commit(&f);
    CHECK_EQUAL(figures(&f).recipients, 1);
    CHECK(take(&f, &l));
    CHECK_TEXT(l.destination, "b.example");
    fixture_end(&f);
}

TEST(attempts_are_counted_and_told)
{
    struct fixture f;
    struct lease l;
    struct seen seen;
    time_ms first;

    fixture_begin(&f);
    first = f.now;
    deposit(&f, "a.example", 10);
    for (uint32_t attempts = 0; attempts < 5; attempts++) {
        CHECK(take(&f, &l));
        CHECK_EQUAL(l.attempts, attempts);
        CHECK_EQUAL(l.first_attempt, attempts ? first : 0);
        settle(&f, &l, SETTLE_DEFERRED, f.now + 1000, NULL);
        commit(&f);
        CHECK(queue_show(f.q, l.envelope.id, show_seen, &seen));
        CHECK_EQUAL(seen.v.attempts, attempts + 1);
        CHECK_EQUAL(seen.v.last_attempt, f.now);
        CHECK_EQUAL(seen.v.due, f.now + 1000);
        CHECK_TEXT(seen.status, "4.4.1");
        CHECK_TEXT(seen.why, "it did not work");
        f.now += 1000;
        if (attempts % 2)
            fixture_reopen(&f);
    }
    fixture_end(&f);
}

TEST(a_lease_given_back_untried_counts_no_attempt)
{
    struct settlement back = { .number = 0, .state = SETTLE_DEFERRED };
    struct fixture f;
    struct lease l;
    struct seen seen;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    settle(&f, &l, SETTLE_DEFERRED, f.now, NULL);
    commit(&f);
    CHECK(take(&f, &l));
    back.due = f.now + 7;
    queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = &back, .count = 1 }, note_answer, NULL);
    commit(&f);
    CHECK(queue_show(f.q, l.envelope.id, show_seen, &seen));
    CHECK_EQUAL(seen.v.attempts, 1);
    CHECK_EQUAL(seen.v.due, f.now + 7);
    CHECK_TEXT(seen.status, "4.4.1");               /* the last that was tried */
    fixture_end(&f);
}

TEST(a_deferred_recipient_may_go_elsewhere)
{
    struct settlement moved = { .number = 0, .state = SETTLE_DEFERRED, .status = "4.4.4", .why = "route changed",
                                .destination = "b.example" };
    struct fixture f;
    struct lease l, other;

    fixture_begin(&f);
    deposit(&f, "a.example b.example", 10);
    for (int again = 0; again < 2; again++) {
        CHECK(take(&f, &l));
        CHECK(take(&f, &other));
        if (l.destination[0] != 'a') {
            struct lease swap = l;

            l = other;
            other = swap;
        }
        if (again == 0) {
            queue_revoke(f.q, l.number, 0);
            queue_revoke(f.q, other.number, 0);
            fixture_reopen(&f);
        }
    }
    moved.due = f.now;
    queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = &moved, .count = 1, .attempted = true },
                 note_answer, NULL);
    commit(&f);
    CHECK(!take(&f, &l));                           /* that destination is under way for this message */
    queue_settle(f.q, &(struct settle){ .lease = other.number, .recipients =
                 &(struct settlement){ .number = 1, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" },
                 .count = 1, .attempted = true }, note_answer, NULL);
    commit(&f);
    CHECK(take(&f, &l));
    CHECK_TEXT(l.destination, "b.example");
    CHECK(l.envelope.count == 1 && l.envelope.recipients[0].number == 0);
    CHECK_EQUAL(l.attempts, 1);
    settle(&f, &l, SETTLE_DELIVERED, 0, NULL);
    commit(&f);
    CHECK_EQUAL(figures(&f).messages, 0);
    fixture_end(&f);
}

/* Both settlements of one message in one group, one moving into the other's delivery. */
TEST(settlements_of_one_message_in_one_group_lose_nobody)
{
    struct settlement moved = { .number = 0, .state = SETTLE_DEFERRED, .status = "4.4.4", .why = "",
                                .destination = "b.example" };
    struct settlement done = { .number = 1, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" };

    for (int order = 0; order < 2; order++) {
        struct fixture f;
        struct lease l[2];

        fixture_begin(&f);
        deposit(&f, "a.example b.example", 10);
        CHECK(take(&f, &l[0]));
        CHECK(take(&f, &l[1]));
        moved.due = f.now;
        for (int i = 0; i < 2; i++) {
            const struct lease *one = &l[order ? 1 - i : i];

            queue_settle(f.q, &(struct settle){ .lease = one->number, .count = 1, .attempted = true, .recipients =
                         one->envelope.recipients->number == 0 ? &moved : &done }, note_answer, NULL);
        }
        commit(&f);
        CHECK_EQUAL(figures(&f).recipients, 1);
        CHECK(take(&f, &l[0]));
        CHECK_TEXT(l[0].destination, "b.example");
        CHECK_EQUAL(l[0].envelope.recipients[0].number, 0);
        fixture_end(&f);
    }
}

TEST(the_delay_notice_is_remembered)
{
    struct settlement later = { .number = 0, .state = SETTLE_DEFERRED, .status = "4.4.1", .why = "" };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    CHECK(!l.delay_told);
    later.due = f.now;
    queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = &later, .count = 1, .attempted = true,
                                        .delay_told = true }, note_answer, NULL);
    commit(&f);
    fixture_reopen(&f);
    CHECK(take(&f, &l));
    CHECK(l.delay_told);
    fixture_end(&f);
}

TEST(what_is_no_lease_cannot_be_settled)
{
    struct answered unknown = { 0 }, first = { 0 }, second = { 0 };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    queue_settle(f.q, &(struct settle){ .lease = l.number + 1 }, note_answer, &unknown);
    settle(&f, &l, SETTLE_DEFERRED, f.now, &first);
    settle(&f, &l, SETTLE_DELIVERED, 0, &second);       /* said twice */
    queue_revoke(f.q, l.number, 0);                     /* too late */
    commit(&f);
    CHECK(unknown.count == 1 && !unknown.done && unknown.why.code == E_NOT_FOUND);
    CHECK(first.count == 1 && first.done);
    CHECK(second.count == 1 && !second.done && second.why.code == E_NOT_FOUND);
    CHECK(take(&f, &l));                                /* the deferral counts */
    fixture_end(&f);
}

/* --- consequences ------------------------------------------------------------------ */

static const struct queue_recipient bounce_to = { 0, "sender@example.org", "mx.example.org" };

static void settle_with_bounce(struct fixture *f, const struct lease *l, message_id id, size_t size,
                               struct answered *a)
{
    struct settlement failed = { .number = 0, .state = SETTLE_FAILED, .status = "5.1.1", .why = "no such user" };
    struct envelope e = { .id = id, .sender = "", .origin = "bounce", .recipients = &bounce_to, .count = 1,
                          .arrived = f->now };
    auto_buf struct buf body;
    struct consequence bounce = { .envelope = &e, .body = pattern(&body, id, size) };

    queue_settle(f->q, &(struct settle){ .lease = l->number, .recipients = &failed, .count = 1, .attempted = true,
                                         .consequence = &bounce }, note_answer, a);
}

/* (Q5), SMTP-285 */
TEST(a_consequence_comes_with_its_settlement)
{
    const size_t sizes[] = { 500, 200000 };

    for (int i = 0; i < 2; i++) {
        struct answered a = { 0 };
        struct fixture f;
        struct lease l;
        message_id bounce;

        fixture_begin(&f);
        deposit(&f, "a.example", 10);
        CHECK(take(&f, &l));
        bounce = message_id_new(&f.ids, f.now);
        settle_with_bounce(&f, &l, bounce, sizes[i], &a);
        commit(&f);
        CHECK(a.done);
        CHECK_EQUAL(figures(&f).messages, 1);
        CHECK(take(&f, &l));
        CHECK_ID("SMTP-285", l.envelope.id == bounce);
        fixture_reopen(&f);
        CHECK(take(&f, &l));
        CHECK(l.envelope.id == bounce && l.envelope.size == sizes[i]);
        CHECK(!take(&f, &l));
        fixture_end(&f);
    }
}

TEST(without_its_consequence_nothing_is_settled)
{
    struct answered a = { 0 };
    struct fixture f;
    struct lease l;
    message_id other;

    fixture_begin(&f);
    other = deposit(&f, "b.example", 10);
    CHECK_EQUAL(deliver_all(&f), 1);
    other = deposit(&f, "b.example", 10);
    CHECK(take(&f, &l));
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    settle_with_bounce(&f, &l, other, 10, &a);              /* an id that exists */
    commit(&f);
    CHECK(a.count == 1 && !a.done && a.why.code == E_USAGE);
    CHECK_EQUAL(figures(&f).messages, 2);
    settle_with_bounce(&f, &l, message_id_new(&f.ids, f.now), 10, &a);      /* the lease is still there */
    commit(&f);
    CHECK(a.count == 2 && a.done);
    settle_with_bounce(&f, &l, 0, 10, &a);
    commit(&f);
    CHECK(a.count == 3 && !a.done);
    fixture_end(&f);
}
