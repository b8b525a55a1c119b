#include "cli/figures.h"

#include "base/escape.h"
#include "fact/count.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- numbers ----------------------------------------------------------------- */

const char *figure_count(uint64_t n, char text[FIGURE_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n), to = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = '\0';
    return text;
}

static const char *figure_within(uint64_t most, uint64_t n, char text[FIGURE_MAX])
{
    static const char units[] = "MGTPE";
    double rest = (double)n / 1e6;
    size_t unit = 0;

    if (n <= most)
        return figure_count(n, text);
    for (; rest >= 999.95 && units[unit + 1]; unit++)
        rest /= 1000;
    snprintf(text, FIGURE_MAX, "%.1f%c", rest, units[unit]);
    return text;
}

const char *figure_short(uint64_t n, char text[FIGURE_MAX])
{
    return figure_within(9999999, n, text);
}

const char *figure_narrow(uint64_t n, char text[FIGURE_MAX])
{
    return n ? figure_within(999999, n, text) : "-";
}

const char *figure_share(uint64_t part, uint64_t whole, char text[FIGURE_MAX])
{
    unsigned tenths = count_share(part, whole);

    if (whole == 0)
        snprintf(text, FIGURE_MAX, "-");
    else
        snprintf(text, FIGURE_MAX, "%u.%u %%", tenths / 10, tenths % 10);
    return text;
}

const char *figure_change(uint64_t part, uint64_t whole, uint64_t part_before, uint64_t whole_before, char text[FIGURE_MAX])
{
    int change = (int)count_share(part, whole) - (int)count_share(part_before, whole_before);
    unsigned size = (unsigned)abs(change);

    if (whole == 0 || whole_before == 0)
        text[0] = '\0';
    else if (change == 0)
        snprintf(text, FIGURE_MAX, "=");
    else
        snprintf(text, FIGURE_MAX, "%c%u.%u", change < 0 ? '-' : '+', size / 10, size % 10);
    return text;
}

/* --- pictures ------------------------------------------------------------------ */

static bool blocks;

static bool locale_has_blocks(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);

        if (value && value[0])
            return strstr(value, "UTF-8") || strstr(value, "utf8");
    }
    return false;
}

void figures_choose(void)
{
    const char *term = getenv("TERM");

    blocks = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && locale_has_blocks();
}

const char *figure_bar(unsigned tenths, unsigned width, char text[BAR_MAX])
{
    const char *full = blocks ? "\u2588" : "#", *empty = blocks ? "\u2591" : ".";
    unsigned filled = (tenths * width + 500) / 1000;
    size_t len = 0;

    if (filled == 0 && tenths > 0)
        filled = 1;
    if (filled == width && tenths < 1000)
        filled--;
    for (unsigned i = 0; i < width && len + 4 < BAR_MAX; i++)
        len += (size_t)snprintf(text + len, BAR_MAX - len, "%s", i < filled ? full : empty);
    text[len] = '\0';
    return text;
}

const char *figure_spark(uint64_t value, uint64_t most)
{
    static const char *const curve[] = { " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
    static const char *const ascii[] = { " ", "_", ".", ",", "-", "=", "+", "*", "#" };
    unsigned tenths = count_share(value, most), height = (tenths * 8 + 999) / 1000;

    return (blocks ? curve : ascii)[height];
}

/* --- cells ------------------------------------------------------------------------ */

enum { CSV_SHOWN_MAX = (CSV_CELL_MAX - 3) / 2 };       /* each byte may be a quote, and becomes two */

/* What a spreadsheet evaluates (OWASP, CSV injection): a cell that begins with one of these. */
static bool is_formula(struct slice text)
{
    return text.len > 0 && text.at[0] && strchr("=+-@\t\r", text.at[0]);
}

void csv_slice(struct buf *out, struct slice text)
{
    char shown[CSV_SHOWN_MAX + 1], cell[CSV_CELL_MAX], *to = cell;

    escape_line(text, shown, sizeof shown);
    if (strpbrk(shown, ",\"; '") == NULL && !is_formula(text)) {
        buf_add(out, slice_of(shown));
        return;
    }
    *to++ = '"';
    if (is_formula(text))
        *to++ = '\'';
    for (const char *c = shown; *c; c++) {
        if (*c == '"')
            *to++ = '"';
        *to++ = *c;
    }
    *to++ = '"';
    buf_add(out, slice(cell, (size_t)(to - cell)));
}

void csv_text(struct buf *out, const char *text)
{
    csv_slice(out, slice_of(text));
}

void html_text(struct buf *out, const char *text)
{
    char shown[1024];

    for (const char *c = escape_line(slice_of(text), shown, sizeof shown); *c; c++) {
        switch (*c) {
        case '&': buf_add(out, SLICE("&amp;")); break;
        case '<': buf_add(out, SLICE("&lt;")); break;
        case '>': buf_add(out, SLICE("&gt;")); break;
        case '"': buf_add(out, SLICE("&quot;")); break;
        case '\'': buf_add(out, SLICE("&#39;")); break;
        default: buf_byte(out, *c);
        }
    }
}
