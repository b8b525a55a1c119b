/* Statistics as a page to show and to print: one file, no script, nothing from elsewhere; see cli/stats.h. */
#include "cli/stats.h"

#include "cli/figures.h"
#include "fact/count.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAGE_MAX_BYTES = 512 * 1024 * 1024 };

static const char style_sheet[] =
    ":root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d2433;--soft:#646c7c;--line:#e3e1da;"
    "--dane:#0b6e4f;--sts:#2a9d8f;--rule:#5465a8;--pkix:#8ab17d;--tls:#e3b34c;--clear:#c2452d;--none:#eceae4}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#14171e;--card:#1c2029;--ink:#e8eaf0;--soft:#9aa3b5;--line:#2d3340;"
    "--dane:#2fae83;--sts:#45c4b5;--rule:#8c9be0;--pkix:#a5c99a;--tls:#e3b34c;--clear:#ef6f55;--none:#2a2f3a}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}\n"
    "main{max-width:60rem;margin:0 auto;padding:2.5rem 1.5rem}h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem;"
    "letter-spacing:-.01em}h2{font-size:1.35rem;margin:2.8rem 0 .2rem}h3{font-size:1rem;margin:1.9rem 0 .6rem}"
    "p{margin:.2rem 0}.soft,footer,dt{color:var(--soft)}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:1rem;margin:1.8rem 0 0}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.2rem}"
    ".card b{display:block;font-size:2.1rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}"
    ".card span{color:var(--soft);font-size:.87rem;display:block}\n"
    "svg{display:block;width:100%}.parts{height:1.6rem;border-radius:.3rem}.bar{height:.5rem;border-radius:.25rem}"
    ".days text{fill:var(--soft);font-size:12px}.days .left{text-anchor:end}.grid{stroke:var(--line)}\n"
    ".dane{fill:var(--dane);background:var(--dane)}.sts{fill:var(--sts);background:var(--sts)}"
    ".rule{fill:var(--rule);background:var(--rule)}.pkix{fill:var(--pkix);background:var(--pkix)}"
    ".tls{fill:var(--tls);background:var(--tls)}.clear{fill:var(--clear);background:var(--clear)}"
    ".none{fill:var(--none);background:var(--none)}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.6rem 0 0;padding:0;font-size:.87rem}"
    ".legend i{display:inline-block;width:.7rem;height:.7rem;border-radius:.15rem;margin-right:.45rem}"
    ".legend span{color:var(--soft)}\n"
    "table{width:100%;border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "th{color:var(--soft);font-weight:500;text-align:right;white-space:nowrap;padding:.35rem .5rem;border-bottom:1px solid var(--line)}"
    "td{text-align:right;padding:.32rem .5rem;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal;overflow-wrap:anywhere;min-width:9em}"
    "th:last-child,td:last-child{padding-right:0}.bars{width:22%}.warn{color:var(--clear);font-weight:600}"
    ".fold td:first-child{color:var(--soft)}.reasons td:first-child{width:26rem}.scroll{overflow-x:auto}\n"
    "footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:1rem;font-size:.87rem}dl{margin:0;display:grid;"
    "grid-template-columns:max-content 1fr;gap:.3rem 1.2rem}dd{margin:0}\n"
    "@media(max-width:600px){main{padding:1.5rem 1rem}.wide,.bars{display:none}table{font-size:.8rem}"
    "th{font-size:.7rem}td,th{padding-left:.25rem;padding-right:.25rem}}\n"
    "@media print{@page{margin:15mm}body{font-size:10.5pt;background:none}main{padding:0;max-width:none}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2,h3{break-after:avoid}tr,svg,.card{break-inside:avoid}"
    ".scroll{overflow:visible}}\n"
    "@media print and (prefers-color-scheme:dark){:root{--paper:#fff;--card:#fff;--ink:#1d2433;--soft:#646c7c;--line:#ddd;"
    "--none:#eee}}\n";

/* --- small pieces ------------------------------------------------------------------ */

static void add(struct buf *page, const char *markup)
{
    buf_add(page, slice_of(markup));
}

static void add_change(struct buf *page, const struct stats_view *v, const char *change)
{
    char before[STATS_BEFORE_MAX];

    stats_before(v, before);
    if (strcmp(change, "=") == 0)
        buf_text(page, "as in %s", before);
    else if (change[0])
        buf_text(page, "%s%s points since %s", change[0] == '-' ? "\u2212" : "+", change + 1, before);
    else
        add(page, "nothing to compare it with");
}

