/* serve/operator.h - what commands ask of a queue.
 *
 * The same requests are answered by the store of a running instance (over a
 * Unix socket) and, when none runs, by the command itself on the queue it has
 * opened. */
#ifndef SERVE_OPERATOR_H
#define SERVE_OPERATOR_H

#include "serve/frames.h"

/* Gives an answer frame; `arg` and it must stay valid until all answers have come. */
typedef void operator_emit(void *arg, enum frame_type type, struct slice body);

/* False: the request makes no sense, and is not answered. FRAME_OPERATED may come later, with the
 * next group; everything else comes at once. An answer ends with FRAME_LISTED,
 * FRAME_OPERATED, FRAME_COUNTED, FRAME_NOTES_LISTED or FRAME_TALLIES_LISTED. */
bool operator_request(struct queue *q, uint8_t type, struct slice body, operator_emit *emit, void *arg) must_check;
bool operator_ends_answer(uint8_t type);

enum { OPERATOR_PAGE = 500 };   /* most views in one answer */

#endif
