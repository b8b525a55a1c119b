#include "serve/report_maker.h"

#include "base/memory.h"

enum { ARENA_MAX = 32 * 1024 * 1024, POLICIES_MAX = 1024 };

static void add_tally(void *arg, const struct tally *t)
{
    struct made_report *r = arg;
    auto_arena struct arena scratch = { 0 };
    struct report_tally one;

    arena_init(&scratch, 8 * 1024);
    if (report_tally_decode(t->key, &scratch, &one))
        build_add(r->build, &one, t->count);
}

static bool add_policies(const struct report_source *from, struct made_report *r, struct error *why)
{
    auto_free uint64_t *ids = memory_array(POLICIES_MAX, sizeof *ids);
    size_t count = build_policies(r->build, ids, POLICIES_MAX);

    for (size_t i = 0; i < count && i < POLICIES_MAX; i++) {
        struct report_policy *p = arena_take(&r->arena, sizeof *p);
        char key[REPORT_POLICY_KEY_MAX];
        struct slice value;

        if (!from->policy(from->self, report_policy_key(ids[i], key), &r->arena, &value, why))
            return false;
        if (p && !slice_empty(value) && report_policy_decode(value, &r->arena, p))
            build_policy(r->build, ids[i], p);
    }
    return !r->arena.failed || fail(why, E_LIMIT, "the policies of a day are too large");
}

bool report_make(const struct report_source *from, const struct config *c, const char *domain, uint32_t day,
                 struct made_report *out, struct error *why)
{
    const struct report_author author = { c->report.organization ? c->report.organization : c->hostname,
                                          c->report.contact ? c->report.contact : c->postmaster };
    auto_buf struct buf prefix = { 0 };

    *out = (struct made_report){ .build = build_new(domain, day) };
    arena_init(&out->arena, ARENA_MAX);
    buf_init(&prefix, TALLY_KEY_MAX);
    report_tally_prefix(domain, &prefix);
    if (from->tallies(from->self, day, buf_slice(&prefix), add_tally, out, why) && add_policies(from, out, why) &&
        build_end(out->build, &author, c->report.failures_only, &out->report, why))
        return true;
    report_unmake(out);
    return false;
}

void report_unmake(struct made_report *r)
{
    build_free(r->build);
    r->build = NULL;
    arena_done(&r->arena);
}

uint64_t report_sessions(const struct report *r, uint64_t *failures)
{
    uint64_t sessions = 0;

    *failures = 0;
    for (size_t i = 0; i < r->entry_count; i++) {
        sessions += r->entries[i].successes + r->entries[i].failures;
        *failures += r->entries[i].failures;
    }
    return sessions;
}
