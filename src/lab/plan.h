/* lab/plan.h - the lab on paper: every zone, host and file with its full name.
 *
 * Made from the table of cases; knows where things are to be, and makes none
 * of them. Mail hosts have the addresses BASE + 10 and on, policy hosts BASE +
 * 256 and on; all mail hosts share one port, and so do all policy hosts. */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include "lab/cases.h"
#include "tls/context.h"

struct plan_host {
    const struct lab_case *of;
    const struct lab_host *as;
    const char *name;                   /* "mx.dane-ee.lab.example" */
    const char *mx;                     /* what the MX record says: an alias, or the same */
    struct address address;             /* its port is the plan's */
    struct tls_identity files;
};

struct plan_web {
    const struct lab_case *of;
    const char *name;                   /* "mta-sts.sts-enforce.lab.example" */
    struct address address;
    struct tls_identity files;
};

struct plan_zone {
    const char *name;                   /* without a final dot; "" is the root */
    const struct plan_zone *parent;     /* NULL: the root has none */
    enum lab_signing signing;           /* IN_LAB: signed as usual */
    bool tlsa_servfail;
};

struct plan {
    const char *directory;              /* absolute */
    struct address base;
    struct address resolver;            /* where unbound answers */
    struct address authority;           /* where nsd answers */
    struct address spoiler;             /* where TLSA fails */
    uint16_t smtp_port, https_port;
    struct tls_identity ca, anchor, attacker;
    struct plan_host *hosts;
    size_t host_count;
    struct plan_web *webs;
    size_t web_count;
    struct plan_zone *zones;            /* parents first */
    size_t zone_count;
    struct arena memory;
};

/* `base`: an IPv4 address; all ports are still 0. Both are copied. */
struct plan *plan_new(const char *directory, const struct address *base);
void plan_free(struct plan *p);

/* The zone that a name belongs to: the deepest above it, or of its own name. */
const struct plan_zone *plan_zone_of(const struct plan *p, const char *name);

/* "DIRECTORY/..."; from the plan's memory. */
const char *plan_path(struct plan *p, const char *format, ...) printf_like(2, 3);

#endif
