#include "dns/hosts.h"

#include "base/cursor.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/* What an answer without data means when data was needed. */
static bool fail_for(const struct dns_answer *a, const char *name, enum dns_type type, struct error *why)
{
    return dns_answer_fail(a, name, type, a->status == DNS_BOGUS ? E_DNS_BOGUS : E_DNS, why);
}

static bool too_large(const char *what, struct error *why)
{
    return fail(why, E_LIMIT, "the DNS answers for %s are too large", what);
}

/* --- the mail hosts of a domain ------------------------------------------------- */

/* RFC 5321 5.1 wants a domain name. "." among others is no null MX (SMTP-133),
 * an IP address is nothing to look up (SMTP-130); both are passed over, as is a
 * name that no host can have. */
static bool is_usable_host(const char *name)
{
    struct address ignored;

    return dns_name_valid(name) && !strchr(name, '*') && !address_parse_ip(slice_of(name), &ignored);
}

/* RDATA of an MX: preference, then the name and nothing behind it. */
static bool mx_parse(struct slice rdata, uint16_t *preference, char name[DNS_NAME_MAX])
{
    struct cursor in = cursor_over(rdata);
    uint16_t number = cursor_u16(&in);
    size_t used;

    if (in.failed || !dns_name_text(in.rest, name, &used) || used != in.rest.len)
        return false;
    *preference = number;
    return true;
}

/* RFC 7505 3: "a single MX RR ... with an RDATA section consisting of preference
 * number 0 and a zero-length label". Another preference could mean nothing else. */
static bool is_null_mx(const struct dns_answer *mx)
{
    char name[DNS_NAME_MAX];
    uint16_t preference;

    return mx->count == 1 && mx_parse(mx->records[0], &preference, name) && strcmp(name, ".") == 0;
}

struct candidate {
    struct mail_host host;
    uint64_t place;             /* among those of equal preference */
};

static uint64_t place_of(const char *name, uint64_t seed)
{
    uint64_t hash = 0xcbf29ce484222325;     /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    hash += seed * 0x9e3779b97f4a7c15;      /* then splitmix64 */
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    return hash ^ hash >> 31;
}

static int compare(const void *one, const void *other)
{
    const struct candidate *a = one, *b = other;

    if (a->host.preference != b->host.preference)
        return a->host.preference < b->host.preference ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return strcmp(a->host.name, b->host.name);
}

static struct candidate *candidates(const struct dns_answer *mx, uint64_t seed, struct arena *arena, size_t *count)
{
    struct candidate *list = arena_take(arena, mx->count * sizeof *list);

    *count = 0;
    for (size_t i = 0; list && i < mx->count; i++) {
        struct candidate *c = &list[*count];
        char name[DNS_NAME_MAX];

        if (!mx_parse(mx->records[i], &c->host.preference, name) || !is_usable_host(name))
            continue;
        c->host.name = arena_string(arena, slice_of(name));
        c->place = place_of(name, seed);
        ++*count;
    }
    return list;
}

static bool holds(const struct mail_hosts *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->hosts[i].name, name) == 0)
            return true;
    return false;
}

/* A host that is named twice counts where it stands first. */
static bool take_hosts(const struct dns_answer *mx, uint64_t seed, struct arena *arena, struct mail_hosts *made)
{
    size_t count;
    struct candidate *list = candidates(mx, seed, arena, &count);

    made->hosts = arena_take(arena, MAIL_HOSTS_MAX * sizeof *made->hosts);
    if (arena->failed)
        return false;
    qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count && made->count < MAIL_HOSTS_MAX; i++)
        if (!holds(made, list[i].host.name))
            made->hosts[made->count++] = list[i].host;
    return true;
}

/* RFC 5321 5.1: "If an empty list of MXs is returned, the address is treated as if
 * it was associated with an implicit MX RR with a preference of 0, pointing to that
 * host." The host keeps the name that was asked: TLSA records may stand there or
 * at the end of its CNAMEs (DANE-042, DANE-049). */
static bool take_implicit(const char *domain, struct arena *arena, struct mail_hosts *made)
{
    made->implicit = true;
    made->hosts = arena_take(arena, sizeof *made->hosts);
    if (arena->failed)
        return false;
    made->hosts[0] = (struct mail_host){ dns_name_copy(arena, slice_of(domain)), 0 };
    made->count = 1;
    return !arena->failed;
}

bool mail_hosts_from(const struct dns_answer *mx, const char *domain, uint64_t seed, struct arena *arena,
                     struct mail_hosts *out, struct error *why)
{
    struct mail_hosts made = { .secure = mx->secure, .domain = mx->canonical, .ttl = mx->ttl };

    if (dns_answer_is_error(mx))
        return fail_for(mx, domain, DNS_MX, why);
    if (mx->status == DNS_NO_NAME)
        return fail(why, E_NO_SUCH_DOMAIN, "the domain %s does not exist", domain);
    if (mx->status == DNS_FOUND && is_null_mx(mx))
        return fail(why, E_NULL_MX, "the domain %s takes no mail (null MX)", domain);
    if (mx->status == DNS_NO_DATA ? !take_implicit(domain, arena, &made) : !take_hosts(mx, seed, arena, &made))
        return too_large(domain, why);
    if (made.count == 0)
        return fail(why, E_NO_USABLE_HOST, "no MX record of %s names a usable host", domain);
    snprintf(made.status, sizeof made.status, "%s", dns_status_name(mx));
    *out = made;
    return true;
}

