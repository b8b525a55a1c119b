/* A report that came as a message; see tlsrpt/read.h. */
#include "tlsrpt/read_inside.h"

#include "message/mime.h"
#include "smtp/address.h"
#include "tlsrpt/gzip.h"

/* Parts are tried in this order: what says that it is a report, then what could be one whatever it is called. */
enum promise { IS_REPORT, MAY_BE_REPORT, IS_NONE };

struct letter_parts {
    struct mime_part at[IS_NONE][REPORT_LETTER_TRIES];
    size_t count[IS_NONE];
};

/* What the parts may still cost: a stranger chose how many there are, and how large. */
struct budget {
    unsigned tries;
    size_t bytes;                   /* of JSON */
};

static enum promise promise_of(const struct mime_part *part)
{
    struct slice type = slice_of(part->type);

    if (slice_starts(type, SLICE("application/tlsrpt")))
        return IS_REPORT;
    /* What is quoted in a bounce, or forwarded, is not what the sender of this message says. */
    if (slice_starts(type, SLICE("message/")) || slice_equal(type, SLICE("text/rfc822-headers")))
        return IS_NONE;
    return slice_equal(type, SLICE("text/html")) || slice_starts(type, SLICE("image/")) ? IS_NONE : MAY_BE_REPORT;
}

static bool looks_like_report(struct slice bytes)
{
    if (slice_starts(bytes, SLICE("\xef\xbb\xbf")))
        bytes = slice_after(bytes, 3);
    bytes = slice_trim(bytes);
    return gzip_is(bytes) || slice_starts(bytes, SLICE("{"));
}

/* Enough of the part to see how it begins. */
static bool begins_like_report(const struct mime_part *part)
{
    auto_buf struct buf head = { 0 };

    buf_init(&head, 1024);
    if (!transfer_decode(part->encoding, slice_first(part->body, 512), &head, NULL) && looks_like_report(part->body))
        return true;
    return looks_like_report(buf_slice(&head));     /* cut between two digits, perhaps, but it begins all the same */
}

static bool collect(void *arg, const struct mime_part *part)
{
    enum promise promise = promise_of(part);
    struct letter_parts *parts = arg;

    if (promise == IS_NONE || (promise == MAY_BE_REPORT && !begins_like_report(part)))
        return true;
    if (parts->count[promise] < REPORT_LETTER_TRIES)
        parts->at[promise][parts->count[promise]++] = *part;
    return parts->count[IS_REPORT] < REPORT_LETTER_TRIES;
}

/* What the part says of its encoding may be wrong: then its bytes are the report. */
static bool read_part(const struct mime_part *part, size_t *most, struct arena *arena, struct report_letter *out,
                      struct error *why)
{
    auto_buf struct buf decoded = { 0 };
    bool good;

    buf_init(&decoded, REPORT_MESSAGE_MAX);
    good = transfer_decode(part->encoding, part->body, &decoded, why);
    if (looks_like_report(part->body) && !looks_like_report(buf_slice(&decoded)))
        return report_read_within(slice_trim(part->body), most, arena, &out->report, &out->notes, why);
    return good && report_read_within(buf_slice(&decoded), most, arena, &out->report, &out->notes, why);
}

/* The first that can be read; else why the first cannot. */
static bool read_parts(const struct letter_parts *parts, enum promise promise, struct budget *left, struct arena *arena,
                       struct report_letter *out, struct error *first)
{
    for (size_t i = 0; i < parts->count[promise] && left->tries > 0; i++) {
        struct error reason = { 0 };

        left->tries--;
        if (read_part(&parts->at[promise][i], &left->bytes, arena, out, &reason))
            return true;
        if (first->code == E_NONE)
            *first = reason;
    }
    return false;
}

/* --- the fields ----------------------------------------------------------------- */

static const char *lower_field(struct slice header, struct slice name, struct arena *arena)
{
    struct slice value;
    char *text;

    if (!mime_field(header, name, &value))
        return "";
    text = (char *)arena_string(arena, slice_first(mime_unfold(value, arena), 255));
    for (char *c = text; *c; c++)
        *c = byte_lower(*c);
    return text;
}

