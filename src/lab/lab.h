/* lab/lab.h - the lab, built and running. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "lab/cases.h"

#include <stdio.h>

struct lab_settings {
    const char *directory;      /* made when it is not there, and kept; NULL: a new one, removed at the end */
    struct address base;        /* zeroed: 127.77.0.0; an IPv4 address whose neighbours are free, 512 of them */
    struct address resolver;    /* zeroed: the address behind `base` */
    /* 0: any that is free; LAB_PORT_USUAL: 25, 443 and 53 for root, any for others. */
    int smtp_port, https_port, dns_port;
    struct slice attacks;       /* lines for DIRECTORY/attacks: "DOMAIN KIND" */
    FILE *out;                  /* told what runs where; NULL: silence */
    /* Called once all of it answers. `directory` is absolute. */
    void (*ready)(void *arg, const char *directory);
    void *arg;
};
enum { LAB_PORT_USUAL = -1 };

/* Runs until SIGINT or SIGTERM, which count as success. Opens the loop. */
bool lab_up(const struct lab_settings *s, struct error *why) must_check;

/* The same in a network and file system name space of its own, with the usual
 * ports and resolver, while `argv` runs there; needs root. *status is the command's. */
bool lab_run(const struct lab_settings *s, char *const *argv, int *status, struct error *why) must_check;

/* An attacker at `listen`, in the path to `to`, until SIGINT or SIGTERM. What he
 * reads is told on `out`. */
bool lab_attack(const struct address *listen, const struct address *to, enum attack kind, FILE *out,
                struct error *why) must_check;

#endif
