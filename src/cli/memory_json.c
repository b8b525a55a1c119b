/* A memory as a JSON object, and back; see cli/memory.h. */
#include "cli/memory.h"

#include "smtp/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

enum { CLOCKS_DIFFER_MS = 5 * 60 * 1000 };

static const char *const tlsa_names[] = { "never", "seen", "gone" };
static const enum memory_break lasting[] = { BREAK_TLS, BREAK_STS, BREAK_TLSA };

/* --- writing -------------------------------------------------------------------- */

static json_t *time_of(time_ms wall)
{
    char date[CLOCK_TEXT_MAX];

    return wall ? json_string(clock_iso_date(wall, date)) : json_null();
}

static json_t *text_of(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *count_of(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *keys_of(const struct memory *m)
{
    json_t *all = json_array();

    for (size_t i = 0; i < MEMORY_KEYS_MAX && m->keys[i][0]; i++)
        json_array_append_new(all, json_pack("{s:s, s:o}", "sha256", m->keys[i], "last", time_of(m->key_last[i])));
    return all;
}

static json_t *hosts_of(const struct memory *m)
{
    json_t *all = json_array();

    for (size_t i = 0; i < MEMORY_HOSTS_MAX && m->hosts[i][0]; i++)
        json_array_append_new(all, json_pack("{s:s, s:o, s:s}", "name", m->hosts[i], "last", time_of(m->host_last[i]),
                                             "tlsa", tlsa_names[m->host_tlsa[i]]));
    return all;
}

static json_t *breaks_of(const struct memory *m)
{
    json_t *all = json_array();

    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        if (m->broken & lasting[i])
            json_array_append_new(all, json_string(memory_break_name(lasting[i])));
    return all;
}

const char *memory_witness(const struct memory *m, char text[ADDRESS_TEXT_MAX])
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct address a;

    memcpy(&in6.sin6_addr, m->witness, sizeof m->witness);
    a = address_from((const struct sockaddr *)&in6);
    return address_ip_text(&a, text);
}

static json_t *witness_of(const struct memory *m)
{
    char text[ADDRESS_TEXT_MAX];

    return m->witnesses ? json_string(memory_witness(m, text)) : json_null();
}

json_t *memory_to_json(const struct remembered *r)
{
    const struct memory *m = &r->memory;
    const struct {
        const char *name;
        json_t *value;
    } fields[] = {
        { "next-hop", json_string(r->next_hop) },
        { "sessions", count_of(m->deliveries) }, { "first", time_of(m->first) }, { "last", time_of(m->last) },
        { "with-tls", count_of(m->with_tls) }, { "row", count_of(m->row) }, { "tls-first", time_of(m->tls_first) },
        { "tls-last", time_of(m->tls_last) },
        { "tls-version", m->version ? json_string(tls_version_name(m->version)) : json_null() },
        { "best", text_of(m->verdict) }, { "best-last", time_of(m->verdict_last) },
        { "keys", keys_of(m) }, { "hosts", hosts_of(m) },
        { "sts", json_boolean(m->sts) }, { "sts-last", time_of(m->sts_last) },
        { "broken", breaks_of(m) }, { "tls-missing-since", time_of(m->alarm) }, { "witnesses", count_of(m->witnesses) },
        { "witness", witness_of(m) },
    };
    json_t *o = json_object();

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        json_object_set_new(o, fields[i].name, fields[i].value);
    return o;
}

/* --- reading: every field, and no other -------------------------------------------- */

struct reading {
    const json_t *from;
    size_t taken;
    struct error *why;
    bool failed;
};

static void wrong(struct reading *in, const char *field, const char *problem)
{
    if (!in->failed)
        fail(in->why, E_MALFORMED, "\"%s\" %s", field, problem);
    in->failed = true;
}

static const json_t *take(struct reading *in, const char *field)
{
    const json_t *value = json_object_get(in->from, field);

    in->taken += value != NULL;
    if (!value)
        wrong(in, field, "is missing");
    return value;
}

static uint64_t take_count(struct reading *in, const char *field, int64_t most)
{
    const json_t *value = take(in, field);

    if (value && json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= most)
        return (uint64_t)json_integer_value(value);
    wrong(in, field, most == INT64_MAX ? "must be a whole number, not below 0" : "must be 0, 1 or 2");
    return 0;
}

static bool take_truth(struct reading *in, const char *field)
{
    const json_t *value = take(in, field);

    if (!value || !json_is_boolean(value))
        wrong(in, field, "must be true or false");
    return value && json_is_true(value);
}

/* "" for null. */
static const char *take_text(struct reading *in, const char *field, size_t most)
{
    const json_t *value = take(in, field);

    if (value && json_is_null(value))
        return "";
    if (value && json_is_string(value) && json_string_length(value) > 0 && json_string_length(value) <= most)
        return json_string_value(value);
    wrong(in, field, value && json_is_string(value) ? "is too long, or empty" : "must be a text, or null");
    return "";
}

/* Exactly what clock_iso_date writes. */
static bool parse_time(const char *text, time_ms *out)
{
    static const char shape[] = "####-##-##T##:##:##.###Z";
    char again[CLOCK_TEXT_MAX];
    struct tm t = { 0 };
    int ms;

    for (size_t i = 0; i < sizeof shape; i++)
        if (shape[i] == '#' ? !byte_is_digit(text[i]) : shape[i] != text[i])
            return false;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec,
               &ms) != 7)
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    *out = SECONDS(timegm(&t)) + ms;
    return *out > 0 && strcmp(clock_iso_date(*out, again), text) == 0;      /* there is no 30th of February */
}

