#include "serve/report.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/fiber.h"
#include "serve/clerk.h"
#include "serve/report_maker.h"
#include "serve/report_post.h"
#include "serve/worker.h"

#include <stdio.h>

enum {
    WORKERS = 8,                    /* reports under way at once */
    LOOK_MS = 5 * 1000,             /* so often the store is asked for what is due */
    DAYS_BACK = 3,                  /* that are planned late, when nobody ran at their end */
    ARENA_MAX = 64 * 1024 * 1024,
    KEY_ARENA_MAX = 1024 * 1024,
    PLAN_GRACE_MS = 60 * 1000,      /* after midnight: what others have counted comes in within seconds */
};

struct desk {
    const struct report_start *start;
    struct clerk *clerk;
    struct report_post post;
    uint64_t seed;
    struct fiber *planner, *fetcher, *workers[WORKERS];
    /* due ones, on their way from the fetcher to the workers */
    char keys[FRAME_NOTES_MOST][REPORT_KEY_MAX];
    size_t count;
    char under_way[WORKERS][REPORT_KEY_MAX];        /* by worker; "": none */
    struct gate work, room;
    bool stuck;                     /* something that was due could not be settled: no hurry then */
    bool draining;
};

static struct scribe *scribe_of(const struct desk *d)
{
    return clerk_scribe(d->clerk);
}

/* --- what the store has ------------------------------------------------------------ */

static bool get_tallies(void *self, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t),
                        void *arg, struct error *why)
{
    return scribe_tallies(scribe_of(self), day, prefix, each, arg, why);
}

static bool get_policy(void *self, const char *key, struct arena *arena, struct slice *value, struct error *why)
{
    *value = slice("", 0);
    return scribe_recall(scribe_of(self), NOTE_POLICY, key, arena, value) != RECALL_UNKNOWN ||
           fail(why, E_STORAGE, "the store does not say which policies were applied");
}

/* What the store says of a key: RECALL_FOUND only with a state that makes sense. */
static int get_state(struct desk *d, const char *key, struct arena *arena, struct report_state *s, bool *sense)
{
    struct slice value;
    int answer = scribe_recall(scribe_of(d), NOTE_REPORT, key, arena, &value);

    *s = (struct report_state){ .problem = "" };
    *sense = answer == RECALL_FOUND && report_state_decode(value, arena, s);
    return answer;
}

static bool put_state(struct desk *d, const char *key, const struct report_state *s, time_ms due)
{
    auto_buf struct buf value = { 0 };
    struct note note = { .kind = NOTE_REPORT, .key = key, .due = due };
    struct error why = { 0 };

    buf_init(&value, NOTE_VALUE_MAX);
    report_state_encode(s, &value);
    note.value = buf_slice(&value);
    if (!value.failed && scribe_put(scribe_of(d), &note, &why))
        return true;
    if (!fiber_is_cancelled())      /* else it is on its way, though nobody waits for the answer */
        log_say(LOG_LEVEL_WARNING, "report.unrecorded", &why, "what became of report %s cannot be kept now", key);
    return false;
}

/* A state that is final stays for as long as the statistics do. */
static time_ms forget_at(const struct desk *d, uint32_t day)
{
    return DAYS((time_ms)day + 1 + d->start->config->facts.keep);
}

/* --- planning: which domains get a report of a day ------------------------------------ */

static bool plan_domain(struct desk *d, uint32_t day, const char *domain)
{
    auto_arena struct arena arena = { 0 };
    struct report_state s = { .problem = "" };
    char key[REPORT_KEY_MAX];
    struct slice value;
    int answer;

    arena_init(&arena, 2 * NOTE_VALUE_MAX);
    report_state_key(day, domain, key);
    answer = scribe_recall(scribe_of(d), NOTE_REPORT, key, &arena, &value);
    if (answer != RECALL_NONE)
        return answer == RECALL_FOUND;
    return put_state(d, key, &s, report_first_due(day, domain, d->seed, d->start->config->report.spread));
}

