#include "fact/visit.h"

#include "fact/key.h"
#include "fact/tally_kind.h"

/* --- clients ----------------------------------------------------------------- */

static size_t ip_len(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

static void put_address(struct buf *out, const struct address *a)
{
    size_t len = ip_len(a->family);

    buf_u8(out, (uint8_t)len);
    buf_add(out, slice(a->ip, len));
}

static struct address get_address(struct cursor *in)
{
    struct slice ip = cursor_bytes(in, cursor_u8(in));
    struct address a = { 0 };

    if (ip.len == 0)
        return a;
    a.family = ip.len == 4 ? AF_INET : AF_INET6;
    if (ip.len != ip_len(a.family)) {
        in->failed = true;
        return (struct address){ 0 };
    }
    memcpy(a.ip, ip.at, ip.len);
    return a;
}

/* Who names another host at each try must not be another client each time. */
static void put_problem(struct buf *out, const char *problem)
{
    static const char usual[] = "TLS handshake failed: ";
    char text[KEY_TEXT_MAX + 1];
    size_t len = 0;
    bool quoted = false;

    if (strncmp(problem, usual, strlen(usual)) == 0)
        problem += strlen(usual);
    for (const char *c = problem; *c && len + 5 < sizeof text; c++) {
        if (*c == '"' && !quoted) {
            memcpy(text + len, "\"...", 4);
            len += 4;
        }
        quoted ^= *c == '"';
        if (!quoted)
            text[len++] = *c;
    }
    text[len] = '\0';
    key_put_text(out, text);
}

void visit_encode(const struct visit *v, struct buf *out)
{
    buf_u8(out, TALLY_CLIENT);
    buf_u8(out, (uint8_t)v->role);
    put_address(out, &v->client);
    key_put_text(out, v->name);
    key_put_text(out, v->user);
    buf_u8(out, (uint8_t)v->end);
    buf_u8(out, v->password_in_clear);
    buf_u8(out, (uint8_t)v->version);
    key_put_text(out, v->group);
    key_put_text(out, v->cipher);
    put_problem(out, v->problem);
}

bool visit_decode(struct slice key, struct arena *arena, struct visit *out)
{
    struct cursor in = cursor_over(key);
    struct visit v = { 0 };

    if (cursor_u8(&in) != TALLY_CLIENT)
        return false;
    v.role = (enum visit_role)key_get_one_of(&in, VISIT_SUBMISSION);
    v.client = get_address(&in);
    v.name = key_get_text(&in, arena);
    v.user = key_get_text(&in, arena);
    v.end = (enum visit_end)key_get_one_of(&in, VISIT_REFUSED_IN_CLEAR);
    v.password_in_clear = key_get_one_of(&in, true);
    v.version = (enum tls_version)key_get_one_of(&in, TLS_1_3);
    v.group = key_get_text(&in, arena);
    v.cipher = key_get_text(&in, arena);
    v.problem = key_get_text(&in, arena);
    if (!key_ended(&in, arena))
        return false;
    *out = v;
    return true;
}

void visit_rest(const struct visit *v, struct buf *out)
{
    struct visit rest = *v;

    rest.client = (struct address){ 0 };
    rest.name = rest.user = rest.cipher = rest.problem = "";
    visit_encode(&rest, out);
}

/* --- messages taken ------------------------------------------------------------ */

void receipt_encode(const struct receipt *r, struct buf *out)
{
    char domain[KEY_TEXT_MAX + 1];
    size_t len = 0;

    for (; len < KEY_TEXT_MAX && r->domain[len]; len++)
        domain[len] = byte_lower(r->domain[len]);
    domain[len] = '\0';
    buf_u8(out, TALLY_RECEIVED);
    key_put_text(out, domain);
    buf_u8(out, (uint8_t)r->version);
    key_put_text(out, r->group);
    key_put_text(out, r->cipher);
}

bool receipt_decode(struct slice key, struct arena *arena, struct receipt *out)
{
    struct cursor in = cursor_over(key);
    struct receipt r = { 0 };

    if (cursor_u8(&in) != TALLY_RECEIVED)
        return false;
    r.domain = key_get_text(&in, arena);
    r.version = (enum tls_version)key_get_one_of(&in, TLS_1_3);
    r.group = key_get_text(&in, arena);
    r.cipher = key_get_text(&in, arena);
    if (!key_ended(&in, arena))
        return false;
    *out = r;
    return true;
}

void receipt_rest(const struct receipt *r, struct buf *out)
{
    struct receipt rest = *r;

    rest.domain = KEY_OTHERS;
    rest.cipher = "";
    receipt_encode(&rest, out);
}
