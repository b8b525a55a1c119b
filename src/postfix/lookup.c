#include "postfix/lookup.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/fiber.h"

enum {
    BUCKETS = 256,
    FINDINGS_MAX = 4 * 1024 * 1024,
    FINDS_MOST = 3,                 /* of one lookup, while what it finds is forgotten meanwhile */
};

struct lookup {
    struct lookups *all;
    struct map_key key;
    struct slice question;
    struct lookup_waiter *waiters, **last;
    struct fiber *fiber;            /* NULL: stands in line */
    bool stale;                     /* what it has seen so far is out of date */
    struct lookup *next;            /* in its bucket */
    struct lookup *next_in_line;
    char bytes[];
};

struct lookups {
    struct map_finder finder;
    struct lookup_house house;
    void *self;
    size_t most, running;
    bool reported, stopped, hurried;
    struct lookup *buckets[BUCKETS];
    struct lookup *line, **line_end;
};

struct lookups *lookups_new(size_t most, bool reported, const struct map_finder *finder, const struct lookup_house *house,
                            void *self)
{
    struct lookups *all = NEW(struct lookups);

    *all = (struct lookups){ .finder = *finder, .house = *house, .self = self, .most = most, .reported = reported };
    all->line_end = &all->line;
    return all;
}

void lookups_free(struct lookups *all)
{
    free(all);
}

bool lookups_are_busy(const struct lookups *all)
{
    return all->running > 0 || all->line;
}

static struct lookup **place_of(struct lookups *all, struct slice question)
{
    struct lookup **at = &all->buckets[slice_hash(question) % BUCKETS];

    while (*at && !slice_equal((*at)->question, question))
        at = &(*at)->next;
    return at;
}

/* --- one lookup, from end to beginning ---------------------------------------------- */

static void tell_waiters(struct lookup *l, const struct slice replies[ANSWER_FORMS])
{
    while (l->waiters) {
        struct lookup_waiter *w = l->waiters;

        lookup_leave(w);
        l->all->house.answer(w->owner, replies);
    }
}

static void log_verdict(const struct lookup *l, const struct verdict *v, time_ms keep)
{
    struct log_line line = log_begin(v->status == MAP_TRY_LATER ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "postfix.answer");

    log_slice(&line, "next-hop", l->question);
    log_text(&line, "because", v->because);
    log_slice(&line, v->status == MAP_TRY_LATER ? "why" : "answer", v->status == MAP_NOT_FOUND ? SLICE("none") : v->text);
    log_number(&line, "keep-s", keep / 1000);
    log_end(&line);
}

static void conclude(struct lookup *l, const struct verdict *v, time_ms keep)
{
    struct lookups *all = l->all;
    struct buf replies[ANSWER_FORMS];
    struct slice said[ANSWER_FORMS];

    for (int i = 0; i < ANSWER_FORMS; i++)
        buf_init(&replies[i], SOCKETMAP_REPLY_MAX + 1000);
    socketmap_put(&replies[ANSWER_SOCKETMAP], v->status, v->text);
    socketmap_put(&replies[ANSWER_REPORTED], v->status, v->reported);
    tcp_table_put(&replies[ANSWER_TCP_TABLE], v->status, all->reported ? v->reported : v->text);
    for (int i = 0; i < ANSWER_FORMS; i++)
        said[i] = buf_slice(&replies[i]);
    *place_of(all, l->question) = l->next;      /* who asks from now on finds what is kept, or begins anew */
    all->house.found(all->self, l->question, &l->key, v, keep, said);
    tell_waiters(l, said);
    for (int i = 0; i < ANSWER_FORMS; i++)
        buf_done(&replies[i]);
}

static struct verdict later(const char *why)
{
    return (struct verdict){ MAP_TRY_LATER, slice_of(why), slice_of(why), "error" };
}

static time_ms find(struct lookup *l, struct arena *arena, struct verdict *v)
{
    const struct map_finder *finder = &l->all->finder;
    time_ms keep;

    if (l->key.kind == MAP_KEY_UNCLEAR) {
        *v = later(l->key.why);
        return LOOKUP_UNCLEAR_MS;
    }
    for (int i = 0; i < FINDS_MOST; i++) {
        l->stale = false;
        arena_reset(arena);
        keep = finder->find(finder->self, &l->key, arena, v);
        if (!l->stale || fiber_is_cancelled())
            return keep;
    }
    return 0;
}

static void start_next(struct lookups *all);

static void run(void *arg)
{
    struct lookup *l = arg;
    struct lookups *all = l->all;
    auto_arena struct arena arena = { 0 };
    struct verdict v = { .status = MAP_TRY_LATER };
    time_ms keep;

    arena_init(&arena, FINDINGS_MAX);
    keep = find(l, &arena, &v);
    if (fiber_is_cancelled()) {
        v = later("postern is being restarted");
        keep = 0;
    } else {
        log_verdict(l, &v, keep);
    }
    conclude(l, &v, keep);
    free(l);
    all->running--;
    start_next(all);
}

static void start_next(struct lookups *all)
{
    while (all->line && all->running < all->most) {
        struct lookup *l = all->line;

        all->line = l->next_in_line;
        if (!all->line)
            all->line_end = &all->line;
        all->running++;
        l->fiber = fiber_start("postfix-lookup", run, l);
        if (all->hurried)
            fiber_cancel(l->fiber);
    }
    if (all->stopped && !lookups_are_busy(all))
        all->house.idle(all->self);
}

static struct lookup *make(struct lookups *all, struct slice question, const struct map_key *key)
{
    struct lookup *l = memory_new(sizeof *l + question.len);

    l->all = all;
    l->key = *key;
    memcpy(l->bytes, question.at, question.len);
    l->question = slice(l->bytes, question.len);
    l->last = &l->waiters;
    *place_of(all, question) = l;
    *all->line_end = l;
    all->line_end = &l->next_in_line;
    return l;
}

/* --- who asks --------------------------------------------------------------------------- */

void lookup_join(struct lookups *all, struct slice question, const struct map_key *key, struct lookup_waiter *w)
{
    struct lookup *l = *place_of(all, question);

    if (!l)
        l = make(all, question, key);
    w->lookup = l;
    w->next = NULL;
    w->where = l->last;
    *l->last = w;
    l->last = &w->next;
    start_next(all);
}

void lookup_leave(struct lookup_waiter *w)
{
    if (!w->lookup)
        return;
    *w->where = w->next;
    if (w->next)
        w->next->where = w->where;
    else
        w->lookup->last = w->where;
    w->lookup = NULL;
}

void lookup_begin(struct lookups *all, struct slice question, const struct map_key *key)
{
    if (all->running >= all->most || all->stopped || *place_of(all, question))
        return;
    make(all, question, key);
    start_next(all);
}

void lookups_forget(struct lookups *all, const char *domain)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct lookup *l = all->buckets[i]; l; l = l->next)
            l->stale |= !domain || strcmp(l->key.name, domain) == 0;
}

void lookups_stop(struct lookups *all, bool hurry)
{
    all->stopped = true;
    all->hurried |= hurry;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct lookup *l = all->buckets[i]; l; l = l->next)
            if (l->fiber && (hurry || !l->waiters))
                fiber_cancel(l->fiber);
}
