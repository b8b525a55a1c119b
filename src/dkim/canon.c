#include "dkim/canon.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* --- fields ----------------------------------------------------------------------- */

/* 3.4.1: nothing is changed. Folds are line ends as well, and those are CRLF in mail. */
static void simple_field(struct slice field, struct buf *out)
{
    while (field.len > 0) {
        size_t end = slice_find(field, '\n');
        bool bare = end < field.len && (end == 0 || field.at[end - 1] != '\r');

        buf_add(out, slice_first(field, end));
        if (end < field.len)
            buf_add(out, bare ? SLICE("\r\n") : SLICE("\n"));
        field = slice_after(field, end + 1);
    }
}

static bool is_line_end(struct slice text, size_t at)
{
    return text.at[at] == '\n' || (text.at[at] == '\r' && at + 1 < text.len && text.at[at + 1] == '\n');
}

/* 3.4.2: "Unfold all header field continuation lines", "convert all sequences of one or more WSP characters to a single
 * SP character", "delete all WSP characters at the end", and at the beginning. */
static void relaxed_value(struct slice value, struct buf *out)
{
    bool blank = false, begun = false;

    for (size_t i = 0, start; i < value.len;) {
        if (is_blank(value.at[i]))
            blank = begun;
        if (is_blank(value.at[i]) || is_line_end(value, i)) {
            i++;
            continue;
        }
        for (start = i; i < value.len && !is_blank(value.at[i]) && !is_line_end(value, i);)
            i++;
        if (blank)
            buf_byte(out, ' ');
        buf_add(out, slice(value.at + start, i - start));
        blank = false;
        begun = true;
    }
}

static void relaxed_field(struct slice field, struct buf *out)
{
    struct slice value = field, name = slice_trim(slice_cut(&value, ':'));

    for (size_t i = 0; i < name.len; i++)
        buf_byte(out, byte_lower(name.at[i]));
    buf_byte(out, ':');
    relaxed_value(value, out);
}

void dkim_canon_field(struct slice field, enum dkim_canon canon, struct buf *out)
{
    if (canon == DKIM_RELAXED)
        relaxed_field(field, out);
    else
        simple_field(field, out);
}

/* --- bodies ------------------------------------------------------------------------ */

void dkim_body_init(struct dkim_body *b, enum dkim_canon canon, struct sha256 *hash)
{
    *b = (struct dkim_body){ .hash = hash, .canon = canon };
}

/* A byte that stands in the canonical form wherever it stands in the body. */
static inline bool is_plain(enum dkim_canon canon, char c)
{
    return c != '\r' && c != '\n' && (canon == DKIM_SIMPLE || !is_blank(c));
}

/* How much of `text` is canonical as it is: plain bytes, and between two of them one space or one line end. Most of a
 * body is, and goes to the hash in few calls. */
static size_t canonical_run(enum dkim_canon canon, struct slice text)
{
    size_t n = 0;

    for (; n < text.len; n++) {
        const char *at = text.at + n;
        size_t left = text.len - n;

        if (is_plain(canon, *at))
            continue;
        if (n == 0)
            break;
        if (*at == ' ' && left > 1 && is_plain(canon, at[1]))
            continue;
        if (*at == '\r' && left > 2 && at[1] == '\n' && is_plain(canon, at[2]))
            n++;
        else
            break;
    }
    return n;
}

static void hash_line_ends(struct dkim_body *b)
{
    static const char MANY[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const size_t most = (sizeof MANY - 1) / 2;

    while (b->line_ends > 0) {
        size_t some = b->line_ends < most ? b->line_ends : most;

        sha256_add(b->hash, slice(MANY, 2 * some));
        b->line_ends -= some;
    }
}

/* Something follows what waited. */
static void hash_pending(struct dkim_body *b)
{
    hash_line_ends(b);
    if (b->blank)
        sha256_add(b->hash, SLICE(" "));
    if (b->cr)
        sha256_add(b->hash, SLICE("\r"));
    b->blank = b->cr = false;
    b->begun = true;
}

static void take_odd_byte(struct dkim_body *b, char c)
{
    if (c == '\n') {
        b->line_ends++;
        b->blank = b->cr = false;   /* "Ignore all whitespace at the end of lines." */
        return;
    }
    if (b->cr)      /* it was a bare one */
        hash_pending(b);
    if (c == '\r')
        b->cr = true;
    else
        b->blank = true;
}

void dkim_body_add(struct dkim_body *b, struct slice piece)
{
    while (piece.len > 0) {
        size_t run = canonical_run(b->canon, piece);

        if (run > 0) {
            hash_pending(b);
            sha256_add(b->hash, slice_first(piece, run));
        } else {
            take_odd_byte(b, piece.at[0]);
            run = 1;
        }
        piece = slice_after(piece, run);
    }
}

/* "Ignore all empty lines at the end of the message body." A body that is left empty is one CRLF in simple form (3.4.3)
 * and nothing in relaxed form (3.4.4); the end of any other is its one CRLF. */
void dkim_body_end(struct dkim_body *b, uint8_t out[SHA256_BYTES])
{
    if (b->cr)
        hash_pending(b);
    if (b->begun || b->canon == DKIM_SIMPLE)
        sha256_add(b->hash, SLICE("\r\n"));
    sha256_end(b->hash, out);
}
