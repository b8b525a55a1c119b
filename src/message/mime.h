/* message/mime.h - the parts of a message at hand (RFC 2045, RFC 2046 5.1). Pure.
 *
 * For mail that strangers wrote: lines end in CRLF or LF, what is missing is
 * lived without, and both the number of parts and how deep they nest are
 * bounded. All slices borrow from the message. Names of files are not read. */
#ifndef MESSAGE_MIME_H
#define MESSAGE_MIME_H

#include "base/arena.h"
#include "base/error.h"
#include "message/decode.h"

enum {
    MIME_PARTS_MAX = 1000,
    MIME_DEPTH_MAX = 10,            /* each level costs a pass over all that is in it */
    MIME_HEADER_MAX = 256 * 1024,   /* bytes of a header in which fields are looked for */
    MIME_TYPE_MAX = 80,
    MIME_BOUNDARY_MAX = 200,
};

/* --- header fields ------------------------------------------------------------- */

/* What stands before the first empty line, at most MIME_HEADER_MAX of it, and what stands behind that line. */
void mime_split(struct slice entity, struct slice *header, struct slice *body);

/* The value of the first field of that name, in any case, as it stands with its folds, trimmed. False: there is none. */
bool mime_field(struct slice header, struct slice name, struct slice *value) must_check;
size_t mime_field_count(struct slice header, struct slice name);

/* A value on one line: RFC 5322 2.2.3, folds without their line ends. Empty past the arena's bound. */
struct slice mime_unfold(struct slice value, struct arena *arena);

/* "multipart/report" of a Content-Type, lower case; "text/plain" when there is none or it cannot be read. */
void mime_type(struct slice header, char type[MIME_TYPE_MAX]);

/* A parameter of a value, without quotes and backslashes. False: it is not there, or longer than `size` takes. */
bool mime_parameter(struct slice value, struct slice name, char *text, size_t size) must_check;

/* --- parts ----------------------------------------------------------------------- */

struct mime_part {
    struct slice header, body;      /* the body still encoded */
    char type[MIME_TYPE_MAX];
    enum transfer_encoding encoding;
};

/* Calls `leaf` for every part that is no multipart, in order, until it returns false. A multipart whose boundary is
 * missing, or stands nowhere in it, counts as a leaf. False: E_LIMIT, there are more parts, or deeper ones, than are looked at. */
typedef bool mime_leaf(void *arg, const struct mime_part *part);
bool mime_walk(struct slice message, mime_leaf *leaf, void *arg, struct error *why) must_check;

#endif
