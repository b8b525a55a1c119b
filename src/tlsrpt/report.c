#include "tlsrpt/report.h"

#include <jansson.h>
#include <stdio.h>

#define JSON_MOST ((UINT64_C(1) << 53) - 1)     /* RFC 7493 2.2: what every reader gets right */

const char *report_submitter(const struct report *r)
{
    const char *at = r->contact ? strrchr(r->contact, '@') : NULL;

    return at ? at + 1 : "";
}

const char *report_entry_type(const struct report_entry *e)
{
    return e->type_text && e->type_text[0] ? e->type_text : policy_type_name(e->policy.type);
}

/* --- members ---------------------------------------------------------------------- */

/* A value that is NULL could not be made: for want of UTF-8, memory aside. `*good` says so at the end. */
static void put(json_t *object, const char *name, json_t *value, bool *good)
{
    if (json_object_set_new_nocheck(object, name, value) != 0)
        *good = false;
}

static void put_text(json_t *object, const char *name, const char *text, bool *good)
{
    if (text && text[0])
        put(object, name, json_string(text), good);
}

static void put_number(json_t *object, const char *name, uint64_t number, bool *good)
{
    put(object, name, json_integer((json_int_t)(number < JSON_MOST ? number : JSON_MOST)), good);
}

static void put_texts(json_t *object, const char *name, const char *const *texts, size_t count, bool *good)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, json_string(texts[i])) != 0)
            *good = false;
    if (count > 0)
        put(object, name, array, good);
    else
        json_decref(array);
}

/* RFC 3339, to the second. */
static void put_time(json_t *object, const char *name, time_ms wall, bool *good)
{
    char text[CLOCK_TEXT_MAX];

    clock_iso_date(wall, text);
    snprintf(strchr(text, '.'), sizeof "Z", "Z");
    put_text(object, name, text, good);
}

/* --- the report -------------------------------------------------------------------- */

static json_t *failure_json(const struct report_failure *f, bool *good)
{
    json_t *object = json_object();

    put_text(object, "result-type", f->result_type, good);
    put_text(object, "sending-mta-ip", f->sending_ip, good);
    put_text(object, "receiving-mx-hostname", f->mx, good);
    put_text(object, "receiving-mx-helo", f->helo, good);
    put_text(object, "receiving-ip", f->receiving_ip, good);
    put_number(object, "failed-session-count", f->count, good);
    put_text(object, "additional-information", f->information, good);
    put_text(object, "failure-reason-code", f->reason, good);
    return object;
}

static json_t *policy_json(const struct report_entry *e, bool *good)
{
    const struct report_policy *p = &e->policy;
    json_t *object = json_object();

    put_text(object, "policy-type", report_entry_type(e), good);
    put_texts(object, "policy-string", p->strings, p->string_count, good);
    put_text(object, "policy-domain", p->domain, good);
    put_texts(object, "mx-host", p->mx, p->mx_count, good);
    return object;
}

static json_t *entry_json(const struct report_entry *e, bool *good)
{
    json_t *object = json_object(), *summary = json_object(), *details;

    put(object, "policy", policy_json(e, good), good);
    put_number(summary, "total-successful-session-count", e->successes, good);
    put_number(summary, "total-failure-session-count", e->failures, good);
    put(object, "summary", summary, good);
    if (e->detail_count == 0)
        return object;
    details = json_array();
    for (size_t i = 0; i < e->detail_count; i++)
        if (json_array_append_new(details, failure_json(&e->details[i], good)) != 0)
            *good = false;
    put(object, "failure-details", details, good);
    return object;
}

static json_t *report_json(const struct report *r, bool *good)
{
    json_t *object = json_object(), *range = json_object(), *policies = json_array();

    put_text(object, "organization-name", r->organization, good);
    put_time(range, "start-datetime", r->begin, good);
    put_time(range, "end-datetime", r->end, good);
    put(object, "date-range", range, good);
    put_text(object, "contact-info", r->contact, good);
    put_text(object, "report-id", r->id, good);
    for (size_t i = 0; i < r->entry_count; i++)
        if (json_array_append_new(policies, entry_json(&r->entries[i], good)) != 0)
            *good = false;
    put(object, "policies", policies, good);
    return object;
}

static int write_some(const char *bytes, size_t count, void *arg)
{
    struct buf *out = arg;

    buf_add(out, slice(bytes, count));
    return out->failed ? -1 : 0;
}

static bool write_as(const struct report *r, size_t flags, struct buf *out, struct error *why)
{
    bool good = true, written;
    json_t *json = report_json(r, &good);

    written = good && json_dump_callback(json, write_some, out, flags) == 0;
    json_decref(json);
    if (!good)
        return fail(why, E_MALFORMED, "the report has a string that is not UTF-8");
    return written || fail(why, E_LIMIT, "the report is larger than %zu bytes", out->max);
}

bool report_write(const struct report *r, struct buf *out, struct error *why)
{
    return write_as(r, JSON_COMPACT, out, why);
}

bool report_write_pretty(const struct report *r, struct buf *out, struct error *why)
{
    return write_as(r, JSON_INDENT(2), out, why);
}
