/* tests/tlsrpt/fixture.h - reports as large senders write them, under documentation names: tests/tlsrpt/data/. */
#ifndef TESTS_TLSRPT_FIXTURE_H
#define TESTS_TLSRPT_FIXTURE_H

#include "base/buf.h"

#include <assert.h>
#include <stdio.h>

/* The file into an empty buf. */
static inline struct slice fixture(const char *name, struct buf *out)
{
    char path[4096];
    size_t got;
    FILE *f;

    snprintf(path, sizeof path, "%s/data/%s", TESTS_TLSRPT, name);
    f = fopen(path, "r");
    assert(f);
    buf_init(out, 1024 * 1024);
    while ((got = fread(buf_room(out, 4096), 1, 4096, f)) > 0)
        buf_grew(out, got);
    fclose(f);
    return buf_slice(out);
}

#endif
