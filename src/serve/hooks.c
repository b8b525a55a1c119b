#include "serve/hooks.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/fiber.h"
#include "serve/clerk.h"
#include "serve/hook_call.h"
#include "serve/hook_plan.h"
#include "serve/hook_watch.h"
#include "serve/worker.h"

#include <stdio.h>

enum {
    CALLS_MOST = 16,                    /* under way at once */
    DIRTY_MOST = 256,                   /* notes to be read again; beyond that all are */
    MINUTE_MS = 60 * 1000,
    READ_AGAIN_MS = 5 * 60 * 1000,      /* all events: a store that came back may have had some that we did not hear of */
    TRY_AGAIN_MS = 2 * 1000,            /* when the store does not answer */
    SLACK_MS = 15 * 1000,               /* a call may take so much more than its timeout: the DNS, a command's last words */
    DRAIN_GRACE_MS = 5 * 1000,
};

/* A note that somebody else has changed. */
struct dirty {
    uint8_t kind;
    char key[NOTE_KEY_MAX + 1];
};

struct hooks {
    const struct hooks_start *start;
    struct clerk *clerk;
    struct hook_plan *plan;
    struct hook_caller caller;
    struct timer *alarm;                /* when the plan has something due, */
    struct timer *cut;                  /* and when calls under way are cut off */
    struct fiber *reader, *watcher;
    struct fiber *calls[CALLS_MOST];
    struct dirty *dirty;
    size_t dirty_count;
    bool all_dirty;                     /* every event */
    bool loaded;                        /* what hooks were told is known: they may be called */
    bool draining;
    time_ms refused;                    /* wall clock: when it was last said that there are too many subjects */
};

static void call_due(struct hooks *h);

static struct scribe *scribe_of(const struct hooks *h)
{
    return clerk_scribe(h->clerk);
}

static void finish_if_drained(struct hooks *h)
{
    bool busy = h->reader || h->watcher;

    for (size_t i = 0; i < CALLS_MOST; i++)
        busy |= h->calls[i] != NULL;
    if (h->draining && !busy)
        clerk_finish(h->clerk);
}

/* --- calls ------------------------------------------------------------------------ */

struct call {
    struct hooks *hooks;
    size_t hook, slot;
    struct event event;                 /* in `arena` */
    struct arena arena;
};

static void keep_told(struct hooks *h, size_t hook, const char *event_key, const struct hook_told *told, time_ms forget)
{
    auto_buf struct buf value = { 0 };
    char key[HOOK_KEY_MAX + 1];
    struct note note = { .kind = NOTE_HOOK, .due = forget };

    note.key = hook_plan_key(h->plan, hook, event_key, key);
    buf_init(&value, NOTE_VALUE_MAX);
    hook_told_encode(told, &value);
    note.value = buf_slice(&value);
    scribe_keep(scribe_of(h), &note);
}

static void log_call(const struct call *c, enum hook_outcome outcome, const struct hook_done *done, const struct error *why)
{
    static const char *const names[] = { [HOOK_TOLD] = "hook.told", [HOOK_AGAIN] = "hook.failed", [HOOK_GIVEN_UP] = "hook.dropped" };
    struct log_line line = log_begin(outcome == HOOK_TOLD ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, names[outcome]);
    char date[CLOCK_TEXT_MAX];

    log_text(&line, "hook", c->hooks->start->config->hooks[c->hook].name);
    log_text(&line, "kind", event_kind_name(c->event.kind));
    log_text(&line, "subject", c->event.subject);
    log_number(&line, "count", (int64_t)c->event.count);
    if (outcome == HOOK_AGAIN)
        log_text(&line, "again", clock_iso_date(done->again, date));
    if (outcome != HOOK_TOLD)
        log_why(&line, why);
    log_end(&line);
}

