/* serve/asking.h - a command's questions to the store.
 *
 * By the control socket of the postern that runs on the data directory; where
 * none runs and the command can do without, the queue is opened here and
 * answers by the same code. Blocks, and needs no loop. */
#ifndef SERVE_ASKING_H
#define SERVE_ASKING_H

#include "serve/config.h"
#include "serve/operator.h"

enum asking_whom { ASK_RUNNING, ASK_RUNNING_OR_DISK };

struct asking;
/* E_NOT_FOUND: no postern runs there. Before it goes to the disk it waits some seconds for one that is starting. */
struct asking *asking_open(const struct config *c, enum asking_whom whom, struct error *why) must_check;
void asking_close(struct asking *a);        /* NULL is fine */

/* One question. `take` gets every frame of the answer, the last included; its
 * body is valid during the call; false means that it makes no sense. False:
 * E_TIMEOUT, E_CLOSED, E_PROTOCOL; nothing more can be asked then. */
typedef bool asking_take(void *arg, uint8_t type, struct slice body);
bool asking_ask(struct asking *a, enum frame_type question, struct slice body, asking_take *take, void *arg,
                struct error *why) must_check;

/* Memory from `arena`; E_NOT_FOUND: there is none. */
bool asking_note(struct asking *a, enum note_kind kind, const char *key, struct arena *arena, struct note *out,
                 struct error *why) must_check;

/* All notes of a kind, by key. */
bool asking_notes(struct asking *a, enum note_kind kind, note_each *each, void *arg, struct error *why) must_check;

/* Until it is stored; an empty value removes. */
bool asking_put_note(struct asking *a, const struct note *n, struct error *why) must_check;

/* All tallies of the days from `day` on. */
bool asking_tallies(struct asking *a, uint32_t day, void (*each)(void *arg, const struct tally *t), void *arg,
                    struct error *why) must_check;

/* Those of one day whose keys begin with `prefix`, by key. */
bool asking_tallies_of(struct asking *a, uint32_t day, struct slice prefix, void (*each)(void *arg, const struct tally *t),
                       void *arg, struct error *why) must_check;

#endif
