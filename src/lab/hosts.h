/* lab/hosts.h - the lab's mail hosts: they take every message and keep it as
 * DIRECTORY/mail/DOMAIN/N.eml, envelope and way of arrival in the header.
 *
 * Before each connection DIRECTORY/attacks is read; a line "DOMAIN KIND" there
 * puts an attacker in front of the hosts of that domain. */
#ifndef LAB_HOSTS_H
#define LAB_HOSTS_H

#include "lab/plan.h"

struct hosts;
/* Listens on all addresses; fills in the plan's smtp_port when it is 0. */
struct hosts *hosts_open(struct plan *p, struct error *why) must_check;
void hosts_close(struct hosts *h);      /* NULL is fine; first service_end_all */

/* What `text`, the file "attacks", says about a domain; its last word counts.
 * Domains in short or in full, lines of anything else mean nothing. */
enum attack hosts_attack_on(struct slice text, const struct lab_case *c);

#endif
