/* tests/policy/table.h - the tables of docs/policy.md as data, and what they say about one combination of inputs.
 *
 * The second opinion on policy/decide.c: written from the page, with the
 * page's words as values, and without a rule of its own. */
#ifndef TESTS_POLICY_TABLE_H
#define TESTS_POLICY_TABLE_H

#include "base/slice.h"
#include "tests/policy/corner.h"

/* The first table below the heading that has all of `columns` ("ID|Mail|Level"). The test fails when there is none. */
struct table {
    struct slice *cells;            /* row by row, the head first; without blanks and backquotes around words */
    size_t columns, rows;           /* rows without the head */
};
const struct table *table_find(const char *heading, const char *columns);
struct slice table_cell(const struct table *t, size_t row, const char *column);

/* Does a cell take this value? "*", "may, encrypt", "not off", "testing-*". */
bool cell_takes(struct slice cell, const char *value);

/* What steps 1 and 2 say. */
struct walk {
    char id[8];                     /* "PD-07"; of several gates the one that ends it */
    enum { WALK_GO, WALK_SKIP, WALK_NEVER } outcome;
    char error[40];                 /* "E_TLSA_LOOKUP", "" */
    bool noted;                     /* PD-G7 was passed */
    char mail[20];                  /* as the rule takes it */
    bool tried, needed, retry;
    unsigned checks;                /* CHECK_... */
    unsigned lines;                 /* of step 2 that fit: must be one, or none behind a gate */
    size_t line;                    /* the last of them; or the gate's, in its table */
};
struct walk walk(const struct corner *c);

#endif