/* Each of its tallies begins with a domain; the next one of another domain stands behind all that begin with this one. */
static bool plan_domains(struct desk *d, uint32_t day, size_t *count, struct error *why)
{
    auto_buf struct buf all = { 0 }, place = { 0 };

    buf_init(&all, TALLY_KEY_MAX);
    buf_init(&place, TALLY_KEY_MAX);
    report_tally_prefix(NULL, &all);
    while (!fiber_is_cancelled()) {
        auto_arena struct arena arena = { 0 };
        struct report_tally t;

        arena_init(&arena, KEY_ARENA_MAX);
        if (!scribe_next_tally(scribe_of(d), day, buf_slice(&all), &place, why))
            return why->code == E_NOT_FOUND;
        if (!report_tally_decode(buf_slice(&place), &arena, &t))
            continue;
        if (!plan_domain(d, day, t.domain))
            return fail(why, E_STORAGE, "the store does not take the plan");
        (*count)++;
        buf_clear(&place);
        report_tally_prefix(t.domain, &place);
        while (buf_len(&place) < TALLY_KEY_MAX)
            buf_u8(&place, 0xff);
    }
    return fail(why, E_CANCELLED, "stopping");
}

/* A key without a domain is left when all of a day is planned, so that it is not gone through again. */
static bool plan_day(struct desk *d, uint32_t day)
{
    auto_arena struct arena arena = { 0 };
    struct report_state done = { .stage = REPORT_EMPTY, .problem = "" };
    char key[REPORT_KEY_MAX], date[DAY_TEXT_MAX];
    struct error why = { 0 };
    struct slice value;
    size_t count = 0;
    int answer;

    arena_init(&arena, KEY_ARENA_MAX);
    report_state_key(day, "", key);
    answer = scribe_recall(scribe_of(d), NOTE_REPORT, key, &arena, &value);
    if (answer != RECALL_NONE)
        return answer == RECALL_FOUND;
    if (!plan_domains(d, day, &count, &why)) {
        if (!fiber_is_cancelled())
            log_say(LOG_LEVEL_WARNING, "report.unplanned", &why, "the reports of %s cannot be planned now", day_text(day, date));
        return false;
    }
    if (!put_state(d, key, &done, forget_at(d, day)))
        return false;
    if (count > 0)
        log_say(LOG_LEVEL_INFO, "report.planned", NULL, "%zu domains had mail on %s", count, day_text(day, date));
    return true;
}

static void plan(void *arg)
{
    struct desk *d = arg;
    uint32_t planned = 0;

    while (!fiber_is_cancelled()) {
        uint32_t yesterday = (uint32_t)((clock_wall() - PLAN_GRACE_MS) / DAYS(1)) - 1;

        bool all = yesterday != planned;

        for (uint32_t day = yesterday - DAYS_BACK + 1; all && day <= yesterday; day++)
            all = plan_day(d, day);
        if (all)
            planned = yesterday;
        if (fiber_sleep_until(clock_now() + LOOK_MS) == FIBER_CANCELLED)
            break;
    }
    d->planner = NULL;
}

/* --- one report -------------------------------------------------------------------------- */

static bool anybody_took_it(const struct report_state *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->to[i].done)
            return true;
    return false;
}

/* One try. That it is made is written down before anything goes out: nobody is sent the same again and again because a disk
 * is full, or because we were stopped in between. False: it could not be. */
static bool try_report(struct desk *d, const char *key, uint32_t day, const char *domain, time_ms next, struct arena *arena,
                       struct report_state *s)
{
    const struct report_source source = { get_tallies, get_policy, d };
    struct rpt_record record;
    struct made_report made = { 0 };
    struct error why = { 0 };
    bool kept;

