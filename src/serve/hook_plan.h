/* serve/hook_plan.h - which hook is told of which event, and when. Pure: the caller says what time it is.
 *
 * The rules:
 * - A hook is told at once of an event that it wants, and of more of the same
 *   no sooner than `every` after that, then of all that were gathered.
 * - One call for a hook at a time, in the order of what happened; hooks do
 *   not wait for each other.
 * - After a call that failed the hook rests for 10 s, 20 s ... 15 min, with all
 *   that waits for it, and then goes on with the oldest, since most likely it
 *   is the hook that failed. From the third failure in a row on another is
 *   tried at once behind it: when that one succeeds and the oldest goes on
 *   failing, the oldest gets pauses of its own and holds up nobody. After 24
 *   hours it is dropped; at once when trying again cannot help.
 *
 * Times are of the wall clock, as those in the store. */
#ifndef SERVE_HOOK_PLAN_H
#define SERVE_HOOK_PLAN_H

#include "event/event.h"

struct hook_rule {
    const char *name;
    unsigned events;            /* a bit for each event_kind */
    time_ms every;
};

enum { HOOK_SUBJECTS_MAX = 20000 };     /* kinds and subjects held; those beyond are not told */

struct hook_plan;
struct hook_plan *hook_plan_new(const struct hook_rule *rules, size_t count);   /* names stay the caller's */
void hook_plan_free(struct hook_plan *p);       /* NULL is fine */

/* --- what the store says --------------------------------------------------------- */

/* An event as its note has it now. False: too many are held already, and this one is not. */
bool hook_plan_event(struct hook_plan *p, const struct event *e, time_ms now);

/* The event of a key as it was last told of; NULL: none is known. */
const struct event *hook_plan_find(struct hook_plan *p, const char *key);

/* What a hook was told of an event, as kept from one life of the process to the next. */
struct hook_told {
    time_ms told;               /* 0: never */
    time_ms first;              /* of the event, when it was told: the same one, with more of it, has the same, */
    uint64_t count;             /* and a higher count */
    time_ms last;
    time_ms failing;            /* since then calls have failed; 0: they do not */
    time_ms calling;            /* a call is under way until then at most, perhaps of a process that is gone; 0: none */
};
void hook_told_encode(const struct hook_told *t, struct buf *out);
bool hook_told_decode(struct slice bytes, struct hook_told *out) must_check;

/* "pager/blocked/example.org"; a hook's long name is shortened. */
enum { HOOK_KEY_MAX = 320 };
const char *hook_plan_key(const struct hook_plan *p, size_t hook, const char *event_key, char text[HOOK_KEY_MAX + 1]);

/* Keep what another life has noted under such a key. False: it is of no hook that there is now. */
bool hook_plan_recall(struct hook_plan *p, const char *key, const struct hook_told *t, time_ms now);

/* --- telling ------------------------------------------------------------------------ */

/* A call to make. Strings are valid until the plan is told of anything. */
struct hook_telling {
    size_t hook;
    struct event event;         /* with what was gathered since the hook was last told */
    const char *key;            /* of the event */
    struct hook_told told;      /* to be kept before the call, with `calling` */
};

/* The next call that is due; its hook is busy until hook_plan_done. `patience`: how long a call may take. */
bool hook_plan_next(struct hook_plan *p, time_ms now, time_ms patience, struct hook_telling *out);

/* When there may be something to do; TIME_NEVER. */
time_ms hook_plan_due(const struct hook_plan *p);

/* The call of a hook ended: it was told, or will be tried again, or it is given up. */
enum hook_call_end { HOOK_CALL_SUCCEEDED, HOOK_CALL_FAILED, HOOK_CALL_USELESS, HOOK_CALL_CANCELLED };
enum hook_outcome { HOOK_TOLD, HOOK_AGAIN, HOOK_GIVEN_UP };
struct hook_done {
    char key[EVENT_KEY_MAX];    /* of the event */
    struct hook_told told;      /* to be kept for both, */
    time_ms forget;             /* until then */
    time_ms again;              /* of HOOK_AGAIN: not before; when the hook has rested */
};
enum hook_outcome hook_plan_done(struct hook_plan *p, size_t hook, enum hook_call_end end, time_ms now, struct hook_done *out);

/* Once a minute or so: forgets what is of no more use. `remove` is called for each event that all have been told, and that
 * is more than a day old; `dropped` for each that a hook which has failed for 24 hours will not be told. */
struct hook_sweep {
    void (*remove)(void *arg, const char *key);
    void (*dropped)(void *arg, size_t hook, const struct hook_done *done);
};
void hook_plan_sweep(struct hook_plan *p, time_ms now, const struct hook_sweep *house, void *arg);

size_t hook_plan_subjects(const struct hook_plan *p);
size_t hook_plan_busy(const struct hook_plan *p);       /* calls under way */

#endif
