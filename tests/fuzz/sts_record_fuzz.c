/* TXT records, one a line. An id is found in exactly one of them, and reads the
 * same when it is written anew. */
#include "tests/fuzz/fuzz.h"

#include "policy/mta_sts.h"

#include <stdio.h>

enum { RECORDS_MAX = 64 };

static void check_id(const char *id)
{
    struct sts_record again;
    char text[80];
    struct slice record;

    assert(strlen(id) >= 1 && strlen(id) <= 32);
    for (const char *c = id; *c; c++)
        assert(byte_is_alpha(*c) || byte_is_digit(*c));
    snprintf(text, sizeof text, "v=STSv1; id=%s;", id);
    record = slice_of(text);
    assert(sts_record_find(&record, 1, &again, NULL) && strcmp(again.id, id) == 0);
}

/* Somewhere in a record that begins with the version, behind a delimiter. */
static bool stands_in(struct slice text, const char *id)
{
    if (!slice_starts(text, SLICE("v=STSv1")))
        return false;
    while (text.at) {
        struct slice field = slice_trim(slice_cut(&text, ';'));

        if (slice_starts(field, SLICE("id=")))
            return slice_equal(slice_after(field, 3), slice_of(id));
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice texts[RECORDS_MAX], rest = slice(data, size);
    struct error why = { 0 };
    struct sts_record record;
    size_t count = 0, strict = 0, holding = 0;

    do {
        texts[count] = slice_cut(&rest, '\n');
        strict += slice_starts(texts[count++], SLICE("v=STSv1;"));
    } while (rest.at && count < RECORDS_MAX);
    if (!sts_record_find(texts, count, &record, &why)) {
        assert(why.code == E_MALFORMED || (why.code == E_NOT_FOUND && strict == 0));
        return 0;
    }
    assert(strict <= 1);
    for (size_t i = 0; i < count; i++)
        holding += stands_in(texts[i], record.id);
    assert(holding >= 1);
    check_id(record.id);
    return 0;
}
