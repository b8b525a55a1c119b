/* serve/ourselves.h - would connecting to this address reach this very postern?
 *
 * RFC 5321 5.1 (spec SMTP-126, -127): mail whose best host is ourselves is
 * going in circles. An address is ours when one of our listeners is on it, a
 * listener on every address counting for each address of this machine. */
#ifndef SERVE_OURSELVES_H
#define SERVE_OURSELVES_H

#include "serve/config.h"

struct ourselves;
struct ourselves *ourselves_new(const struct listener_config *listeners, size_t count);
void ourselves_free(struct ourselves *o);
bool ourselves_include(const struct ourselves *o, const struct address *a);

#endif
