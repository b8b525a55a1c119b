/* base/slice.h - a run of bytes that somebody else owns.
 *
 * Passed by value. Never assumed to end in NUL, may hold any byte. How long
 * `at` stays valid is told by whoever hands the slice out. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(text, first) __attribute__((format(printf, text, first)))

struct slice {
    const char *at;
    size_t len;
};

/* A slice over a string literal. */
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })

/* For "%.*s". */
#define SLICE_ARGS(s) (int)(s).len, (s).at

static inline struct slice slice(const void *at, size_t len)
{
    return (struct slice){ at, len };
}

/* Over a C string; NULL gives the empty slice. */
static inline struct slice slice_of(const char *text)
{
    return text ? slice(text, strlen(text)) : slice("", 0);
}

static inline bool slice_empty(struct slice s)
{
    return s.len == 0;
}

bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b);    /* ASCII letters only */
uint64_t slice_hash(struct slice s);        /* FNV-1a, for tables of our own; whoever wants to can make collisions */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* The position of `byte`, or s.len when it is not there. */
size_t slice_find(struct slice s, char byte);
size_t slice_find_last(struct slice s, char byte);

/* All but the first `n` bytes; empty when there are fewer. */
struct slice slice_after(struct slice s, size_t n);
struct slice slice_first(struct slice s, size_t n);

/* Without leading and trailing space, tab, CR and LF. */
struct slice slice_trim(struct slice s);

/* Cut `*rest` at the first `separator`: returns what stands before it and
 * moves `*rest` behind it. Without a separator the whole of `*rest` is
 * returned, and `*rest` becomes empty with a NULL `at`. */
struct slice slice_cut(struct slice *rest, char separator);

/* Decimal digits only, no sign, no space; false on overflow of `max`. */
bool slice_to_number(struct slice s, uint64_t max, uint64_t *number) must_check;

/* ASCII without the locale's help. */
bool byte_is_digit(char c);
bool byte_is_alpha(char c);
char byte_lower(char c);

#endif
