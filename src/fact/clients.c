#include "fact/clients.h"

#include "base/memory.h"
#include "fact/count.h"
#include "fact/key.h"

#include <assert.h>
#include <search.h>
#include <stdio.h>

enum { DECODED_MAX = 4096, ROLES = VISIT_SUBMISSION + 1, WHO_MAX = KEY_TEXT_MAX + 1 };

struct clients {
    struct clients_want want;
    struct client **rows;
    size_t count, room;
    void *tree;
    struct client *latest;              /* that was found */
    struct client *unnamed[ROLES];
    struct clients_sum sums[ROLES];
    struct client **shown;
    size_t shown_count;
    uint32_t counted_since;
    struct arena decoded;               /* of one tally */
};

/* --- one client -------------------------------------------------------------- */

static int by_who(const void *one, const void *other)
{
    const struct client *a = one, *b = other;

    if (a->role != b->role)
        return a->role < b->role ? -1 : 1;
    return strcmp(a->who, b->who);
}

static struct client *new_client(enum visit_role role, const char *who)
{
    struct client *c = NEW(struct client);

    c->role = role;
    c->who = memory_text(slice_of(who));
    return c;
}

static void free_names(const struct client_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free((char *)n->at[i]);
}

static void free_client(struct client *c)
{
    if (!c)
        return;
    free_names(&c->addresses);
    free_names(&c->names);
    free_names(&c->users);
    for (size_t i = 0; i < c->problem_count; i++)
        free((char *)c->problems[i].words);
    free((char *)c->who);
    free(c);
}

static void add_name(struct client_names *n, const char *name)
{
    if (name[0] == '\0')
        return;
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->at[i], name) == 0)
            return;
    if (n->count < CLIENT_NAMES_MAX)
        n->at[n->count++] = memory_text(slice_of(name));
    else
        n->more = true;
}

static void add_problem(struct client *c, const char *words, uint64_t sessions)
{
    size_t i = 0;

    while (i < CLIENT_PROBLEMS_MAX && i < c->problem_count && strcmp(c->problems[i].words, words) != 0)
        i++;
    if (i == CLIENT_PROBLEMS_MAX)
        words = "";
    if (i == c->problem_count)
        c->problems[c->problem_count++].words = memory_text(slice_of(words));
    count_add(&c->problems[i].sessions, sessions);
}

bool client_fails_already(const struct client *c)
{
    return c->failed > 0 || c->turned_away > 0;
}

/* --- life --------------------------------------------------------------------- */

struct clients *clients_new(const struct clients_want *w)
{
    struct clients *c = NEW(struct clients);

    assert(w->since <= w->until);
    c->want = *w;
    arena_init(&c->decoded, DECODED_MAX);
    for (int role = 0; role < ROLES; role++) {
        c->unnamed[role] = new_client((enum visit_role)role, "");
        c->unnamed[role]->unnamed = true;
    }
    return c;
}

static void keep(void *row)
{
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    tdestroy(c->tree, keep);
    for (size_t i = 0; i < c->count; i++)
        free_client(c->rows[i]);
    for (int role = 0; role < ROLES; role++)
        free_client(c->unnamed[role]);
    free(c->rows);
    free(c->shown);
    arena_done(&c->decoded);
    free(c);
}

/* --- whose visit it was ----------------------------------------------------------- */

static void network_of(const struct address *a, char who[WHO_MAX])
{
    struct address base = *a;
    char text[ADDRESS_TEXT_MAX];
    size_t bits = a->family == AF_INET ? 24 : 48;

    memset(base.ip + bits / 8, 0, sizeof base.ip - bits / 8);
    snprintf(who, WHO_MAX, "%s/%zu", address_ip_text(&base, text), bits);
}

static enum clients_by way_of(const struct clients *c, enum visit_role role)
{
    if (c->want.by != CLIENTS_BY_HABIT)
        return c->want.by;
    return role == VISIT_MX ? CLIENTS_BY_NETWORK : CLIENTS_BY_ADDRESS;
}

