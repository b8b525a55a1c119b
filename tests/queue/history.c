#include "tests/queue/history.h"

#include "queue/engine/segments.h"
#include "tests/queue/disk.h"

#include <sqlite3.h>

enum { MOST = 256, RECIPIENTS = 3, TRIES = 8 };

static const size_t never = SIZE_MAX;

struct span {
    size_t asked, answered;             /* in changes of the disk */
    bool refused;
};

struct known_recipient {
    struct span end;                    /* delivered, failed or removed */
    struct span deferrals[TRIES];
    size_t deferred;
    struct known *consequence;
    bool seen;                          /* during a check */
};

struct known {
    message_id id;
    size_t size, count;
    struct span accepted;
    struct known_recipient *cause;      /* of a bounce */
    struct known_recipient recipients[RECIPIENTS];
};

static struct known messages[MOST];
static size_t count;

/* What was written under each key, one after the other. */
enum { KEYS = 4, VERSIONS = 64, FLUSHES = 64, TODAY = 20000 };
struct version {
    size_t size;                        /* 0: a removal */
    struct span written;
};
static struct version versions[KEYS][VERSIONS];
static size_t version_count[KEYS];

/* What was counted by each flush, and what was found stored after it. */
static struct {
    size_t asked, answered;
    uint64_t counted, stored;
} flushes[FLUSHES];
static size_t flush_count;
static uint64_t counted;

void history_begin(void)
{
    memset(messages, 0, sizeof messages);
    count = 0;
    memset(version_count, 0, sizeof version_count);
    flush_count = 0;
    counted = 0;
}

static struct span asked_now(void)
{
    return (struct span){ .asked = disk_changes(), .answered = never };
}

static void answered(void *arg, bool done, const struct error *why)
{
    struct span *s = arg;

    CHECK(s->answered == never);        /* once */
    s->answered = disk_changes();
    s->refused = !done;
    if (!done)
        CHECK(why->code == E_STORAGE || why->code == E_STORAGE_FULL);
}

/* Deferrals and ends of all recipients of a lease are answered together. */
struct many {
    struct span *spans[RECIPIENTS];
    size_t count;
    bool used;
};
static struct many answers[MOST * TRIES];

static void answered_many(void *arg, bool done, const struct error *why)
{
    struct many *m = arg;

    CHECK(done);                        /* a settlement is kept until it is stored (Q5) */
    for (size_t i = 0; i < m->count; i++)
        answered(m->spans[i], done, why);
    m->used = false;
}

/* A removal may fail with the disk; then nothing was removed. */
static void answered_removal(void *arg, bool done, const struct error *why)
{
    struct many *m = arg;

    if (done) {
        answered_many(arg, done, why);
        return;
    }
    for (size_t i = 0; i < m->count; i++)
        m->spans[i]->asked = never;
    m->used = false;
}

static struct many *new_many(void)
{
    struct many *m = answers;

    while (m->used)
        m++;
    *m = (struct many){ .used = true };
    return m;
}

/* --- asking ---------------------------------------------------------------------- */

static struct known *new_known(struct fixture *f, size_t size, size_t recipients)
{
    struct known *k = &messages[count++];

    CHECK(count < MOST);
    k->id = message_id_new(&f->ids, f->now);
    k->size = size;
    k->count = recipients;
    k->accepted = asked_now();
    for (size_t i = 0; i < recipients; i++)
        k->recipients[i].end = (struct span){ never, never, false };
    return k;
}

static void ask(struct fixture *f, const char *one, const char *two, const char *three, size_t size)
{
    const char *names[RECIPIENTS] = { one, two, three };
    struct queue_recipient to[RECIPIENTS];
    struct known *k = new_known(f, size, !two ? 1 : !three ? 2 : 3);
    struct envelope e = { .id = k->id, .sender = "sender@example.org", .arrived = f->now, .origin = "test",
                          .recipients = to, .count = k->count };
    struct incoming *in = incoming_new(f->q);
    auto_buf struct buf body;
    struct slice bytes = pattern(&body, k->id, size);
    struct error why;

    for (size_t i = 0; i < k->count; i++)
        to[i] = (struct queue_recipient){ (uint32_t)i, "user@example.org", names[i] };
    if (count % 2 == 0) {               /* every other message begins with a head */
        e.head = slice_first(bytes, 300);
        bytes = slice_after(bytes, 300);
    }
    if (incoming_add(in, bytes, &why)) {
        queue_accept(f->q, in, &e, answered, &k->accepted);
    } else {
        incoming_drop(in);
        answered(&k->accepted, false, &why);
    }
}

static struct known *find(message_id id)
{
    for (size_t i = 0; i < count; i++)
        if (messages[i].id == id)
            return &messages[i];
    return NULL;
}

