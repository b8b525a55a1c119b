#include "base/base64.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        struct slice group = slice_first(slice_after(bytes, i), 3);
        uint32_t bits = 0;
        char text[4];

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < group.len ? (uint8_t)group.at[k] : 0);
        for (size_t k = 0; k < 4; k++)
            text[k] = k <= group.len ? ALPHABET[bits >> (18 - 6 * k) & 63] : '=';
        buf_add(out, slice(text, sizeof text));
    }
}

int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (byte_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct reader {
    uint32_t bits;
    unsigned digits, padding;   /* of the group of four under way */
    bool ended;                 /* padding was complete */
};

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool take(struct reader *r, char c, struct buf *out)
{
    int value = base64_digit(c);

    if (r->ended || (value < 0 && c != '=') || (value >= 0 && r->padding > 0) || (c == '=' && r->digits < 2))
        return false;
    r->bits = r->bits << 6 | (uint32_t)(value < 0 ? 0 : value);
    r->digits++;
    r->padding += c == '=';
    if (r->digits < 4)
        return true;
    for (unsigned k = 0; k < 3 - r->padding; k++)
        buf_u8(out, (uint8_t)(r->bits >> (16 - 8 * k)));
    *r = (struct reader){ .ended = r->padding > 0 };
    return true;
}

bool base64_read(struct slice text, struct buf *out)
{
    struct buf bytes = { 0 };
    struct reader r = { 0 };
    bool good = !out->failed;

    buf_init(&bytes, text.len / 4 * 3 + 3);
    for (size_t i = 0; good && i < text.len; i++)
        good = is_white(text.at[i]) || take(&r, text.at[i], &bytes);
    good = good && r.digits == 0 && buf_len(&bytes) <= out->max - buf_len(out);
    if (good)
        buf_add(out, buf_slice(&bytes));
    buf_done(&bytes);
    return good;
}
