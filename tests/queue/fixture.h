/* tests/queue/fixture.h - a queue in a directory of its own, and short words for using it. */
#ifndef TESTS_QUEUE_FIXTURE_H
#define TESTS_QUEUE_FIXTURE_H

#include "base/buf.h"
#include "queue/queue.h"
#include "tests/test.h"

struct fixture {
    char directory[64];
    struct queue_settings settings;     /* one slot, 100 leases a destination */
    struct queue *q;
    struct id_maker ids;
    time_ms now;                        /* simulated */
    enum tls_request tls;               /* of what is posted, */
    size_t head;                        /* and how many bytes of it come as the envelope's head */
    struct arena arena;                 /* of leases; deliver_all resets it */
};

void fixture_begin(struct fixture *f);      /* a fresh directory, an open queue */
void fixture_end(struct fixture *f);        /* everything goes */
void fixture_reopen(struct fixture *f);     /* as after an orderly restart */
void fixture_directory(char directory[64]); /* just a fresh directory, in memory where possible */
void remove_directory(const char *directory);

/* One group after the other, until nothing waits. */
void commit(struct fixture *f);

/* What an answer said. */
struct answered {
    unsigned count;
    bool done;
    struct error why;
};
void note_answer(void *arg, bool done, const struct error *why);

/* The bytes of a body: they tell its seed and their place. */
struct slice pattern(struct buf *b, uint64_t seed, size_t size);

/* A message for "user0@DEST" and so on, one for each word of `destinations`;
 * its body is the pattern of its id. `a` may be NULL. Not yet committed. */
message_id post(struct fixture *f, const char *destinations, size_t size, struct answered *a);

/* The same, committed; it must succeed. */
message_id deposit(struct fixture *f, const char *destinations, size_t size);

/* The next lease of slot 0; body and envelope are checked against what post made. */
bool take(struct fixture *f, struct lease *l);

/* All recipients of a lease get the same. Not yet committed. */
void settle(struct fixture *f, const struct lease *l, enum settle_state state, time_ms due, struct answered *a);

/* Lease and settle until nothing is due; returns how many leases. */
size_t deliver_all(struct fixture *f);

/* A note of one kind with a value in words; "" removes it. Not yet committed. */
void put_note(struct fixture *f, uint8_t kind, const char *key, time_ms due, const char *value, struct answered *a);

/* The value in words, or NULL; in the fixture's arena. */
const char *note_value(struct fixture *f, uint8_t kind, const char *key);

/* "key=value key=value" of those listed behind `after`, or due; in the fixture's arena. */
const char *list_notes(struct fixture *f, uint8_t kind, const char *after, size_t limit);
const char *due_notes(struct fixture *f, uint8_t kind, unsigned slot, time_ms now, size_t limit);

void tally(struct fixture *f, uint32_t day, const char *key, uint64_t by);

/* "day:key=count day:key=count" of all that are stored, asked for in pages; in the fixture's arena. */
const char *tallies(struct fixture *f, size_t page);

/* The same of one day, of the keys that begin with `prefix`. */
const char *find_tallies(struct fixture *f, uint32_t day, const char *prefix, size_t page);

struct queue_figures figures(struct fixture *f);

#endif
