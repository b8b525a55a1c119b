/* The store and those who talk to it, over real lines and a real queue. */
#include "serve/store_inside.h"

#include "base/memory.h"
#include "serve/scribe.h"
#include "tests/queue/fixture.h"

enum { DESKS = 8, PATIENCE_MS = 10000 };

/* A process at the other end of a link. */
struct desk {
    struct channel *line;
    struct scribe *scribe;
    struct buf heard;               /* of notes that others changed: "4:key " */
    bool closed;
    struct frame_answer accepted;
    size_t answers;
};

static struct fixture f;
static struct config config;
static struct store store;
static struct desk desks[DESKS];

static void on_changed(void *self, uint8_t kind, const char *key)
{
    struct desk *d = self;

    buf_text(&d->heard, "%u:%s ", kind, key);
}

static bool on_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct desk *d = owner;
    bool good = false;

    CHECK(fd < 0);
    if (type == FRAME_LEASE && d == &desks[LINK_OUTBOUND])
        return true;
    if (type == FRAME_ACCEPTED && d == &desks[LINK_INBOUND]) {
        d->answers++;
        return frame_get_answer(body, &d->accepted);
    }
    return scribe_takes(d->scribe, type, body, &good) && good;
}

static void on_closed(void *owner, const struct error *why)
{
    struct desk *d = owner;

    d->closed = true;
    scribe_link(d->scribe, NULL);
}

static const struct channel_events events = { on_frame, on_closed };

static void link_desk(struct desk *d, enum link_role role, uint16_t slot)
{
    int fds[2];

    CHECK(channel_pair(fds, NULL));
    d->closed = false;
    d->line = channel_new(fds[0], &events, d);
    channel_start(d->line);
    store_link(&store, &(struct frame_link){ (uint8_t)role, slot, 1 }, fds[1]);
    scribe_link(d->scribe, d->line);
}

static void unlink_desk(struct desk *d)
{
    scribe_link(d->scribe, NULL);
    channel_free(d->line);
    d->line = NULL;
}

static struct desk *desk_of(enum link_role role)
{
    struct desk *d = &desks[role];

    if (d->line)
        return d;
    *d = (struct desk){ .scribe = scribe_new(on_changed, d) };
    buf_init(&d->heard, 64 * 1024);
    link_desk(d, role, role == LINK_OUTBOUND ? 0 : CLERK_SLOT);
    return d;
}

static void begin(void)
{
    fixture_begin(&f);
    f.settings.slots = 4;
    fixture_reopen(&f);
    loop_open();
    config = (struct config){ .data_directory = f.directory };
    store_begin(&store, &config, f.q);
}

static void turn_for(time_ms time)
{
    time_ms deadline = clock_now() + time;

    while (clock_now() < deadline) {
        usleep(500);
        loop_turn(false);
    }
}

static void end(void)
{
    for (size_t i = 0; i < DESKS; i++) {
        if (desks[i].line)
            unlink_desk(&desks[i]);
        scribe_free(desks[i].scribe);
        buf_done(&desks[i].heard);
        desks[i] = (struct desk){ 0 };
    }
    while (store.peers)
        loop_turn(true);
    store_end(&store);
    loop_close();
    fixture_end(&f);
}

/* What waits runs on a fiber, while the store works. */
static bool finished;
static void (*job)(void);

static void run_job(void *arg)
{
    job();
    finished = true;
}

static void on_fiber(void (*run)(void))
{
    time_ms deadline = clock_now() + PATIENCE_MS;

    job = run;
    finished = false;
    fiber_start("test", run_job, NULL);
    while (!finished && clock_now() < deadline) {
        loop_turn(false);
        usleep(100);
    }
    CHECK(finished);
}

/* --- who may say what ------------------------------------------------------------- */

static struct buf frame;

/* Does the line survive this frame? */
static bool passes(enum link_role role, enum frame_type type)
{
    struct desk *d = desk_of(role);
    bool kept;

    channel_send(d->line, (uint8_t)type, buf_slice(&frame));
    for (int i = 0; i < 10; i++)        /* there, and the end of the line back */
        loop_turn(false);
    kept = !d->closed;
    if (!kept) {
        unlink_desk(d);
        link_desk(d, role, 0);
    }
    return kept;
}

