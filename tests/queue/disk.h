/* tests/queue/disk.h - a disk that remembers, and that can fail.
 *
 * Sits below the queue: in place of its system calls (engine/io.h) and of
 * SQLite's (a VFS around the usual one). It writes down each change below one
 * directory, so that the state after any of them can be made again: as a killed
 * process leaves it, or as a lost power supply does, which keeps what was
 * synced and any part of what was not. */
#ifndef TESTS_QUEUE_DISK_H
#define TESTS_QUEUE_DISK_H

#include "base/slice.h"

void disk_install(void);                        /* once; until then nothing goes through it */

/* Begin to write down; what was before is forgotten. */
void disk_record(const char *directory);
void disk_stop(void);
size_t disk_changes(void);                      /* so far */

/* Make the directory as it was after `changes` of them. */
void disk_replay_killed(const char *directory, size_t changes);
void disk_replay_power_lost(const char *directory, size_t changes, uint32_t random);

/* Faults, counted from now: the change number `at` (from 1) fails, and `more`
 * after it. `full`: with ENOSPC, only writes; else with EIO. 0: none. */
void disk_fail(size_t at, size_t more, bool full);
bool disk_failed(void);                         /* one of them has happened */

/* What statvfs says is free; UINT64_MAX: the truth. */
void disk_set_free(uint64_t bytes);

#endif
