/* Charts of the page: inline SVG, drawn in a grid of their own, coloured by classes of the page's style; see cli/stats.h. */
#include "cli/stats.h"

#include "cli/figures.h"
#include "fact/count.h"

#include <inttypes.h>
#include <stdio.h>

enum { COLUMNS_MAX = 92, WIDTH = 1000, HEIGHT = 220, FLOOR = HEIGHT - 26, CEILING = 14, LEFT = 62 };

static double part_of(uint64_t part, uint64_t whole, double size)
{
    return whole ? (double)part / (double)whole * size : 0;
}

/* --- one bar -------------------------------------------------------------------------- */

/* A part that is there is seen, however small. */
static double visible(uint64_t part, uint64_t whole, double size)
{
    double width = part_of(part, whole, size);

    return part > 0 && width < 3 ? 3 : width;
}

static void draw_legend(struct buf *page, const struct stats_part *parts, size_t count, uint64_t whole)
{
    char number[FIGURE_MAX], share[FIGURE_MAX];

    buf_add(page, SLICE("<ul class=\"legend\">"));
    for (size_t i = 0; i < count; i++) {
        if (parts[i].count == 0)
            continue;
        buf_text(page, "<li><i class=\"%s\"></i>", parts[i].colour);
        html_text(page, parts[i].name);
        buf_text(page, " <b>%s</b> <span>%s</span></li>", figure_share(parts[i].count, whole, share),
                 figure_count(parts[i].count, number));
    }
    buf_add(page, SLICE("</ul>\n"));
}

void stats_draw_parts(struct buf *page, const struct stats_part *parts, size_t count, const char *about)
{
    uint64_t whole = 0;
    double drawn = 0, scale, x = 0;

    for (size_t i = 0; i < count; i++)
        count_add(&whole, parts[i].count);
    for (size_t i = 0; i < count; i++)
        drawn += visible(parts[i].count, whole, WIDTH);
    scale = drawn > 0 ? WIDTH / drawn : 1;
    buf_text(page, "<svg class=\"parts\" viewBox=\"0 0 %d 26\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">",
             WIDTH, about);
    for (size_t i = 0; i < count; i++) {
        double width = visible(parts[i].count, whole, WIDTH) * scale;

        if (width > 0)
            buf_text(page, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" height=\"26\"/>", parts[i].colour, x, width);
        x += width;
    }
    buf_add(page, SLICE("</svg>\n"));
    draw_legend(page, parts, count, whole);
}

static void draw_row(struct buf *page, const struct stats_part *parts, size_t count)
{
    double x = 0, drawn = 0;
    uint64_t whole = 0;

    for (size_t i = 0; i < count; i++)
        count_add(&whole, parts[i].count);
    for (size_t i = 0; i < count; i++)
        drawn += visible(parts[i].count, whole, 100);
    buf_text(page, "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                   "<rect class=\"none\" width=\"100\" height=\"8\"/>");
    for (size_t i = 0; i < count; i++) {
        double width = drawn > 0 ? visible(parts[i].count, whole, 100) * 100 / drawn : 0;

        if (width > 0)
            buf_text(page, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" height=\"8\"/>", parts[i].colour, x, width);
        x += width;
    }
    buf_add(page, SLICE("</svg>"));
}

void stats_draw_bar(struct buf *page, uint64_t part, uint64_t whole, const char *colour)
{
    const struct stats_part parts[] = { { "", colour, part }, { "", "none", whole - part } };

    draw_row(page, parts, 2);
}

/* Amber says that something is wanting: where nobody proves who he is, nothing is. */
static const char *encrypted_colour(enum stats_direction d)
{
    return d == STATS_SENT ? "tls" : "dane";
}

void stats_draw_brief(struct buf *page, enum stats_direction d, const struct stats_brief *b)
{
    const struct stats_part parts[] = { { "", "dane", b->authenticated },
                                        { "", encrypted_colour(d), b->encrypted - b->authenticated },
                                        { "", "clear", b->messages - b->encrypted } };

    draw_row(page, parts, 3);
}

/* --- the days ---------------------------------------------------------------------------- */

