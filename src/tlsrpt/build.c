#include "tlsrpt/build.h"

#include "base/memory.h"
#include "tlsrpt/build_tuples.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { FULL_POLICIES = 10, FEW_TUPLES = REPORT_TUPLES_MAX / 10 };

struct counted {                    /* under one policy */
    uint64_t id;
    const struct report_policy *policy;     /* NULL: its text was not given */
    uint64_t successes, failures;
    struct tuples tuples;
};

struct report_build {
    char *domain;
    uint32_t day;
    struct counted *counted;
    size_t count, room;
    struct report_policy none;      /* no-policy-found of the domain */
    struct report_entry *entries;
    char *organization, *contact, *id;
};

struct report_build *build_new(const char *domain, uint32_t day)
{
    struct report_build *b = NEW(struct report_build);

    b->domain = memory_text(slice_of(domain));
    b->day = day;
    b->none = (struct report_policy){ .type = POLICY_NONE_FOUND, .domain = b->domain };
    return b;
}

void build_free(struct report_build *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++)
        tuples_done(&b->counted[i].tuples);
    free(b->counted);
    free(b->entries);
    free(b->organization);
    free(b->contact);
    free(b->id);
    free(b->domain);
    free(b);
}

/* --- counting -------------------------------------------------------------------- */

/* From the last on: keys come in order, so that it is the one. */
static struct counted *find(const struct report_build *b, uint64_t id)
{
    for (size_t i = b->count; i > 0; i--)
        if (b->counted[i - 1].id == id)
            return &b->counted[i - 1];
    return NULL;
}

static struct counted *add(struct report_build *b, uint64_t id)
{
    struct counted *c;

    if (b->count == b->room) {
        b->room = b->room ? 2 * b->room : 2;
        b->counted = memory_grow(b->counted, b->room, sizeof *b->counted);
    }
    c = &b->counted[b->count++];
    *c = (struct counted){ .id = id, .policy = id == REPORT_POLICY_NONE ? &b->none : NULL };
    tuples_init(&c->tuples, id == REPORT_POLICY_NONE || b->count <= FULL_POLICIES ? REPORT_TUPLES_MAX : FEW_TUPLES);
    return c;
}

/* May move the others. */
static struct counted *find_or_add(struct report_build *b, uint64_t id)
{
    struct counted *c = find(b, id);

    if (!c && id != REPORT_POLICY_NONE && b->count >= REPORT_POLICIES_MAX)
        return find_or_add(b, REPORT_POLICY_NONE);
    return c ? c : add(b, id);
}

void build_add(struct report_build *b, const struct report_tally *t, uint64_t count)
{
    struct counted *c;

    assert(!b->entries);
    if (count == 0)
        return;
    c = find_or_add(b, t->policy);
    if (slice_empty(slice_of(t->result_type))) {
        c->successes = count_sum(c->successes, count);
    } else {
        c->failures = count_sum(c->failures, count);
        tuples_add(&c->tuples, t, count);
    }
}

/* --- policies ----------------------------------------------------------------------- */

size_t build_policies(const struct report_build *b, uint64_t *ids, size_t most)
{
    size_t wanted = 0;

    for (size_t i = 0; i < b->count; i++)
        if (!b->counted[i].policy && wanted++ < most)
            ids[wanted - 1] = b->counted[i].id;
    return wanted;
}

void build_policy(struct report_build *b, uint64_t id, const struct report_policy *p)
{
    struct counted *c = find(b, id);

    if (c && id != REPORT_POLICY_NONE)
        c->policy = p;
}

static void move(struct counted *from, struct counted *to)
{
    to->successes = count_sum(to->successes, from->successes);
    to->failures = count_sum(to->failures, from->failures);
    tuples_move(&from->tuples, &to->tuples);
    from->successes = from->failures = 0;
}

static void gather_nameless(struct report_build *b)
{
    struct counted *none = find_or_add(b, REPORT_POLICY_NONE);

    for (size_t i = 0; i < b->count; i++)
        if (!b->counted[i].policy)
            move(&b->counted[i], none);
}

/* --- the report ---------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    const struct counted *a = left, *b = right;
    int order;

    if (!a->policy || !b->policy)       /* nothing is left of these */
        return !a->policy - !b->policy;
    if (a->policy->type != b->policy->type)
        return a->policy->type < b->policy->type ? -1 : 1;
    order = strcmp(a->policy->domain, b->policy->domain);
    return order ? order : a->id < b->id ? -1 : a->id > b->id;
}

static bool has_sessions(const struct counted *c)
{
    return c->successes > 0 || c->failures > 0;
}

static void make_entries(struct report_build *b, struct report *out)
{
    b->entries = memory_array(b->count + 1, sizeof *b->entries);
    for (size_t i = 0; i < b->count; i++) {
        struct counted *c = &b->counted[i];

        if (!has_sessions(c))
            continue;
        tuples_finish(&c->tuples);
        b->entries[out->entry_count++] = (struct report_entry){
            .policy = *c->policy, .type_text = "", .successes = c->successes, .failures = c->failures,
            .details = c->tuples.at, .detail_count = c->tuples.count };
    }
    out->entries = b->entries;
}

/* What a Message-ID may hold unquoted (RFC 5322 3.6.4). */
static void put_name(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_byte(out, byte_is_alpha(*name) || byte_is_digit(*name) || *name == '.' || *name == '_' ? *name : '-');
}

/* "20261121.example.net.0123456789abcdef@example.org": the same whenever the report is made anew, and another one
 * for another author at the same domain (TLSRPT-033). */
static char *make_id(const struct report_build *b, const struct report *r)
{
    const char *submitter = report_submitter(r);
    char date[CLOCK_TEXT_MAX];
    auto_buf struct buf text;
    uint64_t hash;

    buf_init(&text, 8192);
    buf_block(&text, slice_of(r->organization));
    buf_block(&text, slice_of(r->contact));
    buf_block(&text, slice_of(b->domain));
    buf_u32(&text, b->day);
    hash = report_hash(buf_slice(&text));
    buf_clear(&text);
    clock_iso_date(r->begin, date);
    buf_text(&text, "%.4s%.2s%.2s.", date, date + 5, date + 8);
    put_name(&text, b->domain);
    buf_text(&text, ".%016" PRIx64 "@", hash);
    put_name(&text, submitter[0] ? submitter : "localhost");
    return memory_text(buf_slice(&text));
}

static void sign(struct report_build *b, const struct report_author *author, struct report *r)
{
    r->organization = b->organization = memory_text(slice_of(author->organization));
    r->contact = b->contact = memory_text(slice_of(author->contact));
    r->begin = DAYS(b->day);
    r->end = DAYS(b->day + 1LL) - SECONDS(1);
    r->id = b->id = make_id(b, r);
}

bool build_end(struct report_build *b, const struct report_author *author, bool failures_only, struct report *out,
               struct error *why)
{
    struct report r = { 0 };
    bool any = false, failed = false;

    assert(!b->entries);
    for (size_t i = 0; i < b->count; i++) {
        any |= has_sessions(&b->counted[i]);
        failed |= b->counted[i].failures > 0;
    }
    if (!any)
        return fail(why, E_NOT_FOUND, "there was no session for %s to report", b->domain);
    if (failures_only && !failed)
        return fail(why, E_NOT_FOUND, "no session for %s failed", b->domain);
    gather_nameless(b);
    qsort(b->counted, b->count, sizeof *b->counted, compare);
    make_entries(b, &r);
    sign(b, author, &r);
    *out = r;
    return true;
}
