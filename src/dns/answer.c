#include "dns/answer.h"

#include "base/cursor.h"

#include <stdio.h>

enum { NAME_WIRE_MAX = 255, NAME_TEXT_MAX = 253, LABEL_MAX = 63 };

const char *dns_status_name(const struct dns_answer *a)
{
    switch (a->status) {
    case DNS_BOGUS: return "bogus";
    case DNS_FAILED: return "error";
    default: return a->secure ? "secure" : "insecure";
    }
}

const char *dns_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A: return "A";
    case DNS_CNAME: return "CNAME";
    case DNS_MX: return "MX";
    case DNS_TXT: return "TXT";
    case DNS_AAAA: return "AAAA";
    case DNS_SRV: return "SRV";
    case DNS_TLSA: return "TLSA";
    }
    return "UNKNOWN";
}

static bool is_name_byte(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c) || c == '-' || c == '_';
}

/* The caller has room: four bytes of text for each of the 255 of a name. */
static char *put_label(char *text, struct slice label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.at[i];

        if (is_name_byte(c))
            *text++ = byte_lower(c);
        else
            text += sprintf(text, "\\%03u", (unsigned char)c);
    }
    return text;
}

bool dns_name_text(struct slice wire, char text[DNS_NAME_MAX], size_t *used)
{
    struct cursor in = cursor_over(slice_first(wire, NAME_WIRE_MAX));
    size_t available = in.rest.len;
    char made[DNS_NAME_MAX], *end = made;
    uint8_t len;

    while ((len = cursor_u8(&in)) > 0) {
        if (len > LABEL_MAX)        /* a compression pointer too: there is nothing here to point into */
            return false;
        if (end > made)
            *end++ = '.';
        end = put_label(end, cursor_bytes(&in, len));
    }
    if (in.failed)
        return false;
    if (end == made)
        *end++ = '.';
    *end++ = '\0';
    memcpy(text, made, (size_t)(end - made));
    *used = available - in.rest.len;
    return true;
}

/* Over a name that may be compressed: a pointer is its last part (RFC 1035 4.1.4). */
static void skip_name(struct cursor *in)
{
    uint8_t len;

    while ((len = cursor_u8(in)) > 0) {
        if (len > LABEL_MAX) {
            cursor_u8(in);
            return;
        }
        cursor_bytes(in, len);
    }
}

size_t dns_aliases_in(struct slice message)
{
    struct cursor in = cursor_over(message);
    unsigned questions, answers;
    size_t aliases = 0;

    cursor_u32(&in);            /* id and flags */
    questions = cursor_u16(&in);
    answers = cursor_u16(&in);
    cursor_u32(&in);            /* counts of the other sections */
    for (; questions > 0 && !in.failed; questions--) {
        skip_name(&in);
        cursor_u32(&in);        /* type and class */
    }
    for (; answers > 0 && !in.failed; answers--) {
        uint16_t type;

        skip_name(&in);
        type = cursor_u16(&in);
        cursor_u16(&in);        /* class */
        cursor_u32(&in);        /* ttl */
        cursor_bytes(&in, cursor_u16(&in));
        aliases += !in.failed && type == DNS_CNAME;
    }
    return aliases;
}

static bool label_valid(struct slice label)
{
    if (slice_empty(label) || label.len > LABEL_MAX)
        return false;
    if (slice_equal(label, SLICE("*")))
        return true;
    for (size_t i = 0; i < label.len; i++)
        if (!is_name_byte(label.at[i]))
            return false;
    return true;
}

bool dns_name_valid(const char *name)
{
    struct slice rest = slice_of(name);

    if (slice_empty(rest) || rest.len > NAME_TEXT_MAX || rest.at[rest.len - 1] == '.')
        return false;
    while (rest.at)
        if (!label_valid(slice_cut(&rest, '.')))
            return false;
    return true;
}
