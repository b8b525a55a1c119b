#include "policy/dane.h"

#include "base/cursor.h"

#include <assert.h>
#include <stdio.h>

enum {
    USAGE_TA = 2, USAGE_EE = 3,
    SELECTOR_CERTIFICATE = 0, SELECTOR_KEY = 1,
    MATCHING_FULL = 0, MATCHING_SHA256 = 1, MATCHING_SHA512 = 2,
    SHA256_BYTES = 32, SHA512_BYTES = 64,
    SHOWN_BYTES = 8,
};

bool tlsa_parse(struct slice rdata, struct tlsa *out, struct error *why)
{
    struct cursor in = cursor_over(rdata);
    struct tlsa t;

    t.usage = cursor_u8(&in);
    t.selector = cursor_u8(&in);
    t.matching = cursor_u8(&in);
    t.data = cursor_rest(&in);
    if (in.failed || t.data.len == 0)
        return fail(why, E_MALFORMED, "a TLSA record has only %zu bytes", rdata.len);
    *out = t;
    return true;
}

const char *record_use_name(enum record_use u)
{
    switch (u) {
    case RECORD_USED: return "used";
    case RECORD_MALFORMED: return "malformed";
    case RECORD_USAGE: return "only usages 2 and 3 are for SMTP";
    case RECORD_SELECTOR: return "unknown selector";
    case RECORD_MATCHING: return "matching type unknown or switched off";
    case RECORD_WEAKER: return "a stronger digest of the same usage and selector is there";
    }
    return "unknown";
}

/* --- which records count ---------------------------------------------------------- */

static bool is_well_formed(const struct tlsa *t)
{
    switch (t->matching) {
    case MATCHING_SHA256: return t->data.len == SHA256_BYTES;
    case MATCHING_SHA512: return t->data.len == SHA512_BYTES;
    default: return t->selector == SELECTOR_KEY ? tls_is_public_key(t->data) : tls_is_certificate(t->data);
    }
}

/* Taken alone. RFC 7672 3.1.3: "SMTP client treatment of TLSA RRs with certificate
 * usages PKIX-TA(0) or PKIX-EE(1) is undefined"; to us they are unusable (DANE-061). */
static enum record_use use_of(const struct tlsa *t, const struct dane_settings *settings)
{
    if (t->usage != USAGE_TA && t->usage != USAGE_EE)
        return RECORD_USAGE;
    if (t->selector > SELECTOR_KEY)
        return RECORD_SELECTOR;
    if (t->matching > MATCHING_SHA512 || (t->matching == MATCHING_SHA512 && settings->sha512_off))
        return RECORD_MATCHING;
    return is_well_formed(t) ? RECORD_USED : RECORD_MALFORMED;
}

/* Digest agility, RFC 7671 9: for each usage and selector the strongest digest counts,
 * and Full(0) beside it. What was dropped before this cannot hide a weaker record that
 * is good (DANE-062). */
static void drop_weaker(struct dane_records *r)
{
    uint8_t strongest[USAGE_EE + 1][SELECTOR_KEY + 1] = { 0 };

    for (size_t i = 0; i < r->count; i++) {
        const struct tlsa *t = &r->all[i].tlsa;

        if (r->all[i].use == RECORD_USED && t->matching > strongest[t->usage][t->selector])
            strongest[t->usage][t->selector] = t->matching;
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct tlsa *t = &r->all[i].tlsa;

        if (r->all[i].use == RECORD_USED && t->matching != MATCHING_FULL &&
            t->matching < strongest[t->usage][t->selector])
            r->all[i].use = RECORD_WEAKER;
    }
}

bool dane_records_judge(const struct slice *rdata, size_t count, const struct dane_settings *settings,
                        struct arena *arena, struct dane_records *out, struct error *why)
{
    struct dane_records made = { .count = count };

    made.all = arena_take(arena, count * sizeof *made.all);
    made.usable = arena_take(arena, count * sizeof *made.usable);
    if (!made.all || !made.usable)
        return fail(why, E_LIMIT, "%zu TLSA records are too many", count);
    for (size_t i = 0; i < count; i++) {
        struct dane_record *record = &made.all[i];

        record->use = RECORD_MALFORMED;
        if (tlsa_parse(rdata[i], &record->tlsa, NULL))
            record->use = use_of(&record->tlsa, settings);
    }
    drop_weaker(&made);
    for (size_t i = 0; i < count; i++)
        if (made.all[i].use == RECORD_USED)
            made.usable[made.usable_count++] = made.all[i].tlsa;
    *out = made;
    return true;
}

/* --- for people --------------------------------------------------------------------- */

const char *tlsa_text(const struct tlsa *t, char text[TLSA_TEXT_MAX])
{
    size_t shown = t->data.len < SHOWN_BYTES ? t->data.len : SHOWN_BYTES;
    size_t used = (size_t)snprintf(text, TLSA_TEXT_MAX, "%u %u %u%s", t->usage, t->selector, t->matching,
                                   shown > 0 ? " " : "");

    for (size_t i = 0; i < shown; i++)
        used += (size_t)snprintf(text + used, TLSA_TEXT_MAX - used, "%02x", (unsigned char)t->data.at[i]);
    if (t->data.len > shown)
        used += (size_t)snprintf(text + used, TLSA_TEXT_MAX - used, "...");
    assert(used < TLSA_TEXT_MAX);
    return text;
}

/* --- names for usage 2 ---------------------------------------------------------------- */

static size_t add_name(const char *out[DANE_NAMES_MAX], size_t count, const char *name)
{
    if (!name || !*name)
        return count;
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(slice_of(out[i]), slice_of(name)))
            return count;
    assert(count < DANE_NAMES_MAX);
    out[count] = name;
    return count + 1;
}

size_t dane_names(const struct dane_names_in *in, const char *out[DANE_NAMES_MAX])
{
    size_t count = 0;

    /* RFC 7672 3.2.2: "When the client MTA is employing DANE TLS security despite
     * "insecure" MX redirection, the MX hostname is the only reference identifier." */
    if (in->mx && !in->mx_secure)
        return add_name(out, count, in->host);
    count = add_name(out, count, in->base);
    if (in->mx) {
        count = add_name(out, count, in->next_hop);
        return add_name(out, count, in->next_hop_canonical);
    }
    /* "If MX records were not used [...] and the TLSA base domain is the CNAME-expanded
     * original next-hop domain, then the original next-hop domain MUST be included": the
     * host was asked for by its own name, and a base that differs is its expansion. */
    return add_name(out, count, in->host);
}
