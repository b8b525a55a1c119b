#include "serve/roles.h"

#include "base/memory.h"
#include "serve/hooks.h"
#include "serve/inbound.h"
#include "serve/outbound.h"
#include "serve/policy.h"
#include "serve/report.h"
#include "serve/store.h"
#include "serve/web.h"

/* Message ids have 256 makers: inbound processes, outbound ones, and the report process with those of it that drain. */
enum { MAKERS = 120, REPORT_MAKERS = 16 };

const char *role_name(enum link_role r)
{
    static const char *const names[] = {
        [LINK_STORE] = "store", [LINK_INBOUND] = "inbound", [LINK_OUTBOUND] = "outbound", [LINK_POLICY] = "policy",
        [LINK_REPORT] = "report", [LINK_HOOKS] = "hooks", [LINK_WEB] = "web" };

    return names[r];
}

unsigned role_makers(enum link_role r)
{
    return r == LINK_REPORT ? REPORT_MAKERS : MAKERS;
}

bool role_has_work(const struct config *c, enum link_role r)
{
    switch (r) {
    case LINK_POLICY: return c->postfix.socketmap_count > 0 || c->postfix.tcp_table_count > 0 || c->postfix.tlsrpt;
    case LINK_REPORT: return c->report.enabled;
    case LINK_HOOKS: return c->hook_count > 0;
    case LINK_WEB: return c->web.listen_count > 0;
    default: return true;
    }
}

bool role_needs_keys(enum link_role r)
{
    return r == LINK_INBOUND || r == LINK_REPORT || r == LINK_WEB;
}

/* --- descriptors ------------------------------------------------------------------ */

static void keep(int *all, size_t *count, const int *fds, size_t more)
{
    for (size_t i = 0; i < more; i++)
        all[(*count)++] = fds[i];
}

int *role_descriptors(enum link_role r, const struct role_start *start, size_t *count)
{
    const struct generation *g = start->generation;
    const struct config *c = g->config;
    int *all = memory_array(c->listener_count + c->web.listen_count + c->postfix.socketmap_count +
                            c->postfix.tcp_table_count + 3, sizeof *all);

    *count = 0;
    keep(all, count, &start->control_fd, 1);
    if (r == LINK_INBOUND || r == LINK_OUTBOUND)
        keep(all, count, &g->record_fd, 1);
    if (r == LINK_INBOUND)
        keep(all, count, g->fds, c->listener_count);
    if (r == LINK_WEB)
        keep(all, count, g->web_fds, c->web.listen_count);
    if (r == LINK_POLICY) {
        keep(all, count, &g->tlsrpt_fd, 1);
        keep(all, count, g->socketmap_fds, c->postfix.socketmap_count);
        keep(all, count, g->tcp_table_fds, c->postfix.tcp_table_count);
    }
    return all;
}

/* --- running ------------------------------------------------------------------------ */

static int run_policy(const struct role_start *s)
{
    const struct generation *g = s->generation;
    const struct policy_start start = { .config = g->config, .socketmap_fds = g->socketmap_fds,
                                        .tcp_table_fds = g->tcp_table_fds, .tlsrpt_fd = g->tlsrpt_fd,
                                        .control_fd = s->control_fd };

    return policy_run(&start);
}

static int run_report(const struct role_start *s)
{
    const struct generation *g = s->generation;
    struct slice domain = address_domain(slice_of(g->config->report.contact));
    const struct report_start start = { .config = g->config, .key = generation_key(g, domain),
                                        .maker = 2 * MAKERS + s->maker, .control_fd = s->control_fd };

    return report_run(&start);
}

static int run_hooks(const struct role_start *s)
{
    const struct generation *g = s->generation;
    const struct hooks_start start = { .config = g->config, .wardrobe = g->wardrobe, .control_fd = s->control_fd };

    return hooks_run(&start);
}

static int run_web(const struct role_start *s)
{
    const struct generation *g = s->generation;
    const struct web_start start = { .config = g->config, .tls = g->web, .fds = g->web_fds, .control_fd = s->control_fd };

    return web_run(&start);
}

static int run_inbound(const struct role_start *s)
{
    const struct generation *g = s->generation;
    const struct inbound_start start = { .config = g->config, .tls = g->tls, .fds = g->fds, .keys = g->keys,
                                         .census = s->census, .slot = s->maker, .control_fd = s->control_fd };

    return inbound_run(&start);
}

static int run_outbound(const struct role_start *s)
{
    const struct generation *g = s->generation;
    const struct outbound_start start = { .config = g->config, .tls = g->client, .wardrobe = g->wardrobe, .slot = s->slot,
                                          .maker = MAKERS + s->maker, .control_fd = s->control_fd };

    return outbound_run(&start);
}

int role_run(enum link_role r, const struct role_start *s)
{
    switch (r) {
    case LINK_STORE: return store_run(s->generation->config, s->lock_patience, s->control_fd);
    case LINK_INBOUND: return run_inbound(s);
    case LINK_OUTBOUND: return run_outbound(s);
    case LINK_POLICY: return run_policy(s);
    case LINK_REPORT: return run_report(s);
    case LINK_HOOKS: return run_hooks(s);
    case LINK_WEB: return run_web(s);
    case LINK_ROLES: break;
    }
    return EXIT_FAILURE;
}
