/* A report's JSON as a value; see tlsrpt/read.h. */
#include "tlsrpt/read_inside.h"

#include "base/escape.h"
#include "tlsrpt/gzip.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

enum { DOMAIN_TEXT_MAX = 255, SHORT_TEXT_MAX = 64 };

struct reading {
    struct arena *arena;
    struct report_notes *notes;
};

/* --- notes ---------------------------------------------------------------------- */

static bool is_noted(const struct report_notes *notes, const char *text)
{
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->at[i], text) == 0)
            return true;
    return false;
}

void report_note(struct report_notes *notes, const char *text)
{
    if (is_noted(notes, text))
        return;
    if (notes->count < REPORT_NOTES_MAX)
        notes->at[notes->count++] = text;
    else
        notes->at[REPORT_NOTES_MAX - 1] = "and there is more that is not as it should be";
}

static void note(struct reading *r, const char *format, ...) printf_like(2, 3);
static void note(struct reading *r, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!is_noted(r->notes, text))
        report_note(r->notes, arena_string(r->arena, slice_of(text)));
}

/* --- strings ---------------------------------------------------------------------- */

struct slice report_text_cut(struct slice s, size_t most)
{
    if (s.len <= most)
        return s;
    while (most > 0 && ((unsigned char)s.at[most] & 0xc0) == 0x80)
        most--;
    return slice_first(s, most);
}

static struct slice cut(struct reading *r, struct slice s, size_t most)
{
    if (s.len > most)
        note(r, "a string that is too long was cut");
    return report_text_cut(s, most);
}

/* Absent, null, and what is no string: "". */
static const char *text_of(struct reading *r, const json_t *value, const char *name, size_t most)
{
    char number[32];

    if (json_is_string(value))
        return arena_string(r->arena, cut(r, slice(json_string_value(value), json_string_length(value)), most));
    if (!value || json_is_null(value))
        return "";
    if (json_is_integer(value)) {
        note(r, "%s is a number, not a string", name);
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return arena_string(r->arena, slice_of(number));
    }
    note(r, "%s is no string, left out", name);
    return "";
}

static const char *text_member(struct reading *r, const json_t *object, const char *name, size_t most)
{
    return text_of(r, json_object_get(object, name), name, most);
}

/* Two names: the RFC itself has both, or drafts of it had the second. */
static const json_t *either(const json_t *object, const char *name, const char *other)
{
    const json_t *value = json_object_get(object, name);

    return value ? value : json_object_get(object, other);
}

/* Names of domains and hosts: lower case, no dot at the end. */
static const char *domain_member(struct reading *r, const json_t *object, const char *name)
{
    char *text = (char *)arena_string(r->arena, slice_trim(slice_of(text_member(r, object, name, DOMAIN_TEXT_MAX))));
    size_t len = strlen(text);

    if (len > 0 && text[len - 1] == '.')
        text[--len] = '\0';
    for (size_t i = 0; i < len; i++)
        text[i] = byte_lower(text[i]);
    return text;
}

struct string_list {
    const char **at;
    size_t count;
    bool cut;                       /* there are more */
};

static void list_add(struct string_list *list, const char *text)
{
    if (!text[0])
        return;
    if (list->count < REPORT_STRINGS_MAX)
        list->at[list->count++] = text;
    else
        list->cut = true;
}

static size_t most_strings(const json_t *value, struct slice lines)
{
    size_t most = json_array_size(value) + 1;

    while (lines.len && most <= REPORT_STRINGS_MAX) {
        slice_cut(&lines, '\n');
        most++;
    }
    return most < REPORT_STRINGS_MAX ? most : REPORT_STRINGS_MAX;
}

/* An array of strings, or one string whose lines are meant, or nothing. */
static const char *const *strings_of(struct reading *r, const json_t *value, const char *name, size_t *count)
{
    struct slice lines = slice_of(json_string_value(value));
    struct string_list list = { 0 };

    *count = 0;
    list.at = arena_take(r->arena, most_strings(value, lines) * sizeof *list.at);
    if (!list.at)
        return NULL;
    if (json_is_string(value))
        note(r, "%s is one string, not an array", name);
    else if (value && !json_is_null(value) && !json_is_array(value))
        note(r, "%s is no array of strings, left out", name);
    for (size_t i = 0; i < json_array_size(value) && !list.cut; i++)
        list_add(&list, text_of(r, json_array_get(value, i), name, REPORT_STRING_BYTES));
    while (lines.len && !list.cut)
        list_add(&list, arena_string(r->arena, cut(r, slice_trim(slice_cut(&lines, '\n')), REPORT_STRING_BYTES)));
    if (list.cut)
        note(r, "%s has more than %d strings, the rest was left out", name, REPORT_STRINGS_MAX);
    *count = list.count;
    return list.at;
}

