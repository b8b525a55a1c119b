/* queue/engine/lock.h - one instance for one data directory. */
#ifndef QUEUE_ENGINE_LOCK_H
#define QUEUE_ENGINE_LOCK_H

#include "base/error.h"

/* A descriptor that holds the lock while it is open, or -1: E_STORAGE_LOCKED
 * names the process that has it. */
int lock_take(int directory, struct error *why) must_check;

#endif
