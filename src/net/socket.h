/* net/socket.h - conns over TCP sockets, on fibers; dialling and listening. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/conn.h"

#include <sys/types.h>

/* Takes a connected socket (closed with the conn). On a fiber. */
struct conn *socket_conn(int fd);

/* --- dial ------------------------------------------------------------- */
struct dial_settings {
    time_ms connect_timeout;    /* for each address */
    time_ms stagger;            /* next address after this long without an answer (RFC 8305 5: 250 ms) */
    struct address local4, local6;      /* source addresses; zeroed for any */
};
/* Connect to the first address that answers, in the order given, starting the
 * next after `stagger` or at once when one fails. `*used` says which. Waits.
 * E_CONNECT with every address's own reason. */
struct conn *dial(const struct address *addresses, size_t count, const struct dial_settings *s, size_t *used,
                  struct error *why);

/* --- listen ----------------------------------------------------------- */
/* A listening socket: non-blocking, close-on-exec, SO_REUSEADDR, IPV6_V6ONLY. -1 on failure. */
int listen_on(const struct address *a, int backlog, struct error *why);

/* The same at a path, for a stream, and for datagrams. A socket there at which nobody listens any more makes way. E_USAGE
 * when something else stands there, E_SYSTEM when somebody still listens. Who may reach it is `mode`, from the first
 * moment on. */
int listen_unix(const char *path, mode_t mode, int backlog, struct error *why);
int bind_datagram(const char *path, mode_t mode, struct error *why);

struct listener;
/* Calls `accepted` on the loop for each connection, which takes `fd`
 * (non-blocking, close-on-exec) and may pause or free the listener. Backs off
 * for a second when out of descriptors instead of spinning. */
struct listener *listener_new(int fd, void (*accepted)(void *owner, int fd, const struct address *peer), void *owner);
void listener_pause(struct listener *l, bool paused);
void listener_free(struct listener *l);     /* does not close the socket */

#endif
