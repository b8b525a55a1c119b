/* serve/roles.h - the kinds of processes that the master starts: when there is one, what it keeps open, how it runs. */
#ifndef SERVE_ROLES_H
#define SERVE_ROLES_H

#include "serve/census.h"
#include "serve/frames.h"
#include "serve/generation.h"

const char *role_name(enum link_role r);        /* "store" "inbound" ... */

/* Clerks are there only when the configuration gives them something to do. */
bool role_has_work(const struct config *c, enum link_role r);

/* Does it prove who we are, or sign? Others have no private key in their memory. */
bool role_needs_keys(enum link_role r);

/* So many processes of a kind can be told apart, those that drain included: by `maker`, from 0. */
unsigned role_makers(enum link_role r);

struct role_start {
    const struct generation *generation;
    unsigned slot, maker;
    time_ms lock_patience;          /* of the store */
    int control_fd;
    struct census *census;
};

/* The descriptors that it goes on having open, -1 for none; the caller frees. */
int *role_descriptors(enum link_role r, const struct role_start *start, size_t *count);

/* In the child, on its own loop and without rights; the process's exit code. */
int role_run(enum link_role r, const struct role_start *start);

#endif
