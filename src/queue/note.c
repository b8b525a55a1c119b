#include "queue/inside.h"

#include "base/log.h"
#include "base/memory.h"

struct note_member {
    struct member member;
    struct table_link link;         /* in q->notes, until another for its key comes or it is stored */
    struct note note;               /* in the member's memory */
    bool latest;                    /* it is in there */
    uint64_t joined;                /* groups made before; while there is none more it has not left */
};

/* --- on their way ---------------------------------------------------------- */

static uint64_t hash_of(uint8_t kind, const char *key)
{
    return slice_hash(slice_of(key)) + kind;
}

static struct note_member *note_waiting(const struct queue *q, uint8_t kind, const char *key)
{
    struct table_link *link = table_find(&q->notes, hash_of(kind, key));

    for (; link; link = table_next(link)) {
        struct note_member *w = TABLE_OF(struct note_member, link, link);

        if (w->note.kind == kind && strcmp(w->note.key, key) == 0)
            return w;
    }
    return NULL;
}

static void leave(struct queue *q, struct note_member *w)
{
    if (w->latest)
        table_remove(&q->notes, &w->link);
    w->latest = false;
}

static void enter(struct queue *q, struct note_member *w)
{
    struct note_member *before = note_waiting(q, w->note.kind, w->note.key);

    if (before)
        leave(q, before);
    w->link.key = hash_of(w->note.kind, w->note.key);
    table_add(&q->notes, &w->link);
    w->latest = true;
}

/* --- writing ------------------------------------------------------------------ */

static bool note_apply(struct member *m, struct engine *e, struct error *why)
{
    return e->class->put_note(e, &((struct note_member *)m)->note, why);
}

/* Stored, or as it was before: from here on the engine knows. */
static void note_applied(struct queue *q, struct member *m)
{
    leave(q, (struct note_member *)m);
}

static const struct member_kind note_kind = {
    .apply = note_apply,
    .applied = note_applied,
};

void kept_report(struct queue *q, bool done, const struct error *why)
{
    if (!done && !q->keeping_fails)
        log_say(LOG_LEVEL_ERROR, "queue.notes", why, "what is known of other hosts cannot be stored");
    else if (done && q->keeping_fails)
        log_say(LOG_LEVEL_INFO, "queue.notes", NULL, "what is known of other hosts is stored again");
    q->keeping_fails = !done;
}

static void nobody_asked(void *arg, bool done, const struct error *why)
{
    kept_report(arg, done, why);
}

bool note_is_sensible(const struct note *n, struct error *why)
{
    size_t length = n->key ? strlen(n->key) : 0;

    if (n->kind == 0 || length == 0)
        return fail(why, E_USAGE, "a note needs a kind and a key");
    if (length > NOTE_KEY_MAX)
        return fail(why, E_USAGE, "the key of a note has %zu bytes, at most %d are taken", length, NOTE_KEY_MAX);
    if (n->value.len > NOTE_VALUE_MAX)
        return fail(why, E_USAGE, "the note on %s has %zu bytes, at most %d are taken", n->key, n->value.len,
                    NOTE_VALUE_MAX);
    return true;
}

static void fill(struct note_member *w, const struct note *n)
{
    arena_reset(&w->member.memory);
    w->note = *n;
    w->note.key = arena_string(&w->member.memory, slice_of(n->key));
    w->note.value = arena_copy(&w->member.memory, n->value);
}

/* One that nobody asks about, and that has not left yet, is written over. */
static bool fill_waiting(struct queue *q, const struct note *n)
{
    struct note_member *before = note_waiting(q, n->kind, n->key);

    if (!before || before->joined != q->groups || before->member.answer != nobody_asked)
        return false;
    fill(before, n);
    return true;
}

void queue_note(struct queue *q, const struct note *n, queue_answer *answer, void *arg)
{
    struct error why = { 0 };
    bool sensible = note_is_sensible(n, &why);
    struct note_member *w;

    if (sensible && !answer && fill_waiting(q, n))
        return;
    w = (struct note_member *)member_new(sizeof *w, &note_kind, answer ? answer : nobody_asked, answer ? arg : q);
    w->joined = q->groups;
    if (sensible) {
        fill(w, n);
        enter(q, w);
    } else {
        member_refuse(&w->member, &why);
    }
    member_join(q, &w->member);
}

/* --- one ------------------------------------------------------------------------ */

struct finding {
    struct arena *arena;
    struct note *out;
    bool found;
};

static void take_copy(void *arg, const struct note *n)
{
    struct finding *f = arg;
    struct note copy = *n;

    copy.key = arena_string(f->arena, slice_of(n->key));
    copy.value = arena_copy(f->arena, n->value);
    f->found = !slice_empty(n->value);
    if (f->found && !f->arena->failed)
        *f->out = copy;
}

bool queue_note_find(struct queue *q, uint8_t kind, const char *key, struct arena *arena, struct note *out,
                     struct error *why)
{
    const struct note_member *waiting = note_waiting(q, kind, key);
    struct finding f = { .arena = arena, .out = out };

    if (waiting)
        take_copy(&f, &waiting->note);
    else if (!q->engine->class->find_note(q->engine, kind, key, take_copy, &f, why))
        return false;
    if (!f.found)
        return fail(why, E_NOT_FOUND, "there is no note on %s", key);
    return !arena->failed || fail(why, E_LIMIT, "the note on %s does not fit into its arena", key);
}

