#include "dns/tlsa.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 253 };

const char *tlsa_status_name(enum tlsa_status s)
{
    switch (s) {
    case TLSA_NOT_ASKED: return "not asked";
    case TLSA_ABSENT: return "absent";
    case TLSA_INSECURE: return "insecure";
    case TLSA_FOUND: return "found";
    case TLSA_ERROR: return "error";
    }
    return "unknown";
}

struct search {
    const struct tlsa_source *source;
    const char *host;
    const struct host_addresses *addresses;
    uint16_t port;
    struct arena *arena;        /* for what is kept */
    struct arena scratch;       /* for what the question at hand brings */
    struct tlsa_answer *out;
    bool denied;                /* a candidate is surely without records */
};

/* --- asking -------------------------------------------------------------------- */

static void ask(struct search *s, const char *name, enum dns_type type, struct dns_answer *a)
{
    arena_reset(&s->scratch);
    s->source->ask(s->source->self, name, type, &s->scratch, a);
    if (a->ttl < s->out->ttl)
        s->out->ttl = a->ttl;
}

/* RFC 7672 2.1.2: the host is then "unreachable", and no other candidate matters. */
static void search_failed(struct search *s)
{
    s->out->status = TLSA_ERROR;
    s->out->ttl = 0;
    s->out->records = NULL;
    s->out->count = 0;
}

static bool check_answer(struct search *s, const struct dns_answer *a, const char *name, enum dns_type type)
{
    if (!dns_answer_is_error(a))
        return true;
    dns_answer_fail(a, name, type, E_TLSA_LOOKUP, &s->out->why);
    search_failed(s);
    return false;
}

/* --- candidates ------------------------------------------------------------------ */

/* RFC 7672 2.1.3: a client that finds the end of a chain insecure asks for the
 * CNAME itself, since the first link may be secure all the same. */
static bool alias_is_secure(struct search *s)
{
    struct dns_answer a;

    ask(s, s->host, DNS_CNAME, &a);
    return check_answer(s, &a, s->host, DNS_CNAME) && a.status == DNS_FOUND && a.secure;
}

/* RFC 7672 2.2.2: "the TLSA base domain is the fully expanded name" first, where
 * all of the chain is secure, then the host; never a name between (DANE-045). */
static size_t candidates(struct search *s, const char *names[TLSA_CANDIDATES_MAX])
{
    size_t count = 0;

    if (!s->addresses->secure) {
        if (!s->addresses->aliased || !alias_is_secure(s))
            return 0;
    } else if (s->addresses->aliased && strcmp(s->addresses->canonical, s->host) != 0) {
        names[count++] = s->addresses->canonical;
    }
    names[count++] = s->host;
    return count;
}

/* --- one candidate ---------------------------------------------------------------- */

static void keep_records(struct search *s, const char *base, const struct dns_answer *a, const char *owner)
{
    struct tlsa_answer *out = s->out;
    struct slice *kept = NULL;

    if (a->count <= TLSA_RECORDS_MAX)
        kept = arena_take(s->arena, a->count * sizeof *kept);
    for (size_t i = 0; kept && i < a->count; i++)
        kept[i] = arena_copy(s->arena, a->records[i]);
    if (!kept || s->arena->failed) {
        fail(&out->why, E_TLSA_LOOKUP, "the %zu TLSA records of %s are too many", a->count, owner);
        search_failed(s);
        return;
    }
    out->status = TLSA_FOUND;
    out->base = base;
    out->records = kept;
    out->count = a->count;
}

static const char *status_words(const struct dns_answer *a)
{
    if (a->status == DNS_NO_DATA || a->status == DNS_NO_NAME)
        return a->secure ? "absent (secure)" : "absent (insecure)";
    return dns_status_name(a);
}

/* True when the search is over (DANE-047, -048). A CNAME at the owner name has
 * been followed by the resolver, and the answer is secure only if every link is;
 * the base stays what it was (DANE-046). */
static bool search_at(struct search *s, const char *base)
{
    struct tlsa_candidate *c = &s->out->asked[s->out->asked_count++];
    struct dns_answer a;

    c->base = base;
    snprintf(c->owner, sizeof c->owner, "_%u._tcp.%s", s->port, base);
    if (dns_name_valid(base) && strlen(c->owner) > NAME_MAX_BYTES) {
        c->status = "absent (name too long)";
        s->denied = true;
        return false;
    }
    ask(s, c->owner, DNS_TLSA, &a);
    c->status = status_words(&a);
    if (!check_answer(s, &a, c->owner, DNS_TLSA))
        return true;
    if (a.status == DNS_FOUND && a.secure) {
        keep_records(s, base, &a, c->owner);
        return true;
    }
    s->denied = s->denied || a.secure;
    return false;
}

/* --- the whole --------------------------------------------------------------------- */

static void search(struct search *s)
{
    const char *names[TLSA_CANDIDATES_MAX];
    size_t count = candidates(s, names);

    for (size_t i = 0; i < count; i++)
        if (search_at(s, names[i]))
            return;
    if (count > 0)
        s->out->status = s->denied ? TLSA_ABSENT : TLSA_INSECURE;
}

void tlsa_find_from(const struct tlsa_source *source, const char *host, const struct host_addresses *addresses,
                    uint16_t port, struct arena *arena, struct tlsa_answer *out)
{
    struct search s = { source, dns_name_copy(arena, slice_of(host)), addresses, port, arena, .out = out };

    *out = (struct tlsa_answer){ .status = TLSA_NOT_ASKED, .base = s.host, .ttl = addresses->ttl };
    arena_init(&s.scratch, TLSA_BYTES_MAX);
    search(&s);
    arena_done(&s.scratch);
}

static void ask_resolver(void *self, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
    resolver_ask(self, name, type, arena, out);
}

void tlsa_find(struct resolver *r, const char *host, const struct host_addresses *addresses, uint16_t port,
               struct arena *arena, struct tlsa_answer *out)
{
    tlsa_find_from(&(struct tlsa_source){ ask_resolver, r }, host, addresses, port, arena, out);
}
