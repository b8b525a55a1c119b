#include "serve/hook_plan.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

enum {
    NAME_MAX_IN_KEY = 40,
    BUCKETS = 4096,
    FIRST_PAUSE_MS = 10 * 1000,
    LONGEST_PAUSE_MS = 15 * 60 * 1000,
    CALL_MOST_MS = 60 * 60 * 1000,      /* what a note says of a call under way is believed so far */
    HOURS_OF_TRYING = 24,
    TRIES_ALONE = 3,                    /* of the oldest, in a row of failures; then each is followed by one of another */
};

/* What one hook is to be told of one subject. */
struct line {
    struct subject *subject;
    struct hook_told told;
    time_ms due, since;         /* while it waits: when it may be told; since when it might have been */
    time_ms first;              /* of what was gathered */
    uint64_t order;             /* of lines that are due at the same moment */
    unsigned failures;
    uint64_t failed_at;         /* what the hook's `successes` were when it last failed */
    bool suspect;               /* it goes on failing while others do not: it has pauses of its own */
    size_t place;               /* in its heap, from 1; 0: it does not wait */
};

struct subject {
    char *key;
    struct event event;         /* strings in `arena` */
    struct arena arena;
    bool known;                 /* the store has an event for it */
    struct line *lines;         /* for each hook */
    struct subject *next;       /* in its bucket */
};

/* Lines by due time, the earliest first. */
struct heap {
    struct line **at;
    size_t count, size;
};

struct hook {
    const struct hook_rule *rule;
    char name[NAME_MAX_IN_KEY + 1];
    struct heap waiting, suspects;
    uint64_t successes;
    unsigned failures;          /* in a row */
    time_ms rest, failing;      /* while there are: until when, since when */
    time_ms probing;            /* since then whether another succeeds is to be seen before it rests; 0: not */
    struct line *calling;       /* NULL: it is free */
    struct event snapshot;      /* what the call tells: of it first, last and count */
};

struct hook_plan {
    struct hook_rule *rules;
    struct hook *hooks;
    size_t count;
    size_t turn;                /* whose turn it is to be looked at first */
    struct subject *buckets[BUCKETS];
    size_t subjects;
    uint64_t order;
};

/* --- heaps ---------------------------------------------------------------------- */

static bool comes_before(const struct line *a, const struct line *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(struct heap *h, size_t place, struct line *l)
{
    h->at[place - 1] = l;
    l->place = place;
}

static void rise(struct heap *h, struct line *l)
{
    size_t place = l->place;

    for (; place > 1 && comes_before(l, h->at[place / 2 - 1]); place /= 2)
        put(h, place, h->at[place / 2 - 1]);
    put(h, place, l);
}

static void sink(struct heap *h, struct line *l)
{
    size_t place = l->place;

    for (size_t below; (below = 2 * place) <= h->count; place = below) {
        if (below < h->count && comes_before(h->at[below], h->at[below - 1]))
            below++;
        if (!comes_before(h->at[below - 1], l))
            break;
        put(h, place, h->at[below - 1]);
    }
    put(h, place, l);
}

static void heap_add(struct heap *h, struct line *l)
{
    if (h->count == h->size) {
        h->size = h->size ? 2 * h->size : 16;
        h->at = memory_grow(h->at, h->size, sizeof *h->at);
    }
    put(h, ++h->count, l);
    rise(h, l);
}

static void heap_remove(struct heap *h, struct line *l)
{
    struct line *last = h->at[--h->count];

    if (last != l) {
        put(h, l->place, last);
        rise(h, last);
        sink(h, last);
    }
    l->place = 0;
}

static struct line *heap_first(const struct heap *h)
{
    return h->count ? h->at[0] : NULL;
}

/* --- subjects --------------------------------------------------------------------- */

static struct subject **bucket_of(struct hook_plan *p, const char *key)
{
    return &p->buckets[slice_hash(slice_of(key)) % BUCKETS];
}

static struct subject *find(struct hook_plan *p, const char *key)
{
    struct subject *s = *bucket_of(p, key);

    while (s && strcmp(s->key, key) != 0)
        s = s->next;
    return s;
}

/* NULL when there are too many. */
static struct subject *find_or_make(struct hook_plan *p, const char *key)
{
    struct subject *s = find(p, key), **bucket = bucket_of(p, key);

    if (s || p->subjects == HOOK_SUBJECTS_MAX)
        return s;
    s = NEW(struct subject);
    *s = (struct subject){ .key = memory_text(slice_of(key)), .next = *bucket };
    s->lines = memory_array(p->count, sizeof *s->lines);
    for (size_t i = 0; i < p->count; i++)
        s->lines[i].subject = s;
    *bucket = s;
    p->subjects++;
    return s;
}

static void subject_free(struct subject *s)
{
    arena_done(&s->arena);
    free(s->lines);
    free(s->key);
    free(s);
}

struct hook_plan *hook_plan_new(const struct hook_rule *rules, size_t count)
{
    struct hook_plan *p = NEW(struct hook_plan);

    *p = (struct hook_plan){ .count = count };
    p->rules = memory_array(count, sizeof *p->rules);
    p->hooks = memory_array(count, sizeof *p->hooks);
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_of(rules[i].name);
        struct hook *h = &p->hooks[i];

        p->rules[i] = rules[i];
        h->rule = &p->rules[i];
        if (name.len > NAME_MAX_IN_KEY || slice_find(name, '/') < name.len)
            snprintf(h->name, sizeof h->name, "%016llx", (unsigned long long)slice_hash(name));
        else
            snprintf(h->name, sizeof h->name, "%s", rules[i].name);
    }
    return p;
}

