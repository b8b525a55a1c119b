/* fact/stats_inside.h - shared by the parts of fact/stats; for nobody else. */
#ifndef FACT_STATS_INSIDE_H
#define FACT_STATS_INSIDE_H

#include "fact/stats.h"

struct table {                          /* of one direction */
    struct stats_side side;
    struct stats_row **rows;            /* of domains; the tree finds them */
    size_t count, room;
    void *tree;
    struct stats_row *latest;           /* that was found */
    struct stats_row *unnamed, *beyond, *few;
    struct stats_brief *days;
    struct stats_row **shown;
};

struct stats {
    struct stats_want want;
    struct table tables[STATS_DIRECTIONS];
    char *groups[STATS_GROUPS_MAX - 1]; /* their names; the last place of each sum is for all others */
    size_t group_count;
    uint32_t counted_since;
    struct arena decoded;               /* of one tally */
};

#endif
