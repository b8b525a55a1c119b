#include "tlsrpt/gzip.h"

#include <limits.h>
#include <zlib.h>

enum {
    WRAPPED = 16,                       /* zlib's word for gzip's frame */
    LEAST_WINDOW = 10,                  /* bits */
    PIECE = 16 * 1024,
    FREE_BYTES = 1024 * 1024,           /* of output, before the ratio counts */
    MOST_RATIO = 200,
};

bool gzip_is(struct slice bytes)
{
    return slice_starts(bytes, SLICE("\x1f\x8b"));
}

static void set_input(z_stream *z, struct slice bytes)
{
    z->next_in = (Bytef *)bytes.at;
    z->avail_in = (uInt)bytes.len;
}

/* What zlib put into `piece`. */
static void take_piece(z_stream *z, const Bytef piece[PIECE], struct buf *out)
{
    buf_add(out, slice(piece, PIECE - z->avail_out));
}

/* A window that is no larger than what it is for: zlib's usual 256 KiB cost more than packing the few KiB of most reports. */
static int window_for(size_t bytes)
{
    int bits = LEAST_WINDOW;

    while (bits < MAX_WBITS && bytes >> bits > 0)
        bits++;
    return bits;
}

bool gzip_pack(struct slice bytes, struct buf *out, struct error *why)
{
    const int window = window_for(bytes.len), memory_level = window - 7;    /* 15 and 8: zlib's own choice */
    z_stream z = { 0 };
    Bytef piece[PIECE];
    int state;

    if (bytes.len > UINT_MAX)
        return fail(why, E_LIMIT, "%zu bytes are too many to be packed", bytes.len);
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WRAPPED + window, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
        return fail(why, E_SYSTEM, "no memory to pack a report");
    set_input(&z, bytes);
    do {
        z.next_out = piece;
        z.avail_out = PIECE;
        state = deflate(&z, Z_FINISH);
        take_piece(&z, piece, out);
    } while (state == Z_OK && !out->failed);
    deflateEnd(&z);
    if (out->failed)
        return fail(why, E_LIMIT, "the report is larger than %zu bytes when packed", out->max);
    return state == Z_STREAM_END || fail(why, E_SYSTEM, "zlib failed with %d", state);
}

/* --- unpacking ------------------------------------------------------------------ */

static bool is_bomb(size_t in, size_t out)
{
    return out > FREE_BYTES && out / MOST_RATIO > in;
}

/* One step of inflate(): false when there is nothing more to be done, well or badly. */
static bool inflate_some(z_stream *z, struct buf *out, int *state)
{
    Bytef piece[PIECE];

    z->next_out = piece;
    z->avail_out = PIECE;
    *state = inflate(z, Z_NO_FLUSH);
    take_piece(z, piece, out);
    if (*state == Z_STREAM_END && gzip_is(slice(z->next_in, z->avail_in)))
        *state = inflateReset(z);       /* RFC 1952 2.2: "a series of members" */
    return *state == Z_OK;
}

bool gzip_unpack(struct slice bytes, struct buf *out, struct error *why)
{
    const size_t before = buf_len(out);
    z_stream z = { 0 };
    bool bomb = false;
    int state;

    if (!gzip_is(bytes))
        return fail(why, E_MALFORMED, "this is not gzip");
    if (bytes.len > UINT_MAX)
        return fail(why, E_LIMIT, "%zu bytes are too many to be unpacked", bytes.len);
    if (inflateInit2(&z, WRAPPED + MAX_WBITS) != Z_OK)
        return fail(why, E_SYSTEM, "no memory to unpack a report");
    set_input(&z, bytes);
    while (inflate_some(&z, out, &state) && !out->failed && !bomb)
        bomb = is_bomb(bytes.len, buf_len(out) - before);
    inflateEnd(&z);
    if (bomb)
        return fail(why, E_LIMIT, "%zu bytes of gzip unpack to more than %d times that", bytes.len, MOST_RATIO);
    if (out->failed)
        return fail(why, E_LIMIT, "the gzip unpacks to more than %zu bytes", out->max);
    if (state != Z_STREAM_END)
        return fail(why, E_MALFORMED, state == Z_BUF_ERROR ? "the gzip is cut short" : "the gzip is damaged");
    return true;
}
