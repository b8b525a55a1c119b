/* serve/confine.h - what each kind of process may still do once it runs.
 *
 * inbound   no files, no new sockets: it has its listeners and the store
 * outbound  reads trust anchors and resolver files; writes maildirs
 * store     the data directory and nothing else
 * policy, report, hooks    read trust anchors, resolver files and authorities; hooks that run commands are not
 *           confined, since what a command needs is not ours to know
 * web       no files
 *
 * Where the kernel cannot, a warning says so, once for each process. */
#ifndef SERVE_CONFINE_H
#define SERVE_CONFINE_H

#include "serve/config.h"
#include "serve/frames.h"

void confine(const struct config *config, enum link_role role);

#endif
