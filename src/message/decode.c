#include "message/decode.h"

#include "base/base64.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum transfer_encoding transfer_encoding_parse(struct slice text)
{
    static const struct {
        struct slice name;
        enum transfer_encoding how;
    } names[] = {
        { { "", 0 }, TRANSFER_PLAIN }, { { "7bit", 4 }, TRANSFER_PLAIN }, { { "8bit", 4 }, TRANSFER_PLAIN },
        { { "binary", 6 }, TRANSFER_PLAIN }, { { "base64", 6 }, TRANSFER_BASE64 },
        { { "quoted-printable", 16 }, TRANSFER_QUOTED_PRINTABLE },
    };
    struct slice name = slice_trim(slice_first(text, slice_find(text, '(')));

    if (name.len && name.at[name.len - 1] == ';')       /* seen in the wild, as if it were a parameterised field */
        name = slice_trim(slice_first(name, name.len - 1));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal_nocase(name, names[i].name))
            return names[i].how;
    return TRANSFER_UNKNOWN;
}

static bool ended(const struct buf *out, struct error *why)
{
    return !out->failed || fail(why, E_LIMIT, "the decoded text has more than %zu bytes", out->max);
}

bool transfer_decode(enum transfer_encoding how, struct slice text, struct buf *out, struct error *why)
{
    switch (how) {
    case TRANSFER_BASE64:
        return base64_decode(text, out, why);
    case TRANSFER_QUOTED_PRINTABLE:
        return quoted_printable_decode(text, out, why);
    case TRANSFER_PLAIN:
    case TRANSFER_UNKNOWN:
        break;
    }
    buf_add(out, text);
    return ended(out, why);
}

/* --- base64 --------------------------------------------------------------------- */

/* Two digits left over are a byte, three are two. */
static bool base64_end(uint32_t bits, unsigned digits, struct buf *out, struct error *why)
{
    if (digits == 1)
        return fail(why, E_MALFORMED, "base64 ends with a single digit");
    if (digits > 1)
        buf_u8(out, (uint8_t)(bits >> (digits == 2 ? 4 : 10)));
    if (digits == 3)
        buf_u8(out, (uint8_t)(bits >> 2));
    return ended(out, why);
}

bool base64_decode(struct slice text, struct buf *out, struct error *why)
{
    uint32_t bits = 0;
    unsigned digits = 0;

    for (size_t i = 0; i < text.len && !out->failed; i++) {
        char c = text.at[i];
        int digit = base64_digit(c);

        if (is_space(c))
            continue;
        if (c == '=')
            break;
        if (digit < 0)
            return fail(why, E_MALFORMED, "byte 0x%02x does not belong in base64", (unsigned char)c);
        bits = bits << 6 | (uint32_t)digit;
        if (++digits < 4)
            continue;
        buf_add(out, slice((const char[]){ (char)(bits >> 16), (char)(bits >> 8), (char)bits }, 3));
        bits = digits = 0;
    }
    return base64_end(bits, digits, out, why);
}

/* --- quoted-printable -------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (byte_is_digit(c))
        return c - '0';
    c = byte_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A line of text, its end included, has no blanks at its end: RFC 2045 6.7 (3), "any trailing white space on a line
 * MUST be deleted, as it will necessarily have been added by intermediate transport agents". */
static void split_line(struct slice line, struct slice *content, struct slice *end)
{
    size_t len = line.len;

    while (len && (line.at[len - 1] == '\n' || line.at[len - 1] == '\r'))
        len--;
    *end = slice_after(line, len);
    while (len && (line.at[len - 1] == ' ' || line.at[len - 1] == '\t'))
        len--;
    *content = slice_first(line, len);
}

static void add_quoted(struct slice content, struct buf *out)
{
    while (content.len) {
        size_t plain = slice_find(content, '=');
        int high, low;

        buf_add(out, slice_first(content, plain));
        content = slice_after(content, plain);
        high = content.len > 2 ? hex_digit(content.at[1]) : -1;
        low = content.len > 2 ? hex_digit(content.at[2]) : -1;
        if (high >= 0 && low >= 0) {
            buf_u8(out, (uint8_t)(high << 4 | low));
            content = slice_after(content, 3);
        } else {
            buf_add(out, slice_first(content, 1));
            content = slice_after(content, 1);
        }
    }
}

bool quoted_printable_decode(struct slice text, struct buf *out, struct error *why)
{
    while (text.len && !out->failed) {
        size_t newline = slice_find(text, '\n');
        struct slice line = slice_first(text, newline + 1), content, end;
        bool soft;

        text = slice_after(text, line.len);
        split_line(line, &content, &end);
        soft = content.len && content.at[content.len - 1] == '=';
        add_quoted(slice_first(content, content.len - soft), out);
        if (!soft)
            buf_add(out, end);
    }
    return ended(out, why);
}
