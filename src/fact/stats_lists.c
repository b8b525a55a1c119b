/* Statistics as lists, with names for programs and words for people; see fact/stats.h. */
#include "fact/stats_inside.h"

#include "fact/count.h"

#include <stdio.h>
#include <stdlib.h>

/* --- certificates ------------------------------------------------------------- */

/* By X.509's words: those of OpenSSL, which has a code for each, but a fact keeps words. */
static enum stats_certificate untrusted(const struct tls_facts *tls)
{
    static const struct {
        const char *part;
        enum stats_certificate is;
    } known[] = {
        { "in certificate chain", STATS_UNKNOWN_ISSUER },
        { "unable to get", STATS_UNKNOWN_ISSUER },
        { "unable to verify the first", STATS_UNKNOWN_ISSUER },
        { "md too weak", STATS_WEAK },
        { "key too weak", STATS_WEAK },
    };

    if (tls->self_signed)
        return STATS_SELF_SIGNED;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(tls->trust_problem, known[i].part))
            return known[i].is;
    return STATS_UNTRUSTED;
}

static enum stats_certificate by_public_rules(const struct tls_facts *tls)
{
    switch (tls->trust) {
    case TLS_TRUST_NONE:
        return STATS_NO_CERTIFICATE;
    case TLS_TRUST_UNTRUSTED:
        return untrusted(tls);
    case TLS_TRUST_EXPIRED:
        return strstr(tls->trust_problem, "not yet") ? STATS_NOT_YET_VALID : STATS_EXPIRED;
    case TLS_TRUST_PKIX:
        break;
    }
    return tls->name_matches || tls->listed_name ? STATS_CERTIFICATE_VALID : STATS_OTHER_NAME;
}

enum stats_certificate stats_certificate_of(const struct tls_facts *tls)
{
    switch (tls->dane) {
    case TLS_DANE_MATCH: return STATS_CERTIFICATE_VALID;
    case TLS_DANE_NO_MATCH: return STATS_DANE_MISMATCH;
    case TLS_DANE_EXPIRED: return STATS_DANE_EXPIRED;
    case TLS_DANE_NAME: return STATS_DANE_NAME;
    case TLS_DANE_NOT_ASKED: break;
    }
    return by_public_rules(tls);
}

/* --- putting lists together -------------------------------------------------------- */

struct list {
    struct stats_item *items;
    size_t count;
    uint64_t minimum, few;
};

static struct list begin(const struct stats *s, struct stats_item *out)
{
    return (struct list){ .items = out, .minimum = s->want.minimum };
}

static void add(struct list *l, const char *name, const char *words, uint64_t count)
{
    if (count < l->minimum)
        count_add(&l->few, count);
    else if (count > 0)
        l->items[l->count++] = (struct stats_item){ name, words, count };
}

static int by_count(const void *one, const void *other)
{
    const struct stats_item *a = one, *b = other;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->name, b->name);
}

static size_t end(struct list *l)
{
    qsort(l->items, l->count, sizeof *l->items, by_count);
    if (l->few)
        l->items[l->count++] = (struct stats_item){ "(fewer)", "(what was too rare to tell)", l->few };
    return l->count;
}

/* --- key exchange ------------------------------------------------------------------- */

static const char *group_name(const struct stats *s, size_t number)
{
    if (number >= s->group_count)
        return "(others)";
    return s->groups[number][0] ? s->groups[number] : "(not known)";
}

size_t stats_list_groups(const struct stats *s, const struct stats_sum *sum, struct stats_item out[STATS_ITEMS_MAX])
{
    struct list l = begin(s, out);

    for (size_t i = 0; i < STATS_GROUPS_MAX; i++)
        add(&l, group_name(s, i), group_name(s, i), sum->groups[i]);
    return end(&l);
}

static bool has_part(struct slice text, struct slice part)
{
    for (; text.len >= part.len; text = slice_after(text, 1))
        if (slice_starts_nocase(text, part))
            return true;
    return false;
}

bool stats_is_post_quantum(const char *group)
{
    return has_part(slice_of(group), SLICE("MLKEM")) || has_part(slice_of(group), SLICE("KYBER"));
}

uint64_t stats_post_quantum(const struct stats *s, const struct stats_sum *sum)
{
    uint64_t count = 0;

    for (size_t i = 0; i < s->group_count; i++)
        if (stats_is_post_quantum(s->groups[i]))
            count_add(&count, sum->groups[i]);
    return count;
}

/* --- failures ------------------------------------------------------------------------- */

