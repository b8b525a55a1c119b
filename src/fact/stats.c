#include "fact/stats.h"

#include "base/memory.h"
#include "fact/count.h"
#include "fact/key.h"
#include "fact/stats_inside.h"
#include "fact/visit.h"

#include <assert.h>
#include <search.h>
#include <strings.h>

enum { DECODED_MAX = 4096 };

/* --- the table of one direction ------------------------------------------------- */

static int by_domain(const void *one, const void *other)
{
    return strcmp(((const struct stats_row *)one)->domain, ((const struct stats_row *)other)->domain);
}

static struct stats_row *new_row(enum stats_row_kind kind, const char *domain)
{
    struct stats_row *row = NEW(struct stats_row);

    row->kind = kind;
    row->domain = memory_text(slice_of(domain));
    row->domains = kind == STATS_DOMAIN;
    return row;
}

static void free_row(struct stats_row *row)
{
    if (row)
        free((char *)row->domain);
    free(row);
}

/* The keys of one domain come together: most often it is the row of last time. A tree, for strangers choose the names. */
static struct stats_row *find_row(struct table *t, const char *domain)
{
    const struct stats_row wanted = { .domain = domain };
    struct stats_row **found;

    if (strcmp(domain, KEY_OTHERS) == 0)
        return t->unnamed;
    if (t->latest && strcmp(t->latest->domain, domain) == 0)
        return t->latest;
    found = tfind(&wanted, &t->tree, by_domain);
    if (found)
        return t->latest = *found;
    if (t->count == STATS_ROWS_MAX)
        return t->unnamed;
    t->latest = new_row(STATS_DOMAIN, domain);
    if (t->count == t->room) {
        t->room = 2 * t->room + 64;
        t->rows = memory_grow(t->rows, t->room, sizeof *t->rows);
    }
    t->rows[t->count++] = t->latest;
    tsearch(t->latest, &t->tree, by_domain);
    return t->latest;
}

static void keep(void *row)
{
}

/* --- life -------------------------------------------------------------------------- */

struct stats *stats_new(const struct stats_want *w)
{
    struct stats *s = NEW(struct stats);

    assert(w->since <= w->until && w->until - w->since < STATS_DAYS_MAX);
    s->want = *w;
    arena_init(&s->decoded, DECODED_MAX);
    for (int d = 0; d < STATS_DIRECTIONS; d++) {
        s->tables[d].unnamed = new_row(STATS_UNNAMED, "");
        s->tables[d].days = memory_array(w->until - w->since + 1, sizeof(struct stats_brief));
        s->tables[d].side.days = s->tables[d].days;
    }
    return s;
}

static void free_rows(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free_row(t->rows[i]);
    t->count = 0;
    free_row(t->unnamed);
    t->unnamed = NULL;
}

static void done(struct table *t)
{
    tdestroy(t->tree, keep);
    free_rows(t);
    free(t->rows);
    free_row(t->beyond);
    free_row(t->few);
    free(t->days);
    free(t->shown);
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    for (int d = 0; d < STATS_DIRECTIONS; d++)
        done(&s->tables[d]);
    for (size_t i = 0; i < s->group_count; i++)
        free(s->groups[i]);
    arena_done(&s->decoded);
    free(s);
}

uint32_t stats_first_day(const struct stats_want *w)
{
    uint32_t length = w->until - w->since + 1;

    return w->since > length ? w->since - length : 0;
}

/* --- counting ------------------------------------------------------------------------ */

/* One message, or many that had all of this in common. */
struct happening {
    enum stats_direction direction;
    const char *domain;
    bool failed, encrypted;
    enum authentication authentication;
    enum tls_version version;
    const char *group;
};

uint64_t stats_authenticated(const struct stats_sum *s)
{
    uint64_t sum = 0;

    for (int a = AUTHENTICATED_NOT + 1; a < AUTHENTICATIONS; a++)
        count_add(&sum, s->authentication[a]);
    return sum;
}