/* The roles that may send the frame: a letter each. */
static const char *senders(enum frame_type type)
{
    static char who[LINK_ROLES + 1];
    size_t count = 0;

    for (enum link_role role = LINK_STORE; role < LINK_ROLES; role++)
        if (passes(role, type))
            who[count++] = "sioprhw"[role];
    who[count] = '\0';
    buf_clear(&frame);
    return who;
}

static const char *senders_of_note(enum note_kind kind, bool asks)
{
    const struct note note = { (uint8_t)kind, "example.org", 5, SLICE("x") };
    auto_buf struct buf body;

    buf_init(&body, 1024);
    frame_put_note(asks ? &body : &frame, &note);
    if (asks)
        frame_put_ticketed(&frame, &(struct frame_ticketed){ 1, FRAME_NOTE_PUT, buf_slice(&body) });
    return senders(asks ? FRAME_ASK : FRAME_NOTE);
}

static const char *askers(enum frame_type question, struct slice body)
{
    frame_put_ticketed(&frame, &(struct frame_ticketed){ 1, (uint8_t)question, body });
    return senders(FRAME_ASK);
}

static struct envelope an_envelope(message_id id)
{
    static const struct queue_recipient to = { 0, "tlsrpt@example.net", "example.net" };

    return (struct envelope){ .id = id, .sender = "reports@example.org", .arrived = 1700000000000, .tls = TLS_REPORT,
                              .origin = "test", .recipients = &to, .count = 1 };
}

/* (P5) What each process may send stands in one table; nobody but these get through. */
TEST(each_process_may_say_what_its_work_needs_and_no_more)
{
    const struct tally one = { 5, SLICE("key"), 1 };
    struct envelope usual = an_envelope(78);
    auto_buf struct buf body;

    begin();
    buf_init(&frame, CHANNEL_FRAME_MAX);
    buf_init(&body, CHANNEL_FRAME_MAX);
    frame_put_body(&frame, 7, SLICE("bytes"));
    CHECK_TEXT(senders(FRAME_BODY), "ir");
    frame_put_accept(&frame, &(struct frame_accept){ 7, an_envelope(77), SLICE("bytes") });
    CHECK_TEXT(senders(FRAME_ACCEPT), "r");             /* what goes whatever TLS does is nobody else's to post */
    usual.tls = TLS_AS_USUAL;
    frame_put_accept(&frame, &(struct frame_accept){ 8, usual, SLICE("bytes") });
    CHECK_TEXT(senders(FRAME_ACCEPT), "ir");
    buf_u64(&frame, 7);
    CHECK_TEXT(senders(FRAME_DROP), "ir");
    frame_put_hello(&frame, &(struct frame_hello){ .destination = "" });
    CHECK_TEXT(senders(FRAME_HELLO), "o");
    CHECK_TEXT(senders(FRAME_NO_MORE), "o");
    frame_put_recall(&frame, &(struct frame_recall){ 1, NOTE_STS, "example.org" });
    CHECK_TEXT(senders(FRAME_RECALL), "oprhw");
    frame_put_notes_due(&frame, &(struct frame_notes_due){ 1, NOTE_STS, 5, 5 });
    CHECK_TEXT(senders(FRAME_NOTES_DUE), "oprhw");
    frame_put_tallies(&frame, &(struct frame_tallies){ &one, 1 });
    CHECK_TEXT(senders(FRAME_TALLY), "ioprhw");
    for (int type = 0; type <= UINT8_MAX; type++)       /* what answers, and what commands ask, is nobody's to send */
        if (type > FRAME_NO_MORE && type != FRAME_ASK && (type < FRAME_RECALL || type > FRAME_TALLY) && type % 3 == 0)
            CHECK_TEXT(senders((enum frame_type)type), "");
    buf_done(&frame);
    end();
}