void hook_plan_free(struct hook_plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct subject *s; (s = p->buckets[i]) != NULL;) {
            p->buckets[i] = s->next;
            subject_free(s);
        }
    }
    for (size_t i = 0; i < p->count; i++) {
        free(p->hooks[i].waiting.at);
        free(p->hooks[i].suspects.at);
    }
    free(p->hooks);
    free(p->rules);
    free(p);
}

/* --- what waits ------------------------------------------------------------------- */

static struct heap *heap_of(struct hook *h, const struct line *l)
{
    return l->suspect ? &h->suspects : &h->waiting;
}

/* What the hook has not been told yet. A note with another beginning tells of others. */
static uint64_t untold(const struct hook *h, const struct line *l)
{
    const struct event *e = &l->subject->event;

    if (!l->subject->known || !(h->rule->events >> e->kind & 1))
        return 0;
    if (e->first == l->told.first)
        return e->count > l->told.count ? e->count - l->told.count : 0;
    return e->last > l->told.last ? e->count : 0;
}

static void wait_until(struct hook *h, struct line *l, time_ms due)
{
    l->due = due;
    heap_add(heap_of(h, l), l);
}

static void forgive(struct line *l)
{
    l->failures = 0;
    l->suspect = false;
}

static void leave(struct hook *h, struct line *l)
{
    heap_remove(heap_of(h, l), l);
    forgive(l);
}

/* After anything has changed for it. */
static void review(struct hook_plan *p, struct hook *h, struct line *l, time_ms now)
{
    const struct event *e = &l->subject->event;
    uint64_t more = untold(h, l);
    time_ms due;

    if (h->calling == l)
        return;
    if (more == 0 && l->place)
        leave(h, l);
    if (more == 0 || l->place)
        return;
    l->first = e->first == l->told.first ? e->last : e->first;
    due = l->first < now ? l->first : now;
    if (l->told.told && due < l->told.told + h->rule->every)
        due = l->told.told + h->rule->every;
    if (due < l->told.calling)
        due = l->told.calling;
    l->since = due;
    l->order = ++p->order;
    wait_until(h, l, due);
}

static void copy_event(struct subject *s, const struct event *e)
{
    arena_done(&s->arena);
    arena_init(&s->arena, 2 * EVENT_BYTES_MAX);
    s->event = *e;
    s->event.subject = arena_string(&s->arena, slice_first(slice_of(e->subject), EVENT_SUBJECT_MAX));
    s->event.what = arena_string(&s->arena, slice_first(slice_of(e->what), EVENT_WHAT_MAX));
    s->event.policy = arena_string(&s->arena, slice_first(slice_of(e->policy), EVENT_WORD_MAX));
    s->event.reason = arena_string(&s->arena, slice_first(slice_of(e->reason), EVENT_WORD_MAX));
    s->event.relay = arena_string(&s->arena, slice_first(slice_of(e->relay), EVENT_RELAY_MAX));
    s->known = true;
}

bool hook_plan_event(struct hook_plan *p, const struct event *e, time_ms now)
{
    char key[EVENT_KEY_MAX];
    struct subject *s = find_or_make(p, event_key(e, key));

    if (!s)
        return false;
    copy_event(s, e);
    for (size_t i = 0; i < p->count; i++)
        review(p, &p->hooks[i], &s->lines[i], now);
    return true;
}

const struct event *hook_plan_find(struct hook_plan *p, const char *key)
{
    const struct subject *s = find(p, key);

    return s && s->known ? &s->event : NULL;
}

/* --- what was told ------------------------------------------------------------------ */

const char *hook_plan_key(const struct hook_plan *p, size_t hook, const char *event, char text[HOOK_KEY_MAX + 1])
{
    snprintf(text, HOOK_KEY_MAX + 1, "%s/%s", p->hooks[hook].name, event);
    return text;
}

