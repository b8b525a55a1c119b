/* cli/style.h - how commands write for people: bold and dim where the terminal can, and lengths of time in one unit. */
#ifndef CLI_STYLE_H
#define CLI_STYLE_H

#include "base/clock.h"

/* Empty until style_choose has found a terminal that can, and whose user has not set NO_COLOR. */
struct style {
    const char *bold, *dim, *plain;
};
extern struct style style;
void style_choose(void);

/* "40s", "3h", "12d". */
const char *style_length(time_ms span, char text[24]);

#endif
