/* serve/outbound.h - a process that delivers.
 *
 * Takes leases from the store, gives them to its deliverer, and brings back
 * what became of them. A settlement is kept until the store has it on disk, so
 * a store that is killed and replaced costs nothing that was delivered. */
#ifndef SERVE_OUTBOUND_H
#define SERVE_OUTBOUND_H

#include "serve/config.h"
#include "serve/wardrobe.h"

struct outbound_start {
    const struct config *config;
    const struct tls_client *tls;
    const struct wardrobe *wardrobe;    /* our certificates; slot 0 writes down their history. NULL: nobody's */
    unsigned slot;                      /* of this process: which destinations are its */
    unsigned maker;                 /* of ids for bounces */
    int control_fd;
};

int outbound_run(const struct outbound_start *start);

#endif
