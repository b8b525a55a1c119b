/* What an outbound process asks the store to keep and count, frame by frame. */
#include "serve/keeper.h"

#include "base/memory.h"
#include "tests/queue/fixture.h"

/* The outbound process: what it was sent. */
static struct arena arena;
static struct frame_recalled recalled[100];
static size_t recalled_count, due_count, ends;
static uint64_t end_ticket;

static bool on_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct frame_recalled *f = &recalled[recalled_count];

    CHECK(fd < 0);
    if (type == FRAME_DUE_END) {
        ends++;
        return frame_get_ticket(body, &end_ticket);
    }
    CHECK(type == FRAME_RECALLED || type == FRAME_DUE_NOTE);
    CHECK(frame_get_recalled(body, &arena, f));
    f->note.value = arena_copy(&arena, f->note.value);
    recalled_count++;
    due_count += type == FRAME_DUE_NOTE;
    return true;
}

static void on_closed(void *owner, const struct error *why)
{
    fail_msg("%s", why->text);
}

static const struct channel_events events = { on_frame, on_closed };

static struct fixture f;
static struct channel *store, *outbound;
static struct buf body;

static void begin(void)
{
    int fds[2];

    fixture_begin(&f);
    f.settings.slots = 2;
    fixture_reopen(&f);
    loop_open();
    CHECK(channel_pair(fds, NULL));
    store = channel_new(fds[0], &events, NULL);
    outbound = channel_new(fds[1], &events, NULL);
    channel_start(outbound);
    arena_init(&arena, 64 * 1024 * 1024);
    buf_init(&body, CHANNEL_FRAME_MAX);
    recalled_count = due_count = ends = 0;
}

static void end(void)
{
    channel_free(store);
    channel_free(outbound);
    loop_close();
    arena_done(&arena);
    buf_done(&body);
    fixture_end(&f);
}

static bool take_of(unsigned slot, enum frame_type type)
{
    struct keeper_user user = { store, slot };
    bool sensible = type == FRAME_RECALL      ? keeper_recall(f.q, &user, buf_slice(&body))
                    : type == FRAME_NOTES_DUE ? keeper_due(f.q, &user, buf_slice(&body))
                                              : keeper_count(f.q, buf_slice(&body), DAYS(20000));

    buf_clear(&body);
    return sensible;
}

static void wait_for(const size_t *counter, size_t wanted)
{
    while (*counter < wanted)
        loop_turn(true);
    CHECK_EQUAL(*counter, wanted);
}

static void recall(const char *key)
{
    frame_put_recall(&body, &(struct frame_recall){ recalled_count + 5, NOTE_STS, key });
    CHECK(take_of(0, FRAME_RECALL));
    wait_for(&recalled_count, recalled_count + 1);
    CHECK_EQUAL(recalled[recalled_count - 1].ticket, recalled_count + 4);
}

TEST(a_note_is_recalled_as_it_is_now)
{
    begin();
    recall("example.org");
    CHECK_EQUAL(recalled[0].answer, RECALL_NONE);
    put_note(&f, NOTE_STS, "example.org", 7, "policy", NULL);
    recall("example.org");              /* not stored yet */
    commit(&f);
    recall("example.org");
    for (size_t i = 1; i < 3; i++) {
        CHECK_EQUAL(recalled[i].answer, RECALL_FOUND);
        CHECK_EQUAL(recalled[i].note.due, 7);
        CHECK_SLICE(recalled[i].note.value, "policy");
    }
    put_note(&f, NOTE_STS, "example.org", 7, "", NULL);
    recall("example.org");
    CHECK_EQUAL(recalled[3].answer, RECALL_NONE);
    end();
}

TEST(the_largest_note_fits_its_frame)
{
    char *large = memory_new(NOTE_VALUE_MAX);

    begin();
    memset(large, 'x', NOTE_VALUE_MAX);
    queue_note(f.q, &(struct note){ NOTE_STS, "example.org", 7, { large, NOTE_VALUE_MAX } }, NULL, NULL);
    recall("example.org");
    CHECK(slice_equal(recalled[0].note.value, slice(large, NOTE_VALUE_MAX)));
    free(large);
    end();
}

