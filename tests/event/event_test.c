/* Events: names, keys, bytes and JSON. */
#include "event/event.h"

#include "base/memory.h"
#include "tests/test.h"

#include <jansson.h>

static const struct event blocked = {
    .kind = EVENT_BLOCKED, .subject = "example.org", .first = 1792750000123, .last = 1792750600000, .count = 3,
    .what = "3 messages to example.org are held: STARTTLS is not offered", .policy = "mta-sts",
    .reason = "E_STARTTLS_NOT_OFFERED", .relay = "mx1.example.org[192.0.2.7]:25",
};

static struct arena arena;

static struct slice bytes_of(const struct event *e)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, EVENT_BYTES_MAX);
    event_encode(e, &out);
    CHECK(!out.failed);
    return arena_copy(&arena, buf_slice(&out));
}

static const char *json_of(const struct event *e, const char *hostname)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, EVENT_JSON_MAX);
    event_json(e, hostname, &out);
    CHECK(!out.failed);
    return arena_string(&arena, buf_slice(&out));
}

/* A text of `length` bytes. */
static const char *long_text(size_t length, char c)
{
    char *text = arena_take(&arena, length + 1);

    memset(text, c, length);
    return text;
}

static void begin(void)
{
    arena_done(&arena);
    arena_init(&arena, 1024 * 1024);
}

/* --- kinds and keys ------------------------------------------------------------ */

TEST(every_kind_has_a_name_that_is_read_back)
{
    enum event_kind k;

    for (enum event_kind i = 0; i < EVENT_KINDS; i++) {
        CHECK(event_kind_name(i)[0]);
        CHECK(event_kind_parse(slice_of(event_kind_name(i)), &k) && k == i);
    }
    CHECK_TEXT(event_kind_name(EVENT_POLICY_VANISHED), "policy-vanished");
    CHECK_TEXT(event_kind_name(EVENT_QUEUE_AGE), "queue-age");
}

TEST(other_names_are_none)
{
    static const char *const bad[] = { "", "Blocked", "block", "blockedx", "queue_age", "all" };
    enum event_kind k = EVENT_REPORT;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!event_kind_parse(slice_of(bad[i]), &k));
    CHECK_EQUAL(k, EVENT_REPORT);
}

TEST(a_key_is_kind_and_subject)
{
    char key[EVENT_KEY_MAX];

    CHECK_TEXT(event_key(&blocked, key), "blocked/example.org");
    CHECK_TEXT(event_key(&(struct event){ .kind = EVENT_QUEUE_AGE }, key), "queue-age/");
}

TEST(a_key_has_room_for_the_longest_subject)
{
    struct event e = { .kind = EVENT_POLICY_VANISHED };
    char key[EVENT_KEY_MAX], again[EVENT_KEY_MAX];
    struct event decoded;

    begin();
    e.subject = long_text(5000, 'a');
    e.count = 1;
    CHECK_EQUAL(strlen(event_key(&e, key)), strlen("policy-vanished/") + EVENT_SUBJECT_MAX);
    CHECK(event_decode(bytes_of(&e), &arena, &decoded));
    CHECK_TEXT(event_key(&decoded, again), key);
}

/* --- bytes --------------------------------------------------------------------- */

static void check_same(const struct event *a, const struct event *b)
{
    CHECK(a->kind == b->kind && a->first == b->first && a->last == b->last && a->count == b->count);
    CHECK_TEXT(a->subject, b->subject);
    CHECK_TEXT(a->what, b->what);
    CHECK_TEXT(a->policy, b->policy);
    CHECK_TEXT(a->reason, b->reason);
    CHECK_TEXT(a->relay, b->relay);
}

TEST(what_is_written_is_read)
{
    struct event e;

    begin();
    CHECK(event_decode(bytes_of(&blocked), &arena, &e));
    check_same(&e, &blocked);
}

TEST(missing_texts_are_empty_ones_and_no_count_is_one)
{
    struct event e;

    begin();
    CHECK(event_decode(bytes_of(&(struct event){ .kind = EVENT_REPORT, .last = -5 }), &arena, &e));
    check_same(&e, &(struct event){ .kind = EVENT_REPORT, .count = 1, .subject = "", .what = "", .policy = "", .reason = "",
                                    .relay = "" });
}

TEST(long_texts_are_cut_to_what_is_read)
{
    struct event e = blocked, got;

    begin();
    e.subject = e.what = e.policy = e.reason = e.relay = long_text(3000, 'x');
    e.first = e.last = INT64_MAX;
    CHECK(event_decode(bytes_of(&e), &arena, &got));
    CHECK(strlen(got.subject) == EVENT_SUBJECT_MAX && strlen(got.what) == EVENT_WHAT_MAX);
    CHECK(strlen(got.policy) == EVENT_WORD_MAX && strlen(got.reason) == EVENT_WORD_MAX);
    CHECK_EQUAL(strlen(got.relay), EVENT_RELAY_MAX);
    CHECK_EQUAL(got.last, 253402300799999);
}

TEST(whatever_is_cut_off_or_changed_is_refused_or_means_something_else)
{
    struct slice whole;
    struct event e;

    begin();
    whole = bytes_of(&blocked);
    for (size_t i = 0; i < whole.len; i++)
        CHECK(!event_decode(slice_first(whole, i), &arena, &e));
    for (size_t i = 0; i < whole.len; i++) {
        auto_free char *copy = memory_text(whole);

        copy[i] = (char)(copy[i] ^ 0x80);
        if (event_decode(slice(copy, whole.len), &arena, &e)) {
            struct slice again = bytes_of(&e);

            CHECK(slice_equal(again, slice(copy, whole.len)) && !slice_equal(again, whole));
        }
    }
}

