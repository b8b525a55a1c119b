#include "policy/mta_sts.h"

#include "policy/mta_sts_inside.h"
#include "policy/versioned.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 32 };

#define VERSION SLICE("v=STSv1")

/* --- what the policy file's grammar uses as well ------------------------------------ */

bool sts_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool sts_is_alnum(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c);
}

static bool is_name_byte(char c)
{
    return sts_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

struct slice sts_take_name(struct cursor *in)
{
    struct slice name = cursor_while(in, is_name_byte);

    if (name.len == 0 || name.len > NAME_MAX_BYTES || !sts_is_alnum(name.at[0]))
        return slice("", 0);
    return name;
}

bool sts_id_valid(struct slice id)
{
    if (id.len == 0 || id.len >= sizeof((struct sts_record *)0)->id)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!sts_is_alnum(id.at[i]))
            return false;
    return true;
}

/* --- the fields of one record -------------------------------------------------------- */

/* sts-ext-value: 1*(%x21-3A / %x3C / %x3E-7E) */
static bool is_value_byte(char c)
{
    return c > ' ' && c <= '~' && c != '=' && c != ';';
}

/* sts-field-delim = *WSP ";" *WSP */
static bool skip_delimiter(struct cursor *in)
{
    cursor_while(in, sts_is_blank);
    if (!cursor_skip(in, ';'))
        return false;
    cursor_while(in, sts_is_blank);
    return true;
}

/* Once an id is there, another is a field like any other: the first wins (MTASTS-008). */
static bool take_field(struct cursor *in, struct sts_record *record, struct error *why)
{
    struct slice start = in->rest, name = sts_take_name(in), value;

    if (slice_empty(name) || !cursor_skip(in, '='))
        return fail(why, E_MALFORMED, "the MTA-STS record has a field that is not name=value: \"%.*s\"",
                    STS_SHOWN(start));
    value = cursor_while(in, is_value_byte);
    if (slice_empty(value))
        return fail(why, E_MALFORMED, "the MTA-STS record's field %.*s has no value", SLICE_ARGS(name));
    if (!slice_equal(name, SLICE("id")) || record->id[0])
        return true;
    if (!sts_id_valid(value))
        return fail(why, E_MALFORMED, "the MTA-STS record's id is not 1 to 32 letters and digits: \"%.*s\"",
                    STS_SHOWN(value));
    snprintf(record->id, sizeof record->id, "%.*s", SLICE_ARGS(value));
    return true;
}

/* sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim] */
static bool record_parse(struct slice text, struct sts_record *out, struct error *why)
{
    struct cursor in = cursor_over(slice_after(text, VERSION.len));
    struct sts_record record = { 0 };

    while (!cursor_ended(&in)) {
        if (!skip_delimiter(&in))
            return fail(why, E_MALFORMED, "the MTA-STS record lacks a ';' before \"%.*s\"", STS_SHOWN(in.rest));
        if (cursor_ended(&in))
            break;
        if (!take_field(&in, &record, why))
            return false;
    }
    if (!record.id[0])
        return fail(why, E_MALFORMED, "the MTA-STS record has no id");
    *out = record;
    return true;
}

/* --- among all TXT records -------------------------------------------------------------- */

bool sts_record_find(const struct slice *texts, size_t count, struct sts_record *out, struct error *why)
{
    struct slice record;
    size_t number = versioned_find(texts, count, VERSION, &record);

    if (number == 0)
        return fail(why, E_NOT_FOUND, "no TXT record begins with v=STSv1");
    if (number > 1)
        return fail(why, E_MALFORMED, "%zu TXT records begin with v=STSv1", number);
    return record_parse(record, out, why);
}
