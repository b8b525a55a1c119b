/* https/media_type.h - what a Content-Type header field says.
 *
 * RFC 9110 8.3.1. Pure. */
#ifndef HTTPS_MEDIA_TYPE_H
#define HTTPS_MEDIA_TYPE_H

#include "base/arena.h"

struct media_type {
    const char *name;       /* "text/plain", lower case, without parameters; "" when it is malformed */
    const char *charset;    /* of the first parameter of this name, lower case; "" when there is none */
};

/* Parameters are read with forbearance: one that makes no sense is skipped, a
 * malformed type is none. Never fails; past the arena's bound both are "". */
struct media_type media_type_parse(struct slice value, struct arena *arena);

#endif
