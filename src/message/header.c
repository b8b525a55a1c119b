#include "message/header.h"

/* A line ends at CRLF alone (SMTP-040): a CR or LF by itself is a byte of its line. */
enum state {
    LINE_START,
    LINE_START_CR,      /* a line that so far is only a CR */
    NAME,
    REST,
    REST_CR,
};

void header_scan_init(struct header_scan *h)
{
    *h = (struct header_scan){ .state = LINE_START };
}

/* --- the value of TLS-Required ------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void begin_value(struct header_scan *h)
{
    if (h->tls_required == TLS_REQUIRED_UNCLEAR)    /* what made it so is kept */
        return;
    h->in_tls_required = true;
    h->value_len = 0;
}

static void take_value(struct header_scan *h, char c)
{
    if (!h->in_tls_required || (h->value_len == 0 && is_blank(c)))
        return;
    if (h->value_len < sizeof h->value)
        h->value[h->value_len++] = c;
    else
        h->value_too_long |= !is_blank(c);
}

static struct slice value_of(const struct header_scan *h)
{
    struct slice value = slice(h->value, h->value_len);

    while (value.len && is_blank(value.at[value.len - 1]))
        value.len--;
    return value;
}

enum tls_required_field header_tls_required(const struct header_scan *h, struct slice *value)
{
    if (value)
        *value = value_of(h);
    if (!h->in_tls_required)
        return h->tls_required;
    return !h->value_too_long && slice_equal_nocase(value_of(h), SLICE("No")) ? TLS_REQUIRED_NO : TLS_REQUIRED_UNCLEAR;
}

/* The next line does not go on with it. */
static void end_value(struct header_scan *h)
{
    h->tls_required = header_tls_required(h, NULL);
    h->in_tls_required = false;
}

/* --- lines --------------------------------------------------------------------- */

/* The name is complete. RFC 5322 4.5: obsolete forms have white space between
 * name and colon; for counting they will do. TLS-Required is younger than that:
 * who wants it heeded spells it right. */
static void scan_colon(struct header_scan *h)
{
    struct slice name = slice(h->name, h->name_len);

    h->received += slice_equal_nocase(slice_trim(name), SLICE("Received"));
    if (slice_equal_nocase(name, SLICE("TLS-Required")))
        begin_value(h);
}

static enum state scan_name(struct header_scan *h, char c)
{
    if (c == '\r')
        return REST_CR;
    if (c == ':') {
        scan_colon(h);
        return REST;
    }
    if (h->name_len == sizeof h->name)      /* longer than any name we look for */
        return REST;
    h->name[h->name_len++] = c;
    return NAME;
}

static enum state scan_line_start(struct header_scan *h, char c)
{
    if (is_blank(c)) {                      /* goes on with the field above */
        take_value(h, c);
        return REST;
    }
    end_value(h);
    h->name_len = 0;
    return c == '\r' ? LINE_START_CR : scan_name(h, c);
}

static enum state scan_rest(struct header_scan *h, char c)
{
    if (c == '\r')
        return REST_CR;
    take_value(h, c);
    return REST;
}

static enum state scan_after_cr(struct header_scan *h, char c)
{
    if (c == '\n')
        return LINE_START;
    take_value(h, '\r');
    return scan_rest(h, c);
}

void header_scan(struct header_scan *h, struct slice piece)
{
    for (size_t i = 0; i < piece.len && !h->ended; i++) {
        char c = piece.at[i];

        switch ((enum state)h->state) {
        case LINE_START:
            h->state = scan_line_start(h, c);
            break;
        case LINE_START_CR:
            h->ended = c == '\n';
            h->state = scan_after_cr(h, c);
            break;
        case NAME:
            h->state = scan_name(h, c);
            break;
        case REST:
            h->state = scan_rest(h, c);
            break;
        case REST_CR:
            h->state = scan_after_cr(h, c);
            break;
        }
    }
}

struct slice header_of(struct slice message)
{
    const char *end;

    if (slice_starts(message, SLICE("\r\n")))
        return slice_first(message, 2);
    if (slice_empty(message))
        return message;
    end = memmem(message.at, message.len, "\r\n\r\n", 4);
    return end ? slice_first(message, (size_t)(end - message.at) + 4) : message;
}
