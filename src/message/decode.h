/* message/decode.h - the transfer encodings of MIME, undone (RFC 2045 6). Pure.
 *
 * Lenient as a reader of strangers' mail has to be: lines of any length and
 * ending, blanks where none belong, padding that is missing. */
#ifndef MESSAGE_DECODE_H
#define MESSAGE_DECODE_H

#include "base/buf.h"
#include "base/error.h"

enum transfer_encoding {
    TRANSFER_PLAIN,                 /* 7bit, 8bit, binary; also when nothing is said */
    TRANSFER_BASE64,
    TRANSFER_QUOTED_PRINTABLE,
    TRANSFER_UNKNOWN,               /* RFC 2045 6.4: "treated as application/octet-stream", its bytes as they are */
};
enum transfer_encoding transfer_encoding_parse(struct slice text);  /* any case; blanks and comments around it do not count */

/* Each appends to `out`. E_LIMIT: it is full; E_MALFORMED: the text is not of this encoding, `out` has what came before. */
bool transfer_decode(enum transfer_encoding how, struct slice text, struct buf *out, struct error *why) must_check;

/* RFC 2045 6.8. White space is passed over; what follows the padding is ignored. Any other byte outside the alphabet, or
 * a single digit left over, is an error. */
bool base64_decode(struct slice text, struct buf *out, struct error *why) must_check;

/* RFC 2045 6.7. "=" before anything but two digits or a line's end stands for itself. Cannot be malformed. */
bool quoted_printable_decode(struct slice text, struct buf *out, struct error *why) must_check;

#endif
