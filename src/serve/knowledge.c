#include "serve/knowledge.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/fiber.h"

#include <stdio.h>

enum {
    MEMORY_BUCKETS = 256,
    MEMORIES_MAX = 2048,            /* held here; others are recalled again */
    WRITE_MS = 5 * 60 * 1000,       /* a memory that only counts on is written so often */
    NOTE_ARENA_MAX = FRAME_NOTES_MOST * (NOTE_VALUE_MAX + 1024),
    REFRESH_MS = 60 * 1000,         /* the store is asked so often for policies that are due, */
    MORE_MS = 5 * 1000,             /* and while there are more than it gives out at once */
    REFRESHES_MOST = 16,            /* under way at once */
    SELFTEST_MS = 60 * 60 * 1000,
    TOGETHER = 256,                 /* fetches at once: hosts that stall must not keep others waiting */
};

struct held {
    char *next_hop;
    struct memory memory;
    time_ms written;                /* clock_now; 0: never */
    bool dirty;
    struct held *next;
};

struct knowledge {
    const struct config *config;
    struct resolver *resolver;
    struct scribe *scribe;
    bool scribe_is_ours;
    struct recorder *recorder;      /* NULL: nobody counts */
    struct https *https;
    struct sts_engine *sts;
    unsigned slot;
    struct held *buckets[MEMORY_BUCKETS];
    size_t count, hand;
    struct fiber *refresher, *tester;
    int verdict;                    /* of the last self-test; -1: none */
    bool stopped;
    void (*idle)(void *self);
    void *self;
    void (*policy_changed)(void *watcher, const char *domain);      /* NULL: nobody watches */
    void *watcher;
};

/* --- memories -------------------------------------------------------------------- */

static struct held **bucket_of(struct knowledge *k, const char *next_hop)
{
    return &k->buckets[slice_hash(slice_of(next_hop)) % MEMORY_BUCKETS];
}

static struct held *find_held(struct knowledge *k, const char *next_hop)
{
    struct held *h = *bucket_of(k, next_hop);

    while (h && strcmp(h->next_hop, next_hop) != 0)
        h = h->next;
    return h;
}

static void write_memory(struct knowledge *k, struct held *h)
{
    auto_buf struct buf value = { 0 };
    struct note note = { .kind = NOTE_MEMORY, .key = h->next_hop,
                         .due = memory_forgotten_at(&h->memory, &k->config->memory) };

    buf_init(&value, NOTE_VALUE_MAX);
    memory_encode(&h->memory, &value);
    note.value = buf_slice(&value);
    scribe_keep(k->scribe, &note);
    h->written = clock_now();
    h->dirty = false;
}

static void held_free(struct knowledge *k, struct held *h)
{
    k->count--;
    free(h->next_hop);
    free(h);
}

static void make_room(struct knowledge *k)
{
    while (k->count >= MEMORIES_MAX) {
        struct held **bucket = &k->buckets[k->hand++ % MEMORY_BUCKETS];

        while (*bucket) {
            struct held *h = *bucket;

            *bucket = h->next;
            if (h->dirty)
                write_memory(k, h);
            held_free(k, h);
        }
    }
}

static struct held *hold(struct knowledge *k, const char *next_hop)
{
    struct held *h = find_held(k, next_hop), **bucket;

    if (h)
        return h;
    make_room(k);
    bucket = bucket_of(k, next_hop);
    h = NEW(struct held);
    h->next_hop = memory_text(slice_of(next_hop));
    h->next = *bucket;
    *bucket = h;
    k->count++;
    return h;
}

static void drop_held(struct knowledge *k, const char *next_hop)
{
    struct held **at = bucket_of(k, next_hop), *h;

    while (*at && strcmp((*at)->next_hop, next_hop) != 0)
        at = &(*at)->next;
    h = *at;
    if (!h)
        return;
    *at = h->next;
    held_free(k, h);
}

static void drop_all_held(struct knowledge *k, bool write)
{
    for (size_t i = 0; i < MEMORY_BUCKETS; i++) {
        while (k->buckets[i]) {
            struct held *h = k->buckets[i];

            k->buckets[i] = h->next;
            if (write && h->dirty)
                write_memory(k, h);
            held_free(k, h);
        }
    }
}

bool knowledge_recall(struct knowledge *k, const char *next_hop, struct memory *m)
{
    struct held *h = find_held(k, next_hop);
    auto_arena struct arena arena = { 0 };
    struct slice value;
    int answer;

    *m = (struct memory){ 0 };
    if (!h) {
        arena_init(&arena, 2 * NOTE_VALUE_MAX);
        answer = scribe_recall(k->scribe, NOTE_MEMORY, next_hop, &arena, &value);
        if (answer == RECALL_UNKNOWN)
            return false;
        h = find_held(k, next_hop);     /* somebody else may have asked meanwhile, and gone on */
        if (!h) {
            h = hold(k, next_hop);
            if (answer == RECALL_FOUND && !memory_decode(value, &h->memory))
                h->memory = (struct memory){ 0 };
        }
    }
    *m = h->memory;
    return true;
}

