/* dns/setup.h - a libunbound context, made ready to be asked.
 *
 * Everything that reads files or can be refused happens here, so that a wrong
 * setting is told at start and not at the first question. */
#ifndef DNS_SETUP_H
#define DNS_SETUP_H

#include "dns/resolver.h"

struct ub_ctx;

/* `*validates`: a trust anchor is loaded. The caller deletes the context. */
struct ub_ctx *setup_library(const struct resolver_settings *s, bool *validates, struct error *why) must_check;

#endif
