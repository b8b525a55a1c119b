#include "policy/domains.h"

#include "base/memory.h"

struct entry {
    char *name;         /* lower case */
    const void *rule;
};

struct domain_table {
    struct entry *entries;      /* sorted by name */
    size_t count;
    const void *fallback;
};

struct domain_table *domain_table_new(void)
{
    return NEW(struct domain_table);
}

void domain_table_free(struct domain_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->entries[i].name);
    free(t->entries);
    free(t);
}

static int compare(struct slice name, const char *entry)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char a = (unsigned char)byte_lower(name.at[i]);
        unsigned char b = (unsigned char)entry[i];

        if (a != b)
            return a < b ? -1 : 1;
    }
    return entry[name.len] ? -1 : 0;
}

/* Where `name` is, or would have to be put. */
static size_t position(const struct domain_table *t, struct slice name, bool *found)
{
    size_t low = 0, high = t->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, t->entries[middle].name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool domain_table_add(struct domain_table *t, struct slice name, const void *rule)
{
    bool found;
    size_t at;

    if (slice_equal_nocase(name, SLICE("default"))) {
        found = t->fallback != NULL;
        if (!found)
            t->fallback = rule;
        return !found;
    }
    at = position(t, name, &found);
    if (found)
        return false;
    t->entries = memory_grow(t->entries, t->count + 1, sizeof *t->entries);
    memmove(t->entries + at + 1, t->entries + at, (t->count - at) * sizeof *t->entries);
    t->entries[at] = (struct entry){ memory_text(name), rule };
    for (char *c = t->entries[at].name; *c; c++)
        *c = byte_lower(*c);
    t->count++;
    return true;
}

const void *domain_table_find(const struct domain_table *t, struct slice domain)
{
    bool found;
    size_t at = position(t, domain, &found);

    while (!found) {
        size_t dot = slice_find(slice_after(domain, 1), '.') + 1;

        if (domain.len == 0 || dot >= domain.len)
            return t->fallback;
        domain = slice_after(domain, dot);      /* keeps the dot: the name of a suffix rule */
        at = position(t, domain, &found);
    }
    return t->entries[at].rule;
}
