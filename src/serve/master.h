/* serve/master.h - the process that starts, watches and replaces the others.
 *
 * Opens the sockets, reads configuration and keys, forks store, inbound and
 * outbound processes, links each to the store, and starts anew what dies. A
 * reload forks a new generation of workers and lets the old one finish.
 * Parses nothing from the network. */
#ifndef SERVE_MASTER_H
#define SERVE_MASTER_H

/* Serve until SIGTERM or SIGINT; returns the exit code: 0 after a clean
 * shutdown, 1 when it could not start. */
int master_run(const char *config_file);

#endif
