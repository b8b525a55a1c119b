/* lab/web.h - the hosts of MTA-STS policies, over HTTPS. */
#ifndef LAB_WEB_H
#define LAB_WEB_H

#include "lab/plan.h"

#define WEB_PATH "/.well-known/mta-sts.txt"

struct web;
/* Listens on all addresses; fills in the plan's https_port when it is 0. */
struct web *web_open(struct plan *p, struct error *why) must_check;
void web_close(struct web *w);          /* NULL is fine; first service_end_all */

/* The policy file of a case as it should be, CRLF lines. */
void web_policy(const struct lab_case *c, struct buf *out);

/* Waits. One request and its answer. */
void web_serve(struct conn *c, const struct lab_case *of);

#endif
