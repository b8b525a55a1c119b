#include "postfix/verdict.h"

/* How many hosts there are of each sort. Those without an address count for nothing: nobody can send to them. */
struct weighed {
    size_t hosts;
    size_t skipped;                 /* own delivery would not connect to them now */
    size_t failed;                  /* of them, for a lookup that says nothing either way */
    size_t dane;                    /* DANE over secure DNS, */
    size_t trusted;                 /* over an insecure MX answer */
    size_t unusable;                /* TLSA records, none usable */
    size_t deep;                    /* not in the policy, but under its wildcards as Postfix reads them */
    struct error why;               /* of the first that is skipped */
};

struct verdict_work {
    const struct domain_findings *f;
    const struct verdict_terms *terms;
    struct weighed w;
    const struct sts_policy *policy;    /* in force and enforced; else NULL */
    struct arena *arena;
    struct verdict *out;
};

/* --- the hosts ---------------------------------------------------------------------- */

static bool is_reachable(const struct host_findings *h)
{
    return h->addresses.count > 0 || h->dane == DANE_FAIL;
}

static struct decision decide_host(const struct verdict_work *v, const struct host_findings *h, struct error *why)
{
    const struct decide_input in = host_decide_input(h, NEED_STANDARD, false);

    return decide(v->terms->rule, v->terms->settings, &in, why);
}

/* Postfix takes ".example.org" for every name below it, where MTA-STS means one label. */
static bool is_deep_below(const struct sts_policy *policy, const char *host)
{
    for (size_t i = 0; i < policy->mx_count; i++)
        if (slice_starts(slice_of(policy->mx[i]), SLICE("*.")) &&
            slice_ends_nocase(slice_of(host), slice_after(slice_of(policy->mx[i]), 1)))
            return true;
    return false;
}

static void weigh(struct verdict_work *v, const struct host_findings *h)
{
    struct error why = { 0 };
    struct decision d = decide_host(v, h, &why);

    v->w.hosts++;
    v->w.dane += h->dane == DANE_AUTH;
    v->w.trusted += h->dane == DANE_AUTH_INSECURE;
    v->w.unusable += h->dane == DANE_TLS;
    v->w.failed += h->dane == DANE_FAIL;
    v->w.deep += v->policy && h->sts == STS_ENFORCE_MISMATCH && is_deep_below(v->policy, h->host);
    if (d.outcome == DECIDED_GO)
        return;
    if (v->w.skipped++ > 0)
        return;
    v->w.why = h->dane != DANE_FAIL ? why : h->tlsa.status == TLSA_ERROR ? h->tlsa.why : h->no_address;
    blame(&v->w.why, "%s", h->host);
}

/* --- the words ------------------------------------------------------------------------ */

static void say(struct verdict_work *v, enum map_status status, const char *because, struct slice text)
{
    *v->out = (struct verdict){ status, text, text, because };
}

static void say_later(struct verdict_work *v, const struct error *why)
{
    say(v, MAP_TRY_LATER, "error", arena_copy(v->arena, slice_of(why->text)));
}

/* In the form that every Postfix knows: ">=TLSv1.2" came with 3.6. */
static const char *protocols(const struct tls_rule *rule)
{
    if (rule->minimum == TLS_1_3)
        return " protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1:!TLSv1.2";
    return rule->minimum == TLS_1_2 ? " protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1" : "";
}

static void say_level(struct verdict_work *v, const char *because, const char *level)
{
    say(v, MAP_FOUND, because, arena_text(v->arena, "%s%s", level, protocols(v->terms->rule)));
}

/* What a policy line could do to the syntax of the answer, or a name in it. */
static bool is_sayable(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] < ' ' || line.at[i] > '~' || line.at[i] == '{' || line.at[i] == '}')
            return false;
    return line.len > 0;
}

/* Addresses are no names, and broke delivery elsewhere. */
static bool is_pattern(const char *mx)
{
    struct address a;

    return dns_name_valid(mx) && !address_parse_ip(slice_of(mx), &a);
}

static void add_match(struct buf *out, struct slice name)
{
    if (buf_len(out) > 0)
        buf_byte(out, ':');
    if (slice_starts(name, SLICE("*.")))
        name = slice_after(name, 1);
    buf_add(out, name);
}

/* --- MTA-STS ---------------------------------------------------------------------------- */

static void add_patterns(const struct verdict_work *v, struct buf *out)
{
    for (size_t i = 0; i < v->policy->mx_count; i++)
        if (is_pattern(v->policy->mx[i]))
            add_match(out, slice_of(v->policy->mx[i]));
}

/* Who can present the name of one of these hosts could as well be that host. */
static void add_hosts(const struct verdict_work *v, struct buf *out)
{
    for (size_t i = 0; i < v->f->count; i++) {
        const struct host_findings *h = &v->f->hosts[i];

        if (is_reachable(h) && h->sts == STS_ENFORCE_MATCH && h->dane != DANE_FAIL)
            add_match(out, slice_of(h->host));
    }
}

/* The patterns go whole or not at all: since 3.10.5 Postfix connects only to hosts that they cover. */
static void add_report(const struct verdict_work *v, struct buf *out)
{
    struct slice text = v->f->sts.text;

    buf_text(out, " policy_type=sts policy_domain=%s", v->f->hop.domain);
    for (size_t i = 0; i < v->policy->mx_count; i++)
        if (is_pattern(v->policy->mx[i]))
            buf_text(out, " mx_host_pattern=%s", v->policy->mx[i]);
    while (text.at && !out->failed) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));

        if (is_sayable(line) && buf_len(out) + line.len + sizeof " { policy_string =  }" < out->max)
            buf_text(out, " { policy_string = %.*s }", SLICE_ARGS(line));
    }
}