/* --- counts -------------------------------------------------------------------------- */

static uint64_t count_add(uint64_t a, uint64_t b)
{
    return a > REPORT_COUNT_MAX - b ? REPORT_COUNT_MAX : a + b;
}

static bool real_count(const json_t *value, uint64_t *out)
{
    double real = json_real_value(value);

    if (!(real >= 0 && real <= (double)REPORT_COUNT_MAX) || real != (double)(uint64_t)real)
        return false;
    *out = (uint64_t)real;
    return true;
}

/* False: it is not there, or nothing that can be counted with. */
static bool count_of(struct reading *r, const json_t *value, const char *name, uint64_t *out)
{
    json_int_t number = json_integer_value(value);

    if (json_is_integer(value) && number >= 0) {
        *out = (uint64_t)number < REPORT_COUNT_MAX ? (uint64_t)number : REPORT_COUNT_MAX;
        return true;
    }
    if (!value || json_is_null(value))
        return false;
    if ((json_is_string(value) &&
         slice_to_number(slice_trim(slice_of(json_string_value(value))), REPORT_COUNT_MAX, out)) ||
        (json_is_real(value) && real_count(value, out))) {
        note(r, "%s is a %s, not an integer", name, json_is_real(value) ? "fraction" : "string");
        return true;
    }
    note(r, "%s is no count, left out", name);
    return false;
}

/* --- failure details ------------------------------------------------------------------- */

/* RFC 8460 4.3; the list is open: others are kept as they came. */
static void check_result_type(struct reading *r, struct report_failure *f)
{
    static const char *const known[] = {
        "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
        "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
        "sts-policy-invalid", "sts-webpki-invalid",
    };
    char shown[SHORT_TEXT_MAX];

    if (!f->result_type[0]) {
        note(r, "result-type is missing, taken as validation-failure");
        f->result_type = "validation-failure";
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (slice_equal_nocase(slice_of(f->result_type), slice_of(known[i]))) {
            f->result_type = known[i];
            return;
        }
    }
    note(r, "result-type %s is not known", escape_line(slice_of(f->result_type), shown, sizeof shown));
}

static struct report_failure read_failure(struct reading *r, const json_t *from)
{
    struct report_failure f = {
        .result_type = text_member(r, from, "result-type", SHORT_TEXT_MAX),
        .sending_ip = text_member(r, from, "sending-mta-ip", SHORT_TEXT_MAX),
        .receiving_ip = text_member(r, from, "receiving-ip", SHORT_TEXT_MAX),
        .mx = domain_member(r, from, "receiving-mx-hostname"),
        .helo = text_member(r, from, "receiving-mx-helo", DOMAIN_TEXT_MAX),
        .reason = text_of(r, either(from, "failure-reason-code", "failure-error-code"), "failure-reason-code",
                          REPORT_TEXT_MAX),
        .information = text_of(r, either(from, "additional-information", "additional-info-uri"), "additional-information",
                               REPORT_TEXT_MAX),
    };

    check_result_type(r, &f);
    if (!count_of(r, either(from, "failed-session-count", "session-count"), "failed-session-count", &f.count)) {
        note(r, "failed-session-count is missing, taken as 1");
        f.count = 1;
    }
    return f;
}

/* What is beyond the bound is counted in the last one. */
static void fold(struct reading *r, struct report_entry *e, uint64_t count)
{
    struct report_failure *last = &e->details[REPORT_DETAILS_MAX - 1];

    note(r, "more than %d failure details of one policy, the rest was folded into one", REPORT_DETAILS_MAX);
    *last = (struct report_failure){ "validation-failure", "", "", "", "", "truncated", "", count_add(last->count, count) };
}

