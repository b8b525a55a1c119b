#include "run/stack.h"

#include "base/memory.h"
#include "run/annotate.h"

#include <stdio.h>
#include <sys/mman.h>

enum {
#ifdef __SANITIZE_ADDRESS__
    STACK_SIZE = 128 * 1024,        /* redzones around every local */
#else
    STACK_SIZE = 64 * 1024,
#endif
    GUARD_SIZE = 16 * 1024,         /* more than a page: a large frame must not step over it */
    POOL_MAX = 256,
};

static struct {
    struct stack *first;
    size_t count;
    size_t deepest;
} pool;

/* --- depth ------------------------------------------------------------- */

#ifdef FIBER_DEPTH

/* A fresh mapping reads as zeros, and is never cleared: what is not zero was
 * written by some user. Pages that no one touched are passed over unread. */
WITHOUT_ASAN static size_t depth(const struct stack *s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), untouched = 0;
    const volatile unsigned char *byte = s->bottom;
    unsigned char resident;

    if (RUNNING_ON_VALGRIND)    /* it takes what lies below the stack pointer for garbage */
        return 0;
    while (untouched < s->size && mincore((char *)s->bottom + untouched, page, &resident) == 0 && !(resident & 1))
        untouched += page;
    while (untouched < s->size && byte[untouched] == 0)
        untouched++;
    return s->size - untouched;
}

#else

static size_t depth(const struct stack *s)
{
    return 0;
}

#endif

size_t stack_deepest(const struct stack *s)
{
    size_t d = s ? depth(s) : 0;

    if (d > pool.deepest)
        pool.deepest = d;
    return pool.deepest;
}

/* --- mappings ---------------------------------------------------------- */

static size_t guard_size(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return page > GUARD_SIZE ? page : GUARD_SIZE;
}

static void *map(void)
{
    size_t guard = guard_size();
    char *memory = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) {
        perror("postern: no memory for a fiber's stack");
        abort();
    }
    return memory + guard;
}

static struct stack *stack_new(void)
{
    struct stack *s = NEW(struct stack);

    s->bottom = map();
    s->size = STACK_SIZE;
    s->timer_set_to = TIME_NEVER;
    s->valgrind_id = VALGRIND_STACK_REGISTER(s->bottom, (char *)s->bottom + s->size);
#ifdef __SANITIZE_ADDRESS__
    __lsan_register_root_region(s->bottom, s->size);
#endif
    return s;
}

static void stack_free(struct stack *s)
{
#ifdef __SANITIZE_ADDRESS__
    __lsan_unregister_root_region(s->bottom, s->size);
#endif
    VALGRIND_STACK_DEREGISTER(s->valgrind_id);
    timer_free(s->timer);
    munmap((char *)s->bottom - guard_size(), guard_size() + s->size);
    free(s);
}

/* --- the pool ---------------------------------------------------------- */

struct stack *stack_take(void)
{
    struct stack *s = pool.first;

    if (!s)
        return stack_new();
    pool.first = s->next;
    pool.count--;
    return s;
}

void stack_give(struct stack *s)
{
#ifdef __SANITIZE_ADDRESS__
    /* Its last frames never returned. What comes to lie here next, stack or not, is no part of them. */
    __asan_unpoison_memory_region(s->bottom, s->size);
#endif
    (void)stack_deepest(s);
    s->user = NULL;
    if (pool.count == POOL_MAX) {
        stack_free(s);
        return;
    }
    s->next = pool.first;
    pool.first = s;
    pool.count++;
}

void stack_pool_empty(void)
{
    for (struct stack *s; (s = pool.first) != NULL;) {
        pool.first = s->next;
        stack_free(s);
    }
    pool.count = 0;
}
