/* base/base64.h - bytes as printable text, RFC 4648 4. Pure. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Without line breaks, with padding. */
void base64_write(struct slice bytes, struct buf *out);

/* White space may stand anywhere (RFC 6376 2.8: base64 there is "permitted to include FWS"), the padding may not be
 * missing, nothing may follow it. False, with `out` as it was, when the text is none or the buf is full. */
bool base64_read(struct slice text, struct buf *out) must_check;

/* What a character stands for, 0 to 63; -1 for one that is not of the alphabet. */
int base64_digit(char c);

#endif
