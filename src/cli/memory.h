/* cli/memory.h - what `postern memory` is made of. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include "cli/cli.h"

#include "net/address.h"
#include "policy/memory.h"
#include "serve/asking.h"

#include <jansson.h>
#include <stdio.h>

/* One note of the store. */
struct remembered {
    const char *next_hop;
    struct memory memory;
};

/* False: it was made by another version. */
bool memory_of_note(const struct note *n, struct remembered *out) must_check;

/* --- as JSON: memory_json.c; postern(1) has the fields ----------------------- */

const char *memory_witness(const struct memory *m, char text[ADDRESS_TEXT_MAX]);

json_t *memory_to_json(const struct remembered *r);
/* A line of an export, with every field. `next_hop` takes NOTE_KEY_MAX + 1 bytes. E_MALFORMED. */
bool memory_from_json(struct slice line, time_ms now, char *next_hop, struct memory *m, struct error *why) must_check;

/* --- the acts; each returns the exit code ---------------------------------------------- */

/* memory_show.c */
int memory_list(struct asking *store, const struct memory_settings *s, bool json);
void memory_show(const struct remembered *r, const struct memory_settings *s, bool json);

/* memory_move.c */
int memory_export(struct asking *store);
/* "-" is standard input. NULL: said on stderr. To be opened before the store: without a running postern, whoever
 * asks becomes the service, which may not read it. */
FILE *memory_input(const char *name) must_check;
int memory_import(struct asking *store, const struct memory_settings *s, FILE *from, const char *name, bool replace);

/* The store did not answer: said on stderr. Returns the exit code. */
int memory_unanswered(const struct error *why);

#endif
