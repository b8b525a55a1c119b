#include "base/log.h"

#include "base/clock.h"
#include "base/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

static struct log_settings current = { LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TO_STDERR };
static char process_name[32] = "postern";
static int record_fd = -1;

enum {
    VALUE_MAX = 512,        /* bytes of a value once it is escaped: no peer fills a line alone */
    PUNCTUATION = 4,        /* of a pair: comma, quotes, colon */
    TAIL = 16,              /* what log_end adds: cut=true, closing brace, newline */
};

static const char *const level_names[] = { "debug", "info", "warning", "error" };

void log_setup(struct log_settings settings)
{
    current = settings;
    if (settings.sink == LOG_TO_SYSLOG)
        openlog("postern", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

bool log_wants(enum log_level level)
{
    return level >= current.least;
}

void log_close(void)
{
    closelog();
}

void log_name(const char *process)
{
    snprintf(process_name, sizeof process_name, "%s", process);
}

static bool needs_quotes(struct slice s)
{
    if (s.len == 0)
        return true;
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7f || s.at[i] == '"' || s.at[i] == '=' || s.at[i] == '\\')
            return true;
    return false;
}

/* logfmt quotes as JSON does. */
static void render(struct buf *out, struct slice value, bool json)
{
    buf_clear(out);
    if (json || needs_quotes(value))
        escape_json(out, value);
    else
        buf_add(out, value);
}

/* At most `n` bytes of `s`, not ending inside a character. */
static size_t whole_characters(struct slice s, size_t n)
{
    if (n >= s.len)
        return s.len;
    while (n > 0 && ((unsigned char)s.at[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* A pair that does not fit is left out whole, so that a line always parses. */
static void put_pair(struct log_line *l, const char *key, struct slice rendered)
{
    bool json = l->json;
    bool first = l->len <= (json ? 1u : 0u);
    size_t key_len = strlen(key);
    char *at = l->text + l->len;

    if (l->len + key_len + rendered.len + PUNCTUATION > sizeof l->text - TAIL) {
        l->cut = true;
        return;
    }
    if (!first)
        *at++ = json ? ',' : ' ';
    if (json)
        *at++ = '"';
    at = mempcpy(at, key, key_len);
    at = mempcpy(at, json ? "\":" : "=", json ? 2 : 1);
    at = mempcpy(at, rendered.at, rendered.len);
    l->len = (size_t)(at - l->text);
}

/* `value` and three dots, inside its quotes when it has any. */
static struct slice with_dots(struct slice value, char *text)
{
    bool quoted = slice_starts(value, SLICE("\""));
    char *at = mempcpy(text, value.at, value.len - quoted);

    at = mempcpy(at, "...\"", quoted ? 4 : 3);
    return slice(text, (size_t)(at - text));
}

void log_slice(struct log_line *l, const char *key, struct slice value)
{
    auto_buf struct buf rendered = { 0 };
    char ended[VALUE_MAX + 4];
    size_t shown = whole_characters(value, VALUE_MAX);

    if (!l->wanted)
        return;
    buf_init(&rendered, VALUE_MAX);
    render(&rendered, slice_first(value, shown), l->json);
    while (rendered.failed) {       /* escapes made it longer */
        shown = whole_characters(value, shown * 3 / 4);
        render(&rendered, slice_first(value, shown), l->json);
    }
    if (shown == value.len) {
        put_pair(l, key, buf_slice(&rendered));
    } else {
        put_pair(l, key, with_dots(buf_slice(&rendered), ended));
        l->cut = true;
    }
}

void log_text(struct log_line *l, const char *key, const char *value)
{
    if (value)
        log_slice(l, key, slice_of(value));
}

void log_number(struct log_line *l, const char *key, int64_t value)
{
    char digits[24];

    if (!l->wanted)
        return;
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    put_pair(l, key, slice_of(digits));
}

void log_truth(struct log_line *l, const char *key, bool value)
{
    if (l->wanted)
        put_pair(l, key, value ? SLICE("true") : SLICE("false"));
}

void log_why(struct log_line *l, const struct error *why)
{
    if (!why || why->code == E_NONE)
        return;
    log_text(l, "code", error_name(why->code));
    log_text(l, "why", why->text);
}

/* All but the text, which is long. */
static void set_up(struct log_line *l, enum log_level level, bool wanted, bool json)
{
    l->level = level;
    l->wanted = wanted;
    l->json = json;
    l->record = false;
    l->cut = false;
    l->len = 0;
    if (wanted && json)
        l->text[l->len++] = '{';
}

struct log_line log_begin(enum log_level level, const char *event)
{
    struct log_line l;
    char now[CLOCK_TEXT_MAX];

    set_up(&l, level, level >= current.least, current.format == LOG_FORMAT_JSON);
    if (!l.wanted)
        return l;
    if (current.sink != LOG_TO_SYSLOG)
        log_text(&l, "time", clock_iso_date(clock_wall(), now));
    log_text(&l, "level", level_names[level]);
    log_text(&l, "process", process_name);
    log_text(&l, "event", event);
    return l;
}

void log_record_to(int fd)
{
    record_fd = fd;
}

bool log_recording(void)
{
    return record_fd >= 0;
}

struct log_line log_record(const char *event)
{
    struct log_line l;
    char now[CLOCK_TEXT_MAX];

    set_up(&l, LOG_LEVEL_INFO, record_fd >= 0, true);
    l.record = true;
    log_text(&l, "time", clock_iso_date(clock_wall(), now));
    log_text(&l, "process", process_name);
    log_text(&l, "event", event);
    return l;
}

static int syslog_priority(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG: return LOG_DEBUG;
    case LOG_LEVEL_INFO: return LOG_INFO;
    case LOG_LEVEL_WARNING: return LOG_WARNING;
    default: return LOG_ERR;
    }
}

/* Into the room that put_pair keeps. */
static void append(struct log_line *l, const char *text)
{
    size_t len = strlen(text);

    memcpy(l->text + l->len, text, len);
    l->len += len;
}

void log_end(struct log_line *l)
{
    if (!l->wanted)
        return;
    if (l->cut)
        append(l, l->json ? ",\"cut\":true" : " cut=true");
    if (l->json)
        append(l, "}");
    if (!l->record && current.sink == LOG_TO_SYSLOG) {
        syslog(syslog_priority(l->level), "%.*s", (int)l->len, l->text);
    } else {
        ssize_t written;

        append(l, "\n");
        written = write(l->record ? record_fd : STDERR_FILENO, l->text, l->len);
        (void)written;      /* a log that cannot be written cannot be reported either */
    }
}

void log_say(enum log_level level, const char *event, const struct error *why, const char *format, ...)
{
    struct log_line l = log_begin(level, event);
    char text[1024];
    va_list args;

    if (!l.wanted)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_text(&l, "say", text);
    log_why(&l, why);
    log_end(&l);
}