    s->problem = "";
    if (!report_find_record(d->post.resolver, domain, arena, &record, &why)) {
        if (why.code != E_DNS)
            s->stage = REPORT_NOT_WANTED;
        s->problem = arena_string(arena, slice_of(why.text));
        return true;
    }
    if (record.count == 0) {
        s->stage = REPORT_NOT_WANTED;
        s->problem = "the record names no address that we can use";
        return true;
    }
    if (!report_make(&source, d->start->config, domain, day, &made, &why)) {
        if (why.code == E_NOT_FOUND)
            s->stage = REPORT_EMPTY;
        s->problem = arena_string(arena, slice_of(why.text));
        return true;
    }
    s->sessions = report_sessions(&made.report, &s->failures);
    report_prepare(&d->post, &record, s);
    kept = put_state(d, key, s, next);
    if (kept)
        report_post(&d->post, &made.report, domain, &record, arena, s);
    report_unmake(&made);
    if (anybody_took_it(s))
        s->stage = REPORT_SENT;
    return kept;
}

static void log_end_of(const char *key, const struct report_state *s)
{
    struct log_line l = log_begin(s->stage == REPORT_GIVEN_UP ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "report.done");

    log_text(&l, "report", key);
    log_text(&l, "stage", report_stage_name(s->stage));
    log_number(&l, "tries", s->tries);
    log_number(&l, "sessions", (int64_t)s->sessions);
    log_number(&l, "failures", (int64_t)s->failures);
    if (s->problem[0])
        log_text(&l, "why", s->problem);
    log_end(&l);
}

/* False: what came of it could not be written down, so it is due still. */
static bool work_on(struct desk *d, const char *key)
{
    auto_arena struct arena arena = { 0 };
    const struct note nothing = { .kind = NOTE_REPORT, .key = key, .due = TIME_NEVER };
    struct report_state s;
    const char *domain;
    uint32_t day;
    time_ms next;
    bool sense;
    int answer;

    arena_init(&arena, ARENA_MAX);
    answer = get_state(d, key, &arena, &s, &sense);
    if (answer != RECALL_FOUND)
        return answer == RECALL_NONE;       /* gone meanwhile; or the store does not say: later */
    if (!sense || !report_state_key_parse(key, &day, &domain)) {
        log_say(LOG_LEVEL_WARNING, "report.unreadable", NULL, "the state of report %s makes no sense; it is dropped", key);
        return scribe_put(scribe_of(d), &nothing, NULL);
    }
    if (s.stage != REPORT_WAITING)
        return clock_wall() >= forget_at(d, day) ? scribe_put(scribe_of(d), &nothing, NULL)
                                                 : put_state(d, key, &s, forget_at(d, day));     /* `keep` has grown */
    s.last = clock_wall();
    if (s.tries++ == 0)
        s.first = s.last;
    next = report_next_due(&s, d->start->config->report.give_up, s.last);
    if (!try_report(d, key, day, domain, next == TIME_NEVER ? s.last + HOURS(4) : next, &arena, &s))
        return false;
    if (fiber_is_cancelled() && s.stage == REPORT_WAITING)
        return true;            /* stopped in the middle: what was written down before stands */
    if (s.stage == REPORT_WAITING && next == TIME_NEVER)
        s.stage = REPORT_GIVEN_UP;
    if (s.stage != REPORT_WAITING) {
        next = forget_at(d, day);
        log_end_of(key, &s);
    }
    return put_state(d, key, &s, next);
}

/* --- those that are due -------------------------------------------------------------------- */

static void finish_if_drained(struct desk *d)
{
    bool busy = d->planner || d->fetcher;

    for (size_t i = 0; i < WORKERS; i++)
        busy |= d->workers[i] != NULL;
    if (d->draining && !busy)
        clerk_finish(d->clerk);
}

static bool is_under_way(const struct desk *d, const char *key)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (strcmp(d->under_way[i], key) == 0)
            return true;
    return false;
}