static struct consequence bounce_for(struct fixture *f, struct known_recipient *r, struct envelope *e, struct buf *body)
{
    static const struct queue_recipient to = { 0, "sender@example.org", "bounce.example" };
    struct known *k = new_known(f, 3000, 1);

    k->cause = r;
    r->consequence = k;
    *e = (struct envelope){ .id = k->id, .sender = "", .arrived = f->now, .origin = "bounce", .recipients = &to,
                            .count = 1 };
    return (struct consequence){ .envelope = e, .body = pattern(body, k->id, k->size) };
}

static void settle_lease(struct fixture *f, const struct lease *l, enum settle_state state)
{
    struct known *k = find(l->envelope.id);
    struct many *m = new_many();
    struct settlement each[RECIPIENTS];
    struct settle all = { .lease = l->number, .recipients = each, .count = l->envelope.count, .attempted = true };
    struct consequence bounce;
    struct envelope e;
    auto_buf struct buf body = { 0 };

    for (size_t i = 0; i < l->envelope.count; i++) {
        struct known_recipient *r = &k->recipients[l->envelope.recipients[i].number];

        each[i] = (struct settlement){ .number = l->envelope.recipients[i].number, .state = state, .status = "4.0.0",
                                       .why = "", .due = f->now };
        m->spans[m->count] = state == SETTLE_DEFERRED ? &r->deferrals[r->deferred++] : &r->end;
        *m->spans[m->count++] = asked_now();
    }
    if (state == SETTLE_FAILED && !k->cause) {
        bounce = bounce_for(f, &k->recipients[l->envelope.recipients[0].number], &e, &body);
        all.consequence = &bounce;
    }
    queue_settle(f->q, &all, answered_many, m);
}

/* The next `n` leases, in every way by turns; one in eight is forgotten, as if its deliverer had died. */
static void work_on(struct fixture *f, size_t n)
{
    static const enum settle_state ways[] = { SETTLE_DELIVERED, SETTLE_DEFERRED, SETTLE_FAILED, SETTLE_DELIVERED };
    struct lease l;

    for (size_t i = 0; i < n && take(f, &l); i++) {
        if (strcmp(l.destination, "bounce.example") == 0)
            queue_revoke(f->q, l.number, f->now + DAYS(1));
        else if (i % 8 == 7)
            queue_revoke(f->q, l.number, f->now);
        else
            settle_lease(f, &l, l.attempts + 1 < TRIES ? ways[i % 4] : SETTLE_DELIVERED);
    }
}

static void remove_message(struct fixture *f, struct known *k)
{
    struct many *m = new_many();

    for (size_t i = 0; i < k->count; i++)
        if (k->recipients[i].end.asked == never) {
            k->recipients[i].end = asked_now();
            m->spans[m->count++] = &k->recipients[i].end;
        }
    queue_operate(f->q, ACT_REMOVE, k->id, f->now, answered_removal, m);
}

/* --- notes and tallies ---------------------------------------------------------- */

static const char *const keys[KEYS] = { "a.example", "b.example", "c.example", "d.example" };

/* The bytes tell their key, their version and their place, and `due` tells the version. */
static void write_note(struct fixture *f, size_t key, size_t size)
{
    size_t number = version_count[key]++;
    struct version *v = &versions[key][number];
    auto_buf struct buf value;

    CHECK(number < VERSIONS);
    *v = (struct version){ size, asked_now() };
    queue_note(f->q, &(struct note){ 1, keys[key], (time_ms)number, pattern(&value, key * VERSIONS + number, size) },
               answered, &v->written);
}

static void see_stored(void *arg, const struct tally *t)
{
    CHECK(t->day == TODAY && slice_equal(t->key, SLICE("delivered")));
    *(uint64_t *)arg = t->count;
}

static uint64_t stored_count(struct fixture *f)
{
    auto_buf struct buf after;
    uint32_t day = TODAY;
    uint64_t stored = 0;

    buf_init(&after, TALLY_KEY_MAX);
    CHECK(queue_tally_list(f->q, &day, &after, 10, see_stored, &stored) <= 1);
    return stored;
}

static void count_some(struct fixture *f, uint64_t some)
{
    tally(f, TODAY, "delivered", some);
    counted += some;
}

/* With whatever else makes the next group. */
static void commit_counted(struct fixture *f)
{
    size_t n = flush_count++;

    CHECK(n < FLUSHES);
    flushes[n].asked = disk_changes();
    flushes[n].counted = counted;
    queue_tally_flush(f->q);
    commit(f);
    flushes[n].answered = disk_changes();
    flushes[n].stored = stored_count(f);
}

/* --- the day ----------------------------------------------------------------------- */

