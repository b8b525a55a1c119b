#include "postfix/datagram.h"

#include "dns/answer.h"
#include "net/address.h"

#include <jansson.h>

enum { VERSION_BYTES = 16 };

/* --- strings ------------------------------------------------------------------- */

/* "" for what is not there or is no string. */
static const char *text_of(const json_t *object, const char *name, struct arena *arena)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) ? arena_string(arena, slice_of(json_string_value(value))) : "";
}

static const char *ip_of(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = text_of(object, name, arena);
    struct address a;

    return address_parse_ip(slice_of(text), &a) ? text : "";
}

/* `budget`: bytes left to the whole policy, whose text is kept. */
static bool strings_of(const json_t *object, const char *name, size_t *budget, struct arena *arena,
                       const char *const **at, size_t *count)
{
    const json_t *array = json_object_get(object, name);
    size_t n = json_array_size(array);
    const char **texts;

    if (n > REPORT_STRINGS_MAX)
        n = REPORT_STRINGS_MAX;
    texts = arena_take(arena, (n + 1) * sizeof *texts);
    *count = 0;
    for (size_t i = 0; texts && i < n; i++) {
        const json_t *value = json_array_get(array, i);
        size_t cost = json_string_length(value) + sizeof(uint32_t);

        if (!json_is_string(value) || cost > REPORT_STRING_BYTES || cost > *budget)
            continue;
        *budget -= cost;
        texts[(*count)++] = arena_string(arena, slice_of(json_string_value(value)));
    }
    *at = texts;
    return texts != NULL;
}

/* --- failures --------------------------------------------------------------------- */

/* NULL: none that reports know; 901 says that the library was left in the middle of a policy. */
static const char *result_type_of(json_int_t code)
{
    static const struct { json_int_t code; const char *name; } types[] = {
        { 201, "starttls-not-supported" }, { 202, "certificate-host-mismatch" }, { 203, "certificate-not-trusted" },
        { 204, "certificate-expired" }, { 205, "validation-failure" }, { 301, "sts-policy-fetch-error" },
        { 302, "sts-policy-invalid" }, { 303, "sts-webpki-invalid" }, { 304, "tlsa-invalid" },
        { 305, "dnssec-invalid" }, { 306, "dane-required" } };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code)
            return types[i].name;
    return NULL;
}

/* False: nothing that a report could tell. */
static bool failure_of(const json_t *object, struct arena *arena, struct datagram_failure *out)
{
    const char *type = result_type_of(json_integer_value(json_object_get(object, "c")));

    if (!type)
        return false;
    *out = (struct datagram_failure){
        .result_type = type,
        .sending_ip = ip_of(object, "s", arena),
        .receiving_ip = ip_of(object, "r", arena),
        .mx = text_of(object, "n", arena),
        .helo = text_of(object, "h", arena),
        .reason = text_of(object, "f", arena),
    };
    if (!out->reason[0])
        out->reason = text_of(object, "a", arena);
    return true;
}

static bool failures_of(const json_t *object, struct arena *arena, struct datagram_policy *out, bool *miscounted)
{
    const json_t *array = json_object_get(object, "failure-details"), *told = json_object_get(object, "t");
    size_t listed = json_array_size(array), n = listed < DATAGRAM_FAILURES_MAX ? listed : DATAGRAM_FAILURES_MAX;
    struct datagram_failure *failures = arena_take(arena, (n + 1) * sizeof *failures);

    for (size_t i = 0; failures && i < n; i++)
        out->failure_count += failure_of(json_array_get(array, i), arena, &failures[out->failure_count]);
    out->failures = failures;
    if (told && json_integer_value(told) != (json_int_t)listed)
        *miscounted = true;
    return failures != NULL;
}

/* --- policies ---------------------------------------------------------------------- */

static bool type_of(const json_t *object, enum policy_type *type)
{
    switch (json_integer_value(json_object_get(object, "policy-type"))) {
    case 1: *type = POLICY_TLSA; return true;
    case 2: *type = POLICY_STS; return true;
    case 9: *type = POLICY_NONE_FOUND; return true;
    default: return false;
    }
}

static const char *domain_of(const json_t *object, const char *name, struct arena *arena)
{
    const char *domain = dns_name_copy(arena, slice_of(text_of(object, name, arena)));

    return dns_name_valid(domain) ? domain : "";
}