/* What ends attempts to send; the rest is shown by its name. */
static const char *const failure_words[E_COUNT] = {
    [E_TIMEOUT] = "the host fell silent",
    [E_CLOSED] = "the host hung up",
    [E_CONNECT] = "no connection to the host",
    [E_PROTOCOL] = "the host broke the protocol",
    [E_DNS] = "DNS gave no answer",
    [E_DNS_BOGUS] = "DNSSEC: the answer was forged or broken",
    [E_REFUSED_FOR_NOW] = "refused for now",
    [E_REFUSED] = "refused",
    [E_HOST_REFUSES] = "the host takes no mail",
    [E_STARTTLS_NOT_OFFERED] = "STARTTLS not offered",
    [E_STARTTLS_REFUSED] = "STARTTLS refused",
    [E_STARTTLS_INJECTED] = "bytes injected before TLS",
    [E_TLS_HANDSHAKE] = "TLS handshake failed",
    [E_TLS_TRUNCATED] = "TLS was cut short",
    [E_CERT_NOT_TRUSTED] = "certificate not trusted",
    [E_CERT_EXPIRED] = "certificate expired",
    [E_CERT_NAME_MISMATCH] = "certificate for another name",
    [E_TLSA_LOOKUP] = "DANE: TLSA could not be looked up",
    [E_TLSA_UNUSABLE] = "DANE: no usable TLSA record",
    [E_DANE_REQUIRED] = "DANE required, not there",
    [E_DANE_MISMATCH] = "DANE: no TLSA record matches",
    [E_STS_MX_MISMATCH] = "MTA-STS: host not in the policy",
    [E_STS_FETCH] = "MTA-STS: policy not fetched",
    [E_STS_WEBPKI] = "MTA-STS: policy host not trusted",
    [E_STS_INVALID] = "MTA-STS: policy not valid",
    [E_PIN_MISMATCH] = "not a certificate of the rule",
    [E_CLEARTEXT_HELD] = "held: TLS was there before",
    [E_CLEARTEXT_FORCED] = "level off, but the domain asks for TLS",
    [E_REQUIRETLS_UNMET] = "REQUIRETLS not met",
    [E_REQUIRETLS_MISSING] = "REQUIRETLS not offered",
    [E_REQUIRETLS_NO_TLS] = "REQUIRETLS: no authenticated TLS",
};

size_t stats_list_failures(const struct stats *s, struct stats_item out[STATS_ITEMS_MAX])
{
    const struct stats_side *side = stats_side(s, STATS_SENT);
    struct list l = begin(s, out);

    _Static_assert((int)E_COUNT < (int)STATS_ITEMS_MAX, "every code has its place");
    for (int code = E_NONE + 1; code < E_COUNT; code++) {
        const char *name = error_name((enum error_code)code);

        add(&l, name, failure_words[code] ? failure_words[code] : name, side->failures[code]);
    }
    return end(&l);
}

size_t stats_list_clear(const struct stats *s, struct stats_item out[STATS_ITEMS_MAX])
{
    static const char *const names[STATS_CLEARS][2] = {
        [STATS_NOT_OFFERED] = { "starttls-not-offered", "STARTTLS not offered" },
        [STATS_REFUSED] = { "starttls-refused", "STARTTLS refused" },
        [STATS_HANDSHAKE_FAILED] = { "handshake-failed", "TLS handshake failed" },
        [STATS_NOT_TRIED] = { "level-off", "our rule says level off" },
    };
    const struct stats_side *side = stats_side(s, STATS_SENT);
    struct list l = begin(s, out);

    for (int i = 0; i < STATS_CLEARS; i++)
        add(&l, names[i][0], names[i][1], side->clear[i]);
    return end(&l);
}

size_t stats_list_certificates(const struct stats *s, struct stats_item out[STATS_ITEMS_MAX])
{
    static const char *const names[STATS_CERTIFICATES][2] = {
        [STATS_DANE_MISMATCH] = { "dane-mismatch", "DANE: no TLSA record matches" },
        [STATS_DANE_EXPIRED] = { "dane-expired", "DANE: expired" },
        [STATS_DANE_NAME] = { "dane-name-mismatch", "DANE: for another name" },
        [STATS_NO_CERTIFICATE] = { "no-certificate", "no certificate shown" },
        [STATS_SELF_SIGNED] = { "self-signed", "self-signed" },
        [STATS_UNKNOWN_ISSUER] = { "unknown-issuer", "issuer not known" },
        [STATS_WEAK] = { "weak", "key or signature too weak" },
        [STATS_UNTRUSTED] = { "untrusted", "not trusted for other reasons" },
        [STATS_EXPIRED] = { "expired", "expired" },
        [STATS_NOT_YET_VALID] = { "not-yet-valid", "not yet valid" },
        [STATS_OTHER_NAME] = { "name-mismatch", "for another name" },
    };
    const struct stats_side *side = stats_side(s, STATS_SENT);
    struct list l = begin(s, out);

    for (int i = STATS_CERTIFICATE_VALID + 1; i < STATS_CERTIFICATES; i++)
        add(&l, names[i][0], names[i][1], side->certificates[i]);
    return end(&l);
}
