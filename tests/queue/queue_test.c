/* Accepting, leasing, restarting. The invariants (Q...) are those of src/queue/README.md. */
#include "tests/queue/fixture.h"

#include "base/memory.h"
#include "queue/engine.h"

/* --- accepting ------------------------------------------------------------ */

TEST(an_accepted_message_is_leased_as_it_came)
{
    struct answered a = { 0 };
    struct fixture f;
    struct lease l;
    message_id id;

    fixture_begin(&f);
    id = post(&f, "mx.example.org", 1234, &a);
    CHECK(a.count == 0);                        /* not before it is stored */
    CHECK(!take(&f, &l));
    commit(&f);
    CHECK(a.count == 1 && a.done);
    for (int again = 0; again < 2; again++) {   /* from memory, and from the disk */
        CHECK(take(&f, &l));
        CHECK(l.envelope.id == id);
        CHECK_EQUAL(l.envelope.size, 1234);
        CHECK_TEXT(l.envelope.sender, "sender@example.org");
        CHECK_TEXT(l.envelope.origin, "client.example.org[192.0.2.7] ESMTPS TLSv1.3");
        CHECK(l.envelope.arrived == f.now && l.envelope.eight_bit);
        CHECK_EQUAL(l.envelope.count, 1);
        CHECK_EQUAL(l.envelope.recipients[0].number, 0);
        CHECK_TEXT(l.envelope.recipients[0].address, "user0@mx.example.org");
        CHECK_TEXT(l.destination, "mx.example.org");
        CHECK(l.attempts == 0 && l.first_attempt == 0 && !l.delay_told);
        fixture_reopen(&f);
    }
    fixture_end(&f);
}

/* A DKIM signature is known at the end of a message only, but stands before it. */
TEST(the_head_is_the_beginning_of_the_message_once_it_is_accepted)
{
    static const size_t sizes[] = { 300, 301, 5000, DRAFT_MEMORY_MAX, DRAFT_MEMORY_MAX + 300, DRAFT_MEMORY_MAX + 301,
                                    LEASE_BODY_MAX, LEASE_BODY_MAX + 1, 300000 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct fixture f;
    struct lease l;
    size_t seen = 0;

    for (size_t together = 1; together <= SIZES; together += SIZES - 1) {       /* in the database, and in segments */
        fixture_begin(&f);
        f.head = 300;
        for (size_t i = 0; i < SIZES; i++) {
            post(&f, "a.example", sizes[i], NULL);
            if (i % together == 0)
                commit(&f);
        }
        commit(&f);
        for (int again = 0; again < 2; again++) {
            for (seen = 0; take(&f, &l); seen++)
                CHECK(slice_empty(l.envelope.head));
            CHECK_EQUAL(seen, SIZES);
            fixture_reopen(&f);
        }
        CHECK_EQUAL(deliver_all(&f), SIZES);
        CHECK_EQUAL(figures(&f).body_bytes, 0);
        fixture_end(&f);
    }
}

TEST(a_head_has_a_bound)
{
    struct answered a = { 0 };
    struct fixture f;

    fixture_begin(&f);
    f.head = ENVELOPE_HEAD_MAX;
    deposit(&f, "a.example", 2 * ENVELOPE_HEAD_MAX);
    f.head = ENVELOPE_HEAD_MAX + 1;
    post(&f, "a.example", 2 * ENVELOPE_HEAD_MAX, &a);
    commit(&f);
    CHECK(a.count == 1 && !a.done);
    CHECK_EQUAL(a.why.code, E_USAGE);
    CHECK_EQUAL(deliver_all(&f), 1);
    fixture_end(&f);
}

static void see_tls(void *arg, const struct queue_view *v)
{
    CHECK_EQUAL(v->envelope.tls, *(enum tls_request *)arg);
}

/* RFC 8689 3: what the sender asked of TLS stays with the message, and with the bounce it causes. */
TEST(what_the_sender_asked_of_tls_stays_with_the_message)
{
    enum tls_request wishes[] = { TLS_AS_USUAL, TLS_REQUIRED, TLS_OPTIONAL, TLS_REPORT };
    struct lease l;

    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        struct queue_recipient to = { 0, "sender@example.org", "bounce.example" };
        struct settlement failed = { .state = SETTLE_FAILED, .status = "5.7.10", .why = "no TLS" };
        struct fixture f;
        message_id id;

        fixture_begin(&f);
        f.tls = wishes[i];
        id = deposit(&f, "a.example", 100);
        for (int again = 0; again < 2; again++) {       /* from memory, and from the disk */
            CHECK(queue_show(f.q, id, see_tls, &wishes[i]));
            CHECK(take(&f, &l));
            CHECK_EQUAL(l.envelope.tls, wishes[i]);
            fixture_reopen(&f);
        }
        CHECK(take(&f, &l));
        {
            struct envelope e = { .id = message_id_new(&f.ids, f.now), .sender = "", .origin = "", .recipients = &to,
                                  .count = 1, .tls = wishes[i] };
            struct consequence bounce = { &e, SLICE("bounce") };

            queue_settle(f.q, &(struct settle){ .lease = l.number, .recipients = &failed, .count = 1,
                                                .attempted = true, .consequence = &bounce }, note_answer, NULL);
        }
        commit(&f);
        for (int again = 0; again < 2; again++) {
            CHECK(queue_lease(f.q, f.now, 0, &f.arena, &l));
            CHECK_TEXT(l.destination, "bounce.example");
            CHECK_EQUAL(l.envelope.tls, wishes[i]);
            fixture_reopen(&f);
        }
        fixture_end(&f);
    }
}

