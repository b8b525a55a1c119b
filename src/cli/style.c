#include "cli/style.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct style style = { "", "", "" };

void style_choose(void)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

    if (!isatty(STDOUT_FILENO) || (no_color && no_color[0]) || !term || strcmp(term, "dumb") == 0)
        return;
    style = (struct style){ "\033[1m", "\033[2m", "\033[0m" };
}

const char *style_length(time_ms span, char text[24])
{
    int64_t s = (span < 0 ? -span : span) / 1000;

    if (s < 120)
        snprintf(text, 24, "%" PRId64 "s", s);
    else if (s < 7200)
        snprintf(text, 24, "%" PRId64 "m", s / 60);
    else if (s < 172800)
        snprintf(text, 24, "%" PRId64 "h", s / 3600);
    else
        snprintf(text, 24, "%" PRId64 "d", s / 86400);
    return text;
}
