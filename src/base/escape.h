/* base/escape.h - showing a stranger's bytes without letting them act.
 *
 * Nothing that a peer said reaches a log, a terminal or an SMTP reply
 * unescaped: control characters could forge lines or move the cursor. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buf.h"

/* One line of printable ASCII: CR and LF as \r \n, others as \xHH, a
 * backslash doubled. Cut to fit `size` bytes with its NUL, never in the
 * middle of an escape. Returns `text`. */
const char *escape_line(struct slice s, char *text, size_t size);

/* As a JSON string with its quotes. UTF-8 is kept; bytes that are not valid
 * UTF-8 become U+FFFD. */
void escape_json(struct buf *out, struct slice s);

#endif
