/* An outbound process and a store that dies and comes back. */
#include "serve/scribe.h"

#include "base/memory.h"
#include "run/fiber.h"
#include "tests/test.h"

#include <unistd.h>

static struct scribe *scribe;
static struct channel *near, *far;
static size_t asked, counted;
static uint64_t ticket;
static int answer;

/* What the store got last: questions, by their order, and a message. */
static struct {
    uint64_t ticket;
    uint8_t type;
    struct buf body;
} questions[8];
static size_t question_count;
static size_t accepts, bytes_got, drops;
static uint64_t accept_ticket;
static bool nonsense;                   /* the scribe found an answer so */

static void on_changed(void *self, uint8_t kind, const char *key)
{
}

static bool near_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    bool good = false;

    CHECK(scribe_takes(scribe, type, body, &good));
    nonsense |= !good;
    return true;
}

static void take_question(struct slice body)
{
    struct frame_ticketed f;

    CHECK(frame_get_ticketed(body, &f));
    CHECK(question_count < 8);
    questions[question_count].ticket = f.ticket;
    questions[question_count].type = f.type;
    buf_init(&questions[question_count].body, CHANNEL_FRAME_MAX);
    buf_add(&questions[question_count++].body, f.body);
}

static void take_message(uint8_t type, struct slice body)
{
    struct arena arena = { 0 };
    struct frame_accept end;
    struct frame_body more;

    arena_init(&arena, 1024 * 1024);
    if (type == FRAME_DROP) {
        drops++;
    } else if (type == FRAME_BODY) {
        CHECK(frame_get_body(body, &more));
        bytes_got += more.bytes.len;
    } else {
        CHECK(frame_get_accept(body, &arena, &end));
        accept_ticket = end.ticket;
        accepts++;
    }
    arena_done(&arena);
}

/* The store. */
static bool far_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct arena arena = { 0 };
    struct frame_recall recall;
    struct frame_tallies tallies;

    arena_init(&arena, 1024 * 1024);
    if (type == FRAME_RECALL) {
        CHECK(frame_get_recall(body, &arena, &recall));
        ticket = recall.ticket;
        asked++;
    } else if (type == FRAME_ASK) {
        take_question(body);
    } else if (type == FRAME_BODY || type == FRAME_ACCEPT || type == FRAME_DROP) {
        take_message(type, body);
    } else {
        CHECK_EQUAL(type, FRAME_TALLY);
        CHECK(frame_get_tallies(body, &arena, &tallies));
        for (size_t i = 0; i < tallies.count; i++)
            counted += tallies.tallies[i].count;
    }
    arena_done(&arena);
    return true;
}

static void on_closed(void *owner, const struct error *why)
{
}

static const struct channel_events near_events = { near_frame, on_closed }, far_events = { far_frame, on_closed };

static void connect_store(void)
{
    int fds[2];

    CHECK(channel_pair(fds, NULL));
    near = channel_new(fds[0], &near_events, NULL);
    channel_start(near);
    far = channel_new(fds[1], &far_events, NULL);
    channel_start(far);
    scribe_link(scribe, near);
}

/* As outbound.c does it. */
static void lose_store(void)
{
    scribe_link(scribe, NULL);
    channel_free(far);
    channel_free(near);         /* last: malloc will most likely give its memory to the next */
    near = far = NULL;
}

static void begin(void)
{
    loop_open();
    scribe = scribe_new(on_changed, NULL);
    asked = counted = question_count = accepts = bytes_got = drops = 0;
    answer = -1;
    nonsense = false;
    connect_store();
}

static void end(void)
{
    lose_store();
    scribe_free(scribe);
    loop_close();
    for (size_t i = 0; i < 8; i++)
        buf_done(&questions[i].body);
}

static void turn_until(time_ms deadline)
{
    while (clock_now() < deadline) {
        usleep(1000);
        loop_turn(false);
    }
}

static void ask(void *arg)
{
    struct arena arena = { 0 };
    struct slice value;

    arena_init(&arena, 1024 * 1024);
    answer = scribe_recall(scribe, NOTE_MEMORY, "example.org", &arena, &value);
    arena_done(&arena);
}

/* The new channel may well be where the old one was in memory. */
TEST(a_question_is_put_to_the_next_store_as_well)
{
    struct frame_recalled nothing = { .answer = RECALL_NONE };
    struct buf frame = { 0 };

    begin();
    fiber_start("asker", ask, NULL);
    turn_until(clock_now() + 50);
    for (size_t stores = 1; stores < 20; stores++) {
        CHECK_EQUAL(asked, stores);
        lose_store();
        connect_store();
        turn_until(clock_now() + 50);
    }
    nothing.ticket = ticket;
    buf_init(&frame, 1024);
    frame_put_recalled(&frame, &nothing);
    channel_send(far, FRAME_RECALLED, buf_slice(&frame));
    buf_done(&frame);
    turn_until(clock_now() + 50);
    CHECK_EQUAL(answer, RECALL_NONE);
    end();
}

