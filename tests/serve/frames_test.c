#include "tests/test.h"

#include "base/memory.h"
#include "serve/frames.h"

static struct arena arena;
static struct buf frame;

static void fresh(void)
{
    arena_done(&arena);
    buf_done(&frame);
    arena_init(&arena, 4 * 1024 * 1024);
    buf_init(&frame, 1024 * 1024);
}

static const struct queue_recipient two[] = {
    { 0, "a@example.org", "example.org" }, { 7, "b@example.net", "smtp relay.example.org:587 encrypt" } };

static struct envelope an_envelope(void)
{
    return (struct envelope){ .id = 0x1234567890abcdef, .sender = "s@example.com", .arrived = 1700000000123,
        .size = 10240, .eight_bit = true, .tls = TLS_OPTIONAL, .origin = "client[192.0.2.1] ESMTP", .recipients = two, .count = 2 };
}

static void check_envelope(const struct envelope *e)
{
    struct envelope wanted = an_envelope();

    CHECK_EQUAL(e->id, wanted.id);
    CHECK_TEXT(e->sender, wanted.sender);
    CHECK_EQUAL(e->arrived, wanted.arrived);
    CHECK_EQUAL(e->size, wanted.size);
    CHECK(e->eight_bit);
    CHECK_EQUAL(e->tls, TLS_OPTIONAL);
    CHECK_TEXT(e->origin, wanted.origin);
    CHECK_EQUAL(e->count, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQUAL(e->recipients[i].number, two[i].number);
        CHECK_TEXT(e->recipients[i].address, two[i].address);
        CHECK_TEXT(e->recipients[i].destination, two[i].destination);
    }
}

TEST(an_accepted_message_travels_whole)
{
    struct frame_accept sent = { 99, an_envelope(), SLICE("Subject: x\r\n\r\nbody\0with nul") }, got;

    fresh();
    frame_put_accept(&frame, &sent);
    CHECK(frame_get_accept(buf_slice(&frame), &arena, &got));
    CHECK_EQUAL(got.ticket, 99);
    check_envelope(&got.envelope);
    CHECK(slice_equal(got.bytes, sent.bytes));
    fresh();
}

TEST(the_head_of_a_message_travels_with_its_end_and_has_a_bound)
{
    static char long_head[ENVELOPE_HEAD_MAX + 1];
    struct frame_accept sent = { 99, an_envelope(), SLICE("body") }, got;

    sent.envelope.head = SLICE("DKIM-Signature: x\r\n");
    fresh();
    frame_put_accept(&frame, &sent);
    CHECK(frame_get_accept(buf_slice(&frame), &arena, &got));
    CHECK_SLICE(got.envelope.head, "DKIM-Signature: x\r\n");
    CHECK_SLICE(got.bytes, "body");
    for (size_t len = ENVELOPE_HEAD_MAX; len <= ENVELOPE_HEAD_MAX + 1; len++) {
        sent.envelope.head = slice(long_head, len);
        fresh();
        frame_put_accept(&frame, &sent);
        CHECK_EQUAL(frame_get_accept(buf_slice(&frame), &arena, &got), len == ENVELOPE_HEAD_MAX);
    }
    fresh();
}

TEST(a_lease_travels_whole)
{
    struct lease sent = { .number = 5, .envelope = an_envelope(), .destination = "example.org", .attempts = 3,
                          .first_attempt = 1700000001000, .delay_told = true, .body = SLICE("abc") }, got;

    fresh();
    frame_put_lease(&frame, &sent);
    CHECK(frame_get_lease(buf_slice(&frame), &arena, &got));
    check_envelope(&got.envelope);
    CHECK_EQUAL(got.number, 5);
    CHECK_TEXT(got.destination, "example.org");
    CHECK_EQUAL(got.attempts, 3);
    CHECK_EQUAL(got.first_attempt, 1700000001000);
    CHECK(got.delay_told);
    CHECK_SLICE(got.body, "abc");
    fresh();
}

