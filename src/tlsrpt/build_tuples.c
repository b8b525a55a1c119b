#include "tlsrpt/build_tuples.h"

#include "base/memory.h"

#include <stdlib.h>

uint64_t count_sum(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

void tuples_init(struct tuples *t, size_t most)
{
    *t = (struct tuples){ .most = most };
}

static void drop_from(struct tuples *t, size_t first)
{
    for (size_t i = first; i < t->count; i++)
        free((char *)t->at[i].result_type);
    if (first < t->count)
        t->count = first;
}

void tuples_done(struct tuples *t)
{
    drop_from(t, 0);
    free(t->at);
    *t = (struct tuples){ 0 };
}

/* --- order ---------------------------------------------------------------------- */

static int compare_words(const void *left, const void *right)
{
    const struct report_failure *a = left, *b = right;
    int order = strcmp(a->result_type, b->result_type);

    order = order ? order : strcmp(a->mx, b->mx);
    order = order ? order : strcmp(a->receiving_ip, b->receiving_ip);
    order = order ? order : strcmp(a->sending_ip, b->sending_ip);
    order = order ? order : strcmp(a->helo, b->helo);
    return order ? order : strcmp(a->reason, b->reason);
}

static int compare_counts(const void *left, const void *right)
{
    const struct report_failure *a = left, *b = right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return compare_words(left, right);
}

static void sort(struct tuples *t, int (*compare)(const void *left, const void *right))
{
    if (t->count > 1)
        qsort(t->at, t->count, sizeof *t->at, compare);
}

static void merge_equal(struct tuples *t)
{
    size_t kept = 0;

    sort(t, compare_words);
    for (size_t i = 0; i < t->count; i++) {
        if (kept > 0 && compare_words(&t->at[kept - 1], &t->at[i]) == 0) {
            t->at[kept - 1].count = count_sum(t->at[kept - 1].count, t->at[i].count);
            free((char *)t->at[i].result_type);
        } else {
            t->at[kept++] = t->at[i];
        }
    }
    t->count = kept;
}

/* The `most` most frequent stay. */
static void shrink(struct tuples *t, size_t most)
{
    merge_equal(t);
    sort(t, compare_counts);
    for (size_t i = most; i < t->count; i++)
        t->rest = count_sum(t->rest, t->at[i].count);
    drop_from(t, most);
}

/* --- adding --------------------------------------------------------------------------- */

static void append(struct tuples *t, const struct report_failure *f)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 4;
        t->at = memory_grow(t->at, t->room, sizeof *t->at);
    }
    t->at[t->count++] = *f;
}

static void insert(struct tuples *t, const struct report_failure *f)
{
    if (t->count >= 2 * t->most)
        shrink(t, t->most);
    append(t, f);
}

static bool is_rest(const struct report_failure *f)
{
    return strcmp(f->result_type, REPORT_REST_TYPE) == 0 && strcmp(f->reason, REPORT_REST_REASON) == 0 &&
           !f->mx[0] && !f->helo[0] && !f->sending_ip[0] && !f->receiving_ip[0];
}

static const char *put(char **at, const char *text)
{
    const char *here = *at;

    *at = stpcpy(*at, text ? text : "") + 1;
    return here;
}

static struct report_failure failure_of(const struct report_tally *t, uint64_t count)
{
    size_t size = slice_of(t->result_type).len + slice_of(t->sending_ip).len + slice_of(t->receiving_ip).len +
                  slice_of(t->mx).len + slice_of(t->helo).len + slice_of(t->reason).len + 6;
    char *block = memory_new(size);
    struct report_failure f = { .information = "", .count = count };

    f.result_type = put(&block, t->result_type);
    f.sending_ip = put(&block, t->sending_ip);
    f.receiving_ip = put(&block, t->receiving_ip);
    f.mx = put(&block, t->mx);
    f.helo = put(&block, t->helo);
    f.reason = put(&block, t->reason);
    return f;
}

void tuples_add(struct tuples *t, const struct report_tally *tally, uint64_t count)
{
    struct report_failure f = failure_of(tally, count);

    if (is_rest(&f)) {
        t->rest = count_sum(t->rest, count);
        free((char *)f.result_type);
    } else {
        insert(t, &f);
    }
}

void tuples_move(struct tuples *from, struct tuples *to)
{
    for (size_t i = 0; i < from->count; i++)
        insert(to, &from->at[i]);
    to->rest = count_sum(to->rest, from->rest);
    from->count = 0;
    from->rest = 0;
}

void tuples_finish(struct tuples *t)
{
    static const struct report_tally rest = { .result_type = REPORT_REST_TYPE, .reason = REPORT_REST_REASON };

    shrink(t, t->most);
    if (t->rest > 0 && t->count == t->most)
        shrink(t, t->most - 1);         /* the rest is a kind as well */
    if (t->rest > 0) {
        const struct report_failure f = failure_of(&rest, t->rest);

        append(t, &f);
        sort(t, compare_counts);
    }
}
