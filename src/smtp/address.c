#include "smtp/address.h"

#include "base/cursor.h"

#include <arpa/inet.h>

/* --- domains and literals ---------------------------------------------- */

static bool label_is_valid(struct slice label, bool lenient)
{
    if (label.len == 0 || label.len > 63 || label.at[0] == '-' || label.at[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.at[i];

        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '-' && !(lenient && c == '_'))
            return false;
    }
    return true;
}

bool domain_is_valid(struct slice domain, bool lenient)
{
    struct slice rest = domain;

    if (domain.len > DOMAIN_MAX)
        return false;
    do {
        if (!label_is_valid(slice_cut(&rest, '.'), lenient))
            return false;
    } while (rest.at);
    return true;
}

static bool is_ip(int family, struct slice s)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t ip[16];

    if (s.len >= sizeof text || slice_find(s, '\0') < s.len)
        return false;
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    return inet_pton(family, text, ip) == 1;
}

bool literal_is_valid(struct slice literal)
{
    const struct slice tag = SLICE("IPv6:");
    struct slice inner;

    if (literal.len < 2 || literal.at[0] != '[' || literal.at[literal.len - 1] != ']')
        return false;
    inner = slice(literal.at + 1, literal.len - 2);
    if (slice_starts_nocase(inner, tag))
        return is_ip(AF_INET6, slice_after(inner, tag.len));
    return is_ip(AF_INET, inner);
}

static bool is_domain_byte(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c) || c == '-' || c == '.' || c == '_';
}

static struct slice lower_copy(struct arena *arena, struct slice s)
{
    char *copy = arena_take(arena, s.len + 1);

    if (!copy)
        return slice("", 0);
    for (size_t i = 0; i < s.len; i++)
        copy[i] = byte_lower(s.at[i]);
    return slice(copy, s.len);
}

static bool take_literal(struct cursor *in, struct arena *arena, struct mailbox *m, struct error *why)
{
    struct slice start = in->rest, literal, address;

    cursor_until(in, ']');
    if (!cursor_skip(in, ']'))
        return fail(why, E_MALFORMED, "the address literal has no closing bracket");
    literal = slice_first(start, start.len - in->rest.len);
    if (!literal_is_valid(literal))
        return fail(why, E_MALFORMED, "the address literal must be [192.0.2.1] or [IPv6:2001:db8::1]");
    m->is_literal = true;
    m->domain = lower_copy(arena, literal);
    address = slice_after(literal, 1);
    if (m->domain.len && slice_starts_nocase(address, SLICE("IPv6:")))
        memcpy((char *)m->domain.at + 1, "IPv6:", 5);   /* the tag's own spelling */
    return true;
}

static bool take_domain(struct cursor *in, struct arena *arena, struct mailbox *m, struct error *why)
{
    struct slice name;

    if (cursor_peek(in) == '[')
        return take_literal(in, arena, m, why);
    name = cursor_while(in, is_domain_byte);
    if (slice_empty(name))
        return fail(why, E_MALFORMED, "there is no domain behind the @");
    if (!domain_is_valid(name, true))
        return fail(why, E_MALFORMED, "the domain is not a valid host name");
    m->domain = lower_copy(arena, name);
    return true;
}

/* --- local parts --------------------------------------------------------- */

/* atext of RFC 5322 3.2.3, and the dot between atoms. */
static bool is_dot_string_byte(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_dot_string(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_dot_string_byte(s.at[i]) || (s.at[i] == '.' && (i == 0 || i + 1 == s.len || s.at[i - 1] == '.')))
            return false;
    return s.len > 0;
}

/* What a quoted string means: its content without quotes and backslashes. */
static bool unquote(struct cursor *in, char content[LOCAL_PART_MAX], size_t *len, struct error *why)
{
    *len = 0;
    cursor_skip(in, '"');
    while (!cursor_skip(in, '"')) {
        int byte;

        cursor_skip(in, '\\');     /* what follows stands for itself, be it a quote */
        byte = cursor_peek(in);
        if (byte < ' ' || byte > '~')
            return fail(why, E_MALFORMED, byte < 0 ? "the quoted local part does not end"
                                                   : "the quoted local part holds a byte that is not printable ASCII");
        if (*len == LOCAL_PART_MAX)
            return fail(why, E_MALFORMED, "the local part is longer than %d bytes", LOCAL_PART_MAX);
        content[(*len)++] = (char)byte;
        cursor_skip(in, (char)byte);
    }
    return true;
}

static struct slice quote(struct arena *arena, struct slice content)
{
    char *text = arena_take(arena, 2 * content.len + 2);
    size_t len = 0;