/* (Q1), SMTP-049: sizes around every border, in groups of one, of two and of many. */
TEST(bodies_of_all_sizes_survive_a_restart)
{
    const size_t sizes[] = { 0, 1, 100, 32767, 32768, 32769, 65535, 65536, 65537, 98304, 300000 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    struct fixture f;

    for (size_t group = 1; group <= COUNT; group += group) {
        fixture_begin(&f);
        for (size_t i = 0; i < COUNT; i++) {
            post(&f, "a.example", sizes[i], NULL);
            if (i % group == group - 1)
                commit(&f);
        }
        commit(&f);
        CHECK_EQUAL(figures(&f).messages, COUNT);
        fixture_reopen(&f);
        CHECK_EQUAL(figures(&f).messages, COUNT);
        CHECK_EQUAL(deliver_all(&f), COUNT);
        fixture_end(&f);
    }
}

TEST(messages_that_come_at_the_same_time_do_not_mix)
{
    struct incoming *in[3];
    struct buf bodies[3];
    struct answered a[3] = { 0 };
    struct error why;
    struct lease l;
    struct fixture f;

    fixture_begin(&f);
    for (uint64_t i = 0; i < 3; i++) {
        in[i] = incoming_new(f.q);
        pattern(&bodies[i], 1000 + i, 200000);
    }
    for (size_t at = 0; at < 200000; at += 5000)
        for (int i = 0; i < 3; i++)
            CHECK_OK(incoming_add(in[i], slice(bodies[i].memory + at, 5000), &why), &why);
    for (uint64_t i = 0; i < 3; i++) {
        struct queue_recipient to = { 0, "user@example.org", "example.org" };
        struct envelope e = { .id = 1000 + i, .sender = "", .origin = "", .recipients = &to, .count = 1 };

        queue_accept(f.q, in[i], &e, note_answer, &a[i]);
    }
    commit(&f);
    for (int i = 0; i < 3; i++) {
        CHECK(a[i].done);
        CHECK(take(&f, &l));        /* compares each byte */
        CHECK_TEXT(l.envelope.sender, "");
        buf_done(&bodies[i]);
    }
    fixture_end(&f);
}

TEST(an_incoming_message_can_be_dropped)
{
    struct fixture f;
    struct incoming *in;
    struct error why;
    auto_buf struct buf body;

    fixture_begin(&f);
    in = incoming_new(f.q);
    CHECK_OK(incoming_add(in, pattern(&body, 1, 100000), &why), &why);
    incoming_drop(in);
    incoming_drop(NULL);
    CHECK(queue_group(f.q) == NULL);
    queue_tend(f.q, f.now);
    commit(&f);
    CHECK_EQUAL(figures(&f).segment_bytes, 0);      /* its bytes are dead */
    fixture_end(&f);
}

/* (Q7) */
TEST(a_repeated_id_is_refused_and_harms_nobody_else)
{
    struct answered good[3] = { 0 }, bad = { 0 };
    struct queue_recipient to = { 0, "user@example.org", "example.org" };
    struct envelope e = { .sender = "", .origin = "", .recipients = &to, .count = 1 };
    struct fixture f;

    fixture_begin(&f);
    e.id = deposit(&f, "a.example", 10);
    post(&f, "a.example", 10, &good[0]);
    post(&f, "b.example", 100000, &good[1]);
    queue_accept(f.q, incoming_new(f.q), &e, note_answer, &bad);
    post(&f, "c.example", 10, &good[2]);
    commit(&f);
    for (int i = 0; i < 3; i++)
        CHECK(good[i].count == 1 && good[i].done);
    CHECK(bad.count == 1 && !bad.done);
    CHECK_EQUAL(bad.why.code, E_STORAGE);       /* the client may try again */
    CHECK_EQUAL(deliver_all(&f), 4);
    fixture_end(&f);
}

TEST(a_message_without_id_or_recipient_is_refused)
{
    struct queue_recipient to[2] = { { 0, "user@example.org", "example.org" }, { 0, "x@example.org", "example.org" } };
    struct envelope wrong[] = {
        { .id = 0, .sender = "", .recipients = to, .count = 1 },
        { .id = UINT64_MAX, .sender = "", .recipients = to, .count = 1 },
        { .id = 5, .sender = "", .recipients = to, .count = 0 },
        { .id = 6, .sender = "", .recipients = to, .count = 2 },        /* both have number 0 */
    };
    struct fixture f;

    fixture_begin(&f);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct answered a = { 0 };

        queue_accept(f.q, incoming_new(f.q), &wrong[i], note_answer, &a);
        commit(&f);
        CHECK(a.count == 1 && !a.done);
    }
    CHECK_EQUAL(figures(&f).messages, 0);
    fixture_end(&f);
}

