/* Rows ST-01 to ST-09 of the truth table, walked over all inputs; and when to fetch. */
#include "tests/test.h"

#include "policy/mta_sts.h"

#define NOW DAYS(20000)
#define MAX_AGE 604800

/* --- the inputs ------------------------------------------------------------------------- */

/* What is cached, by name: what it must count as is in the second column. */
enum counts { COUNTS_NOT = 1, COUNTS_POLICY = 2, COUNTS_NONE = 4 };
static const struct {
    bool there;
    enum sts_mode mode;
    time_ms fetched;
    enum counts counts;
} caches[] = {
    { false, STS_MODE_NONE, 0, COUNTS_NOT },
    { true, STS_MODE_ENFORCE, NOW, COUNTS_POLICY },
    { true, STS_MODE_TESTING, NOW, COUNTS_POLICY },
    { true, STS_MODE_NONE, NOW, COUNTS_NONE },
    { true, STS_MODE_ENFORCE, NOW - SECONDS(MAX_AGE) + 1, COUNTS_POLICY },
    { true, STS_MODE_NONE, NOW - SECONDS(MAX_AGE) + 1, COUNTS_NONE },
    { true, STS_MODE_ENFORCE, NOW - SECONDS(MAX_AGE), COUNTS_NOT },
    { true, STS_MODE_NONE, NOW - SECONDS(MAX_AGE), COUNTS_NOT },
    { true, STS_MODE_ENFORCE, NOW + DAYS(1), COUNTS_POLICY },
    { true, STS_MODE_ENFORCE, NOW + DAYS(1) + 1, COUNTS_NOT },      /* the clock went back (MTASTS-084) */
    { true, STS_MODE_NONE, NOW + DAYS(300), COUNTS_NOT },
};
enum { CACHES = sizeof caches / sizeof *caches };

static const struct sts_cached *cache_of(size_t i)
{
    static struct sts_cached c;
    struct sts_policy policy = { .mode = caches[i].mode, .max_age = MAX_AGE };

    if (!caches[i].there)
        return NULL;
    sts_cached_set(&c, "same", SLICE("-"), &policy, caches[i].fetched, 0);
    return &c;
}

/* --- the table ---------------------------------------------------------------------------- */

enum { ALL = ~0 };
#define TXT(name) (1 << STS_TXT_##name)
#define FETCH(name) (1 << STS_FETCH_##name)
#define NO_POLICY (FETCH(NOT_TRIED) | FETCH(FAILED) | FETCH(WEBPKI) | FETCH(INVALID))

enum report { NOTHING, FETCH_ERROR, OF_THE_FETCH };
static const struct row {
    const char *name;
    int txt, fetch, cached;
    int use;
    enum report report;
} rows[] = {
    { "ST-01", TXT(NONE) | TXT(INVALID), ALL, COUNTS_NOT, STS_USE_NOTHING, NOTHING },
    { "ST-02", TXT(NONE) | TXT(INVALID), NO_POLICY, COUNTS_POLICY, STS_USE_CACHED, FETCH_ERROR },
    { "ST-03", TXT(VALID), FETCH(NOT_TRIED), COUNTS_POLICY, STS_USE_CACHED, NOTHING },
    { "ST-04", TXT(VALID), FETCH(VALID), ALL, STS_USE_FETCHED, NOTHING },
    { "ST-04", ALL & ~TXT(VALID), FETCH(VALID), COUNTS_POLICY | COUNTS_NONE, STS_USE_FETCHED, NOTHING },    /* MTASTS-081 */
    { "ST-05", TXT(VALID), NO_POLICY & ~FETCH(NOT_TRIED), COUNTS_POLICY, STS_USE_CACHED, OF_THE_FETCH },
    { "ST-06", TXT(VALID), NO_POLICY, COUNTS_NOT, STS_USE_NOTHING, OF_THE_FETCH },
    { "ST-07", TXT(ERROR), NO_POLICY, COUNTS_POLICY, STS_USE_CACHED, FETCH_ERROR },
    { "ST-08", TXT(ERROR), ALL, COUNTS_NOT, STS_USE_NOTHING, FETCH_ERROR },     /* or defer */
    { "ST-09", ALL, NO_POLICY, COUNTS_NONE, STS_USE_NOTHING, NOTHING },
};

static const struct row *row_of(int txt, int fetch, enum counts cached)
{
    const struct row *found = NULL;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((rows[i].txt & 1 << txt) && (rows[i].fetch & 1 << fetch) && (rows[i].cached & (int)cached)) {
            CHECK(!found);
            found = &rows[i];
        }
    CHECK(found);
    return found;
}

static enum error_code report_of(enum report report, enum sts_fetch fetch)
{
    static const enum error_code of_fetch[] = {
        [STS_FETCH_NOT_TRIED] = E_STS_FETCH, [STS_FETCH_FAILED] = E_STS_FETCH,
        [STS_FETCH_WEBPKI] = E_STS_WEBPKI, [STS_FETCH_INVALID] = E_STS_INVALID,
    };

    return report == NOTHING ? E_NONE : report == FETCH_ERROR ? E_STS_FETCH : of_fetch[fetch];
}