static void say_secure(struct verdict_work *v, bool by_host, const char *because)
{
    auto_buf struct buf match = { 0 }, reported = { 0 };
    struct error why = { 0 };

    buf_init(&match, SOCKETMAP_REPLY_MAX - 1000);
    buf_init(&reported, SOCKETMAP_REPLY_MAX - 10);
    if (by_host)
        add_hosts(v, &match);
    else
        add_patterns(v, &match);
    if (match.failed || buf_len(&match) == 0) {
        fail(&why, E_STS_MX_MISMATCH, "the MTA-STS policy of %s names no host that could take the mail", v->f->hop.domain);
        say_later(v, &why);
        return;
    }
    say(v, MAP_FOUND, because, arena_text(v->arena, "secure match=%.*s servername=hostname%s", SLICE_ARGS(buf_slice(&match)),
                                          protocols(v->terms->rule)));
    buf_add(&reported, v->out->text);
    add_report(v, &reported);
    if (!reported.failed)
        v->out->reported = arena_copy(v->arena, buf_slice(&reported));
}

/* --- the operator ------------------------------------------------------------------------ */

static void add_fingerprint(struct buf *out, const char *hex)
{
    for (size_t i = 0; hex[i]; i++) {
        if (i > 0 && i % 2 == 0)
            buf_byte(out, ':');
        buf_byte(out, hex[i] >= 'a' && hex[i] <= 'f' ? (char)(hex[i] - 'a' + 'A') : hex[i]);
    }
}

/* Either of the two lists will do for postern; one fits Postfix, and either of them asks for no less. */
static void say_verify(struct verdict_work *v)
{
    const struct tls_rule *rule = v->terms->rule;
    auto_buf struct buf match = { 0 };

    if (rule->name_count + rule->fingerprint_count == 0 && v->policy) {
        say_secure(v, v->w.failed + v->w.deep > 0, "rule");
        return;
    }
    buf_init(&match, SOCKETMAP_REPLY_MAX / 2);
    buf_add(&match, slice_of(rule->name_count ? "secure match=" : rule->fingerprint_count ? "fingerprint match=" :
                             "verify match=hostname"));
    for (size_t i = 0; i < rule->name_count; i++) {
        buf_text(&match, "%s", i > 0 ? ":" : "");
        buf_add(&match, slice_after(slice_of(rule->names[i]), slice_starts(slice_of(rule->names[i]), SLICE("*.")) ? 1 : 0));
    }
    for (size_t i = 0; rule->name_count == 0 && i < rule->fingerprint_count; i++) {
        buf_text(&match, "%s", i > 0 ? "|" : "");
        add_fingerprint(&match, rule->fingerprints[i]);
    }
    buf_text(&match, " servername=hostname%s", protocols(rule));
    if (match.failed)
        say(v, MAP_TRY_LATER, "error", SLICE("the rule's lists are longer than an answer to Postfix may be"));
    else
        say(v, MAP_FOUND, "rule", arena_copy(v->arena, buf_slice(&match)));
}

/* --- the verdict --------------------------------------------------------------------------- */

static void say_off(struct verdict_work *v)
{
    if (v->w.skipped > 0)
        say_later(v, &v->w.why);
    else
        say(v, MAP_FOUND, "rule", SLICE("none"));
}

/* Levels may and encrypt. README.md numbers the lines. */
static void say_usual(struct verdict_work *v)
{
    const struct weighed *w = &v->w;
    bool encrypt = v->terms->rule->level == TLS_LEVEL_ENCRYPT;

    if (w->dane > 0 && (w->dane == w->hosts || v->policy || encrypt))
        say_level(v, "dane", "dane-only");                                      /* V4, V5 */
    else if (v->policy)
        say_secure(v, w->failed + w->deep > 0, "mta-sts");                      /* V6 */
    else if (encrypt && w->failed > 0 && v->f->hop.mx_secure)
        say_later(v, &w->why);                                                  /* V7 */
    else if (encrypt)
        say_level(v, "rule", "encrypt");                                        /* V8 */
    else if (w->dane + w->trusted + w->unusable + w->failed > 0)
        say_level(v, "dane", "dane");                                           /* V9 */
    else if (v->terms->named || v->terms->rule->minimum >= TLS_1_2)
        say_level(v, "rule", "may");                                            /* V10 */
    else
        say(v, MAP_NOT_FOUND, "nothing", slice("", 0));                         /* V11 */
}

void verdict_of(const struct domain_findings *f, const struct verdict_terms *terms, struct arena *arena,
                struct verdict *out)
{
    struct verdict_work v = { .f = f, .terms = terms, .arena = arena, .out = out };
    struct error why = { 0 };

    if (f->sts.policy && f->sts.policy->mode == STS_MODE_ENFORCE)
        v.policy = f->sts.policy;
    for (size_t i = 0; i < f->count; i++)
        if (is_reachable(&f->hosts[i]))
            weigh(&v, &f->hosts[i]);
    if (terms->rule->level == TLS_LEVEL_DANE_ONLY)
        say_level(&v, "rule", "dane-only");                                     /* V1 */
    else if (domain_must_wait(f, &why))
        say_later(&v, &why);                                                    /* V2 */
    else if (v.w.hosts > 0 && v.w.skipped == v.w.hosts)
        say_later(&v, &v.w.why);                                                /* V3 */
    else if (terms->rule->level == TLS_LEVEL_OFF)
        say_off(&v);
    else if (terms->rule->level == TLS_LEVEL_VERIFY)
        say_verify(&v);
    else
        say_usual(&v);
    if (arena->failed)
        say(&v, MAP_TRY_LATER, "error", SLICE("the answer is too large"));
}
