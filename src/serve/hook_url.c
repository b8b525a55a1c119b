#include "serve/hook_url.h"

#include "dns/answer.h"

#include <stdio.h>

static bool take_scheme(struct slice *rest, bool *clear, struct error *why)
{
    *clear = slice_starts_nocase(*rest, SLICE("http://"));
    if (!*clear && !slice_starts_nocase(*rest, SLICE("https://")))
        return fail(why, E_USAGE, "a webhook's URL begins with https:// (or http:// on this machine)");
    *rest = slice_after(*rest, *clear ? strlen("http://") : strlen("https://"));
    return true;
}

static bool is_loopback(const struct address *a)
{
    static const uint8_t six[16] = { [15] = 1 };

    return a->family == AF_INET ? a->ip[0] == 127 : memcmp(a->ip, six, sizeof six) == 0;
}

/* The highest label of a name begins with a letter; what is all digits would be an address in one of its odd forms. */
static bool is_name(const char *host)
{
    struct slice text = slice_of(host);
    size_t dot = slice_find_last(text, '.');
    const char *last = dot < text.len ? host + dot + 1 : host;

    return dns_name_valid(host) && !strchr(host, '*') && byte_is_alpha(last[0]);
}

static bool check_host(const struct hook_url *u, struct error *why)
{
    struct address a;
    bool literal = address_parse_ip(slice_of(u->host), &a);

    if (u->clear && !(literal ? is_loopback(&a) : strcmp(u->host, "localhost") == 0))
        return fail(why, E_USAGE, "http:// goes to this machine only (http://127.0.0.1/...): use https:// for %s", u->host);
    if (!u->clear && literal)
        return fail(why, E_USAGE, "https://%s: certificates are for names; use the host's name", u->host);
    return literal || is_name(u->host) || fail(why, E_USAGE, "\"%s\" is not a host name", u->host);
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~')
            return false;
    return true;
}

static bool check_path(struct slice path, struct error *why)
{
    if (!is_printable(path) || slice_find(path, '#') < path.len || slice_find(path, '\\') < path.len)
        return fail(why, E_USAGE, "the path of a webhook's URL has a blank, a \"#\" or another byte that must be "
                    "percent-encoded");
    return path.len < HOOK_PATH_MAX || fail(why, E_USAGE, "the path of a webhook's URL has %zu bytes, fewer than %d are taken",
                                            path.len, HOOK_PATH_MAX);
}

bool hook_url_parse(struct slice text, struct hook_url *out, struct error *why)
{
    struct slice rest = text, authority, host;
    struct hook_url u = { 0 };
    struct error trouble = { 0 };
    size_t end = 0;

    if (!take_scheme(&rest, &u.clear, why))
        return false;
    while (end < rest.len && !strchr("/?#", rest.at[end]))
        end++;
    authority = slice_first(rest, end);
    rest = slice_after(rest, end);
    if (slice_find(authority, '@') < authority.len)
        return fail(why, E_USAGE, "a webhook's URL names no user: put a secret into its path");
    if (!host_port_parse(authority, u.clear ? 80 : 443, &host, &u.port, &trouble))
        return fail(why, E_USAGE, "%s", trouble.text);
    if (!check_path(rest, why))
        return false;
    if (slice_empty(host) || host.len >= sizeof u.host || slice_find(host, '\0') < host.len)
        return fail(why, E_USAGE, "a webhook's URL needs a host");
    for (size_t i = 0; i < host.len; i++)
        u.host[i] = byte_lower(host.at[i]);
    if (!check_host(&u, why))
        return false;
    snprintf(u.path, sizeof u.path, "%s%.*s", slice_starts(rest, SLICE("/")) ? "" : "/", SLICE_ARGS(rest));
    *out = u;
    return true;
}

size_t hook_url_addresses(const struct hook_url *u, struct address out[2])
{
    if (!u->clear)
        return 0;
    if (address_parse_ip(slice_of(u->host), &out[0]))
        return 1;
    return address_parse_ip(SLICE("127.0.0.1"), &out[0]) && address_parse_ip(SLICE("::1"), &out[1]) ? 2 : 0;
}
