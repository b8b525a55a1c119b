#include "queue/table.h"

#include "base/memory.h"

#include <assert.h>

enum { FIRST_SIZE = 64 };

/* Ids count upwards in their low bits; the high bits of the product mix all of them. */
static size_t bucket_of(const struct table *t, uint64_t key)
{
    key ^= key >> 32;
    return (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (t->size - 1);
}

void table_done(struct table *t)
{
    free(t->buckets);
    *t = (struct table){ 0 };
}

static void put(struct table *t, struct table_link *link)
{
    struct table_link **bucket = &t->buckets[bucket_of(t, link->key)];

    link->next = *bucket;
    *bucket = link;
}

static void grow(struct table *t)
{
    struct table bigger = { .size = t->size ? t->size * 2 : FIRST_SIZE, .count = t->count };

    bigger.buckets = memory_array(bigger.size, sizeof(struct table_link *));
    for (size_t i = 0; i < t->size; i++) {
        struct table_link *next;

        for (struct table_link *link = t->buckets[i]; link; link = next) {
            next = link->next;
            put(&bigger, link);
        }
    }
    free(t->buckets);
    *t = bigger;
}

void table_add(struct table *t, struct table_link *link)
{
    if (t->count == t->size)
        grow(t);
    put(t, link);
    t->count++;
}

void table_remove(struct table *t, struct table_link *link)
{
    struct table_link **at = &t->buckets[bucket_of(t, link->key)];

    while (*at != link) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = link->next;
    t->count--;
}

struct table_link *table_find(const struct table *t, uint64_t key)
{
    struct table_link *link = t->size ? t->buckets[bucket_of(t, key)] : NULL;

    while (link && link->key != key)
        link = link->next;
    return link;
}

struct table_link *table_next(struct table_link *link)
{
    uint64_t key = link->key;

    do
        link = link->next;
    while (link && link->key != key);
    return link;
}

struct table_link *table_walk(const struct table *t, const struct table_link *before)
{
    size_t bucket = before ? bucket_of(t, before->key) + 1 : 0;

    if (before && before->next)
        return before->next;
    while (bucket < t->size && !t->buckets[bucket])
        bucket++;
    return bucket < t->size ? t->buckets[bucket] : NULL;
}

struct table_link *table_take_any(struct table *t, size_t *bucket)
{
    struct table_link *link;

    while (*bucket < t->size && !t->buckets[*bucket])
        ++*bucket;
    if (*bucket == t->size)
        return NULL;
    link = t->buckets[*bucket];
    t->buckets[*bucket] = link->next;
    t->count--;
    return link;
}
