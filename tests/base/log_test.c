/* base/log.h: what is written to stderr, read back. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <jansson.h>
#include <sys/mman.h>

static char written[20000];

/* From here to stderr_back, stderr is a file in memory. */
static int real_stderr, file;

static void stderr_away(enum log_level least, enum log_format format)
{
    clock_freeze(SECONDS(1136214245));
    log_setup((struct log_settings){ least, format, LOG_TO_STDERR });
    log_name("test");
    file = memfd_create("stderr", MFD_CLOEXEC);
    real_stderr = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
}

static const char *stderr_back(void)
{
    ssize_t len = pread(file, written, sizeof written - 1, 0);

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(file);
    clock_thaw();
    CHECK(len >= 0);
    written[len] = '\0';
    return written;
}

static json_t *json_back(void)
{
    const char *text = stderr_back();
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    CHECK(json_is_object(line));
    CHECK(strchr(text, '\n') == text + strlen(text) - 1);
    return line;
}

static const char *member(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));

    return text ? text : "(absent)";
}

TEST(a_line_says_when_how_bad_who_and_what)
{
    struct log_line line;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    line = log_begin(LOG_LEVEL_WARNING, "delivery.deferred");
    log_text(&line, "to", "user@example.org");
    log_text(&line, "absent", NULL);
    log_number(&line, "attempts", -3);
    log_truth(&line, "dane", true);
    log_slice(&line, "said", SLICE("450 try \"later\""));
    log_text(&line, "empty", "");
    log_end(&line);
    CHECK_TEXT(stderr_back(), "time=2006-01-02T15:04:05.000Z level=warning process=test event=delivery.deferred "
               "to=user@example.org attempts=-3 dane=true said=\"450 try \\\"later\\\"\" empty=\"\"\n");
}

TEST(the_same_in_json)
{
    struct log_line line;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    line = log_begin(LOG_LEVEL_ERROR, "queue.failed");
    log_number(&line, "most", INT64_MIN);
    log_truth(&line, "dane", false);
    log_slice(&line, "said", SLICE("450 try \"later\""));
    log_end(&line);
    CHECK_TEXT(stderr_back(), "{\"time\":\"2006-01-02T15:04:05.000Z\",\"level\":\"error\",\"process\":\"test\","
               "\"event\":\"queue.failed\",\"most\":-9223372036854775808,\"dane\":false,"
               "\"said\":\"450 try \\\"later\\\"\"}\n");
}

TEST(events_below_the_least_level_are_dropped)
{
    struct error why = { 0 };

    stderr_away(LOG_LEVEL_WARNING, LOG_FORMAT_JSON);
    fail(&why, E_TIMEOUT, "too slow");
    log_say(LOG_LEVEL_INFO, "quiet", &why, "nothing %d", 1);
    log_say(LOG_LEVEL_DEBUG, "quiet", NULL, "nothing");
    CHECK_TEXT(stderr_back(), "");
}

TEST(a_sentence_may_have_a_reason)
{
    struct error why = { 0 };
    json_t *line;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    fail(&why, E_TIMEOUT, "mx.example.org said nothing");
    log_say(LOG_LEVEL_INFO, "delivery.slow", &why, "waited %d s", 300);
    line = json_back();
    CHECK_TEXT(member(line, "say"), "waited 300 s");
    CHECK_TEXT(member(line, "code"), "E_TIMEOUT");
    CHECK_TEXT(member(line, "why"), "mx.example.org said nothing");
    json_decref(line);

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_say(LOG_LEVEL_INFO, "start", &(struct error){ 0 }, "up");
    line = json_back();
    CHECK(json_object_get(line, "code") == NULL);
    json_decref(line);
}

static const struct slice forgery =
    SLICE("x\n\r\0time=2006-01-02 level=error event=forged\" admin=true\x1b[2J\xc2\x9b\\ =\xff\xe2\x80\xa8");

TEST(no_value_can_forge_a_line_or_a_pair)
{
    struct log_line line;
    const char *text;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    line = log_begin(LOG_LEVEL_INFO, "smtp.helo");
    log_slice(&line, "helo", forgery);
    log_end(&line);
    text = stderr_back();
    CHECK(strchr(text, '\n') == text + strlen(text) - 1);
    for (const char *c = text; c[1]; c++)
        CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
    CHECK(strstr(text, "helo=\"x\\u000a\\u000d\\u0000time=2006-01-02 level=error event=forged\\\" admin=true"
                       "\\u001b[2J\\u009b\\\\ =\xef\xbf\xbd\\u2028\"\n") != NULL);
}

