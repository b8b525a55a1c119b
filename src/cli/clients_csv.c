/* Clients as lines of CSV: figures of each, and whom to write to; see cli/clients.h. */
#include "cli/clients.h"

#include "base/buf.h"
#include "cli/figures.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    CELL_BYTES = 4096,              /* before it is escaped and cut */
    TEXTS_MOST = 5,                 /* cells of a row that hold what a stranger said, */
    OTHERS_BYTES = 1024,            /* and all its other cells */
    LINE_MAX_BYTES = TEXTS_MOST * CSV_CELL_MAX + OTHERS_BYTES,
};

static void end_line(struct buf *line)
{
    assert(!line->failed);
    printf("%.*s\n", SLICE_ARGS(buf_slice(line)));
    buf_clear(line);
}

/* One cell; a space between them, for none of them has one. */
static void put_names_cell(struct buf *line, const struct client_names *names)
{
    auto_buf struct buf cell = { 0 };

    buf_init(&cell, CELL_BYTES);
    for (size_t i = 0; i < names->count; i++)
        buf_text(&cell, "%s%s", i ? " " : "", names->at[i]);
    if (names->more)
        buf_add(&cell, SLICE(" ..."));
    csv_slice(line, buf_slice(&cell));
}

static void put_problems_cell(struct buf *line, const struct client *c)
{
    auto_buf struct buf cell = { 0 };

    buf_init(&cell, CELL_BYTES);
    for (size_t i = 0; i < c->problem_count; i++)
        buf_text(&cell, "%s%s", i ? "; " : "", c->problems[i].words[0] ? c->problems[i].words : "other reasons");
    if (c->turned_away)
        buf_text(&cell, "%sin clear where TLS is required", c->problem_count ? "; " : "");
    csv_slice(line, buf_slice(&cell));
}

static void put_version(struct buf *line, enum tls_version version)
{
    buf_text(line, ",%s", version == TLS_VERSION_NONE ? "" : tls_version_name(version));
}

static void print_csv_row(const struct clients_view *v, const struct client *c, struct buf *line)
{
    char day[PERIOD_DAY_MAX];

    buf_text(line, "%s,", clients_role_name(c->role));
    csv_text(line, clients_who(v, c));
    buf_byte(line, ',');
    put_names_cell(line, &c->addresses);
    buf_byte(line, ',');
    put_names_cell(line, &c->names);
    buf_byte(line, ',');
    put_names_cell(line, &c->users);
    buf_text(line, ",%" PRIu64, c->messages);
    for (int version = TLS_VERSION_NONE; version <= TLS_1_3; version++)
        buf_text(line, ",%" PRIu64, c->versions[version]);
    buf_text(line, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,", c->in_clear_with_password, c->failed,
             c->turned_away, c->refused, period_day(c->last, day));
    put_problems_cell(line, c);
    end_line(line);
}

void clients_print_csv(const struct clients_view *v)
{
    auto_buf struct buf line = { 0 };
    size_t count, of_role[VISIT_SUBMISSION + 1] = { 0 };
    const struct client *const *list = clients_list(v->clients, &count);

    buf_init(&line, LINE_MAX_BYTES);
    puts("role,client,addresses,names,users,messages,in-clear,tls-1.0,tls-1.1,tls-1.2,tls-1.3,passwords-in-clear,"
         "failed-handshakes,refused-in-clear,would-be-refused,last,problems");
    for (size_t i = 0; i < count; i++)
        if (v->top == 0 || of_role[list[i]->role]++ < v->top)
            print_csv_row(v, list[i], &line);
}

/* Those who must hear of it: under a rule whom it cuts off, else who sends in clear or by versions before 1.2; and who cannot
 * send already. */
static bool is_written_to(const struct clients_view *v, const struct client *c)
{
    if (c->unnamed)
        return false;
    if (c->refused > 0 || client_fails_already(c) || c->in_clear_with_password > 0)
        return true;
    return !clients_view_has_rule(v) && (c->versions[TLS_VERSION_NONE] > 0 || (c->oldest != TLS_VERSION_NONE && c->oldest < TLS_1_2));
}

static void export_row(const struct client *c, struct buf *line)
{
    char day[PERIOD_DAY_MAX];

    put_names_cell(line, &c->addresses);
    buf_byte(line, ',');
    put_names_cell(line, &c->names);
    buf_byte(line, ',');
    put_names_cell(line, &c->users);
    buf_text(line, ",%s,%s,%" PRIu64 ",%" PRIu64, clients_role_name(c->role), period_day(c->last, day), c->messages,
             c->versions[TLS_VERSION_NONE]);
    put_version(line, c->oldest);
    buf_text(line, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", c->refused, c->in_clear_with_password, c->failed + c->turned_away);
    put_problems_cell(line, c);
    end_line(line);
}

void clients_export_csv(const struct clients_view *v)
{
    auto_buf struct buf line = { 0 };
    size_t count, of_role[VISIT_SUBMISSION + 1] = { 0 };
    const struct client *const *list = clients_list(v->clients, &count);

    buf_init(&line, LINE_MAX_BYTES);
    puts("address,name,user,role,last-day,messages,in-clear,oldest-version,would-be-refused,passwords-in-clear,failed-sessions,"
         "problems");
    for (size_t i = 0; i < count; i++)
        if (is_written_to(v, list[i]) && (v->top == 0 || of_role[list[i]->role]++ < v->top))
            export_row(list[i], &line);
}
