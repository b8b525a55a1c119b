/* dkim/header.h - the fields of a header, whole and in order, as signatures want them. Pure.
 *
 * Lines end in CRLF or in a bare LF. */
#ifndef DKIM_HEADER_H
#define DKIM_HEADER_H

#include "base/error.h"

enum {
    DKIM_HEADER_MAX = 256 * 1024,   /* bytes that a header may have */
    DKIM_FIELDS_MAX = 4000,
};

struct dkim_header {
    struct slice *fields;           /* from the top, each with its folds and without its last line end */
    size_t count;
    struct slice body;              /* what follows the empty line; empty without one */
    struct error defect;            /* E_NONE; else why no signature can vouch for such a header */
};

/* Borrows from `message`. With a defect, the fields are those before it. */
void dkim_header_read(struct slice message, struct dkim_header *out);
void dkim_header_done(struct dkim_header *h);

/* For a header that arrives in pieces: does the empty line stand in `text`? `*at` begins at 0; it is where to go on with
 * more text, and at the end the length of the header with its empty line. */
bool dkim_header_ends(struct slice text, size_t *at);

struct slice dkim_field_name(struct slice field);
struct slice dkim_field_value(struct slice field);      /* all that is behind the colon */
bool dkim_field_is(struct slice field, struct slice name);
size_t dkim_header_count(const struct dkim_header *h, struct slice name);

/* The fields that a message has at most once, and that tell a reader who wrote it, what it says, and how its body is to be
 * read: all but From, of which there must be one. */
extern const struct slice DKIM_SINGLE[];
extern const size_t DKIM_SINGLE_COUNT;

#endif
