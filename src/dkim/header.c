#include "dkim/header.h"

#include "base/memory.h"

struct slice dkim_field_name(struct slice field)
{
    return slice_trim(slice_first(field, slice_find(field, ':')));
}

struct slice dkim_field_value(struct slice field)
{
    return slice_after(field, slice_find(field, ':') + 1);
}

bool dkim_field_is(struct slice field, struct slice name)
{
    return slice_equal_nocase(dkim_field_name(field), name);
}

size_t dkim_header_count(const struct dkim_header *h, struct slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < h->count; i++)
        count += dkim_field_is(h->fields[i], name);
    return count;
}

/* RFC 5322 3.6, RFC 2045 3, RFC 8689 5, RFC 8460 5.3. */
const struct slice DKIM_SINGLE[] = {
    SLICE("Sender"), SLICE("To"), SLICE("Cc"), SLICE("Subject"), SLICE("Date"), SLICE("Message-ID"), SLICE("Reply-To"),
    SLICE("In-Reply-To"), SLICE("References"), SLICE("MIME-Version"), SLICE("Content-Type"),
    SLICE("Content-Transfer-Encoding"), SLICE("TLS-Required"), SLICE("TLS-Report-Domain"), SLICE("TLS-Report-Submitter"),
};
const size_t DKIM_SINGLE_COUNT = sizeof DKIM_SINGLE / sizeof *DKIM_SINGLE;

/* The length of the line at `at` without its end; `*next` is where the next one begins. The last may have no end. */
static size_t line_at(struct slice text, size_t at, size_t *next)
{
    struct slice rest = slice_after(text, at);
    size_t len = slice_find(rest, '\n');

    if (len == rest.len) {
        *next = text.len;
        return len;
    }
    *next = at + len + 1;
    return len > 0 && rest.at[len - 1] == '\r' ? len - 1 : len;
}

bool dkim_header_ends(struct slice text, size_t *at)
{
    while (*at < text.len) {
        size_t next, len = line_at(text, *at, &next);

        if (text.at[next - 1] != '\n')
            return false;
        *at = next;
        if (len == 0)
            return true;
    }
    return false;
}

/* RFC 5322 2.2: "A field name MUST be composed of printable US-ASCII characters [...] except colon"; 4.5 has white space
 * in front of the colon. */
static bool is_field(struct slice line)
{
    struct slice name = slice_first(line, slice_find(line, ':'));

    while (name.len > 0 && (name.at[name.len - 1] == ' ' || name.at[name.len - 1] == '\t'))
        name.len--;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~')
            return false;
    return name.len > 0 && slice_find(line, ':') < line.len;
}

/* One line, which may go on with the field before it. */
static bool take_line(struct dkim_header *h, struct slice line)
{
    bool goes_on = line.at[0] == ' ' || line.at[0] == '\t';

    if (goes_on && h->count > 0) {
        struct slice *field = &h->fields[h->count - 1];

        field->len = (size_t)(line.at + line.len - field->at);
        return true;
    }
    /* Some readers take such a line for the end of the header, and show as a text what no signature covers. */
    if (goes_on || !is_field(line))
        return fail(&h->defect, E_MALFORMED, "the header has a line that is no field: \"%.*s\"",
                    (int)slice_first(line, 60).len, line.at);
    if (h->count == DKIM_FIELDS_MAX)
        return fail(&h->defect, E_LIMIT, "the header has more than %d fields", DKIM_FIELDS_MAX);
    h->fields[h->count++] = line;
    return true;
}

/* RFC 6376 8.15: a field that is signed once and shown twice. RFC 5322 3.6 allows one From only. */
static void check_from(struct dkim_header *h)
{
    size_t count = dkim_header_count(h, SLICE("From"));

    if (count != 1)
        fail(&h->defect, E_MALFORMED, "the header has %s From field", count ? "more than one" : "no");
}

/* No more slots than there are lines. */
static size_t slots_for(struct slice text)
{
    size_t lines = 0;

    for (size_t at = 0; at < text.len && lines < DKIM_FIELDS_MAX; lines++)
        line_at(text, at, &at);
    return lines;
}

void dkim_header_read(struct slice message, struct dkim_header *out)
{
    struct slice text = slice_first(message, DKIM_HEADER_MAX);
    size_t end = 0;
    bool ended = dkim_header_ends(text, &end);

    *out = (struct dkim_header){ .body = slice("", 0) };
    if (!ended)
        end = text.len;
    out->fields = memory_array(slots_for(slice_first(text, end)) + 1, sizeof *out->fields);
    for (size_t at = 0, next; at < end; at = next) {
        size_t len = line_at(text, at, &next);

        if (len > 0 && !take_line(out, slice(text.at + at, len)))
            break;
    }
    if (!ended && text.len < message.len)
        fail(&out->defect, E_LIMIT, "the header is larger than %d KiB", DKIM_HEADER_MAX / 1024);
    else if (out->defect.code == E_NONE)
        check_from(out);
    out->body = slice_after(message, end);
}

void dkim_header_done(struct dkim_header *h)
{
    free(h->fields);
    *h = (struct dkim_header){ 0 };
}
