/* Statistics as lines of CSV: counts, and no shares, for a spreadsheet makes those; see cli/stats.h. */
#include "cli/stats.h"

#include "cli/figures.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = CSV_CELL_MAX + 2048 };      /* the label, and numbers */

static const char *const direction_names[STATS_DIRECTIONS] = { [STATS_SENT] = "sent", [STATS_RECEIVED] = "received" };

static void end_line(struct buf *line)
{
    printf("%.*s\n", SLICE_ARGS(buf_slice(line)));
    buf_clear(line);
}

/* Where nobody proves who he is, the cells are empty. */
static void put_authentication(struct buf *line, enum stats_direction d, const struct stats_sum *s)
{
    if (d != STATS_SENT) {
        buf_add(line, SLICE(",,,,,"));
        return;
    }
    buf_text(line, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, stats_authenticated(s),
             s->authentication[AUTHENTICATED_DANE], s->authentication[AUTHENTICATED_STS],
             s->authentication[AUTHENTICATED_OPERATOR], s->authentication[AUTHENTICATED_PKIX]);
}

static void print_row(const struct stats_view *v, enum stats_direction d, const struct stats_row *row, struct buf *line)
{
    const struct stats_sum *s = &row->sum;
    char label[STATS_LABEL_MAX];

    buf_text(line, "%s,", direction_names[d]);
    csv_text(line, stats_label(v, row, label));
    buf_text(line, ",%zu,%" PRIu64 ",%" PRIu64, row->domains, s->messages, s->encrypted);
    put_authentication(line, d, s);
    for (int version = TLS_VERSION_NONE; version <= TLS_1_3; version++)
        buf_text(line, ",%" PRIu64, s->versions[version]);
    buf_text(line, ",%" PRIu64 ",%" PRIu64, stats_post_quantum(v->stats, s), s->failed);
    if (row->before.few)
        buf_add(line, SLICE(",,"));
    else
        buf_text(line, ",%" PRIu64 ",%" PRIu64, row->before.messages, row->before.encrypted);
    end_line(line);
}

static void print_domains(const struct stats_view *v, struct buf *line)
{
    puts("direction,domain,domains,messages,encrypted,authenticated,dane,mta-sts,operator,pkix,in-clear,tls-1.0,tls-1.1,"
         "tls-1.2,tls-1.3,post-quantum,failed-attempts,messages-before,encrypted-before");
    for (int d = 0; d < STATS_DIRECTIONS; d++) {
        const struct stats_side *side = stats_side(v->stats, (enum stats_direction)d);

        for (size_t i = 0; v->show[d] && i < side->row_count; i++)
            print_row(v, (enum stats_direction)d, side->rows[i], line);
    }
}

static void print_day(const struct stats_view *v, enum stats_direction d, uint32_t i, struct buf *line)
{
    const struct stats_brief *b = &stats_side(v->stats, d)->days[i];
    char day[PERIOD_DAY_MAX];

    buf_text(line, "%s,%s,", direction_names[d], period_day(v->period.since + i, day));
    if (b->few)
        buf_add(line, SLICE(",,"));
    else
        buf_text(line, "%" PRIu64 ",%" PRIu64 ",", b->messages, b->encrypted);
    if (!b->few && d == STATS_SENT)
        buf_text(line, "%" PRIu64, b->authenticated);
    end_line(line);
}

static void print_days(const struct stats_view *v, struct buf *line)
{
    puts("direction,day,messages,encrypted,authenticated");
    for (int d = 0; d < STATS_DIRECTIONS; d++)
        for (uint32_t i = 0; v->show[d] && i < period_days(&v->period); i++)
            print_day(v, (enum stats_direction)d, i, line);
}

void stats_print_csv(const struct stats_view *v)
{
    auto_buf struct buf line = { 0 };

    buf_init(&line, LINE_MAX_BYTES);
    if (v->by_day)
        print_days(v, &line);
    else
        print_domains(v, &line);
}
