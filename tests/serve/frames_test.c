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
        .size = 10240, .eight_bit = true, .origin = "client[192.0.2.1] ESMTP", .recipients = two, .count = 2 };
}

static void check_envelope(const struct envelope *e)
{
    struct envelope wanted = an_envelope();

    CHECK_EQUAL(e->id, wanted.id);
    CHECK_TEXT(e->sender, wanted.sender);
    CHECK_EQUAL(e->arrived, wanted.arrived);
    CHECK_EQUAL(e->size, wanted.size);
    CHECK(e->eight_bit);
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
    struct frame_link link = { LINK_OUTBOUND + 1, 0, 0 };
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