static bool read_details(struct reading *r, const json_t *list, struct report_entry *e)
{
    bool lone = json_is_object(list);
    size_t given = lone ? 1 : json_array_size(list), room = given < REPORT_DETAILS_MAX ? given : REPORT_DETAILS_MAX;

    if (lone)
        note(r, "failure-details is one object, not an array");
    else if (list && !json_is_null(list) && !json_is_array(list))
        note(r, "failure-details is no array, left out");
    e->details = arena_take(r->arena, (room + 1) * sizeof *e->details);
    if (!e->details)
        return false;
    for (size_t i = 0; i < given && !r->arena->failed; i++) {
        const json_t *from = lone ? list : json_array_get(list, i);

        if (!json_is_object(from)) {
            note(r, "a failure detail is no object, left out");
            continue;
        }
        if (e->detail_count < REPORT_DETAILS_MAX)
            e->details[e->detail_count++] = read_failure(r, from);
        else
            fold(r, e, read_failure(r, from).count);
    }
    return true;
}

/* --- an entry ------------------------------------------------------------------------------ */

static void read_policy(struct reading *r, const json_t *from, struct report_entry *e)
{
    const char *type = text_member(r, from, "policy-type", SHORT_TEXT_MAX);

    if (!json_is_object(from))
        note(r, "policy is missing");
    else if (!type[0])
        note(r, "policy-type is missing");
    e->policy.type = POLICY_NONE_FOUND;
    e->type_text = type;
    for (enum policy_type t = POLICY_TLSA; t <= POLICY_NONE_FOUND; t++) {
        if (slice_equal_nocase(slice_of(type), slice_of(policy_type_name(t)))) {
            e->policy.type = t;
            e->type_text = "";
        }
    }
    if (e->type_text[0])
        note(r, "a policy-type is not known");
    e->policy.domain = domain_member(r, from, "policy-domain");
    e->policy.strings = strings_of(r, json_object_get(from, "policy-string"), "policy-string", &e->policy.string_count);
    e->policy.mx = strings_of(r, either(from, "mx-host", "mx-host-pattern"), "mx-host", &e->policy.mx_count);
}

/* TLSRPT-019: details may add up to more than the failures: one session can fail in several ways. */
static void read_summary(struct reading *r, const json_t *from, struct report_entry *e)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < e->detail_count; i++)
        sum = count_add(sum, e->details[i].count);
    if (!json_is_object(from)) {
        note(r, "summary is missing, counted from the details");
        e->failures = sum;
        return;
    }
    if (!count_of(r, either(from, "total-successful-session-count", "success-aggregate"), "total-successful-session-count",
                  &e->successes))
        note(r, "total-successful-session-count is missing, taken as 0");
    if (!count_of(r, either(from, "total-failure-session-count", "failure-aggregate"), "total-failure-session-count",
                  &e->failures)) {
        note(r, "total-failure-session-count is missing, counted from the details");
        e->failures = sum;
    } else if (e->failures == 0 && sum > 0) {
        note(r, "the counts do not add up: failure details, but no failure in the summary");
    } else if (e->detail_count > 0 && sum < e->failures) {
        note(r, "the counts do not add up: the details have fewer failures than the summary");
    }
}

static bool read_entry(struct reading *r, const json_t *from, struct report_entry *e)
{
    *e = (struct report_entry){ 0 };
    read_policy(r, json_object_get(from, "policy"), e);
    if (!read_details(r, json_object_get(from, "failure-details"), e))
        return false;
    read_summary(r, json_object_get(from, "summary"), e);
    return true;
}

/* False: there is none, or the arena is full. */
static bool read_entries(struct reading *r, const json_t *root, struct report *out)
{
    const json_t *list = json_object_get(root, "policies");
    size_t given = json_is_array(list) ? json_array_size(list) : 1;

    if (!list && json_is_object(json_object_get(root, "policy"))) {
        note(r, "policies is missing: one policy stands in its place");
        list = root;
    } else if (json_is_object(list)) {
        note(r, "policies is one object, not an array");
    }
    if (given > REPORT_ENTRIES_MAX) {
        note(r, "more than %d policies, the rest was left out", REPORT_ENTRIES_MAX);
        given = REPORT_ENTRIES_MAX;
    }
    out->entries = arena_take(r->arena, (given + 1) * sizeof *out->entries);
    for (size_t i = 0; i < given && out->entries; i++) {
        const json_t *from = json_is_array(list) ? json_array_get(list, i) : list;

        if (!json_is_object(from))
            note(r, "a policy is no object, left out");
        else if (read_entry(r, from, &out->entries[out->entry_count]))
            out->entry_count++;
    }
    return out->entry_count > 0;
}

/* --- the report ----------------------------------------------------------------------------- */

