#include "postfix/request.h"

enum { LENGTH_DIGITS = 5, SAYABLE_MAX = 1000 };

/* --- socketmap ------------------------------------------------------------------ */

static bool split_question(struct slice question, struct map_request *out)
{
    size_t space = slice_find(question, ' ');

    if (space == question.len)
        return false;
    *out = (struct map_request){ slice_first(question, space), slice_after(question, space + 1), true };
    return true;
}

enum request_state socketmap_read(struct slice in, struct map_request *out, size_t *used)
{
    size_t digits = 0, length = 0;

    while (digits < in.len && digits < LENGTH_DIGITS && byte_is_digit(in.at[digits]))
        length = length * 10 + (size_t)(in.at[digits++] - '0');
    /* "Extra zeros at the front of [len] are prohibited" (the definition of netstrings). */
    if ((digits > 1 && in.at[0] == '0') || length > SOCKETMAP_REQUEST_MAX)
        return REQUEST_BAD;
    if (digits == in.len)
        return REQUEST_PART;
    if (digits == 0 || in.at[digits] != ':')
        return REQUEST_BAD;
    if (in.len < digits + 1 + length + 1)
        return REQUEST_PART;
    if (in.at[digits + 1 + length] != ',' || !split_question(slice(in.at + digits + 1, length), out))
        return REQUEST_BAD;
    *used = digits + 1 + length + 1;
    return REQUEST_WHOLE;
}

void socketmap_put(struct buf *out, enum map_status status, struct slice text)
{
    static const struct slice words[] = {
        [MAP_FOUND] = { "OK ", 3 }, [MAP_NOT_FOUND] = { "NOTFOUND ", 9 }, [MAP_TRY_LATER] = { "TEMP ", 5 },
        [MAP_WRONG] = { "PERM ", 5 } };

    if (status == MAP_NOT_FOUND)
        text = slice("", 0);
    else if (status == MAP_FOUND && text.len > SOCKETMAP_REPLY_MAX - words[MAP_FOUND].len) {
        status = MAP_TRY_LATER;
        text = SLICE("the answer is longer than socketmap allows");
    }
    if (status != MAP_FOUND)
        text = slice_first(text, SAYABLE_MAX);
    buf_text(out, "%zu:", words[status].len + text.len);
    buf_add(out, words[status]);
    buf_add(out, text);
    buf_byte(out, ',');
}

/* --- tcp_table -------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (byte_is_digit(c))
        return c - '0';
    c = byte_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "Each octet that is %, white space or not printable is sent as %XX" (tcp_table(5)). */
static bool decode(struct slice text, char *decoded, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.at[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(text.at[i + 2]);

            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c <= ' ' || c == 0x7f) {
            return false;
        }
        decoded[(*len)++] = c;
    }
    return true;
}

enum request_state tcp_table_read(struct slice in, char decoded[TCP_TABLE_LINE_MAX], struct map_request *out, size_t *used)
{
    struct slice line = slice_first(in, TCP_TABLE_LINE_MAX);
    size_t end = slice_find(line, '\n'), len;

    if (end == line.len)
        return line.len == TCP_TABLE_LINE_MAX ? REQUEST_BAD : REQUEST_PART;
    line.len = end;
    *used = end + 1;
    *out = (struct map_request){ .map = { "", 0 }, .key = { "", 0 } };
    if (slice_starts(line, SLICE("get ")) && decode(slice_after(line, 4), decoded, &len)) {
        out->key = slice(decoded, len);
        out->understood = true;
    }
    return REQUEST_WHOLE;
}

static void encode(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if (c == '%' || c <= ' ' || c >= 0x7f)
            buf_text(out, "%%%02X", c);
        else
            buf_byte(out, (char)c);
    }
}

void tcp_table_put(struct buf *out, enum map_status status, struct slice text)
{
    static const char *const codes[] = {
        [MAP_FOUND] = "200 ", [MAP_NOT_FOUND] = "500 not found", [MAP_TRY_LATER] = "400 ", [MAP_WRONG] = "400 " };
    auto_buf struct buf line = { 0 };

    buf_init(&line, TCP_TABLE_LINE_MAX - 1);
    if (status != MAP_FOUND)
        text = slice_first(text, SAYABLE_MAX);
    if (status == MAP_NOT_FOUND)
        text = slice("", 0);
    buf_add(&line, slice_of(codes[status]));
    encode(&line, text);
    if (line.failed)
        buf_add(out, slice_of("400 the%20answer%20is%20longer%20than%20tcp_table%20allows"));
    else
        buf_add(out, buf_slice(&line));
    buf_byte(out, '\n');
}