static size_t group_number(struct stats *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->group_count; i++)
        if (strcmp(s->groups[i], name) == 0)
            return i;
    if (i == STATS_GROUPS_MAX - 1)      /* the last place is for all others */
        return i;
    s->groups[s->group_count++] = memory_text(slice_of(name));
    return i;
}

static void add_to_sum(struct stats *s, struct stats_sum *sum, const struct happening *h, uint64_t count)
{
    if (h->failed) {
        count_add(&sum->failed, count);
        return;
    }
    count_add(&sum->messages, count);
    count_add(&sum->versions[h->encrypted ? h->version : TLS_VERSION_NONE], count);
    if (!h->encrypted)
        return;
    count_add(&sum->encrypted, count);
    count_add(&sum->groups[group_number(s, h->group)], count);
    if (h->direction == STATS_SENT)
        count_add(&sum->authentication[h->authentication], count);
}

static void add_to_brief(struct stats_brief *b, const struct happening *h, uint64_t count)
{
    if (h->failed)
        return;
    count_add(&b->messages, count);
    if (h->encrypted)
        count_add(&b->encrypted, count);
    if (h->encrypted && h->authentication != AUTHENTICATED_NOT)
        count_add(&b->authenticated, count);
}

static void add_happening(struct stats *s, uint32_t day, const struct happening *h, uint64_t count)
{
    struct table *t = &s->tables[h->direction];
    struct stats_row *row = find_row(t, h->domain);

    if (day < s->want.since) {
        add_to_brief(&row->before, h, count);
        add_to_brief(&t->side.before, h, count);
        return;
    }
    add_to_sum(s, &row->sum, h, count);
    add_to_sum(s, &t->side.sum, h, count);
    add_to_brief(&t->days[day - s->want.since], h, count);
}

static enum stats_clear clear_reason(const struct fact_digest *f)
{
    if (f->starttls_missing || f->tls_problem == E_STARTTLS_NOT_OFFERED)
        return STATS_NOT_OFFERED;
    if (f->tls_problem == E_STARTTLS_REFUSED)
        return STATS_REFUSED;
    if (f->tls_problem != E_NONE)
        return STATS_HANDSHAKE_FAILED;
    return f->level == TLS_LEVEL_OFF ? STATS_NOT_TRIED : STATS_NOT_OFFERED;
}

static void add_reasons(struct stats_side *side, const struct fact_digest *f, uint64_t count)
{
    if (f->how != E_NONE)
        count_add(&side->failures[f->how], count);
    else if (!f->encrypted)
        count_add(&side->clear[clear_reason(f)], count);
    if (f->encrypted)
        count_add(&side->certificates[stats_certificate_of(&f->tls)], count);
}

static void take_delivery(struct stats *s, uint32_t day, const struct fact_digest *f, uint64_t count)
{
    const struct happening h = { STATS_SENT, f->next_hop, f->how != E_NONE, f->encrypted, f->authentication,
                                 f->tls.version, f->tls.group };

    add_happening(s, day, &h, count);
    if (day >= s->want.since)
        add_reasons(&s->tables[STATS_SENT].side, f, count);
}

static void take_receipt(struct stats *s, uint32_t day, const struct receipt *r, uint64_t count)
{
    const struct happening h = { STATS_RECEIVED, r->domain, false, r->version != TLS_VERSION_NONE, AUTHENTICATED_NOT,
                                 r->version, r->group };

    add_happening(s, day, &h, count);
}

static bool is_wanted(const struct stats *s, const char *domain)
{
    return !s->want.domain || strcasecmp(s->want.domain, domain) == 0;
}

void stats_take(struct stats *s, uint32_t day, struct slice key, uint64_t count)
{
    struct fact_digest f;
    struct receipt r;

    if (day < stats_first_day(&s->want) || day > s->want.until)
        return;
    arena_reset(&s->decoded);
    if (fact_digest_decode(key, &s->decoded, &f)) {
        if (is_wanted(s, f.next_hop))
            take_delivery(s, day, &f, count);
    } else if (receipt_decode(key, &s->decoded, &r)) {
        if (is_wanted(s, r.domain))
            take_receipt(s, day, &r, count);
    } else {
        return;
    }
    if (s->counted_since == 0 || day < s->counted_since)
        s->counted_since = day;
}

