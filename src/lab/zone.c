#include "lab/zone.h"

#include "tls/issue.h"

enum {
    TTL = 60,
    WEEK = 604800,
    DATA_MAX = 4096,            /* of one TLSA record */
};

/* --- TLSA in a few words --------------------------------------------------------- */

static bool take_number(struct slice *text, char separator, unsigned most, unsigned *number)
{
    uint64_t value;

    if (!slice_to_number(slice_cut(text, separator), most, &value))
        return false;
    *number = (unsigned)value;
    return true;
}

static bool take_what(struct slice text, struct zone_tlsa *t)
{
    struct slice word = slice_cut(&text, ' ');

    if (slice_equal(word, SLICE("length"))) {
        t->what = TLSA_OF_LENGTH;
        return take_number(&text, ' ', DATA_MAX, &t->length) && slice_empty(text);
    }
    if (slice_equal(word, SLICE("leaf")))
        t->what = TLSA_OF_LEAF;
    else if (slice_equal(word, SLICE("issuer")))
        t->what = TLSA_OF_ISSUER;
    else if (slice_equal(word, SLICE("other")))
        t->what = TLSA_OF_NOBODY;
    else
        return false;
    return slice_empty(text);
}

bool zone_tlsa_next(struct slice *rest, struct zone_tlsa *out)
{
    struct slice text = slice_trim(slice_cut(rest, ','));
    struct zone_tlsa t = { .repeat = 1 };

    if (slice_find(text, '*') < text.len && !take_number(&text, '*', 1000, &t.repeat))
        return false;
    if (!take_number(&text, ' ', 255, &t.usage) || !take_number(&text, ' ', 255, &t.selector)
        || !take_number(&text, ' ', 255, &t.matching) || !take_what(text, &t))
        return false;
    *out = t;
    return true;
}

static void write_hex(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_text(out, "%02x", (unsigned char)bytes.at[i]);
}

/* Bytes that are the digest of nothing; `salt` makes each record another one. */
static void write_nonsense(struct buf *out, size_t length, unsigned salt)
{
    for (size_t i = 0; i < length; i++)
        buf_u8(out, (uint8_t)(0x5a + 37 * i + (i == 0 ? salt : 0)));
}

static size_t digest_length(unsigned matching)
{
    return matching == 2 ? 64 : 32;
}

/* A self-signed certificate is its own issuer. */
static bool tlsa_data(const struct plan *p, const struct plan_host *h, const struct zone_tlsa *t, unsigned salt,
                      struct buf *data, struct error *why)
{
    const char *file = h->files.chain_file;

    if (t->what == TLSA_OF_ISSUER && h->as->certificate.signer == BY_ANCHOR)
        file = p->anchor.chain_file;
    else if (t->what == TLSA_OF_ISSUER && h->as->certificate.signer == BY_CA)
        file = p->ca.chain_file;
    switch (t->what) {
    case TLSA_OF_NOBODY:
        write_nonsense(data, digest_length(t->matching), salt);
        return true;
    case TLSA_OF_LENGTH:
        write_nonsense(data, t->length, salt);
        return true;
    default:
        return tls_association(file, 0, t->selector, t->matching, data, why);
    }
}

/* RFC 3597 5: RDATA as it comes on the wire, for the textual form has no
 * place for records that are too short. */
static bool write_tlsa(const struct plan *p, const struct plan_host *h, const char *owner, struct buf *out,
                       struct error *why)
{
    struct slice rest = slice_of(h->as->tlsa);
    unsigned salt = 0;

    while (!slice_empty(rest)) {
        struct zone_tlsa t;

        if (!zone_tlsa_next(&rest, &t))
            return fail(why, E_USAGE, "the case %s has the TLSA records \"%s\", which make no sense", h->of->domain,
                        h->as->tlsa);
        for (unsigned i = 0; i < t.repeat; i++) {
            auto_buf struct buf data = { .max = DATA_MAX };

            if (!tlsa_data(p, h, &t, salt++, &data, why))
                return false;
            buf_text(out, "%s. %d IN TYPE52 \\# %zu %02x%02x%02x", owner, TTL, 3 + buf_len(&data), t.usage, t.selector,
                     t.matching);
            write_hex(out, buf_slice(&data));
            buf_byte(out, '\n');
        }
    }
    return true;
}

/* --- one zone ----------------------------------------------------------------------- */

struct writing {
    const struct plan *plan;
    const struct plan_zone *zone;
    struct buf *out;
    struct arena names;
};

static bool is_here(const struct writing *w, const char *name)
{
    return plan_zone_of(w->plan, name) == w->zone;
}

static void write_address(const struct writing *w, const char *name, const struct address *a)
{
    char ip[ADDRESS_TEXT_MAX];

    if (is_here(w, name))
        buf_text(w->out, "%s. %d IN A %s\n", name, TTL, address_ip_text(a, ip));
}

static bool write_host(struct writing *w, const struct plan_host *h, struct error *why)
{
    const struct lab_host *as = h->as;
    const char *base = as->tlsa_base ? lab_name(h->of, as->tlsa_base, &w->names) : h->name;
    const char *owner = arena_string(&w->names, arena_text(&w->names, "_%u._tcp.%s", w->plan->smtp_port, base));

    write_address(w, h->name, &h->address);
    if (h->mx != h->name && is_here(w, h->mx))
        buf_text(w->out, "%s. %d IN CNAME %s.\n", h->mx, TTL, h->name);
    if (!as->tlsa || !is_here(w, owner))
        return true;
    if (as->tlsa_alias) {
        const char *alias = lab_name(h->of, as->tlsa_alias, &w->names);

        buf_text(w->out, "%s. %d IN CNAME %s.\n", owner, TTL, alias);
        owner = alias;
    }
    return write_tlsa(w->plan, h, owner, w->out, why);
}

