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

/* RFC 5322 4.5: obsolete forms have white space between name and colon; they count too. */
static bool name_is_received(const struct header_scan *h)
{
    return slice_equal_nocase(slice_trim(slice(h->name, h->name_len)), SLICE("Received"));
}

static enum state scan_name(struct header_scan *h, char c)
{
    if (c == '\r')
        return REST_CR;
    if (c == ':') {
        h->received += name_is_received(h);
        return REST;
    }
    if (h->name_len == sizeof h->name)      /* longer than any name we look for */
        return REST;
    h->name[h->name_len++] = c;
    return NAME;
}

static enum state scan_line_start(struct header_scan *h, char c)
{
    h->name_len = 0;
    if (c == '\r')
        return LINE_START_CR;
    if (c == ' ' || c == '\t')              /* goes on with the field above */
        return REST;
    return scan_name(h, c);
}

static enum state scan_after_cr(char c)
{
    if (c == '\n')
        return LINE_START;
    return c == '\r' ? REST_CR : REST;
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
            h->state = scan_after_cr(c);
            break;
        case NAME:
            h->state = scan_name(h, c);
            break;
        case REST:
            h->state = c == '\r' ? REST_CR : REST;
            break;
        case REST_CR:
            h->state = scan_after_cr(c);
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
