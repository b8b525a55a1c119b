/* policy, mta-sts, and the self-test of dns; see serve/config.h. */
#include "serve/config_inside.h"

#include "smtp/address.h"

static void build_memory(cfg_t *p, struct memory_settings *m)
{
    *m = memory_default_settings;
    m->mode = (enum memory_mode)config_choice(p, "memory", memory_words, COUNT(memory_words), m->mode);
    m->deliveries = (unsigned)cfg_getint(p, "memory-deliveries");
    m->span = config_seconds(p, "memory-span");
    m->hold = config_seconds(p, "memory-hold");
    m->forget = config_seconds(p, "memory-forget");
    if (m->forget < m->span)
        config_section_problem(p, "memory-forget must not be less than memory-span: no habit would last");
}

/* A policy that the operator writes down, made and read as the domain's own would be. */
static const struct sts_policy *build_pinned(struct building *b, cfg_t *section)
{
    struct arena *arena = &b->config->arena;
    unsigned mode = config_choice(section, "mode", mode_words, COUNT(mode_words), STS_MODE_ENFORCE);
    struct sts_policy *policy = arena_take(arena, sizeof *policy);
    auto_buf struct buf text = { 0 };
    struct error why = { 0 };

    buf_init(&text, STS_POLICY_BYTES_MAX);
    buf_text(&text, "version: STSv1\nmode: %s\nmax_age: %d\n", mode_words[mode], STS_MAX_AGE_MOST);
    for (unsigned i = 0; i < cfg_size(section, "mx"); i++)
        buf_text(&text, "mx: %s\n", cfg_getnstr(section, "mx", i));
    if (text.failed)
        config_section_problem(section, "pin \"%s\" is too large", cfg_title(section));
    else if (policy && !sts_policy_parse(arena_copy(arena, buf_slice(&text)), arena, policy, &why))
        config_section_problem(section, "pin \"%s\": %s", cfg_title(section), why.text);
    return policy;
}

static void build_pins(struct building *b, cfg_t *sts)
{
    unsigned count = cfg_size(sts, "pin");
    struct sts_pin *pins = arena_take(&b->config->arena, (count + 1) * sizeof *pins);

    for (unsigned i = 0; pins && i < count; i++) {
        cfg_t *section = cfg_getnsec(sts, "pin", i);

        pins[i] = (struct sts_pin){ config_keep(b, cfg_title(section)), build_pinned(b, section) };
        if (!domain_is_valid(slice_of(pins[i].domain), true))
            config_section_problem(section, "pin \"%s\": write a domain, example.org", pins[i].domain);
    }
    if (count > 0 && !cfg_getbool(sts, "enabled"))
        config_section_problem(sts, "pins have no effect with enabled = false");
    b->config->sts.pins = pins;
    b->config->sts.pin_count = count;
}

static void build_sts(struct building *b)
{
    cfg_t *s = cfg_getsec(b->cfg, "mta-sts");
    struct config *c = b->config;

    c->sts.enabled = cfg_getbool(s, "enabled");
    c->sts.port = (uint16_t)cfg_getint(s, "port");
    c->sts.ca_file = config_readable(b, s, "ca-file");
    c->sts.patience = config_seconds(s, "patience");
    c->sts.fetch_time = config_seconds(s, "fetch-time");
    c->sts.defer_on_error = config_choice(s, "lookup-failure", lookup_failure_words, COUNT(lookup_failure_words), 0) == 1;
    c->sts.private_addresses = cfg_getbool(s, "private-addresses");
    build_pins(b, s);
}

static void build_question(struct building *b, cfg_t *section, const char *option, struct selftest_name *out)
{
    const char *text = cfg_getstr(section, option);
    struct error why = { 0 };

    *out = (struct selftest_name){ 0 };
    if (text && !selftest_name_parse(slice_of(text), &b->config->arena, out, &why))
        config_section_problem(section, "selftest %s: %s", option, why.text);
}

/* Who names one lives elsewhere than in the Internet, and names all that there are. */
static void build_selftest(struct building *b)
{
    cfg_t *s = cfg_getsec(cfg_getsec(b->cfg, "dns"), "selftest");
    struct selftest_names *names = &b->config->selftest.names;

    b->config->selftest.enabled = cfg_getbool(s, "enabled");
    *names = selftest_defaults;
    if (!cfg_getstr(s, "signed") && !cfg_getstr(s, "unsigned") && !cfg_getstr(s, "bogus"))
        return;
    build_question(b, s, "signed", &names->signed_name);
    build_question(b, s, "unsigned", &names->unsigned_name);
    build_question(b, s, "bogus", &names->bogus_name);
}

void config_build_policy(struct building *b)
{
    cfg_t *p = cfg_getsec(b->cfg, "policy");
    struct config *c = b->config;

    c->decide = (struct decide_settings){
        .insecure_mx = (enum insecure_mx)config_choice(p, "insecure-mx", insecure_mx_words, COUNT(insecure_mx_words), 0),
        .dane_satisfies_sts = config_choice(p, "sts-with-dane", sts_with_dane_words, COUNT(sts_with_dane_words), 0) == 1,
        .tls_optional_lifts_all = config_choice(p, "tls-required-no", scope_words, COUNT(scope_words), 0) == 1,
        .requiretls_enforce_only =
            config_choice(p, "requiretls-sts", requiretls_sts_words, COUNT(requiretls_sts_words), 0) == 1,
    };
    c->dane.sha512_off = !cfg_getbool(p, "dane-sha512");
    c->requiretls = cfg_getbool(p, "requiretls");
    build_memory(p, &c->memory);
    build_sts(b);
    build_selftest(b);
}
