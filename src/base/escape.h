/* base/escape.h - showing a stranger's bytes without letting them act.
 *
 * Nothing that a peer said reaches a log, a terminal or an SMTP reply
 * unescaped: control characters could forge lines or move the cursor. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buf.h"

/* One line of printable ASCII: CR, LF and TAB as \r \n \t, others as \xHH, a
 * backslash doubled. Cut to fit `size` bytes (at least 1) with its NUL, never
 * in the middle of an escape. Returns `text`. */
const char *escape_line(struct slice s, char *text, size_t size);

/* As a JSON string with its quotes. UTF-8 is kept, except for characters that
 * act on a terminal or turn the direction of writing: they become \uXXXX.
 * Bytes that are not valid UTF-8 become U+FFFD. */
void escape_json(struct buf *out, struct slice s);

#endif
