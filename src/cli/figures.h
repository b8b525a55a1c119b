/* cli/figures.h - numbers as people read them, and cells that do nothing but hold text. */
#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H

#include "base/buf.h"

enum { FIGURE_MAX = 32, BAR_MAX = 256 };

const char *figure_count(uint64_t n, char text[FIGURE_MAX]);        /* "18,230" */
const char *figure_short(uint64_t n, char text[FIGURE_MAX]);        /* in at most nine columns: "9,999,999", "12.3M" */
const char *figure_narrow(uint64_t n, char text[FIGURE_MAX]);       /* in at most seven: "999,999", "1.2M"; "-" is none */

/* "99.8 %"; "-" of nothing. Never 100.0 of less than all, nor 0.0 of something (fact/count.h). */
const char *figure_share(uint64_t part, uint64_t whole, char text[FIGURE_MAX]);
/* By how much the share has changed, in points: "+0.3", "-12.0", "=". "" when either is of nothing. */
const char *figure_change(uint64_t part, uint64_t whole, uint64_t part_before, uint64_t whole_before, char text[FIGURE_MAX]);

/* Blocks on a terminal whose locale has them, else ASCII. */
void figures_choose(void);
/* `width` columns, filled by so many tenths of a percent. */
const char *figure_bar(unsigned tenths, unsigned width, char text[BAR_MAX]);
/* One column of a curve; `most` is the highest. */
const char *figure_spark(uint64_t value, uint64_t most);

/* A cell of CSV (RFC 4180): quoted where it must be, and a text that a spreadsheet would take for a formula begins with '. A
 * longer one is cut, behind which its quotes close; one for which `out` has no room is left out whole. */
enum { CSV_CELL_MAX = 2048 };
void csv_text(struct buf *out, const char *text);
void csv_slice(struct buf *out, struct slice text);

/* Text that cannot become a tag or an attribute; bytes that are not printable ASCII are escaped as in logs. */
void html_text(struct buf *out, const char *text);

#endif