static void add_card(struct buf *page, const struct stats_view *v, const char *name, uint64_t part, uint64_t whole,
                     uint64_t part_before, uint64_t whole_before)
{
    char share[FIGURE_MAX], change[FIGURE_MAX];

    buf_text(page, "<div class=\"card\"><span>%s</span><b>%s</b><span>", name, figure_share(part, whole, share));
    add_change(page, v, figure_change(part, whole, part_before, whole_before, change));
    add(page, "</span></div>\n");
}

static void add_cards(struct buf *page, const struct stats_view *v)
{
    static const char *const names[] = { [STATS_SENT] = "Sent encrypted", [STATS_RECEIVED] = "Received encrypted" };

    add(page, "<div class=\"cards\">\n");
    for (int d = 0; d < STATS_DIRECTIONS; d++) {
        const struct stats_side *side = stats_side(v->stats, (enum stats_direction)d);
        const struct stats_sum *s = &side->sum;

        if (!v->show[d] || s->messages == 0)
            continue;
        add_card(page, v, names[d], s->encrypted, s->messages, side->before.encrypted, side->before.messages);
        if (d == STATS_SENT)
            add_card(page, v, "Sent to a host that proved who it is", stats_authenticated(s), s->messages,
                     side->before.authenticated, side->before.messages);
    }
    add(page, "</div>\n");
}

/* --- bars ------------------------------------------------------------------------------ */

static void add_protection(struct buf *page, const struct stats_sum *s)
{
    const struct stats_part parts[] = {
        { "DANE", "dane", s->authentication[AUTHENTICATED_DANE] },
        { "MTA-STS", "sts", s->authentication[AUTHENTICATED_STS] },
        { "a rule of ours", "rule", s->authentication[AUTHENTICATED_OPERATOR] },
        { "valid certificate, no policy", "pkix", s->authentication[AUTHENTICATED_PKIX] },
        { "encrypted, nothing proved", "tls", s->authentication[AUTHENTICATED_NOT] },
        { "in clear", "clear", s->versions[TLS_VERSION_NONE] },
    };

    add(page, "<h3>How it was protected</h3>\n");
    stats_draw_parts(page, parts, sizeof parts / sizeof *parts, "shares by protection");
}

static void add_versions(struct buf *page, const struct stats_view *v, const struct stats_sum *s)
{
    static const char *const colours[] = { "sts", "rule", "pkix" };
    const struct stats_part parts[] = {
        { "TLS 1.3", "dane", s->versions[TLS_1_3] }, { "TLS 1.2", "sts", s->versions[TLS_1_2] },
        { "TLS 1.1", "tls", s->versions[TLS_1_1] }, { "TLS 1.0", "tls", s->versions[TLS_1_0] },
        { "in clear", "clear", s->versions[TLS_VERSION_NONE] },
    };
    struct stats_item items[STATS_ITEMS_MAX];
    struct stats_part groups[STATS_ITEMS_MAX];
    char few[STATS_WORDS_MAX];
    size_t count = stats_list_groups(v->stats, s, items), next = 0;

    add(page, "<h3>TLS versions</h3>\n");
    stats_draw_parts(page, parts, sizeof parts / sizeof *parts, "shares by TLS version");
    if (s->encrypted == 0)
        return;
    for (size_t i = 0; i < count; i++)
        groups[i] = (struct stats_part){ stats_words(v, &items[i], few), stats_is_post_quantum(items[i].name) ? "dane"
                                         : next < sizeof colours / sizeof *colours ? colours[next++] : "none",
                                         items[i].count };
    add(page, "<h3>Key exchange</h3>\n");
    stats_draw_parts(page, groups, count, "shares by key exchange");
}

/* --- tables ------------------------------------------------------------------------------ */

static void add_cell(struct buf *page, const char *class, const char *text)
{
    buf_text(page, class[0] ? "<td class=\"%s\">" : "<td>%s", class);
    html_text(page, text);
    add(page, "</td>");
}

