#include "base/escape.h"

#include <assert.h>
#include <stdio.h>

static size_t escape_byte(unsigned char c, char out[5])
{
    switch (c) {
    case '\r': return (size_t)snprintf(out, 5, "\\r");
    case '\n': return (size_t)snprintf(out, 5, "\\n");
    case '\t': return (size_t)snprintf(out, 5, "\\t");
    case '\\': return (size_t)snprintf(out, 5, "\\\\");
    default: break;
    }
    if (c >= ' ' && c < 0x7f) {
        out[0] = (char)c;
        return 1;
    }
    return (size_t)snprintf(out, 5, "\\x%02x", c);
}

const char *escape_line(struct slice s, char *text, size_t size)
{
    size_t used = 0;

    assert(size > 0);
    for (size_t i = 0; i < s.len; i++) {
        char one[5];
        size_t len = escape_byte((unsigned char)s.at[i], one);

        if (used + len >= size)
            break;
        memcpy(text + used, one, len);
        used += len;
    }
    text[used] = '\0';
    return text;
}

/* Length of the valid UTF-8 character at `s`, 0 when there is none (RFC 3629:
 * no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_length(struct slice s)
{
    const unsigned char *b = (const unsigned char *)s.at;
    size_t need = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;

    if (need == 0 || need > s.len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return 0;
    return need;
}

/* A valid character of `n` bytes as its number. */
static unsigned code_point(struct slice s, size_t n)
{
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned c = (unsigned char)s.at[0] & first_bits[n];

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s.at[i] & 0x3f);
    return c;
}

/* Characters that do something to a terminal or to a reader: C0 and C1
 * controls (U+009B begins a terminal's command as ESC [ does), line and
 * paragraph separators, and all that turn the direction of writing. */
static bool acts(unsigned c)
{
    return c < ' ' || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void escape_json(struct buf *out, struct slice s)
{
    buf_byte(out, '"');
    while (s.len) {
        size_t n = utf8_length(s);
        unsigned c = code_point(s, n);

        if (n == 0) {
            buf_add(out, SLICE("\xef\xbf\xbd"));
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_byte(out, '\\');
            buf_byte(out, (char)c);
        } else if (acts(c)) {
            buf_text(out, "\\u%04x", c);
        } else {
            buf_add(out, slice_first(s, n));
        }
        s = slice_after(s, n);
    }
    buf_byte(out, '"');
}
