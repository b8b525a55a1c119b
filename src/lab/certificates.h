/* lab/certificates.h - the lab's authorities, and a certificate for each host. */
#ifndef LAB_CERTIFICATES_H
#define LAB_CERTIFICATES_H

#include "lab/plan.h"

/* Make those that are not there yet. */
bool certificates_make(struct plan *p, time_ms wall, struct error *why) must_check;

#endif
