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

static void on_changed(void *self, uint8_t kind, const char *key)
{
}

static bool near_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    bool good = false;

    return scribe_takes(scribe, type, body, &good) && good;
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
    asked = counted = 0;
    answer = -1;
    connect_store();
}

static void end(void)
{
    lose_store();
    scribe_free(scribe);
    loop_close();
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
    scribe_count(scribe, SLICE("one"), 1);
    turn_until(clock_now() + 1200);             /* the time to gather is over */
    connect_store();
    scribe_count(scribe, SLICE("two"), 1);
    turn_until(clock_now() + 1200);
    CHECK_EQUAL(counted, 2);
    end();
}