static time_ms take_time(struct reading *in, const char *field)
{
    const char *text = take_text(in, field, 24);
    time_ms t = 0;

    if (text[0] && !parse_time(text, &t))
        wrong(in, field, "must be a time as in \"2026-01-31T12:00:00.000Z\", or null");
    return t;
}

/* The number of the text in a list; the count when it is in none. */
static size_t choice(const char *text, const char *const *names, size_t count)
{
    size_t i = 0;

    while (i < count && strcmp(text, names[i]) != 0)
        i++;
    return i;
}

static enum tls_version take_version(struct reading *in, const char *field)
{
    const char *text = take_text(in, field, 16);

    if (!text[0])
        return TLS_VERSION_NONE;
    for (enum tls_version v = TLS_1_0; v <= TLS_1_3; v++)
        if (strcmp(text, tls_version_name(v)) == 0)
            return v;
    wrong(in, field, "must be TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3 or null");
    return TLS_VERSION_NONE;
}

/* Nothing else may be there, lest a slip of the pen goes unnoticed. */
static bool took_all(struct reading *in)
{
    if (!in->failed && json_object_size(in->from) != in->taken) {
        fail(in->why, E_MALFORMED, "there are fields that no export has (%zu)", json_object_size(in->from) - in->taken);
        in->failed = true;
    }
    return !in->failed;
}

static size_t take_list(struct reading *in, const char *field, size_t most, const json_t **list)
{
    *list = take(in, field);
    if (*list && json_is_array(*list) && json_array_size(*list) <= most)
        return json_array_size(*list);
    wrong(in, field, *list && json_is_array(*list) ? "is too long" : "must be a list");
    return 0;
}

static struct reading one_of(const struct reading *in, const json_t *list, size_t i)
{
    return (struct reading){ .from = json_array_get(list, i), .why = in->why };
}

static void took_one(struct reading *in, struct reading *one, const char *field, size_t i)
{
    if (took_all(one))
        return;
    blame(in->why, "number %zu of \"%s\"", i + 1, field);
    in->failed = true;
}

static void take_keys(struct reading *in, struct memory *m)
{
    const json_t *list;
    size_t count = take_list(in, "keys", MEMORY_KEYS_MAX, &list);

    for (size_t i = 0; i < count && !in->failed; i++) {
        struct reading one = one_of(in, list, i);

        snprintf(m->keys[i], sizeof m->keys[i], "%s", take_text(&one, "sha256", sizeof m->keys[i] - 1));
        if (!m->keys[i][0])
            wrong(&one, "sha256", "must not be null");
        m->key_last[i] = take_time(&one, "last");
        took_one(in, &one, "keys", i);
    }
}

