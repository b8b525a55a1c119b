/* tlsrpt/gzip.h - the compression in which reports travel (RFC 1952). Pure.
 *
 * What is in `out` after a failure is of no use. */
#ifndef TLSRPT_GZIP_H
#define TLSRPT_GZIP_H

#include "base/buf.h"
#include "base/error.h"

/* The same bytes for the same input: no time, no name. E_LIMIT: `out` is full. */
bool gzip_pack(struct slice bytes, struct buf *out, struct error *why) must_check;

/* All members of the file; what follows the last and is none is overlooked, as gzip(1) does. E_LIMIT: `out` is full, or more
 * than 1 MiB came out and that is more than 200 times what went in (TLSRPT-093). E_MALFORMED: damaged, cut short. */
bool gzip_unpack(struct slice bytes, struct buf *out, struct error *why) must_check;

bool gzip_is(struct slice bytes);       /* by its first bytes */

#endif
