#include "serve/census.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { ROWS = 2, CELLS = 4096 };

struct column {
    _Atomic uint32_t total;
    _Atomic uint16_t cells[ROWS][CELLS];
};

struct census {
    uint64_t keys[ROWS];
    unsigned count;
    struct column columns[];
};

static size_t size_of(unsigned columns)
{
    return sizeof(struct census) + columns * sizeof(struct column);
}

struct census *census_new(unsigned columns, struct error *why)
{
    struct census *c = mmap(NULL, size_of(columns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (c == MAP_FAILED) {
        fail_errno(why, E_SYSTEM, "cannot map memory for counting clients");
        return NULL;
    }
    c->count = columns;
    if (getrandom(c->keys, sizeof c->keys, 0) != (ssize_t)sizeof c->keys) {
        census_free(c);
        fail_errno(why, E_SYSTEM, "no randomness");
        return NULL;
    }
    return c;
}

void census_free(struct census *c)
{
    if (c)
        munmap(c, size_of(c->count));
}

void census_wipe(struct census *c, unsigned column)
{
    struct column *mine = &c->columns[column];

    mine->total = 0;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < CELLS; i++)
            mine->cells[r][i] = 0;
}

static size_t cell(const struct census *c, size_t row, const struct address *client)
{
    size_t len = client->family == AF_INET6 ? 8 : 4;
    uint64_t hash = c->keys[row];

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ client->ip[i]) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
    return hash % CELLS;
}

void census_enter(struct census *c, unsigned column, const struct address *client)
{
    c->columns[column].total++;
    for (size_t r = 0; r < ROWS; r++)
        c->columns[column].cells[r][cell(c, r, client)]++;
}

void census_leave(struct census *c, unsigned column, const struct address *client)
{
    c->columns[column].total--;
    for (size_t r = 0; r < ROWS; r++)
        c->columns[column].cells[r][cell(c, r, client)]--;
}

unsigned census_of(const struct census *c, const struct address *client)
{
    unsigned least = UINT32_MAX;

    for (size_t r = 0; r < ROWS; r++) {
        size_t at = cell(c, r, client);
        unsigned sum = 0;

        for (unsigned i = 0; i < c->count; i++)
            sum += c->columns[i].cells[r][at];
        if (sum < least)
            least = sum;
    }
    return least;
}

unsigned census_total(const struct census *c)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < c->count; i++)
        sum += c->columns[i].total;
    return sum;
}