static void check_tuple(enum sts_txt txt, enum sts_fetch fetch, size_t cache, enum sts_mode fetched_mode, bool defer)
{
    const struct sts_policy fetched = { .mode = fetched_mode, .max_age = MAX_AGE };
    const struct row *row = row_of((int)txt, (int)fetch, caches[cache].counts);
    struct sts_effect e = sts_effective(txt, fetch, cache_of(cache), fetch == STS_FETCH_VALID ? &fetched : NULL, defer, NOW);
    int use = strcmp(row->name, "ST-08") == 0 && defer ? STS_USE_DEFER : row->use;

    if (strcmp(e.row, row->name) != 0 || (int)e.use != use || e.report != report_of(row->report, fetch))
        fail_msg("txt %d fetch %d cache %zu defer %d: %s use %d report %s, expected %s use %d report %s", (int)txt,
                 (int)fetch, cache, defer, e.row, (int)e.use, error_name(e.report), row->name, use,
                 error_name(report_of(row->report, fetch)));
}

TEST(every_input_has_the_effect_of_its_row)
{
    for (int txt = STS_TXT_VALID; txt <= STS_TXT_ERROR; txt++)
        for (int fetch = STS_FETCH_NOT_TRIED; fetch <= STS_FETCH_INVALID; fetch++)
            for (size_t cache = 0; cache < CACHES; cache++)
                for (int mode = STS_MODE_NONE; mode <= STS_MODE_ENFORCE; mode++)
                    for (int defer = 0; defer < 2; defer++)
                        check_tuple((enum sts_txt)txt, (enum sts_fetch)fetch, cache, (enum sts_mode)mode, defer);
}

/* MTASTS-010, -028, -083: whatever TXT and fetch come to, but for a valid new policy. */
TEST(an_unexpired_policy_in_force_is_never_lost)
{
    for (int txt = STS_TXT_VALID; txt <= STS_TXT_ERROR; txt++)
        for (int fetch = STS_FETCH_NOT_TRIED; fetch <= STS_FETCH_INVALID; fetch++)
            for (int defer = 0; defer < 2; defer++)
                if (fetch != STS_FETCH_VALID)
                    CHECK_ID("MTASTS-010", sts_effective((enum sts_txt)txt, (enum sts_fetch)fetch, cache_of(1), NULL,
                                                         defer, NOW).use == STS_USE_CACHED);
}

TEST(a_fetch_said_to_be_valid_without_a_policy_is_a_failure)
{
    CHECK(sts_effective(STS_TXT_VALID, STS_FETCH_VALID, NULL, NULL, false, NOW).use == STS_USE_NOTHING);
    CHECK_EQUAL(sts_effective(STS_TXT_VALID, STS_FETCH_VALID, NULL, NULL, false, NOW).report, E_STS_FETCH);
    CHECK(sts_effective(STS_TXT_VALID, STS_FETCH_VALID, cache_of(1), NULL, false, NOW).use == STS_USE_CACHED);
}

/* --- when to fetch --------------------------------------------------------------------------- */

TEST(only_a_valid_record_leads_to_a_fetch)
{
    CHECK(sts_must_fetch(STS_TXT_VALID, "same", NULL, NOW, 0));
    CHECK(!sts_must_fetch(STS_TXT_NONE, NULL, NULL, NOW, 0));
    CHECK(!sts_must_fetch(STS_TXT_INVALID, NULL, NULL, NOW, 0));
    CHECK(!sts_must_fetch(STS_TXT_ERROR, NULL, NULL, NOW, 0));
    CHECK(!sts_must_fetch(STS_TXT_NONE, NULL, cache_of(1), NOW, 0));
}

TEST(a_policy_of_the_same_id_is_fetched_again_only_when_it_no_longer_lives)
{
    for (size_t i = 0; i < CACHES; i++) {
        CHECK_EQUAL(sts_must_fetch(STS_TXT_VALID, "same", cache_of(i), NOW, 0), caches[i].counts == COUNTS_NOT);
        CHECK(sts_must_fetch(STS_TXT_VALID, "other", cache_of(i), NOW, 0));
    }
}

/* MTASTS-009 */
TEST(ids_are_compared_for_equality_only)
{
    CHECK(sts_must_fetch(STS_TXT_VALID, "Same", cache_of(1), NOW, 0));
    CHECK(sts_must_fetch(STS_TXT_VALID, "sam", cache_of(1), NOW, 0));
    CHECK(sts_must_fetch(STS_TXT_VALID, "same1", cache_of(1), NOW, 0));
    CHECK(sts_must_fetch(STS_TXT_VALID, "0", cache_of(1), NOW, 0));
}

/* MTASTS-026 */
TEST(after_a_failure_nothing_is_fetched_for_a_while)
{
    CHECK(!sts_must_fetch(STS_TXT_VALID, "other", cache_of(1), NOW, NOW + MINUTES(5)));
    CHECK(!sts_must_fetch(STS_TXT_VALID, "other", NULL, NOW, NOW + 1));
    CHECK(sts_must_fetch(STS_TXT_VALID, "other", NULL, NOW, NOW));
    CHECK(sts_must_fetch(STS_TXT_VALID, "other", NULL, NOW, NOW - MINUTES(5)));
}

TEST(a_back_off_from_before_the_clock_went_back_is_disregarded)
{
    CHECK(!sts_must_fetch(STS_TXT_VALID, "other", NULL, NOW, NOW + DAYS(1)));
    CHECK(sts_must_fetch(STS_TXT_VALID, "other", NULL, NOW, NOW + DAYS(1) + 1));
    CHECK(sts_must_fetch(STS_TXT_VALID, "other", NULL, NOW, NOW + DAYS(400)));
}
