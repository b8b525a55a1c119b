#include "policy/mta_sts.h"

#include "policy/mta_sts_inside.h"
#include "tls/name.h"

#include <stdio.h>

enum { HOST_MAX_BYTES = 253, LABEL_MAX_BYTES = 63, AGE_DIGITS = 10 };

const char *sts_mode_name(enum sts_mode m)
{
    switch (m) {
    case STS_MODE_NONE: return "none";
    case STS_MODE_TESTING: return "testing";
    case STS_MODE_ENFORCE: return "enforce";
    }
    return "unknown";
}

/* --- host names ------------------------------------------------------------------------ */

static struct slice without_final_dot(struct slice name)
{
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    return name;
}

/* What the DNS could give as a mail host: A-labels, "_" among them although RFC 5321
 * knows none. To refuse a whole policy for what can only match such a host helps nobody. */
static bool is_host_name(struct slice name)
{
    if (name.len == 0 || name.len > HOST_MAX_BYTES)
        return false;
    do {
        struct slice label = slice_cut(&name, '.');

        if (label.len == 0 || label.len > LABEL_MAX_BYTES)
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!sts_is_alnum(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
                return false;
    } while (name.at);
    return true;
}

/* An IPv4 or IPv6 address, bare or as RFC 5321 4.1.3 writes it in brackets. */
static bool is_address(struct slice name)
{
    unsigned char octets[TLS_ADDRESS_MAX];
    char text[64];

    if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
        name = slice(name.at + 1, name.len - 2);
    if (slice_starts_nocase(name, SLICE("IPv6:")))
        name = slice_after(name, 5);
    if (name.len >= sizeof text || slice_find(name, '\0') < name.len)
        return false;
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(name));
    return tls_name_address(text, octets) > 0;
}

static const char *lower(struct arena *arena, struct slice name)
{
    struct slice copy = arena_copy(arena, name);

    for (size_t i = 0; i < copy.len; i++)
        ((char *)copy.at)[i] = byte_lower(copy.at[i]);
    return copy.at;
}

/* --- the fields --------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    struct sts_policy policy;
    const char *mx[STS_MX_MAX];
    unsigned seen;              /* bits of the rows of `fields` */
};

static bool take_version(struct reading *r, struct slice value, struct error *why)
{
    if (!slice_equal(value, SLICE("STSv1")))
        return fail(why, E_STS_INVALID, "version is \"%.*s\", not STSv1", STS_SHOWN(value));
    return true;
}

static bool take_mode(struct reading *r, struct slice value, struct error *why)
{
    for (enum sts_mode m = STS_MODE_NONE; m <= STS_MODE_ENFORCE; m++)
        if (slice_equal(value, slice_of(sts_mode_name(m)))) {
            r->policy.mode = m;
            return true;
        }
    return fail(why, E_STS_INVALID, "mode is \"%.*s\", not enforce, testing or none", STS_SHOWN(value));
}

/* 1*10(DIGIT). Who asks for more than the RFC's maximum wants what is nearest to it (MTASTS-043). */
static bool take_max_age(struct reading *r, struct slice value, struct error *why)
{
    uint64_t seconds;

    if (value.len > AGE_DIGITS || !slice_to_number(value, UINT64_MAX, &seconds))
        return fail(why, E_STS_INVALID, "max_age is \"%.*s\", not a number of 1 to 10 digits", STS_SHOWN(value));
    r->policy.max_age = (uint32_t)(seconds < STS_MAX_AGE_MOST ? seconds : STS_MAX_AGE_MOST);
    return true;
}

static bool take_mx(struct reading *r, struct slice value, struct error *why)
{
    struct slice pattern = without_final_dot(value);
    struct slice name = slice_starts(pattern, SLICE("*.")) ? slice_after(pattern, 2) : pattern;

    if (!is_host_name(name) && !is_address(value))
        return fail(why, E_STS_INVALID, "mx \"%.*s\" is not a host name, nor \"*.\" before one", STS_SHOWN(value));
    if (r->policy.mx_count == STS_MX_MAX)
        return fail(why, E_STS_INVALID, "more than %d mx lines", STS_MX_MAX);
    r->mx[r->policy.mx_count++] = lower(r->arena, pattern);
    return true;
}

static const struct field {
    const char *name;
    bool (*take)(struct reading *r, struct slice value, struct error *why);
    bool repeats;
} fields[] = {
    { "version", take_version, false },
    { "mode", take_mode, false },
    { "max_age", take_max_age, false },
    { "mx", take_mx, true },
};
enum { FIELD_COUNT = sizeof fields / sizeof *fields };

/* RFC 8461 3.2: "If any non-repeated field [...] is duplicated, all entries except for the
 * first SHALL be ignored." So are fields that we do not know, "Mode" among them: the
 * grammar is case-sensitive. */
