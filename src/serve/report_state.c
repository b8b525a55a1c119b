#include "serve/report_state.h"

#include "base/cursor.h"

#include <stdio.h>
#include <time.h>

enum { FORMAT = 1, GRACE_MS = 5 * 60 * 1000 };

const char *report_stage_name(enum report_stage s)
{
    static const char *const names[] = {
        [REPORT_WAITING] = "waiting", [REPORT_SENT] = "sent", [REPORT_NOT_WANTED] = "not-wanted", [REPORT_EMPTY] = "empty",
        [REPORT_GIVEN_UP] = "given-up" };

    return names[s];
}

/* --- kept ------------------------------------------------------------------------ */

void report_state_encode(const struct report_state *s, struct buf *out)
{
    buf_u8(out, FORMAT);
    buf_u8(out, (uint8_t)s->stage);
    buf_u32(out, s->tries);
    buf_u64(out, (uint64_t)s->first);
    buf_u64(out, (uint64_t)s->last);
    buf_u64(out, s->sessions);
    buf_u64(out, s->failures);
    buf_block(out, slice_of(s->problem));
    buf_u8(out, (uint8_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        buf_block(out, slice_of(s->to[i].to));
        buf_u64(out, s->to[i].id);
        buf_u8(out, s->to[i].done);
        buf_block(out, slice_of(s->to[i].words));
    }
}

bool report_state_decode(struct slice bytes, struct arena *arena, struct report_state *out)
{
    struct cursor in = cursor_over(bytes);
    struct report_state s = { 0 };
    uint8_t stage;

    if (cursor_u8(&in) != FORMAT)
        return false;
    stage = cursor_u8(&in);
    s.stage = stage < REPORT_STAGES ? (enum report_stage)stage : REPORT_WAITING;
    s.tries = cursor_u32(&in);
    s.first = (time_ms)cursor_u64(&in);
    s.last = (time_ms)cursor_u64(&in);
    s.sessions = cursor_u64(&in);
    s.failures = cursor_u64(&in);
    s.problem = arena_string(arena, cursor_block(&in));
    s.count = cursor_u8(&in);
    if (stage >= REPORT_STAGES || s.count > RUA_MAX)
        return false;
    for (size_t i = 0; i < s.count && !in.failed; i++) {
        s.to[i].to = arena_string(arena, cursor_block(&in));
        s.to[i].id = cursor_u64(&in);
        s.to[i].done = cursor_u8(&in);
        s.to[i].words = arena_string(arena, cursor_block(&in));
    }
    if (!cursor_ended(&in) || arena->failed)
        return false;
    *out = s;
    return true;
}

/* --- days and keys ---------------------------------------------------------------- */

const char *day_text(uint32_t day, char text[DAY_TEXT_MAX])
{
    time_t seconds = (time_t)day * 86400;
    struct tm t;

    gmtime_r(&seconds, &t);
    snprintf(text, DAY_TEXT_MAX, "%04u-%02u-%02u", (unsigned)(t.tm_year + 1900) % 10000u, (unsigned)(t.tm_mon + 1) % 100u,
             (unsigned)t.tm_mday % 100u);
    return text;
}

bool day_parse(struct slice text, uint32_t *day)
{
    struct slice rest = text;
    uint64_t year, month, date;
    char again[DAY_TEXT_MAX];
    struct tm t = { 0 };

    if (text.len != 10 || !slice_to_number(slice_cut(&rest, '-'), 9999, &year) ||
        !slice_to_number(slice_cut(&rest, '-'), 12, &month) || !slice_to_number(rest, 31, &date) || year < 1970 || month < 1)
        return false;
    t.tm_year = (int)year - 1900;
    t.tm_mon = (int)month - 1;
    t.tm_mday = (int)date;
    *day = (uint32_t)(timegm(&t) / 86400);
    return slice_equal(text, slice_of(day_text(*day, again)));      /* no 31st of June */
}

const char *report_state_key(uint32_t day, const char *domain, char text[REPORT_KEY_MAX])
{
    char date[DAY_TEXT_MAX];

    snprintf(text, REPORT_KEY_MAX, "%s/%s", day_text(day, date), domain);
    return text;
}

bool report_state_key_parse(const char *key, uint32_t *day, const char **domain)
{
    const char *slash = strchr(key, '/');

    if (!slash || !day_parse(slice(key, (size_t)(slash - key)), day))
        return false;
    *domain = slash + 1;
    return true;
}

/* --- times -------------------------------------------------------------------------- */

time_ms report_first_due(uint32_t day, const char *domain, uint64_t seed, time_ms spread)
{
    uint64_t scatter = (slice_hash(slice_of(domain)) ^ seed) * 0x9e3779b97f4a7c15u;

    scatter ^= scatter >> 32;
    return DAYS((time_ms)day + 1) + GRACE_MS + (spread > 0 ? (time_ms)(scatter % (uint64_t)spread) : 0);
}

time_ms report_next_due(const struct report_state *s, time_ms give_up, time_ms now)
{
    unsigned doublings = s->tries > 1 ? s->tries - 1 : 0;
    time_ms interval = MINUTES(5) << (doublings < 6 ? doublings : 6);

    if (interval > HOURS(4))
        interval = HOURS(4);
    if (now - s->first >= give_up)
        return TIME_NEVER;
    return now + interval < s->first + give_up ? now + interval : s->first + give_up;
}
