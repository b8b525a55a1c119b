/* The first byte says how the rest is cut in pieces; the cut must not show, and
 * the scan must find in a stream what a slow reader finds in the whole. */
#include "tests/fuzz/fuzz.h"

#include "base/memory.h"
#include "message/header.h"

/* The line at the front of `*rest`, its CRLF cut off; what has no CRLF is a line as well. */
static struct slice next_line(struct slice *rest)
{
    const char *end = memmem(rest->at, rest->len, "\r\n", 2);
    struct slice line = slice_first(*rest, end ? (size_t)(end - rest->at) : rest->len);

    *rest = slice_after(*rest, line.len + 2);
    return line;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice without_blanks(struct slice s)
{
    while (s.len && is_blank(s.at[0]))
        s = slice_after(s, 1);
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* TLS-Required by the book: the header first, then lines, then their folds. */
static enum tls_required_field slow_reader(struct slice text)
{
    auto_free char *value = memory_new(text.len + 1);
    enum tls_required_field found = TLS_REQUIRED_ABSENT;
    struct slice rest = header_of(text);

    while (rest.len) {
        struct slice line = next_line(&rest), name = slice_cut(&line, ':');
        size_t used = line.len;

        if (!line.at || !slice_equal_nocase(name, SLICE("TLS-Required")))
            continue;
        memcpy(value, line.at, line.len);
        while (rest.len && is_blank(rest.at[0])) {
            line = next_line(&rest);
            memcpy(value + used, line.at, line.len);
            used += line.len;
        }
        if (found != TLS_REQUIRED_UNCLEAR)
            found = slice_equal_nocase(without_blanks(slice(value, used)), SLICE("No")) ? TLS_REQUIRED_NO
                                                                                        : TLS_REQUIRED_UNCLEAR;
    }
    return found;
}

/* A CR at the very end is no byte of its line yet. */
static struct slice settled(struct slice text)
{
    while (text.len && text.at[text.len - 1] == '\r')
        text.len--;
    return text;
}

static void check_tls_required(struct slice text)
{
    struct header_scan h;
    struct slice value;

    text = settled(text);
    header_scan_init(&h);
    header_scan(&h, text);
    assert(header_tls_required(&h, &value) == slow_reader(text));
    assert(value.len <= sizeof h.value);
}

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
    assert(header_tls_required(&whole, NULL) == header_tls_required(&pieces, NULL));
    check_tls_required(text);

    /* The scan and the slice agree on where the header ends. */
    header = header_of(text);
    header_scan_init(&pieces);
    header_scan(&pieces, header);
    assert(pieces.received == whole.received);
    assert(pieces.ended == whole.ended);
    assert(header_tls_required(&pieces, NULL) == header_tls_required(&whole, NULL));
    if (header.len > 0 && whole.ended) {
        header_scan_init(&pieces);
        header_scan(&pieces, slice_first(header, header.len - 1));
        assert(!pieces.ended);
    }
    return 0;
}
