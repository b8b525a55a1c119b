/* What hooks were told, from one life of the process to the next; what is forgotten; and a crowd. */
#include "tests/serve/telling.h"

/* --- from one life to the next ---------------------------------------------------------- */

static struct hook_told kept;
static char kept_key[HOOK_KEY_MAX + 1];

static void keep(const char *event_key, const struct hook_told *t)
{
    auto_buf struct buf bytes = { 0 };

    buf_init(&bytes, 200);
    hook_told_encode(t, &bytes);
    CHECK(hook_told_decode(buf_slice(&bytes), &kept));
    hook_plan_key(plan, 0, event_key, kept_key);
}

static void call_and_keep(enum hook_call_end how)
{
    struct hook_telling t;
    struct hook_done done;

    CHECK(next(&t));
    keep(t.key, &t.told);
    end(0, how, &done);
    keep(done.key, &done.told);
}

static void restart(time_ms every)
{
    time_ms then = now;

    begin_one(every);
    now = then;
}

TEST(a_restart_repeats_nothing)
{
    begin_one(HOURS(1));
    note("example.org", now, 4);
    call_and_keep(HOOK_CALL_SUCCEEDED);
    CHECK_TEXT(kept_key, "pager/blocked/example.org");

    now += MINUTES(1);
    restart(HOURS(1));
    note("example.org", start, 4);
    hook_plan_event(plan, &(struct event){ .kind = EVENT_BLOCKED, .subject = "example.org", .first = start, .last = start,
                                           .count = 4 }, now);
    CHECK(hook_plan_recall(plan, kept_key, &kept, now));
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER);
    note("example.org", start, 6);
    CHECK(nothing());
    CHECK_EQUAL(hook_plan_due(plan), start + HOURS(1));
    now = start + HOURS(1);
    CHECK_EQUAL(told(0, "example.org"), 2);
}

/* The event itself is forgotten meanwhile; when it was told is not. */
TEST(a_rate_limit_outlives_the_note)
{
    begin_one(DAYS(7));
    note("example.org", now, 4);
    call_and_keep(HOOK_CALL_SUCCEEDED);
    now += DAYS(2);
    restart(DAYS(7));
    CHECK(hook_plan_recall(plan, kept_key, &kept, now));
    note("example.org", now, 1);
    CHECK(nothing());
    CHECK_EQUAL(hook_plan_due(plan), start + DAYS(7));
}

TEST(a_call_that_was_under_way_is_waited_for)
{
    struct hook_telling t;

    begin_one(HOURS(1));
    note("example.org", now, 1);
    CHECK(next(&t));
    keep(t.key, &t.told);           /* and then it was killed */
    now += SECONDS(1);
    restart(HOURS(1));
    note("example.org", start, 1);
    CHECK(hook_plan_recall(plan, kept_key, &kept, now));
    CHECK(nothing());
    CHECK_EQUAL(hook_plan_due(plan), start + PATIENCE);
    now = start + PATIENCE;
    CHECK_EQUAL(told(0, "example.org"), 1);
}

/* A reload: the old process ends its call while the new one runs. */
TEST(what_an_older_process_says_at_last_is_heard)
{
    struct hook_told claimed = { .calling = start + PATIENCE };
    struct hook_told done = { .told = start + 10, .first = start, .last = start, .count = 1 };

    begin_one(HOURS(1));
    note("example.org", now, 1);
    CHECK(hook_plan_recall(plan, "pager/blocked/example.org", &claimed, now));
    CHECK_EQUAL(hook_plan_due(plan), start + PATIENCE);
    now += 10;
    CHECK(hook_plan_recall(plan, "pager/blocked/example.org", &done, now));
    CHECK(nothing() && hook_plan_due(plan) == TIME_NEVER);
}

TEST(failures_before_a_restart_count_towards_the_day)
{
    struct hook_telling t;

    begin_one(HOURS(1));
    note("example.org", now, 1);
    call_and_keep(HOOK_CALL_FAILED);
    CHECK_EQUAL(kept.failing, start);
    now += HOURS(25);
    restart(HOURS(1));
    note("example.org", start, 1);
    CHECK(hook_plan_recall(plan, kept_key, &kept, now));
    CHECK(next(&t));
    CHECK_EQUAL(end(0, HOOK_CALL_FAILED, NULL), HOOK_GIVEN_UP);
}

TEST(a_clock_that_goes_back_silences_nobody_for_long)
{
    struct hook_told t = { .told = start + DAYS(300), .first = start, .count = 1, .last = start,
                           .calling = start + DAYS(300) };

    begin_one(HOURS(1));
    note("example.org", start, 2);
    CHECK(hook_plan_recall(plan, "pager/blocked/example.org", &t, now));
    CHECK_EQUAL(hook_plan_due(plan), now + HOURS(1));
    now += HOURS(1);
    CHECK_EQUAL(told(0, "example.org"), 1);
}