TEST(a_settlement_travels_with_its_consequence)
{
    const struct settlement settlements[] = {
        { 0, SETTLE_DELIVERED, "2.0.0", "", 0, NULL },
        { 7, SETTLE_DEFERRED, "4.4.1", "no route", 1700000300000, "discard" } };
    struct envelope bounce = an_envelope();
    struct consequence consequence = { &bounce, SLICE("the bounce") };
    struct settle sent = { 5, settlements, 2, true, true, &consequence }, got;

    fresh();
    frame_put_settle(&frame, &sent);
    CHECK(frame_get_settle(buf_slice(&frame), &arena, &got));
    CHECK_EQUAL(got.lease, 5);
    CHECK(got.attempted && got.delay_told);
    CHECK_EQUAL(got.count, 2);
    CHECK_EQUAL(got.recipients[0].state, SETTLE_DELIVERED);
    CHECK(got.recipients[0].destination == NULL);
    CHECK_EQUAL(got.recipients[1].number, 7);
    CHECK_EQUAL(got.recipients[1].state, SETTLE_DEFERRED);
    CHECK_TEXT(got.recipients[1].status, "4.4.1");
    CHECK_TEXT(got.recipients[1].why, "no route");
    CHECK_EQUAL(got.recipients[1].due, 1700000300000);
    CHECK_TEXT(got.recipients[1].destination, "discard");
    check_envelope(got.consequence->envelope);
    CHECK_SLICE(got.consequence->body, "the bounce");
    sent.consequence = NULL;
    fresh();
    frame_put_settle(&frame, &sent);
    CHECK(frame_get_settle(buf_slice(&frame), &arena, &got));
    CHECK(got.consequence == NULL);
    fresh();
}

TEST(small_frames_travel_whole)
{
    struct frame_link link = { LINK_OUTBOUND, 3, 17 }, got_link;
    struct frame_read read = { 5, 65536, 1024 }, got_read;
    struct frame_piece piece = { 5, 65536, true, SLICE("abc") }, got_piece;
    struct frame_hello hello = { 5, 77, "example.org" }, got_hello;
    struct frame_resumed resumed = { 5, 6 }, got_resumed;
    struct frame_list list = { 1, 2, -1, 500 }, got_list;
    struct frame_listed listed = { 9, -1, 4 }, got_listed;
    struct frame_operate operate = { ACT_HOLD, 9 }, got_operate;
    struct error why = { E_STORAGE_FULL, "no room" };
    struct frame_answer answer;

    fresh();
    frame_put_link(&frame, &link);
    CHECK(frame_get_link(buf_slice(&frame), &got_link) && got_link.slot == 3 && got_link.generation == 17);
    buf_clear(&frame);
    frame_put_read(&frame, &read);
    CHECK(frame_get_read(buf_slice(&frame), &got_read) && got_read.offset == 65536 && got_read.size == 1024);
    buf_clear(&frame);
    frame_put_piece(&frame, &piece);
    CHECK(frame_get_piece(buf_slice(&frame), &got_piece) && got_piece.done && got_piece.bytes.len == 3);
    buf_clear(&frame);
    frame_put_hello(&frame, &hello);
    CHECK(frame_get_hello(buf_slice(&frame), &arena, &got_hello) && got_hello.id == 77);
    CHECK_TEXT(got_hello.destination, "example.org");
    buf_clear(&frame);
    frame_put_resumed(&frame, &resumed);
    CHECK(frame_get_resumed(buf_slice(&frame), &got_resumed) && got_resumed.lease == 6);
    buf_clear(&frame);
    frame_put_list(&frame, &list);
    CHECK(frame_get_list(buf_slice(&frame), &got_list) && got_list.after_number == -1 && got_list.limit == 500);
    buf_clear(&frame);
    frame_put_listed(&frame, &listed);
    CHECK(frame_get_listed(buf_slice(&frame), &got_listed) && got_listed.count == 4);
    buf_clear(&frame);
    frame_put_operate(&frame, &operate);
    CHECK(frame_get_operate(buf_slice(&frame), &got_operate) && got_operate.act == ACT_HOLD);
    buf_clear(&frame);
    frame_put_answer(&frame, 12, false, &why);
    CHECK(frame_get_answer(buf_slice(&frame), &answer) && answer.ticket == 12 && !answer.done);
    CHECK_EQUAL(answer.why.code, E_STORAGE_FULL);
    CHECK_TEXT(answer.why.text, "no room");
    fresh();
}

