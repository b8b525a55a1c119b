#include "fact/digest.h"

#include "base/cursor.h"

enum { FORMAT = 1 };

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
    buf_block(out, slice_of(code == E_NONE ? "" : error_name(code)));
}

static enum error_code get_code(struct cursor *in)
{
    struct slice name = cursor_block(in);

    if (name.len == 0)
        return E_NONE;
    for (int code = E_NONE + 1; code < E_COUNT; code++)
        if (slice_equal(name, slice_of(error_name((enum error_code)code))))
            return (enum error_code)code;
    in->failed = true;
    return E_NONE;
}

void fact_digest_encode(const struct fact *f, struct buf *out)
{
    const struct decide_input *in = &f->decision.input;

    buf_u8(out, FORMAT);
    buf_block(out, slice_of(f->next_hop));
    buf_block(out, slice_of(f->host));
    buf_u8(out, (uint8_t)f->decision.rule->level);
    buf_u8(out, (uint8_t)in->need);
    buf_u8(out, (uint8_t)in->dane);
    buf_u8(out, (uint8_t)in->sts);
    put_code(out, f->how);
    put_code(out, f->tls_problem);
    buf_u16(out, flags_of(f));
    buf_u8(out, (uint8_t)(f->tls ? f->tls->version : TLS_VERSION_NONE));
    buf_u8(out, (uint8_t)(f->tls ? f->tls->trust : TLS_TRUST_NONE));
    buf_u8(out, (uint8_t)(f->tls ? f->tls->dane : TLS_DANE_NOT_ASKED));
}

/* A number that must be one of an enumeration's. */
static unsigned get_one_of(struct cursor *in, unsigned value, unsigned last)
{
    if (value > last)
        in->failed = true;
    return in->failed ? 0 : value;
}

static const char *get_name(struct cursor *in, struct arena *arena)
{
    struct slice text = cursor_block(in);

    if (text.len > 255 || slice_find(text, '\0') != text.len)
        in->failed = true;
    return arena_string(arena, in->failed ? slice("", 0) : text);
}

bool fact_digest_decode(struct slice bytes, struct arena *arena, struct fact_digest *out)
{
    struct cursor in = cursor_over(bytes);
    struct fact_digest f = { 0 };
    unsigned flags;

    if (cursor_u8(&in) != FORMAT)
        return false;
    f.next_hop = get_name(&in, arena);
    f.host = get_name(&in, arena);
    f.level = (enum tls_level)get_one_of(&in, cursor_u8(&in), TLS_LEVEL_DANE_ONLY);
    f.input.need = (enum mail_need)get_one_of(&in, cursor_u8(&in), NEED_TLS_OPTIONAL);
    f.input.dane = (enum dane_finding)get_one_of(&in, cursor_u8(&in), DANE_AUTH_INSECURE);
    f.input.sts = (enum sts_finding)get_one_of(&in, cursor_u8(&in), STS_ENFORCE_MISMATCH);
    f.how = get_code(&in);
    f.tls_problem = get_code(&in);
    flags = get_one_of(&in, cursor_u16(&in), FLAGS_END - 1);
    f.tls.version = (enum tls_version)get_one_of(&in, cursor_u8(&in), TLS_1_3);
    f.tls.trust = (enum tls_trust)get_one_of(&in, cursor_u8(&in), TLS_TRUST_PKIX);
    f.tls.dane = (enum tls_dane)get_one_of(&in, cursor_u8(&in), TLS_DANE_NAME);
    f.encrypted = flags & HAS_TLS;
    f.tls.name_matches = flags & NAME_MATCHES;
    f.tls.common_name_matches = flags & COMMON_NAME;
    f.tls.listed_name = flags & LISTED;
    f.tls.self_signed = flags & SELF_SIGNED;
    f.keyword = flags & KEYWORD;
    f.starttls_missing = flags & STARTTLS_MISSING;
    f.input.authentic = flags & AUTHENTIC;
    f.input.memory_holds = flags & MEMORY_HOLDS;
    f.input.tlsa_usable = flags & TLSA_USABLE;
    if (!cursor_ended(&in) || arena->failed)
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
