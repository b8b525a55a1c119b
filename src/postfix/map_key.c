#include "postfix/map_key.h"

#include "dns/answer.h"
#include "net/address.h"

static bool take_name(struct slice name, struct map_key *out)
{
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= sizeof out->name)
        return false;
    for (size_t i = 0; i < name.len; i++)
        out->name[i] = byte_lower(name.at[i]);
    out->name[name.len] = '\0';
    return strlen(out->name) == name.len;
}

static struct slice without_tag(struct slice name)
{
    return slice_after(name, slice_starts_nocase(name, SLICE("ipv6:")) ? 5 : 0);
}

static bool is_address(struct slice name)
{
    struct address a;

    return address_parse_ip(without_tag(name), &a);
}

/* What Postfix knows without services(5) (known_tcp_ports), and what port 465 was called before. 0: none of them. */
static uint16_t port_of_service(struct slice name)
{
    static const struct { struct slice name; uint16_t port; } services[] = {
        { { "smtp", 4 }, 25 }, { { "submission", 10 }, 587 }, { { "submissions", 11 }, 465 }, { { "smtps", 5 }, 465 },
        { { "ssmtp", 5 }, 465 }, { { "urd", 3 }, 465 }, { { "lmtp", 4 }, 24 } };

    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (slice_equal_nocase(name, services[i].name))
            return services[i].port;
    return 0;
}

/* A number or a name; nothing is the usual one, behind a colon too. 0: not known. */
static uint16_t port_of(struct slice text, uint16_t usual)
{
    uint64_t port;

    if (text.len == 0)
        return usual;
    return slice_to_number(text, UINT16_MAX, &port) ? (uint16_t)port : port_of_service(text);
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    return true;
}

static void is_unclear(struct map_key *out, const char *why)
{
    out->kind = MAP_KEY_UNCLEAR;
    out->why = why;
}

/* Postfix asks the DNS for the A-labels of such a name, and us for the name. What has a slash is the path of a socket. */
static void take_utf8(struct slice name, struct map_key *out)
{
    if (name.at[0] == '.' || slice_find(name, '/') < name.len)
        return;
    if (!take_name(name, out))
        out->name[0] = '\0';
    is_unclear(out, "postern does not look up names in UTF-8: name the next hop by its A-labels, xn--...");
}

void map_key_parse(struct slice key, uint16_t default_port, struct map_key *out)
{
    bool bracketed = key.len > 0 && key.at[0] == '[';
    struct slice name = slice_after(key, bracketed ? 1 : 0);
    size_t end = slice_find(name, bracketed ? ']' : ':');
    bool bare_address = !bracketed && is_address(key);
    struct slice rest = slice_after(name, bracketed ? end + 1 : end);

    *out = (struct map_key){ .kind = MAP_KEY_NOTHING };
    if (key.len > MAP_KEY_MAX || (bracketed && end == name.len))
        return;
    if (bare_address) {             /* of IPv6 the colons are no port's */
        name = key;
        end = key.len;
        rest = slice("", 0);
    }
    name = slice_first(name, end);
    if (is_address(name))
        name = without_tag(name);
    if (rest.len > 0 && rest.at[0] != ':')
        return;
    out->port = port_of(slice_after(rest, 1), default_port);
    if (!is_ascii(name)) {
        take_utf8(name, out);
        return;
    }
    if (!take_name(name, out))
        return;
    if (is_address(name))
        out->kind = MAP_KEY_ADDRESS;
    else if (name.at[0] != '.' && dns_name_valid(out->name))
        out->kind = bracketed ? MAP_KEY_HOST : MAP_KEY_DOMAIN;
    if (out->kind != MAP_KEY_NOTHING && out->port == 0)
        is_unclear(out, "postern does not know that port by its name: write its number");
}