TEST(a_view_and_figures_travel_whole)
{
    struct queue_view view = { .envelope = an_envelope(), .attempts = 2, .due = 5, .last_attempt = 4, .held = true,
                               .status = "4.2.0", .why = "later" }, got;
    struct queue_figures figures = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, got_figures;

    fresh();
    view.envelope.count = 1;
    frame_put_view(&frame, &view);
    CHECK(frame_get_view(buf_slice(&frame), &arena, &got));
    CHECK(got.held && !got.leased && got.attempts == 2 && got.due == 5 && got.last_attempt == 4);
    CHECK_TEXT(got.why, "later");
    buf_clear(&frame);
    frame_put_figures(&frame, &figures);
    CHECK(frame_get_figures(buf_slice(&frame), &got_figures));
    CHECK(memcmp(&figures, &got_figures, sizeof figures) == 0);
    fresh();
}

/* (P5) Every frame, cut at every place, and with a byte too many, is refused. */
TEST(a_frame_that_is_cut_short_or_too_long_is_refused)
{
    const struct settlement settlements[] = { { 0, SETTLE_FAILED, "5.1.1", "no", 0, NULL } };
    struct settle settle = { 5, settlements, 1, true, false, NULL }, got_settle;
    struct lease lease = { .number = 5, .envelope = an_envelope(), .destination = "d" }, got_lease;

    fresh();
    frame_put_settle(&frame, &settle);
    for (size_t n = 0; n < buf_len(&frame); n++)
        CHECK(!frame_get_settle(slice_first(buf_slice(&frame), n), &arena, &got_settle));
    buf_byte(&frame, 0);
    CHECK(!frame_get_settle(buf_slice(&frame), &arena, &got_settle));
    fresh();
    frame_put_lease(&frame, &lease);
    for (size_t n = 0; n < buf_len(&frame); n++)
        CHECK(!frame_get_lease(slice_first(buf_slice(&frame), n), &arena, &got_lease));
    fresh();
}

TEST(values_out_of_range_are_refused)
{
    struct frame_link link = { LINK_ROLES, 0, 0 };
    struct frame_operate operate = { ACT_REMOVE + 1, 0 };
    struct frame_accept accept = { 1, an_envelope(), SLICE("") }, got;
    struct error why = { (enum error_code)E_COUNT, "" };
    struct frame_answer answer;

    fresh();
    frame_put_link(&frame, &link);
    CHECK(!frame_get_link(buf_slice(&frame), &link));
    buf_clear(&frame);
    frame_put_operate(&frame, &operate);
    CHECK(!frame_get_operate(buf_slice(&frame), &operate));
    buf_clear(&frame);
    accept.envelope.count = 0;      /* a message for nobody */
    frame_put_accept(&frame, &accept);
    CHECK(!frame_get_accept(buf_slice(&frame), &arena, &got));
    buf_clear(&frame);
    frame_put_answer(&frame, 1, false, &why);
    CHECK(!frame_get_answer(buf_slice(&frame), &answer));
    fresh();
}

TEST(a_wish_about_tls_that_is_not_known_is_refused)
{
    struct frame_accept accept = { 1, an_envelope(), SLICE("") }, got;

    for (int tls = TLS_AS_USUAL; tls <= UINT8_MAX; tls++) {
        accept.envelope.tls = (enum tls_request)tls;
        fresh();
        frame_put_accept(&frame, &accept);
        CHECK_EQUAL(frame_get_accept(buf_slice(&frame), &arena, &got), tls <= TLS_REPORT);
        CHECK(tls > TLS_REPORT || (int)got.envelope.tls == tls);
    }
    fresh();
}

TEST(a_string_with_a_nul_inside_is_refused)
{
    struct frame_hello hello;

    fresh();
    buf_u64(&frame, 1);
    buf_u64(&frame, 2);
    buf_block(&frame, SLICE("exa\0mple"));
    CHECK(!frame_get_hello(buf_slice(&frame), &arena, &hello));
    fresh();
}

