/* cli/stats.h - what `postern stats` is made of. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli/cli.h"

#include "base/buf.h"
#include "cli/period.h"
#include "fact/stats.h"

struct stats_view {
    const struct stats *stats;
    struct period period;
    uint64_t minimum;
    bool show[STATS_DIRECTIONS];
    bool by_day;
    const char *domain;             /* asked for; NULL: all */
    const char *host;               /* our name; NULL: not known */
};

/* "example.net"; "(null sender)", "(fewer than 10)", "(387 more)", "(others)" */
enum { STATS_LABEL_MAX = 1024 };
const char *stats_label(const struct stats_view *v, const struct stats_row *row, char text[STATS_LABEL_MAX]);

/* One wording for all: "the 7 days before", "fewer than 10"; "7 domains; 1 more with failed attempts only". */
enum { STATS_BEFORE_MAX = 32, STATS_FEW_MAX = 64, STATS_DOMAINS_MAX = 128, STATS_WORDS_MAX = 256 };
const char *stats_before(const struct stats_view *v, char text[STATS_BEFORE_MAX]);
const char *stats_few(const struct stats_view *v, char text[STATS_FEW_MAX]);
const char *stats_words(const struct stats_view *v, const struct stats_item *item, char text[STATS_WORDS_MAX]);
const char *stats_domains(const struct stats_side *side, char text[STATS_DOMAINS_MAX]);

/* A chart of one or two days tells nothing that the sums do not. */
enum { STATS_TREND_DAYS = 3 };
bool stats_has_trend(const struct stats_view *v, const struct stats_side *side);

/* The days in at most `columns` pieces of the same length, that of the last perhaps less. Returns how many. */
size_t stats_trend(const struct stats_view *v, const struct stats_side *side, size_t columns, struct stats_brief *out);
uint32_t stats_trend_step(const struct stats_view *v, size_t columns);      /* days in a piece */

/* --- four ways to show it: each writes to standard output ----------------------- */

void stats_print_text(const struct stats_view *v);      /* stats_text.c */
void stats_print_json(const struct stats_view *v);      /* stats_json.c; docs/stats.md has the names */
void stats_print_csv(const struct stats_view *v);       /* stats_csv.c */
void stats_print_html(const struct stats_view *v);      /* stats_html.c: one file, no script */

/* --- parts of the page: stats_charts.c -------------------------------------------- */

struct stats_part {                 /* of a bar in several colours */
    const char *name, *colour;      /* a class of the page's style */
    uint64_t count;
};
/* With its legend; what is nothing is left out. */
void stats_draw_parts(struct buf *page, const struct stats_part *parts, size_t count, const char *about);
void stats_draw_bar(struct buf *page, uint64_t part, uint64_t whole, const char *colour);
/* What went authenticated, encrypted, and in clear; of what was received nobody asks who sent it. */
void stats_draw_brief(struct buf *page, enum stats_direction d, const struct stats_brief *b);
void stats_draw_days(struct buf *page, const struct stats_view *v, enum stats_direction d);

#endif