static bool policy_of(const json_t *object, const char *domain, struct arena *arena, struct datagram_policy *out,
                      bool *miscounted)
{
    const json_t *final = json_object_get(object, "f");
    struct report_policy *p = &out->policy;
    size_t budget = REPORT_POLICY_BYTES;

    *out = (struct datagram_policy){ 0 };
    if (!type_of(object, &p->type))
        return false;
    out->succeeded = json_is_integer(final) && json_integer_value(final) == 0;
    p->domain = domain_of(object, "policy-domain", arena);
    /* Without one, or without any policy, it is the recipient's: reports are not valid without a domain. */
    if (!p->domain[0] || p->type == POLICY_NONE_FOUND)
        p->domain = domain;
    if (p->type != POLICY_NONE_FOUND &&
        (!strings_of(object, "policy-string", &budget, arena, &p->strings, &p->string_count) ||
         !strings_of(object, "mx-host", &budget, arena, &p->mx, &p->mx_count)))
        return false;
    return failures_of(object, arena, out, miscounted);
}

static bool read_object(const json_t *top, struct arena *arena, struct datagram *out, struct error *why)
{
    const json_t *array = json_object_get(top, "policies");
    size_t n = json_array_size(array);
    struct datagram_policy *policies;

    out->domain = domain_of(top, "d", arena);
    out->version = text_of(top, "dpv", arena);
    if (strlen(out->version) > VERSION_BYTES)
        out->version = "?";
    if (!out->domain[0] || strcmp(out->domain, ".") == 0)
        return fail(why, E_MALFORMED, "the datagram names no recipient domain");
    if (n > DATAGRAM_POLICIES_MAX)
        return fail(why, E_MALFORMED, "the datagram has %zu policies", n);
    policies = arena_take(arena, (n + 1) * sizeof *policies);
    for (size_t i = 0; policies && i < n; i++)
        out->policy_count += policy_of(json_array_get(array, i), out->domain, arena, &policies[out->policy_count],
                                       &out->miscounted);
    out->policies = policies;
    if (arena->failed)
        return fail(why, E_LIMIT, "the datagram is too large");
    if (out->policy_count == 0)
        return fail(why, E_MALFORMED, "the datagram has no policy that is known");
    return true;
}

bool datagram_parse(struct slice bytes, struct arena *arena, struct datagram *out, struct error *why)
{
    json_error_t where;
    json_t *top;
    bool good;

    *out = (struct datagram){ 0 };
    if (bytes.len > DATAGRAM_BYTES_MAX)
        return fail(why, E_LIMIT, "the datagram has %zu bytes", bytes.len);
    /* Duplicate names are refused; a NUL in a string is, too, unless it is allowed. */
    top = json_loadb(bytes.at, bytes.len, JSON_REJECT_DUPLICATES, &where);
    if (!top)
        return fail(why, E_MALFORMED, "the datagram is no JSON: %s", where.text);
    good = json_is_object(top) ? read_object(top, arena, out, why) : fail(why, E_MALFORMED, "the datagram is no JSON object");
    json_decref(top);
    return good;
}

/* --- results ------------------------------------------------------------------------------ */

/* A session can fail at one address and be good at the next, so a success does not hide what failed before. */
static void results_of(const struct datagram *d, const struct datagram_policy *p, const struct datagram_reader *reader)
{
    struct report_tally t = { .domain = d->domain, .result_type = "", .sending_ip = "", .receiving_ip = "", .mx = "",
                              .helo = "", .reason = "" };

    if (!p->succeeded && p->failure_count == 0)
        return;
    t.policy = p->policy.type == POLICY_NONE_FOUND ? REPORT_POLICY_NONE : reader->policy_id(reader->self, &p->policy);
    if (p->succeeded)
        reader->result(reader->self, &t);
    for (size_t i = 0; i < p->failure_count; i++) {
        const struct datagram_failure *f = &p->failures[i];

        t.result_type = f->result_type;
        t.sending_ip = f->sending_ip;
        t.receiving_ip = f->receiving_ip;
        t.mx = f->mx;
        t.helo = f->helo;
        t.reason = f->reason;
        reader->result(reader->self, &t);
    }
}

void datagram_results(const struct datagram *d, const struct datagram_reader *reader)
{
    for (size_t i = 0; i < d->policy_count; i++)
        results_of(d, &d->policies[i], reader);
}
