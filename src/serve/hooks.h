/* serve/hooks.h - the process that tells the operator of events, by webhook or command; docs/events.md.
 *
 * A clerk. Events stand as notes in the store (serve/bell.h wrote them); what
 * each hook has been told of them stands there too, so a restart repeats
 * nothing. serve/hook_plan.h says when which hook is told what,
 * serve/hook_call.h calls. It watches the age of the queue and our
 * certificates by itself. */
#ifndef SERVE_HOOKS_H
#define SERVE_HOOKS_H

#include "serve/config.h"
#include "serve/wardrobe.h"

struct hooks_start {
    const struct config *config;
    const struct wardrobe *wardrobe;    /* our certificates */
    int control_fd;
};
int hooks_run(const struct hooks_start *start);     /* until drained; the process's exit code */

#endif
