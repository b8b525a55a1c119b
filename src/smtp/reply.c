#include "smtp/reply.h"

#include "base/cursor.h"
#include "base/escape.h"

#include <stdio.h>

/* RFC 5321 4.2 asks for a second digit of 0 to 5; 4.3.2 has clients go by the
 * first digit when they do not know the code, so the others may be any. */
bool reply_line_parse(struct slice line, int *code, bool *more, struct slice *text)
{
    if (line.len < 3 || line.at[0] < '2' || line.at[0] > '5' || !byte_is_digit(line.at[1]) ||
        !byte_is_digit(line.at[2]))
        return false;
    if (line.len > 3 && line.at[3] != ' ' && line.at[3] != '-')
        return false;
    *code = (line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + (line.at[2] - '0');
    *more = line.len > 3 && line.at[3] == '-';
    *text = slice_after(line, 4);
    return true;
}

/* RFC 3463 2: 1*3DIGIT. Its prose forbids leading zeros. */
static bool skip_number(struct cursor *in)
{
    struct slice digits = cursor_while(in, byte_is_digit);

    return digits.len >= 1 && digits.len <= 3 && (digits.at[0] != '0' || digits.len == 1);
}

bool status_parse(struct slice text, struct slice *status, struct slice *rest)
{
    struct cursor in = cursor_over(text);
    bool class_known = cursor_skip(&in, '2') || cursor_skip(&in, '4') || cursor_skip(&in, '5');

    if (!class_known || !cursor_skip(&in, '.') || !skip_number(&in) || !cursor_skip(&in, '.') || !skip_number(&in))
        return false;
    *status = slice_first(text, text.len - in.rest.len);
    if (!cursor_skip(&in, ' ') && !cursor_ended(&in))
        return false;
    *rest = in.rest;
    return true;
}

/* --- a whole reply --------------------------------------------------------- */

/* A status of another class than the reply's is a slip; the code decides
 * (RFC 5321 4.2), and the odd status stays in the text for people to see. */
static struct slice without_status(struct reply *r, struct slice text)
{
    struct slice status, rest;

    if (!status_parse(text, &status, &rest) || status.at[0] - '0' != reply_class(r))
        return text;
    if (!r->status_given) {
        snprintf(r->status, sizeof r->status, "%.*s", SLICE_ARGS(status));
        r->status_given = true;
    }
    return rest;
}

static void add_text(struct reply *r, size_t *used, struct slice text)
{
    if (r->lines > 0 && *used < REPLY_TEXT_MAX - 1)
        r->text[(*used)++] = '\n';
    for (size_t i = 0; i < text.len && *used < REPLY_TEXT_MAX - 1; i++)
        if (text.at[i] != '\0')
            r->text[(*used)++] = text.at[i];
    r->text[*used] = '\0';
}

static bool read_line(struct conn *c, struct slice *line, struct error *why)
{
    struct error inner = { 0 };

    switch (conn_line(c, REPLY_LINE_MAX, REPLY_LINE_MAX, line, &inner)) {
    case LINE_OK:
        return true;
    case LINE_TOO_LONG:
        break;
    case LINE_FAILED:
        if (inner.code == E_LIMIT)
            break;
        if (why)
            *why = inner;
        return false;
    }
    return fail(why, E_PROTOCOL, "the server sent a reply line of more than %d bytes", REPLY_LINE_MAX);
}

static bool not_a_reply(struct slice line, struct error *why)
{
    char shown[100];

    return fail(why, E_PROTOCOL, "the server sent what is no SMTP reply: %s",
                escape_line(line, shown, sizeof shown));
}

bool reply_read(struct conn *c, struct reply *out, void (*each_line)(void *arg, struct slice text), void *arg,
                struct error *why)
{
    struct reply r = { 0 };
    size_t used = 0;
    bool more = true;

    while (more) {
        struct slice line, text;
        int code;

        if (r.lines == REPLY_LINES_MAX)
            return fail(why, E_PROTOCOL, "the server sent a reply of more than %d lines", REPLY_LINES_MAX);
        if (!read_line(c, &line, why))
            return false;
        if (!reply_line_parse(line, &code, &more, &text) || slice_find(text, '\n') < text.len)
            return not_a_reply(line, why);
        if (r.lines > 0 && code != r.code)
            return fail(why, E_PROTOCOL, "the server began a reply with %d and went on with %d", r.code, code);
        r.code = code;
        if (each_line)
            each_line(arg, text);
        add_text(&r, &used, without_status(&r, text));
        r.lines++;
    }
    if (!r.status_given && reply_class(&r) != 3)
        snprintf(r.status, sizeof r.status, "%c.0.0", '0' + reply_class(&r));
    *out = r;
    return true;
}

/* As the server said it, unescaped. */
static const char *whole_text(const struct reply *r, char text[REPLY_TEXT_MAX + 40])
{
    snprintf(text, REPLY_TEXT_MAX + 40, "%d%s%s%s%s", r->code, r->status_given ? " " : "",
             r->status_given ? r->status : "", r->text[0] ? " " : "", r->text);
    return text;
}

bool reply_refused(const struct reply *r, const char *after, struct error *why)
{
    char text[REPLY_TEXT_MAX + 40];
    enum error_code code = E_PROTOCOL;

    if (r->code == 421)     /* RFC 5321 3.8: said when the server is about to close */
        code = E_CLOSED;
    else if (reply_class(r) == 4)
        code = E_REFUSED_FOR_NOW;
    else if (reply_class(r) == 5)
        code = E_REFUSED;
    return fail(why, code, "%s was answered %s", after, whole_text(r, text));   /* fail escapes */
}

const char *reply_shown(const struct reply *r, char text[400])
{
    char whole[REPLY_TEXT_MAX + 40];

    return escape_line(slice_of(whole_text(r, whole)), text, 400);
}
