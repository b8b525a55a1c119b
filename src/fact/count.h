/* fact/count.h - sums that stay where they are once they are too large, as tallies do; and shares of them. */
#ifndef FACT_COUNT_H
#define FACT_COUNT_H

#include <stdint.h>

static inline void count_add(uint64_t *sum, uint64_t more)
{
    *sum = more < (uint64_t)INT64_MAX - *sum ? *sum + more : (uint64_t)INT64_MAX;
}

/* Tenths of a percent, 0 to 1000. One message in clear among a million is not "none": never 0 of something, nor 1000 of
 * less than all. 0 of nothing. */
static inline unsigned count_share(uint64_t part, uint64_t whole)
{
    unsigned tenths;

    if (part == 0 || whole == 0)
        return 0;
    if (part >= whole)
        return 1000;
    tenths = (unsigned)((double)part * 1000 / (double)whole + 0.5);
    return tenths < 1 ? 1 : tenths > 999 ? 999 : tenths;
}

#endif