void knowledge_remember(struct knowledge *k, const char *next_hop, const struct memory *m)
{
    struct held *h = hold(k, next_hop);
    bool news = memory_has_news(&h->memory, m);

    h->memory = *m;
    h->dirty = true;
    if (news || k->stopped || h->written == 0 || clock_now() - h->written >= WRITE_MS)
        write_memory(k, h);
}

/* --- policies ---------------------------------------------------------------------- */

static enum sts_recall recall_policy(void *self, const char *domain, struct arena *arena, struct slice *value)
{
    struct knowledge *k = self;

    switch (scribe_recall(k->scribe, NOTE_STS, domain, arena, value)) {
    case RECALL_FOUND: return STS_RECALLED;
    case RECALL_NONE: return STS_NOTHING_KEPT;
    default: return STS_RECALL_FAILED;
    }
}

static void remember_policy(void *self, const char *domain, time_ms due, struct slice value)
{
    struct knowledge *k = self;
    const struct note note = { .kind = NOTE_STS, .key = domain, .due = due, .value = value };

    scribe_keep(k->scribe, &note);
    if (k->policy_changed)
        k->policy_changed(k->watcher, domain);
}

static void told_if_idle(struct knowledge *k)
{
    if (k->stopped && !knowledge_is_busy(k))
        k->idle(k->self);
}

static void policies_idle(void *self)
{
    told_if_idle(self);
}

static void policy_failed(void *self, const char *domain, const struct error *why, const struct sts_cached *kept)
{
    struct knowledge *k = self;

    if (k->recorder)
        recorder_sts_failure(k->recorder, domain, why, kept);
}

static const struct sts_house sts_house = { recall_policy, remember_policy, policy_failed, policies_idle };

static bool set_up_sts(struct knowledge *k, struct error *why)
{
    const struct config *c = k->config;
    struct https_settings https = { .ca_file = c->sts.ca_file, .connect = c->delivery.connect_timeout,
                                    .together = TOGETHER };
    struct sts_settings settings = {
        .resolver = k->resolver,
        .port = c->sts.port,
        .patience = c->sts.patience,
        .fetch_time = c->sts.fetch_time,
        .defer_on_error = c->sts.defer_on_error,
        .address_allowed = c->sts.private_addresses ? NULL : address_is_public,
        .pins = c->sts.pins,
        .pin_count = c->sts.pin_count,
    };

    if (!c->sts.enabled)
        return true;
    k->https = https_new(&https, why);
    if (!k->https)
        return false;
    settings.https = k->https;
    k->sts = sts_engine_new(&settings, &sts_house, k);
    return true;
}

static void refresh_policy(struct knowledge *k, const struct note *due)
{
    while (sts_engine_busy(k->sts) >= REFRESHES_MOST && fiber_sleep_until(clock_now() + 100) != FIBER_CANCELLED)
        continue;
    sts_refresh(k->sts, due->key, due->value);
}

/* One that is held here and counts again is written before long. */
static void forget_memory(struct knowledge *k, const struct note *due)
{
    const struct note nothing = { .kind = NOTE_MEMORY, .key = due->key, .due = TIME_NEVER };
    const struct held *h = find_held(k, due->key);

    if (h && clock_wall() < memory_forgotten_at(&h->memory, &k->config->memory))
        return;
    drop_held(k, due->key);
    scribe_keep(k->scribe, &nothing);
}

static bool each_due(struct knowledge *k, enum note_kind kind, void (*see_to)(struct knowledge *k, const struct note *due))
{
    auto_arena struct arena arena = { 0 };
    auto_free struct note *due = memory_array(FRAME_NOTES_MOST, sizeof *due);
    size_t count;

    arena_init(&arena, NOTE_ARENA_MAX);
    count = scribe_due(k->scribe, (uint8_t)kind, &arena, due);
    for (size_t i = 0; i < count && !fiber_is_cancelled(); i++)
        see_to(k, &due[i]);
    return count == FRAME_NOTES_MOST;
}

/* What is due is asked for each minute; what is not done by then comes up again. */
static void refresh(void *arg)
{
    struct knowledge *k = arg;
    time_ms next = clock_now() + SECONDS(10);

    while (fiber_sleep_until(next) != FIBER_CANCELLED) {
        bool more = k->sts && each_due(k, NOTE_STS, refresh_policy);

        if (k->config->memory.mode != MEMORY_OFF)
            more |= each_due(k, NOTE_MEMORY, forget_memory);
        next = clock_now() + (more ? MORE_MS : REFRESH_MS);
    }
    k->refresher = NULL;
    told_if_idle(k);
}

/* --- the self-test -------------------------------------------------------------------- */

