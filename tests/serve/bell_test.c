/* Events on their way to the store: the first at once, the others gathered. */
#include "serve/bell.h"

#include "base/memory.h"
#include "run/channel.h"
#include "tests/test.h"

static struct scribe *scribe;
static struct channel *near, *far;
static struct bell *bell;
static struct arena arena;
static struct event last;
static char last_key[EVENT_KEY_MAX];
static size_t written;

static void on_changed(void *self, uint8_t kind, const char *key)
{
}

static bool take_nothing(void *owner, uint8_t type, struct slice body, int fd)
{
    return false;
}

/* The store. */
static bool far_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct note n;

    CHECK_EQUAL(type, FRAME_NOTE);
    CHECK(frame_get_note(body, &arena, &n));
    CHECK_EQUAL(n.kind, NOTE_EVENT);
    CHECK_EQUAL(n.due, clock_wall());
    CHECK(event_decode(n.value, &arena, &last));
    snprintf(last_key, sizeof last_key, "%s", n.key);
    written++;
    return true;
}

static void on_closed(void *owner, const struct error *why)
{
}

static const struct channel_events near_events = { take_nothing, on_closed }, far_events = { far_frame, on_closed };

static void begin(unsigned wanted)
{
    int fds[2];

    clock_freeze(SECONDS(1700000000));
    loop_open();
    arena_init(&arena, 64 * 1024 * 1024);
    CHECK(channel_pair(fds, NULL));
    near = channel_new(fds[0], &near_events, NULL);
    far = channel_new(fds[1], &far_events, NULL);
    channel_start(far);
    scribe = scribe_new(on_changed, NULL);
    scribe_link(scribe, near);
    bell = bell_new(scribe, wanted);
    written = 0;
}

static void turn(void)
{
    for (int i = 0; i < 10; i++)
        loop_turn(false);
}

/* Timers run by the real clock: a second of it passes too. */
static void pass(time_ms time)
{
    clock_advance(time);
    for (int i = 0; i < 110; i++) {
        usleep(10000);
        loop_turn(false);
    }
    turn();
}

static void end(void)
{
    bell_free(bell);
    turn();
    scribe_free(scribe);
    channel_free(near);
    turn();
    channel_free(far);
    arena_done(&arena);
    loop_close();
    clock_thaw();
}

static void ring(enum event_kind kind, const char *subject, const char *what)
{
    bell_ring(bell, &(struct event){ .kind = kind, .subject = subject, .what = what, .policy = "mta-sts" });
    turn();
}

TEST(the_first_of_a_kind_about_a_subject_is_written_at_once)
{
    begin(UINT32_MAX);
    ring(EVENT_BLOCKED, "example.org", "held");
    CHECK_EQUAL(written, 1);
    CHECK_TEXT(last_key, "blocked/example.org");
    CHECK_TEXT(last.what, "held");
    CHECK_EQUAL(last.count, 1);
    CHECK_EQUAL(last.first, clock_wall());
    CHECK_EQUAL(last.last, clock_wall());
    ring(EVENT_CLEARTEXT, "example.org", "");
    CHECK_EQUAL(written, 2);
    ring(EVENT_BLOCKED, "example.net", "");
    CHECK_EQUAL(written, 3);
    end();
    CHECK_EQUAL(written, 3);
}

TEST(more_of_them_are_gathered_for_a_minute)
{
    time_ms first;

    begin(UINT32_MAX);
    first = clock_wall();
    ring(EVENT_BLOCKED, "example.org", "one");
    for (int i = 0; i < 1000; i++)
        ring(EVENT_BLOCKED, "example.org", "more");
    pass(SECONDS(59));
    CHECK_EQUAL(written, 1);
    ring(EVENT_BLOCKED, "example.org", "the last");
    pass(SECONDS(2));
    CHECK_EQUAL(written, 2);
    CHECK_EQUAL(last.count, 1002);
    CHECK_TEXT(last.what, "the last");
    CHECK_EQUAL(last.first, first);
    CHECK_EQUAL(last.last, first + SECONDS(59));
    pass(MINUTES(5));
    CHECK_EQUAL(written, 2);            /* nothing new */
    ring(EVENT_BLOCKED, "example.org", "");
    CHECK_EQUAL(written, 3);            /* the minute is over */
    CHECK_EQUAL(last.count, 1003);
    end();
}

TEST(each_story_has_a_minute_of_its_own)
{
    begin(UINT32_MAX);
    ring(EVENT_BLOCKED, "a.example", "");
    pass(SECONDS(30));
    ring(EVENT_BLOCKED, "b.example", "");
    ring(EVENT_BLOCKED, "b.example", "");
    ring(EVENT_BLOCKED, "a.example", "");
    CHECK_EQUAL(written, 2);
    pass(SECONDS(31));
    CHECK_EQUAL(written, 3);
    CHECK_TEXT(last_key, "blocked/a.example");
    pass(SECONDS(30));
    CHECK_EQUAL(written, 4);
    CHECK_TEXT(last_key, "blocked/b.example");
    end();
}

TEST(after_a_quiet_hour_it_is_a_first_again)
{
    begin(UINT32_MAX);
    ring(EVENT_BLOCKED, "example.org", "");
    pass(MINUTES(59));
    ring(EVENT_BLOCKED, "example.org", "");
    CHECK_EQUAL(last.count, 2);
    pass(MINUTES(60));
    ring(EVENT_BLOCKED, "example.org", "");
    CHECK_EQUAL(last.count, 1);
    CHECK_EQUAL(last.first, clock_wall());
    end();
}

TEST(what_nobody_wants_to_be_told_of_is_not_written)
{
    begin(1u << EVENT_BLOCKED);
    ring(EVENT_CLEARTEXT, "example.org", "");
    CHECK_EQUAL(written, 0);
    ring(EVENT_BLOCKED, "example.org", "");
    CHECK_EQUAL(written, 1);
    CHECK(bell_wants(bell, EVENT_BLOCKED) && !bell_wants(bell, EVENT_CLEARTEXT) && !bell_wants(NULL, EVENT_BLOCKED));
    bell_ring(NULL, &(struct event){ .kind = EVENT_BLOCKED });
    end();
}

TEST(what_is_gathered_at_the_end_is_written)
{
    begin(UINT32_MAX);
    bell_ring(bell, &(struct event){ .kind = EVENT_QUEUE_AGE, .subject = "mx.example.org", .count = 3 });
    bell_ring(bell, &(struct event){ .kind = EVENT_QUEUE_AGE, .subject = "mx.example.org", .count = 4 });
    turn();
    CHECK_EQUAL(written, 1);
    bell_free(bell);
    bell = NULL;
    turn();
    CHECK_EQUAL(written, 2);
    CHECK_EQUAL(last.count, 7);
    end();
}

/* (P5) Subjects are as many as strangers like: the longest quiet one makes room, and is not lost. */
TEST(there_are_so_many_stories_at_once)
{
    char subject[32];

    begin(UINT32_MAX);
    for (int i = 0; i < 3000; i++) {
        snprintf(subject, sizeof subject, "d%d.example", i);
        ring(EVENT_BLOCKED, subject, "one");
        ring(EVENT_BLOCKED, subject, "two");
        clock_advance(1);
    }
    CHECK_EQUAL(written, 3000 + 2000);
    CHECK_EQUAL(last.count, 1);
    end();
    CHECK_EQUAL(written, 3000 + 3000);
}
