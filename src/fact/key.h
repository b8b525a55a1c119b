/* fact/key.h - what the keys of tallies are made of: short texts, and numbers that must be one of an enumeration's. */
#ifndef FACT_KEY_H
#define FACT_KEY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

enum { KEY_TEXT_MAX = 255 };

/* Stands in the place of whatever a key beyond a day's bound would have named. */
#define KEY_OTHERS "(others)"

/* At most KEY_TEXT_MAX bytes of it. */
void key_put_text(struct buf *out, const char *text);

/* Both fail the cursor where there is none, or a NUL in it; the second where it does not fit. */
const char *key_get_text(struct cursor *in, struct arena *arena);
void key_get_text_into(struct cursor *in, char *to, size_t size);

/* A byte that is at most `last`; else the cursor fails, and 0. */
unsigned key_get_one_of(struct cursor *in, unsigned last);

/* Nothing failed, and nothing is left. */
bool key_ended(const struct cursor *in, const struct arena *arena) must_check;

#endif
