#include "smtp/command.h"

#include "base/escape.h"

#include <stdarg.h>
#include <stdio.h>

/* What may stand behind a verb. */
enum argument { ARGUMENT_NONE, ARGUMENT_ANY, ARGUMENT_TEXT, ARGUMENT_NAME, ARGUMENT_PATH };

static const struct {
    const char *name;
    enum argument argument;
} verbs[VERB_COUNT] = {
    [VERB_UNKNOWN] = { "", ARGUMENT_ANY },
    [VERB_HELO] = { "HELO", ARGUMENT_NAME },
    [VERB_EHLO] = { "EHLO", ARGUMENT_NAME },
    [VERB_MAIL] = { "MAIL", ARGUMENT_PATH },
    [VERB_RCPT] = { "RCPT", ARGUMENT_PATH },
    [VERB_DATA] = { "DATA", ARGUMENT_NONE },
    [VERB_RSET] = { "RSET", ARGUMENT_NONE },
    [VERB_NOOP] = { "NOOP", ARGUMENT_ANY },
    [VERB_VRFY] = { "VRFY", ARGUMENT_TEXT },
    [VERB_EXPN] = { "EXPN", ARGUMENT_TEXT },
    [VERB_HELP] = { "HELP", ARGUMENT_ANY },
    [VERB_QUIT] = { "QUIT", ARGUMENT_NONE },
    [VERB_STARTTLS] = { "STARTTLS", ARGUMENT_NONE },
    [VERB_AUTH] = { "AUTH", ARGUMENT_ANY },
    [VERB_BDAT] = { "BDAT", ARGUMENT_ANY },
    [VERB_TURN] = { "TURN", ARGUMENT_ANY },
    [VERB_ETRN] = { "ETRN", ARGUMENT_ANY },
};

const char *verb_name(enum smtp_verb v)
{
    return v < VERB_COUNT ? verbs[v].name : "";
}

/* Returns false, so that a parser can `return refuse(...)`. */
printf_like(4, 5)
static bool refuse(struct smtp_refusal *r, int code, const char *status, const char *format, ...)
{
    char text[sizeof r->text];
    va_list args;

    r->code = code;
    r->status = status;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    escape_line(slice_of(text), r->text, sizeof r->text);
    return false;
}

static enum smtp_verb find_verb(struct slice word)
{
    for (enum smtp_verb v = VERB_UNKNOWN + 1; v < VERB_COUNT; v++)
        if (slice_equal_nocase(word, slice_of(verbs[v].name)))
            return v;
    return VERB_UNKNOWN;
}

static bool holds_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f)
            return true;
    return false;
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] > 0x7f)
            return false;
    return true;
}

/* --- HELO, EHLO ---------------------------------------------------------- */

/* Real clients send "host_name", "localhost", "192.0.2.1" without brackets,
 * names that end in a dot and literals with a scope: none of it does harm.
 * What could, in a header field or a log, is refused. */
static bool is_client_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!byte_is_alpha(s.at[i]) && !byte_is_digit(s.at[i]) && !strchr("-._:[]%", s.at[i]))
            return false;
    return s.len > 0 && s.len <= DOMAIN_MAX;
}

static bool take_name(struct smtp_command *c, struct smtp_refusal *refusal)
{
    if (slice_empty(c->argument))
        return refuse(refusal, 501, "5.5.4", "%s needs your host name", verb_name(c->verb));
    if (!is_client_name(c->argument))
        return refuse(refusal, 501, "5.5.4", "%s needs one host name or address literal", verb_name(c->verb));
    c->client_name = c->argument;
    return true;
}

/* --- MAIL and RCPT: parameters -------------------------------------------- */

static bool take_size(struct slice value, struct smtp_command *c, struct smtp_refusal *refusal)
{
    /* RFC 1870 6: size-value ::= 1*20DIGIT */
    if (value.len == 0 || value.len > 20)
        return refuse(refusal, 501, "5.5.4", "SIZE needs a number of at most 20 digits");
    for (size_t i = 0; i < value.len; i++)
        if (!byte_is_digit(value.at[i]))
            return refuse(refusal, 501, "5.5.4", "SIZE needs a number");
    c->has_size = true;
    if (!slice_to_number(value, UINT64_MAX, &c->size))
        c->size = UINT64_MAX;
    return true;
}

static bool take_body(struct slice value, struct smtp_command *c, struct smtp_refusal *refusal)
{
    if (slice_empty(value))
        return refuse(refusal, 501, "5.5.4", "BODY needs 7BIT or 8BITMIME");
    c->has_body = true;
    if (slice_equal_nocase(value, SLICE("7BIT")))
        c->body = BODY_7BIT;
    else if (slice_equal_nocase(value, SLICE("8BITMIME")))
        c->body = BODY_8BITMIME;
    else
        return refuse(refusal, 555, "5.5.4", "This kind of BODY is not offered here");
    return true;
}

/* REQTLS-001: a parameter without a value. */
static bool take_requiretls(struct slice value, struct smtp_command *c, struct smtp_refusal *refusal)
{
    if (value.at)
        return refuse(refusal, 501, "5.5.4", "REQUIRETLS takes no value");
    c->requiretls = true;
    return true;
}

static const struct parameter {
    enum smtp_verb verb;
    const char *keyword;
    bool (*take)(struct slice value, struct smtp_command *c, struct smtp_refusal *refusal);
} parameters[] = {
    { VERB_MAIL, "SIZE", take_size },
    { VERB_MAIL, "BODY", take_body },
    { VERB_MAIL, "REQUIRETLS", take_requiretls },
};
enum { PARAMETER_COUNT = sizeof parameters / sizeof parameters[0] };

