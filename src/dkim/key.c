#include "dkim/key.h"

#include "base/base64.h"

/* 3.6.1: if v= is there, "this tag MUST be the first tag in the record", and others than DKIM1 "MUST be discarded". */
static bool check_version(const struct dkim_tags *tags, struct error *why)
{
    const struct dkim_tag *v = dkim_tags_find(tags, "v");

    return !v || (v == &tags->at[0] && slice_equal(v->value, SLICE("DKIM1")))
        || fail(why, E_MALFORMED, "the key record does not begin with v=DKIM1");
}

static bool check_kind(const struct dkim_tags *tags, enum signature_kind kind, struct error *why)
{
    struct slice k = dkim_tags_value(tags, "k", SLICE("rsa"));

    if (!slice_equal(k, kind == SIGNATURE_RSA ? SLICE("rsa") : SLICE("ed25519")))
        return fail(why, E_MALFORMED, "the key is of another kind (k=%.*s)", (int)slice_first(k, 40).len, k.at);
    return dkim_tags_lists(dkim_tags_value(tags, "h", SLICE("sha256")), SLICE("sha256"))
        || fail(why, E_MALFORMED, "the key is not for SHA-256 (h=)");
}

static bool check_service(const struct dkim_tags *tags, const char *service, struct error *why)
{
    struct slice s = dkim_tags_value(tags, "s", SLICE("*"));

    return dkim_tags_lists(s, SLICE("*")) || dkim_tags_lists(s, slice_of(service))
        || fail(why, E_MALFORMED, "the key is not for %s (s=%.*s)", service, (int)slice_first(s, 40).len, s.at);
}

static bool check_flags(const struct dkim_tags *tags, const struct dkim_signature *by, struct error *why)
{
    struct slice t = dkim_tags_value(tags, "t", SLICE(""));

    /* "Verifiers MUST NOT treat messages from Signers in testing mode differently from unsigned email". */
    if (dkim_tags_lists(t, SLICE("y")))
        return fail(why, E_MALFORMED, "its domain is only testing DKIM (t=y)");
    /* "the "i=" domain MUST NOT be a subdomain of "d="". */
    return !by->below || !dkim_tags_lists(t, SLICE("s"))
        || fail(why, E_MALFORMED, "the key is not for subdomains (t=s)");
}

static bool read_key(const struct dkim_tags *tags, struct buf *key, struct error *why)
{
    const struct dkim_tag *p = dkim_tags_find(tags, "p");

    if (!p)
        return fail(why, E_MALFORMED, "the key record has no key (p=)");
    if (slice_empty(p->value))      /* "An empty value means that this public key has been revoked." */
        return fail(why, E_MALFORMED, "the key has been revoked");
    return base64_read(p->value, key) || fail(why, E_MALFORMED, "the key (p=) is not in base64, or too long");
}

bool dkim_key_from(struct slice text, const struct dkim_signature *by, const char *service, struct buf *key,
                   struct error *why)
{
    struct dkim_tags tags;

    if (!dkim_tags_parse(text, &tags, why))
        return blame(why, "the key record makes no sense");
    return check_version(&tags, why) && check_kind(&tags, by->kind, why) && check_service(&tags, service, why)
        && check_flags(&tags, by, why) && read_key(&tags, key, why);
}
