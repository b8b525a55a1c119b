#include "base/memory.h"

#include <stdio.h>

static void *checked(void *memory)
{
    if (!memory) {
        fputs("postern: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *memory_new(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *memory_array(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *memory_grow(void *old, size_t count, size_t size)
{
    return checked(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *memory_text(struct slice s)
{
    char *text = memory_new(s.len + 1);

    if (s.len)
        memcpy(text, s.at, s.len);
    return text;
}