TEST(each_process_may_ask_what_its_work_needs_and_no_more)
{
    auto_buf struct buf body;

    begin();
    buf_init(&frame, CHANNEL_FRAME_MAX);
    buf_init(&body, CHANNEL_FRAME_MAX);
    CHECK_TEXT(askers(FRAME_FIGURES, SLICE("")), "prhw");
    CHECK_TEXT(askers(FRAME_FIGURES, SLICE("nonsense")), "");
    frame_put_list(&body, &(struct frame_list){ .id = 5 });
    CHECK_TEXT(askers(FRAME_LIST, buf_slice(&body)), "r");
    buf_clear(&body);
    frame_put_operate(&body, &(struct frame_operate){ ACT_REMOVE, 5 });
    CHECK_TEXT(askers(FRAME_OPERATE, buf_slice(&body)), "");
    buf_clear(&body);
    frame_put_tally_find(&body, &(struct frame_tally_find){ 5, SLICE("k"), SLICE(""), 10 });
    CHECK_TEXT(askers(FRAME_TALLY_FIND, buf_slice(&body)), "prhw");
    CHECK_TEXT(askers(FRAME_ASK, buf_slice(&body)), "");
    buf_clear(&body);
    frame_put_note_list(&body, &(struct frame_note_list){ NOTE_STS, "", 10 });
    CHECK_TEXT(askers(FRAME_NOTE_LIST, buf_slice(&body)), "oprhw");
    buf_done(&frame);
    end();
}

/* (P2) Whoever talks to strangers over HTTPS must not be able to lower the floor. */
TEST(what_decides_about_tls_is_written_by_those_who_find_it_out)
{
    begin();
    buf_init(&frame, CHANNEL_FRAME_MAX);
    for (int asks = 0; asks < 2; asks++) {
        CHECK_TEXT(senders_of_note(NOTE_STS, asks), "op");
        CHECK_TEXT(senders_of_note(NOTE_MEMORY, asks), "op");
        CHECK_TEXT(senders_of_note(NOTE_RECEIVED, asks), "oprhw");
        CHECK_TEXT(senders_of_note(NOTE_HOOK, asks), "h");
    }
    buf_done(&frame);
    end();
}

/* --- notes ------------------------------------------------------------------------- */

static void keep(struct desk *d, enum note_kind kind, const char *key)
{
    scribe_keep(d->scribe, &(struct note){ (uint8_t)kind, key, 5, SLICE("x") });
}

TEST(others_hear_of_a_changed_note_if_they_can_have_it_in_memory)
{
    struct desk *outbound, *policy, *hooks;

    begin();
    outbound = desk_of(LINK_OUTBOUND);
    policy = desk_of(LINK_POLICY);
    hooks = desk_of(LINK_HOOKS);
    desk_of(LINK_INBOUND);
    keep(outbound, NOTE_STS, "a.example");
    keep(policy, NOTE_MEMORY, "b.example");
    keep(outbound, NOTE_POLICY, "c");
    keep(policy, NOTE_CERTIFICATE, "d");
    keep(outbound, NOTE_EVENT, "blocked/a.example");
    turn_for(100);
    CHECK_SLICE(buf_slice(&outbound->heard), "2:b.example ");
    CHECK_SLICE(buf_slice(&policy->heard), "1:a.example 7:blocked/a.example ");
    CHECK_SLICE(buf_slice(&hooks->heard), "7:blocked/a.example ");
    CHECK(!desks[LINK_INBOUND].closed);
    end();
}

static void put_and_find(void)
{
    struct scribe *n = desk_of(LINK_REPORT)->scribe;
    auto_arena struct arena arena;
    struct error why = { 0 };
    struct slice value;
    char *large = memory_new(NOTE_VALUE_MAX + 1);

    arena_init(&arena, 1024 * 1024);
    CHECK_OK(scribe_put(n, &(struct note){ NOTE_REPORT, "2026-11-21/example.org", 5, SLICE("state") }, &why), &why);
    CHECK_TEXT(note_value(&f, NOTE_REPORT, "2026-11-21/example.org"), "state");
    CHECK_EQUAL(scribe_recall(n, NOTE_REPORT, "2026-11-21/example.org", &arena, &value), RECALL_FOUND);
    CHECK_SLICE(value, "state");
    CHECK_OK(scribe_put(n, &(struct note){ NOTE_REPORT, "largest", 5, { large, NOTE_VALUE_MAX } }, &why), &why);
    CHECK(!scribe_put(n, &(struct note){ NOTE_REPORT, "too large", 5, { large, NOTE_VALUE_MAX + 1 } }, &why));
    CHECK_EQUAL(why.code, E_USAGE);
    CHECK_OK(scribe_put(n, &(struct note){ NOTE_REPORT, "largest", 5, SLICE("") }, &why), &why);
    CHECK_EQUAL(scribe_recall(n, NOTE_REPORT, "largest", &arena, &value), RECALL_NONE);
    free(large);
}

