/* run/loop_internal.h - what the files of this room tell each other.
 *
 * Nothing outside src/run/ includes this. */
#ifndef RUN_LOOP_INTERNAL_H
#define RUN_LOOP_INTERNAL_H

#include "run/loop.h"

/* As soon_add, but in front of all others: fibers run before the frames they
 * send are flushed. */
void soon_add_first(struct soon *s);

/* Called by loop_close and loop_forked for those who keep state of their own. */
void fiber_loop_closes(void);       /* gives the pooled stacks back */
void fiber_loop_forked(void);       /* the parent's fibers do not exist here */
void signal_loop_forked(void);      /* nor do its signal watches */

#endif
