#include "serve/ourselves.h"

#include "base/memory.h"

#include <ifaddrs.h>

struct ourselves {
    const struct listener_config *listeners;
    size_t listener_count;
    struct address *machine;        /* addresses of this machine's interfaces */
    size_t machine_count;
};

struct ourselves *ourselves_new(const struct listener_config *listeners, size_t count)
{
    struct ourselves *o = NEW(struct ourselves);
    struct ifaddrs *all = NULL;

    o->listeners = listeners;
    o->listener_count = count;
    if (getifaddrs(&all) != 0)
        return o;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        o->machine = memory_grow(o->machine, o->machine_count + 1, sizeof *o->machine);
        o->machine[o->machine_count++] = address_from(i->ifa_addr);
    }
    freeifaddrs(all);
    return o;
}

void ourselves_free(struct ourselves *o)
{
    if (!o)
        return;
    free(o->machine);
    free(o);
}

static bool on_this_machine(const struct ourselves *o, const struct address *a)
{
    if (a->family == AF_INET && a->ip[0] == 127)
        return true;
    for (size_t i = 0; i < o->machine_count; i++)
        if (address_same_ip(&o->machine[i], a))
            return true;
    return false;
}

bool ourselves_include(const struct ourselves *o, const struct address *a)
{
    for (size_t i = 0; i < o->listener_count; i++) {
        const struct address *listener = &o->listeners[i].address;

        if (listener->port != a->port || listener->family != a->family)
            continue;
        if (address_is_unspecified(listener) ? on_this_machine(o, a) : address_same_ip(listener, a))
            return true;
    }
    return false;
}