    if (!text)
        return slice("", 0);
    text[len++] = '"';
    for (size_t i = 0; i < content.len; i++) {
        if (content.at[i] == '"' || content.at[i] == '\\')
            text[len++] = '\\';
        text[len++] = content.at[i];
    }
    text[len++] = '"';
    return slice(text, len);
}

static bool take_local(struct cursor *in, struct arena *arena, struct mailbox *m, struct error *why)
{
    struct slice raw;

    if (cursor_peek(in) == '"') {
        char content[LOCAL_PART_MAX];
        size_t len;

        if (!unquote(in, content, &len, why))
            return false;
        raw = slice(content, len);
        m->local = is_dot_string(raw) ? arena_copy(arena, raw) : quote(arena, raw);
        return true;
    }
    raw = cursor_while(in, is_dot_string_byte);
    if (raw.len > LOCAL_PART_MAX)
        return fail(why, E_MALFORMED, "the local part is longer than %d bytes", LOCAL_PART_MAX);
    if (!is_dot_string(raw))
        return fail(why, E_MALFORMED, raw.len ? "the local part has a dot too many"
                                              : "the local part is missing or not printable ASCII");
    m->local = arena_copy(arena, raw);
    return true;
}

/* --- whole addresses ------------------------------------------------------ */

static bool take_mailbox(struct cursor *in, bool allow_bare_postmaster, struct arena *arena, struct mailbox *m,
                         struct error *why)
{
    m->domain = slice("", 0);
    if (!take_local(in, arena, m, why))
        return false;
    if (cursor_skip(in, '@')) {
        if (!take_domain(in, arena, m, why))
            return false;
    } else if (!allow_bare_postmaster || !slice_equal_nocase(m->local, SLICE("Postmaster"))) {
        return fail(why, E_MALFORMED, "there is no @ behind the local part");
    }
    return !arena->failed || fail(why, E_LIMIT, "no room for another address");
}

/* RFC 5321 4.1.1.3 and appendix C: "@a,@b:" before the mailbox is accepted,
 * and ignored. */
static bool skip_route(struct cursor *in, struct error *why)
{
    if (cursor_peek(in) != '@')
        return true;
    do {
        if (!cursor_skip(in, '@') || !domain_is_valid(cursor_while(in, is_domain_byte), true))
            return fail(why, E_MALFORMED, "the source route is not valid");
    } while (cursor_skip(in, ','));
    return cursor_skip(in, ':') || fail(why, E_MALFORMED, "the source route does not end in a colon");
}

bool path_parse(struct slice text, bool allow_null, bool allow_bare_postmaster, struct arena *arena,
                struct mailbox *out, struct error *why)
{
    struct cursor in = cursor_over(text);
    struct mailbox m = { 0 };

    if (!cursor_skip(&in, '<'))
        return fail(why, E_MALFORMED, "the address must stand in <angle brackets>");
    if (slice_equal(in.rest, SLICE(">"))) {
        if (!allow_null)
            return fail(why, E_MALFORMED, "the empty address cannot stand here");
        *out = (struct mailbox){ .local = slice("", 0), .domain = slice("", 0), .is_null = true };
        return true;
    }
    if (!skip_route(&in, why) || !take_mailbox(&in, allow_bare_postmaster, arena, &m, why))
        return false;
    if (!cursor_skip(&in, '>') || !cursor_ended(&in))
        return fail(why, E_MALFORMED, "something that cannot be in an address stands before the closing bracket");
    *out = m;
    return true;
}

size_t path_length(struct slice text)
{
    bool quoted = false;

    if (text.len == 0 || text.at[0] != '<')
        return 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.at[i] == '"')
            quoted = !quoted;
        else if (text.at[i] == '\\' && quoted)
            i++;
        else if (text.at[i] == '>' && !quoted)
            return i + 1;
    }
    return 0;
}

bool mailbox_parse(struct slice text, struct arena *arena, struct mailbox *out, struct error *why)
{
    struct cursor in = cursor_over(text);
    struct mailbox m = { 0 };

    if (slice_empty(text) || slice_equal(text, SLICE("<>"))) {
        *out = (struct mailbox){ .local = slice("", 0), .domain = slice("", 0), .is_null = true };
        return true;
    }
    if (!take_mailbox(&in, false, arena, &m, why))
        return false;
    if (!cursor_ended(&in))
        return fail(why, E_MALFORMED, "something that cannot be in an address stands behind the domain");
    *out = m;
    return true;
}

struct slice mailbox_text(const struct mailbox *m, struct arena *arena)
{
    if (m->is_null)
        return slice("", 0);
    if (slice_empty(m->domain))
        return arena_copy(arena, m->local);
    return arena_text(arena, "%.*s@%.*s", SLICE_ARGS(m->local), SLICE_ARGS(m->domain));
}