/* --- many ------------------------------------------------------------------------- */

typedef int note_order(const void *a, const void *b);       /* of const struct note * */

/* Stored ones as they come, and those on their way where they belong among them. */
struct merging {
    struct queue *q;
    note_order *order;
    const struct note **waiting;    /* in order */
    size_t count, next;
    size_t limit, given;
    note_each *each;
    void *arg;
};

static int by_key(const void *a, const void *b)
{
    const struct note *one = *(const struct note *const *)a, *two = *(const struct note *const *)b;

    return strcmp(one->key, two->key);
}

static int by_due(const void *a, const void *b)
{
    const struct note *one = *(const struct note *const *)a, *two = *(const struct note *const *)b;

    return one->due != two->due ? one->due < two->due ? -1 : 1 : strcmp(one->key, two->key);
}

static void give(struct merging *m, const struct note *n)
{
    if (m->given == m->limit || slice_empty(n->value))
        return;
    m->given++;
    m->each(m->arg, n);
}

static void merge_stored(void *arg, const struct note *n)
{
    struct merging *m = arg;

    while (m->next < m->count && m->order(&m->waiting[m->next], &n) <= 0)
        give(m, m->waiting[m->next++]);
    if (!note_waiting(m->q, n->kind, n->key))
        give(m, n);
}

struct range {
    uint8_t kind;
    const char *after;
    time_ms now;
    unsigned slot;
};
typedef bool note_belongs(const struct merging *m, const struct note *n, const struct range *r);

static bool is_behind(const struct merging *m, const struct note *n, const struct range *r)
{
    return strcmp(n->key, r->after) > 0;
}

static bool is_due(const struct merging *m, const struct note *n, const struct range *r)
{
    return n->due <= r->now && (r->slot == QUEUE_ALL_SLOTS || schedule_slot(slice_of(n->key), m->q->slots) == r->slot);
}

static void merge_begin(struct merging *m, note_belongs *belongs, const struct range *range)
{
    const struct table *all = &m->q->notes;
    struct table_link *link = NULL;

    m->waiting = memory_array(all->count + 1, sizeof *m->waiting);
    while ((link = table_walk(all, link))) {
        const struct note *n = &TABLE_OF(struct note_member, link, link)->note;

        if (n->kind == range->kind && belongs(m, n, range))
            m->waiting[m->count++] = n;
    }
    qsort(m->waiting, m->count, sizeof *m->waiting, m->order);
}

/* So many are asked of the engine: of those it gives, as many as are on their way may be passed over. */
static size_t merge_limit(const struct merging *m)
{
    size_t passed = m->q->notes.count;

    return m->limit > SIZE_MAX - passed ? SIZE_MAX : m->limit + passed;
}

static size_t merge_end(struct merging *m, bool read, const struct error *why)
{
    while (read && m->next < m->count)
        give(m, m->waiting[m->next++]);
    if (!read)
        log_say(LOG_LEVEL_ERROR, "queue.read", why, "the notes cannot be listed");
    free(m->waiting);
    return m->given;
}

size_t queue_note_list(struct queue *q, uint8_t kind, const char *after, size_t limit, note_each *each, void *arg)
{
    struct merging m = { .q = q, .order = by_key, .limit = limit, .each = each, .arg = arg };
    struct range range = { .kind = kind, .after = after };
    struct error why = { 0 };
    bool read;

    merge_begin(&m, is_behind, &range);
    read = q->engine->class->list_notes(q->engine, kind, after, merge_limit(&m), merge_stored, &m, &why);
    return merge_end(&m, read, &why);
}

size_t queue_note_due(struct queue *q, uint8_t kind, unsigned slot, time_ms now, size_t limit, note_each *each,
                      void *arg)
{
    struct merging m = { .q = q, .order = by_due, .limit = limit, .each = each, .arg = arg };
    struct range range = { .kind = kind, .now = now, .slot = slot };
    struct error why = { 0 };
    bool read;

    merge_begin(&m, is_due, &range);
    read = q->engine->class->due_notes(q->engine, kind, slot, q->slots, now, merge_limit(&m), merge_stored, &m, &why);
    return merge_end(&m, read, &why);
}

/* --- forgetting ------------------------------------------------------------------- */

/* So many go with one group, so that mail does not wait for all of them. */
enum { PIECE = 500 };

struct forget_member {
    struct member member;
    uint8_t kind;
    time_ms now;
    size_t count;
};

static bool forget_apply(struct member *m, struct engine *e, struct error *why)
{
    struct forget_member *f = (struct forget_member *)m;

    return e->class->forget_notes(e, f->kind, f->now, PIECE, &f->count, why);
}

static void forget_applied(struct queue *q, struct member *m)
{
    m->again = m->done && ((struct forget_member *)m)->count == PIECE;
}

static const struct member_kind forget_kind = {
    .apply = forget_apply,
    .applied = forget_applied,
};

void queue_note_forget(struct queue *q, uint8_t kind, time_ms now)
{
    struct forget_member *f = (struct forget_member *)member_new(sizeof *f, &forget_kind, nobody_asked, q);

    f->kind = kind;
    f->now = now;
    member_join(q, &f->member);
}
