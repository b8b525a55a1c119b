#include "tlsrpt/read_inside.h"

struct scan {
    struct slice text;
    size_t at;
    size_t depth, values;
};

/* From the opening quote to the closing one. */
static bool scan_string(struct scan *s, struct error *why)
{
    size_t start = ++s->at;

    while (s->at < s->text.len && s->text.at[s->at] != '"') {
        s->at += s->text.at[s->at] == '\\' ? 2 : 1;
        if (s->at - start > REPORT_VALUE_MAX)
            return fail(why, E_LIMIT, "the report has a string of more than %d bytes", REPORT_VALUE_MAX);
    }
    return true;
}

/* Every value but the first of its array or object stands behind a comma. */
static bool scan_byte(struct scan *s, struct error *why)
{
    switch (s->text.at[s->at]) {
    case '"':
        return scan_string(s, why);
    case '{':
    case '[':
        s->depth++;
        s->values += 2;
        break;
    case '}':
    case ']':
        s->depth--;
        break;
    case ',':
        s->values++;
        break;
    default:
        break;
    }
    if (s->depth > REPORT_DEPTH_MAX)
        return fail(why, E_LIMIT, "the report nests more than %d deep", REPORT_DEPTH_MAX);
    return s->values <= REPORT_VALUES_MAX || fail(why, E_LIMIT, "the report has more than %d values", REPORT_VALUES_MAX);
}

bool read_scan(struct slice text, struct slice *object, struct error *why)
{
    struct scan s = { .text = slice_trim(text) };

    if (s.text.len == 0 || s.text.at[0] != '{')
        return fail(why, E_MALFORMED, "this is no JSON object");
    do {
        if (!scan_byte(&s, why))
            return false;
        s.at++;
    } while (s.depth > 0 && s.at < s.text.len);
    if (s.depth > 0)
        return fail(why, E_MALFORMED, "the JSON is cut off");
    *object = slice_first(s.text, s.at);
    return true;
}