/* Mail that comes while a group is on its way to the disk. */
static void commit_meanwhile(struct fixture *f)
{
    struct group *g = queue_group(f->q);

    ask(f, "e.example", NULL, NULL, 50000);
    ask(f, "e.example", "a.example", NULL, 700);
    if (g) {
        group_apply(g);
        queue_applied(f->q, g);
    }
    commit(f);
}

/* The log goes into the database, which SQLite otherwise does only now and then. */
static void checkpoint(struct fixture *f)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/queue.db", f->directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_exec(db, "PRAGMA wal_checkpoint(RESTART)", NULL, NULL, NULL);
    sqlite3_close(db);
}

static void tend(struct fixture *f)
{
    f->now += SECONDS(10);
    queue_tend(f->q, f->now);
    commit(f);
}

void history_work(struct fixture *f)
{
    size_t first = count;

    segments_full_at = 40000;
    ask(f, "a.example", NULL, NULL, 300);
    commit(f);
    write_note(f, 0, 500);
    commit(f);
    ask(f, "a.example", "b.example", "b.example", 2000);
    write_note(f, 1, 70000);            /* many pages */
    write_note(f, 2, 20);
    ask(f, "a.example", NULL, NULL, 0);
    commit(f);
    work_on(f, 2);
    count_some(f, 3);
    count_some(f, 4);
    commit_counted(f);
    for (int i = 0; i < 6; i++)
        ask(f, i % 2 ? "b.example" : "c.example", NULL, NULL, 6000);
    ask(f, "d.example", "a.example", NULL, 70000);
    commit_meanwhile(f);
    work_on(f, 5);
    ask(f, "c.example", NULL, NULL, 100);
    commit_meanwhile(f);
    checkpoint(f);
    work_on(f, 20);
    write_note(f, 0, 9000);
    write_note(f, 1, 10);
    write_note(f, 1, 30000);            /* twice in one group */
    commit(f);
    write_note(f, 2, 0);
    count_some(f, 100);
    commit_counted(f);
    tend(f);
    queue_operate(f->q, ACT_HOLD, messages[first + 1].id, f->now, note_answer, NULL);
    remove_message(f, &messages[first + 4]);
    commit(f);
    for (int i = 0; i < 5; i++)
        ask(f, "a.example", "f.example", NULL, 9000);
    work_on(f, 9);
    write_note(f, 3, 100);
    commit(f);
    write_note(f, 3, 0);
    write_note(f, 2, 4000);
    write_note(f, 1, 0);
    queue_operate(f->q, ACT_RELEASE, messages[first + 1].id, f->now, note_answer, NULL);
    queue_operate(f->q, ACT_RETRY, 0, f->now, note_answer, NULL);
    commit_meanwhile(f);
    work_on(f, 30);
    commit(f);
    for (int i = 0; i < 4; i++)
        tend(f);
    checkpoint(f);
    ask(f, "a.example", NULL, NULL, 900);
    work_on(f, 2);
    write_note(f, 0, 50);
    count_some(f, 1);
    commit_counted(f);
}

void history_finish(struct fixture *f)
{
    for (int i = 0; i < 4; i++)
        tend(f);
    for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < messages[i].count; r++)
            CHECK(messages[i].recipients[r].end.asked == never || messages[i].recipients[r].end.answered != never);
    ask(f, "a.example", NULL, NULL, 900);
    write_note(f, 0, 77);
    count_some(f, 1);
    commit_counted(f);
    CHECK(!messages[count - 1].accepted.refused);
    CHECK(!versions[0][version_count[0] - 1].written.refused);
    CHECK_EQUAL(stored_count(f), counted);      /* nothing that was counted meanwhile is lost */
}

/* --- checking ------------------------------------------------------------------------ */

static void see(void *arg, const struct queue_view *v)
{
    size_t changes = *(size_t *)arg, least = 0, most = 0;
    struct known *k = find(v->envelope.id);
    struct known_recipient *r;

    CHECK(k != NULL);
    CHECK(v->envelope.recipients->number < k->count);
    CHECK_EQUAL(v->envelope.size, k->size);
    r = &k->recipients[v->envelope.recipients->number];
    r->seen = true;
    for (size_t i = 0; i < r->deferred; i++) {
        least += r->deferrals[i].answered <= changes;
        most += r->deferrals[i].asked < changes;
    }
    CHECK(v->attempts >= least && v->attempts <= most);
}

static void check_recipient(const struct known_recipient *r, bool stored, size_t changes)
{
    if (r->end.answered <= changes)
        CHECK_ID("(Q4) what was settled does not come back", !r->seen);
    else if (r->end.asked >= changes)
        CHECK_ID("(Q1) what was accepted is there", r->seen == stored);
    if (r->consequence && stored)
        CHECK_ID("(Q5) consequence and settlement", r->consequence->recipients[0].seen == !r->seen);
}

