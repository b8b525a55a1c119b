/* queue/table.h - things found by a 64-bit key.
 *
 * The links live inside the things, so an entry costs no allocation of its
 * own: a million messages wait in these tables. Keys may repeat; who uses a
 * hash as key compares what table_find gives and goes on with table_next. */
#ifndef QUEUE_TABLE_H
#define QUEUE_TABLE_H

#include "base/slice.h"

struct table_link {
    struct table_link *next;        /* in the same bucket */
    uint64_t key;
};

struct table {
    struct table_link **buckets;
    size_t size, count;             /* size is a power of two, or 0 while empty */
};

void table_done(struct table *t);   /* the things are their owners'; a zeroed table is fine */

void table_add(struct table *t, struct table_link *link);       /* its key is set */
void table_remove(struct table *t, struct table_link *link);    /* it must be in the table */
struct table_link *table_find(const struct table *t, uint64_t key);
struct table_link *table_next(struct table_link *link);         /* another with the same key */

/* All of them, in no order: the walk begins and ends with NULL. */
struct table_link *table_walk(const struct table *t, const struct table_link *before);

/* Takes any one out; NULL when none is left. Emptying a table takes one walk. */
struct table_link *table_take_any(struct table *t, size_t *bucket);

/* The thing around its link. */
#define TABLE_OF(type, member, link) ((type *)(void *)((char *)(link) - offsetof(type, member)))

#endif