static struct hook *hook_named(struct hook_plan *p, struct slice name)
{
    for (size_t i = 0; i < p->count; i++)
        if (slice_equal(slice_of(p->hooks[i].name), name))
            return &p->hooks[i];
    return NULL;
}

/* A clock that went back must not silence a hook until it has caught up. */
static struct hook_told sane(const struct hook_told *t, time_ms now)
{
    struct hook_told told = *t;

    if (told.told > now)
        told.told = now;
    if (told.failing > now)
        told.failing = now;
    if (told.calling > now + CALL_MOST_MS)
        told.calling = 0;
    return told;
}

bool hook_plan_recall(struct hook_plan *p, const char *key, const struct hook_told *t, time_ms now)
{
    struct slice rest = slice_of(key), name = slice_cut(&rest, '/');
    struct hook *h = hook_named(p, name);
    struct subject *s = h && rest.len > 0 && rest.len < EVENT_KEY_MAX ? find_or_make(p, rest.at) : NULL;
    struct line *l;

    if (!s)
        return false;
    l = &s->lines[h - p->hooks];
    if (h->calling == l)
        return true;            /* we know better */
    if (l->place)
        leave(h, l);
    l->told = sane(t, now);
    review(p, h, l, now);
    return true;
}

/* --- telling ------------------------------------------------------------------------ */

static time_ms free_from(const struct hook *h)
{
    return h->probing ? h->probing : h->rest;
}

/* Of those that wait behind the oldest, the one that failed least. */
static struct line *another(const struct hook *h, time_ms now)
{
    struct line *best = NULL;

    for (size_t i = 1; i < h->waiting.count; i++) {
        struct line *l = h->waiting.at[i];

        if (l->due <= now && (!best || l->failures < best->failures || (l->failures == best->failures && comes_before(l, best))))
            best = l;
    }
    return best;
}

/* The line that is due, of a hook that is free and does not rest. That it fails does not cost the oldest its place, since
 * most likely it is the hook that fails; whether another succeeds tells. */
static struct line *due_line(const struct hook *h, time_ms now)
{
    struct line *oldest = heap_first(&h->waiting), *suspect = heap_first(&h->suspects);
    struct line *other = h->probing ? another(h, now) : NULL;

    if (h->calling || free_from(h) > now)
        return NULL;
    if (oldest && oldest->due <= now)
        return other ? other : oldest;
    return suspect && suspect->due <= now ? suspect : NULL;
}

static void begin_call(struct hook *h, struct line *l, time_ms until, struct hook_telling *out)
{
    h->snapshot = l->subject->event;
    h->calling = l;
    out->event = l->subject->event;
    out->event.count = untold(h, l);
    out->event.first = l->first;
    out->key = l->subject->key;
    heap_remove(heap_of(h, l), l);      /* and it goes on having failed, if it has */
    l->told.calling = until;
    out->told = l->told;
}

bool hook_plan_next(struct hook_plan *p, time_ms now, time_ms patience, struct hook_telling *out)
{
    for (size_t i = 0; i < p->count; i++) {
        size_t hook = (p->turn + i) % p->count;
        struct line *l = due_line(&p->hooks[hook], now);

        if (!l)
            continue;
        begin_call(&p->hooks[hook], l, now + patience, out);
        out->hook = hook;
        p->turn = hook + 1;
        return true;
    }
    return false;
}

time_ms hook_plan_due(const struct hook_plan *p)
{
    time_ms earliest = TIME_NEVER;

    for (size_t i = 0; i < p->count; i++) {
        const struct hook *h = &p->hooks[i];
        const struct line *oldest = heap_first(&h->waiting), *suspect = heap_first(&h->suspects);
        time_ms due = oldest ? oldest->due : TIME_NEVER;

        if (suspect && suspect->due < due)
            due = suspect->due;
        if (due < free_from(h))
            due = free_from(h);
        if (!h->calling && due < earliest)
            earliest = due;
    }
    return earliest;
}

static time_ms pause_after(unsigned failures)
{
    time_ms pause = FIRST_PAUSE_MS;

    for (unsigned i = 1; i < failures && pause < LONGEST_PAUSE_MS; i++)
        pause *= 2;
    return pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
}

static void mark_told(struct line *l, const struct event *told)
{
    l->told = (struct hook_told){ .told = l->told.told, .first = told->first, .count = told->count, .last = told->last };
    forgive(l);
}

static bool hook_is_dead(const struct hook *h, time_ms now)
{
    return h->failures > 0 && now - h->failing >= HOURS(HOURS_OF_TRYING);
}