static void run_call(void *arg)
{
    struct call *c = arg;
    struct hooks *h = c->hooks;
    struct error why = { 0 };
    bool told = hook_call(&h->caller, &h->start->config->hooks[c->hook], &c->event, &why);
    enum hook_call_end end = told ? HOOK_CALL_SUCCEEDED : why.code == E_CANCELLED ? HOOK_CALL_CANCELLED
                             : why.code == E_USAGE ? HOOK_CALL_USELESS : HOOK_CALL_FAILED;
    struct hook_done done;
    enum hook_outcome outcome = hook_plan_done(h->plan, c->hook, end, clock_wall(), &done);

    keep_told(h, c->hook, done.key, &done.told, done.forget);
    if (end != HOOK_CALL_CANCELLED)
        log_call(c, outcome, &done, &why);
    h->calls[c->slot] = NULL;
    arena_done(&c->arena);
    free(c);
    call_due(h);
    finish_if_drained(h);
}

static void start_call(struct hooks *h, size_t slot, const struct hook_telling *t)
{
    const struct hook_config *hook = &h->start->config->hooks[t->hook];
    struct call *c = NEW(struct call);

    *c = (struct call){ .hooks = h, .hook = t->hook, .slot = slot, .event = t->event };
    arena_init(&c->arena, 2 * EVENT_BYTES_MAX);
    c->event.subject = arena_string(&c->arena, slice_of(t->event.subject));
    c->event.what = arena_string(&c->arena, slice_of(t->event.what));
    c->event.policy = arena_string(&c->arena, slice_of(t->event.policy));
    c->event.reason = arena_string(&c->arena, slice_of(t->event.reason));
    c->event.relay = arena_string(&c->arena, slice_of(t->event.relay));
    keep_told(h, t->hook, t->key, &t->told, t->told.calling + hook->every + DAYS(7));
    h->calls[slot] = fiber_start("hook", run_call, c);
}

static time_ms patience(const struct config *c)
{
    time_ms most = 0;

    for (size_t i = 0; i < c->hook_count; i++)
        most = c->hooks[i].timeout > most ? c->hooks[i].timeout : most;
    return most + SLACK_MS;
}

/* The plan goes by the wall clock, which may jump: it is looked at every minute at least. */
static void set_alarm(struct hooks *h)
{
    time_ms due = hook_plan_due(h->plan), left = due == TIME_NEVER ? MINUTE_MS : due - clock_wall();

    timer_set(h->alarm, clock_now() + (left < 0 ? 0 : left > MINUTE_MS ? MINUTE_MS : left));
}

static void call_due(struct hooks *h)
{
    struct hook_telling telling;

    if (!h->loaded || h->draining)
        return;
    timer_stop(h->alarm);
    for (size_t slot = 0; slot < CALLS_MOST; slot++) {
        if (h->calls[slot])
            continue;
        if (!hook_plan_next(h->plan, clock_wall(), patience(h->start->config), &telling)) {
            set_alarm(h);
            return;
        }
        start_call(h, slot, &telling);
    }
}

static void on_alarm(void *owner)
{
    call_due(owner);
}

/* --- events, from the store and our own ------------------------------------------------ */

static void take_event(struct hooks *h, const struct event *e)
{
    time_ms now = clock_wall();

    if (hook_plan_event(h->plan, e, now) || (h->refused && now - h->refused < HOURS(1)))
        return;
    h->refused = now;
    log_say(LOG_LEVEL_WARNING, "hook.crowded", NULL, "more than %d kinds and subjects of events wait or were told lately; "
            "hooks are not told of others, as %s", HOOK_SUBJECTS_MAX, e->subject);
}

static void take_value(struct hooks *h, struct slice value)
{
    auto_arena struct arena arena = { 0 };
    struct event e;

    arena_init(&arena, 2 * EVENT_BYTES_MAX);
    if (event_decode(value, &arena, &e))
        take_event(h, &e);
}

static void take_event_note(void *arg, const struct note *n)
{
    take_value(arg, n->value);
}

static void take_told_note(void *arg, const struct note *n)
{
    struct hooks *h = arg;
    struct hook_told told;

    if (hook_told_decode(n->value, &told))
        (void)hook_plan_recall(h->plan, n->key, &told, clock_wall());   /* or of a hook that is gone: it goes when it is due */
}

