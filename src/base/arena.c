#include "base/arena.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum { BLOCK_BYTES = 2048 };

struct arena_block {
    struct arena_block *older;
    size_t used, size;
    max_align_t memory[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){ .max_bytes = max_bytes };
}

void arena_reset(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *block = a->blocks;

        a->blocks = block->older;
        free(block);
    }
    a->used = 0;
    a->failed = false;
}

void arena_done(struct arena *a)
{
    arena_reset(a);
}

void *arena_take(struct arena *a, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    struct arena_block *block = a->blocks;
    void *memory;

    if (size > a->max_bytes - a->used) {
        a->failed = true;
        return NULL;
    }
    if (size % align)
        size += align - size % align;
    if (!block || size > block->size - block->used) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

        block = memory_new(sizeof *block + room);
        block->size = room;
        block->older = a->blocks;
        a->blocks = block;
    }
    memory = (char *)block->memory + block->used;
    block->used += size;
    a->used = a->used + size < a->max_bytes ? a->used + size : a->max_bytes;
    return memory;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *memory = arena_take(a, s.len + 1);    /* +1: also a C string */

    if (!memory)
        return slice("", 0);
    if (s.len)
        memcpy(memory, s.at, s.len);
    return slice(memory, s.len);
}

const char *arena_string(struct arena *a, struct slice s)
{
    return arena_copy(a, s).at;
}

struct slice arena_text(struct arena *a, const char *format, ...)
{
    struct slice made = slice("", 0);
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        a->failed = true;
        return made;
    }
    made = arena_copy(a, slice(text, (size_t)len));
    free(text);
    return made;
}
