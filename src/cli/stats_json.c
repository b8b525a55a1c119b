/* Statistics as one JSON object; docs/stats.md has the names; see cli/stats.h. */
#include "cli/stats.h"

#include "base/escape.h"
#include "fact/count.h"

#include <jansson.h>
#include <stdio.h>

static const char *const authentication_names[AUTHENTICATIONS] = {
    [AUTHENTICATED_DANE] = "dane", [AUTHENTICATED_STS] = "mta-sts", [AUTHENTICATED_OPERATOR] = "operator",
    [AUTHENTICATED_PKIX] = "pkix",
};

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *percent(uint64_t part, uint64_t whole)
{
    return whole ? json_real(count_share(part, whole) / 10.0) : json_null();
}

static json_t *day_of(uint32_t day)
{
    char text[PERIOD_DAY_MAX];

    return json_string(period_day(day, text));
}

/* What is no UTF-8 is shown as logs show it. */
static json_t *text_of(const char *text)
{
    json_t *plain = json_string(text);
    char shown[1024];

    return plain ? plain : json_string(escape_line(slice_of(text), shown, sizeof shown));
}

/* --- sums ------------------------------------------------------------------------- */

static void put_authentication(json_t *o, const struct stats_sum *s)
{
    json_t *by = json_object();

    for (int a = AUTHENTICATIONS - 1; a > AUTHENTICATED_NOT; a--)
        json_object_set_new(by, authentication_names[a], number(s->authentication[a]));
    json_object_set_new(o, "authenticated", number(stats_authenticated(s)));
    json_object_set_new(o, "authenticated-percent", percent(stats_authenticated(s), s->messages));
    json_object_set_new(o, "authenticated-by", by);
}

static json_t *versions_of(const struct stats_sum *s)
{
    json_t *o = json_object();

    json_object_set_new(o, "in-clear", number(s->versions[TLS_VERSION_NONE]));
    for (int v = TLS_1_0; v <= TLS_1_3; v++)
        json_object_set_new(o, tls_version_name((enum tls_version)v), number(s->versions[v]));
    return o;
}

static json_t *groups_of(const struct stats_view *v, const struct stats_sum *s)
{
    struct stats_item items[STATS_ITEMS_MAX];
    size_t count = stats_list_groups(v->stats, s, items);
    json_t *all = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_pack("{s:o, s:I, s:b}", "group", text_of(items[i].name), "messages",
                                             (json_int_t)items[i].count, "post-quantum", stats_is_post_quantum(items[i].name)));
    return all;
}

static void put_brief(json_t *o, enum stats_direction d, const struct stats_brief *b)
{
    json_object_set_new(o, "messages", b->few ? json_null() : number(b->messages));
    json_object_set_new(o, "encrypted", b->few ? json_null() : number(b->encrypted));
    json_object_set_new(o, "encrypted-percent", percent(b->encrypted, b->messages));
    if (d != STATS_SENT)
        return;
    json_object_set_new(o, "authenticated", b->few ? json_null() : number(b->authenticated));
    json_object_set_new(o, "authenticated-percent", percent(b->authenticated, b->messages));
}

static json_t *before_of(enum stats_direction d, const struct stats_brief *b)
{
    json_t *o = json_object();

    put_brief(o, d, b);
    return o;
}

static void put_sum(const struct stats_view *v, enum stats_direction d, json_t *o, const struct stats_sum *s,
                    const struct stats_brief *before)
{
    json_object_set_new(o, "messages", number(s->messages));
    json_object_set_new(o, "encrypted", number(s->encrypted));
    json_object_set_new(o, "encrypted-percent", percent(s->encrypted, s->messages));
    if (d == STATS_SENT)
        put_authentication(o, s);
    json_object_set_new(o, "versions", versions_of(s));
    json_object_set_new(o, "key-exchange", groups_of(v, s));
    json_object_set_new(o, "post-quantum", number(stats_post_quantum(v->stats, s)));
    if (d == STATS_SENT)
        json_object_set_new(o, "failed-attempts", number(s->failed));
    json_object_set_new(o, "before", before_of(d, before));
}

/* --- lists ------------------------------------------------------------------------- */

