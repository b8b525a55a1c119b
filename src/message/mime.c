#include "message/mime.h"

#include <stdio.h>

/* --- lines ---------------------------------------------------------------------- */

/* The line at the front of `*rest`, its end included; moves `*rest` behind it. */
static struct slice next_line(struct slice *rest)
{
    struct slice line = slice_first(*rest, slice_find(*rest, '\n') + 1);

    *rest = slice_after(*rest, line.len);
    return line;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice without_end(struct slice line)
{
    if (line.len && line.at[line.len - 1] == '\n')
        line.len--;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* --- header fields ----------------------------------------------------------------- */

void mime_split(struct slice entity, struct slice *header, struct slice *body)
{
    struct slice rest = entity;

    while (rest.len) {
        struct slice line = next_line(&rest);

        if (without_end(line).len > 0)
            continue;
        *header = slice_first(slice_first(entity, entity.len - rest.len - line.len), MIME_HEADER_MAX);
        *body = rest;
        return;
    }
    *header = slice_first(entity, MIME_HEADER_MAX);
    *body = slice_after(entity, entity.len);
}

/* The field at the front of `*rest` with the lines that go on with it. */
static bool next_field(struct slice *rest, struct slice *name, struct slice *value)
{
    struct slice field = *rest, line;

    if (rest->len == 0)
        return false;
    line = next_line(rest);
    while (rest->len && is_blank(rest->at[0]))
        next_line(rest);
    field.len -= rest->len;
    if (slice_find(line, ':') == line.len) {
        *name = *value = slice("", 0);
        return true;
    }
    *name = slice_trim(slice_cut(&field, ':'));
    *value = field.at ? slice_trim(field) : slice("", 0);
    return true;
}

bool mime_field(struct slice header, struct slice name, struct slice *value)
{
    struct slice each, text;

    while (next_field(&header, &each, &text)) {
        if (slice_equal_nocase(each, name)) {
            *value = text;
            return true;
        }
    }
    return false;
}

size_t mime_field_count(struct slice header, struct slice name)
{
    struct slice each, text;
    size_t count = 0;

    while (next_field(&header, &each, &text))
        count += slice_equal_nocase(each, name);
    return count;
}

struct slice mime_unfold(struct slice value, struct arena *arena)
{
    struct slice copy = arena_copy(arena, value);
    char *text = (char *)copy.at;
    size_t used = 0;

    for (size_t i = 0; i < copy.len; i++)
        if (text[i] != '\r' && text[i] != '\n')
            text[used++] = text[i];
    if (copy.len)
        text[used] = '\0';
    return slice_trim(slice(text, used));
}

/* --- Content-Type ---------------------------------------------------------------------- */

static bool is_token(char c)
{
    return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"[]?=", c);
}

void mime_type(struct slice header, char type[MIME_TYPE_MAX])
{
    struct slice value = slice("", 0);
    size_t used = 0, slashes = 0;

    if (!mime_field(header, SLICE("Content-Type"), &value))
        value = slice("", 0);
    while (used < value.len && used < MIME_TYPE_MAX - 1 && is_token(value.at[used])) {
        type[used] = byte_lower(value.at[used]);
        slashes += type[used++] == '/';
    }
    type[used] = '\0';
    if (slashes != 1 || used == MIME_TYPE_MAX - 1)
        snprintf(type, MIME_TYPE_MAX, "text/plain");
}

/* Blanks, line ends, and comments, which may nest (RFC 5322 3.2.2). */
static struct slice skip_white(struct slice s)
{
    unsigned depth = 0;

    while (s.len) {
        if (s.at[0] == '(')
            depth++;
        else if (depth > 0 && s.at[0] == '\\')
            s = slice_after(s, 1);
        else if (depth > 0 && s.at[0] == ')')
            depth--;
        else if (depth == 0 && !is_blank(s.at[0]) && s.at[0] != '\r' && s.at[0] != '\n')
            break;
        s = slice_after(s, 1);
    }
    return s;
}

/* A value, quoted or not, into `text`; returns what follows. `*fits`: it did. */
static struct slice take_value(struct slice s, char *text, size_t size, bool *fits)
{
    bool quoted = s.len && s.at[0] == '"';
    size_t used = 0;