TEST(a_note_that_was_put_is_stored)
{
    begin();
    on_fiber(put_and_find);
    CHECK(!desks[LINK_REPORT].closed);
    end();
}

static void see_note(void *arg, const struct note *n)
{
    size_t *count = arg;
    char key[32];

    snprintf(key, sizeof key, "k%04zu", (*count)++);
    CHECK_TEXT(n->key, key);
    CHECK_EQUAL(n->value.len, 20000);
}

static void list_many(void)
{
    struct error why = { 0 };
    size_t count = 0;

    CHECK_OK(scribe_notes(desk_of(LINK_WEB)->scribe, NOTE_RECEIVED, see_note, &count, &why), &why);
    CHECK_EQUAL(count, 100);
    count = 0;
    CHECK_OK(scribe_notes(desk_of(LINK_WEB)->scribe, NOTE_HOOK, see_note, &count, &why), &why);
    CHECK_EQUAL(count, 0);
}

static void post_notes(size_t many)
{
    char key[32], *value = memory_new(20000);

    for (size_t i = 0; i < many; i++) {
        snprintf(key, sizeof key, "k%04zu", i);
        queue_note(f.q, &(struct note){ NOTE_RECEIVED, key, 1000, { value, 20000 } }, NULL, NULL);
    }
    free(value);
    soon_add(&store.commit);
}

TEST(all_notes_of_a_kind_are_listed_by_key)
{
    begin();
    post_notes(100);
    on_fiber(list_many);
    end();
}

static void look_for_due(void)
{
    struct note due[FRAME_NOTES_MOST];
    auto_arena struct arena arena;

    arena_init(&arena, FRAME_NOTES_MOST * (NOTE_VALUE_MAX + 1024));
    CHECK_EQUAL(scribe_due(desk_of(LINK_HOOKS)->scribe, NOTE_RECEIVED, &arena, due), 30);
    CHECK(scribe_due(desk_of(LINK_OUTBOUND)->scribe, NOTE_RECEIVED, &arena, due) < 30);
}

TEST(what_is_due_belongs_to_any_clerk_and_to_one_outbound_process)
{
    begin();
    post_notes(30);
    on_fiber(look_for_due);
    end();
}

/* --- tallies ------------------------------------------------------------------------- */

static uint32_t today(void)
{
    return (uint32_t)(clock_wall() / DAYS(1));
}

static void see_tally(void *arg, const struct tally *t)
{
    CHECK_EQUAL(t->day, today());
    *(uint64_t *)arg += t->count;
}

static void find_tallies_of_a_day(void)
{
    struct scribe *n = desk_of(LINK_REPORT)->scribe;
    auto_buf struct buf after;
    struct error why = { 0 };
    uint64_t sum = 0;

    CHECK_OK(scribe_tallies(n, today(), SLICE("x"), see_tally, &sum, &why), &why);
    CHECK_EQUAL(sum, 1200);
    sum = 0;
    CHECK_OK(scribe_tallies(n, today() - 1, SLICE("x"), see_tally, &sum, &why), &why);
    CHECK_OK(scribe_tallies(n, today(), SLICE("z"), see_tally, &sum, &why), &why);
    CHECK_EQUAL(sum, 0);
    buf_init(&after, TALLY_KEY_MAX);
    CHECK_OK(scribe_next_tally(n, today(), SLICE("x"), &after, &why), &why);
    CHECK_SLICE(buf_slice(&after), "x0000");
    buf_byte(&after, '\xff');
    CHECK_OK(scribe_next_tally(n, today(), SLICE("x"), &after, &why), &why);
    CHECK_SLICE(buf_slice(&after), "x0001");
    buf_clear(&after);
    buf_add(&after, SLICE("x1199"));
    CHECK(!scribe_next_tally(n, today(), SLICE("x"), &after, &why));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    CHECK_SLICE(buf_slice(&after), "x1199");
}

