/* Numbers for people, and cells that do nothing. */
#include "tests/test.h"

#include "cli/figures.h"

#include <stdlib.h>

TEST(counts_are_grouped_and_short_ones_fit_nine_columns)
{
    static const struct { uint64_t n; const char *count, *brief; } rows[] = {
        { 0, "0", "0" }, { 999, "999", "999" }, { 1000, "1,000", "1,000" }, { 18230, "18,230", "18,230" },
        { 9999999, "9,999,999", "9,999,999" }, { 10000000, "10,000,000", "10.0M" }, { 999949999, "999,949,999", "999.9M" },
        { 999950000, "999,950,000", "1.0G" }, { INT64_MAX, "9,223,372,036,854,775,807", "9.2E" },
        { UINT64_MAX, "18,446,744,073,709,551,615", "18.4E" },
    };
    char text[FIGURE_MAX];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_TEXT(figure_count(rows[i].n, text), rows[i].count);
        CHECK_TEXT(figure_short(rows[i].n, text), rows[i].brief);
    }
}

TEST(narrow_ones_fit_seven_columns)
{
    char text[FIGURE_MAX];

    CHECK_TEXT(figure_narrow(0, text), "-");
    CHECK_TEXT(figure_narrow(999999, text), "999,999");
    CHECK_TEXT(figure_narrow(1000000, text), "1.0M");
    CHECK_TEXT(figure_narrow(1500000, text), "1.5M");
    CHECK_TEXT(figure_narrow(UINT64_MAX, text), "18.4E");
}

TEST(shares_have_one_decimal_and_hide_nothing)
{
    char text[FIGURE_MAX];

    CHECK_TEXT(figure_share(1, 3, text), "33.3 %");
    CHECK_TEXT(figure_share(0, 3, text), "0.0 %");
    CHECK_TEXT(figure_share(3, 3, text), "100.0 %");
    CHECK_TEXT(figure_share(9999999, 10000000, text), "99.9 %");
    CHECK_TEXT(figure_share(1, 10000000, text), "0.1 %");
    CHECK_TEXT(figure_share(0, 0, text), "-");
}

TEST(changes_are_in_points)
{
    char text[FIGURE_MAX];

    CHECK_TEXT(figure_change(998, 1000, 995, 1000, text), "+0.3");
    CHECK_TEXT(figure_change(1, 2, 62, 100, text), "-12.0");
    CHECK_TEXT(figure_change(1, 2, 3, 6, text), "=");
    CHECK_TEXT(figure_change(1, 2, 0, 0, text), "");
    CHECK_TEXT(figure_change(0, 0, 1, 2, text), "");
}

TEST(a_bar_is_neither_full_nor_empty_before_its_time)
{
    char text[BAR_MAX];

    CHECK_TEXT(figure_bar(0, 10, text), "..........");
    CHECK_TEXT(figure_bar(1, 10, text), "#.........");
    CHECK_TEXT(figure_bar(500, 10, text), "#####.....");
    CHECK_TEXT(figure_bar(999, 10, text), "#########.");
    CHECK_TEXT(figure_bar(1000, 10, text), "##########");
    CHECK_TEXT(figure_spark(0, 0), " ");
    CHECK_TEXT(figure_spark(0, 5), " ");
    CHECK_TEXT(figure_spark(1, 1000), "_");
    CHECK_TEXT(figure_spark(1000, 1000), "#");
}

static const char *csv(const char *text, struct buf *out)
{
    buf_clear(out);
    csv_text(out, text);
    buf_byte(out, '\0');
    return buf_slice(out).at;
}

/* What begins with = + - @ is a formula to a spreadsheet, and one that a stranger wrote. */
TEST(a_cell_of_csv_is_text_and_nothing_else)
{
    static const struct { const char *text, *cell; } rows[] = {
        { "", "" }, { "mx.example.net", "mx.example.net" }, { "192.0.2.0/24", "192.0.2.0/24" }, { "a,b", "\"a,b\"" },
        { "say \"hi\"", "\"say \"\"hi\"\"\"" }, { "=1+1", "\"'=1+1\"" }, { "+1", "\"'+1\"" }, { "-1", "\"'-1\"" },
        { "@SUM(A1)", "\"'@SUM(A1)\"" }, { "=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\"" }, { "a\nb", "a\\nb" },
        { "\t=1", "\"'\\t=1\"" }, { "\033[31mred", "\\x1b[31mred" }, { "a;b", "\"a;b\"" },
    };
    auto_buf struct buf out = { 0 };

    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_TEXT(csv(rows[i].text, &out), rows[i].cell);
}

/* An open quote would take the rows below into its cell. */
TEST(a_long_cell_of_csv_is_cut_before_its_last_quote)
{
    static const char *const starts[] = { "", "=", "a,", "," };
    char text[3000];
    auto_buf struct buf out = { 0 };
    size_t quotes = 0;

    buf_init(&out, CSV_CELL_MAX + 1);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        memset(text, '"', sizeof text - 1);
        memcpy(text, starts[i], strlen(starts[i]));
        text[sizeof text - 1] = '\0';
        CHECK(strlen(csv(text, &out)) <= CSV_CELL_MAX && !out.failed);
        quotes = 0;
        for (const char *c = buf_slice(&out).at; *c; c++)
            quotes += *c == '"';
        CHECK(buf_slice(&out).at[buf_len(&out) - 2] == '"' && quotes % 2 == 0 && quotes > 2000);
    }
}

TEST(a_cell_that_has_no_room_is_left_out_whole)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 8);
    buf_add(&out, SLICE("x,"));
    csv_text(&out, "a,b,c,d");
    CHECK(out.failed);
    CHECK_SLICE(buf_slice(&out), "x,");
}

TEST(text_of_a_page_cannot_become_markup)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, 4096);
    html_text(&out, "<script>alert(\"1\")</script> & 'x' \033[0m\xff");
    CHECK_SLICE(buf_slice(&out), "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \\x1b[0m\\xff");
}