const char *report_address_domain(const char *address, struct arena *arena)
{
    struct slice s = slice_of(address), domain;
    char *text;

    domain = slice_trim(slice_after(s, slice_find_last(s, '@') + 1));
    if (slice_find(s, '@') == s.len || domain.len > 253 || !domain_is_valid(domain, true))
        return "";
    text = (char *)arena_string(arena, domain);
    for (char *c = text; *c; c++)
        *c = byte_lower(*c);
    return text;
}

/* RFC 5322 3.6.2: one mailbox, "Name <a@b>" or "a@b". Of several, or several fields, nobody could say which is meant. */
static const char *from_domain(struct slice header, struct arena *arena)
{
    struct slice value, address;

    if (mime_field_count(header, SLICE("From")) != 1 || !mime_field(header, SLICE("From"), &value))
        return "";
    address = mime_unfold(value, arena);
    if (slice_find(address, '<') < address.len) {
        size_t open = slice_find_last(address, '<');

        if (memchr(address.at, '@', open) && memchr(address.at, ',', open))
            return "";
        address = slice_after(address, open + 1);
        address = slice_first(address, slice_find(address, '>'));
    }
    if (slice_find(address, ',') < address.len || slice_find(address, '@') != slice_find_last(address, '@'))
        return "";
    return report_address_domain(arena_string(arena, address), arena);
}

static void fill_domains(struct report_letter *letter)
{
    for (size_t i = 0; i < letter->report.entry_count; i++) {
        struct report_policy *policy = &letter->report.entries[i].policy;

        if (policy->domain[0] || !letter->domain[0])
            continue;
        policy->domain = letter->domain;
        report_note(&letter->notes, "policy-domain is missing, taken from the message's TLS-Report-Domain");
    }
}

const struct letter_parts *letter_open(struct slice message, struct arena *arena, struct report_letter *out,
                                       struct error *why)
{
    struct report_letter letter = { .notes = { .count = 0 } };
    struct letter_parts *parts = arena_take(arena, sizeof *parts);
    struct slice header, body;
    struct error walked = { 0 };

    if (message.len > REPORT_MESSAGE_MAX || !parts) {
        fail(why, E_LIMIT, "a message of %zu bytes is too large, at most %d are read", message.len, REPORT_MESSAGE_MAX);
        return NULL;
    }
    if (!mime_walk(message, collect, parts, &walked) && parts->count[IS_REPORT] + parts->count[MAY_BE_REPORT] == 0) {
        fail(why, walked.code, "%s", walked.text);
        return NULL;
    }
    if (parts->count[IS_REPORT] + parts->count[MAY_BE_REPORT] == 0) {
        fail(why, E_NOT_FOUND, "the message has no TLS report in it");
        return NULL;
    }
    mime_split(message, &header, &body);
    letter.from = from_domain(header, arena);
    letter.submitter = lower_field(header, SLICE("TLS-Report-Submitter"), arena);
    letter.domain = lower_field(header, SLICE("TLS-Report-Domain"), arena);
    if (!domain_is_valid(slice_of(letter.domain), true))
        letter.domain = "";
    letter.encoded = mime_field_count(header, SLICE("Content-Transfer-Encoding")) > 0;
    *out = letter;
    return parts;
}

bool letter_read(const struct letter_parts *parts, struct arena *arena, struct report_letter *out, struct error *why)
{
    struct budget left = { REPORT_LETTER_TRIES, REPORT_LETTER_JSON_MAX };
    struct error first = { 0 };

    if (read_parts(parts, IS_REPORT, &left, arena, out, &first) ||
        read_parts(parts, MAY_BE_REPORT, &left, arena, out, &first)) {
        fill_domains(out);
        return !arena->failed || fail(why, E_LIMIT, "the report is too large to be kept");
    }
    if (parts->count[IS_REPORT] == 0 && first.code != E_LIMIT)      /* nothing promised to be one */
        return fail(why, E_NOT_FOUND, "the message has no TLS report in it; what could have been one: %.150s", first.text);
    if (why)
        *why = first;
    return false;
}

bool report_letter_read(struct slice message, struct arena *arena, struct report_letter *out, struct error *why)
{
    const struct letter_parts *parts;
    struct report_letter letter;

    parts = letter_open(message, arena, &letter, why);
    if (!parts || !letter_read(parts, arena, &letter, why))
        return false;
    *out = letter;
    return true;
}