TEST(more_recipients_than_allowed_are_refused)
{
    struct queue_recipient *many = memory_array(FRAME_RECIPIENTS_MAX + 1, sizeof *many);
    struct frame_accept accept = { 1, an_envelope(), SLICE("") }, got;

    fresh();
    for (uint32_t i = 0; i <= FRAME_RECIPIENTS_MAX; i++)
        many[i] = (struct queue_recipient){ i, "a@example.org", "example.org" };
    accept.envelope.recipients = many;
    accept.envelope.count = FRAME_RECIPIENTS_MAX;
    frame_put_accept(&frame, &accept);
    CHECK(frame_get_accept(buf_slice(&frame), &arena, &got));
    fresh();
    accept.envelope.count = FRAME_RECIPIENTS_MAX + 1;
    frame_put_accept(&frame, &accept);
    CHECK(!frame_get_accept(buf_slice(&frame), &arena, &got));
    fresh();
    free(many);
}

TEST(a_recipient_without_address_or_destination_is_refused)
{
    const struct queue_recipient nobody[] = { { 0, "", "example.org" } }, nowhere[] = { { 0, "a@example.org", "" } };
    struct frame_accept accept = { 1, an_envelope(), SLICE("") }, got;

    accept.envelope.count = 1;
    accept.envelope.recipients = nobody;
    fresh();
    frame_put_accept(&frame, &accept);
    CHECK(!frame_get_accept(buf_slice(&frame), &arena, &got));
    accept.envelope.recipients = nowhere;
    fresh();
    frame_put_accept(&frame, &accept);
    CHECK(!frame_get_accept(buf_slice(&frame), &arena, &got));
    fresh();
}

/* --- notes and tallies --------------------------------------------------------- */

static const struct note a_note = { NOTE_STS, "example.org", 1700000000123, { "version: STSv1\0\n", 16 } };

static void check_note(const struct note *n)
{
    CHECK_EQUAL(n->kind, NOTE_STS);
    CHECK_TEXT(n->key, "example.org");
    CHECK_EQUAL(n->due, 1700000000123);
    CHECK(slice_equal(n->value, a_note.value));
}

TEST(notes_travel_whole)
{
    struct frame_recall recall = { 9, NOTE_MEMORY, "example.net" }, got_recall;
    struct frame_recalled recalled = { 9, RECALL_FOUND, a_note }, got_recalled;
    struct frame_notes_due due = { 7, NOTE_STS, 1700000000123, 50 }, got_due;
    struct frame_note_key key = { NOTE_HEALTH, "dns/0" }, got_key;
    struct frame_note_list list = { NOTE_MEMORY, "example.net", 50 }, got_list;
    struct frame_notes_listed listed = { "example.org", 3 }, got_listed;
    struct note note;

    fresh();
    frame_put_note(&frame, &a_note);
    CHECK(frame_get_note(buf_slice(&frame), &arena, &note));
    check_note(&note);
    buf_clear(&frame);
    frame_put_recall(&frame, &recall);
    CHECK(frame_get_recall(buf_slice(&frame), &arena, &got_recall) && got_recall.ticket == 9);
    CHECK(got_recall.kind == NOTE_MEMORY && strcmp(got_recall.key, "example.net") == 0);
    buf_clear(&frame);
    frame_put_recalled(&frame, &recalled);
    CHECK(frame_get_recalled(buf_slice(&frame), &arena, &got_recalled) && got_recalled.ticket == 9);
    check_note(&got_recalled.note);
    buf_clear(&frame);
    frame_put_notes_due(&frame, &due);
    CHECK(frame_get_notes_due(buf_slice(&frame), &got_due) && got_due.ticket == 7 && got_due.kind == NOTE_STS);
    CHECK(got_due.now == 1700000000123 && got_due.limit == 50);
    buf_clear(&frame);
    frame_put_note_key(&frame, &key);
    CHECK(frame_get_note_key(buf_slice(&frame), &arena, &got_key) && got_key.kind == NOTE_HEALTH);
    CHECK_TEXT(got_key.key, "dns/0");
    buf_clear(&frame);
    frame_put_note_list(&frame, &list);
    CHECK(frame_get_note_list(buf_slice(&frame), &arena, &got_list) && got_list.limit == 50);
    CHECK_TEXT(got_list.after, "example.net");
    buf_clear(&frame);
    frame_put_notes_listed(&frame, &listed);
    CHECK(frame_get_notes_listed(buf_slice(&frame), &arena, &got_listed) && got_listed.count == 3);
    CHECK_TEXT(got_listed.after, "example.org");
    fresh();
}