TEST(notes_of_hooks_that_are_gone_or_make_no_sense_are_told_apart)
{
    struct hook_told t = { 0 }, got;
    auto_buf struct buf bytes = { 0 };

    begin_one(HOURS(1));
    CHECK(!hook_plan_recall(plan, "other/blocked/example.org", &t, now));
    CHECK(!hook_plan_recall(plan, "pager", &t, now));
    CHECK(!hook_plan_recall(plan, "pager/", &t, now));
    CHECK(!hook_plan_recall(plan, "", &t, now));
    CHECK_EQUAL(hook_plan_subjects(plan), 0);
    buf_init(&bytes, 200);
    hook_told_encode(&(struct hook_told){ .told = 1, .first = 2, .count = 3, .last = 4, .failing = 5, .calling = 6 }, &bytes);
    CHECK(hook_told_decode(buf_slice(&bytes), &got));
    CHECK(got.told == 1 && got.first == 2 && got.count == 3 && got.last == 4 && got.failing == 5 && got.calling == 6);
    for (size_t i = 0; i < buf_len(&bytes); i++)
        CHECK(!hook_told_decode(slice_first(buf_slice(&bytes), i), &got));
    buf_byte(&bytes, 0);
    CHECK(!hook_told_decode(buf_slice(&bytes), &got));
    hook_told_encode(&(struct hook_told){ .told = -1 }, &bytes);
    CHECK(!hook_told_decode(slice_after(buf_slice(&bytes), buf_len(&bytes) / 2 + 1), &got));
}

TEST(a_hooks_name_may_be_anything)
{
    const struct hook_rule rules[] = { { "a/blocked", ALL, 0 },
        { "a name that is longer than any key in the store should have in it, and then some more", ALL, 0 } };
    char key[HOOK_KEY_MAX + 1], longest[EVENT_KEY_MAX];

    begin(rules, 2);
    CHECK(!strstr(hook_plan_key(plan, 0, "blocked/example.org", key), "a/blocked"));
    CHECK(hook_plan_recall(plan, key, &(struct hook_told){ .told = 5 }, now));
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK_EQUAL(strlen(hook_plan_key(plan, 1, longest, key)), 16 + 1 + EVENT_KEY_MAX - 1);
    CHECK(hook_plan_recall(plan, key, &(struct hook_told){ .told = 5 }, now));
}

/* --- forgetting ------------------------------------------------------------------------- */

static size_t removed, dropped;

static void remove_note(void *arg, const char *key)
{
    removed++;
}

static void drop(void *arg, size_t hook, const struct hook_done *done)
{
    CHECK(done->told.count > 0 && done->key[0]);
    dropped++;
}

static const struct hook_sweep house = { remove_note, drop };

static void sweep(void)
{
    removed = dropped = 0;
    hook_plan_sweep(plan, now, &house, NULL);
}

TEST(what_all_were_told_goes_after_a_day_and_not_before)
{
    begin_one(HOURS(1));
    note("example.org", now, 1);
    now += DAYS(2);
    sweep();
    CHECK(removed == 0 && hook_plan_subjects(plan) == 1);
    CHECK_EQUAL(told(0, "example.org"), 1);
    note("other.example", now, 1);
    sweep();
    CHECK(removed == 1 && hook_plan_subjects(plan) == 2);
    now += HOURS(1);
    sweep();
    CHECK(removed == 0 && hook_plan_subjects(plan) == 1);
    CHECK_EQUAL(told(0, "other.example"), 1);
}

TEST(what_nobody_wants_to_hear_goes_as_well)
{
    begin(&(struct hook_rule){ "pager", 1 << EVENT_REPORT, 0 }, 1);
    note("example.org", now, 1);
    now += DAYS(1) + 1;
    sweep();
    CHECK(removed == 1 && hook_plan_subjects(plan) == 0);
}

TEST(one_that_is_being_told_stays)
{
    struct hook_telling t;

    begin_one(HOURS(1));
    note("example.org", now, 1);
    CHECK(next(&t));
    now += DAYS(2);
    sweep();
    CHECK(removed == 0 && hook_plan_subjects(plan) == 1);
    end(0, HOOK_CALL_SUCCEEDED, NULL);
}

TEST(of_a_hook_that_is_dead_for_a_day_all_is_dropped)
{
    struct hook_telling t;
    char subject[20];

    begin_one(HOURS(1));
    for (int i = 0; i < 500; i++) {
        snprintf(subject, sizeof subject, "%d.example", i);
        note(subject, now, 1);
    }
    while ((now = hook_plan_due(plan)) < start + HOURS(24)) {
        sweep();
        CHECK(dropped == 0 && next(&t));
        end(0, HOOK_CALL_FAILED, NULL);
    }
    note("late.example", now, 1);
    sweep();
    CHECK(dropped == 500 && removed == 500 && hook_plan_due(plan) >= now);
    now = hook_plan_due(plan);
    CHECK_EQUAL(told(0, "late.example"), 1);
    sweep();
    CHECK(dropped == 0 && removed == 0);
}