static void add_row(struct buf *page, const struct stats_view *v, enum stats_direction d, const struct stats_row *row)
{
    const struct stats_sum *s = &row->sum;
    const struct stats_brief brief = { s->messages, s->encrypted, stats_authenticated(s), false };
    char text[STATS_LABEL_MAX], figure[FIGURE_MAX];

    add(page, row->kind == STATS_DOMAIN ? "<tr>" : "<tr class=\"fold\">");
    add_cell(page, "", stats_label(v, row, text));
    add_cell(page, "", figure_count(s->messages, figure));
    add(page, "<td class=\"bars\">");
    stats_draw_brief(page, d, &brief);
    add(page, "</td>");
    add_cell(page, s->encrypted < s->messages ? "warn" : "", figure_share(s->encrypted, s->messages, figure));
    if (d == STATS_SENT)
        add_cell(page, "", figure_share(stats_authenticated(s), s->messages, figure));
    add_cell(page, "wide", figure_share(s->versions[TLS_1_3], s->messages, figure));
    add_cell(page, "wide", figure_change(s->encrypted, s->messages, row->before.encrypted, row->before.messages, figure));
    if (d == STATS_SENT)
        add_cell(page, "", s->failed ? figure_count(s->failed, figure) : "");
    add(page, "</tr>\n");
}

static void add_domains(struct buf *page, const struct stats_view *v, enum stats_direction d)
{
    const struct stats_side *side = stats_side(v->stats, d);

    buf_text(page, "<h3>By domain</h3>\n<div class=\"scroll\"><table><thead><tr><th>%s</th><th>Messages</th>"
                   "<th class=\"bars\"></th><th>Encrypted</th>%s<th class=\"wide\">TLS 1.3</th><th class=\"wide\">Change</th>%s"
                   "</tr></thead><tbody>\n",
             d == STATS_SENT ? "To" : "From", d == STATS_SENT ? "<th>Authenticated</th>" : "",
             d == STATS_SENT ? "<th>Failed</th>" : "");
    for (size_t i = 0; i < side->row_count; i++)
        add_row(page, v, d, side->rows[i]);
    add(page, "</tbody></table></div>\n");
}

static void add_days(struct buf *page, const struct stats_view *v, enum stats_direction d)
{
    const struct stats_side *side = stats_side(v->stats, d);
    char day[PERIOD_DAY_MAX], figure[FIGURE_MAX], few[STATS_FEW_MAX];

    buf_text(page, "<div class=\"scroll\"><table><thead><tr><th>Day</th><th>Messages</th><th class=\"bars\"></th><th>Encrypted</th>"
                   "%s</tr></thead><tbody>\n", d == STATS_SENT ? "<th>Authenticated</th>" : "");
    for (uint32_t i = 0; i < period_days(&v->period); i++) {
        const struct stats_brief *b = &side->days[i];

        buf_text(page, "<tr><td>%s</td><td>%s</td><td class=\"bars\">", period_day(v->period.since + i, day),
                 b->few ? stats_few(v, few) : figure_count(b->messages, figure));
        stats_draw_brief(page, d, b);
        add(page, "</td>");
        add_cell(page, b->encrypted < b->messages ? "warn" : "", figure_share(b->encrypted, b->messages, figure));
        if (d == STATS_SENT)
            add_cell(page, "", figure_share(b->authenticated, b->messages, figure));
        add(page, "</tr>\n");
    }
    add(page, "</tbody></table></div>\n");
}

static void add_items(struct buf *page, const struct stats_view *v, const char *title, const struct stats_item *items,
                      size_t count, uint64_t whole, const char *of)
{
    char figure[FIGURE_MAX], words[STATS_WORDS_MAX];
    uint64_t sum = 0;

    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        count_add(&sum, items[i].count);
    buf_text(page, "<h3>%s</h3>\n<p class=\"soft\">%s", title, figure_count(sum, figure));
    if (whole)
        buf_text(page, " of %s", figure_count(whole, figure));
    buf_text(page, " %s", of);
    if (whole)
        buf_text(page, ": %s", figure_share(sum, whole, figure));
    add(page, "</p>\n<table class=\"reasons\"><tbody>\n");
    for (size_t i = 0; i < count; i++) {
        add(page, "<tr>");
        add_cell(page, "", stats_words(v, &items[i], words));
        add(page, "<td class=\"bars\">");
        stats_draw_bar(page, items[i].count, sum, "tls");
        add(page, "</td>");
        add_cell(page, "", figure_share(items[i].count, sum, figure));
        add_cell(page, "", figure_count(items[i].count, figure));
        add(page, "</tr>\n");
    }
    add(page, "</tbody></table>\n");
}

static void add_reasons(struct buf *page, const struct stats_view *v)
{
    const struct stats_side *side = stats_side(v->stats, STATS_SENT);
    struct stats_item items[STATS_ITEMS_MAX];
    uint64_t handshakes = 0;
    size_t count = stats_list_clear(v->stats, items);

    for (int i = 0; i < STATS_CERTIFICATES; i++)
        count_add(&handshakes, side->certificates[i]);
    add_items(page, v, "Why mail was sent in clear", items, count, side->sum.messages, "messages");
    count = stats_list_certificates(v->stats, items);
    add_items(page, v, "Why certificates did not validate", items, count, handshakes,
              "messages and attempts under TLS, whether the certificate mattered or not");
    count = stats_list_failures(v->stats, items);
    add_items(page, v, "Why attempts failed", items, count, 0, "attempts, to be tried again or given up");
}

