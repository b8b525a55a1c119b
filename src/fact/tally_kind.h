/* fact/tally_kind.h - what is counted by day: the first byte of a tally's key (queue/queue.h) says it.
 *
 * The numbers are on disk. A new layout of a key gets a new number; readers
 * pass over kinds that they do not know. */
#ifndef FACT_TALLY_KIND_H
#define FACT_TALLY_KIND_H

enum tally_kind {
    TALLY_DELIVERY = 2,         /* fact/digest.h: messages delivered, and attempts that failed */
    TALLY_CLIENT,               /* fact/visit.h: what one client did, by TLS version */
    TALLY_RECEIVED,             /* fact/visit.h: messages taken, by the sender's domain */
    TALLY_REPORT,               /* tlsrpt/tally.h: sessions, as TLS reports count them */
};

#endif
