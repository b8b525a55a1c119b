/* lab/service.h - listening sockets, each connection on a fiber of its own. */
#ifndef LAB_SERVICE_H
#define LAB_SERVICE_H

#include "net/address.h"

/* On a fiber, which ends when it returns. It owns the descriptor. May wait. */
typedef void service_serve(void *owner, int fd, const struct address *peer);

struct service;
struct service *service_new(int fd, service_serve *serve, void *owner);    /* takes the listening socket */
void service_free(struct service *s);       /* NULL is fine; its connections live on */

/* Anything else that is to end with the connections. */
void service_fiber(void (*run)(void *arg), void *arg);

/* Cancel all of these fibers and turn the loop until they have ended. */
void service_end_all(void);

/* A port that is free at all of these addresses; listens there, into `fds`.
 * `port` 0: any. Returns the port, 0 on failure. */
uint16_t service_listen(struct address *const *addresses, size_t count, uint16_t port, int *fds, struct error *why)
    must_check;

#endif