/* --- the page -------------------------------------------------------------------------------- */

static void add_side(struct buf *page, const struct stats_view *v, enum stats_direction d)
{
    const struct stats_side *side = stats_side(v->stats, d);
    char text[FIGURE_MAX], domains[STATS_DOMAINS_MAX], few[STATS_FEW_MAX];
    bool trend = side->sum.messages > 0 && stats_has_trend(v, side);

    buf_text(page, "<section><h2>%s</h2>\n", d == STATS_SENT ? "Sent" : "Received");
    if (side->few)
        buf_text(page, "<p class=\"soft\">%s messages</p>\n", stats_few(v, few));
    else if (side->sum.messages == 0 && side->sum.failed == 0)
        add(page, "<p class=\"soft\">Nothing is counted.</p>\n");
    else if (side->sum.messages == 0)
        buf_text(page, "<p class=\"soft\">No message; %s</p>\n", stats_domains(side, domains));
    else
        buf_text(page, "<p class=\"soft\">%s message%s %s %s</p>\n", figure_count(side->sum.messages, text),
                 side->sum.messages == 1 ? "" : "s", d == STATS_SENT ? "to" : "from", stats_domains(side, domains));
    if (side->sum.messages > 0) {
        if (d == STATS_SENT)
            add_protection(page, &side->sum);
        add_versions(page, v, &side->sum);
    }
    if (trend || (v->by_day && side->sum.messages > 0))
        add(page, "<h3>By day</h3>\n");
    if (trend)
        stats_draw_days(page, v, d);
    if (v->by_day && side->sum.messages > 0)
        add_days(page, v, d);
    if (d == STATS_SENT)
        add_reasons(page, v);
    if (!v->by_day && side->row_count > 0)
        add_domains(page, v, d);
    add(page, "</section>\n");
}

static void add_head(struct buf *page, const struct stats_view *v)
{
    char period[PERIOD_TEXT_MAX], day[PERIOD_DAY_MAX];
    uint32_t first = stats_counted_since(v->stats);

    add(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
              "<title>How our mail travels");
    if (v->host) {
        add(page, ": ");
        html_text(page, v->host);
    }
    add(page, "</title>\n<style>\n");
    add(page, style_sheet);
    add(page, "</style></head>\n<body><main>\n<h1>How our mail travels</h1>\n<p class=\"soft\">");
    html_text(page, v->host ? v->host : "");
    add(page, v->host ? ", " : "");
    if (v->domain) {
        add(page, "mail of ");
        html_text(page, v->domain);
        add(page, ", ");
    }
    add(page, period_text(&v->period, period));
    if (first > v->period.since)
        buf_text(page, "; counted from %s on", period_day(first, day));
    add(page, "</p>\n");
}

static void add_foot(struct buf *page)
{
    char date[CLOCK_TEXT_MAX];

    clock_iso_date(clock_wall(), date);
    add(page, "<footer><dl>\n"
              "<dt>Encrypted</dt><dd>under TLS: nobody who only listens on the way could read it</dd>\n"
              "<dt>Authenticated</dt><dd>the receiving host proved who it is, so that nobody could stand in its place: by DANE, by "
              "MTA-STS, by a rule of ours, or at least with a valid certificate</dd>\n"
              "<dt>Change</dt><dd>of the share encrypted, in points, since the period of the same length before</dd>\n"
              "<dt>Failed</dt><dd>attempts to send that came to nothing; they are no messages</dd>\n</dl>\n");
    buf_text(page, "<p>Made by postern %s at %.10s %.5s UTC.</p></footer>\n</main></body></html>\n", POSTERN_VERSION, date,
             date + 11);
}

void stats_print_html(const struct stats_view *v)
{
    auto_buf struct buf page = { 0 };

    buf_init(&page, PAGE_MAX_BYTES);
    add_head(&page, v);
    add_cards(&page, v);
    for (int d = 0; d < STATS_DIRECTIONS; d++)
        if (v->show[d])
            add_side(&page, v, (enum stats_direction)d);
    add_foot(&page);
    if (page.failed)
        cli_complain("the page is too long; --top N makes it shorter");
    else
        fwrite(buf_slice(&page).at, 1, buf_len(&page), stdout);
}
