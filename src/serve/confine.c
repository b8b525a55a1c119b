#include "serve/confine.h"

#include "base/memory.h"
#include "run/sandbox.h"

enum { PATHS_MAX = 256 };

struct paths {
    struct sandbox_path all[PATHS_MAX];
    size_t count;
};

static void add(struct paths *p, const char *path, bool write)
{
    if (path && p->count < PATHS_MAX)
        p->all[p->count++] = (struct sandbox_path){ path, write };
}

/* The fixed part of a maildir's pattern, or of it what exists already: the rest is made below. */
static const char *maildir_root(struct arena *arena, const char *pattern)
{
    struct slice path = slice_first(slice_of(pattern), slice_find(slice_of(pattern), '%'));
    const char *root = arena_string(arena, path);

    while (path.len > 1 && access(root, F_OK) != 0) {
        path = slice_first(path, slice_find_last(path, '/'));
        root = path.len ? arena_string(arena, path) : "/";
    }
    return root;
}

/* What looking up names and checking certificates reads. */
static void add_lookups(struct paths *p, const struct config *c)
{
    static const char *const readable[] = { "/etc/ssl", "/etc/resolv.conf", "/etc/hosts", "/etc/localtime",
        "/usr/share/dns", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/lib/ssl",
        "/usr/share/publicsuffix", "/dev/urandom", "/dev/null" };

    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        add(p, readable[i], false);
    add(p, c->resolver.trust_anchor_file, false);
    add(p, c->delivery.ca_file, false);
    add(p, c->sts.ca_file, false);
}

static void add_maildirs(struct paths *p, struct arena *arena, const struct config *c)
{
    for (size_t i = 0; i < c->rule_count; i++)
        if (c->rules[i]->route.kind == ROUTE_MAILDIR)
            add(p, maildir_root(arena, c->rules[i]->route.path), true);
}

/* Commands must be able to do something: the account's rights are their only bound. */
static bool runs_commands(const struct config *c, enum link_role role)
{
    for (size_t i = 0; role == LINK_HOOKS && i < c->hook_count; i++)
        if (c->hooks[i].command)
            return true;
    return false;
}

void confine(const struct config *config, enum link_role role)
{
    auto_free struct paths *paths = NEW(struct paths);
    auto_arena struct arena arena = { 0 };
    struct error why = { 0 };
    bool looks_up = role == LINK_OUTBOUND || role == LINK_POLICY || role == LINK_REPORT || role == LINK_HOOKS;
    bool dials = looks_up || config->log.sink == LOG_TO_SYSLOG || role == LINK_STORE;

    if (runs_commands(config, role))
        return;
    arena_init(&arena, 1024 * 1024);
    if (role == LINK_STORE)
        add(paths, config->data_directory, true);
    if (looks_up)
        add_lookups(paths, config);
    if (role == LINK_OUTBOUND)
        add_maildirs(paths, &arena, config);
    if (!sandbox_files(paths->all, paths->count, &why))
        log_say(LOG_LEVEL_WARNING, "sandbox.files", &why, "this process can open whatever its account may");
    if (!sandbox_calls(dials, &why))
        log_say(LOG_LEVEL_WARNING, "sandbox.calls", &why, "this process can make every system call");
}