TEST(what_was_counted_while_there_was_no_store_is_told_to_the_next)
{
    begin();
    lose_store();
    scribe_count(scribe, SLICE("one"), SLICE("rest"), 1);
    turn_until(clock_now() + 1200);             /* the time to gather is over */
    connect_store();
    scribe_count(scribe, SLICE("two"), SLICE(""), 1);
    turn_until(clock_now() + 1200);
    CHECK_EQUAL(counted, 2);
    end();
}

/* --- what clerks ask --------------------------------------------------------------- */

static struct buf body;

/* One frame of the answer to the question number `which`. */
static void tell(size_t which, enum frame_type type)
{
    auto_buf struct buf frame;

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_ticketed(&frame, &(struct frame_ticketed){ questions[which].ticket, (uint8_t)type, buf_slice(&body) });
    channel_send(far, FRAME_TOLD, buf_slice(&frame));
    buf_done(&body);
    buf_init(&body, CHANNEL_FRAME_MAX);
}

static void tell_note(size_t which, const char *key)
{
    frame_put_note(&body, &(struct note){ NOTE_RECEIVED, key, 5, SLICE("x") });
    tell(which, FRAME_NOTE_VIEW);
}

static void tell_tally(size_t which, const char *key)
{
    frame_put_tally(&body, &(struct tally){ 20000, slice_of(key), 1 });
    tell(which, FRAME_TALLY_VIEW);
}

static void tell_stored(size_t which, bool stored)
{
    frame_put_listed(&body, &(struct frame_listed){ .count = stored });
    tell(which, FRAME_LISTED);
}

static void turn(void)
{
    turn_until(clock_now() + 100);
}

/* What the asker came to. */
static struct error why;
static bool done, ended;
static struct buf seen;

static void begin_asking(void (*run)(void *arg))
{
    begin();
    buf_init(&body, CHANNEL_FRAME_MAX);
    buf_init(&seen, 1024);
    done = ended = false;
    why = (struct error){ 0 };
    fiber_start("asker", run, NULL);
    turn();
}

static void end_asking(void)
{
    CHECK(ended);
    CHECK(!nonsense);
    end();
    buf_done(&body);
    buf_done(&seen);
}

static void see_note(void *arg, const struct note *n)
{
    buf_text(&seen, "%s ", n->key);
}

static void list_notes_of_a_kind(void *arg)
{
    done = scribe_notes(scribe, NOTE_RECEIVED, see_note, NULL, &why);
    ended = true;
}

TEST(a_list_goes_on_with_the_next_store_where_it_was)
{
    struct frame_note_list asked_for;
    struct arena arena = { 0 };

    begin_asking(list_notes_of_a_kind);
    CHECK_EQUAL(question_count, 1);
    tell_note(0, "a");
    tell_note(0, "b");
    turn();
    lose_store();
    connect_store();
    turn();
    CHECK_EQUAL(question_count, 2);
    arena_init(&arena, 1024);
    CHECK(frame_get_note_list(buf_slice(&questions[1].body), &arena, &asked_for));
    CHECK_TEXT(asked_for.after, "b");
    arena_done(&arena);
    tell_note(1, "c");
    frame_put_notes_listed(&body, &(struct frame_notes_listed){ "c", 1 });
    tell(1, FRAME_NOTES_LISTED);
    turn();
    CHECK(!ended);                      /* the next page */
    frame_put_notes_listed(&body, &(struct frame_notes_listed){ "c", 0 });
    tell(2, FRAME_NOTES_LISTED);
    turn();
    CHECK(done);
    CHECK_SLICE(buf_slice(&seen), "a b c ");
    end_asking();
}

static void find_next(void *arg)
{
    done = scribe_next_tally(scribe, 20000, SLICE(""), &seen, &why);
    ended = true;
}

/* Asked for the rest, a new store would tell the one behind it. */
TEST(the_next_tally_is_known_once_it_was_told)
{
    begin_asking(find_next);
    tell_tally(0, "one");
    turn();
    lose_store();
    connect_store();
    turn();
    CHECK(done);
    CHECK_EQUAL(question_count, 1);
    CHECK_SLICE(buf_slice(&seen), "one");
    end_asking();
}

static void put_one(void *arg)
{
    done = scribe_put(scribe, &(struct note){ NOTE_REPORT, "key", 5, SLICE("x") }, &why);
    ended = true;
}

TEST(a_note_that_cannot_be_stored_is_not_put)
{
    const struct error full = { E_STORAGE_FULL, "no room" };

    begin_asking(put_one);
    CHECK_EQUAL(questions[0].type, FRAME_NOTE_PUT);
    frame_put_answer(&body, 0, false, &full);
    tell(0, FRAME_OPERATED);
    turn();
    CHECK(!done);
    CHECK_EQUAL(why.code, E_STORAGE_FULL);
    CHECK_TEXT(why.text, "no room");
    end_asking();
}