TEST(a_note_that_is_not_there_or_not_readable_is_told_apart)
{
    struct frame_recalled none = { 9, RECALL_NONE, a_note }, unknown = { 9, RECALL_UNKNOWN, a_note }, got;

    fresh();
    frame_put_recalled(&frame, &none);
    CHECK(frame_get_recalled(buf_slice(&frame), &arena, &got) && got.answer == RECALL_NONE && got.note.kind == 0);
    buf_clear(&frame);
    frame_put_recalled(&frame, &unknown);
    CHECK(frame_get_recalled(buf_slice(&frame), &arena, &got) && got.answer == RECALL_UNKNOWN);
    buf_clear(&frame);
    buf_u64(&frame, 9);
    buf_u8(&frame, RECALL_UNKNOWN + 1);
    CHECK(!frame_get_recalled(buf_slice(&frame), &arena, &got));
    fresh();
}

TEST(a_removal_is_a_note_but_nothing_recalled)
{
    struct note removal = { NOTE_STS, "example.org", 0, { "", 0 } }, got;
    struct frame_recalled recalled = { 9, RECALL_FOUND, removal };

    fresh();
    frame_put_note(&frame, &removal);
    CHECK(frame_get_note(buf_slice(&frame), &arena, &got) && slice_empty(got.value));
    buf_clear(&frame);
    frame_put_recalled(&frame, &recalled);
    CHECK(!frame_get_recalled(buf_slice(&frame), &arena, &recalled));
    fresh();
}

static bool note_passes(uint8_t kind, size_t key_length, size_t value_length)
{
    char *key = memory_new(key_length + 1), *value = memory_new(value_length + 1);
    struct note n = { kind, key, 1, { value, value_length } }, got;
    bool passes;

    memset(key, 'k', key_length);
    fresh();
    frame_put_note(&frame, &n);
    CHECK(!frame.failed);           /* the largest fits a frame */
    passes = frame_get_note(buf_slice(&frame), &arena, &got);
    CHECK(!passes || (strlen(got.key) == key_length && got.value.len == value_length));
    free(key);
    free(value);
    return passes;
}

TEST(notes_past_the_bounds_are_refused)
{
    struct frame_note_list list = { NOTE_KINDS, "", 1 };
    struct frame_note_key key = { 0, "k" };
    struct frame_notes_due due = { 1, NOTE_KINDS, 1, 1 };
    struct frame_recall recall = { 1, 0, "k" };

    CHECK(note_passes(NOTE_STS, NOTE_KEY_MAX, NOTE_VALUE_MAX));
    CHECK(note_passes(NOTE_KINDS - 1, 1, 0));
    CHECK(!note_passes(NOTE_STS, NOTE_KEY_MAX + 1, 1));
    CHECK(!note_passes(NOTE_STS, 0, 1));
    CHECK(!note_passes(NOTE_STS, 1, NOTE_VALUE_MAX + 1));
    CHECK(!note_passes(0, 1, 1));
    CHECK(!note_passes(NOTE_KINDS, 1, 1));
    CHECK(!note_passes(UINT8_MAX, 1, 1));
    fresh();
    frame_put_note_list(&frame, &list);
    CHECK(!frame_get_note_list(buf_slice(&frame), &arena, &list));
    buf_clear(&frame);
    frame_put_note_key(&frame, &key);
    CHECK(!frame_get_note_key(buf_slice(&frame), &arena, &key));
    buf_clear(&frame);
    frame_put_notes_due(&frame, &due);
    CHECK(!frame_get_notes_due(buf_slice(&frame), &due));
    buf_clear(&frame);
    frame_put_recall(&frame, &recall);
    CHECK(!frame_get_recall(buf_slice(&frame), &arena, &recall));
    fresh();
}

