/* tlsrpt/read_inside.h - what the sources behind tlsrpt/read.h share. */
#ifndef TLSRPT_READ_INSIDE_H
#define TLSRPT_READ_INSIDE_H

#include "tlsrpt/read.h"

/* Each text once; borrowed. The last place says that there is more. */
void report_note(struct report_notes *notes, const char *text);

/* At most `most` bytes of it, no UTF-8 character cut in two. */
struct slice report_text_cut(struct slice s, size_t most);

/* Where the first JSON value of `text` ends, which must be an object, and whether it keeps the bounds of tlsrpt/read.h: asked
 * before any memory is spent on it. What is between its brackets is not judged. E_MALFORMED, E_LIMIT. */
bool read_scan(struct slice text, struct slice *object, struct error *why) must_check;

/* report_read, of a message that has more to try: `*most` is how much JSON may be read, and what was read is taken from it,
 * well or badly. */
bool report_read_within(struct slice bytes, size_t *most, struct arena *arena, struct report *out, struct report_notes *notes,
                        struct error *why) must_check;

/* The two steps of report_letter_read. First who a message is from, and which of its parts may be the report: costs a pass
 * or some over it, and unpacks nothing. NULL: E_NOT_FOUND, none may; E_LIMIT. Then the report itself. Memory from `arena`. */
struct letter_parts;
const struct letter_parts *letter_open(struct slice message, struct arena *arena, struct report_letter *out,
                                       struct error *why) must_check;
bool letter_read(const struct letter_parts *parts, struct arena *arena, struct report_letter *out,
                 struct error *why) must_check;

/* RFC 3339, and what is sent instead; `*oddity` says in what way, NULL for none. Never before 1970. */
bool read_time(struct slice text, time_ms *out, const char **oddity) must_check;

#endif
