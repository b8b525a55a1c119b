#include "dkim/signature.h"

#include "base/base64.h"

/* --- names ------------------------------------------------------------------------- */

static bool label_is_valid(struct slice label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!byte_is_alpha(label.at[i]) && !byte_is_digit(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
            return false;
    return label.len > 0 && label.len <= 63;
}

bool dkim_name_is_valid(struct slice name, size_t least)
{
    struct slice rest = name;
    size_t labels = 0;

    for (; rest.at; labels++)
        if (!label_is_valid(slice_cut(&rest, '.')))
            return false;
    return labels >= least && name.len <= DKIM_NAME_MAX;
}

/* --- one tag after the other ---------------------------------------------------------- */

/* How much of a stranger's words is repeated. */
#define SHOWN(s) (int)slice_first(s, 40).len, (s).at

static bool need(const struct dkim_tags *tags, const char *name, struct slice *value, struct error *why)
{
    const struct dkim_tag *tag = dkim_tags_find(tags, name);

    if (!tag)
        return fail(why, E_MALFORMED, "%s= is missing", name);
    *value = tag->value;
    return true;
}

static bool take_version(const struct dkim_tags *tags, struct error *why)
{
    struct slice v;

    return need(tags, "v", &v, why)
        && (slice_equal(v, SLICE("1")) || fail(why, E_MALFORMED, "v=%.*s is a version that nobody knows", SHOWN(v)));
}

static bool take_algorithm(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    struct slice a;

    if (!need(tags, "a", &a, why))
        return false;
    /* RFC 8301 3.1: "rsa-sha1 MUST NOT be used for signing or verifying." */
    if (slice_equal(a, SLICE("rsa-sha1")))
        return fail(why, E_MALFORMED, "rsa-sha1 proves nothing any more (RFC 8301)");
    if (slice_equal(a, SLICE("rsa-sha256")))
        out->kind = SIGNATURE_RSA;
    else if (slice_equal(a, SLICE("ed25519-sha256")))
        out->kind = SIGNATURE_ED25519;
    else
        return fail(why, E_MALFORMED, "a=%.*s is an algorithm that nobody knows", SHOWN(a));
    return true;
}

static bool canon_of(struct slice word, enum dkim_canon *out)
{
    *out = slice_equal(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
    return *out == DKIM_RELAXED || slice_equal(word, SLICE("simple"));
}

/* 3.5: "If only one algorithm is named, that algorithm is used for the header and "simple" is used for the body." */
static bool take_canon(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    struct slice c = dkim_tags_value(tags, "c", SLICE("simple/simple")), body = c, header = slice_cut(&body, '/');

    return (canon_of(header, &out->header) && canon_of(body.at ? body : SLICE("simple"), &out->body))
        || fail(why, E_MALFORMED, "c=%.*s is a canonical form that nobody knows", SHOWN(c));
}

static bool take_place(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    struct slice q = dkim_tags_value(tags, "q", SLICE("dns/txt"));

    if (!need(tags, "d", &out->domain, why) || !need(tags, "s", &out->selector, why))
        return false;
    if (!dkim_name_is_valid(out->domain, 2))
        return fail(why, E_MALFORMED, "d=%.*s is no domain", SHOWN(out->domain));
    if (!dkim_name_is_valid(out->selector, 1))
        return fail(why, E_MALFORMED, "s=%.*s is no selector", SHOWN(out->selector));
    if (out->selector.len + strlen("._domainkey.") + out->domain.len > DKIM_NAME_MAX)
        return fail(why, E_MALFORMED, "s= and d= are too long together for a name");
    if (!dkim_tags_lists(q, SLICE("dns/txt")))
        return fail(why, E_MALFORMED, "q=%.*s is a way to keys that nobody knows", SHOWN(q));
    return true;
}

/* 3.5: "The domain part of the address MUST be the same as, or a subdomain of, the value of the "d=" tag." */
static bool take_identity(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    const struct dkim_tag *i = dkim_tags_find(tags, "i");
    struct slice domain, above;

    out->below = false;
    if (!i)
        return true;
    domain = slice_trim(slice_after(i->value, slice_find_last(i->value, '@') + 1));
    if (slice_equal_nocase(domain, out->domain))
        return true;
    above = slice_first(domain, domain.len > out->domain.len ? domain.len - out->domain.len : 0);
    out->below = dkim_name_is_valid(domain, 3) && slice_ends_nocase(above, SLICE("."))
        && slice_ends_nocase(domain, out->domain);
    return out->below || fail(why, E_MALFORMED, "i=%.*s is not within d=%.*s", SHOWN(i->value), SHOWN(out->domain));
}

/* 5.4: "The From header field MUST be signed (that is, included in the "h=" tag [...])". */
static bool take_names(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    struct slice h;
    bool from = false;

    if (!need(tags, "h", &h, why))
        return false;
    for (out->name_count = 0; h.at; out->name_count++) {
        struct slice name = slice_trim(slice_cut(&h, ':'));

        if (slice_empty(name))
            return fail(why, E_MALFORMED, "h= has a name that is empty");
        if (out->name_count == DKIM_NAMES_MAX)
            return fail(why, E_MALFORMED, "h= has more than %d names", DKIM_NAMES_MAX);
        out->names[out->name_count] = name;
        from |= slice_equal_nocase(name, SLICE("From"));
    }
    return from || fail(why, E_MALFORMED, "the From field is not signed");
}

static bool time_of(const struct dkim_tags *tags, const char *name, time_ms otherwise, time_ms *out, struct error *why)
{
    const struct dkim_tag *tag = dkim_tags_find(tags, name);
    uint64_t seconds;

    *out = otherwise;
    if (!tag)
        return true;
    /* 3.5: "at most 12 digits [...] to avoid wrap-around". */
    if (!slice_to_number(tag->value, 999999999999, &seconds))
        return fail(why, E_MALFORMED, "%s=%.*s is no time", name, SHOWN(tag->value));
    *out = SECONDS(seconds);
    return true;
}

static bool take_times(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    if (!time_of(tags, "t", 0, &out->made, why) || !time_of(tags, "x", TIME_NEVER, &out->expires, why))
        return false;
    /* 3.5: "The value of the "x=" tag MUST be greater than the value of the "t=" tag if both are present." */
    return out->expires > out->made || fail(why, E_MALFORMED, "it expires (x=) before it was made (t=)");
}

static bool read_base64(const struct dkim_tag *tag, struct buf *out, struct error *why)
{
    return base64_read(tag->value, out)
        || fail(why, E_MALFORMED, "%.*s= is not in base64, or too long", SHOWN(tag->name));
}

static bool take_hashes(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    const struct dkim_tag *b = dkim_tags_find(tags, "b"), *bh = dkim_tags_find(tags, "bh");
    auto_buf struct buf hash = { 0 }, bytes = { 0 };

    if (!b || !bh)
        return fail(why, E_MALFORMED, "%s= is missing", b ? "bh" : "b");
    buf_init(&hash, sizeof out->body_hash);
    buf_init(&bytes, sizeof out->bytes);
    if (!read_base64(bh, &hash, why) || !read_base64(b, &bytes, why))
        return false;
    if (buf_len(&hash) != sizeof out->body_hash || buf_len(&bytes) == 0)
        return fail(why, E_MALFORMED, "%s", buf_len(&bytes) ? "bh= is no hash of SHA-256" : "b= is empty");
    memcpy(out->body_hash, buf_slice(&hash).at, sizeof out->body_hash);
    memcpy(out->bytes, buf_slice(&bytes).at, buf_len(&bytes));
    out->bytes_len = buf_len(&bytes);
    out->b = b->between;
    return true;
}

bool dkim_signature_from(const struct dkim_tags *tags, struct dkim_signature *out, struct error *why)
{
    if (!take_version(tags, why) || !take_algorithm(tags, out, why) || !take_canon(tags, out, why)
        || !take_place(tags, out, why) || !take_identity(tags, out, why) || !take_names(tags, out, why)
        || !take_times(tags, out, why) || !take_hashes(tags, out, why))
        return false;
    /* RFC 8460 3 forbids it; so does common sense (RFC 6376 8.2). */
    return !dkim_tags_find(tags, "l") || fail(why, E_MALFORMED, "it covers only a part of the body (l=)");
}
