#include "discover/sts.h"

#include "base/log.h"
#include "base/memory.h"
#include "dns/hosts.h"
#include "dns/text.h"
#include "run/fiber.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    BUCKETS = 4096,
    LOOK_ARENA_MAX = 2 * 1024 * 1024,
    CHECK_LEAST_MS = 60 * 1000,             /* a TXT record is not looked at again before */
    CHECK_MOST_MS = 60 * 60 * 1000,
    CHECK_FAILED_MS = 60 * 1000,
    BACK_OFF_MS = 5 * 60 * 1000,            /* MTASTS-026 */
    REFRESH_AGAIN_MS = 60 * 60 * 1000,
};

#define KEPT_AFTER_MS (2 * SECONDS(STS_MAX_AGE_MOST))       /* an expired policy stays in the house so long */

/* What is remembered of one domain. Kept as it was encoded: small, and whoever
 * asks gets a copy of his own. */
struct entry {
    struct sts_engine *engine;
    char *domain;
    bool recalled;                  /* the house was asked */
    char *kept;                     /* sts_cached_encode; NULL: no policy */
    size_t kept_len;
    /* the last look */
    enum sts_txt txt;
    char id[33];
    const char *row;
    bool defer;
    struct error problem;
    bool fetched;                   /* that look fetched what is kept: it counts until the next, though it may not be kept longer */
    time_ms check;                  /* look at the TXT record again; clock_now time */
    char failed_id[33];             /* the fetch for it failed */
    time_ms back_off;               /* until then; wall clock */
    /* a look under way */
    struct fiber *looker;           /* NULL: none */
    time_ms fetching;               /* when it came to the fetch (clock_now): house and DNS have answered; 0: not yet */
    bool refresh;                   /* fetch whatever the TXT record says */
    struct gate looked;
    unsigned waiters;               /* fibers in sts_find: the entry stays while there are any */
    struct entry *next;
};

struct sts_engine {
    struct sts_settings settings;
    struct sts_house house;
    void *self;
    struct entry *buckets[BUCKETS];
    size_t count;
    size_t hand;                    /* the bucket that gives way next */
    unsigned busy;
    bool stopped;
};

struct sts_engine *sts_engine_new(const struct sts_settings *s, const struct sts_house *house, void *self)
{
    struct sts_engine *e = NEW(struct sts_engine);

    e->settings = *s;
    e->house = *house;
    e->self = self;
    return e;
}

unsigned sts_engine_busy(const struct sts_engine *e)
{
    return e->busy;
}

size_t sts_remembered(const struct sts_engine *e)
{
    return e->count;
}

/* --- entries ---------------------------------------------------------------- */

static struct entry **bucket_of(struct sts_engine *e, const char *domain)
{
    return &e->buckets[slice_hash(slice_of(domain)) % BUCKETS];
}

static void entry_free(struct entry *n)
{
    n->engine->count--;
    free(n->domain);
    free(n->kept);
    free(n);
}

/* Any that nobody works on: it is looked up again when it is wanted again. */
static void make_room(struct sts_engine *e)
{
    for (size_t tried = 0; tried < BUCKETS && e->count >= STS_REMEMBERED_MAX; tried++) {
        struct entry **at = &e->buckets[e->hand++ % BUCKETS];

        while (*at) {
            struct entry *n = *at;

            if (n->looker || n->waiters) {
                at = &n->next;
                continue;
            }
            *at = n->next;
            entry_free(n);
        }
    }
}

static struct entry *find_entry(struct sts_engine *e, const char *domain)
{
    struct entry *n = *bucket_of(e, domain);

    while (n && strcmp(n->domain, domain) != 0)
        n = n->next;
    return n;
}

static struct entry *get_entry(struct sts_engine *e, const char *domain)
{
    struct entry *n = find_entry(e, domain), **at;

    if (n)
        return n;
    make_room(e);
    at = bucket_of(e, domain);
    n = NEW(struct entry);
    n->engine = e;
    n->domain = memory_text(slice_of(domain));
    n->row = "ST-01";
    n->txt = STS_TXT_NONE;
    n->next = *at;
    *at = n;
    e->count++;
    return n;
}