bool mail_hosts_find(struct resolver *r, const char *domain, uint64_t seed, struct arena *arena,
                     struct mail_hosts *out, struct error *why)
{
    struct dns_answer mx;

    if (!dns_name_valid(domain))
        return fail(why, E_NO_SUCH_DOMAIN, "\"%s\" cannot be a domain", domain);
    resolver_ask(r, domain, DNS_MX, arena, &mx);
    return mail_hosts_from(&mx, domain, seed, arena, out, why);
}

bool mail_hosts_drop_us(struct mail_hosts *h, bool (*is_us)(void *arg, const char *host), void *arg,
                        struct error *why)
{
    for (size_t i = 0; i < h->count; i++) {
        if (!is_us(arg, h->hosts[i].name))
            continue;
        for (size_t keep = 0; keep <= i; keep++)
            if (h->hosts[keep].preference == h->hosts[i].preference) {
                if (keep == 0)
                    return fail(why, E_LOOP, "%s, the best mail host of %s, is this server", h->hosts[i].name, h->domain);
                h->count = keep;
                return true;
            }
    }
    return true;
}

/* --- the addresses of a host ------------------------------------------------------ */

/* The zero address reaches this machine, and so do mapped ones that hide an IPv4
 * address from rules written for it: no mail host has them. */
static bool is_usable_address(const struct address *a)
{
    static const uint8_t zero[16], mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (a->family == AF_INET)
        return memcmp(a->ip, zero, 4) != 0;
    return memcmp(a->ip, zero, sizeof zero) != 0 && memcmp(a->ip, mapped, sizeof mapped) != 0;
}

/* Takes the record at `*next` or the first usable one behind it. */
static bool next_address(const struct dns_answer *answer, int family, uint16_t port, size_t *next, struct address *out)
{
    size_t length = family == AF_INET ? 4 : 16;

    while (answer->status == DNS_FOUND && *next < answer->count) {
        struct slice record = answer->records[(*next)++];

        if (record.len != length)
            continue;
        *out = (struct address){ .family = family, .port = port };
        memcpy(out->ip, record.at, length);
        if (is_usable_address(out))
            return true;
    }
    return false;
}

/* RFC 8305 4: one of each family in turn, IPv6 first. */
static void take_turns(const struct dns_answer *aaaa, const struct dns_answer *a, uint16_t port,
                       struct host_addresses *made)
{
    size_t next_v6 = 0, next_v4 = 0;
    bool more = true;

    while (more) {
        more = false;
        if (made->count < HOST_ADDRESSES_MAX && next_address(aaaa, AF_INET6, port, &next_v6, &made->at[made->count])) {
            made->count++;
            more = true;
        }
        if (made->count < HOST_ADDRESSES_MAX && next_address(a, AF_INET, port, &next_v4, &made->at[made->count])) {
            made->count++;
            more = true;
        }
    }
}

static bool has_family(const struct host_addresses *h, int family)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->at[i].family == family)
            return true;
    return false;
}

/* Without an address, an error in either family leaves open whether there is one. */
static bool fail_without_address(const struct dns_answer *aaaa, const struct dns_answer *a, const char *host,
                                 struct error *why)
{
    if (a->status == DNS_BOGUS || (dns_answer_is_error(a) && aaaa->status != DNS_BOGUS))
        return fail_for(a, host, DNS_A, why);
    if (dns_answer_is_error(aaaa))
        return fail_for(aaaa, host, DNS_AAAA, why);
    if (aaaa->status == DNS_NO_NAME && a->status == DNS_NO_NAME)
        return fail(why, E_NO_SUCH_DOMAIN, "the host %s does not exist", host);
    return fail(why, E_NO_USABLE_HOST, "the host %s has no address", host);
}

bool host_addresses_from(const struct dns_answer *aaaa, const struct dns_answer *a, const char *host, uint16_t port,
                         struct arena *arena, struct host_addresses *out, struct error *why)
{
    struct host_addresses made = { .at = arena_take(arena, HOST_ADDRESSES_MAX * sizeof *made.at) };
    const struct dns_answer *used;
    bool v6, v4;

    if (!made.at)
        return too_large(host, why);
    take_turns(aaaa, a, port, &made);
    if (made.count == 0)
        return fail_without_address(aaaa, a, host, why);
    v6 = has_family(&made, AF_INET6);
    v4 = has_family(&made, AF_INET);
    used = v6 && (!v4 || aaaa->secure || !a->secure) ? aaaa : a;
    made.secure = used->secure;
    made.ttl = v6 && (!v4 || aaaa->ttl < a->ttl) ? aaaa->ttl : a->ttl;
    made.canonical = used->canonical;
    made.aliased = used->aliased;
    *out = made;
    return true;
}

bool host_addresses_find(struct resolver *r, const char *host, uint16_t port, struct arena *arena,
                         struct host_addresses *out, struct error *why)
{
    struct dns_answer aaaa, a;
    const struct dns_question both[] = { { host, DNS_AAAA, &aaaa }, { host, DNS_A, &a } };

    resolver_ask_all(r, both, 2, arena);
    return host_addresses_from(&aaaa, &a, host, port, arena, out, why);
}