static void write_mail_records(struct writing *w)
{
    unsigned preference = 10;

    for (size_t i = 0; i < lab_case_count; i++) {
        const char *domain = lab_name(&lab_cases[i], "@", &w->names);

        if (lab_cases[i].mail == NULL_MX && is_here(w, domain))
            buf_text(w->out, "%s. %d IN MX 0 .\n", domain, TTL);
    }
    for (size_t i = 0; i < w->plan->host_count; i++) {
        const struct plan_host *h = &w->plan->hosts[i];
        const char *domain = lab_name(h->of, "@", &w->names);

        preference = i > 0 && h[-1].of == h->of ? preference + 10 : 10;
        if (h->of->mail == MX_RECORDS && is_here(w, domain))
            buf_text(w->out, "%s. %d IN MX %u %s.\n", domain, TTL, preference, h->mx);
    }
}

static void write_policy_records(struct writing *w)
{
    for (size_t i = 0; i < w->plan->web_count; i++) {
        const struct plan_web *web = &w->plan->webs[i];
        const char *owner = lab_name(web->of, "_mta-sts.@", &w->names);

        write_address(w, web->name, &web->address);
        if (is_here(w, owner))
            buf_text(w->out, "%s. %d IN TXT \"v=STSv1; id=1;\"\n", owner, TTL);
        if (is_here(w, owner) && web->of->policy.two_records)
            buf_text(w->out, "%s. %d IN TXT \"v=STSv1; id=2;\"\n", owner, TTL);
    }
}

/* RFC 8460 3: who wants to be told what went wrong. */
static void write_report_records(struct writing *w)
{
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];
        const char *owner = lab_name(c, "_smtp._tls.@", &w->names);

        if (is_here(w, owner))
            buf_text(w->out, "%s. %d IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@%s." LAB_DOMAIN "\"\n", owner, TTL,
                     c->reports ? c->reports : "reports");
    }
}

static void write_delegations(const struct writing *w)
{
    for (size_t i = 0; i < w->plan->zone_count; i++) {
        const struct plan_zone *child = &w->plan->zones[i];

        if (child->parent == w->zone && child != w->zone)
            buf_text(w->out, "%s. %d IN NS ns." LAB_DOMAIN ".\n", child->name, TTL);
    }
}

bool zone_write(const struct plan *p, const struct plan_zone *z, struct slice delegations, struct buf *out,
                struct error *why)
{
    struct writing w = { p, z, out, { 0 } };
    bool good = true;

    arena_init(&w.names, 1024 * 1024);
    buf_text(out, "%s. %d IN SOA ns." LAB_DOMAIN ". postmaster." LAB_DOMAIN ". 1 3600 600 %d %d\n", z->name, TTL, WEEK,
             TTL);
    buf_text(out, "%s. %d IN NS ns." LAB_DOMAIN ".\n", z->name, TTL);
    write_address(&w, "ns." LAB_DOMAIN, &p->authority);
    write_delegations(&w);
    buf_add(out, delegations);
    write_mail_records(&w);
    write_policy_records(&w);
    write_report_records(&w);
    for (size_t i = 0; good && i < p->host_count; i++)
        good = write_host(&w, &p->hosts[i], why);
    arena_done(&w.names);
    if (good && out->failed)
        return fail(why, E_LIMIT, "the zone \"%s\" is too large", z->name);
    return good;
}

/* --- a signed zone ------------------------------------------------------------------------ */

/* A record in each line, "NAME. TTL IN TYPE ...", blanks being tabs or spaces. */
static struct slice next_word(struct slice *line)
{
    struct slice word;
    size_t len = 0;

    *line = slice_trim(*line);
    while (len < line->len && line->at[len] != ' ' && line->at[len] != '\t')
        len++;
    word = slice_first(*line, len);
    *line = slice_after(*line, len);
    return word;
}

static void split(struct slice line, struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words[i] = next_word(&line);
}

void zone_mend(struct slice text, struct buf *out)
{
    while (!slice_empty(text)) {
        struct slice line = slice_cut(&text, '\n'), words[8];
        uint64_t octets[3];
        bool bare;

        split(line, words, sizeof words / sizeof *words);
        bare = slice_equal(words[3], SLICE("TLSA")) && slice_empty(words[7]);
        for (size_t i = 0; bare && i < 3; i++)
            bare = slice_to_number(words[4 + i], 255, &octets[i]);
        if (bare)
            buf_text(out, "%.*s %.*s IN TYPE52 \\# 3 %02x%02x%02x\n", SLICE_ARGS(words[0]), SLICE_ARGS(words[1]),
                     (unsigned)octets[0], (unsigned)octets[1], (unsigned)octets[2]);
        else
            buf_text(out, "%.*s\n", SLICE_ARGS(line));
    }
}

static bool is_signature_of(struct slice line, const char *name, const char *type)
{
    struct slice words[5];

    split(line, words, sizeof words / sizeof *words);
    return words[0].len == strlen(name) + 1 && slice_starts_nocase(words[0], slice_of(name))
        && slice_equal(words[3], SLICE("RRSIG")) && slice_equal(words[4], slice_of(type));
}

bool zone_break(struct buf *text, const char *name, const char *type)
{
    struct slice rest = buf_slice(text);

    while (!slice_empty(rest)) {
        struct slice line = slice_trim(slice_cut(&rest, '\n'));
        char *digit;

        if (!is_signature_of(line, name, type))
            continue;
        /* The last word is the signature in base64; a zero for its first digit, or not. */
        digit = text->memory + (line.at - text->memory) + slice_find_last(line, ' ') + 1;
        *digit = *digit == 'A' ? 'B' : 'A';
        return true;
    }
    return false;
}
