/* run/context.h - two functions that give a thread more than one stack.
 *
 * Assembly for x86-64 and aarch64: a switch is the registers that a call
 * preserves and nothing else, some 10 ns. swapcontext does the same with two
 * system calls for a signal mask that never differs, 1 µs; it serves where
 * there is no assembly, and wherever FIBER_SWAPCONTEXT is defined.
 *
 * Nothing outside src/run/ includes this. */
#ifndef RUN_CONTEXT_H
#define RUN_CONTEXT_H

#include <stddef.h>

#if !(defined(__x86_64__) && defined(__LP64__)) && !(defined(__aarch64__) && defined(__LP64__))
#define FIBER_SWAPCONTEXT 1
#endif

#ifdef FIBER_SWAPCONTEXT
#include <ucontext.h>
struct context {
    ucontext_t saved;
};
#else
struct context {
    void *stack_pointer;    /* all else lies on the stack; the assembly knows it is first */
};
#endif

/* `entry` will run on `stack` when the context is first switched to; it must never return. */
void context_make(struct context *c, void *stack, size_t size, void (*entry)(void));

/* Go on in `to`; returns when somebody switches back to `from`. */
void context_switch(struct context *from, const struct context *to);

#endif