static void name_client(const struct clients *c, const struct visit *v, char who[WHO_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    switch (way_of(c, v->role)) {
    case CLIENTS_BY_NETWORK:
        network_of(&v->client, who);
        return;
    case CLIENTS_BY_NAME:
        snprintf(who, WHO_MAX, "%s", v->name);
        return;
    case CLIENTS_BY_USER:
        snprintf(who, WHO_MAX, "%s", v->user);
        return;
    default:
        snprintf(who, WHO_MAX, "%s", address_ip_text(&v->client, text));
    }
}

/* A tree, for strangers choose the names. */
static struct client *find(struct clients *c, const struct visit *v)
{
    char who[WHO_MAX];
    const struct client wanted = { .role = v->role, .who = who };
    struct client **found;

    if (v->client.family == 0)          /* beyond the bound of a day */
        return c->unnamed[v->role];
    name_client(c, v, who);
    if (c->latest && by_who(c->latest, &wanted) == 0)
        return c->latest;
    found = tfind(&wanted, &c->tree, by_who);
    if (found)
        return c->latest = *found;
    if (c->count == CLIENTS_MAX)
        return c->unnamed[v->role];
    if (c->count == c->room) {
        c->room = 2 * c->room + 64;
        c->rows = memory_grow(c->rows, c->room, sizeof *c->rows);
    }
    c->latest = c->rows[c->count++] = new_client(v->role, who);
    tsearch(c->latest, &c->tree, by_who);
    return c->latest;
}

/* --- counting ---------------------------------------------------------------------- */

static bool is_refused(const struct clients_rule *rule, enum tls_version version)
{
    return version == TLS_VERSION_NONE ? rule->tls_required : version < rule->minimum;
}

static void older(enum tls_version *oldest, enum tls_version version)
{
    if (version != TLS_VERSION_NONE && (*oldest == TLS_VERSION_NONE || version < *oldest))
        *oldest = version;
}

static void later(uint32_t *last, uint32_t day)
{
    if (day > *last)
        *last = day;
}

static void add_messages(const struct clients *c, struct client *row, const struct visit *v, uint32_t day, uint64_t count)
{
    count_add(&row->messages, count);
    count_add(&row->versions[v->version], count);
    older(&row->oldest, v->version);
    if (v->user[0])
        older(&row->password_oldest, v->version);
    if (!is_refused(&c->want.rule, v->version))
        return;
    count_add(&row->refused, count);
    count_add(v->version == TLS_VERSION_NONE ? &row->refused_clear : &row->refused_old, count);
    later(&row->last_refused, day);
}

/* Of those beyond a bound nothing can be said but how many. */
static void add_whom(struct client *row, const struct visit *v)
{
    char address[ADDRESS_TEXT_MAX];

    if (row->unnamed)
        return;
    add_name(&row->addresses, address_ip_text(&v->client, address));
    add_name(&row->names, v->name);
    add_name(&row->users, v->user);
}

static void add_visit(const struct clients *c, struct client *row, const struct visit *v, uint32_t day, uint64_t count)
{
    later(&row->last, day);
    if (v->password_in_clear)
        count_add(&row->in_clear_with_password, count);
    add_whom(row, v);
    switch (v->end) {
    case VISIT_SENT:
        add_messages(c, row, v, day, count);
        return;
    case VISIT_HANDSHAKE_FAILED:
        count_add(&row->failed, count);
        add_problem(row, v->problem, count);
        return;
    case VISIT_REFUSED_IN_CLEAR:
        count_add(&row->turned_away, count);
        return;
    }
}

void clients_take(struct clients *c, uint32_t day, struct slice key, uint64_t count)
{
    struct visit v;

    if (day < c->want.since || day > c->want.until)
        return;
    arena_reset(&c->decoded);
    if (!visit_decode(key, &c->decoded, &v) || (v.role == VISIT_MX ? c->want.no_mx : c->want.no_submission))
        return;
    add_visit(c, find(c, &v), &v, day, count);
    if (c->counted_since == 0 || day < c->counted_since)
        c->counted_since = day;
}

/* --- the end -------------------------------------------------------------------------- */

static int compare(uint64_t a, uint64_t b)
{
    return a == b ? 0 : a > b ? -1 : 1;
}

static uint64_t weak(const struct client *c)
{
    uint64_t sum = c->versions[TLS_VERSION_NONE];

    count_add(&sum, c->versions[TLS_1_0]);
    count_add(&sum, c->versions[TLS_1_1]);
    return sum;
}

static int worst_first(const void *one, const void *other)
{
    const struct client *a = *(struct client *const *)one, *b = *(struct client *const *)other;
    int order = (int)a->role - (int)b->role;

    if (!order)
        order = (int)a->unnamed - (int)b->unnamed;
    if (!order)
        order = compare(a->refused, b->refused);
    if (!order)
        order = compare(weak(a), weak(b));
    if (!order)
        order = compare(a->failed, b->failed);
    if (!order)
        order = compare(a->turned_away, b->turned_away);
    if (!order)
        order = compare(a->messages, b->messages);
    return order ? order : strcmp(a->who, b->who);
}

static void sum_up(struct clients_sum *sum, const struct client *row)
{
    sum->clients += !row->unnamed;
    sum->cut_off += row->refused > 0;
    sum->failing += row->refused == 0 && client_fails_already(row);
    count_add(&sum->messages, row->messages);
    count_add(&sum->refused, row->refused);
    count_add(&sum->refused_clear, row->refused_clear);
    count_add(&sum->refused_old, row->refused_old);
    for (int v = 0; v <= TLS_1_3; v++)
        count_add(&sum->versions[v], row->versions[v]);
}

static void show(struct clients *c, struct client *row)
{
    bool ruled = c->want.rule.tls_required || c->want.rule.minimum != TLS_VERSION_NONE;

    if (row->last == 0)
        return;
    sum_up(&c->sums[row->role], row);
    if (!ruled || row->refused > 0 || client_fails_already(row))
        c->shown[c->shown_count++] = row;
}

void clients_finish(struct clients *c)
{
    c->shown = memory_array(c->count + ROLES, sizeof *c->shown);
    for (size_t i = 0; i < c->count; i++)
        show(c, c->rows[i]);
    for (int role = 0; role < ROLES; role++)
        show(c, c->unnamed[role]);
    qsort(c->shown, c->shown_count, sizeof *c->shown, worst_first);
}

const struct client *const *clients_list(const struct clients *c, size_t *count)
{
    *count = c->shown_count;
    return (const struct client *const *)c->shown;
}

const struct clients_sum *clients_sum_of(const struct clients *c, enum visit_role role)
{
    return &c->sums[role];
}

struct clients_sum clients_total(const struct clients *c)
{
    const struct clients_sum *mx = &c->sums[VISIT_MX], *submission = &c->sums[VISIT_SUBMISSION];
    struct clients_sum sum = *mx;

    sum.clients += submission->clients;
    sum.cut_off += submission->cut_off;
    sum.failing += submission->failing;
    count_add(&sum.messages, submission->messages);
    count_add(&sum.refused, submission->refused);
    count_add(&sum.refused_clear, submission->refused_clear);
    count_add(&sum.refused_old, submission->refused_old);
    for (int v = 0; v <= TLS_1_3; v++)
        count_add(&sum.versions[v], submission->versions[v]);
    return sum;
}

uint32_t clients_counted_since(const struct clients *c)
{
    return c->counted_since;
}
