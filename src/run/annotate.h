/* run/annotate.h - telling the sanitizers and valgrind about stacks.
 *
 * AddressSanitizer must know which stack is in use, ThreadSanitizer which
 * fiber, valgrind where stacks lie. Without them all of this is empty.
 *
 * Nothing outside src/run/ includes this. */
#ifndef RUN_ANNOTATE_H
#define RUN_ANNOTATE_H

#include <stddef.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define WITHOUT_ASAN __attribute__((no_sanitize_address))
#else
#define WITHOUT_ASAN
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#define RUNNING_ON_VALGRIND 0
#endif

/* What the sanitizers hold about one stack: a fiber's, or the loop's. */
struct annotation {
    const void *bottom;     /* of the loop's stack: found out at the first switch */
    size_t size;
    void *fake_stack;       /* AddressSanitizer's, while another stack is in use */
    void *tsan_fiber;
};

static inline void annotate_fiber(struct annotation *a, const void *bottom, size_t size)
{
    *a = (struct annotation){ .bottom = bottom, .size = size };
#ifdef __SANITIZE_THREAD__
    a->tsan_fiber = __tsan_create_fiber(0);
#endif
}

static inline void annotate_fiber_done(struct annotation *a)
{
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(a->tsan_fiber);
#endif
}

/* Before a switch; `for_ever` when `from` will not be gone back to. */
static inline void annotate_leaving(struct annotation *from, const struct annotation *to, int for_ever)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef __SANITIZE_THREAD__
    if (!from->tsan_fiber)
        from->tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
}

/* After it, on the stack switched to; `from` learns its bounds when they were not known. */
static inline void annotate_arrived(struct annotation *on, struct annotation *from)
{
#ifdef __SANITIZE_ADDRESS__
    const void *bottom;
    size_t size;

    __sanitizer_finish_switch_fiber(on->fake_stack, &bottom, &size);
    if (from && !from->bottom) {
        from->bottom = bottom;
        from->size = size;
    }
#endif
}

#endif