static void keep_event(void *self, const struct event *e)
{
    struct hooks *h = self;
    auto_buf struct buf value = { 0 };
    char key[EVENT_KEY_MAX];

    buf_init(&value, EVENT_BYTES_MAX);
    event_encode(e, &value);
    scribe_keep(scribe_of(h), &(struct note){ NOTE_EVENT, event_key(e, key), e->last, buf_slice(&value) });
    take_event(h, e);
    call_due(h);
}

static const struct event *known_event(void *self, const char *key)
{
    struct hooks *h = self;

    return hook_plan_find(h->plan, key);
}

/* --- reading ----------------------------------------------------------------------------- */

/* Before anybody is called: what there is to tell, and then what was told of it. */
static bool load(struct hooks *h, struct error *why)
{
    return scribe_notes(scribe_of(h), NOTE_EVENT, take_event_note, h, why) &&
           (h->loaded || scribe_notes(scribe_of(h), NOTE_HOOK, take_told_note, h, why));
}

static void read_dirty(struct hooks *h)
{
    auto_arena struct arena arena = { 0 };
    struct dirty d = h->dirty[--h->dirty_count];
    struct slice value;
    int answer;

    arena_init(&arena, NOTE_VALUE_MAX + 1024);
    answer = scribe_recall(scribe_of(h), d.kind, d.key, &arena, &value);
    if (answer == RECALL_UNKNOWN)
        h->all_dirty = true;
    if (answer != RECALL_FOUND)
        return;
    if (d.kind == NOTE_EVENT)
        take_value(h, value);
    else
        take_told_note(h, &(struct note){ d.kind, d.key, 0, value });
}

/* True when nothing is left to be read. */
static bool read_all(struct hooks *h)
{
    struct error why = { 0 };

    if (h->all_dirty) {
        h->all_dirty = false;
        if (!load(h, &why)) {
            h->all_dirty = true;
            return false;
        }
        h->loaded = true;
    }
    while (h->dirty_count > 0 && !h->all_dirty && !fiber_is_cancelled())
        read_dirty(h);
    return !h->all_dirty;
}

static void run_reader(void *arg)
{
    struct hooks *h = arg;
    time_ms again = 0;

    while (!fiber_is_cancelled()) {
        bool done;

        if (clock_now() >= again) {
            h->all_dirty = true;
            again = clock_now() + READ_AGAIN_MS;
        }
        done = read_all(h);
        call_due(h);
        if (!done)
            fiber_sleep_until(clock_now() + TRY_AGAIN_MS);
        else if (fiber_wait(again) == FIBER_CANCELLED)
            break;
    }
    h->reader = NULL;
    finish_if_drained(h);
}

static bool is_dirty(const struct hooks *h, uint8_t kind, const char *key)
{
    for (size_t i = 0; i < h->dirty_count; i++)
        if (h->dirty[i].kind == kind && strcmp(h->dirty[i].key, key) == 0)
            return true;
    return false;
}

static void note_changed(void *self, uint8_t kind, const char *key)
{
    struct hooks *h = self;

    if ((kind != NOTE_EVENT && kind != NOTE_HOOK) || is_dirty(h, kind, key))
        return;
    if (key[0] == '\0' || h->dirty_count == DIRTY_MOST || strlen(key) > NOTE_KEY_MAX) {
        h->all_dirty = true;
    } else {
        h->dirty[h->dirty_count].kind = kind;
        snprintf(h->dirty[h->dirty_count++].key, sizeof h->dirty[0].key, "%s", key);
    }
    if (h->reader)
        fiber_wake(h->reader);
}

/* --- every minute ---------------------------------------------------------------------------- */

static void remove_event(void *arg, const char *key)
{
    struct hooks *h = arg;

    scribe_keep(scribe_of(h), &(struct note){ NOTE_EVENT, key, TIME_NEVER, { "", 0 } });
}

static void log_dropped(void *arg, size_t hook, const struct hook_done *done)
{
    struct hooks *h = arg;

    log_say(LOG_LEVEL_WARNING, "hook.dropped", NULL, "hook %s has failed for a day and was not told of %s",
            h->start->config->hooks[hook].name, done->key);
    keep_told(h, hook, done->key, &done->told, done->forget);
}

static const struct hook_sweep sweep = { remove_event, log_dropped };

