#include "lab/certificates.h"

#include "lab/files.h"
#include "tls/issue.h"

#include <unistd.h>

/* Good for ten years from yesterday, or over since a month ago. */
static void set_dates(struct tls_order *order, bool expired, time_ms wall)
{
    order->from = expired ? wall - DAYS(120) : wall - DAYS(1);
    order->until = expired ? wall - DAYS(30) : wall + DAYS(3650);
}

static bool make_unless_there(const struct tls_order *order, const struct tls_identity *files, struct error *why)
{
    if (access(files->chain_file, R_OK) == 0 && access(files->key_file, R_OK) == 0)
        return true;
    return tls_issue(order, files, why);
}

static bool make_authority(const char *name, const struct tls_identity *files, time_ms wall, struct error *why)
{
    struct tls_order order = { .name = name, .authority = true };

    set_dates(&order, false, wall);
    return make_unless_there(&order, files, why);
}

static bool make_leaf(struct plan *p, const struct lab_case *c, const struct lab_certificate *wanted, const char *host,
                      const struct tls_identity *files, time_ms wall, struct error *why)
{
    struct tls_order order = {
        .name = wanted->name ? lab_name(c, wanted->name, &p->memory) : host,
        .common_name_only = wanted->common_name_only,
        .issuer = wanted->signer == BY_CA ? &p->ca : wanted->signer == BY_ANCHOR ? &p->anchor : NULL,
        .with_issuer = wanted->signer == BY_ANCHOR && !wanted->alone,
    };

    set_dates(&order, wanted->expired, wall);
    return make_unless_there(&order, files, why);
}

bool certificates_make(struct plan *p, time_ms wall, struct error *why)
{
    const struct tls_order disguise = { .name = "attacker.invalid", .from = wall - DAYS(1), .until = wall + DAYS(3650) };
    bool good = folder_make(plan_path(p, "certificates"), why)
        && make_authority("postern lab CA", &p->ca, wall, why)
        && make_authority("postern lab trust anchor", &p->anchor, wall, why)
        && make_unless_there(&disguise, &p->attacker, why);

    for (size_t i = 0; good && i < p->host_count; i++) {
        struct plan_host *h = &p->hosts[i];

        good = make_leaf(p, h->of, &h->as->certificate, h->name, &h->files, wall, why);
    }
    for (size_t i = 0; good && i < p->web_count; i++) {
        struct plan_web *w = &p->webs[i];
        struct lab_certificate wanted = w->of->policy.certificate;

        if (wanted.signer == AS_USUAL)
            wanted.signer = BY_CA;
        good = make_leaf(p, w->of, &wanted, w->name, &w->files, wall, why);
    }
    return good;
}
