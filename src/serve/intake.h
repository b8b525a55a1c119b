/* serve/intake.h - TLS reports of others, on their way into the store's notes.
 *
 * By mail to an address that takes them (the outbound process), by HTTPS (the
 * web process). Each is kept once (TLSRPT-092); what it says of failures rings. */
#ifndef SERVE_INTAKE_H
#define SERVE_INTAKE_H

#include "dkim/verify.h"
#include "dns/resolver.h"
#include "serve/bell.h"
#include "serve/config.h"
#include "tlsrpt/judge.h"
#include "tlsrpt/read.h"

/* How much by mail a process keeps in a day: anybody can sign for a domain of his own. Zeroed to begin with. */
enum { INTAKE_SIGNERS = 1024, INTAKE_OF_ONE_MOST = 100, INTAKE_MOST = 2000 };
struct intake_bounds {
    int64_t day;
    unsigned all;
    uint16_t of[INTAKE_SIGNERS];    /* by hash of the signer */
};

struct intake {
    const struct config *config;
    struct scribe *scribe;
    struct bell *bell;              /* NULL: nobody is told */
    struct resolver *resolver;      /* for the keys of signatures */
    struct intake_bounds *bounds;   /* of mail; NULL: the caller has its own */
};

/* Whose reports are ours to read. */
struct report_ours intake_ours(const struct config *c);

/* Waits. A message for an address that takes reports. True: there is nothing more to do with it; what it was is in the log.
 * False: it is to be tried again, the DNS or the store does not answer. */
bool intake_letter(const struct intake *in, struct slice message, struct error *why) must_check;

/* Waits until it is on disk. `*known`: it was there already. E_STORAGE. */
bool intake_keep(const struct intake *in, const struct received_report *r, bool *known, struct error *why) must_check;

/* All TXT records at a name, for a struct dkim_keys whose self is the resolver. */
enum dkim_lookup intake_find_key(void *resolver, const char *name, struct arena *arena, struct slice *texts, size_t most,
                                 size_t *count);

#endif
