/* The input is a program for a cursor: each byte says what to read next. */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"

static bool is_low(char c)
{
    return (unsigned char)c < 0x40;
}

static void within(struct slice part, struct slice whole)
{
    assert(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

static void step(struct cursor *in, struct slice whole)
{
    switch (cursor_peek(in) % 12) {
    case 0: cursor_u8(in); break;
    case 1: cursor_u16(in); break;
    case 2: cursor_u32(in); break;
    case 3: cursor_u64(in); break;
    case 4: within(cursor_block(in), whole); break;
    case 5: within(cursor_bytes(in, 7), whole); break;
    case 6: within(cursor_until(in, '\n'), whole); break;
    case 7: within(cursor_while(in, is_low), whole); break;
    case 8: cursor_skip_nocase(in, SLICE("to:")); break;
    case 9: cursor_skip(in, ' '); break;
    case 10: within(cursor_bytes(in, SIZE_MAX), whole); break;
    default: within(cursor_rest(in), whole); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice whole = slice(data, size);
    struct cursor in = cursor_over(whole);

    while (!in.failed && in.rest.len) {
        size_t before = in.rest.len;

        step(&in, whole);
        within(in.rest, whole);
        assert(in.rest.len <= before);
        if (in.rest.len == before)
            cursor_u8(&in);
    }
    if (in.failed)
        assert(cursor_u64(&in) == 0 && cursor_rest(&in).len == 0 && cursor_peek(&in) == -1 && !cursor_ended(&in));
    return 0;
}
