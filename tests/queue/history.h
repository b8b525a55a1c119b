/* tests/queue/history.h - a day in the life of a queue, and what must be left of it at any moment.
 *
 * history_work() lets a queue do all it can do once: mail alone and in groups,
 * inline and in segments, settled in every way, held, removed, compacted,
 * restarted; notes written, overwritten and removed; and counting. It writes
 * down when each thing was asked for and when it was answered, in changes of
 * the disk; history_check() compares a queue with what was promised up to such
 * a moment. */
#ifndef TESTS_QUEUE_HISTORY_H
#define TESTS_QUEUE_HISTORY_H

#include "tests/queue/fixture.h"

void history_begin(void);

/* The fixture's queue is open. Faults of the disk are taken as they come. */
void history_work(struct fixture *f);

/* Repeats what history_work left undone because of faults, now that there are none. */
void history_finish(struct fixture *f);

/* (Q1) to (Q5), (Q10) and (Q11), of a queue that saw the first `changes` changes. */
void history_check(struct fixture *f, size_t changes);

#endif
