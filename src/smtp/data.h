/* smtp/data.h - the bytes between DATA and the final dot.
 *
 * Pure state machines, fed with pieces of any size. The reader ends on
 * CRLF.CRLF and nothing else (SMTP-041), and notices a bare CR or LF, the
 * means of smuggling (SMTP-042); the writer stuffs dots (SMTP-044) and notices
 * them too (SMTP-043). Bytes are otherwise passed as they are: 8-bit ones,
 * NULs, and lines of any length. */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/slice.h"

struct data_reader {
    int state;
    uint64_t line;              /* bytes of the current line so far, without a stuffed dot */
    uint64_t longest_line;      /* with CRLF */
    uint64_t bytes;             /* of the message so far, the piece being put included; CRLFs counted, dots unstuffed */
    bool bare_cr, bare_lf;
    bool eight_bit;             /* a byte above 127 was seen */
    bool nul;                   /* a NUL byte was seen */
};
void data_reader_init(struct data_reader *r);

/* Take from `input`; give message bytes to `put` in pieces that borrow from
 * `input` (or from static memory). Returns the number of bytes consumed, all
 * of them unless `*ended`: CRLF.CRLF was met, and the next command starts
 * behind it. */
size_t data_read(struct data_reader *r, struct slice input, void (*put)(void *arg, struct slice piece), void *arg,
                 bool *ended);

struct data_writer {
    int state;
    bool bare_newline;          /* a CR or LF alone was met: the message must not be finished */
};
void data_writer_init(struct data_writer *w);
/* Pieces with dots stuffed go to `put`. Stops for good at a bare CR or LF. */
void data_write(struct data_writer *w, struct slice message, void (*put)(void *arg, struct slice piece), void *arg);
/* CRLF when the message lacks it (SMTP-046), then the final dot line. Puts
 * nothing when `bare_newline` is set, or becomes so for a CR at the very end. */
void data_finish(struct data_writer *w, void (*put)(void *arg, struct slice piece), void *arg);

#endif