static bool take_field(struct reading *r, struct slice name, struct slice value, struct error *why)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!slice_equal(name, slice_of(fields[i].name)))
            continue;
        if (!fields[i].repeats && (r->seen & 1u << i))
            return true;
        r->seen |= 1u << i;
        return fields[i].take(r, value, why);
    }
    return true;
}

/* --- the lines ------------------------------------------------------------------------------- */

/* UTF8-2, -3 and -4 of RFC 3629: how many bytes the character at `s` takes, 0 when it
 * is none. No overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t utf8_length(struct slice s)
{
    const unsigned char *b = (const unsigned char *)s.at;
    size_t length = b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;

    if (length == 0 || length > s.len)
        return 0;
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* sts-policy-ext-value: printable ASCII, UTF-8 and inner spaces, no control characters. The
 * caller has cut the blanks at both ends. */
static bool is_text(struct slice value)
{
    while (value.len > 0) {
        unsigned char c = (unsigned char)value.at[0];
        size_t length = c < 0x80 ? (c >= ' ' && c != 0x7f) : utf8_length(value);

        if (length == 0)
            return false;
        value = slice_after(value, length);
    }
    return true;
}

static struct slice without_blanks_at_end(struct slice s)
{
    while (s.len > 0 && sts_is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

static bool take_line(struct reading *r, struct slice line, struct error *why)
{
    struct cursor in = cursor_over(line);
    struct slice name = sts_take_name(&in), value;

    if (slice_empty(name) || !cursor_skip(&in, ':'))
        return fail(why, E_STS_INVALID, "not \"key: value\": \"%.*s\"", STS_SHOWN(line));
    cursor_while(&in, sts_is_blank);
    value = without_blanks_at_end(in.rest);
    if (slice_empty(value))
        return fail(why, E_STS_INVALID, "%.*s has no value", SLICE_ARGS(name));
    if (!is_text(value))
        return fail(why, E_STS_INVALID, "%.*s holds a control character, or what is not UTF-8", SLICE_ARGS(name));
    return take_field(r, name, value, why);
}

/* The next line without its LF or CRLF. A CR elsewhere stays, and no field takes it. */
static struct slice next_line(struct slice *text)
{
    struct slice line = slice_cut(text, '\n');

    if (text->at && line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool take_lines(struct reading *r, struct slice text, struct error *why)
{
    size_t number = 0, blank = 0;

    do {
        struct slice line = next_line(&text);

        number++;
        if (slice_empty(without_blanks_at_end(line)))
            blank = blank ? blank : number;
        else if (blank)
            return fail(why, E_STS_INVALID, "line %zu: blank, with more behind it", blank);     /* MTASTS-047 */
        else if (!take_line(r, line, why))
            return blame(why, "line %zu", number);
    } while (text.at);
    return true;
}

static bool is_complete(const struct reading *r, struct error *why)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (!fields[i].repeats && !(r->seen & 1u << i))
            return fail(why, E_STS_INVALID, "there is no %s", fields[i].name);
    if (r->policy.mode != STS_MODE_NONE && r->policy.mx_count == 0)
        return fail(why, E_STS_INVALID, "there is no mx, which mode %s needs", sts_mode_name(r->policy.mode));
    return true;
}

bool sts_policy_parse(struct slice text, struct arena *arena, struct sts_policy *out, struct error *why)
{
    struct reading r = { .arena = arena };
    size_t size;

    if (text.len > STS_POLICY_BYTES_MAX)
        return fail(why, E_STS_INVALID, "MTA-STS policy: %zu bytes, and the limit is %d", text.len, STS_POLICY_BYTES_MAX);
    if (!take_lines(&r, text, why) || !is_complete(&r, why))
        return blame(why, "MTA-STS policy");
    size = r.policy.mx_count * sizeof *r.policy.mx;
    r.policy.mx = arena_take(arena, size);
    if (!r.policy.mx || arena->failed)
        return fail(why, E_LIMIT, "no room for an MTA-STS policy of %zu mx lines", r.policy.mx_count);
    if (size > 0)
        memcpy(r.policy.mx, r.mx, size);
    *out = r.policy;
    return true;
}

/* --- matching --------------------------------------------------------------------------------- */

/* RFC 8461 4.1: "*" stands for exactly one label, the left-most. */
const char *sts_policy_match(const struct sts_policy *p, const char *host)
{
    struct slice given = without_final_dot(slice_of(host));
    char name[HOST_MAX_BYTES + 1] = { 0 };
    const char *parent;

    if (!is_host_name(given) || is_address(given))
        return NULL;
    for (size_t i = 0; i < given.len; i++)
        name[i] = byte_lower(given.at[i]);
    parent = strchr(name, '.');
    for (size_t i = 0; i < p->mx_count; i++) {
        const char *pattern = p->mx[i];

        if (pattern[0] == '*' ? parent && strcmp(pattern + 1, parent) == 0 : strcmp(pattern, name) == 0)
            return pattern;
    }
    return NULL;
}