TEST(each_slot_gets_its_own_due_notes_and_then_an_end)
{
    size_t all = 0;
    char key[16];

    begin();
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put_note(&f, NOTE_STS, key, i, "x", NULL);
    }
    commit(&f);
    for (unsigned slot = 0; slot < 2; slot++) {
        frame_put_notes_due(&body, &(struct frame_notes_due){ 70 + slot, NOTE_STS, 19, 1000 });
        CHECK(take_of(slot, FRAME_NOTES_DUE));
        wait_for(&ends, slot + 1);
        CHECK_EQUAL(end_ticket, 70 + slot);
        for (; all < due_count; all++) {
            CHECK_EQUAL(recalled[all].ticket, 70 + slot);
            CHECK(recalled[all].note.due <= 19);
        }
    }
    CHECK_EQUAL(all, 20);
    frame_put_notes_due(&body, &(struct frame_notes_due){ 99, NOTE_STS, 19, 1000 });
    CHECK(take_of(QUEUE_ALL_SLOTS, FRAME_NOTES_DUE));
    wait_for(&due_count, 40);
    end();
}

TEST(no_answer_has_more_notes_than_allowed)
{
    char key[16];

    begin();
    for (int i = 0; i < 5 * FRAME_NOTES_MOST; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put_note(&f, NOTE_STS, key, 1, "x", NULL);
    }
    frame_put_notes_due(&body, &(struct frame_notes_due){ 1, NOTE_STS, 1, UINT32_MAX });
    CHECK(take_of(0, FRAME_NOTES_DUE));
    wait_for(&ends, 1);
    CHECK_EQUAL(due_count, FRAME_NOTES_MOST);
    end();
}

TEST(what_is_counted_is_stored_with_the_next_flush)
{
    const struct tally some[] = { { 20000, SLICE("a"), 2 }, { 20000, SLICE("b"), 1 }, { 20000, SLICE("a"), 3 } };

    begin();
    frame_put_tallies(&body, &(struct frame_tallies){ some, 3 });
    CHECK(take_of(0, FRAME_TALLY));
    queue_tally_flush(f.q);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "20000:a=5 20000:b=1");
    end();
}

/* Nothing would forget it, and nothing bounds how many there could be. */
TEST(a_day_that_has_not_begun_is_not_counted)
{
    const struct tally some[] = { { 20001, SLICE("a"), 1 }, { 20002, SLICE("a"), 1 }, { UINT32_MAX, SLICE("a"), 1 } };

    begin();
    frame_put_tallies(&body, &(struct frame_tallies){ some, 3 });
    CHECK(take_of(0, FRAME_TALLY));
    queue_tally_flush(f.q);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "20001:a=1");       /* clocks may be set */
    end();
}

TEST(statistics_go_back_so_many_days)
{
    begin();
    tally(&f, 19909, "old", 1);
    tally(&f, 19910, "kept", 1);
    tally(&f, 19995, "kept", 1);
    queue_tally_flush(f.q);
    keeper_forget(f.q, DAYS(20000) + HOURS(23), 0);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "19910:kept=1 19995:kept=1");
    keeper_forget(f.q, 0, 0);           /* a clock that is wrong */
    keeper_forget(f.q, -DAYS(5), 0);
    keeper_forget(f.q, DAYS(20000), 20001);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "19910:kept=1 19995:kept=1");
    keeper_forget(f.q, DAYS(20000), 5);
    commit(&f);
    CHECK_TEXT(tallies(&f, 10), "19995:kept=1");
    end();
}

TEST(notes_that_only_wait_to_be_forgotten_are)
{
    begin();
    for (uint8_t kind = 1; kind < NOTE_KINDS; kind++) {
        put_note(&f, kind, "over", DAYS(20000), "x", NULL);
        put_note(&f, kind, "still", DAYS(20000) + 1, "x", NULL);
    }
    commit(&f);
    keeper_forget(f.q, DAYS(20000), 0);
    commit(&f);
    for (uint8_t kind = 1; kind < NOTE_KINDS; kind++) {
        bool goes = kind == NOTE_POLICY || kind == NOTE_RECEIVED || kind == NOTE_HOOK || kind == NOTE_CERTIFICATE;

        CHECK_TEXT(list_notes(&f, kind, "", 10), goes ? "still=x" : "over=x still=x");
    }
    end();
}

/* (P5) */
TEST(frames_that_make_no_sense_are_refused)
{
    const enum frame_type types[] = { FRAME_RECALL, FRAME_NOTES_DUE, FRAME_TALLY };

    begin();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        CHECK(!take_of(0, types[i]));
        buf_add(&body, SLICE("nonsense"));
        CHECK(!take_of(0, types[i]));
    }
    CHECK(queue_group(f.q) == NULL);
    end();
}