/* It was tried for a day itself, or has waited so long behind others for a hook that is dead. */
static bool is_stale(const struct hook *h, const struct line *l, time_ms now)
{
    return (l->told.failing && now - l->told.failing >= HOURS(HOURS_OF_TRYING)) ||
           (hook_is_dead(h, now) && now - l->since >= HOURS(HOURS_OF_TRYING));
}

static enum hook_outcome give_up(struct hook_plan *p, struct hook *h, struct line *l, time_ms now)
{
    mark_told(l, &h->snapshot);
    review(p, h, l, now);
    return HOOK_GIVEN_UP;
}

static enum hook_outcome take_failure(struct hook_plan *p, struct hook *h, struct line *l, time_ms now)
{
    bool probed = h->probing != 0;

    h->probing = 0;
    if (!probed && h->failures++ == 0)
        h->failing = now;
    h->rest = now + pause_after(h->failures);
    if (l->told.failing == 0)
        l->told.failing = now;
    if (is_stale(h, l, now))
        return give_up(p, h, l, now);
    l->suspect |= l->failures > 0 && l->failed_at != h->successes;
    l->failures++;
    l->failed_at = h->successes;
    wait_until(h, l, l->suspect ? now + pause_after(l->failures) : l->since);
    if (!probed && h->failures >= TRIES_ALONE && another(h, now))
        h->probing = now;
    return HOOK_AGAIN;
}

static void fill(const struct hook *h, const struct line *l, time_ms now, struct hook_done *out)
{
    snprintf(out->key, sizeof out->key, "%s", l->subject->key);
    out->told = l->told;
    out->again = !l->place ? 0 : l->due > h->rest ? l->due : h->rest;
    out->forget = now + h->rule->every + DAYS(7);
}

enum hook_outcome hook_plan_done(struct hook_plan *p, size_t hook, enum hook_call_end end, time_ms now, struct hook_done *out)
{
    struct hook *h = &p->hooks[hook];
    struct line *l = h->calling;
    enum hook_outcome outcome = HOOK_AGAIN;

    assert(l);
    h->calling = NULL;
    l->told.calling = 0;
    if (end == HOOK_CALL_SUCCEEDED) {
        h->failures = 0;
        h->rest = 0;
        h->probing = 0;
        h->successes++;
        l->told.told = now;
        mark_told(l, &h->snapshot);
        review(p, h, l, now);
        outcome = HOOK_TOLD;
    } else if (end == HOOK_CALL_FAILED) {
        outcome = take_failure(p, h, l, now);
    } else if (end == HOOK_CALL_USELESS) {
        outcome = give_up(p, h, l, now);
    } else {
        wait_until(h, l, l->since);
    }
    fill(h, l, now, out);
    return outcome;
}

/* --- forgetting --------------------------------------------------------------------- */

static void drop_stale(struct hook_plan *p, struct subject *s, time_ms now, const struct hook_sweep *house, void *arg)
{
    for (size_t i = 0; i < p->count; i++) {
        struct line *l = &s->lines[i];
        struct hook *h = &p->hooks[i];
        struct hook_done done;

        if (!l->place || !hook_is_dead(h, now) || now - l->since < HOURS(HOURS_OF_TRYING))
            continue;
        leave(h, l);
        mark_told(l, &s->event);
        fill(h, l, now, &done);
        house->dropped(arg, i, &done);
    }
}

/* Nobody waits to be told of it, or is being told. */
static bool is_quiet(const struct hook_plan *p, const struct subject *s)
{
    for (size_t i = 0; i < p->count; i++)
        if (s->lines[i].place || p->hooks[i].calling == &s->lines[i])
            return false;
    return true;
}

/* More of the same would be told at once anyway. */
static bool is_forgettable(const struct hook_plan *p, const struct subject *s, time_ms now)
{
    for (size_t i = 0; i < p->count; i++)
        if (s->lines[i].told.told + p->hooks[i].rule->every > now)
            return false;
    return !s->known && is_quiet(p, s);
}

void hook_plan_sweep(struct hook_plan *p, time_ms now, const struct hook_sweep *house, void *arg)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct subject **at = &p->buckets[i], *s; (s = *at) != NULL;) {
            drop_stale(p, s, now, house, arg);
            if (s->known && is_quiet(p, s) && now - s->event.last > DAYS(1)) {
                house->remove(arg, s->key);
                s->known = false;
            }
            if (!is_forgettable(p, s, now)) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            subject_free(s);
            p->subjects--;
        }
    }
}

size_t hook_plan_subjects(const struct hook_plan *p)
{
    return p->subjects;
}

size_t hook_plan_busy(const struct hook_plan *p)
{
    size_t busy = 0;

    for (size_t i = 0; i < p->count; i++)
        busy += p->hooks[i].calling != NULL;
    return busy;
}
