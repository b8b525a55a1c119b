/* A peer's lines do not depend on how the network cuts them into reads. */
#include "tests/fuzz/fuzz.h"

#include "net/script.h"

enum { LINE = 64, SKIP = 300 };

static void check_line(enum line_result result, struct slice line)
{
    if (result != LINE_OK)
        return;
    assert(line.len + 2 <= LINE);
    for (size_t i = 1; i < line.len; i++)
        assert(line.at[i - 1] != '\r' || line.at[i] != '\n');
}

/* Both read to the end, line by line, and must agree on each. */
static void compare(struct conn *a, struct conn *b)
{
    enum line_result result, result_b;

    do {
        struct slice line = { 0 }, line_b = { 0 };
        struct error why = { 0 }, why_b = { 0 };

        result = conn_line(a, LINE, SKIP, &line, &why);
        result_b = conn_line(b, LINE, SKIP, &line_b, &why_b);
        assert(result == result_b && why.code == why_b.code);
        assert(slice_equal(line, line_b));
        check_line(result, line);
    } while (result != LINE_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script *whole, *chunks;
    struct conn *a, *b;

    if (size == 0)
        return 0;
    whole = script_bytes(slice(data + 1, size - 1), SIZE_MAX);
    chunks = script_bytes(slice(data + 1, size - 1), 1 + data[0] % 7);
    a = script_conn(whole);
    b = script_conn(chunks);
    compare(a, b);
    conn_close(a);
    conn_close(b);
    script_free(whole);
    script_free(chunks);
    return 0;
}
