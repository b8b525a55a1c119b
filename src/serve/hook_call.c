#include "serve/hook_call.h"

#include "base/escape.h"
#include "base/memory.h"
#include "dns/hosts.h"
#include "run/fiber.h"
#include "run/process.h"
#include "run/program.h"
#include "serve/hook_url.h"

#include <stdio.h>

enum { ANSWER_MOST = 64 * 1024, ARENA_MAX = 512 * 1024 };

/* --- webhooks -------------------------------------------------------------------- */

static bool find_addresses(const struct hook_caller *c, const struct hook_url *u, struct arena *arena,
                           struct host_addresses *out, struct error *why)
{
    struct address *loopback = arena_take(arena, 2 * sizeof *loopback);

    *out = (struct host_addresses){ .at = loopback, .count = loopback ? hook_url_addresses(u, loopback) : 0 };
    return out->count > 0 || host_addresses_find(c->resolver, u->host, u->port, arena, out, why);
}

/* What https/ says is meant for policies. */
static bool reword(struct error *why)
{
    if (why->code == E_STS_WEBPKI)
        why->code = E_CERT_NOT_TRUSTED;
    else if (why->code == E_STS_FETCH)
        why->code = E_CONNECT;
    return false;
}

static bool post(const struct hook_caller *c, const struct hook_url *u, struct slice json, time_ms deadline, struct error *why)
{
    auto_arena struct arena arena = { 0 };
    struct host_addresses addresses;
    struct https_reply reply;
    struct https_post p = {
        .to = { .host = u->host, .port = u->port, .path = u->path, .most = ANSWER_MOST, .deadline = deadline },
        .media_type = "application/json", .body = json, .clear = u->clear,
    };

    arena_init(&arena, ARENA_MAX);
    if (!find_addresses(c, u, &arena, &addresses, why))
        return false;
    p.to.addresses = addresses.at;
    p.to.address_count = addresses.count;
    if (!https_post(c->https, &p, &arena, &reply, why))
        return reword(why);
    return reply.status / 100 == 2 || fail(why, E_REFUSED_FOR_NOW, "%s answers with HTTP status %d", u->host, reply.status);
}

/* --- commands -------------------------------------------------------------------- */

enum { VARIABLES = 10 };

/* "POSTERN_SUBJECT=example.org", of one line of printable ASCII: a script may well print it. */
static const char *variable(struct arena *arena, const char *name, const char *value)
{
    char text[2 * EVENT_WHAT_MAX], line[sizeof text + 40];

    snprintf(line, sizeof line, "POSTERN_%s=%s", name, escape_line(slice_of(value), text, sizeof text));
    return arena_string(arena, slice_of(line));
}

static const char *time_variable(struct arena *arena, const char *name, time_ms wall)
{
    char text[CLOCK_TEXT_MAX];

    return variable(arena, name, clock_iso_date(wall, text));
}

static void make_variables(const char *hostname, const struct event *e, struct arena *arena, const char *out[VARIABLES + 1])
{
    char count[24];
    size_t n = 0;

    snprintf(count, sizeof count, "%llu", (unsigned long long)e->count);
    out[n++] = variable(arena, "EVENT", event_kind_name(e->kind));
    out[n++] = variable(arena, "SUBJECT", e->subject);
    out[n++] = variable(arena, "HOST", hostname);
    out[n++] = time_variable(arena, "FIRST", e->first);
    out[n++] = time_variable(arena, "LAST", e->last);
    out[n++] = variable(arena, "COUNT", count);
    out[n++] = variable(arena, "WHAT", e->what);
    out[n++] = variable(arena, "POLICY", e->policy);
    out[n++] = variable(arena, "REASON", e->reason);
    out[n++] = variable(arena, "RELAY", e->relay);
    out[n] = NULL;
}

/* Also what the command had to say of it. */
static bool tell_end(const struct program_end *end, enum error_code code, const char *words, struct error *why)
{
    struct slice said = slice_trim(slice_of(end->said));

    return said.len ? fail(why, code, "%s; it said: %.*s", words, SLICE_ARGS(said)) : fail(why, code, "%s", words);
}

static bool run(const struct hook_caller *c, const struct hook_config *h, const struct event *e, struct slice json,
                time_ms deadline, struct error *why)
{
    auto_arena struct arena arena = { 0 };
    auto_free struct program_end *end = NEW(struct program_end);
    const char *variables[VARIABLES + 1];
    struct program p = { .arguments = h->command, .variables = variables, .input = json, .deadline = deadline };
    struct error trouble = { 0 };
    char how[80], words[300];

    arena_init(&arena, ARENA_MAX);
    make_variables(c->hostname, e, &arena, variables);
    if (!program_run(&p, end, &trouble))
        return tell_end(end, trouble.code, trouble.text, why);
    snprintf(words, sizeof words, "%.200s %s", h->command[0], process_how_ended(end->status, how));
    return end->status == 0 || tell_end(end, E_REFUSED_FOR_NOW, words, why);
}

/* ----------------------------------------------------------------------------------- */

bool hook_call(const struct hook_caller *c, const struct hook_config *h, const struct event *e, struct error *why)
{
    time_ms deadline = clock_now() + h->timeout;
    auto_buf struct buf json = { 0 };
    struct hook_url url;

    buf_init(&json, EVENT_JSON_MAX);
    event_json(e, c->hostname, &json);
    if (h->command)
        return run(c, h, e, buf_slice(&json), deadline, why);
    return hook_url_parse(slice_of(h->url), &url, why) && post(c, &url, buf_slice(&json), deadline, why);
}
