/* tlsrpt/organisation.h - do two domains belong to one organisation?
 *
 * By the Public Suffix List that libpsl carries: what stands one label below a
 * public suffix is an organisation's. A suffix itself ("co.uk", "com") is
 * nobody's. Pure; reads no file. */
#ifndef TLSRPT_ORGANISATION_H
#define TLSRPT_ORGANISATION_H

#include "base/slice.h"

/* Names in lower case, A-labels, without a dot at the end. */
bool organisation_is_shared(const char *a, const char *b);

/* Is `name` equal to `domain`, or below it? In any case. */
bool domain_is_within(const char *name, const char *domain);

#endif