TEST(while_a_group_is_applied_the_next_one_gathers)
{
    struct answered first = { 0 }, second = { 0 };
    struct fixture f;
    struct group *g;
    struct lease l;

    fixture_begin(&f);
    post(&f, "a.example", 100000, &first);
    g = queue_group(f.q);
    CHECK(g != NULL);
    post(&f, "b.example", 100000, &second);
    CHECK(queue_group(f.q) == NULL);
    group_apply(g);
    CHECK(!take(&f, &l));
    queue_applied(f.q, g);
    CHECK(first.count == 1 && second.count == 0);
    CHECK(take(&f, &l));
    CHECK_TEXT(l.destination, "a.example");
    commit(&f);
    CHECK(second.count == 1 && second.done);
    CHECK_EQUAL(figures(&f).groups, 2);
    CHECK_EQUAL(figures(&f).group_members, 2);
    fixture_end(&f);
}

TEST(closing_answers_what_waits)
{
    struct answered a = { 0 }, s = { 0 };
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    settle(&f, &l, SETTLE_DELIVERED, 0, &s);
    post(&f, "a.example", 100000, &a);
    fixture_reopen(&f);
    CHECK(a.count == 1 && !a.done && a.why.code == E_CANCELLED);
    CHECK(s.count == 1 && !s.done && s.why.code == E_CANCELLED);
    CHECK_EQUAL(deliver_all(&f), 1);
    fixture_end(&f);
    queue_close(NULL);
}

