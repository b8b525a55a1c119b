#include "fact/digest.h"

#include "fact/key.h"
#include "fact/tally_kind.h"

enum {          /* bits of the flags */
    HAS_TLS = 1, NAME_MATCHES = 2, COMMON_NAME = 4, LISTED = 8, SELF_SIGNED = 16, KEYWORD = 32, STARTTLS_MISSING = 64,
    AUTHENTIC = 128, MEMORY_HOLDS = 256, TLSA_USABLE = 512, FLAGS_END = 1024,
};

static unsigned flag(bool set, unsigned bit)
{
    return set ? bit : 0;
}

static uint16_t flags_of(const struct fact *f)
{
    const struct decide_input *in = &f->decision.input;
    unsigned flags = flag(f->keyword, KEYWORD) | flag(f->starttls_missing, STARTTLS_MISSING) |
                     flag(in->authentic, AUTHENTIC) | flag(in->memory_holds, MEMORY_HOLDS) |
                     flag(in->tlsa_usable, TLSA_USABLE);

    if (f->tls)
        flags |= HAS_TLS | flag(f->tls->name_matches, NAME_MATCHES) | flag(f->tls->common_name_matches, COMMON_NAME) |
                 flag(f->tls->listed_name, LISTED) | flag(f->tls->self_signed, SELF_SIGNED);
    return (uint16_t)flags;
}

/* By its name: digests are kept for months, and the table of errors grows. */
static void put_code(struct buf *out, enum error_code code)
{
    key_put_text(out, code == E_NONE ? "" : error_name(code));
}

static enum error_code get_code(struct cursor *in)
{
    char name[KEY_TEXT_MAX + 1];

    key_get_text_into(in, name, sizeof name);
    if (name[0] == '\0')
        return E_NONE;
    for (int code = E_NONE + 1; code < E_COUNT; code++)
        if (strcmp(name, error_name((enum error_code)code)) == 0)
            return (enum error_code)code;
    in->failed = true;
    return E_NONE;
}

/* In the words of verdict_name(), so that statistics and logs never disagree. */
static enum authentication authentication_of(const struct decision *d, const struct tls_facts *tls)
{
    const char *verdict = verdict_name(d, tls);
    unsigned passed = decide_passed(d, tls);

    if (strcmp(verdict, "trusted") == 0)
        return AUTHENTICATED_PKIX;
    if (strcmp(verdict, "verified") != 0)
        return AUTHENTICATED_NOT;
    if (d->input.dane == DANE_AUTH && (passed & CHECK_DANE))
        return AUTHENTICATED_DANE;
    if (d->input.sts == STS_ENFORCE_MATCH && (passed & CHECK_STS))
        return AUTHENTICATED_STS;
    return AUTHENTICATED_OPERATOR;
}

static void encode(const struct fact *f, const char *next_hop, const char *host, const char *cipher, struct buf *out)
{
    static const struct tls_facts no_tls;
    const struct decide_input *in = &f->decision.input;
    const struct tls_facts *tls = f->tls ? f->tls : &no_tls;

    buf_u8(out, TALLY_DELIVERY);
    key_put_text(out, next_hop);
    key_put_text(out, host);
    buf_u8(out, (uint8_t)f->decision.rule->level);
    buf_u8(out, (uint8_t)in->need);
    buf_u8(out, (uint8_t)in->dane);
    buf_u8(out, (uint8_t)in->sts);
    put_code(out, f->how);
    put_code(out, f->tls_problem);
    buf_u16(out, flags_of(f));
    buf_u8(out, (uint8_t)authentication_of(&f->decision, f->tls));
    buf_u8(out, (uint8_t)tls->version);
    key_put_text(out, tls->group);
    key_put_text(out, cipher ? cipher : tls->cipher);
    buf_u8(out, (uint8_t)tls->trust);
    key_put_text(out, tls->trust_problem);
    buf_u8(out, (uint8_t)tls->dane);
}

void fact_digest_encode(const struct fact *f, struct buf *out)
{
    encode(f, f->next_hop, f->host, NULL, out);
}

void fact_digest_rest(const struct fact *f, struct buf *out)
{
    encode(f, KEY_OTHERS, "", "", out);
}

static void take_flags(unsigned flags, struct fact_digest *f)
{
    f->encrypted = flags & HAS_TLS;
    f->tls.name_matches = flags & NAME_MATCHES;
    f->tls.common_name_matches = flags & COMMON_NAME;
    f->tls.listed_name = flags & LISTED;
    f->tls.self_signed = flags & SELF_SIGNED;
    f->keyword = flags & KEYWORD;
    f->starttls_missing = flags & STARTTLS_MISSING;
    f->input.authentic = flags & AUTHENTIC;
    f->input.memory_holds = flags & MEMORY_HOLDS;
    f->input.tlsa_usable = flags & TLSA_USABLE;
}

bool fact_digest_decode(struct slice key, struct arena *arena, struct fact_digest *out)
{
    struct cursor in = cursor_over(key);
    struct fact_digest f = { 0 };
    unsigned flags;

    if (cursor_u8(&in) != TALLY_DELIVERY)
        return false;
    f.next_hop = key_get_text(&in, arena);
    f.host = key_get_text(&in, arena);
    f.level = (enum tls_level)key_get_one_of(&in, TLS_LEVEL_DANE_ONLY);
    f.input.need = (enum mail_need)key_get_one_of(&in, NEED_TLS_OPTIONAL);
    f.input.dane = (enum dane_finding)key_get_one_of(&in, DANE_AUTH_INSECURE);
    f.input.sts = (enum sts_finding)key_get_one_of(&in, STS_ENFORCE_MISMATCH);
    f.how = get_code(&in);
    f.tls_problem = get_code(&in);
    flags = cursor_u16(&in);
    f.authentication = (enum authentication)key_get_one_of(&in, AUTHENTICATED_DANE);
    f.tls.version = (enum tls_version)key_get_one_of(&in, TLS_1_3);
    key_get_text_into(&in, f.tls.group, sizeof f.tls.group);
    key_get_text_into(&in, f.tls.cipher, sizeof f.tls.cipher);
    f.tls.trust = (enum tls_trust)key_get_one_of(&in, TLS_TRUST_PKIX);
    key_get_text_into(&in, f.tls.trust_problem, sizeof f.tls.trust_problem);
    f.tls.dane = (enum tls_dane)key_get_one_of(&in, TLS_DANE_NAME);
    take_flags(flags, &f);
    if (flags >= FLAGS_END || !key_ended(&in, arena))
        return false;
    *out = f;
    return true;
}

bool fact_digest_would_pass(const struct fact_digest *f, const struct tls_rule *rule,
                            const struct decide_settings *settings, struct error *why)
{
    struct decide_input input = f->input;
    struct decision d;

    if (rule->no_dane)
        input.dane = DANE_NONE;
    if (rule->no_sts)
        input.sts = STS_NONE;
    d = decide(rule, settings, &input, why);
    if (d.outcome != DECIDED_GO)
        return false;
    if (!f->encrypted)
        return decide_plan(&d, false, why) == PLAN_CLEAR;
    return decide_facts(&d, &f->tls, why) && decide_keyword(&d, f->keyword, why);
}