static void keep(struct entry *n, struct slice encoded)
{
    free(n->kept);
    n->kept = encoded.len ? memory_array(encoded.len, 1) : NULL;
    n->kept_len = encoded.len;
    if (encoded.len)
        memcpy(n->kept, encoded.at, encoded.len);
}

/* The kept policy, copied into `arena`, if it still counts. */
static bool get_kept(const struct entry *n, struct arena *arena, struct sts_cached *out)
{
    struct slice copy;

    if (!n->kept)
        return false;
    copy = arena_copy(arena, slice(n->kept, n->kept_len));
    return sts_cached_decode(copy, arena, out) && (n->fetched || sts_cached_lives(out, clock_wall()));
}

/* --- a look: TXT record, perhaps a fetch --------------------------------------- */

struct look {
    struct entry *entry;
    struct arena arena;
    bool lives;                     /* `cached` counts */
    struct sts_cached cached;
    enum sts_txt txt;
    struct sts_record record;
    uint32_t ttl;
    enum sts_fetch fetch;
    struct slice text;              /* fetched */
    struct sts_policy policy;
    struct error problem;
};

/* False: the keeper did not say. */
static bool recall(struct entry *n)
{
    struct sts_engine *e = n->engine;
    auto_arena struct arena arena = { 0 };
    enum sts_recall answer = STS_NOTHING_KEPT;
    struct slice value;

    if (n->recalled)
        return true;
    arena_init(&arena, LOOK_ARENA_MAX);
    if (e->house.recall)
        answer = e->house.recall(e->self, n->domain, &arena, &value);
    if (answer == STS_RECALL_FAILED)
        return false;
    if (!n->recalled)
        keep(n, answer == STS_RECALLED ? value : slice("", 0));
    n->recalled = true;
    return true;
}

static void look_at_record(struct look *l)
{
    struct entry *n = l->entry;
    struct text_records texts;
    struct dns_answer answer;
    char name[DNS_NAME_MAX];

    snprintf(name, sizeof name, "_mta-sts.%s", n->domain);
    l->txt = STS_TXT_NONE;
    if (!dns_name_valid(name))
        return;
    resolver_ask(n->engine->settings.resolver, name, DNS_TXT, &l->arena, &answer);
    l->ttl = answer.ttl;
    if (answer.status == DNS_FAILED || answer.status == DNS_BOGUS) {
        l->txt = STS_TXT_ERROR;
        fail(&l->problem, E_STS_FETCH, "the TXT record of %s cannot be looked up: %s", name, answer.why);
        return;
    }
    if (!text_records_from(&answer, &l->arena, &texts)) {
        l->txt = STS_TXT_INVALID;
        fail(&l->problem, E_STS_FETCH, "the TXT records of %s are too large", name);
        return;
    }
    if (sts_record_find(texts.at, texts.count, &l->record, &l->problem)) {
        l->txt = STS_TXT_VALID;
        return;
    }
    l->txt = l->problem.code == E_NOT_FOUND ? STS_TXT_NONE : STS_TXT_INVALID;
    blame(&l->problem, "TXT %s", name);
}

