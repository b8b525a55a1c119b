#include "lab/plan.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    MEMORY_MAX = 4 * 1024 * 1024,
    FIRST_HOST = 10,            /* added to the base address */
    FIRST_WEB = 256,
};

const char *plan_path(struct plan *p, const char *format, ...)
{
    char rest[400];
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    return arena_string(&p->memory, arena_text(&p->memory, "%s/%s", p->directory, rest));
}

static struct tls_identity certificate_files(struct plan *p, const char *name)
{
    return (struct tls_identity){ plan_path(p, "certificates/%s.pem", name), plan_path(p, "certificates/%s.key", name) };
}

static struct address nth_address(const struct plan *p, unsigned n)
{
    struct address a = p->base;

    n += a.ip[3];
    a.ip[3] = (uint8_t)n;
    a.ip[2] = (uint8_t)(a.ip[2] + n / 256);
    return a;
}

/* --- zones ------------------------------------------------------------------ */

static bool is_in(const char *name, const char *zone)
{
    size_t name_len = strlen(name), zone_len = strlen(zone);

    return zone_len == 0 || strcmp(name, zone) == 0
        || (name_len > zone_len && name[name_len - zone_len - 1] == '.' && strcmp(name + name_len - zone_len, zone) == 0);
}

/* Children come behind their parents, so the last that fits is the deepest. */
const struct plan_zone *plan_zone_of(const struct plan *p, const char *name)
{
    size_t i = p->zone_count;

    while (i > 0 && !is_in(name, p->zones[i - 1].name))
        i--;
    return i > 0 ? &p->zones[i - 1] : NULL;
}

static void add_zone(struct plan *p, const char *name, enum lab_signing signing, bool tlsa_servfail)
{
    const struct plan_zone *parent = plan_zone_of(p, name);

    p->zones[p->zone_count++] = (struct plan_zone){ name, parent, signing, tlsa_servfail };
}

static void plan_zones(struct plan *p)
{
    p->zones = arena_take(&p->memory, (3 + 2 * lab_case_count) * sizeof *p->zones);
    add_zone(p, "", IN_LAB, false);
    add_zone(p, "example", IN_LAB, false);
    add_zone(p, LAB_DOMAIN, IN_LAB, false);
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];

        if (c->signing != IN_LAB)
            add_zone(p, lab_name(c, "@", &p->memory), c->signing, c->tlsa_servfail);
        if (c->unsigned_part)
            add_zone(p, lab_name(c, c->unsigned_part, &p->memory), UNSIGNED, false);
    }
}

/* --- hosts -------------------------------------------------------------------- */

static void plan_host(struct plan *p, const struct lab_case *c, const struct lab_host *as)
{
    struct plan_host *h = &p->hosts[p->host_count];
    const char *name = lab_name(c, as->name ? as->name : "mx.@", &p->memory);

    *h = (struct plan_host){
        .of = c, .as = as, .name = name,
        .mx = as->alias ? lab_name(c, as->alias, &p->memory) : name,
        .address = nth_address(p, FIRST_HOST + (unsigned)p->host_count),
        .files = certificate_files(p, name),
    };
    p->host_count++;
}

static void plan_web(struct plan *p, const struct lab_case *c)
{
    struct plan_web *w = &p->webs[p->web_count];
    const char *name = lab_name(c, "mta-sts.@", &p->memory);

    *w = (struct plan_web){
        .of = c, .name = name,
        .address = nth_address(p, FIRST_WEB + (unsigned)p->web_count),
        .files = certificate_files(p, name),
    };
    p->web_count++;
}

static void plan_hosts(struct plan *p)
{
    p->hosts = arena_take(&p->memory, LAB_HOSTS_MAX * lab_case_count * sizeof *p->hosts);
    p->webs = arena_take(&p->memory, lab_case_count * sizeof *p->webs);
    for (size_t i = 0; i < lab_case_count; i++) {
        const struct lab_case *c = &lab_cases[i];

        for (size_t n = 0; n < lab_host_count(c); n++)
            plan_host(p, c, &c->hosts[n]);
        if (c->policy.mode)
            plan_web(p, c);
    }
}

struct plan *plan_new(const char *directory, const struct address *base)
{
    struct plan *p = NEW(struct plan);

    arena_init(&p->memory, MEMORY_MAX);
    p->directory = arena_string(&p->memory, slice_of(directory));
    p->base = *base;
    p->resolver = p->authority = p->spoiler = nth_address(p, 1);
    p->ca = certificate_files(p, "ca");
    p->ca.chain_file = plan_path(p, "ca.pem");
    p->anchor = certificate_files(p, "anchor");
    p->attacker = certificate_files(p, "attacker");
    plan_zones(p);
    plan_hosts(p);
    return p;
}

void plan_free(struct plan *p)
{
    if (p)
        arena_done(&p->memory);
    free(p);
}
