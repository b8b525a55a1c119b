#include "tlsrpt/record.h"

#include "policy/versioned.h"
#include "smtp/address.h"

enum { NAME_MAX_BYTES = 32, HTTPS_PORT = 443 };

#define VERSION SLICE("v=TLSRPTv1")
#define SHOWN(s) (int)((s).len < 48 ? (s).len : 48), (s).at     /* for "%.*s" in an error */

static bool is_alnum(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice without_blanks(struct slice s)
{
    while (s.len > 0 && is_blank(s.at[0]))
        s = slice_after(s, 1);
    while (s.len > 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* --- URIs ---------------------------------------------------------------------- */

/* 0 to 15; -1 for no hex digit. */
static int hex_value(char c)
{
    if (byte_is_digit(c))
        return c - '0';
    c = byte_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%2C" at `s` stands for; -1 when it stands for none. */
static int percent_value(struct slice s)
{
    int high, low;

    if (s.len < 3 || s.at[0] != '%')
        return -1;
    high = hex_value(s.at[1]);
    low = hex_value(s.at[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* RFC 3986 2, but for the brackets of address literals, and for what RFC 8460 3
 * takes out: "commas, exclamation points, and semicolons MUST be encoded". */
static bool is_uri(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];

        if (c == '%' && percent_value(slice_after(s, i)) < 0)
            return false;
        if (!is_alnum(c) && (c == '\0' || !strchr("-._~:/?#@$&'()*+=%", c)))
            return false;
    }
    return true;
}

static struct slice before_any(struct slice s, const char *bytes)
{
    size_t len = 0;

    while (len < s.len && !strchr(bytes, s.at[len]))
        len++;
    return slice_first(s, len);
}

/* Once: "%2540" is "%40" and not "@" (TLSRPT-002). */
static struct slice decode(struct slice s, char into[RUA_TEXT_MAX])
{
    size_t len = 0;

    while (s.len > 0) {
        int value = percent_value(s);

        into[len++] = value < 0 ? s.at[0] : (char)value;
        s = slice_after(s, value < 0 ? 1 : 3);
    }
    return slice(into, len);
}

/* RFC 6068. What stands behind '?' could add recipients and fields of a stranger's choice (TLSRPT-008). */
static bool take_mailto(struct slice rest, struct arena *arena, struct rua *rua)
{
    char decoded[RUA_TEXT_MAX];
    struct mailbox m;

    if (!mailbox_parse(decode(before_any(rest, "?#"), decoded), arena, &m, NULL) || m.is_null || m.is_literal)
        return false;
    rua->scheme = RUA_MAILTO;
    rua->address = mailbox_text(&m, arena).at;
    return true;
}

/* A name with a dot, of which the last part is no number: else it would be an IPv4 address (RFC 1123 2.1). */
static bool is_public_name(struct slice host)
{
    size_t dot = slice_find_last(host, '.');
    uint64_t number;

    return dot < host.len && domain_is_valid(host, false) &&
           !slice_to_number(slice_after(host, dot + 1), UINT64_MAX, &number);
}

static const char *lower(struct arena *arena, struct slice s)
{
    struct slice copy = arena_copy(arena, s);

    for (size_t i = 0; i < copy.len; i++)
        ((char *)copy.at)[i] = byte_lower(copy.at[i]);
    return copy.at;
}

/* No user information: nobody publishes a password in the DNS, but "https://example.org@192.0.2.1/" misleads. */
static bool take_https(struct slice rest, struct arena *arena, struct rua *rua)
{
    struct slice authority, host, path;
    uint64_t port = HTTPS_PORT;

    if (!slice_starts(rest, SLICE("//")))
        return false;
    rest = before_any(slice_after(rest, 2), "#");
    authority = before_any(rest, "/?");
    path = slice_after(rest, authority.len);
    host = slice_cut(&authority, ':');
    if (!is_public_name(host) || (authority.len > 0 && (!slice_to_number(authority, UINT16_MAX, &port) || port == 0)))
        return false;
    rua->scheme = RUA_HTTPS;
    rua->host = lower(arena, host);
    rua->port = (uint16_t)port;
    rua->path = arena_text(arena, "%s%.*s", slice_starts(path, SLICE("/")) ? "" : "/", SLICE_ARGS(path)).at;
    return true;
}

static bool take_uri(struct slice text, struct arena *arena, struct rua *out)
{
    struct slice rest = text, scheme = slice_cut(&rest, ':');
    struct rua rua = { 0 };
    bool good = false;

    if (text.len > RUA_TEXT_MAX || !is_uri(text) || !rest.at)
        return false;
    if (slice_equal_nocase(scheme, SLICE("mailto")))
        good = take_mailto(rest, arena, &rua);
    else if (slice_equal_nocase(scheme, SLICE("https")))
        good = take_https(rest, arena, &rua);
    if (!good)
        return false;
    rua.text = arena_string(arena, text);
    *out = rua;
    return true;
}

/* --- fields ----------------------------------------------------------------------- */

static bool is_same(const struct rua *a, const struct rua *b)
{
    if (a->scheme != b->scheme)
        return false;
    if (a->scheme == RUA_MAILTO)
        return strcmp(a->address, b->address) == 0;
    return a->port == b->port && strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

static bool is_listed(const struct rpt_record *r, const struct rua *rua)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_same(&r->rua[i], rua))
            return true;
    return false;
}

/* tlsrpt-rua = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri). A URI that we can make nothing of hides no other (TLSRPT-003). */
static void take_uris(struct slice list, struct arena *arena, struct rpt_record *r)
{
    while (list.at) {
        struct slice text = without_blanks(slice_cut(&list, ','));
        struct rua rua;

        if (r->count == RUA_MAX || !take_uri(text, arena, &rua))
            r->skipped++;
        else if (!is_listed(r, &rua))
            r->rua[r->count++] = rua;
    }
}

/* tlsrpt-ext-name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".") */
static bool is_name(struct slice s)
{
    if (s.len == 0 || s.len > NAME_MAX_BYTES || !is_alnum(s.at[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!is_alnum(s.at[i]) && s.at[i] != '_' && s.at[i] != '-' && s.at[i] != '.')
            return false;
    return true;
}

/* tlsrpt-ext-value = 1*(%x21-3A / %x3C / %x3E-7E) */
static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~' || s.at[i] == '=' || s.at[i] == ';')
            return false;
    return s.len > 0;
}

static bool take_field(struct slice field, struct arena *arena, struct rpt_record *r, bool *has_rua, struct error *why)
{
    struct slice value = field, name = slice_cut(&value, '=');

    if (!is_name(name) || !value.at)
        return fail(why, E_MALFORMED, "the TLS-RPT record has a field that is not name=value: \"%.*s\"", SHOWN(field));
    if (slice_equal(name, SLICE("rua")) && value.len > 0) {
        *has_rua = true;
        take_uris(value, arena, r);
        return true;
    }
    if (!is_value(value))
        return fail(why, E_MALFORMED, "the TLS-RPT record's field %.*s has no value that is allowed: \"%.*s\"",
                    SLICE_ARGS(name), SHOWN(value));
    return true;
}

/* tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]; several rua fields are merged (TLSRPT-005). */
static bool record_parse(struct slice text, struct arena *arena, struct rpt_record *out, struct error *why)
{
    struct slice rest = slice_after(text, VERSION.len), gap = slice_cut(&rest, ';');
    struct rpt_record record = { 0 };
    bool has_rua = false;

    if (!slice_empty(without_blanks(gap)))
        return fail(why, E_MALFORMED, "the TLS-RPT record lacks a ';' before \"%.*s\"", SHOWN(gap));
    while (rest.at) {
        struct slice field = without_blanks(slice_cut(&rest, ';'));

        if (slice_empty(field) && !rest.at)
            break;
        if (!take_field(field, arena, &record, &has_rua, why))
            return false;
    }
    if (!has_rua)
        return fail(why, E_MALFORMED, "the TLS-RPT record has no rua");
    if (arena->failed)
        return fail(why, E_LIMIT, "the TLS-RPT record takes too much room");
    *out = record;
    return true;
}

/* --- among all TXT records ------------------------------------------------------------ */

/* "If the number of resulting records is not one, senders MUST assume the recipient domain does not implement TLSRPT." */
bool rpt_record_find(const struct slice *texts, size_t count, struct arena *arena, struct rpt_record *out,
                     struct error *why)
{
    struct slice record;
    size_t number = versioned_find(texts, count, VERSION, &record);

    if (number == 0)
        return fail(why, E_NOT_FOUND, "no TXT record begins with v=TLSRPTv1");
    if (number > 1)
        return fail(why, E_NOT_FOUND, "%zu TXT records begin with v=TLSRPTv1, which counts as none", number);
    return record_parse(record, arena, out, why);
}