/* RFC 8461 3.3: "https://mta-sts.DOMAIN/.well-known/mta-sts.txt". */
static bool get_policy(struct look *l, struct error *why)
{
    const struct sts_settings *s = &l->entry->engine->settings;
    struct https_request request = { .port = s->port, .path = "/.well-known/mta-sts.txt",
                                     .most = STS_POLICY_BYTES_MAX, .deadline = clock_now() + s->fetch_time };
    struct host_addresses found;
    struct https_reply reply;
    size_t allowed = 0;

    request.host = arena_text(&l->arena, "mta-sts.%s", l->entry->domain).at;
    if (!host_addresses_find(s->resolver, request.host, s->port, &l->arena, &found, why)) {
        if (why)
            why->code = E_STS_FETCH;
        return false;
    }
    for (size_t i = 0; i < found.count; i++)
        if (!s->address_allowed || s->address_allowed(&found.at[i]))
            found.at[allowed++] = found.at[i];
    if (allowed == 0)
        return fail(why, E_STS_FETCH, "%s has no address that may be asked", request.host);
    request.addresses = found.at;
    request.address_count = allowed;
    if (!https_get(s->https, &request, &l->arena, &reply, why))
        return blame(why, "https://%s", request.host);
    /* "3xx redirects MUST NOT be followed", and nothing but 200 is a policy (MTASTS-022). */
    if (reply.status != 200)
        return fail(why, E_STS_FETCH, "https://%s answers with HTTP status %d", request.host, reply.status);
    if (strcmp(reply.media_type, "text/plain") != 0)
        return fail(why, E_STS_INVALID, "https://%s: the policy is of type \"%s\", not text/plain", request.host,
                    reply.media_type);
    l->text = reply.body;
    return sts_policy_parse(reply.body, &l->arena, &l->policy, why) || blame(why, "https://%s", request.host);
}

static void fetch(struct look *l)
{
    struct error why = { 0 };

    if (get_policy(l, &why)) {
        l->fetch = STS_FETCH_VALID;
        return;
    }
    l->fetch = why.code == E_STS_WEBPKI ? STS_FETCH_WEBPKI : why.code == E_STS_INVALID ? STS_FETCH_INVALID
                                                                                       : STS_FETCH_FAILED;
    l->problem = why;
}

static uint64_t randomness(void)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint64_t)clock_now() * 0x9e3779b97f4a7c15u;
    return random;
}

static void store(struct look *l, const struct sts_cached *c)
{
    struct entry *n = l->entry;
    struct sts_engine *e = n->engine;
    auto_buf struct buf encoded = { 0 };

    buf_init(&encoded, 2 * STS_POLICY_BYTES_MAX);
    sts_cached_encode(c, &encoded);
    assert(!encoded.failed);
    keep(n, buf_slice(&encoded));
    if (e->house.remember)
        e->house.remember(e->self, n->domain, c->refresh < c->expires ? c->refresh : c->expires, buf_slice(&encoded));
}

static void drop(struct entry *n)
{
    struct sts_engine *e = n->engine;

    keep(n, slice("", 0));
    if (e->house.remember)
        e->house.remember(e->self, n->domain, TIME_NEVER, slice("", 0));
}

/* An expired policy goes only when no clock set wrong, here or when it was fetched, can be the reason. Until then it
 * stays where it is, and is not due. */
static void put_aside(struct entry *n)
{
    auto_arena struct arena arena = { 0 };
    struct sts_engine *e = n->engine;
    struct sts_cached cached;
    struct slice copy;

    arena_init(&arena, LOOK_ARENA_MAX);
    copy = arena_copy(&arena, slice(n->kept, n->kept_len));
    if (!sts_cached_decode(copy, &arena, &cached) || clock_wall() - cached.expires > KEPT_AFTER_MS)
        drop(n);
    else if (n->refresh && e->house.remember)
        e->house.remember(e->self, n->domain, cached.expires + KEPT_AFTER_MS, slice(n->kept, n->kept_len));
}

static void log_policy(const struct look *l, const struct sts_cached *c)
{
    struct log_line line = log_begin(LOG_LEVEL_INFO, "sts.policy");

    log_text(&line, "domain", l->entry->domain);
    log_text(&line, "mode", sts_mode_name(c->policy.mode));
    log_text(&line, "id", c->id);
    log_number(&line, "max-age", c->policy.max_age);
    log_number(&line, "mx", (int64_t)c->policy.mx_count);
    log_end(&line);
}

/* What went wrong is told once for each look; loudly where a policy depends on it (MTASTS-082). */
static void log_problem(const struct look *l, const struct sts_effect *effect)
{
    bool matters = l->lives && l->cached.policy.mode != STS_MODE_NONE;

    if (effect->report == E_NONE)
        return;
    log_say(matters ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, matters ? "sts.refresh-failed" : "sts.failed", &l->problem,
            "%s: %s", l->entry->domain,
            l->lives ? "the policy that is kept stays in force until it expires" : "there is no policy to apply");
}

