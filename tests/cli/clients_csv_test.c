/* Rows of clients who say what they like. */
#include "tests/test.h"

#include "cli/clients.h"

#include <stdio.h>
#include <unistd.h>

static char printed[200000];

/* What the function writes to standard output. */
static const char *output_of(void (*print)(const struct clients_view *v), const struct clients_view *v)
{
    FILE *file = tmpfile();
    int was;
    size_t len;

    fflush(stdout);
    was = dup(STDOUT_FILENO);
    CHECK(file && was >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    print(v);
    fflush(stdout);
    CHECK(dup2(was, STDOUT_FILENO) >= 0);
    close(was);
    rewind(file);
    len = fread(printed, 1, sizeof printed - 1, file);
    printed[len] = '\0';
    fclose(file);
    return printed;
}

static void visit(struct clients *c, uint32_t day, const struct visit *v)
{
    auto_buf struct buf key = { 0 };

    buf_init(&key, 4096);
    visit_encode(v, &key);
    CHECK(!key.failed);
    clients_take(c, day, buf_slice(&key), 1);
}

/* Cells and rows as a reader of RFC 4180 finds them. */
static void count(const char *text, size_t *rows, size_t *cells)
{
    bool quoted = false;

    *rows = *cells = 0;
    for (; *text; text++) {
        if (*text == '"')
            quoted = !quoted;
        if (!quoted && (*text == ',' || *text == '\n'))
            (*cells)++;
        if (!quoted && *text == '\n')
            (*rows)++;
    }
    CHECK(!quoted);
}

/* Names and users that differ, each as long as any is kept, and of quotes. */
static struct clients *crowd(const struct clients_want *want, char filling)
{
    struct clients *c = clients_new(want);
    char name[256], user[256], problem[256];
    struct visit v = { .role = VISIT_SUBMISSION, .name = name, .user = user, .group = "", .cipher = "", .problem = problem };

    memset(name, filling, sizeof name - 1);
    memset(user, filling, sizeof user - 1);
    memset(problem, filling, sizeof problem - 1);
    name[255] = user[255] = problem[255] = '\0';
    for (int i = 0; i < 20; i++) {
        name[0] = user[1] = problem[2] = (char)('a' + i);
        v.end = i % 2 ? VISIT_HANDSHAKE_FAILED : VISIT_SENT;
        CHECK(address_parse_ip(SLICE("192.0.2.7"), &v.client));
        visit(c, 20000, &v);
    }
    CHECK(address_parse_ip(SLICE("198.51.100.7"), &v.client));
    v.name = v.user = v.problem = "after";
    visit(c, 20000, &v);
    clients_finish(c);
    return c;
}

TEST(no_name_reaches_beyond_its_cell)
{
    static const char fillings[] = { '"', ',', '\\', '=', '\'', 'x' };
    const struct clients_want want = { .since = 20000, .until = 20000, .by = CLIENTS_BY_ADDRESS };
    size_t rows, cells;

    for (size_t i = 0; i < sizeof fillings; i++) {
        struct clients_view v = { .clients = crowd(&want, fillings[i]), .period = { 20000, 20000 }, .by = want.by };

        count(output_of(clients_export_csv, &v), &rows, &cells);
        CHECK_EQUAL(rows, 3);
        CHECK_EQUAL(cells, 3 * 12);
        count(output_of(clients_print_csv, &v), &rows, &cells);
        CHECK_EQUAL(rows, 3);
        CHECK_EQUAL(cells, 3 * 17);
        clients_free((struct clients *)v.clients);
    }
}
