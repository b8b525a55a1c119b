/* deliver/courier.h - one message to one destination, from host to host.
 *
 * RFC 5321 5.1: hosts in MX order; what a host refuses for good is final
 * (SMTP-138); what it cannot do now is tried at the next. All functions wait. */
#ifndef DELIVER_COURIER_H
#define DELIVER_COURIER_H

#include "deliver/deliverer.h"

/* What a courier keeps between messages. */
struct courier {
    const struct deliverer_settings *settings;
    const struct delivery_house *house;
    void *self;                         /* of the house */
    struct session session;             /* perhaps open */
    char next_hop[256];                 /* whom it was opened for, in the words of its facts */
    struct name_source named_by;        /* its host */
    bool only_address;                  /* there was no other to ask */
    bool own_report;                    /* it was opened for a TLS report of ours */
    uint64_t policies[POLICY_TYPES];    /* that its facts name */
    struct memory_sight sight;          /* of the session, for when it ends */
    uint64_t accepted;                  /* messages that the session took for somebody */
};

/* How a message's round went, for the destination's limit and rest. */
struct round {
    bool reached;                       /* some host took a session to where MAIL could be said */
    bool broke;                         /* a session failed or broke */
    struct error why;                   /* of the last failure */
};

/* Try every recipient of `d`; fills outcomes[d->lease.envelope.count], whose
 * number and address the caller has set. Leaves the session open when it can
 * be used again. */
void courier_carry(struct courier *c, struct delivery *d, const struct routing_rule *rule, struct outcome *outcomes,
                   struct round *round);

/* The delivery line of each outcome that has none yet. `s` may be closed or NULL. */
void courier_log(const struct delivery *d, struct outcome *outcomes, const struct session *s);

/* End the session, if one is open, and tell what it carried; with QUIT when `polite`. */
void courier_close(struct courier *c, bool polite);
void courier_done(struct courier *c);   /* the courier has no more work */

/* A smtp_source over the message of a delivery. */
struct delivery_source {
    struct courier *courier;
    struct delivery *delivery;
    uint64_t offset;
};
struct smtp_source delivery_source_of(struct delivery_source *s);

#endif
