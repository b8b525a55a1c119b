#include "policy/mta_sts.h"

#include "policy/mta_sts_inside.h"

#include <stdio.h>

/* --- the form it is kept in --------------------------------------------------------- */

enum { FORM = 1 };                      /* another one is as if nothing were kept */
#define LATEST DAYS(4 * 1000 * 1000)    /* no clock is right about a time behind this; sums stay far from overflow */

void sts_cached_encode(const struct sts_cached *c, struct buf *out)
{
    buf_u8(out, FORM);
    buf_block(out, slice_of(c->id));
    buf_u64(out, (uint64_t)c->fetched);
    buf_u64(out, (uint64_t)c->refresh);
    buf_u64(out, (uint64_t)c->failed);
    buf_block(out, c->text);
}

static bool take_time(struct cursor *in, time_ms *time)
{
    uint64_t value = cursor_u64(in);

    *time = (time_ms)value;
    return value <= (uint64_t)LATEST;
}

/* When it expires is not kept but follows from the text, so that nothing lives longer
 * than its policy says. */
bool sts_cached_decode(struct slice bytes, struct arena *arena, struct sts_cached *out)
{
    struct cursor in = cursor_over(bytes);
    struct sts_cached c = { 0 };
    bool known = cursor_u8(&in) == FORM;
    struct slice id = cursor_block(&in);
    bool sane = take_time(&in, &c.fetched) && take_time(&in, &c.refresh) && take_time(&in, &c.failed);
    struct slice text = cursor_block(&in);

    if (!known || !sane || !cursor_ended(&in) || !sts_id_valid(id) || text.len > STS_POLICY_BYTES_MAX)
        return false;
    c.text = arena_copy(arena, text);
    if (!sts_policy_parse(c.text, arena, &c.policy, NULL))
        return false;
    c.expires = c.fetched + SECONDS(c.policy.max_age);
    /* Who puts a refresh off may pass the end; that is no reason to lose the policy. */
    if (c.refresh > c.expires)
        c.refresh = c.expires;
    if (c.refresh < c.fetched)
        c.refresh = c.fetched;
    snprintf(c.id, sizeof c.id, "%.*s", SLICE_ARGS(id));
    *out = c;
    return true;
}

/* --- its life -------------------------------------------------------------------------- */

void sts_cached_set(struct sts_cached *c, const char *id, struct slice text, const struct sts_policy *policy,
                    time_ms wall, uint64_t random)
{
    time_ms life = SECONDS(policy->max_age);
    time_ms rest = life / 2 < DAYS(1) ? life / 2 : DAYS(1);
    uint64_t spread = (uint64_t)rest / 4;

    *c = (struct sts_cached){ .fetched = wall, .expires = wall + life, .text = text, .policy = *policy };
    c->refresh = wall + rest - (time_ms)(random % (spread + 1));
    snprintf(c->id, sizeof c->id, "%s", id);
}

bool sts_cached_lives(const struct sts_cached *c, time_ms wall)
{
    return wall < c->expires && wall >= c->fetched - STS_CLOCK_SLACK;
}

/* --- which policy counts ------------------------------------------------------------------ */

static const struct sts_cached *living(const struct sts_cached *c, time_ms wall)
{
    return c && sts_cached_lives(c, wall) ? c : NULL;
}

bool sts_must_fetch(enum sts_txt txt, const char *id, const struct sts_cached *cached, time_ms wall,
                    time_ms back_off_until)
{
    cached = living(cached, wall);
    if (txt != STS_TXT_VALID || (cached && strcmp(cached->id, id) == 0))
        return false;
    return wall >= back_off_until || back_off_until - wall > STS_CLOCK_SLACK;
}

static enum error_code fetch_problem(enum sts_fetch fetch)
{
    switch (fetch) {
    case STS_FETCH_WEBPKI: return E_STS_WEBPKI;
    case STS_FETCH_INVALID: return E_STS_INVALID;
    case STS_FETCH_NOT_TRIED: case STS_FETCH_VALID: case STS_FETCH_FAILED: break;
    }
    return E_STS_FETCH;
}

/* A failure of MTA-STS itself with nothing kept: as if there were no policy. */
static struct sts_effect without_policy(enum sts_txt txt, enum sts_fetch fetch, bool defer_on_error)
{
    switch (txt) {
    case STS_TXT_VALID:
        return (struct sts_effect){ "ST-06", STS_USE_NOTHING, fetch_problem(fetch) };
    case STS_TXT_ERROR:
        return (struct sts_effect){ "ST-08", defer_on_error ? STS_USE_DEFER : STS_USE_NOTHING, E_STS_FETCH };
    case STS_TXT_NONE: case STS_TXT_INVALID:
        break;
    }
    return (struct sts_effect){ "ST-01", STS_USE_NOTHING, E_NONE };
}

/* RFC 8461 3.1: "the absence of a usable TXT record is not by itself sufficient to remove
 * a sender's previously cached policy"; 3.3: "If a valid TXT record is found but no policy
 * can be fetched via HTTPS [...] and there is no valid (non-expired) previously cached
 * policy, senders MUST continue with delivery as though the domain has not implemented
 * MTA-STS. Conversely, if no "live" policy can be discovered [...], but a valid
 * (non-expired) policy exists in the sender's cache, the sender MUST apply that cached
 * policy." */
struct sts_effect sts_effective(enum sts_txt txt, enum sts_fetch fetch, const struct sts_cached *cached,
                                const struct sts_policy *fetched, bool defer_on_error, time_ms wall)
{
    cached = living(cached, wall);
    if (fetch == STS_FETCH_VALID && fetched && (txt == STS_TXT_VALID || cached))
        return (struct sts_effect){ "ST-04", STS_USE_FETCHED, E_NONE };
    if (!cached)
        return without_policy(txt, fetch, defer_on_error);
    if (cached->policy.mode == STS_MODE_NONE)
        return (struct sts_effect){ "ST-09", STS_USE_NOTHING, E_NONE };
    switch (txt) {
    case STS_TXT_VALID:
        if (fetch != STS_FETCH_NOT_TRIED)
            return (struct sts_effect){ "ST-05", STS_USE_CACHED, fetch_problem(fetch) };
        return (struct sts_effect){ "ST-03", STS_USE_CACHED, E_NONE };
    case STS_TXT_ERROR:
        return (struct sts_effect){ "ST-07", STS_USE_CACHED, E_STS_FETCH };
    case STS_TXT_NONE: case STS_TXT_INVALID:
        break;
    }
    return (struct sts_effect){ "ST-02", STS_USE_CACHED, E_STS_FETCH };
}