/* The least even, or at least plain, number above it. */
static uint64_t round_up(uint64_t most)
{
    static const uint64_t plain[] = { 1, 2, 3, 4, 5, 6, 8 };

    for (uint64_t power = 1; power <= UINT64_MAX / 100; power *= 10)
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
            if (plain[i] * power >= most)
                return plain[i] * power;
    return most;
}

static void draw_axis(struct buf *page, uint64_t top)
{
    char number[FIGURE_MAX];

    for (unsigned i = 0; i <= 2; i++) {
        double y = FLOOR - (FLOOR - CEILING) * i / 2.0;

        if (i == 1 && top % 2)
            continue;
        buf_text(page, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                       "<text x=\"%d\" y=\"%.1f\" class=\"left\">%s</text>",
                 LEFT, WIDTH, y, y, LEFT - 8, y + 4, figure_short(top / 2 * i + (i == 2 ? top % 2 : 0), number));
    }
}

static void draw_piece(struct buf *page, const char *colour, double x, double width, double *y, uint64_t part, uint64_t top)
{
    double height = part_of(part, top, FLOOR - CEILING);

    if (part == 0)
        return;
    *y -= height;
    buf_text(page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", colour, x, *y, width, height);
}

static void draw_title(struct buf *page, const struct stats_view *v, uint32_t first, uint32_t last, const struct stats_brief *b)
{
    char one[PERIOD_DAY_MAX], two[PERIOD_DAY_MAX], number[FIGURE_MAX], share[FIGURE_MAX], few[STATS_FEW_MAX];

    buf_text(page, "<title>%s", period_day(first, one));
    if (last > first)
        buf_text(page, " to %s", period_day(last, two));
    if (b->few && b->messages == 0)
        buf_text(page, ": %s messages", stats_few(v, few));
    else
        buf_text(page, ": %s messages, %s encrypted", figure_count(b->messages, number),
                 figure_share(b->encrypted, b->messages, share));
    buf_add(page, SLICE("</title>"));
}

static void draw_label(struct buf *page, double x, const char *anchor, uint32_t day)
{
    char text[PERIOD_DAY_MAX];

    buf_text(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", x, HEIGHT - 6, anchor, period_day(day, text));
}

void stats_draw_days(struct buf *page, const struct stats_view *v, enum stats_direction d)
{
    struct stats_brief days[COLUMNS_MAX];
    size_t count = stats_trend(v, stats_side(v->stats, d), COLUMNS_MAX, days);
    uint32_t step = stats_trend_step(v, COLUMNS_MAX);
    double slot = (double)(WIDTH - LEFT) / (double)count, width = slot > 90 ? 64 : slot * 0.72;
    uint64_t top = 1;

    for (size_t i = 0; i < count; i++)
        if (days[i].messages > top)
            top = days[i].messages;
    top = round_up(top);
    buf_text(page, "<svg class=\"days\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"messages by day\">", WIDTH, HEIGHT);
    draw_axis(page, top);
    for (size_t i = 0; i < count; i++) {
        const struct stats_brief *b = &days[i];
        uint32_t first = v->period.since + (uint32_t)i * step, last = first + step - 1;
        double x = LEFT + slot * (double)i + (slot - width) / 2, y = FLOOR;

        buf_add(page, SLICE("<g>"));
        draw_title(page, v, first, last < v->period.until ? last : v->period.until, b);
        draw_piece(page, "dane", x, width, &y, b->authenticated, top);
        draw_piece(page, encrypted_colour(d), x, width, &y, b->encrypted - b->authenticated, top);
        draw_piece(page, "clear", x, width, &y, b->messages - b->encrypted, top);
        buf_add(page, SLICE("</g>"));
    }
    draw_label(page, LEFT, "start", v->period.since);
    if (count > 1)
        draw_label(page, WIDTH, "end", v->period.until);
    buf_add(page, SLICE("</svg>\n"));
    if (d == STATS_SENT)
        buf_add(page, SLICE("<ul class=\"legend\"><li><i class=\"dane\"></i>authenticated</li><li><i class=\"tls\"></i>"
                            "encrypted only</li><li><i class=\"clear\"></i>in clear</li></ul>\n"));
    else
        buf_add(page, SLICE("<ul class=\"legend\"><li><i class=\"dane\"></i>encrypted</li><li><i class=\"clear\"></i>"
                            "in clear</li></ul>\n"));
}