TEST(no_value_can_forge_a_member_in_json)
{
    struct log_line line;
    json_t *read;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    line = log_begin(LOG_LEVEL_INFO, "smtp.helo");
    log_slice(&line, "helo", forgery);
    log_slice(&line, "next", SLICE("\",\"admin\":\"true"));
    log_end(&line);
    read = json_back();
    CHECK_EQUAL(json_object_size(read), 6);
    CHECK_TEXT(member(read, "next"), "\",\"admin\":\"true");
    CHECK(json_string_length(json_object_get(read, "helo")) > forgery.len);     /* U+FFFD is longer than \xff */
    CHECK(json_object_get(read, "admin") == NULL);
    json_decref(read);
}

TEST(values_that_are_not_plain_words_are_quoted)
{
    static const char *const odd[] = { "a b", "a=b", "a\"b", "a\\b", "\xc3\xa9", "\x7f", "\t" };

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct log_line line;

        stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
        line = log_begin(LOG_LEVEL_INFO, "e");
        log_text(&line, "key", odd[i]);
        log_end(&line);
        CHECK(strstr(stderr_back(), " key=\"") != NULL);
    }
}

/* A long value is cut, so that the ones behind it are still there. */
static void check_cut(struct slice value)
{
    struct log_line line;
    json_t *read;
    const char *got;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    line = log_begin(LOG_LEVEL_INFO, "e");
    for (int i = 0; i < 5; i++) {
        char key[2] = { (char)('a' + i), '\0' };

        log_slice(&line, key, value);
    }
    log_text(&line, "why", "the reason");
    log_end(&line);
    read = json_back();
    CHECK_TEXT(member(read, "why"), "the reason");
    CHECK(json_is_true(json_object_get(read, "cut")));
    got = member(read, "e");
    CHECK(strlen(got) > 60);
    CHECK(slice_ends_nocase(slice_of(got), SLICE("...")));
    CHECK(strstr(got, "\xef\xbf\xbd") == NULL);                 /* never inside a character */
    json_decref(read);
}

TEST(long_values_are_cut_and_say_so)
{
    auto_free char *value = memory_new(5000);

    memset(value, 'a', 5000);
    check_cut(slice(value, 5000));
    check_cut(slice(value, 511));               /* fits only without its quotes */
    memset(value, '\n', 5000);
    check_cut(slice(value, 5000));
    memset(value, '"', 5000);
    check_cut(slice(value, 513));
    for (size_t i = 0; i < 4998; i += 3)
        memcpy(value + i, "\xe2\x82\xac", 3);
    check_cut(slice(value, 4998));
}

TEST(a_value_that_just_fits_is_whole)
{
    auto_free char *value = memory_new(600);

    memset(value, 'a', 600);
    for (size_t len = 505; len < 520; len++) {
        bool fits = len + 2 <= 512;
        struct log_line line;
        json_t *read;

        stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        line = log_begin(LOG_LEVEL_INFO, "e");
        log_slice(&line, "key", slice(value, len));
        log_end(&line);
        read = json_back();
        CHECK(json_is_true(json_object_get(read, "cut")) == !fits);
        CHECK(!fits || json_string_length(json_object_get(read, "key")) == len);
        json_decref(read);
    }
}

/* Whatever there is too much of, what is written parses and is one write. */
static void check_flood(enum log_format format, size_t value_len)
{
    struct log_line line;
    char key[20], value[600];
    const char *text;

    memset(value, 'v', sizeof value);
    stderr_away(LOG_LEVEL_INFO, format);
    line = log_begin(LOG_LEVEL_INFO, "flood");
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "key%d", i);
        log_slice(&line, key, slice(value, value_len));
        log_number(&line, "n", i);
    }
    log_end(&line);
    text = stderr_back();
    CHECK(strlen(text) <= sizeof line.text);
    CHECK(strlen(text) > 3000);
    CHECK(strstr(text, format == LOG_FORMAT_JSON ? ",\"cut\":true}\n" : " cut=true\n") != NULL);
    if (format == LOG_FORMAT_JSON) {
        json_t *read = json_loads(text, 0, NULL);

        CHECK(json_is_object(read));
        json_decref(read);
    }
}

TEST(a_line_that_is_full_leaves_pairs_out_whole)
{
    for (size_t value_len = 0; value_len < 600; value_len += 37) {
        check_flood(LOG_FORMAT_JSON, value_len);
        check_flood(LOG_FORMAT_LOGFMT, value_len);
    }
}

TEST(a_long_process_name_is_cut)
{
    json_t *read;

    stderr_away(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_name("a-name-that-is-longer-than-any-process-would-have");
    log_say(LOG_LEVEL_INFO, "e", NULL, "x");
    read = json_back();
    CHECK_EQUAL(json_string_length(json_object_get(read, "process")), 31);
    json_decref(read);
}
