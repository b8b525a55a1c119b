/* message/fold.h - header fields and plain text in lines that never run too wide.
 *
 * Takes words that nobody vouches for and writes them as printable ASCII: any
 * other byte becomes \xHH, so that no words can begin a line of their own.
 * Lines are broken between words at 78 columns (RFC 5322 2.1.1 "SHOULD be no
 * more than 78 characters"), and inside a word only before it would pass 900
 * bytes ("MUST be no more than 998"). Pure. */
#ifndef MESSAGE_FOLD_H
#define MESSAGE_FOLD_H

#include "base/buf.h"

struct fold {
    struct buf *out;
    const char *indent;     /* begins every line but the first; white space, so a field goes on */
    size_t column;
    bool fresh;             /* nothing but the beginning stands on this line */
};

/* Start a line with `first`, e.g. "Subject: " or four spaces; it is taken as it is. */
void fold_begin(struct fold *f, struct buf *out, const char *first, const char *indent);

/* One word, never cut at its spaces: an address, a host name. */
void fold_word(struct fold *f, struct slice word);

/* Any text: each run of white space in it is a place where the line may break. */
void fold_text(struct fold *f, struct slice text);

/* What comes next stands on a new line. */
void fold_break(struct fold *f);

/* CRLF. */
void fold_end(struct fold *f);

#endif