static bool read_moment(struct reading *r, const json_t *value, time_ms *out)
{
    const char *oddity = NULL;

    if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < UINT32_MAX) {
        note(r, "date-range has a number, taken as seconds since 1970");
        *out = SECONDS(json_integer_value(value));
        return true;
    }
    if (!json_is_string(value) || !read_time(slice_of(json_string_value(value)), out, &oddity))
        return false;
    if (oddity)
        note(r, "date-range has %s", oddity);
    return true;
}

static bool read_range(struct reading *r, const json_t *range, struct report *out, struct error *why)
{
    time_ms length;

    if (!read_moment(r, json_object_get(range, "start-datetime"), &out->begin))
        return fail(why, E_MALFORMED, "the report's date-range has no start-datetime that can be read");
    if (!read_moment(r, json_object_get(range, "end-datetime"), &out->end) || out->end < out->begin) {
        note(r, "date-range has no end that can be used, taken as one day");
        out->end = out->begin + DAYS(1) - SECONDS(1);
    }
    length = out->end - out->begin;
    if (length > 0 && length % DAYS(1) == 0) {
        note(r, "date-range ends where the next day begins");
        out->end -= SECONDS(1);
    }
    return true;
}

/* A report without an id still is itself and no other. */
static const char *read_id(struct reading *r, const json_t *root, struct slice json)
{
    const char *id = text_member(r, root, "report-id", REPORT_TEXT_MAX);

    if (id[0])
        return id;
    note(r, "report-id is missing");
    return arena_text(r->arena, "without-id-%016llx", (unsigned long long)slice_hash(json)).at;
}

static bool read_root(struct reading *r, const json_t *root, struct slice json, struct report *out, struct error *why)
{
    if (!read_range(r, json_object_get(root, "date-range"), out, why))
        return false;
    out->organization = text_member(r, root, "organization-name", DOMAIN_TEXT_MAX);
    out->contact = text_member(r, root, "contact-info", DOMAIN_TEXT_MAX);
    out->id = read_id(r, root, json);
    if (!out->organization[0])
        note(r, "organization-name is missing");
    if (!out->contact[0])
        note(r, "contact-info is missing");
    if (!read_entries(r, root, out) && !r->arena->failed)
        return fail(why, E_MALFORMED, "the report has no policies");
    return !r->arena->failed || fail(why, E_LIMIT, "the report is too large to be kept");
}

static bool read_json(struct slice json, struct reading *r, struct report *out, struct error *why)
{
    struct report report = { 0 };
    struct slice object;
    json_error_t error;
    json_t *root;
    bool good;

    if (slice_starts(json, SLICE("\xef\xbb\xbf"))) {
        note(r, "the JSON begins with a byte order mark");
        json = slice_after(json, 3);
    }
    if (!read_scan(json, &object, why))
        return false;
    if (slice_trim(slice_after(slice_trim(json), object.len)).len > 0)
        note(r, "something follows the JSON");
    /* RFC 7493 2.3: "Objects in I-JSON messages MUST NOT have members with duplicate names"; no sender is known that has. */
    root = json_loadb(object.at, object.len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return fail(why, E_MALFORMED, "the JSON is wrong in line %d: %.120s", error.line, error.text);
    good = read_root(r, root, object, &report, why);
    json_decref(root);
    if (good)
        *out = report;
    return good;
}

bool report_read_within(struct slice bytes, size_t *most, struct arena *arena, struct report *out, struct report_notes *notes,
                        struct error *why)
{
    struct report_notes noted = { .count = 0 };
    struct reading r = { arena, &noted };
    auto_buf struct buf json = { 0 };
    const size_t room = *most;

    if (gzip_is(bytes)) {
        bool good;

        buf_init(&json, room);
        good = gzip_unpack(bytes, &json, why);
        *most = room - buf_len(&json);
        if (!good)
            return false;
        bytes = buf_slice(&json);
    } else if (bytes.len > room) {
        return fail(why, E_LIMIT, "the report has %zu bytes, at most %zu are read", bytes.len, room);
    }
    *most = room - bytes.len;
    if (!read_json(bytes, &r, out, why))
        return false;
    *notes = noted;
    return true;
}

bool report_read(struct slice bytes, struct arena *arena, struct report *out, struct report_notes *notes, struct error *why)
{
    size_t most = REPORT_JSON_MAX;

    return report_read_within(bytes, &most, arena, out, notes, why);
}