static void tell_verdict(struct knowledge *k, const struct selftest *test)
{
    bool good = test->verdict == SELFTEST_GOOD;
    char text[400] = "", key[32], date[CLOCK_TEXT_MAX];
    struct note note = { .kind = NOTE_HEALTH, .key = key, .due = TIME_NEVER };

    if (!good)
        log_say(test->verdict == SELFTEST_OFF ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "dns.selftest", NULL, "%s: %s",
                selftest_verdict_name(test->verdict), test->why);
    else if (k->verdict != (int)test->verdict)
        log_say(LOG_LEVEL_INFO, "dns.selftest", NULL, "good: DNSSEC validation works");
    k->verdict = (int)test->verdict;
    snprintf(text, sizeof text, "%s %s%s%s", clock_iso_date(clock_wall(), date), selftest_verdict_name(test->verdict),
             test->why[0] ? ": " : "", test->why);
    snprintf(key, sizeof key, "dns/%u", k->slot);
    note.value = slice_of(text);
    scribe_keep(k->scribe, &note);
}

static void run_selftest(void *arg)
{
    struct knowledge *k = arg;
    time_ms next = 0;

    while (fiber_sleep_until(next) != FIBER_CANCELLED) {
        struct selftest test;

        selftest_run(k->resolver, &k->config->selftest.names, &test);
        if (!fiber_is_cancelled())
            tell_verdict(k, &test);
        next = clock_now() + SELFTEST_MS;
    }
    k->tester = NULL;
    told_if_idle(k);
}

/* --- life -------------------------------------------------------------------------------- */

void knowledge_changed(struct knowledge *k, uint8_t kind, const char *key)
{
    if (kind == NOTE_STS && k->sts)
        sts_forget(k->sts, key[0] ? key : NULL);
    if (kind == NOTE_MEMORY && key[0])
        drop_held(k, key);
    else if (kind == NOTE_MEMORY)
        drop_all_held(k, false);
}

static void note_changed(void *self, uint8_t kind, const char *key)
{
    knowledge_changed(self, kind, key);
}

struct knowledge *knowledge_new(const struct config *c, struct resolver *r, unsigned slot, void (*idle)(void *self),
                                void *self, struct error *why)
{
    struct knowledge *k = NEW(struct knowledge);

    *k = (struct knowledge){ .config = c, .resolver = r, .slot = slot, .verdict = -1, .idle = idle, .self = self };
    k->scribe = scribe_new(note_changed, k);
    k->scribe_is_ours = true;
    if (set_up_sts(k, why))
        return k;
    knowledge_free(k);
    return NULL;
}

struct knowledge *knowledge_on(const struct config *c, struct resolver *r, struct scribe *n, void (*idle)(void *self),
                               void *self, struct error *why)
{
    struct knowledge *k = NEW(struct knowledge);

    *k = (struct knowledge){ .config = c, .resolver = r, .scribe = n, .verdict = -1, .idle = idle, .self = self };
    if (set_up_sts(k, why))
        return k;
    knowledge_free(k);
    return NULL;
}

void knowledge_watch(struct knowledge *k, void (*policy_changed)(void *self, const char *domain), void *self)
{
    k->policy_changed = policy_changed;
    k->watcher = self;
}

void knowledge_tell(struct knowledge *k, struct recorder *r)
{
    k->recorder = r;
}

void knowledge_free(struct knowledge *k)
{
    if (!k)
        return;
    sts_engine_free(k->sts);
    https_free(k->https);
    drop_all_held(k, false);
    if (k->scribe_is_ours)
        scribe_free(k->scribe);
    free(k);
}

void knowledge_start(struct knowledge *k)
{
    if (k->sts || k->config->memory.mode != MEMORY_OFF)
        k->refresher = fiber_start("refresh", refresh, k);
    if (k->config->selftest.enabled)
        k->tester = fiber_start("dns-selftest", run_selftest, k);
}

void knowledge_retire(struct knowledge *k)
{
    if (k->refresher)
        fiber_cancel(k->refresher);
    if (k->tester)
        fiber_cancel(k->tester);
}

void knowledge_stop(struct knowledge *k)
{
    if (k->stopped)
        return;
    k->stopped = true;
    knowledge_retire(k);
    scribe_flush(k->scribe);
    for (size_t i = 0; i < MEMORY_BUCKETS; i++)
        for (struct held *h = k->buckets[i]; h; h = h->next)
            if (h->dirty)
                write_memory(k, h);
    if (k->sts)
        sts_engine_stop(k->sts);
}

bool knowledge_is_busy(const struct knowledge *k)
{
    return k->refresher || k->tester || (k->sts && sts_engine_busy(k->sts) > 0);
}

struct scribe *knowledge_scribe(struct knowledge *k)
{
    return k->scribe;
}

struct sts_engine *knowledge_sts(struct knowledge *k)
{
    return k->sts;
}