static bool decodes_with(size_t at, char byte)
{
    struct slice whole = bytes_of(&blocked);
    auto_free char *copy = memory_text(whole);
    struct event e;

    copy[at] = byte;
    return event_decode(slice(copy, whole.len), &arena, &e);
}

TEST(what_cannot_be_an_event_is_none)
{
    auto_buf struct buf longer = { 0 };
    struct event e;

    begin();
    CHECK(decodes_with(0, 1));
    CHECK(!decodes_with(0, 0) && !decodes_with(0, 2));                  /* another format */
    CHECK(!decodes_with(1, EVENT_KINDS) && !decodes_with(1, (char)255)); /* another kind */
    CHECK(!decodes_with(2, 1) && !decodes_with(2, (char)0x80));         /* a time out of this world */
    CHECK(decodes_with(25, 7) && !decodes_with(25, 0));                 /* nothing has happened, */
    CHECK(!decodes_with(18, (char)0x80));                               /* or more than can be counted */
    CHECK(!decodes_with(30, 0) && !decodes_with(33, 0));                /* NUL in a text */
    buf_init(&longer, EVENT_BYTES_MAX);
    event_encode(&blocked, &longer);
    buf_byte(&longer, '\0');
    CHECK(!event_decode(buf_slice(&longer), &arena, &e));
}

TEST(an_arena_without_room_is_no_event)
{
    auto_arena struct arena small;
    struct event e;

    begin();
    arena_init(&small, 40);
    CHECK(!event_decode(bytes_of(&blocked), &small, &e));
}

/* --- gathering ----------------------------------------------------------------- */

TEST(two_are_joined_with_the_words_of_the_later)
{
    struct event early = blocked, late = blocked;

    early.first = 1000;
    early.last = 2000;
    late.first = 1500;
    late.last = 3000;
    late.count = 4;
    late.what = "later";
    event_join(&early, &late);
    CHECK(early.first == 1000 && early.last == 3000 && early.count == 7);
    CHECK_TEXT(early.what, "later");

    late.first = 500;
    late.last = 2500;
    late.what = "came late, happened early";
    event_join(&early, &late);
    CHECK(early.first == 500 && early.last == 3000 && early.count == 11);
    CHECK_TEXT(early.what, "later");
}

TEST(counts_do_not_wrap)
{
    struct event a = blocked, b = blocked;

    a.count = INT64_MAX - 1;
    event_join(&a, &b);
    CHECK(a.count == INT64_MAX);
    b.count = UINT64_MAX;
    event_join(&b, &blocked);
    CHECK(b.count == INT64_MAX);
}

/* --- JSON ---------------------------------------------------------------------- */

TEST(an_event_as_json)
{
    begin();
    CHECK_TEXT(json_of(&blocked, "mx.postern.example"),
               "{\"event\": \"blocked\", \"subject\": \"example.org\", \"host\": \"mx.postern.example\", "
               "\"first\": \"2026-10-23T10:06:40.123Z\", \"last\": \"2026-10-23T10:16:40.000Z\", \"count\": 3, "
               "\"what\": \"3 messages to example.org are held: STARTTLS is not offered\", \"policy\": \"mta-sts\", "
               "\"reason\": \"E_STARTTLS_NOT_OFFERED\", \"relay\": \"mx1.example.org[192.0.2.7]:25\"}\n");
}

/* A judge of its own: jansson refuses what is not UTF-8, and keys that come twice. */
static json_t *judged(const struct event *e, const char *hostname)
{
    json_error_t error;
    json_t *root = json_loads(json_of(e, hostname), JSON_REJECT_DUPLICATES, &error);

    if (!root)
        fail_msg("%s", error.text);
    CHECK_EQUAL(json_object_size(root), 10);
    return root;
}

TEST(strange_bytes_stay_inside_their_strings)
{
    struct event e = blocked;
    json_t *root;

    begin();
    e.subject = "a\"b\\c\n\x1b[31m\xff\xc3\xb6";
    e.what = "\"}, {\"event\": \"forged\"";
    root = judged(&e, "mx\r\n");
    CHECK_TEXT(json_string_value(json_object_get(root, "subject")), "a\"b\\c\n\x1b[31m\xef\xbf\xbd\xc3\xb6");
    CHECK_TEXT(json_string_value(json_object_get(root, "what")), e.what);
    CHECK_TEXT(json_string_value(json_object_get(root, "event")), "blocked");
    json_decref(root);
    CHECK(!strpbrk(json_of(&e, "mx\r\n"), "\r\x1b"));
}

TEST(the_longest_event_is_json_too)
{
    struct event e = { .kind = EVENT_POLICY_VANISHED, .first = INT64_MIN, .last = INT64_MAX, .count = UINT64_MAX };
    json_t *root;

    begin();
    e.subject = e.what = e.policy = e.reason = e.relay = long_text(3000, '\x01');
    root = judged(&e, long_text(3000, '\x7f'));
    CHECK_TEXT(json_string_value(json_object_get(root, "first")), "1970-01-01T00:00:00.000Z");
    CHECK_TEXT(json_string_value(json_object_get(root, "last")), "9999-12-31T23:59:59.999Z");
    json_decref(root);
}

/* A character cut in half at the bound is no character. */
TEST(a_text_may_be_cut_within_a_character)
{
    struct event e = blocked;
    char text[EVENT_WORD_MAX + 2];

    begin();
    memset(text, 'a', sizeof text);
    memcpy(text + EVENT_WORD_MAX - 1, "\xc3\xb6", 3);
    e.policy = text;
    json_decref(judged(&e, "mx.example"));
}
