/* serve/store.h - the process that owns the queue.
 *
 * The only one with access to its files. Takes messages from inbound
 * processes, leases them to outbound ones, records what became of them, and
 * answers the command line. Group commit: one sync serves all that waits (P1). */
#ifndef SERVE_STORE_H
#define SERVE_STORE_H

#include "serve/config.h"

/* Runs until drained; returns the process's exit code. Waits up to
 * `lock_patience` for whoever else has the queue open, e.g. `postern queue`. */
int store_run(const struct config *config, time_ms lock_patience, int control_fd);

/* The Unix socket in the data directory that `postern queue` talks to. `path`
 * takes 108 bytes; false when the directory's name is too long for one. */
bool store_socket_path(const char *data_directory, char path[108]) must_check;

#endif
