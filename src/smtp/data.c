#include "smtp/data.h"

#include <assert.h>

/* Where in a line we stand. The reader holds back at most a dot that began a
 * line, and a CR behind it: all that can still turn out to be the end. */
enum state {
    LINE_START,     /* also at the very beginning: DATA's own CRLF went before */
    IN_LINE,
    BEHIND_CR,
    BEHIND_DOT,     /* CRLF "." */
    BEHIND_DOT_CR,  /* CRLF "." CR */
    ENDED,
};

/* The number of bytes at the front of `s` that neither end lines nor are NUL;
 * eight at a time while that is easy. */
static size_t plain_length(struct slice s, bool *eight_bit)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    uint64_t high = 0;
    size_t n = 0;

    while (s.len - n >= 8) {
        uint64_t word;

        memcpy(&word, s.at + n, 8);
        if ((word - 14 * ones) & ~word & tops)      /* some byte is below 14: NUL, LF, CR, or harmless */
            break;
        high |= word & tops;
        n += 8;
    }
    for (; n < s.len && s.at[n] != '\r' && s.at[n] != '\n' && s.at[n] != '\0'; n++)
        high |= (unsigned char)s.at[n] & 0x80;
    *eight_bit |= high != 0;
    return n;
}

/* --- reading ---------------------------------------------------------------- */

/* Message bytes of the input that `put` has not been given yet. */
struct pending {
    const char *start;
    void (*put)(void *arg, struct slice piece);
    void *arg;
};

static void put_until(struct data_reader *r, struct pending *p, const char *end)
{
    size_t len = (size_t)(end - p->start);

    r->bytes += len;
    if (len > 0)
        p->put(p->arg, slice(p->start, len));
    p->start = end;
}

/* A held back CR was no end of data: it is the message's, and bare. */
static void put_held_cr(struct data_reader *r, struct pending *p)
{
    r->bare_cr = true;
    r->bytes++;
    r->line++;
    p->put(p->arg, SLICE("\r"));
}

static void end_line(struct data_reader *r)
{
    r->line += 2;
    if (r->line > r->longest_line)
        r->longest_line = r->line;
    r->line = 0;
    r->state = LINE_START;
}

/* A byte in LINE_START or IN_LINE that needs a look of its own. */
static void take_special(struct data_reader *r, char c)
{
    r->state = IN_LINE;
    if (c == '\r') {
        r->state = BEHIND_CR;
        return;
    }
    r->line++;
    r->bare_lf |= c == '\n';
    r->nul |= c == '\0';
}

/* Returns where to go on; a step that only changes the state consumes nothing. */
static const char *step(struct data_reader *r, struct pending *p, const char *at, const char *end)
{
    switch (r->state) {
    case LINE_START:
        r->state = *at == '.' ? BEHIND_DOT : IN_LINE;
        if (*at == '.') {       /* RFC 5321 4.5.2: the first dot of a line is deleted */
            put_until(r, p, at);
            p->start = ++at;
        }
        return at;
    case IN_LINE: {
        size_t plain = plain_length(slice(at, (size_t)(end - at)), &r->eight_bit);

        r->line += plain;
        at += plain;
        if (at < end)
            take_special(r, *at++);
        return at;
    }
    case BEHIND_CR:
        if (*at == '\n') {
            end_line(r);
            return at + 1;
        }
        r->bare_cr = true;      /* and this byte may be a CR again */
        r->line++;
        r->state = IN_LINE;
        return at;
    case BEHIND_DOT:
        r->state = *at == '\r' ? BEHIND_DOT_CR : IN_LINE;
        if (*at == '\r')
            p->start = ++at;
        return at;
    default:
        assert(r->state == BEHIND_DOT_CR);
        r->state = *at == '\n' ? ENDED : IN_LINE;
        if (*at == '\n')
            p->start = ++at;
        else
            put_held_cr(r, p);
        return at;
    }
}

void data_reader_init(struct data_reader *r)
{
    *r = (struct data_reader){ .state = LINE_START };
}

size_t data_read(struct data_reader *r, struct slice input, void (*put)(void *arg, struct slice piece), void *arg,
                 bool *ended)
{
    struct pending p = { input.at, put, arg };
    const char *at = input.at, *end = input.at + input.len;

    assert(r->state != ENDED);
    while (at < end && r->state != ENDED)
        at = step(r, &p, at, end);
    put_until(r, &p, at);
    *ended = r->state == ENDED;
    return (size_t)(at - input.at);
}

/* --- writing ---------------------------------------------------------------- */

void data_writer_init(struct data_writer *w)
{
    *w = (struct data_writer){ .state = LINE_START };
}

/* The length of the line that `s` begins with, its LF included; all of `s`
 * when it does not end there. */
static size_t line_length(struct slice s)
{
    size_t newline = slice_find(s, '\n');

    return newline < s.len ? newline + 1 : s.len;
}

/* Is each CR followed by an LF and each LF led by a CR, as far as `part`, a
 * line or a piece of one, goes? */
static bool is_clean(const struct data_writer *w, struct slice part)
{
    bool ends = part.at[part.len - 1] == '\n', cr_before = w->state == BEHIND_CR;
    size_t cr = slice_find(part, '\r');

    if (cr_before)
        return part.at[0] == '\n';
    if (ends)
        return cr + 2 == part.len;
    return cr >= part.len - 1;      /* none, or the last byte */
}

void data_write(struct data_writer *w, struct slice message, void (*put)(void *arg, struct slice piece), void *arg)
{
    struct slice ready = slice(message.at, 0);      /* looked at, not yet put */

    while (ready.len < message.len && !w->bare_newline) {
        struct slice rest = slice_after(message, ready.len), part = slice_first(rest, line_length(rest));
        char last = part.at[part.len - 1];

        if (!is_clean(w, part)) {
            w->bare_newline = true;
            break;
        }
        if (w->state == LINE_START && part.at[0] == '.') {
            if (ready.len)
                put(arg, ready);
            put(arg, SLICE("."));       /* RFC 5321 4.5.2: "one additional period is inserted" */
            message = rest;
            ready = slice(message.at, 0);
        }
        ready.len += part.len;
        w->state = last == '\n' ? LINE_START : last == '\r' ? BEHIND_CR : IN_LINE;
    }
    if (ready.len)
        put(arg, ready);
}

void data_finish(struct data_writer *w, void (*put)(void *arg, struct slice piece), void *arg)
{
    if (w->state == BEHIND_CR)
        w->bare_newline = true;
    if (w->bare_newline)
        return;
    put(arg, w->state == LINE_START ? SLICE(".\r\n") : SLICE("\r\n.\r\n"));
    w->state = ENDED;
}