    *fits = true;
    s = slice_after(s, quoted);
    while (s.len && (quoted ? s.at[0] != '"' : s.at[0] > ' ' && s.at[0] != ';')) {
        if (quoted && s.at[0] == '\\' && s.len > 1)
            s = slice_after(s, 1);
        if (used + 1 < size && s.at[0] != '\r' && s.at[0] != '\n')
            text[used++] = s.at[0];
        else if (used + 1 >= size)
            *fits = false;
        s = slice_after(s, 1);
    }
    text[used] = '\0';
    return slice_after(s, quoted);
}

bool mime_parameter(struct slice value, struct slice name, char *text, size_t size)
{
    struct slice rest = slice_after(value, slice_find(value, ';'));

    while (rest.len) {
        struct slice word;
        bool fits = true;

        rest = skip_white(slice_after(rest, 1));
        word = rest;
        while (rest.len && rest.at[0] != '=' && rest.at[0] != ';')
            rest = slice_after(rest, 1);
        word = slice_trim(slice_first(word, word.len - rest.len));
        if (rest.len && rest.at[0] == '=')
            rest = take_value(skip_white(slice_after(rest, 1)), text, size, &fits);
        else
            text[0] = '\0';
        if (slice_equal_nocase(word, name))
            return fits && text[0];
        rest = slice_after(rest, slice_find(rest, ';'));
    }
    text[0] = '\0';
    return false;
}

/* --- parts --------------------------------------------------------------------------------- */

struct walk {
    mime_leaf *leaf;
    void *arg;
    size_t parts;
    bool stopped, beyond;           /* by the leaf; of what is looked at */
};

/* RFC 2046 5.1.1: "the boundary delimiter line [...] consisting entirely of two hyphen characters followed by the boundary
 * parameter value [...], optional linear whitespace, and a terminating CRLF"; two more hyphens close. */
static bool is_delimiter(struct slice line, struct slice boundary, bool *closes)
{
    line = without_end(line);
    if (!slice_starts(line, SLICE("--")) || !slice_starts(slice_after(line, 2), boundary))
        return false;
    line = slice_after(line, 2 + boundary.len);
    *closes = slice_starts(line, SLICE("--"));
    return slice_empty(slice_trim(slice_after(line, *closes ? 2 : 0)));
}

/* From the start of a line to that of the next one that begins with "--"; empty when there is none. Most lines do not, so
 * they are not looked at one by one. */
static struct slice next_dashes(struct slice rest)
{
    const char *found;

    if (slice_starts(rest, SLICE("--")))
        return rest;
    found = memmem(rest.at, rest.len, "\n--", 3);
    return slice_after(rest, found ? (size_t)(found + 1 - rest.at) : rest.len);
}

/* What stands before the next delimiter; `*rest` is moved behind that. Without one: all that is left, and false. */
static bool next_part(struct slice *rest, struct slice boundary, struct slice *before, bool *closes)
{
    struct slice whole = *rest;

    for (*rest = next_dashes(*rest); rest->len; *rest = next_dashes(*rest)) {
        size_t start = whole.len - rest->len;

        if (is_delimiter(next_line(rest), boundary, closes)) {
            *before = without_end(slice_first(whole, start));   /* the line end before a delimiter belongs to it */
            return true;
        }
    }
    *before = whole;
    return false;
}

static void walk_entity(struct walk *w, struct slice entity, unsigned depth);

/* False: it has no parts. A multipart that is cut off has all parts that it has; the last may be cut. */
static bool walk_multipart(struct walk *w, struct slice body, struct slice boundary, unsigned depth)
{
    struct slice part;
    bool closes = false, more = next_part(&body, boundary, &part, &closes);

    if (!more)
        return false;
    while (more && !closes && !w->stopped && !w->beyond) {
        more = next_part(&body, boundary, &part, &closes);
        walk_entity(w, part, depth + 1);
    }
    return true;
}

static void walk_entity(struct walk *w, struct slice entity, unsigned depth)
{
    struct slice type = slice("", 0), encoding = slice("", 0);
    char boundary[MIME_BOUNDARY_MAX + 1];
    struct mime_part part;

    mime_split(entity, &part.header, &part.body);
    mime_type(part.header, part.type);
    if (slice_starts(slice_of(part.type), SLICE("multipart/")) && mime_field(part.header, SLICE("Content-Type"), &type) &&
        mime_parameter(type, SLICE("boundary"), boundary, sizeof boundary)) {
        if (depth == MIME_DEPTH_MAX) {
            w->beyond = true;
            return;
        }
        if (walk_multipart(w, part.body, slice_of(boundary), depth))
            return;
    }
    if (w->parts++ == MIME_PARTS_MAX) {
        w->beyond = true;
        return;
    }
    if (mime_field(part.header, SLICE("Content-Transfer-Encoding"), &encoding))
        part.encoding = transfer_encoding_parse(encoding);
    else
        part.encoding = TRANSFER_PLAIN;
    w->stopped = !w->leaf(w->arg, &part);
}

bool mime_walk(struct slice message, mime_leaf *leaf, void *arg, struct error *why)
{
    struct walk w = { .leaf = leaf, .arg = arg };

    walk_entity(&w, message, 0);
    if (w.stopped || !w.beyond)
        return true;
    return fail(why, E_LIMIT, "the message has more than %d parts, or they nest more than %d deep", MIME_PARTS_MAX,
                MIME_DEPTH_MAX);
}
