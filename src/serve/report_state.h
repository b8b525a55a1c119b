/* serve/report_state.h - what became of one day's report to one domain (NOTE_REPORT). Pure.
 *
 * The report process makes one for each domain that mail was sent to, soon
 * after midnight UTC, and works on it when it is due; `postern report` shows
 * it. A key "2026-11-21/" without a domain says that the day has been planned. */
#ifndef SERVE_REPORT_STATE_H
#define SERVE_REPORT_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "queue/message_id.h"
#include "tlsrpt/record.h"

enum report_stage {
    REPORT_WAITING,             /* for its time, or for the next try */
    REPORT_SENT,                /* at least one address has taken it (TLSRPT-081) */
    REPORT_NOT_WANTED,          /* the domain publishes no record that we can use */
    REPORT_EMPTY,               /* nothing to report */
    REPORT_GIVEN_UP,            /* the time for it is over (TLSRPT-080) */
    REPORT_STAGES
};
const char *report_stage_name(enum report_stage s);     /* "waiting" "sent" "not-wanted" "empty" "given-up" */

struct report_try {
    const char *to;             /* the URI as published */
    message_id id;              /* by mail: of its message, the same for every try; 0: none yet */
    bool done;
    const char *words;          /* "queued as 01j9x...", "HTTP status 201", why not */
};

struct report_state {
    enum report_stage stage;
    uint32_t tries;
    time_ms first, last;        /* wall clock of the first and the last try; 0: none yet */
    uint64_t sessions, failures;        /* as reported; 0 before */
    const char *problem;        /* of the last try as a whole, "" for none */
    struct report_try to[RUA_MAX];
    size_t count;
};
void report_state_encode(const struct report_state *s, struct buf *out);
bool report_state_decode(struct slice bytes, struct arena *arena, struct report_state *out) must_check;

/* "2026-11-21/example.org" */
enum { REPORT_KEY_MAX = 300 };
const char *report_state_key(uint32_t day, const char *domain, char text[REPORT_KEY_MAX]);
bool report_state_key_parse(const char *key, uint32_t *day, const char **domain) must_check;    /* `domain` borrows */

/* "2026-11-21"; days since 1970-01-01 UTC. */
enum { DAY_TEXT_MAX = 16 };
const char *day_text(uint32_t day, char text[DAY_TEXT_MAX]);
bool day_parse(struct slice text, uint32_t *day) must_check;

/* When a day's report to a domain goes out first: spread over `spread` behind midnight and a grace for late counts, always
 * at the same moment for the same `seed` (TLSRPT-070). */
time_ms report_first_due(uint32_t day, const char *domain, uint64_t seed, time_ms spread);

/* The next try after so many: 5, 10, 20 ... minutes, up to 4 hours; TIME_NEVER once `give_up` has passed since the first. */
time_ms report_next_due(const struct report_state *s, time_ms give_up, time_ms now);

#endif