TEST(tallies_travel_whole)
{
    const struct tally two_tallies[] = { { 20000, SLICE("a\0b"), 3, SLICE("a\0rest") },
                                         { UINT32_MAX, SLICE("c"), INT64_MAX } };
    struct frame_tallies sent = { two_tallies, 2 }, got;
    struct frame_tally_find find = { 20000, SLICE("a\0"), SLICE("a\0b"), 7 }, got_find;
    struct frame_ticketed asked = { 9, FRAME_FIGURES, SLICE("body") }, got_asked;
    struct frame_tally_list list = { 20000, SLICE("a\0b"), 500 }, got_list;
    struct frame_tallies_listed listed = { 20001, SLICE("z"), 2 }, got_listed;
    struct tally tally;

    fresh();
    frame_put_tallies(&frame, &sent);
    CHECK(frame_get_tallies(buf_slice(&frame), &arena, &got) && got.count == 2);
    CHECK(got.tallies[0].day == 20000 && got.tallies[0].count == 3 && slice_equal(got.tallies[0].key, SLICE("a\0b")));
    CHECK(slice_equal(got.tallies[0].rest, SLICE("a\0rest")));
    CHECK(got.tallies[1].day == UINT32_MAX && got.tallies[1].count == INT64_MAX && slice_empty(got.tallies[1].rest));
    buf_clear(&frame);
    frame_put_tally(&frame, &two_tallies[0]);
    CHECK(frame_get_tally(buf_slice(&frame), &tally) && tally.day == 20000 && tally.count == 3);
    buf_clear(&frame);
    frame_put_tally_list(&frame, &list);
    CHECK(frame_get_tally_list(buf_slice(&frame), &got_list) && got_list.day == 20000 && got_list.limit == 500);
    CHECK(slice_equal(got_list.after, list.after));
    buf_clear(&frame);
    frame_put_tally_find(&frame, &find);
    CHECK(frame_get_tally_find(buf_slice(&frame), &got_find) && got_find.day == 20000 && got_find.limit == 7);
    CHECK(slice_equal(got_find.prefix, find.prefix) && slice_equal(got_find.after, find.after));
    buf_clear(&frame);
    frame_put_ticketed(&frame, &asked);
    CHECK(frame_get_ticketed(buf_slice(&frame), &got_asked) && got_asked.ticket == 9);
    CHECK(got_asked.type == FRAME_FIGURES && slice_equal(got_asked.body, asked.body));
    buf_clear(&frame);
    frame_put_tallies_listed(&frame, &listed);
    CHECK(frame_get_tallies_listed(buf_slice(&frame), &got_listed) && got_listed.day == 20001);
    CHECK(got_listed.count == 2 && slice_equal(got_listed.after, SLICE("z")));
    fresh();
}

static bool tally_passes(size_t key_length, size_t rest_length, uint64_t count)
{
    char *key = memory_new(key_length + 1), *rest = memory_new(rest_length + 1);
    struct tally t = { 1, { key, key_length }, count, { rest, rest_length } };
    bool passes;

    fresh();
    frame_put_tallies(&frame, &(struct frame_tallies){ &t, 1 });
    passes = frame_get_tallies(buf_slice(&frame), &arena, &(struct frame_tallies){ 0 });
    free(key);
    free(rest);
    return passes;
}

