/* A clerk between its master and the store. */
#include "serve/clerk.h"

#include "base/log.h"
#include "base/memory.h"
#include "serve/worker.h"
#include "tests/test.h"

static struct clerk *clerk;
static struct channel *master, *store;
static uint8_t heard[8];                /* from the clerk, by whoever */
static size_t heard_count;
static char changed[64];
static int drained;

static bool hear(void *owner, uint8_t type, struct slice body, int fd)
{
    CHECK(fd < 0 && heard_count < sizeof heard);
    heard[heard_count++] = type;
    return true;
}

static void on_closed(void *owner, const struct error *why)
{
}

static const struct channel_events ears = { hear, on_closed };

static void on_drain(void *self, bool hurry)
{
    CHECK(self == changed);
    drained += hurry ? 10 : 1;
}

static void on_changed(void *self, uint8_t kind, const char *key)
{
    CHECK(self == changed);
    snprintf(changed, sizeof changed, "%u:%s", kind, key);
}

static const struct clerk_orders orders = { on_drain, on_changed }, silent_orders = { on_drain, NULL };

static void turn(void)
{
    for (int i = 0; i < 10; i++)
        loop_turn(false);
}

static void link_store(void)
{
    auto_buf struct buf frame;
    int fds[2];

    CHECK(channel_pair(fds, NULL));
    store = channel_new(fds[0], &ears, NULL);
    channel_start(store);
    buf_init(&frame, 64);
    frame_put_link(&frame, &(struct frame_link){ LINK_STORE, 0, 1 });
    channel_send_fd(master, FRAME_LINK, buf_slice(&frame), fds[1]);
    turn();
    close(fds[1]);
}

static void begin(const struct clerk_orders *given)
{
    int fds[2];

    log_setup((struct log_settings){ .least = LOG_LEVEL_ERROR + 1 });
    loop_open();
    CHECK(channel_pair(fds, NULL));
    master = channel_new(fds[0], &ears, NULL);
    channel_start(master);
    heard_count = 0;
    drained = 0;
    changed[0] = '\0';
    clerk = clerk_new(fds[1], given, changed);
    link_store();
}

static void end(void)
{
    clerk_free(clerk);
    channel_free(store);
    channel_free(master);
    loop_close();
}

static void change_note(void)
{
    auto_buf struct buf frame;

    buf_init(&frame, 64);
    frame_put_note_key(&frame, &(struct frame_note_key){ NOTE_EVENT, "key" });
    channel_send(store, FRAME_NOTES_CHANGED, buf_slice(&frame));
    turn();
}

TEST(a_clerk_hears_of_changed_notes)
{
    begin(&orders);
    change_note();
    CHECK_TEXT(changed, "7:key");
    end();
    begin(&silent_orders);
    change_note();
    CHECK_TEXT(changed, "");
    end();
}

TEST(what_it_keeps_waits_for_the_next_store)
{
    const struct note note = { NOTE_EVENT, "key", 5, SLICE("x") };

    begin(&orders);
    scribe_keep(clerk_scribe(clerk), &note);
    turn();
    CHECK_EQUAL(heard_count, 1);
    channel_free(store);
    turn();
    scribe_keep(clerk_scribe(clerk), &note);
    turn();
    CHECK_EQUAL(heard_count, 1);
    link_store();
    CHECK_EQUAL(heard_count, 2);
    {
        struct channel *old = store;

        link_store();                   /* a second line takes the place of the first */
        channel_free(old);
    }
    scribe_keep(clerk_scribe(clerk), &note);
    turn();
    CHECK_EQUAL(heard_count, 3);
    end();
}

TEST(orders_to_drain_are_passed_on)
{
    begin(&orders);
    channel_send(master, FRAME_RETIRE, slice("", 0));
    turn();
    CHECK_EQUAL(drained, 1);
    channel_send(master, FRAME_DRAIN, slice("", 0));
    turn();
    CHECK_EQUAL(drained, 11);
    end();
}

TEST(what_was_counted_goes_to_the_store_before_the_clerk_does)
{
    begin(&orders);
    scribe_count(clerk_scribe(clerk), SLICE("key"), SLICE(""), 1);
    clerk_finish(clerk);
    loop_run();                         /* ends */
    turn();
    CHECK(heard_count == 1 && heard[0] == FRAME_TALLY);
    end();
}

/* (P5) */
TEST(what_a_store_may_not_send_closes_the_line)
{
    begin(&orders);
    channel_send(store, FRAME_LEASE, SLICE("nonsense"));
    turn();
    scribe_keep(clerk_scribe(clerk), &(struct note){ NOTE_EVENT, "key", 5, SLICE("x") });
    turn();
    CHECK_EQUAL(heard_count, 0);        /* it waits for another */
    end();
}
