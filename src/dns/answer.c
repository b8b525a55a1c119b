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

static const struct {
    enum dns_type type;
    const char *name;
} types[] = {
    { DNS_A, "A" },     { DNS_NS, "NS" },     { DNS_CNAME, "CNAME" }, { DNS_SOA, "SOA" },   { DNS_MX, "MX" },
    { DNS_TXT, "TXT" }, { DNS_AAAA, "AAAA" }, { DNS_SRV, "SRV" },     { DNS_TLSA, "TLSA" },
};
enum { TYPES = sizeof types / sizeof *types };

const char *dns_type_name(enum dns_type type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].type == type)
            return types[i].name;
    return "UNKNOWN";
}

bool dns_type_parse(struct slice text, enum dns_type *type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (slice_equal_nocase(text, slice_of(types[i].name))) {
            *type = types[i].type;
            return true;
        }
    return false;
}

bool dns_answer_is_error(const struct dns_answer *a)
{
    return a->status == DNS_FAILED || a->status == DNS_BOGUS;
}

bool dns_answer_fail(const struct dns_answer *a, const char *name, enum dns_type type, enum error_code code,
                     struct error *why)
{
    return fail(why, code, "%s record of %s %s: %s", dns_type_name(type), name,
                a->status == DNS_BOGUS ? "fails DNSSEC validation" : "cannot be looked up",
                a->why && a->why[0] ? a->why : "no reason given");
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

const char *dns_name_copy(struct arena *arena, struct slice name)
{
    struct slice copy;

    if (name.len > 1 && name.at[name.len - 1] == '.')
        name.len--;
    copy = arena_copy(arena, slice_first(name, DNS_NAME_MAX - 1));
    for (size_t i = 0; i < copy.len; i++)
        ((char *)copy.at)[i] = byte_lower(copy.at[i]);
    return copy.at;
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

enum { TYPE_RRSIG = 46 };

struct record {
    uint16_t type;
    struct slice rdata;
};

/* False where the message ends or makes no sense. */
static bool next_record(struct cursor *in, struct record *r)
{
    skip_name(in);
    r->type = cursor_u16(in);
    cursor_u16(in);             /* class */
    cursor_u32(in);             /* ttl */
    r->rdata = cursor_bytes(in, cursor_u16(in));
    return !in->failed;
}

/* To the first record; says how many there are in the answer, and in that with authority. */
static struct cursor to_records(struct slice message, size_t *answers, size_t *with_authority)
{
    struct cursor in = cursor_over(message);
    unsigned questions;

    cursor_u32(&in);            /* id and flags */
    questions = cursor_u16(&in);
    *answers = cursor_u16(&in);
    *with_authority = *answers + cursor_u16(&in);
    cursor_u16(&in);            /* additional */
    for (; questions > 0 && !in.failed; questions--) {
        skip_name(&in);
        cursor_u32(&in);        /* type and class */
    }
    return in;
}

size_t dns_aliases_in(struct slice message)
{
    size_t answers, unused, aliases = 0;
    struct cursor in = to_records(message, &answers, &unused);
    struct record r;

    for (; answers > 0 && next_record(&in, &r); answers--)
        aliases += r.type == DNS_CNAME;
    return aliases;
}

uint32_t dns_signed_seconds(struct slice message, uint32_t now)
{
    size_t unused, count;
    struct cursor in = to_records(message, &unused, &count);
    uint32_t least = UINT32_MAX;
    struct record r;

    for (; count > 0 && next_record(&in, &r); count--) {
        struct cursor signature = cursor_over(r.rdata);
        int32_t left;

        if (r.type != TYPE_RRSIG)
            continue;
        cursor_u64(&signature);         /* type covered, algorithm, labels, original ttl: RFC 4034 3.1 */
        left = (int32_t)(cursor_u32(&signature) - now);     /* RFC 4034 3.1.5: serial number arithmetic */
        if (signature.failed || left < 0)
            left = 0;
        if ((uint32_t)left < least)
            least = (uint32_t)left;
    }
    return least;
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