TEST(tallies_past_the_bounds_are_refused)
{
    static struct tally many[FRAME_TALLIES_MAX + 1];
    static char longest[TALLY_KEY_MAX];
    struct frame_tallies f = { many, FRAME_TALLIES_MAX }, got;

    CHECK(tally_passes(TALLY_KEY_MAX, TALLY_KEY_MAX, 1));
    CHECK(tally_passes(1, 0, INT64_MAX));
    CHECK(!tally_passes(TALLY_KEY_MAX + 1, 0, 1));
    CHECK(!tally_passes(1, TALLY_KEY_MAX + 1, 1));
    CHECK(!tally_passes(0, 0, 1));
    CHECK(!tally_passes(1, 0, 0));
    CHECK(!tally_passes(1, 0, (uint64_t)INT64_MAX + 1));
    for (size_t i = 0; i <= FRAME_TALLIES_MAX; i++)
        many[i] = (struct tally){ 1, { longest, sizeof longest }, 1, { longest, sizeof longest } };
    fresh();
    frame_put_tallies(&frame, &f);
    CHECK(!frame.failed && frame_get_tallies(buf_slice(&frame), &arena, &got));
    f.count = FRAME_TALLIES_MAX + 1;
    fresh();
    frame_put_tallies(&frame, &f);
    CHECK(!frame_get_tallies(buf_slice(&frame), &arena, &got));
    f.count = 0;
    fresh();
    frame_put_tallies(&frame, &f);
    CHECK(!frame_get_tallies(buf_slice(&frame), &arena, &got));
    fresh();
}

#define REFUSED_WHEN_CUT(put, get)                                          \
    do {                                                                    \
        buf_clear(&frame);                                                  \
        put;                                                                \
        for (size_t cut = 0; cut < buf_len(&frame); cut++) {                \
            struct slice body = slice_first(buf_slice(&frame), cut);        \
                                                                            \
            CHECK(!get);                                                    \
        }                                                                   \
        buf_byte(&frame, 0);                                                \
        {                                                                   \
            struct slice body = buf_slice(&frame);                          \
                                                                            \
            CHECK(!get);                                                    \
        }                                                                   \
    } while (0)

/* (P5) */
TEST(what_is_cut_short_or_too_long_about_notes_and_tallies_is_refused)
{
    const struct tally one[] = { { 20000, SLICE("key"), 3 }, { 20001, SLICE("key"), 3 } };
    struct frame_recall recall = { 9, NOTE_MEMORY, "example.net" };
    struct frame_recalled recalled = { 9, RECALL_FOUND, a_note };
    struct frame_notes_due due = { 7, NOTE_STS, 1, 50 };
    struct frame_note_key key = { NOTE_HEALTH, "dns/0" };
    struct frame_note_list list = { NOTE_MEMORY, "example.net", 50 };
    struct frame_notes_listed listed = { "example.org", 3 };
    struct frame_tallies tallies = { one, 2 };
    struct frame_tally_list tally_list = { 20000, SLICE("key"), 500 };
    struct frame_tallies_listed tallies_listed = { 20001, SLICE("z"), 2 };
    struct frame_tally_find find = { 20000, SLICE("k"), SLICE("key"), 2 };
    struct tally tally;
    struct note note;

    fresh();
    REFUSED_WHEN_CUT(frame_put_note(&frame, &a_note), frame_get_note(body, &arena, &note));
    REFUSED_WHEN_CUT(frame_put_recall(&frame, &recall), frame_get_recall(body, &arena, &recall));
    REFUSED_WHEN_CUT(frame_put_recalled(&frame, &recalled), frame_get_recalled(body, &arena, &recalled));
    REFUSED_WHEN_CUT(frame_put_notes_due(&frame, &due), frame_get_notes_due(body, &due));
    REFUSED_WHEN_CUT(frame_put_note_key(&frame, &key), frame_get_note_key(body, &arena, &key));
    REFUSED_WHEN_CUT(frame_put_note_list(&frame, &list), frame_get_note_list(body, &arena, &list));
    REFUSED_WHEN_CUT(frame_put_notes_listed(&frame, &listed), frame_get_notes_listed(body, &arena, &listed));
    REFUSED_WHEN_CUT(frame_put_tally(&frame, &one[0]), frame_get_tally(body, &tally));
    REFUSED_WHEN_CUT(frame_put_tallies(&frame, &tallies), frame_get_tallies(body, &arena, &tallies));
    REFUSED_WHEN_CUT(frame_put_tally_list(&frame, &tally_list), frame_get_tally_list(body, &tally_list));
    REFUSED_WHEN_CUT(frame_put_tally_find(&frame, &find), frame_get_tally_find(body, &find));
    REFUSED_WHEN_CUT(frame_put_tallies_listed(&frame, &tallies_listed),
                     frame_get_tallies_listed(body, &tallies_listed));
    fresh();
}
