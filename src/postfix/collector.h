/* postfix/collector.h - takes the datagrams in which Postfix (3.10 and later) tells of its TLS sessions.
 *
 * The socket is read while there is something, a bounded number at a time, so
 * that answers to Postfix do not wait for it. What makes no sense is dropped;
 * the log says so, once in a while. */
#ifndef POSTFIX_COLLECTOR_H
#define POSTFIX_COLLECTOR_H

#include "postfix/datagram.h"

struct collector;
struct collector *collector_new(int fd, const struct datagram_reader *reader);  /* the socket stays the caller's */
void collector_free(struct collector *c);           /* what has arrived is not read any more; NULL is fine */

void collector_drain(struct collector *c);          /* what has arrived already is read now, within bounds */

struct collector_figures {
    uint64_t datagrams, refused;    /* came; of them, made no sense */
};
struct collector_figures collector_figures(const struct collector *c);

#endif