static json_t *rows_of(const struct stats_view *v, enum stats_direction d)
{
    static const char *const kinds[] = {
        [STATS_DOMAIN] = "domain", [STATS_UNNAMED] = "others", [STATS_BEYOND] = "more", [STATS_FEW] = "fewer",
    };
    const struct stats_side *side = stats_side(v->stats, d);
    json_t *all = json_array();

    for (size_t i = 0; i < side->row_count; i++) {
        const struct stats_row *row = side->rows[i];
        json_t *o = json_pack("{s:s}", "kind", kinds[row->kind]);

        if (row->kind == STATS_DOMAIN)
            json_object_set_new(o, "domain", text_of(row->domain));
        else if (row->kind != STATS_UNNAMED)
            json_object_set_new(o, "domains", number(row->domains));
        put_sum(v, d, o, &row->sum, &row->before);
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *days_of(const struct stats_view *v, enum stats_direction d)
{
    const struct stats_side *side = stats_side(v->stats, d);
    json_t *all = json_array();

    for (uint32_t i = 0; i < period_days(&v->period); i++) {
        json_t *o = json_object();

        json_object_set_new(o, "day", day_of(v->period.since + i));
        put_brief(o, d, &side->days[i]);
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *items_of(const struct stats_view *v, const char *name, const char *counted, const struct stats_item *items, size_t count)
{
    char words[STATS_WORDS_MAX];
    json_t *all = json_array();
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        count_add(&sum, items[i].count);
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_pack("{s:s, s:s}", name, items[i].name, "words", stats_words(v, &items[i], words));

        json_object_set_new(o, counted, number(items[i].count));
        json_object_set_new(o, "percent", percent(items[i].count, sum));
        json_array_append_new(all, o);
    }
    return all;
}

static void put_reasons(const struct stats_view *v, json_t *o)
{
    const struct stats_side *side = stats_side(v->stats, STATS_SENT);
    struct stats_item items[STATS_ITEMS_MAX];
    uint64_t handshakes = 0;

    for (int i = 0; i < STATS_CERTIFICATES; i++)
        count_add(&handshakes, side->certificates[i]);
    json_object_set_new(o, "in-clear", items_of(v, "reason", "messages", items, stats_list_clear(v->stats, items)));
    json_object_set_new(o, "failures", items_of(v, "code", "attempts", items, stats_list_failures(v->stats, items)));
    json_object_set_new(o, "handshakes", number(handshakes));
    json_object_set_new(o, "certificates-valid", number(side->certificates[STATS_CERTIFICATE_VALID]));
    json_object_set_new(o, "certificate-faults",
                        items_of(v, "reason", "handshakes", items, stats_list_certificates(v->stats, items)));
}

static json_t *side_of(const struct stats_view *v, enum stats_direction d)
{
    const struct stats_side *side = stats_side(v->stats, d);
    json_t *o = json_object();

    if (side->few) {
        json_object_set_new(o, "messages", json_null());
        return o;
    }
    json_object_set_new(o, "domains", number(side->domains));
    put_sum(v, d, o, &side->sum, &side->before);
    if (d == STATS_SENT)
        put_reasons(v, o);
    json_object_set_new(o, "by-day", days_of(v, d));
    if (!v->by_day)
        json_object_set_new(o, "by-domain", rows_of(v, d));
    return o;
}

void stats_print_json(const struct stats_view *v)
{
    uint32_t first = stats_counted_since(v->stats);
    json_t *o = json_object();

    json_object_set_new(o, "since", day_of(v->period.since));
    json_object_set_new(o, "until", day_of(v->period.until));
    json_object_set_new(o, "days", number(period_days(&v->period)));
    json_object_set_new(o, "counted-since", first ? day_of(first) : json_null());
    if (v->minimum)
        json_object_set_new(o, "minimum", number(v->minimum));
    if (v->domain)
        json_object_set_new(o, "domain", text_of(v->domain));
    if (v->show[STATS_SENT])
        json_object_set_new(o, "sent", side_of(v, STATS_SENT));
    if (v->show[STATS_RECEIVED])
        json_object_set_new(o, "received", side_of(v, STATS_RECEIVED));
    json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(4));
    putchar('\n');
    json_decref(o);
}