/* What hooks were told of events long ago. */
static void forget_told(struct hooks *h)
{
    size_t count = FRAME_NOTES_MOST;

    while (count == FRAME_NOTES_MOST && !fiber_is_cancelled()) {
        auto_arena struct arena arena = { 0 };
        auto_free struct note *due = memory_array(FRAME_NOTES_MOST, sizeof *due);

        arena_init(&arena, FRAME_NOTES_MOST * (NOTE_VALUE_MAX + 1024));
        count = scribe_due(scribe_of(h), NOTE_HOOK, &arena, due);
        for (size_t i = 0; i < count; i++)
            scribe_keep(scribe_of(h), &(struct note){ NOTE_HOOK, due[i].key, TIME_NEVER, { "", 0 } });
    }
}

static void run_watcher(void *arg)
{
    struct hooks *h = arg;
    const struct hook_watch watch = { h->start->config, h->start->wardrobe, scribe_of(h), known_event, keep_event, h };

    while (!fiber_is_cancelled()) {
        if (h->loaded) {
            hook_watch_look(&watch, clock_wall());
            hook_plan_sweep(h->plan, clock_wall(), &sweep, h);
            forget_told(h);
        }
        if (fiber_sleep_until(clock_now() + (h->loaded ? MINUTE_MS : TRY_AGAIN_MS)) == FIBER_CANCELLED)
            break;
    }
    h->watcher = NULL;
    finish_if_drained(h);
}

/* --- life -------------------------------------------------------------------------------------- */

static void cut_calls(void *owner)
{
    struct hooks *h = owner;

    for (size_t i = 0; i < CALLS_MOST; i++)
        if (h->calls[i])
            fiber_cancel(h->calls[i]);
}

static void drain(void *self, bool hurry)
{
    struct hooks *h = self;

    if (hurry)
        timer_set(h->cut, clock_now() + DRAIN_GRACE_MS);
    if (h->draining)
        return;
    h->draining = true;
    timer_stop(h->alarm);
    if (h->reader)
        fiber_cancel(h->reader);
    if (h->watcher)
        fiber_cancel(h->watcher);
    finish_if_drained(h);
}

static const struct clerk_orders orders = { drain, note_changed };

static struct hook_plan *make_plan(const struct config *c)
{
    auto_free struct hook_rule *rules = memory_array(c->hook_count, sizeof *rules);

    for (size_t i = 0; i < c->hook_count; i++)
        rules[i] = (struct hook_rule){ c->hooks[i].name, c->hooks[i].events, c->hooks[i].every };
    return hook_plan_new(rules, c->hook_count);
}

static bool set_up(struct hooks *h, struct error *why)
{
    const struct config *c = h->start->config;
    const struct https_settings https = { .ca_file = c->sts.ca_file, .connect = c->delivery.connect_timeout,
                                          .together = CALLS_MOST };

    h->caller = (struct hook_caller){ .hostname = c->hostname };
    h->caller.resolver = resolver_new(&c->resolver, why);
    h->caller.https = h->caller.resolver ? https_new(&https, why) : NULL;
    return h->caller.https != NULL;
}

int hooks_run(const struct hooks_start *start)
{
    struct hooks *h = NEW(struct hooks);
    struct error why = { 0 };

    h->start = start;
    if (!set_up(h, &why)) {
        log_say(LOG_LEVEL_ERROR, "hook.unusable", &why, "hooks cannot be told of events");
        return WORKER_CANNOT_START;
    }
    h->plan = make_plan(start->config);
    h->dirty = memory_array(DIRTY_MOST, sizeof *h->dirty);
    h->alarm = timer_new(on_alarm, h);
    h->cut = timer_new(cut_calls, h);
    h->clerk = clerk_new(start->control_fd, &orders, h);
    worker_ready();
    h->reader = fiber_start("hook-events", run_reader, h);
    h->watcher = fiber_start("hook-watch", run_watcher, h);
    loop_run();
    timer_free(h->alarm);
    timer_free(h->cut);
    https_free(h->caller.https);
    resolver_free(h->caller.resolver);
    hook_plan_free(h->plan);
    clerk_free(h->clerk);
    free(h->dirty);
    free(h);
    return WORKER_DONE;
}