/* esmtp-keyword of RFC 5321 4.1.2 */
static bool is_keyword(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!byte_is_alpha(s.at[i]) && !byte_is_digit(s.at[i]) && (s.at[i] != '-' || i == 0))
            return false;
    return s.len > 0;
}

static bool take_parameter(struct slice word, struct smtp_command *c, unsigned *seen, struct smtp_refusal *refusal)
{
    struct slice value = word, keyword = slice_cut(&value, '=');
    bool well_formed = is_keyword(keyword) && (!value.at || (value.len > 0 && slice_find(value, '=') == value.len));

    if (!well_formed)
        return refuse(refusal, 501, "5.5.4", "A parameter must read KEYWORD or KEYWORD=VALUE");
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        if (parameters[i].verb != c->verb || !slice_equal_nocase(keyword, slice_of(parameters[i].keyword)))
            continue;
        if (*seen & 1u << i)
            return refuse(refusal, 501, "5.5.4", "%s is given twice", parameters[i].keyword);
        *seen |= 1u << i;
        return parameters[i].take(value, c, refusal);
    }
    return refuse(refusal, 555, "5.5.4", "%s parameter %.*s is not offered here", verb_name(c->verb),
                  SLICE_ARGS(slice_first(keyword, 60)));
}

static bool take_parameters(struct slice rest, struct smtp_command *c, struct smtp_refusal *refusal)
{
    unsigned seen = 0;

    if (!slice_empty(rest) && rest.at[0] != ' ')
        return refuse(refusal, 501, "5.5.4", "A space must stand between the address and what follows");
    while (!slice_empty(rest = slice_trim(rest)))
        if (!take_parameter(slice_cut(&rest, ' '), c, &seen, refusal))
            return false;
    return true;
}

/* --- MAIL and RCPT: the path ---------------------------------------------- */

static bool take_path(struct smtp_command *c, struct arena *arena, struct smtp_refusal *refusal)
{
    bool is_mail = c->verb == VERB_MAIL;
    struct slice word = is_mail ? SLICE("FROM:") : SLICE("TO:");
    struct slice text = slice_after(c->argument, word.len);
    struct error why = { 0 };
    size_t len;

    if (!slice_starts_nocase(c->argument, word))
        return refuse(refusal, 501, "5.5.4", "%s must be followed by %.*s<address>", verb_name(c->verb),
                      SLICE_ARGS(word));
    /* RFC 5321 3.3 forbids a space behind the colon, and calls it "a common
     * source of errors": common enough that everybody accepts it. */
    text = slice_trim(text);
    if (!is_ascii(text))
        return refuse(refusal, is_mail ? 550 : 553, "5.6.7", "Addresses beyond ASCII are not offered here");
    len = path_length(text);
    if (len == 0)
        return refuse(refusal, 501, is_mail ? "5.1.7" : "5.1.3", "The address must stand in <angle brackets>");
    if (!path_parse(slice_first(text, len), is_mail, !is_mail, arena, &c->path, &why))
        return why.code == E_LIMIT ? refuse(refusal, 452, "4.3.1", "No room for this address")
                                   : refuse(refusal, 501, is_mail ? "5.1.7" : "5.1.3", "Bad address: %s", why.text);
    return take_parameters(slice_after(text, len), c, refusal);
}

/* --- the whole line -------------------------------------------------------- */

static bool take_argument(struct smtp_command *c, struct arena *arena, struct smtp_refusal *refusal)
{
    switch (verbs[c->verb].argument) {
    case ARGUMENT_NONE:
        return slice_empty(c->argument) ||
               refuse(refusal, 501, "5.5.4", "%s takes no argument", verb_name(c->verb));
    case ARGUMENT_TEXT:
        return !slice_empty(c->argument) ||
               refuse(refusal, 501, "5.5.4", "%s needs an argument", verb_name(c->verb));
    case ARGUMENT_NAME:
        return take_name(c, refusal);
    case ARGUMENT_PATH:
        return take_path(c, arena, refusal);
    case ARGUMENT_ANY:
        break;
    }
    return true;
}

/* RFC 5321 4.1.1: "servers SHOULD tolerate trailing white space before the
 * terminating <CRLF>". A CR or LF is none: it stays, to be refused. */
static struct slice without_trailing_blanks(struct slice line)
{
    while (line.len && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
        line.len--;
    return line;
}

bool command_parse(struct slice line, struct arena *arena, struct smtp_command *out, struct smtp_refusal *refusal)
{
    struct smtp_command c = { 0 };
    struct slice rest, verb;

    *out = c;
    line = without_trailing_blanks(line);
    rest = line;
    verb = slice_cut(&rest, ' ');
    c.verb = find_verb(verb);
    if (c.verb == VERB_UNKNOWN)
        return line.len ? refuse(refusal, 500, "5.5.1", "Command not known")
                        : refuse(refusal, 500, "5.5.2", "An empty line is no command");
    out->verb = c.verb;
    if (holds_control(line))
        return refuse(refusal, 501, "5.5.2", "A control character cannot stand in a command");
    if (verbs[c.verb].argument != ARGUMENT_PATH && !is_ascii(line))
        return refuse(refusal, 501, "5.5.2", "Only ASCII can stand in a command");
    c.argument = rest.at ? slice_trim(rest) : slice("", 0);
    c.client_name = c.path.local = c.path.domain = slice("", 0);
    if (!take_argument(&c, arena, refusal))
        return false;
    *out = c;
    return true;
}