/* --- many ------------------------------------------------------------------------------- */

TEST(subjects_have_a_bound)
{
    const struct hook_rule rules[] = { { "a", ALL, HOURS(1) }, { "b", ALL, HOURS(1) } };
    struct event e = { .kind = EVENT_CLEARTEXT, .first = start, .last = start, .count = 1 };
    struct hook_telling t;
    char subject[20];

    begin(rules, 2);
    e.subject = subject;
    for (int i = 0; i < HOOK_SUBJECTS_MAX; i++) {
        snprintf(subject, sizeof subject, "%d.example", i);
        CHECK(hook_plan_event(plan, &e, now));
    }
    snprintf(subject, sizeof subject, "one.more.example");
    CHECK(!hook_plan_event(plan, &e, now));
    snprintf(subject, sizeof subject, "7.example");
    e.count++;
    CHECK(hook_plan_event(plan, &e, now));
    CHECK_EQUAL(hook_plan_subjects(plan), HOOK_SUBJECTS_MAX);
    for (int i = 0; i < 2 * HOOK_SUBJECTS_MAX; i++)
        CHECK(next(&t) && end(t.hook, HOOK_CALL_SUCCEEDED, NULL) == HOOK_TOLD);
    CHECK(nothing());
    now += DAYS(1) + 1;
    sweep();
    CHECK(removed == HOOK_SUBJECTS_MAX && hook_plan_subjects(plan) == 0);
}

/* Ten thousand subjects ring at random while one hook works, one fails now and then, and one is dead; the process is
 * restarted again and again. Nothing is told twice or too early by those that work, and nothing is lost. */
enum { SUBJECTS = 10000, HOOKS = 3 };
static const struct hook_rule crowd[HOOKS] = { { "well", ALL, MINUTES(30) }, { "ill", ALL, MINUTES(30) },
                                               { "dead", ALL, MINUTES(30) } };
static struct {
    time_ms first;
    uint64_t rung, told[HOOKS];
    time_ms last[HOOKS];
    struct hook_told kept[HOOKS];
} all[SUBJECTS];

static uint64_t random_state = 42;

static uint64_t chance(uint64_t of)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % of;
}

static void note_of(size_t i)
{
    char subject[20];

    snprintf(subject, sizeof subject, "%zu.example", i);
    note(subject, all[i].first, all[i].rung);
}

static void ring(size_t i)
{
    if (all[i].rung++ == 0)
        all[i].first = now;
    note_of(i);
}

static void restart_all(void)
{
    time_ms then = now;
    char key[HOOK_KEY_MAX + 1], event_key[40];

    begin(crowd, HOOKS);
    now = then;
    for (size_t i = 0; i < SUBJECTS; i++) {
        if (all[i].rung)
            note_of(i);
        snprintf(event_key, sizeof event_key, "blocked/%zu.example", i);
        for (size_t hook = 0; hook < HOOKS; hook++)
            CHECK(hook_plan_recall(plan, hook_plan_key(plan, hook, event_key, key), &all[i].kept[hook], now));
    }
}

static void call_one(void)
{
    struct hook_telling t;
    struct hook_done done;
    bool good;
    size_t i;

    if (!next(&t))
        return;
    i = (size_t)atoi(t.event.subject);
    all[i].kept[t.hook] = t.told;
    good = t.hook == 0 || (t.hook == 1 && chance(4) != 0);
    if (good) {
        CHECK(all[i].last[t.hook] == 0 || now >= all[i].last[t.hook] + MINUTES(30));
        all[i].last[t.hook] = now;
        all[i].told[t.hook] += t.event.count;
        CHECK(all[i].told[t.hook] <= all[i].rung);
    }
    hook_plan_done(plan, t.hook, good ? HOOK_CALL_SUCCEEDED : HOOK_CALL_FAILED, now, &done);
    all[i].kept[t.hook] = done.told;
}

TEST(in_a_crowd_nothing_is_lost_repeated_or_early)
{
    begin(crowd, HOOKS);
    for (int step = 0; step < 200000; step++) {
        now += (time_ms)chance(100);
        if (chance(3) == 0)
            ring(chance(SUBJECTS));
        if (chance(20000) == 0)
            restart_all();
        call_one();
    }
    for (time_ms due; (due = hook_plan_due(plan)) < now + HOURS(1);) {
        now = due > now ? due : now;
        call_one();
    }
    for (size_t i = 0; i < SUBJECTS; i++)
        CHECK(all[i].told[0] == all[i].rung && all[i].told[1] == all[i].rung && all[i].told[2] == 0);
    hook_plan_free(plan);
    plan = NULL;
}