/* All of it or nothing; asked for and not answered: either. */
static bool check_stored(const struct known *k, size_t changes)
{
    size_t seen = 0, may_have_ended = 0;

    for (size_t i = 0; i < k->count; i++) {
        seen += k->recipients[i].seen;
        may_have_ended += k->recipients[i].end.asked < changes;
    }
    if (k->cause)
        return seen > 0;
    if (k->accepted.asked >= changes || (k->accepted.refused && k->accepted.answered <= changes)) {
        CHECK_ID("(Q2) nothing appears that was not accepted", seen == 0);
        return false;
    }
    if (k->accepted.answered <= changes)
        return true;
    CHECK_ID("(Q1) all recipients or none", seen == 0 || seen + may_have_ended >= k->count);
    return seen > 0;
}

/* Which version is there; its value must be whole. version_count: none. */
static size_t version_found(struct fixture *f, size_t key)
{
    auto_buf struct buf wanted = { 0 };
    auto_arena struct arena arena;
    struct error why = { 0 };
    struct note n;
    size_t number;

    arena_init(&arena, 2 * NOTE_VALUE_MAX);
    if (!queue_note_find(f->q, 1, keys[key], &arena, &n, &why)) {
        CHECK_EQUAL(why.code, E_NOT_FOUND);
        return version_count[key];
    }
    number = (size_t)n.due;
    CHECK_ID("(Q10) a note is as it was written", number < version_count[key]);
    CHECK_EQUAL(n.value.len, versions[key][number].size);
    CHECK_ID("(Q10) a note is whole",
             slice_equal(n.value, pattern(&wanted, key * VERSIONS + number, versions[key][number].size)));
    return number;
}

/* The latest that was stored, or one that was on its way. */
static void check_note(struct fixture *f, size_t key, size_t changes)
{
    size_t found = version_found(f, key);
    bool may_be_none = true, may_be_found = false;

    for (size_t i = 0; i < version_count[key]; i++) {
        const struct version *v = &versions[key][i];
        bool answered_by_then = v->written.answered <= changes;

        if (v->written.asked >= changes || (answered_by_then && v->written.refused))
            continue;
        if (answered_by_then)
            may_be_none = may_be_found = false;
        may_be_none |= v->size == 0;
        may_be_found |= i == found;
    }
    CHECK_ID("(Q10) the last that was stored, or one later", found == version_count[key] ? may_be_none : may_be_found);
}

static void see_note(void *arg, const struct note *n)
{
    CHECK(!slice_empty(n->value));
    ++*(size_t *)arg;
}

static void check_notes(struct fixture *f, size_t changes)
{
    size_t there = 0, listed = 0, due = 0;

    for (size_t key = 0; key < KEYS; key++) {
        check_note(f, key, changes);
        there += version_found(f, key) < version_count[key];
    }
    CHECK_EQUAL(queue_note_list(f->q, 1, "", 100, see_note, &listed), there);
    CHECK_EQUAL(queue_note_due(f->q, 1, 0, VERSIONS, 100, see_note, &due), there);
    CHECK(listed == there && due == there);
}

/* (Q11) A group's count is there or not, never a part of it. */
static void check_counted(struct fixture *f, size_t changes)
{
    uint64_t stored = stored_count(f);
    bool whole = stored == 0;

    for (size_t i = 0; i < flush_count; i++) {
        whole |= flushes[i].asked < changes && flushes[i].counted == stored;
        if (flushes[i].answered <= changes)
            CHECK_ID("(Q11) what was stored stays", stored >= flushes[i].stored);
    }
    CHECK_ID("(Q11) all of a group or nothing", whole);
}

void history_check(struct fixture *f, size_t changes)
{
    message_id after = 0;
    int64_t number = -1;
    size_t listed, bodies = 0;
    struct lease l;

    for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < RECIPIENTS; r++)
            messages[i].recipients[r].seen = false;
    listed = queue_list(f->q, &after, &number, SIZE_MAX, see, &changes);
    CHECK_EQUAL(figures(f).recipients, listed);
    for (size_t i = 0; i < count; i++) {
        bool stored = check_stored(&messages[i], changes);

        for (size_t r = 0; r < messages[i].count && !messages[i].cause; r++)
            check_recipient(&messages[i].recipients[r], stored, changes);
    }
    check_notes(f, changes);
    check_counted(f, changes);
    queue_operate(f->q, ACT_RELEASE, 0, f->now, note_answer, NULL);
    commit(f);
    while (take(f, &l))         /* compares the body, byte for byte */
        bodies += l.envelope.count;
    CHECK_EQUAL(bodies, listed);
}
