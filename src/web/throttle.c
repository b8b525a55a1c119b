#include "web/throttle.h"

#include "base/memory.h"

#include <sys/random.h>

enum { SETS = 1024, WAYS = 4 };

struct bucket {
    uint64_t network;           /* 0: free */
    time_ms full;               /* when it will hold all its tokens again */
    bool told;
};

struct throttle {
    time_ms period;             /* until one token has come back */
    time_ms depth;              /* all of them, in such time */
    uint64_t key;
    struct bucket buckets[SETS][WAYS];
};

struct throttle *throttle_new(unsigned per_minute, struct error *why)
{
    struct throttle *t = NEW(struct throttle);

    if (getrandom(&t->key, sizeof t->key, 0) != (ssize_t)sizeof t->key) {
        free(t);
        fail_errno(why, E_SYSTEM, "no randomness");
        return NULL;
    }
    t->period = MINUTES(1) / per_minute;
    t->depth = t->period * per_minute;
    return t;
}

void throttle_free(struct throttle *t)
{
    free(t);
}

/* Never 0, and another for each network. */
static uint64_t network_of(const struct address *a)
{
    size_t len = a->family == AF_INET6 ? 6 : 3;
    uint64_t network = len;

    for (size_t i = 0; i < len; i++)
        network = network << 8 | a->ip[i];
    return network;
}

static size_t set_of(const struct throttle *t, uint64_t network)
{
    uint64_t hash = (network ^ t->key) * 0x9e3779b97f4a7c15u;

    return (hash ^ hash >> 29) % SETS;
}

/* Its bucket, or the one that is fullest, emptied of whose it was. */
static struct bucket *bucket_of(struct throttle *t, uint64_t network)
{
    struct bucket *set = t->buckets[set_of(t, network)], *fullest = &set[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].network == network)
            return &set[i];
        if (set[i].full < fullest->full)
            fullest = &set[i];
    }
    *fullest = (struct bucket){ .network = network };
    return fullest;
}

enum throttle_verdict throttle_take(struct throttle *t, const struct address *client, time_ms now)
{
    struct bucket *b = bucket_of(t, network_of(client));
    time_ms full = (b->full > now ? b->full : now) + t->period;
    bool told = b->told;

    if (full <= now + t->depth) {
        b->full = full;
        b->told = false;
        return THROTTLE_PASS;
    }
    b->told = true;
    return told ? THROTTLE_MORE : THROTTLE_FIRST;
}