/* --- leasing ----------------------------------------------------------------- */

TEST(recipients_that_share_a_destination_share_a_lease)
{
    struct fixture f;
    struct lease l;
    size_t seen = 0;

    fixture_begin(&f);
    deposit(&f, "a.example b.example a.example a.example", 10);
    for (int again = 0; again < 2; again++) {
        for (seen = 0; take(&f, &l); seen += l.envelope.count) {
            CHECK_ID("SMTP-088", l.envelope.count == (l.destination[0] == 'a' ? 3 : 1));
            for (size_t i = 0; i < l.envelope.count; i++)
                CHECK_TEXT(l.envelope.recipients[i].destination, l.destination);
        }
        CHECK_EQUAL(seen, 4);
        fixture_reopen(&f);
    }
    fixture_end(&f);
}

/* (Q6) */
TEST(what_is_leased_is_not_leased_again_until_it_comes_back)
{
    struct fixture f;
    struct lease l, again;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    CHECK(!take(&f, &again));
    CHECK(queue_next_due(f.q) == TIME_NEVER);
    queue_revoke(f.q, l.number, f.now + 500);
    CHECK(!take(&f, &again));
    CHECK_EQUAL(queue_next_due(f.q), f.now + 500);
    f.now += 500;
    CHECK(take(&f, &again));
    CHECK(again.number != l.number);
    queue_revoke(f.q, l.number, 0);             /* an old number means nothing */
    CHECK(!take(&f, &l));
    fixture_end(&f);
}

TEST(the_limit_for_a_destination_holds_and_turns_are_fair)
{
    struct fixture f;
    struct lease l;
    char order[32] = "";

    fixture_begin(&f);
    f.settings.per_destination = 2;
    fixture_reopen(&f);
    for (int i = 0; i < 5; i++)
        deposit(&f, "a.example", 10);
    deposit(&f, "b.example", 10);
    for (size_t i = 0; take(&f, &l); i++)
        order[i] = l.destination[0];
    CHECK_TEXT(order, "aba");
    settle(&f, &l, SETTLE_DELIVERED, 0, NULL);
    fixture_end(&f);
}

TEST(large_bodies_are_read_in_pieces_from_anywhere)
{
    enum { SIZE = 150000 };
    auto_buf struct buf wanted;
    struct error why = { 0 };
    struct fixture f;
    struct lease l;
    char piece[5000];
    size_t got = 1;

    fixture_begin(&f);
    deposit(&f, "a.example", SIZE);
    CHECK(take(&f, &l));
    CHECK(slice_empty(l.body));
    pattern(&wanted, l.envelope.id, SIZE);
    for (size_t at = 0; at < SIZE; at += 4999) {
        CHECK_OK(queue_read(f.q, l.number, at, piece, sizeof piece, &got, &why), &why);
        CHECK(got == (at + 5000 <= SIZE ? 5000 : SIZE - at));
        CHECK(memcmp(piece, wanted.memory + at, got) == 0);
    }
    CHECK_OK(queue_read(f.q, l.number, SIZE, piece, sizeof piece, &got, &why), &why);
    CHECK_EQUAL(got, 0);
    CHECK_OK(queue_read(f.q, l.number, UINT64_MAX, piece, sizeof piece, &got, &why), &why);
    CHECK_EQUAL(got, 0);
    CHECK(!queue_read(f.q, l.number + 1, 0, piece, sizeof piece, &got, &why));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    fixture_end(&f);
}

TEST(a_lease_that_does_not_fit_into_its_arena_is_put_off)
{
    struct arena small;
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 20000);
    for (int again = 0; again < 2; again++) {
        for (size_t max = 0; max < 20000; max += 997) {
            arena_init(&small, max);
            CHECK(!queue_lease(f.q, f.now, 0, &small, &l));
            arena_done(&small);
            f.now += MINUTES(5);
        }
        CHECK(take(&f, &l));
        fixture_reopen(&f);
    }
    fixture_end(&f);
}