static void take_hosts(struct reading *in, struct memory *m)
{
    const json_t *list;
    size_t count = take_list(in, "hosts", MEMORY_HOSTS_MAX, &list);

    for (size_t i = 0; i < count && !in->failed; i++) {
        struct reading one = one_of(in, list, i);
        size_t tlsa;

        snprintf(m->hosts[i], sizeof m->hosts[i], "%s", take_text(&one, "name", sizeof m->hosts[i] - 1));
        if (!m->hosts[i][0])
            wrong(&one, "name", "must not be null");
        m->host_last[i] = take_time(&one, "last");
        tlsa = choice(take_text(&one, "tlsa", 8), tlsa_names, sizeof tlsa_names / sizeof *tlsa_names);
        if (tlsa > MEMORY_TLSA_GONE)
            wrong(&one, "tlsa", "must be never, seen or gone");
        m->host_tlsa[i] = (enum memory_tlsa)tlsa;
        took_one(in, &one, "hosts", i);
    }
}

static void take_breaks(struct reading *in, struct memory *m)
{
    const json_t *list;
    size_t count = take_list(in, "broken", sizeof lasting / sizeof *lasting, &list);

    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        unsigned before = m->broken;

        for (size_t k = 0; name && k < sizeof lasting / sizeof *lasting; k++)
            if (strcmp(name, memory_break_name(lasting[k])) == 0)
                m->broken |= lasting[k];
        if (m->broken == before)
            wrong(in, "broken", "may hold tls, sts and tlsa, each once");
    }
}

static void take_witness(struct reading *in, struct memory *m)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    const char *text = take_text(in, "witness", ADDRESS_TEXT_MAX);
    struct address a;

    if (!text[0])
        return;
    if (!address_parse_ip(slice_of(text), &a)) {
        wrong(in, "witness", "must be an IP address, or null");
    } else if (a.family == AF_INET6) {
        memcpy(m->witness, a.ip, sizeof m->witness);
    } else {
        memcpy(m->witness, mapped, sizeof mapped);
        memcpy(m->witness + sizeof mapped, a.ip, 4);
    }
}

static void take_next_hop(struct reading *in, char *next_hop)
{
    const char *text = take_text(in, "next-hop", NOTE_KEY_MAX);
    struct address a;

    snprintf(next_hop, NOTE_KEY_MAX + 1, "%s", text);
    if (!domain_is_valid(slice_of(text), true) && !address_parse_ip(slice_of(text), &a))
        wrong(in, "next-hop", "must be a domain, a host or an IP address");
}

static void take_memory(struct reading *in, struct memory *m)
{
    m->deliveries = take_count(in, "sessions", INT64_MAX);
    m->first = take_time(in, "first");
    m->last = take_time(in, "last");
    m->with_tls = take_count(in, "with-tls", INT64_MAX);
    m->row = take_count(in, "row", INT64_MAX);
    m->tls_first = take_time(in, "tls-first");
    m->tls_last = take_time(in, "tls-last");
    m->version = take_version(in, "tls-version");
    snprintf(m->verdict, sizeof m->verdict, "%s", take_text(in, "best", sizeof m->verdict - 1));
    m->verdict_last = take_time(in, "best-last");
    take_keys(in, m);
    take_hosts(in, m);
    m->sts = take_truth(in, "sts");
    m->sts_last = take_time(in, "sts-last");
    take_breaks(in, m);
    m->alarm = take_time(in, "tls-missing-since");
    m->witnesses = (unsigned)take_count(in, "witnesses", 2);
    take_witness(in, m);
}

static bool makes_sense(const struct memory *m, time_ms now, struct error *why)
{
    const char *problem = memory_problem(m);

    if (problem)
        return fail(why, E_MALFORMED, "%s", problem);
    if (m->last > now + CLOCKS_DIFFER_MS || m->alarm > now + CLOCKS_DIFFER_MS || m->sts_last > now + CLOCKS_DIFFER_MS)
        return fail(why, E_MALFORMED, "it was seen in the future");
    return true;
}

bool memory_from_json(struct slice line, time_ms now, char *next_hop, struct memory *m, struct error *why)
{
    struct reading in = { .why = why };
    struct memory made = { 0 };
    json_error_t problem;
    json_t *o = json_loadb(line.at, line.len, JSON_REJECT_DUPLICATES, &problem);
    bool good;

    if (!o)
        return fail(why, E_MALFORMED, "no JSON object: %s", problem.text);
    in.from = o;
    if (!json_is_object(o))
        fail(why, E_MALFORMED, "no JSON object");
    else
        take_next_hop(&in, next_hop);
    if (json_is_object(o))
        take_memory(&in, &made);
    good = json_is_object(o) && took_all(&in) && makes_sense(&made, now, why);
    if (good)
        *m = made;
    json_decref(o);
    return good;
}
