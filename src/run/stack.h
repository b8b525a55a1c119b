/* run/stack.h - memory for fibers to run on.
 *
 * Each stack is a mapping of its own whose lowest pages are not accessible,
 * so that running off the end kills the process instead of a neighbour.
 * Stacks given back are kept for the next fiber, up to a bound.
 *
 * With FIBER_DEPTH (debug builds) it is found out how deep they were used.
 *
 * Nothing outside src/run/ includes this. */
#ifndef RUN_STACK_H
#define RUN_STACK_H

#include "run/loop.h"

struct fiber;

struct stack {
    void *bottom;               /* lowest usable address */
    size_t size;
    struct fiber *user;
    struct timer *timer;        /* goes with the stack to its next user; the fiber's business */
    time_ms timer_set_to;
    struct stack *next;         /* in the pool */
    unsigned valgrind_id;
};

struct stack *stack_take(void);
void stack_give(struct stack *s);
void stack_pool_empty(void);

/* Deepest use in bytes seen so far, of `s` and of all given back; 0 without FIBER_DEPTH. */
size_t stack_deepest(const struct stack *s);

#endif