/* Counted by an inbound process, read by the report process. */
TEST(what_one_process_counts_another_finds)
{
    struct desk *inbound;
    char key[32];

    begin();
    inbound = desk_of(LINK_INBOUND);
    for (int i = 0; i < 1200; i++) {
        snprintf(key, sizeof key, "x%04d", i);
        scribe_count(inbound->scribe, slice_of(key), SLICE("xrest"), 1);
    }
    scribe_count(inbound->scribe, SLICE("y"), SLICE(""), 1);
    scribe_flush(inbound->scribe);
    turn_for(2500);                     /* the store's flush */
    on_fiber(find_tallies_of_a_day);
    CHECK(!inbound->closed);
    end();
}

/* --- messages of our own ---------------------------------------------------------------- */

static message_id posted_id;
static size_t posted_size;

static void post_one(void)
{
    struct scribe *n = desk_of(LINK_REPORT)->scribe;
    struct envelope e = an_envelope(posted_id);
    auto_buf struct buf body;
    struct slice bytes = pattern(&body, posted_id, posted_size);
    struct error why = { 0 };

    e.head = slice_first(bytes, 100);
    CHECK_OK(scribe_post(n, &e, slice_after(bytes, 100), &why), &why);
}

TEST(a_message_of_our_own_is_queued_once)
{
    static const size_t sizes[] = { 100, 5000, 300000, 5000000 };
    struct lease l;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin();
        posted_id = 1000 + i;
        posted_size = sizes[i];
        on_fiber(post_one);
        on_fiber(post_one);             /* again, as after a restart: it is there */
        CHECK_EQUAL(figures(&f).messages, 1);
        for (unsigned slot = 0; slot < f.settings.slots; slot++) {
            if (!queue_lease(f.q, clock_wall(), slot, &f.arena, &l))
                continue;
            CHECK_EQUAL(l.envelope.id, posted_id);
            CHECK_EQUAL(l.envelope.tls, TLS_REPORT);
            CHECK_EQUAL(l.envelope.size, sizes[i]);
        }
        CHECK_EQUAL(figures(&f).leased, 1);
        end();
    }
}

static void post_too_much(void)
{
    struct envelope e = an_envelope(5);
    size_t size = 16 * 1024 * 1024 + 1;
    char *large = memory_new(size);
    struct error why = { 0 };

    CHECK(!scribe_post(desk_of(LINK_REPORT)->scribe, &e, slice(large, size), &why));
    CHECK_EQUAL(why.code, E_MESSAGE_TOO_LARGE);
    free(large);
}

TEST(a_message_of_our_own_has_a_bound)
{
    begin();
    on_fiber(post_too_much);
    end();
}

static void ask_figures(void)
{
    struct queue_figures figures;
    struct error why = { 0 };

    CHECK_OK(scribe_figures(desk_of(LINK_HOOKS)->scribe, &figures, &why), &why);
    CHECK_EQUAL(figures.messages, 2);
    CHECK(figures.oldest_arrival > 0);
}

TEST(clerks_may_know_how_full_the_queue_is)
{
    begin();
    deposit(&f, "a.example b.example", 10);
    deposit(&f, "a.example", 10);
    on_fiber(ask_figures);
    end();
}

/* (P1) The head that comes with the end of a message, as inbound processes send it. */
TEST(what_an_inbound_process_brings_begins_with_its_head)
{
    struct frame_accept accept = { 7, an_envelope(99), SLICE("body") };
    struct desk *inbound;
    struct lease l = { 0 };

    begin();
    inbound = desk_of(LINK_INBOUND);
    accept.envelope.tls = TLS_AS_USUAL;
    accept.envelope.head = SLICE("DKIM-Signature: x\r\n");
    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_accept(&frame, &accept);
    channel_send(inbound->line, FRAME_ACCEPT, buf_slice(&frame));
    while (inbound->answers == 0)
        loop_turn(true);
    CHECK(inbound->accepted.done && inbound->accepted.ticket == 7);
    for (unsigned slot = 0; l.number == 0; slot++)
        if (queue_lease(f.q, clock_wall(), slot, &f.arena, &l))
            CHECK_SLICE(l.body, "DKIM-Signature: x\r\nbody");
    buf_done(&frame);
    end();
}
