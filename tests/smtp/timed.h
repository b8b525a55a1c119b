/* tests/smtp/timed.h - a conn whose peer takes its time, on a stopped clock.
 *
 * The peer's words come each so long after the one before it; a deadline that
 * passes first fails the read, as a socket would. NULL words cancel the fiber
 * at that moment. After the last the peer is silent for ever. */
#ifndef TESTS_SMTP_TIMED_H
#define TESTS_SMTP_TIMED_H

#include "net/conn.h"

struct timed_words {
    time_ms after;
    const char *words;
};

struct timed {
    const struct timed_words *next;
    size_t left;
    struct buf written;
    time_ms started;
};

/* Stops the clock; timed_done lets it run again. */
struct conn *timed_conn(struct timed *t, const struct timed_words *words, size_t count);
void timed_done(struct timed *t);
time_ms timed_spent(const struct timed *t);     /* since timed_conn */
bool timed_wrote(const struct timed *t, const char *text);

#endif