TEST(many_fresh_messages_use_bounded_memory_and_are_all_there)
{
    enum { COUNT = 2500 };      /* of 30,000 bytes: more than is kept in memory */
    struct fixture f;

    fixture_begin(&f);
    for (int i = 0; i < COUNT; i++) {
        post(&f, "a.example", 30000, NULL);
        if (i % 50 == 0)
            commit(&f);
    }
    commit(&f);
    CHECK_EQUAL(figures(&f).body_bytes, COUNT * 30000);
    CHECK_EQUAL(deliver_all(&f), COUNT);
    CHECK_EQUAL(figures(&f).body_bytes, 0);
    fixture_end(&f);
}

/* --- restarts ------------------------------------------------------------------------ */

TEST(a_lease_can_be_resumed_after_a_restart)
{
    struct answered a = { 0 };
    uint64_t resumed = 0, twice;
    struct fixture f;
    struct lease l, other;

    fixture_begin(&f);
    deposit(&f, "a.example a.example", 100000);
    CHECK(take(&f, &l));
    fixture_reopen(&f);
    CHECK(queue_resume(f.q, l.envelope.id, "a.example", 0, &resumed));
    CHECK(resumed != 0 && resumed != l.number);
    CHECK(!take(&f, &other));
    CHECK(!queue_resume(f.q, l.envelope.id, "a.example", 0, &twice));
    CHECK(!queue_resume(f.q, l.envelope.id, "b.example", 0, &twice));
    CHECK(!queue_resume(f.q, l.envelope.id + 1, "a.example", 0, &twice));
    queue_settle(f.q, &(struct settle){ .lease = l.number }, note_answer, &a);      /* the old number */
    commit(&f);
    CHECK(!a.done && a.why.code == E_NOT_FOUND);
    {
        char first[10];
        struct error why;
        size_t got;

        CHECK_OK(queue_read(f.q, resumed, 0, first, sizeof first, &got, &why), &why);
        CHECK_EQUAL(got, 10);
    }
    l.number = resumed;
    settle(&f, &l, SETTLE_DELIVERED, 0, &a);
    commit(&f);
    CHECK(a.done);
    CHECK_EQUAL(figures(&f).messages, 0);
    CHECK(!queue_resume(f.q, l.envelope.id, "a.example", 0, &resumed));
    fixture_end(&f);
}

TEST(a_resumed_lease_may_have_been_for_some_recipients_only)
{
    struct settlement first = { .number = 0, .state = SETTLE_DELIVERED, .status = "2.0.0", .why = "" };
    uint64_t resumed = 0;
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example a.example", 10);
    CHECK(take(&f, &l));
    fixture_reopen(&f);
    CHECK(queue_resume(f.q, l.envelope.id, "a.example", 0, &resumed));
    queue_settle(f.q, &(struct settle){ .lease = resumed, .recipients = &first, .count = 1, .attempted = true },
                 note_answer, NULL);
    commit(&f);
    CHECK(take(&f, &l));
    CHECK(l.envelope.count == 1 && l.envelope.recipients[0].number == 1);
    fixture_end(&f);
}

TEST(due_times_survive_a_restart)
{
    struct fixture f;
    struct lease l;

    fixture_begin(&f);
    deposit(&f, "a.example", 10);
    CHECK(take(&f, &l));
    settle(&f, &l, SETTLE_DEFERRED, f.now + HOURS(4), NULL);
    commit(&f);
    fixture_reopen(&f);
    CHECK_EQUAL(queue_next_due(f.q), f.now + HOURS(4));
    CHECK(!take(&f, &l));
    f.now += HOURS(4);
    CHECK(take(&f, &l));
    fixture_end(&f);
}
