/* base/memory.h - memory for small things, and release at the end of a scope.
 *
 * Running out of memory for something small aborts: there is no sensible
 * reply to give without memory. Whatever a peer can size is bounded by a
 * struct buf or an arena before it gets here. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/slice.h"

#include <stdlib.h>
#include <unistd.h>

void *memory_new(size_t size);                          /* zeroed */
void *memory_array(size_t count, size_t size);          /* zeroed, overflow checked */
void *memory_grow(void *old, size_t count, size_t size);/* realloc, overflow checked; new part not zeroed */
char *memory_text(struct slice s);                      /* a C string of its own; NULs are kept */

#define NEW(type) ((type *)memory_new(sizeof(type)))

static inline void auto_close_done(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void auto_free_done(void *pointer)
{
    void *memory;

    memcpy(&memory, pointer, sizeof memory);    /* whatever its type: no aliasing */
    free(memory);
}

#define auto_close __attribute__((cleanup(auto_close_done)))  /* int fd, -1 for none */
#define auto_free  __attribute__((cleanup(auto_free_done)))   /* any pointer from malloc */

#endif
