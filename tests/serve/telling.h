/* tests/serve/telling.h - a plan of hooks in simulated time, for its tests. */
#ifndef TESTS_SERVE_TELLING_H
#define TESTS_SERVE_TELLING_H

#include "base/memory.h"
#include "serve/hook_plan.h"
#include "tests/test.h"

static const time_ms start = 1792750000000;
enum { PATIENCE = 30 * 1000, ALL = (1 << EVENT_KINDS) - 1 };

static struct hook_plan *plan;
static time_ms now;

static inline void begin(const struct hook_rule *rules, size_t count)
{
    hook_plan_free(plan);
    plan = hook_plan_new(rules, count);
    now = start;
}

static inline void begin_one(time_ms every)
{
    begin(&(struct hook_rule){ "pager", ALL, every }, 1);
}

/* As the note stands after `count` happenings since `first`. */
static inline void note(const char *subject, time_ms first, uint64_t count)
{
    CHECK(hook_plan_event(plan, &(struct event){ .kind = EVENT_BLOCKED, .subject = subject, .first = first, .last = now,
                                                 .count = count, .what = "held" }, now));
}

static inline bool next(struct hook_telling *t)
{
    return hook_plan_next(plan, now, PATIENCE, t);
}

static inline bool nothing(void)
{
    struct hook_telling t;

    return !next(&t);
}

static inline enum hook_outcome end(size_t hook, enum hook_call_end how, struct hook_done *done)
{
    struct hook_done unused;

    return hook_plan_done(plan, hook, how, now, done ? done : &unused);
}

/* Something is due; it is `subject`, and its call succeeds. How often it had happened. */
static inline uint64_t told(size_t hook, const char *subject)
{
    struct hook_telling t;

    CHECK(next(&t));
    CHECK_EQUAL(t.hook, hook);
    CHECK_TEXT(t.event.subject, subject);
    CHECK_EQUAL(end(hook, HOOK_CALL_SUCCEEDED, NULL), HOOK_TOLD);
    return t.event.count;
}

static inline void fails(size_t hook, const char *subject)
{
    struct hook_telling t;

    CHECK(next(&t));
    CHECK_EQUAL(t.hook, hook);
    CHECK_TEXT(t.event.subject, subject);
    CHECK_EQUAL(end(hook, HOOK_CALL_FAILED, NULL), HOOK_AGAIN);
}

#endif
