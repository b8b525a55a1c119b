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

static bool take_port(struct slice text, uint16_t default_port, struct map_key *out)
{
    uint64_t port = default_port;

    if (text.len > 0 && (text.at[0] != ':' || !slice_to_number(slice_after(text, 1), UINT16_MAX, &port) || port == 0))
        return false;
    out->port = (uint16_t)port;
    return true;
}

void map_key_parse(struct slice key, uint16_t default_port, struct map_key *out)
{
    bool bracketed = key.len > 0 && key.at[0] == '[';
    struct slice name = slice_after(key, bracketed ? 1 : 0);
    size_t end = slice_find(name, bracketed ? ']' : ':');
    bool bare_address = !bracketed && is_address(key);
    struct slice rest = slice_after(name, bracketed ? end + 1 : end);

    out->kind = MAP_KEY_NOTHING;
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
    if (!take_port(rest, default_port, out) || !take_name(name, out))
        return;
    if (is_address(name))
        out->kind = MAP_KEY_ADDRESS;
    else if (name.at[0] != '.' && dns_name_valid(out->name))
        out->kind = bracketed ? MAP_KEY_HOST : MAP_KEY_DOMAIN;
}