static void put_another(void *arg)
{
    CHECK(scribe_put(scribe, &(struct note){ NOTE_REPORT, "another", 5, SLICE("y") }, NULL));
    buf_text(&seen, "another ");
}

TEST(fibers_that_ask_at_once_get_each_its_own_answer)
{
    begin_asking(put_one);
    fiber_start("another", put_another, NULL);
    turn();
    CHECK_EQUAL(question_count, 2);
    CHECK(questions[0].ticket != questions[1].ticket);
    frame_put_answer(&body, 0, true, NULL);
    tell(1, FRAME_OPERATED);
    turn();
    CHECK(!ended);
    CHECK_SLICE(buf_slice(&seen), "another ");
    frame_put_answer(&body, 0, true, NULL);
    tell(0, FRAME_OPERATED);
    turn();
    CHECK(done);
    frame_put_answer(&body, 0, true, NULL);
    tell(0, FRAME_OPERATED);            /* nobody waits for it any more */
    turn();
    end_asking();
}

TEST(an_asker_that_is_cancelled_does_not_wait)
{
    struct fiber *asker;

    begin();
    buf_init(&body, CHANNEL_FRAME_MAX);
    asker = fiber_start("asker", put_one, NULL);
    ended = false;
    turn();
    fiber_cancel(asker);
    turn();
    CHECK(!done);
    CHECK_EQUAL(why.code, E_CANCELLED);
    end_asking();
}

/* (P5) */
TEST(an_answer_to_another_question_makes_no_sense)
{
    begin_asking(put_one);
    tell_note(0, "a");
    turn();
    CHECK(nonsense);
    nonsense = false;
    frame_put_answer(&body, 0, true, NULL);
    tell(0, FRAME_OPERATED);
    turn();
    CHECK(done);
    end_asking();
}

/* --- messages of our own ------------------------------------------------------------- */

static void post_one(void *arg)
{
    static const struct queue_recipient to = { 0, "tlsrpt@example.net", "example.net" };
    static char bytes[1000000];
    struct envelope e = { .id = 77, .sender = "", .origin = "", .recipients = &to, .count = 1 };

    done = scribe_post(scribe, &e, slice(bytes, sizeof bytes), &why);
    ended = true;
}

static void tell_accepted(bool taken, const struct error *reason)
{
    auto_buf struct buf frame;

    buf_init(&frame, 1024);
    frame_put_answer(&frame, accept_ticket, taken, reason);
    channel_send(far, FRAME_ACCEPTED, buf_slice(&frame));
    turn();
}

/* It asks first, lest a caller that begins anew makes two of it; then the message goes. */
static void begin_posting(void)
{
    begin_asking(post_one);
    CHECK_EQUAL(question_count, 1);
    CHECK_EQUAL(questions[0].type, FRAME_LIST);
    tell_stored(0, false);
    while (accepts == 0)
        loop_turn(true);
    CHECK_EQUAL(bytes_got, 1000000);
}

TEST(a_message_is_posted_when_the_store_has_taken_it)
{
    begin_posting();
    CHECK(!ended);
    tell_accepted(true, NULL);
    CHECK(done);
    end_asking();
}

TEST(a_message_that_the_store_does_not_take_is_not_posted)
{
    const struct error full = { E_STORAGE_FULL, "no room" };

    begin_posting();
    tell_accepted(false, &full);
    CHECK(!done);
    CHECK_EQUAL(why.code, E_STORAGE_FULL);
    end_asking();
}

TEST(a_message_that_is_there_already_is_posted)
{
    begin_asking(post_one);
    tell_stored(0, true);
    turn();
    CHECK(done);
    CHECK_EQUAL(accepts, 0);
    end_asking();
}

/* (P1) Whether the store that died had stored it, its successor knows. */
TEST(a_message_whose_store_dies_is_posted_once)
{
    for (int stored = 0; stored < 2; stored++) {
        begin_posting();
        lose_store();
        turn();
        connect_store();
        turn();
        CHECK_EQUAL(question_count, 2);
        tell_stored(1, stored);
        turn();
        CHECK_EQUAL(accepts, stored ? 1 : 2);
        CHECK(ended == stored);
        if (!stored)
            tell_accepted(true, NULL);
        CHECK(done);
        end_asking();
    }
}

TEST(the_beginning_of_a_message_that_will_not_come_is_dropped)
{
    struct fiber *asker;

    begin();
    buf_init(&body, CHANNEL_FRAME_MAX);
    ended = done = false;
    asker = fiber_start("asker", post_one, NULL);
    turn();
    tell_stored(0, false);
    fiber_cancel(asker);
    turn();
    CHECK(!done);
    CHECK_EQUAL(why.code, E_CANCELLED);
    CHECK_EQUAL(accepts, 0);
    end_asking();
}
