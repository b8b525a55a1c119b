#include "message/fold.h"

enum { WIDTH = 78, LONGEST = 900 };

static void start_line(struct fold *f, const char *with)
{
    buf_add(f->out, slice_of(with));
    f->column = strlen(with);
    f->fresh = true;
}

void fold_begin(struct fold *f, struct buf *out, const char *first, const char *indent)
{
    *f = (struct fold){ .out = out, .indent = indent };
    start_line(f, first);
}

void fold_break(struct fold *f)
{
    buf_add(f->out, SLICE("\r\n"));
    start_line(f, f->indent);
}

void fold_end(struct fold *f)
{
    buf_add(f->out, SLICE("\r\n"));
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7f;
}

static size_t shown_length(struct slice word)
{
    size_t length = 0;

    for (size_t i = 0; i < word.len; i++)
        length += is_plain(word.at[i]) ? 1 : strlen("\\xHH");
    return length;
}

void fold_word(struct fold *f, struct slice word)
{
    if (slice_empty(word))
        return;
    if (!f->fresh && f->column + 1 + shown_length(word) > WIDTH)
        fold_break(f);
    if (!f->fresh) {
        buf_byte(f->out, ' ');
        f->column++;
    }
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];

        if (f->column + 4 > LONGEST)
            fold_break(f);
        if (is_plain(c))
            buf_byte(f->out, c);
        else
            buf_text(f->out, "\\x%02x", (unsigned char)c);
        f->column += is_plain(c) ? 1 : 4;
        f->fresh = false;
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void fold_text(struct fold *f, struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t start;

        while (at < text.len && is_space(text.at[at]))
            at++;
        start = at;
        while (at < text.len && !is_space(text.at[at]))
            at++;
        if (at > start)
            fold_word(f, slice(text.at + start, at - start));
    }
}
