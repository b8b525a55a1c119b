/* The first byte says how the rest is cut in pieces; the cut must not show. */
#include "tests/fuzz/fuzz.h"

#include "message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header_scan whole, pieces;
    struct slice text, rest, header;
    size_t piece;

    if (size == 0)
        return 0;
    text = rest = slice(data + 1, size - 1);
    piece = 1 + data[0] % 17;
    header_scan_init(&whole);
    header_scan(&whole, text);
    header_scan_init(&pieces);
    while (rest.len) {
        header_scan(&pieces, slice_first(rest, piece));
        rest = slice_after(rest, piece);
    }
    assert(whole.received == pieces.received && whole.ended == pieces.ended);

    /* The scan and the slice agree on where the header ends. */
    header = header_of(text);
    header_scan_init(&pieces);
    header_scan(&pieces, header);
    assert(pieces.received == whole.received);
    assert(pieces.ended == whole.ended);
    if (header.len > 0 && whole.ended) {
        header_scan_init(&pieces);
        header_scan(&pieces, slice_first(header, header.len - 1));
        assert(!pieces.ended);
    }
    return 0;
}
