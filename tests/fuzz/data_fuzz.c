/* The data between DATA and the dot. The first byte says how the rest is cut;
 * reading whole, cut, or byte by byte must come to the same, and what is clean
 * makes the way back through the writer unchanged. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "smtp/data.h"

struct outcome {
    struct data_reader reader;
    struct buf message;
    size_t consumed;
    bool ended;
};

static void keep(void *arg, struct slice piece)
{
    assert(piece.len > 0);
    buf_add(arg, piece);
}

static struct outcome read_cut(struct slice input, size_t chunk)
{
    struct outcome o = { 0 };

    buf_init(&o.message, 16 * 1024 * 1024);
    data_reader_init(&o.reader);
    while (o.consumed < input.len && !o.ended) {
        struct slice piece = slice_first(slice_after(input, o.consumed), chunk);
        size_t taken = data_read(&o.reader, piece, keep, &o.message, &o.ended);

        assert(o.ended || taken == piece.len);
        o.consumed += taken;
    }
    assert(o.reader.bytes == buf_len(&o.message));
    return o;
}

static void same(const struct outcome *a, const struct outcome *b)
{
    assert(a->consumed == b->consumed && a->ended == b->ended);
    assert(slice_equal(buf_slice(&a->message), buf_slice(&b->message)));
    assert(a->reader.longest_line == b->reader.longest_line && a->reader.line == b->reader.line);
    assert(a->reader.bare_cr == b->reader.bare_cr && a->reader.bare_lf == b->reader.bare_lf);
    assert(a->reader.eight_bit == b->reader.eight_bit && a->reader.nul == b->reader.nul);
}

/* By the book, for comparison: is there a CR or LF alone? */
static bool has_bare(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '\r' && (i + 1 == s.len || s.at[i + 1] != '\n'))
            return true;
        if (s.at[i] == '\n' && (i == 0 || s.at[i - 1] != '\r'))
            return true;
    }
    return false;
}

static bool write_cut(struct slice message, size_t chunk, struct buf *wire)
{
    struct data_writer w;

    data_writer_init(&w);
    for (size_t at = 0; at < message.len; at += chunk)
        data_write(&w, slice_first(slice_after(message, at), chunk), keep, wire);
    data_finish(&w, keep, wire);
    return !w.bare_newline;
}

/* Anything may be given to the writer: only what is clean gets a final dot. */
static void write_and_read(struct slice message, size_t chunk)
{
    struct buf wire;
    struct outcome o;
    bool finished;

    buf_init(&wire, 16 * 1024 * 1024);
    finished = write_cut(message, chunk, &wire);
    assert(finished == !has_bare(message));
    o = read_cut(buf_slice(&wire), SIZE_MAX);
    assert(o.ended == finished && o.consumed == buf_len(&wire));
    assert(!o.reader.bare_lf);
    if (finished) {
        assert(slice_starts(buf_slice(&o.message), message));
        assert(buf_len(&o.message) <= message.len + 2);
    }
    buf_done(&o.message);
    buf_done(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice(data + 1, size ? size - 1 : 0);
    struct outcome whole, cut, bytes;

    if (size == 0)
        return 0;
    whole = read_cut(input, SIZE_MAX);
    cut = read_cut(input, 1u + data[0]);
    bytes = read_cut(input, 1);
    same(&whole, &cut);
    same(&whole, &bytes);
    if (whole.ended)
        assert(has_bare(buf_slice(&whole.message)) == (whole.reader.bare_cr || whole.reader.bare_lf));
    write_and_read(input, 1u + data[0]);
    buf_done(&whole.message);
    buf_done(&cut.message);
    buf_done(&bytes.message);
    return 0;
}