/* Only what this very fetch came to: what is remembered of an earlier one was told then. */
static void tell_failure(const struct look *l, const struct sts_effect *effect)
{
    const struct sts_engine *e = l->entry->engine;
    struct error why = l->problem;

    if (effect->report == E_NONE || l->fetch == STS_FETCH_NOT_TRIED || !e->house.failed)
        return;
    why.code = effect->report;
    e->house.failed(e->self, l->entry->domain, &why, l->lives ? &l->cached : NULL);
}

static void apply(struct look *l, const struct sts_effect *effect)
{
    struct entry *n = l->entry;
    time_ms wall = clock_wall();

    if (effect->use == STS_USE_FETCHED) {
        struct sts_cached fresh = { 0 };

        sts_cached_set(&fresh, l->txt == STS_TXT_VALID ? l->record.id : l->cached.id, l->text, &l->policy, wall,
                       randomness());
        store(l, &fresh);
        log_policy(l, &fresh);
        n->fetched = true;
        n->failed_id[0] = '\0';
        n->back_off = 0;
        return;
    }
    if (l->fetch != STS_FETCH_NOT_TRIED) {
        memcpy(n->failed_id, l->record.id, sizeof n->failed_id);
        n->back_off = wall + BACK_OFF_MS;
    }
    if (l->fetch != STS_FETCH_NOT_TRIED && l->lives) {
        l->cached.failed = wall;
        l->cached.refresh = wall + REFRESH_AGAIN_MS;
        store(l, &l->cached);
    } else if (n->kept && !l->lives) {
        put_aside(n);
    }
}

static time_ms next_check(const struct look *l)
{
    time_ms after = SECONDS((time_ms)l->ttl);

    if (l->txt == STS_TXT_ERROR)
        return clock_now() + CHECK_FAILED_MS;
    if (l->fetch != STS_FETCH_NOT_TRIED && l->fetch != STS_FETCH_VALID && after > BACK_OFF_MS)
        after = BACK_OFF_MS;
    return clock_now() + (after < CHECK_LEAST_MS ? CHECK_LEAST_MS : after > CHECK_MOST_MS ? CHECK_MOST_MS : after);
}

static void look(struct look *l)
{
    struct entry *n = l->entry;
    struct sts_effect effect;
    time_ms wall = clock_wall(), back_off;

    if (!recall(n)) {
        n->defer = true;
        fail(&n->problem, E_STORAGE, "the store does not say whether a policy of %s is kept", n->domain);
        return;         /* and n->check stays: the next one asks again */
    }
    n->fetched = false;
    l->lives = get_kept(n, &l->arena, &l->cached);
    look_at_record(l);
    back_off = strcmp(n->failed_id, l->record.id) == 0 ? n->back_off : 0;
    if ((n->refresh && l->lives) || sts_must_fetch(l->txt, l->record.id, l->lives ? &l->cached : NULL, wall, back_off)) {
        n->fetching = clock_now();
        gate_open_all(&n->looked);      /* from now on patience counts */
        fetch(l);
    }
    if (fiber_is_cancelled())
        return;
    effect = sts_effective(l->txt, l->fetch, l->lives ? &l->cached : NULL,
                           l->fetch == STS_FETCH_VALID ? &l->policy : NULL, n->engine->settings.defer_on_error, wall);
    log_problem(l, &effect);
    tell_failure(l, &effect);
    apply(l, &effect);
    n->txt = l->txt;
    memcpy(n->id, l->record.id, sizeof n->id);
    n->row = effect.row;
    n->defer = effect.use == STS_USE_DEFER;
    if (effect.report == E_NONE || l->problem.code != E_NONE)
        n->problem = l->problem;    /* else what the fetch said that is not repeated yet (MTASTS-026) */
    n->problem.code = effect.report;
    n->check = n->recalled ? next_check(l) : 0;    /* 0: somebody else has changed what is kept (sts_forget) */
}

