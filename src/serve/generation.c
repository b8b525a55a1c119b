#include "serve/generation.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { BACKLOG = 1024 };

static void tell_problem(void *arg, const char *text)
{
    log_say(LOG_LEVEL_ERROR, "config.problem", NULL, "%s", text);
}

static void tell_warning(void *arg, const char *text)
{
    log_say(LOG_LEVEL_WARNING, "tls.review", NULL, "%s", text);
}

/* --- the data directory ------------------------------------------------------- */

static bool make_directory(const struct generation *g, const char *path, struct error *why)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST || fail_errno(why, E_STORAGE, "cannot create %s", path);
    if (g->drop && chown(path, g->account.uid, g->account.gid) != 0)
        return fail_errno(why, E_STORAGE, "cannot give %s to %s", path, g->account.name);
    return true;
}

/* Parents are made as well, but stay root's. */
static bool prepare_data_directory(const struct generation *g, struct error *why)
{
    auto_free char *path = memory_text(slice_of(g->config->data_directory));

    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return fail_errno(why, E_STORAGE, "cannot create %s", path);
        *slash = '/';
    }
    return make_directory(g, path, why);
}

/* --- TLS ------------------------------------------------------------------------ */

/* With no certificate configured there is one of our own making: encryption
 * without it would not be possible, and on an MX hardly anybody asks whose it is. */
static bool self_signed(const struct generation *g, char chain[PATH_MAX], char key[PATH_MAX], struct error *why)
{
    char directory[PATH_MAX];

    if (snprintf(directory, sizeof directory, "%s/tls", g->config->data_directory) >= PATH_MAX - 32)
        return fail(why, E_USAGE, "data-directory is too long");
    snprintf(chain, PATH_MAX, "%.*s/self-signed.pem", PATH_MAX - 32, directory);
    snprintf(key, PATH_MAX, "%.*s/self-signed.key", PATH_MAX - 32, directory);
    if (!make_directory(g, directory, why))
        return false;
    if (access(chain, R_OK) == 0 && access(key, R_OK) == 0)
        return true;
    if (!tls_make_self_signed(g->config->hostname, chain, key, clock_wall(), why))
        return false;
    log_say(LOG_LEVEL_WARNING, "tls.self-signed", NULL,
            "no certificate is configured: made a self-signed one for %s in %s; senders that check certificates will "
            "not trust it", g->config->hostname, chain);
    return true;
}

static struct tls_server *make_tls(const struct generation *g, const struct listener_config *l,
                                   const struct tls_identity *identities, size_t count, struct error *why)
{
    struct tls_server_settings settings = {
        .identities = identities,
        .identity_count = count,
        .minimum = l->minimum,
        .tickets = l->role == ROLE_SUBMISSION,      /* off on mx: some large senders fail over them */
    };

    return tls_server_new(&settings, why);
}

/* What our web page and reports of others come in by. */
static bool set_up_web(struct generation *g, const struct tls_identity *identities, size_t count, struct error *why)
{
    struct tls_server_settings settings = { .identities = identities, .identity_count = count, .minimum = TLS_1_2 };

    if (g->config->web.listen_count == 0)
        return true;
    g->web = tls_server_new(&settings, why);
    return g->web != NULL;
}

static bool set_up_tls(struct generation *g, struct error *why)
{
    const struct config *c = g->config;
    struct tls_client_settings client = { .minimum = TLS_1_2, .ca_file = c->delivery.ca_file };
    char chain[PATH_MAX], key[PATH_MAX];
    struct tls_identity made = { chain, key };
    const struct tls_identity *identities = c->identity_count ? c->identities : &made;
    size_t count = c->identity_count ? c->identity_count : 1;
    bool reviewed = false;

    if (c->identity_count == 0 && !self_signed(g, chain, key, why))
        return false;
    g->wardrobe = wardrobe_new(identities, count, why);
    if (!g->wardrobe || !set_up_web(g, identities, count, why))
        return false;
    for (size_t i = 0; i < c->listener_count; i++) {
        if (c->listeners[i].tls == LISTENER_OFF)
            continue;
        g->tls[i] = make_tls(g, &c->listeners[i], identities, count, why);
        if (!g->tls[i])
            return false;
        if (!reviewed)
            tls_server_review(g->tls[i], clock_wall(), tell_warning, NULL);
        reviewed = true;
    }
    g->client = tls_client_new(&client, why);
    return g->client != NULL;
}

/* --- sockets ------------------------------------------------------------------------ */

