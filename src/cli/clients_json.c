/* Clients for programs; docs/stats.md has the names; see cli/clients.h. */
#include "cli/clients.h"

#include "base/escape.h"
#include "fact/count.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *day_of(uint32_t day)
{
    char text[PERIOD_DAY_MAX];

    return day ? json_string(period_day(day, text)) : json_null();
}

/* What is no UTF-8 is shown as logs show it. */
static json_t *text_of(const char *text)
{
    json_t *plain = json_string(text);
    char shown[1024];

    return plain ? plain : json_string(escape_line(slice_of(text), shown, sizeof shown));
}

static json_t *version_of(enum tls_version version)
{
    return version == TLS_VERSION_NONE ? json_null() : json_string(tls_version_name(version));
}

static json_t *versions_of(const uint64_t versions[TLS_1_3 + 1])
{
    json_t *o = json_object();

    json_object_set_new(o, "in-clear", number(versions[TLS_VERSION_NONE]));
    for (int v = TLS_1_0; v <= TLS_1_3; v++)
        json_object_set_new(o, tls_version_name((enum tls_version)v), number(versions[v]));
    return o;
}

static void put_names(json_t *o, const char *key, const char *more, const struct client_names *names)
{
    json_t *all = json_array();

    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(all, text_of(names->at[i]));
    json_object_set_new(o, key, all);
    if (names->more)
        json_object_set_new(o, more, json_true());
}

static json_t *problems_of(const struct client *c)
{
    json_t *all = json_array();

    for (size_t i = 0; i < c->problem_count; i++)
        json_array_append_new(all, json_pack("{s:o, s:o}", "problem", text_of(c->problems[i].words), "sessions",
                                             number(c->problems[i].sessions)));
    return all;
}

static json_t *client_of(const struct clients_view *v, const struct client *c)
{
    json_t *o = json_object();

    json_object_set_new(o, "role", json_string(clients_role_name(c->role)));
    json_object_set_new(o, "client", c->unnamed ? json_null() : text_of(c->who));
    put_names(o, "addresses", "more-addresses", &c->addresses);
    put_names(o, "names", "more-names", &c->names);
    put_names(o, "users", "more-users", &c->users);
    json_object_set_new(o, "messages", number(c->messages));
    json_object_set_new(o, "versions", versions_of(c->versions));
    json_object_set_new(o, "oldest-version", version_of(c->oldest));
    json_object_set_new(o, "passwords-in-clear", number(c->in_clear_with_password));
    json_object_set_new(o, "oldest-version-with-password", version_of(c->password_oldest));
    json_object_set_new(o, "failed-handshakes", number(c->failed));
    json_object_set_new(o, "problems", problems_of(c));
    json_object_set_new(o, "refused-in-clear", number(c->turned_away));
    json_object_set_new(o, "last", day_of(c->last));
    if (!clients_view_has_rule(v))
        return o;
    json_object_set_new(o, "would-be-refused", number(c->refused));
    json_object_set_new(o, "last-that-would-be-refused", day_of(c->last_refused));
    return o;
}

static json_t *sum_of(const struct clients_view *v, const struct clients_sum *sum)
{
    json_t *o = json_object();

    json_object_set_new(o, "clients", number(sum->clients));
    json_object_set_new(o, "messages", number(sum->messages));
    json_object_set_new(o, "versions", versions_of(sum->versions));
    if (clients_view_has_rule(v)) {
        json_object_set_new(o, "clients-cut-off", number(sum->cut_off));
        json_object_set_new(o, "would-be-refused", number(sum->refused));
        json_object_set_new(o, "would-be-refused-percent",
                            sum->messages ? json_real(count_share(sum->refused, sum->messages) / 10.0) : json_null());
        json_object_set_new(o, "would-be-refused-in-clear", number(sum->refused_clear));
        json_object_set_new(o, "would-be-refused-old-version", number(sum->refused_old));
    }
    json_object_set_new(o, "clients-failing", number(sum->failing));
    return o;
}

void clients_print_json(const struct clients_view *v)
{
    const struct clients_sum sum = clients_total(v->clients);
    json_t *o = json_object(), *all = json_array();
    uint32_t first = clients_counted_since(v->clients);
    char rule[CLIENTS_RULE_MAX];
    size_t count, of_role[VISIT_SUBMISSION + 1] = { 0 };
    const struct client *const *list = clients_list(v->clients, &count);

    json_object_set_new(o, "since", day_of(v->period.since));
    json_object_set_new(o, "until", day_of(v->period.until));
    json_object_set_new(o, "counted-since", day_of(first));
    if (clients_view_has_rule(v))
        json_object_set_new(o, "if", json_string(clients_rule_text(&v->rule, rule)));
    json_object_set_new(o, "total", sum_of(v, &sum));
    for (int role = 0; role <= VISIT_SUBMISSION; role++)
        if (v->show[role])
            json_object_set_new(o, clients_role_name((enum visit_role)role),
                                sum_of(v, clients_sum_of(v->clients, (enum visit_role)role)));
    for (size_t i = 0; i < count; i++)
        if (v->top == 0 || of_role[list[i]->role]++ < v->top)
            json_array_append_new(all, client_of(v, list[i]));
    json_object_set_new(o, "list", all);
    json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(4));
    putchar('\n');
    json_decref(o);
}
