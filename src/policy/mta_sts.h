/* policy/mta_sts.h - MTA-STS: the record, the policy, and which policy counts. Pure.
 *
 * RFC 8461 3 to 5 (spec MTASTS-001 to -013, -040 to -048, -060, -080 to -084,
 * and the truth table ST-01 to ST-11). Knows neither DNS nor HTTP nor the
 * time: the caller says what they gave. */
#ifndef POLICY_MTA_STS_H
#define POLICY_MTA_STS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

/* --- the record at _mta-sts.DOMAIN ------------------------------------------- */

struct sts_record {
    char id[33];
};
/* Among all TXT records (strings joined). E_NOT_FOUND: none begins with the
 * version; E_MALFORMED: one does, but is wrong, or several do. "v=STSv1 ;" with a
 * blank counts only while no record begins with "v=STSv1;" (MTASTS-005). */
bool sts_record_find(const struct slice *texts, size_t count, struct sts_record *out, struct error *why) must_check;

/* --- the policy file ------------------------------------------------------------ */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };
const char *sts_mode_name(enum sts_mode m);     /* "enforce" */

enum { STS_POLICY_BYTES_MAX = 64 * 1024, STS_MX_MAX = 256, STS_MAX_AGE_MOST = 31557600 };

struct sts_policy {
    enum sts_mode mode;
    uint32_t max_age;               /* seconds, capped to STS_MAX_AGE_MOST */
    const char **mx;                /* patterns, lower case, no final dot: "mx.example.org", "*.example.org" */
    size_t mx_count;
};
/* E_STS_INVALID with line and reason; E_LIMIT when the arena is full. Memory from
 * `arena`, nothing borrowed from `text`.
 *
 * An IP address as mx ("192.0.2.1", "[IPv6:2001:db8::1]") spoils nothing: it is a
 * pattern like another, but no host matches it. A policy in force that has no other
 * pattern is in force all the same, and no host of its domain gets mail. */
bool sts_policy_parse(struct slice text, struct arena *arena, struct sts_policy *out, struct error *why) must_check;

/* Does the MX host name (from the DNS, not expanded) match a pattern (RFC 8461 4.1)? The
 * pattern, or NULL: also for what is no host name. */
const char *sts_policy_match(const struct sts_policy *p, const char *host);

/* --- what is kept of a domain ------------------------------------------------------ */

/* A policy that was fetched and validated once. */
struct sts_cached {
    char id[33];                    /* of the record at that time */
    time_ms fetched;                /* wall clock */
    time_ms expires;                /* fetched + max_age */
    time_ms refresh;                /* when to fetch again ahead of expiry (MTASTS-081) */
    time_ms failed;                 /* when the last refresh failed; 0: it did not */
    struct slice text;              /* the policy file as it came */
    struct sts_policy policy;       /* parsed from it */
};
void sts_cached_encode(const struct sts_cached *c, struct buf *out);
/* Parses the text again and takes the time of expiry from it; `refresh` is moved between `fetched`
 * and `expires`. Memory from `arena`, nothing borrowed from `bytes`. False: damaged, of another
 * version, or the arena is full. */
bool sts_cached_decode(struct slice bytes, struct arena *arena, struct sts_cached *out) must_check;

/* From a fresh and valid policy, whose memory and text are borrowed. The refresh comes at a day or half
 * of max_age, whichever is sooner, less up to a quarter of that, spread by `random`. */
void sts_cached_set(struct sts_cached *c, const char *id, struct slice text, const struct sts_policy *policy,
                    time_ms wall, uint64_t random);

/* By so much a clock may be set back without anybody doubting what it said before. */
#define STS_CLOCK_SLACK DAYS(1)

/* Does it count at `wall`? Also false when `wall` is before it was fetched by more
 * than a day: a clock that went back must not extend it (MTASTS-084). */
bool sts_cached_lives(const struct sts_cached *c, time_ms wall);

/* --- which policy counts: rows ST-01 to ST-09 ------------------------------------------ */

enum sts_txt { STS_TXT_VALID, STS_TXT_NONE, STS_TXT_INVALID, STS_TXT_ERROR };     /* NONE: no record; ERROR: lookup failed */
enum sts_fetch { STS_FETCH_NOT_TRIED, STS_FETCH_VALID, STS_FETCH_FAILED, STS_FETCH_WEBPKI, STS_FETCH_INVALID };

/* Before fetching: must the policy be fetched now? `back_off_until`: of an earlier failure for this id;
 * disregarded when it lies further ahead than STS_CLOCK_SLACK. `id` is read for a valid record only. */
bool sts_must_fetch(enum sts_txt txt, const char *id, const struct sts_cached *cached, time_ms wall,
                    time_ms back_off_until);

struct sts_effect {
    const char *row;                /* "ST-04" */
    enum { STS_USE_NOTHING, STS_USE_CACHED, STS_USE_FETCHED, STS_USE_DEFER } use;
    enum error_code report;         /* E_NONE, E_STS_FETCH, E_STS_WEBPKI, E_STS_INVALID: for TLS-RPT (PD-E18) */
};
/* `defer_on_error`: MTASTS-011. `cached`, `fetched`: NULL for none; an expired cached one counts as none.
 * Who must fetch but rests after a failure says what that failure was: with a cached policy,
 * STS_FETCH_NOT_TRIED means that none was needed (ST-03). A refresh that succeeds takes the place of what is
 * cached even when the record is gone (ST-04, MTASTS-081); without anything cached a fetch counts for a valid
 * record only. A cached policy of mode none is USE_NOTHING (ST-09); a fetched one is USE_FETCHED, since it
 * replaces what was cached. */
struct sts_effect sts_effective(enum sts_txt txt, enum sts_fetch fetch, const struct sts_cached *cached,
                                const struct sts_policy *fetched, bool defer_on_error, time_ms wall);

#endif