static void run_worker(void *arg)
{
    struct desk *d = arg;
    size_t self = 0;

    while (d->workers[self] != fiber_current())
        self++;
    while (!fiber_is_cancelled()) {
        if (d->count == 0) {
            if (gate_wait(&d->work, TIME_NEVER) == FIBER_CANCELLED)
                break;
            continue;
        }
        memcpy(d->under_way[self], d->keys[--d->count], REPORT_KEY_MAX);
        d->stuck |= !work_on(d, d->under_way[self]);
        d->under_way[self][0] = '\0';
        gate_open_all(&d->room);
    }
    d->workers[self] = NULL;
    finish_if_drained(d);
}

/* What is due and nobody works on yet. As many as are under way may come first. */
static void fetch_due(struct desk *d)
{
    auto_arena struct arena arena = { 0 };
    auto_free struct note *due = memory_array(FRAME_NOTES_MOST, sizeof *due);
    size_t count;

    arena_init(&arena, FRAME_NOTES_MOST * (NOTE_VALUE_MAX + 1024));
    count = scribe_due(scribe_of(d), NOTE_REPORT, &arena, due);
    for (size_t i = 0; i < count; i++)
        if (!is_under_way(d, due[i].key))
            snprintf(d->keys[d->count++], REPORT_KEY_MAX, "%s", due[i].key);
    gate_open_all(&d->work);
}

/* The next ones are asked for when the last of these has found a worker, so that a slow host keeps only its own waiting. */
static void run_fetcher(void *arg)
{
    struct desk *d = arg;

    while (!fiber_is_cancelled()) {
        bool more;

        d->stuck = false;
        fetch_due(d);
        more = d->count > 0;
        while (d->count > 0 && !fiber_is_cancelled())
            if (gate_wait(&d->room, TIME_NEVER) == FIBER_CANCELLED)
                break;
        if ((!more || d->stuck) && fiber_sleep_until(clock_now() + LOOK_MS) == FIBER_CANCELLED)
            break;
    }
    d->fetcher = NULL;
    finish_if_drained(d);
}

static void run_planner(void *arg)
{
    struct desk *d = arg;

    plan(d);
    finish_if_drained(d);
}

/* --- life -------------------------------------------------------------------------------------- */

static void drain(void *self, bool hurry)
{
    struct desk *d = self;

    if (d->draining)
        return;
    d->draining = true;
    d->count = 0;
    if (d->planner)
        fiber_cancel(d->planner);
    if (d->fetcher)
        fiber_cancel(d->fetcher);
    for (size_t i = 0; i < WORKERS; i++)
        if (d->workers[i])
            fiber_cancel(d->workers[i]);
    finish_if_drained(d);
}

static const struct clerk_orders orders = { .drain = drain };

static bool set_up(struct desk *d, struct error *why)
{
    const struct config *c = d->start->config;
    const struct https_settings https = { .ca_file = c->sts.ca_file, .connect = c->delivery.connect_timeout,
                                          .together = WORKERS };

    d->post = (struct report_post){ .start = d->start, .ids = { .maker = d->start->maker } };
    d->seed = slice_hash(slice_of(c->hostname));
    d->post.resolver = resolver_new(&c->resolver, why);
    d->post.https = d->post.resolver ? https_new(&https, why) : NULL;
    return d->post.https != NULL;
}

int report_run(const struct report_start *start)
{
    struct desk *d = NEW(struct desk);
    struct error why = { 0 };

    d->start = start;
    if (!set_up(d, &why)) {
        log_say(LOG_LEVEL_ERROR, "report.unusable", &why, "TLS reports cannot be sent");
        return WORKER_CANNOT_START;
    }
    d->clerk = clerk_new(start->control_fd, &orders, d);
    d->post.scribe = scribe_of(d);
    worker_ready();
    d->planner = fiber_start("report-plan", run_planner, d);
    d->fetcher = fiber_start("report-due", run_fetcher, d);
    for (size_t i = 0; i < WORKERS; i++)
        d->workers[i] = fiber_start("report", run_worker, d);
    loop_run();
    https_free(d->post.https);
    resolver_free(d->post.resolver);
    clerk_free(d->clerk);
    free(d);
    return WORKER_DONE;
}
