/* TXT records, one a line. What was found can be sent to, and reads the same when it is published again. */
#include "tests/fuzz/fuzz.h"

#include "smtp/address.h"
#include "tlsrpt/record.h"

#include <stdio.h>

enum { RECORDS_MAX = 64, ARENA_BYTES = 1024 * 1024 };

static void check_mailto(const struct rua *r)
{
    struct arena arena;
    struct mailbox m;

    arena_init(&arena, 4096);
    assert(mailbox_parse(slice_of(r->address), &arena, &m, NULL) && !m.is_null && !m.is_literal);
    arena_done(&arena);
    for (const char *c = r->address; *c; c++)
        assert(*c >= ' ' && *c <= '~');
}

static void check_https(const struct rua *r)
{
    assert(domain_is_valid(slice_of(r->host), false) && strchr(r->host, '.') && r->port > 0 && r->path[0] == '/');
    for (const char *c = r->host; *c; c++)
        assert(*c == byte_lower(*c));
    for (const char *c = r->path; *c; c++)
        assert(*c > ' ' && *c <= '~' && *c != '"' && *c != '#');
}

static void check_again(const struct rua *r)
{
    char text[RUA_TEXT_MAX + 40];
    struct rpt_record record;
    struct slice published;
    struct arena arena;

    snprintf(text, sizeof text, "v=TLSRPTv1; rua=%s", r->text);
    published = slice_of(text);
    arena_init(&arena, ARENA_BYTES);
    assert(rpt_record_find(&published, 1, &arena, &record, NULL) && record.count == 1 && record.skipped == 0);
    assert(record.rua[0].scheme == r->scheme);
    if (r->scheme == RUA_MAILTO)
        assert(strcmp(record.rua[0].address, r->address) == 0);
    else
        assert(strcmp(record.rua[0].host, r->host) == 0 && strcmp(record.rua[0].path, r->path) == 0 &&
               record.rua[0].port == r->port);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice texts[RECORDS_MAX], rest = slice(data, size);
    struct error why = { 0 };
    struct rpt_record record;
    struct arena arena;
    size_t count = 0, strict = 0;

    do {
        texts[count] = slice_cut(&rest, '\n');
        strict += slice_starts(texts[count++], SLICE("v=TLSRPTv1;"));
    } while (rest.at && count < RECORDS_MAX);
    arena_init(&arena, ARENA_BYTES);
    if (rpt_record_find(texts, count, &arena, &record, &why)) {
        assert(strict <= 1 && record.count <= RUA_MAX);
        for (size_t i = 0; i < record.count; i++) {
            (record.rua[i].scheme == RUA_MAILTO ? check_mailto : check_https)(&record.rua[i]);
            check_again(&record.rua[i]);
        }
    } else {
        assert(why.code == E_MALFORMED || (why.code == E_NOT_FOUND && strict != 1) || arena.failed);
    }
    arena_done(&arena);
    return 0;
}