static void run_look(void *arg)
{
    struct look *l = arg;
    struct entry *n = l->entry;
    struct sts_engine *e = n->engine;

    look(l);
    n->looker = NULL;
    n->fetching = 0;
    n->refresh = false;
    arena_done(&l->arena);
    free(l);
    gate_open_all(&n->looked);
    if (--e->busy == 0 && e->stopped && e->house.idle)
        e->house.idle(e->self);
}

static void start_look(struct entry *n)
{
    struct look *l;

    if (n->looker || n->engine->stopped)
        return;
    l = NEW(struct look);
    l->entry = n;
    arena_init(&l->arena, LOOK_ARENA_MAX);
    n->engine->busy++;
    n->looker = fiber_start("sts", run_look, l);
}

/* --- asking ---------------------------------------------------------------------- */

static const struct sts_pin *pin_of(const struct sts_engine *e, const char *domain)
{
    for (size_t i = 0; i < e->settings.pin_count; i++)
        if (slice_equal_nocase(slice_of(e->settings.pins[i].domain), slice_of(domain)))
            return &e->settings.pins[i];
    return NULL;
}

static void show(const struct entry *n, struct arena *arena, struct sts_view *out)
{
    const struct sts_pin *pin = pin_of(n->engine, n->domain);
    struct sts_cached cached;

    *out = (struct sts_view){ .row = n->row, .txt = n->txt, .defer = n->defer, .problem = n->problem };
    memcpy(out->id, n->id, sizeof out->id);
    if (get_kept(n, arena, &cached)) {
        struct sts_policy *policy = arena_take(arena, sizeof *policy);

        if (policy)
            *policy = cached.policy;
        out->policy = policy;
        out->text = cached.text;
        out->fetched = cached.fetched;
        out->expires = cached.expires;
        out->defer = false;
    } else if (pin) {
        out->policy = pin->policy;
        out->row = "pin";
        out->defer = false;
    }
}

void sts_find(struct sts_engine *e, const char *domain, bool anew, struct arena *arena, struct sts_view *out)
{
    struct entry *n = get_entry(e, domain);
    time_ms deadline = TIME_NEVER;
    enum wake wake = FIBER_WOKEN;

    if (anew) {
        n->check = 0;
        n->back_off = 0;
    }
    if (clock_now() >= n->check)
        start_look(n);
    n->waiters++;
    while (n->looker && wake == FIBER_WOKEN) {
        if (n->fetching)
            deadline = n->fetching + e->settings.patience;
        wake = gate_wait(&n->looked, deadline);
    }
    n->waiters--;
    show(n, arena, out);
    if (wake == FIBER_TIMED_OUT && !out->policy) {
        out->row = "ST-06";
        fail(&out->problem, E_STS_FETCH, "the policy of %s did not come in time", domain);
    }
    /* Nothing may be concluded from what was not heard to its end. */
    if (wake == FIBER_CANCELLED || arena->failed)
        out->defer = true;
    out->unknown = !out->policy && out->problem.code != E_NONE;
}

void sts_refresh(struct sts_engine *e, const char *domain, struct slice kept)
{
    struct entry *n = get_entry(e, domain);

    if (!n->recalled && !n->looker) {
        keep(n, kept);
        n->recalled = true;
    }
    n->refresh = true;
    start_look(n);
}

static void forget_entry(struct entry *n)
{
    n->recalled = false;
    n->check = 0;
}

void sts_forget(struct sts_engine *e, const char *domain)
{
    struct entry *only = domain ? find_entry(e, domain) : NULL;

    if (only)
        forget_entry(only);
    for (size_t i = 0; !domain && i < BUCKETS; i++)
        for (struct entry *n = e->buckets[i]; n; n = n->next)
            forget_entry(n);
}

void sts_engine_stop(struct sts_engine *e)
{
    e->stopped = true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *n = e->buckets[i]; n; n = n->next)
            if (n->looker)
                fiber_cancel(n->looker);
}

void sts_engine_free(struct sts_engine *e)
{
    if (!e)
        return;
    assert(e->busy == 0);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (e->buckets[i]) {
            struct entry *n = e->buckets[i];

            e->buckets[i] = n->next;
            entry_free(n);
        }
    }
    free(e);
}