/* --- the end ----------------------------------------------------------------------------- */

static void merge_brief(struct stats_brief *into, const struct stats_brief *b)
{
    count_add(&into->messages, b->messages);
    count_add(&into->encrypted, b->encrypted);
    count_add(&into->authenticated, b->authenticated);
}

static void merge(struct stats_row *into, const struct stats_row *row)
{
    struct stats_sum *to = &into->sum;
    const struct stats_sum *from = &row->sum;

    into->domains += row->domains;
    count_add(&to->messages, from->messages);
    count_add(&to->encrypted, from->encrypted);
    count_add(&to->failed, from->failed);
    for (int i = 0; i < AUTHENTICATIONS; i++)
        count_add(&to->authentication[i], from->authentication[i]);
    for (int i = 0; i <= TLS_1_3; i++)
        count_add(&to->versions[i], from->versions[i]);
    for (int i = 0; i < STATS_GROUPS_MAX; i++)
        count_add(&to->groups[i], from->groups[i]);
    merge_brief(&into->before, &row->before);
}

static bool is_known_of(const struct stats_row *row)
{
    return row->sum.messages > 0 || row->sum.failed > 0;
}

static int by_messages(const void *one, const void *other)
{
    const struct stats_row *a = *(struct stats_row *const *)one, *b = *(struct stats_row *const *)other;

    if (a->sum.messages != b->sum.messages)
        return a->sum.messages > b->sum.messages ? -1 : 1;
    if (a->sum.failed != b->sum.failed)
        return a->sum.failed > b->sum.failed ? -1 : 1;
    return strcmp(a->domain, b->domain);
}

static void hide_few(struct stats_brief *b, uint64_t minimum)
{
    if (b->messages > 0 && b->messages < minimum)
        *b = (struct stats_brief){ .few = true };
}

/* Sorted, they stand in the order in which they are kept: the top, those beyond it, those with too few. */
static void fold_rows(struct table *t, const struct stats_want *w)
{
    struct stats_side *side = &t->side;

    t->beyond = new_row(STATS_BEYOND, "");
    t->few = new_row(STATS_FEW, "");
    t->shown = memory_array(t->count + 3, sizeof *t->shown);
    for (size_t i = 0; i < t->count; i++) {
        struct stats_row *row = t->rows[i];

        if (!is_known_of(row))
            continue;
        side->domains += row->sum.messages > 0;
        if (row->sum.messages < w->minimum)
            merge(t->few, row);
        else if (w->top && side->row_count == w->top)
            merge(t->beyond, row);
        else
            t->shown[side->row_count++] = row;
    }
    if (t->beyond->domains)
        t->shown[side->row_count++] = t->beyond;
    if (t->few->domains)
        t->shown[side->row_count++] = t->few;
    if (t->unnamed && is_known_of(t->unnamed))
        t->shown[side->row_count++] = t->unnamed;
    for (size_t i = 0; i < side->row_count; i++)
        hide_few(&t->shown[i]->before, w->minimum);
    side->rows = (const struct stats_row *const *)t->shown;
}

void stats_finish(struct stats *s)
{
    for (int d = 0; d < STATS_DIRECTIONS; d++) {
        struct table *t = &s->tables[d];
        uint64_t messages = t->side.sum.messages;

        if (messages > 0 && messages < s->want.minimum) {
            t->side = (struct stats_side){ .few = true, .days = t->days, .before = t->side.before };
            free_rows(t);
        }
        if (t->count)
            qsort(t->rows, t->count, sizeof *t->rows, by_messages);
        fold_rows(t, &s->want);
        hide_few(&t->side.before, s->want.minimum);
        for (uint32_t day = s->want.since; day <= s->want.until; day++)
            hide_few(&t->days[day - s->want.since], s->want.minimum);
    }
}

const struct stats_side *stats_side(const struct stats *s, enum stats_direction d)
{
    return &s->tables[d].side;
}

uint32_t stats_counted_since(const struct stats *s)
{
    return s->counted_since;
}