static int dup_cloexec(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static bool same_address(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port && address_same_ip(a, b);
}

static int inherited(const struct generation *from, const struct address *a)
{
    for (size_t i = 0; from && i < from->config->listener_count; i++)
        if (from->fds[i] >= 0 && same_address(&from->config->listeners[i].address, a))
            return from->fds[i];
    return -1;
}

/* Sockets of other kinds: those of the same address or path that the former generation has are taken over. */
static int open_endpoint(const struct endpoint_config *e, const struct endpoint_config *former, const int *former_fds,
                         size_t former_count, struct error *why)
{
    char text[ADDRESS_TEXT_MAX];
    int fd;

    for (size_t i = 0; i < former_count; i++)
        if (former_fds[i] >= 0 && (e->path ? former[i].path && strcmp(former[i].path, e->path) == 0
                                           : !former[i].path && same_address(&former[i].address, &e->address)))
            return dup_cloexec(former_fds[i]);
    fd = e->path ? listen_unix(e->path, 0666, BACKLOG, why) : listen_on(&e->address, BACKLOG, why);
    if (fd < 0)
        blame(why, "listen on %s", e->path ? e->path : address_text(&e->address, text));
    return fd;
}

static bool open_endpoints(const struct endpoint_config *all, size_t count, const struct endpoint_config *former,
                           const int *former_fds, size_t former_count, int **fds, struct error *why)
{
    *fds = memory_array(count + 1, sizeof **fds);
    for (size_t i = 0; i < count; i++)
        (*fds)[i] = -1;
    for (size_t i = 0; i < count; i++) {
        (*fds)[i] = open_endpoint(&all[i], former, former_fds, former_count, why);
        if ((*fds)[i] < 0)
            return false;
    }
    return true;
}

static bool open_web(struct generation *g, const struct generation *previous, struct error *why)
{
    const struct config *c = g->config;
    size_t former = previous ? previous->config->web.listen_count : 0;
    auto_free struct endpoint_config *is = memory_array(c->web.listen_count + 1, sizeof *is);
    auto_free struct endpoint_config *was = memory_array(former + 1, sizeof *was);

    for (size_t i = 0; i < c->web.listen_count; i++)
        is[i].address = c->web.listen[i];
    for (size_t i = 0; i < former; i++)
        was[i].address = previous->config->web.listen[i];
    return open_endpoints(is, c->web.listen_count, was, previous ? previous->web_fds : NULL, former, &g->web_fds, why);
}

/* Where records of facts go; opened before rights are dropped, given to whoever has the account. */
static bool open_record(struct generation *g, struct error *why)
{
    const char *file = g->config->facts.file;

    if (!file)
        return true;
    g->record_fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    return g->record_fd >= 0 || fail_errno(why, E_SYSTEM, "facts file = \"%s\"", file);
}

static bool open_others(struct generation *g, const struct generation *previous, struct error *why)
{
    const struct config *c = g->config, *was = previous ? previous->config : NULL;
    const char *tlsrpt = c->postfix.tlsrpt;

    if (!open_endpoints(c->postfix.socketmap, c->postfix.socketmap_count, was ? was->postfix.socketmap : NULL,
                        was ? previous->socketmap_fds : NULL, was ? was->postfix.socketmap_count : 0, &g->socketmap_fds, why) ||
        !open_endpoints(c->postfix.tcp_table, c->postfix.tcp_table_count, was ? was->postfix.tcp_table : NULL,
                        was ? previous->tcp_table_fds : NULL, was ? was->postfix.tcp_table_count : 0, &g->tcp_table_fds, why) ||
        !open_web(g, previous, why) || !open_record(g, why))
        return false;
    if (!tlsrpt)
        return true;
    if (was && was->postfix.tlsrpt && strcmp(was->postfix.tlsrpt, tlsrpt) == 0)
        g->tlsrpt_fd = dup_cloexec(previous->tlsrpt_fd);
    else
        g->tlsrpt_fd = bind_datagram(tlsrpt, 0666, why);
    return g->tlsrpt_fd >= 0 || blame(why, "postfix tlsrpt");
}

/* --- keys for signatures ------------------------------------------------------------- */

static bool read_keys(struct generation *g, struct error *why)
{
    const struct config *c = g->config;

    g->keys = memory_array(c->dkim_count + 1, sizeof *g->keys);
    for (size_t i = 0; i < c->dkim_count; i++) {
        g->keys[i] = signing_key_read(c->dkim[i].key_file, why);
        if (!g->keys[i])
            return blame(why, "dkim \"%s\"", c->dkim[i].domain);
    }
    return true;
}

const struct signing_key *generation_key(const struct generation *g, struct slice domain)
{
    const struct dkim_config *d = config_dkim_for(g->config, domain);

    return d ? g->keys[d - g->config->dkim] : NULL;
}

static bool open_sockets(struct generation *g, const struct generation *previous, struct error *why)
{
    const struct config *c = g->config;
    char text[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < c->listener_count; i++) {
        const struct address *a = &c->listeners[i].address;

        g->fds[i] = inherited(previous, a);
        if (g->fds[i] < 0)
            g->fds[i] = listen_on(a, BACKLOG, why);
        if (g->fds[i] < 0 && errno == EAFNOSUPPORT)
            continue;       /* "*:25" on a machine without IPv6 */
        if (g->fds[i] < 0)
            return blame(why, "listen \"%s\"", address_text(a, text));
    }
    return true;
}

/* --- the whole --------------------------------------------------------------------------- */

static bool set_up_account(struct generation *g, struct error *why)
{
    g->drop = geteuid() == 0;
    if (!g->drop || account_find(g->config->user, &g->account, why))
        return true;
    return blame(why, "user = \"%s\" (make it with \"useradd --system %s\", or name another)", g->config->user,
                 g->config->user);
}

static void warn_of_required_tls(const struct config *c)
{
    char text[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < c->listener_count; i++)
        if (c->listeners[i].role == ROLE_MX && c->listeners[i].tls == LISTENER_REQUIRED)
            log_say(LOG_LEVEL_WARNING, "listen.tls-required", NULL,
                    "the mx listener %s refuses mail in clear; RFC 3207 section 4 forbids that for a public MX: "
                    "senders without TLS cannot reach you", address_text(&c->listeners[i].address, text));
}

struct generation *generation_new(const char *config_file, const struct generation *previous)
{
    struct generation *g = NEW(struct generation);
    struct error why = { 0 };

    g->number = previous ? previous->number + 1 : 1;
    g->config = config_read(config_file, CONFIG_TO_SERVE, tell_problem, NULL);
    if (!g->config) {
        free(g);
        return NULL;
    }
    log_setup(g->config->log);
    g->tls = memory_array(g->config->listener_count, sizeof *g->tls);
    g->fds = memory_array(g->config->listener_count, sizeof *g->fds);
    for (size_t i = 0; i < g->config->listener_count; i++)
        g->fds[i] = -1;
    g->tlsrpt_fd = g->record_fd = -1;
    if (set_up_account(g, &why) && prepare_data_directory(g, &why) && set_up_tls(g, &why) &&
        read_keys(g, &why) && open_sockets(g, previous, &why) && open_others(g, previous, &why)) {
        warn_of_required_tls(g->config);
        return g;
    }
    log_say(LOG_LEVEL_ERROR, "start.failed", &why, "%s cannot be put into force", config_file);
    generation_free(g, previous);
    return NULL;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; fds && i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
}

static void free_others(struct generation *g)
{
    const struct config *c = g->config;

    free(g->keys);
    close_all(g->web_fds, c->web.listen_count);
    close_all(g->socketmap_fds, c->postfix.socketmap_count);
    close_all(g->tcp_table_fds, c->postfix.tcp_table_count);
    if (g->tlsrpt_fd >= 0)
        close(g->tlsrpt_fd);
    if (g->record_fd >= 0)
        close(g->record_fd);
    wardrobe_free(g->wardrobe);
}

void generation_forget_keys(struct generation *g)
{
    for (size_t i = 0; i < g->config->listener_count; i++) {
        tls_server_free(g->tls[i]);
        g->tls[i] = NULL;
    }
    for (size_t i = 0; g->keys && i < g->config->dkim_count; i++) {
        signing_key_free(g->keys[i]);
        g->keys[i] = NULL;
    }
    tls_server_free(g->web);
    g->web = NULL;
}

void generation_free(struct generation *g, const struct generation *successor)
{
    if (!g)
        return;
    generation_forget_keys(g);
    for (size_t i = 0; i < g->config->listener_count; i++) {
        if (g->fds[i] >= 0 && inherited(successor, &g->config->listeners[i].address) != g->fds[i])
            close(g->fds[i]);
    }
    tls_client_free(g->client);
    free_others(g);
    config_free(g->config);
    free(g->tls);
    free(g->fds);
    free(g);
}
