#include "tests/test.h"

#include "base/buf.h"
#include "smtp/data.h"

#include <stdlib.h>

enum { MOST = 4 * 1024 * 1024 };

static void collect(void *arg, struct slice piece)
{
    CHECK(piece.len > 0);
    buf_add(arg, piece);
}

/* Reads `input` in pieces of `chunk` bytes; returns how many were consumed. */
static size_t read_chunks(struct data_reader *r, struct slice input, size_t chunk, struct buf *message, bool *ended)
{
    size_t consumed = 0;

    data_reader_init(r);
    *ended = false;
    while (consumed < input.len && !*ended) {
        struct slice piece = slice_first(slice_after(input, consumed), chunk);
        size_t taken = data_read(r, piece, collect, message, ended);

        CHECK(*ended || taken == piece.len);
        consumed += taken;
    }
    return consumed;
}

static const struct {
    const char *input, *message, *rest;
    bool bare_cr, bare_lf;
} ended_rows[] = {
    { ".\r\n", "", "", false, false },                              /* the CRLF of DATA came before */
    { ".\r\nQUIT\r\n", "", "QUIT\r\n", false, false },
    { "a\r\n.\r\n", "a\r\n", "", false, false },                    /* SMTP-045 */
    { "a\r\n.\r\n.\r\n", "a\r\n", ".\r\n", false, false },
    { "\r\n.\r\n", "\r\n", "", false, false },
    { "..\r\n.\r\n", ".\r\n", "", false, false },                   /* SMTP-044 */
    { "...\r\n.\r\n", "..\r\n", "", false, false },
    { ".a\r\n.\r\n", "a\r\n", "", false, false },
    { "a.\r\n.\r\n", "a.\r\n", "", false, false },
    { "a\r\n..\r\n.b\r\n.\r\n", "a\r\n.\r\nb\r\n", "", false, false },
    { "\ta\r\n.\r\n", "\ta\r\n", "", false, false },
    /* bare ones on the way, but no end */
    { "a\n.\r\n.\r\n", "a\n.\r\n", "", false, true },
    { "a\r.\r\n.\r\n", "a\r.\r\n", "", true, false },
    { ".\n.\r\n\r\n.\r\n", "\n.\r\n\r\n", "", false, true },
    { ".\r.\r\n\r\n.\r\n", "\r.\r\n\r\n", "", true, false },
    { ".\r\r\n.\r\n", "\r\r\n", "", true, false },                  /* the second CR begins a CRLF */
    { "a\r\r\n.\r\n", "a\r\r\n", "", true, false },
    { "\n\r\n.\r\n", "\n\r\n", "", false, true },
    { "\r\r\r\n.\r\n", "\r\r\r\n", "", true, false },
    { ".\rx\r\n.\r\n", "\rx\r\n", "", true, false },
};

TEST(data_ends_at_the_dot_line_however_it_is_split)
{
    for (size_t i = 0; i < sizeof ended_rows / sizeof ended_rows[0]; i++) {
        struct slice input = slice_of(ended_rows[i].input), rest = slice_of(ended_rows[i].rest);

        for (size_t chunk = 1; chunk <= input.len; chunk++) {
            auto_buf struct buf message;
            struct data_reader r;
            bool ended;

            buf_init(&message, MOST);
            CHECK_EQUAL(read_chunks(&r, input, chunk, &message, &ended), input.len - rest.len);
            CHECK(ended);
            CHECK_SLICE(buf_slice(&message), ended_rows[i].message);
            CHECK_EQUAL(r.bytes, strlen(ended_rows[i].message));
            CHECK(r.bare_cr == ended_rows[i].bare_cr);
            CHECK(r.bare_lf == ended_rows[i].bare_lf);
            CHECK(!r.eight_bit && !r.nul);
        }
    }
}

/* SMTP-041: what other servers took for the end of data, in the middle of a message. */
TEST(no_other_line_of_a_dot_ends_the_data)
{
    static const char *const endings[] = {
        "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n .\r\n",
        "\r\n. \r\n", "\n\n.\n\n", "\r\r.\r\r", "\n.\r", "\r.\n", "\r\n.\r\r\n", "\n\r.\n\r",
    };

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char input[64];
        size_t ending = strlen(endings[i]) + (i == 6 ? 5 : i == 7 ? 3 : 0), len;

        len = (size_t)snprintf(input, sizeof input, "text");
        memcpy(input + len, endings[i], ending);
        len += ending;
        memcpy(input + len, "MAIL FROM:<x@y>", 15);
        len += 15;
        for (size_t split = 0; split <= len; split++) {
            auto_buf struct buf message;
            struct data_reader r;
            bool ended = true;

            buf_init(&message, MOST);
            data_reader_init(&r);
            CHECK_EQUAL(data_read(&r, slice(input, split), collect, &message, &ended), split);
            CHECK_ID("SMTP-041", !ended);
            CHECK_EQUAL(data_read(&r, slice(input + split, len - split), collect, &message, &ended), len - split);
            CHECK_ID("SMTP-041", !ended);
            if (i < 6)
                CHECK_ID("SMTP-042", r.bare_cr || r.bare_lf);
        }
    }
}

TEST(an_empty_piece_changes_nothing)
{
    auto_buf struct buf message;
    struct data_reader r;
    bool ended = true;

    buf_init(&message, 10);
    data_reader_init(&r);
    CHECK_EQUAL(data_read(&r, slice("", 0), collect, &message, &ended), 0);
    CHECK(!ended);
    CHECK_EQUAL(buf_len(&message), 0);
}

TEST(eight_bit_and_nul_bytes_are_noticed_and_kept)      /* SMTP-215 */
{
    const struct { struct slice input; bool eight_bit, nul; } rows[] = {
        { SLICE("plain text, long enough\r\n.\r\n"), false, false },
        { SLICE("caf\xc3\xa9 in a longer line here\r\n.\r\n"), true, false },
        { SLICE("0123456789abcdef\x80\r\n.\r\n"), true, false },
        { SLICE("\xff\r\n.\r\n"), true, false },
        { SLICE("a\0b, and more of that\r\n.\r\n"), false, true },
        { SLICE("01234567\0" "01234567\r\n.\r\n"), false, true },
        { SLICE("\0\x80\r\n.\r\n"), true, true },
        { SLICE("tab\tand bell\a are plain\r\n.\r\n"), false, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t chunk = 1; chunk <= rows[i].input.len; chunk++) {
            auto_buf struct buf message;
            struct data_reader r;
            bool ended;

            buf_init(&message, MOST);
            read_chunks(&r, rows[i].input, chunk, &message, &ended);
            CHECK(ended);
            CHECK(slice_equal(buf_slice(&message), slice_first(rows[i].input, rows[i].input.len - 3)));
            CHECK(r.eight_bit == rows[i].eight_bit);
            CHECK(r.nul == rows[i].nul);
        }
    }
}

TEST(the_longest_line_is_measured_without_stuffed_dots)     /* SMTP-061 */
{
    static const struct { const char *input; size_t longest; } rows[] = {
        { ".\r\n", 0 }, { "\r\n.\r\n", 2 }, { "abc\r\na\r\n.\r\n", 5 }, { "a\r\nabcd\r\n.\r\n", 6 },
        { "..a\r\n.\r\n", 4 }, { "a\rb\r\n.\r\n", 5 }, { "a\nb\r\n.\r\n", 5 }, { ".\ra\r\n.\r\n", 4 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t chunk = 1; chunk <= strlen(rows[i].input); chunk++) {
            auto_buf struct buf message;
            struct data_reader r;
            bool ended;

            buf_init(&message, MOST);
            read_chunks(&r, slice_of(rows[i].input), chunk, &message, &ended);
            CHECK_EQUAL(r.longest_line, rows[i].longest);
        }
    }
}

/* --- writing --------------------------------------------------------------------------------- */

static bool write_chunks(struct slice message, size_t chunk, struct buf *wire)
{
    struct data_writer w;

    data_writer_init(&w);
    for (size_t at = 0; at < message.len; at += chunk)
        data_write(&w, slice_first(slice_after(message, at), chunk), collect, wire);
    data_finish(&w, collect, wire);
    return !w.bare_newline;
}

TEST(dots_are_stuffed_and_the_end_is_written_however_it_is_split)
{
    static const struct { const char *message, *wire; } rows[] = {
        { "", ".\r\n" },
        { "a\r\n", "a\r\n.\r\n" },
        { "a", "a\r\n.\r\n" },                      /* SMTP-046 */
        { "\r\n", "\r\n.\r\n" },
        { ".", "..\r\n.\r\n" },                     /* SMTP-044 */
        { ".\r\n", "..\r\n.\r\n" },
        { "..\r\n.a\r\na.\r\n", "...\r\n..a\r\na.\r\n.\r\n" },
        { "a\r\n.\r\nMAIL FROM:<x@y>\r\n", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n" },
        { "\r\n\r\n.\r\n", "\r\n\r\n..\r\n.\r\n" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t chunk = 1; chunk <= strlen(rows[i].message) + 1; chunk++) {
            auto_buf struct buf wire;

            buf_init(&wire, MOST);
            CHECK(write_chunks(slice_of(rows[i].message), chunk, &wire));
            CHECK_SLICE(buf_slice(&wire), rows[i].wire);
        }
    }
}

TEST(a_bare_newline_stops_the_writer_before_the_dot)    /* SMTP-043 */
{
    static const char *const messages[] = {
        "a\nb\r\n", "\n", "a\n", "a\rb\r\n", "\r", "a\r", "a\r\r\n", "\n.\n", "\r\n.\n", "a\r\n\n", "a\r\n\rb",
        "ok\r\nok\r\na\n.\r\nMAIL FROM:<x@y>\r\n",
    };

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        for (size_t chunk = 1; chunk <= strlen(messages[i]); chunk++) {
            auto_buf struct buf wire, read;
            struct data_reader r;
            bool ended;

            buf_init(&wire, MOST);
            buf_init(&read, MOST);
            CHECK_ID("SMTP-043", !write_chunks(slice_of(messages[i]), chunk, &wire));
            read_chunks(&r, buf_slice(&wire), SIZE_MAX, &read, &ended);
            CHECK(!ended && !r.bare_lf);
            CHECK(!memmem(buf_slice(&wire).at, buf_len(&wire), "MAIL", 4));
        }
    }
}

/* --- both -------------------------------------------------------------------------------------- */

/* Random messages made of what matters: CRLF, dots, and others. */
static void make_message(struct buf *b, unsigned pieces)
{
    static const struct { const char *at; size_t len; } parts[] = {
        { "\r\n", 2 }, { ".", 1 }, { "a", 1 }, { "\xe9", 1 }, { "\0", 1 }, { "0123456789abcdef", 16 }, { "\t", 1 },
    };

    for (unsigned i = 0; i < pieces; i++) {
        size_t pick = (size_t)rand() % (sizeof parts / sizeof parts[0]);

        buf_add(b, slice(parts[pick].at, parts[pick].len));
    }
    buf_add(b, SLICE("\r\n"));
}

TEST(a_message_makes_the_way_over_the_wire_octet_for_octet)     /* SMTP-045 */
{
    srand(5321);
    for (int round = 0; round < 3000; round++) {
        auto_buf struct buf message, wire, read;
        struct data_reader r;
        bool ended;

        buf_init(&message, MOST);
        buf_init(&wire, MOST);
        buf_init(&read, MOST);
        make_message(&message, (unsigned)rand() % 60);
        CHECK(write_chunks(buf_slice(&message), 1 + (size_t)rand() % 20, &wire));
        buf_add(&wire, SLICE("QUIT"));
        CHECK_EQUAL(read_chunks(&r, buf_slice(&wire), 1 + (size_t)rand() % 20, &read, &ended), buf_len(&wire) - 4);
        CHECK(ended && !r.bare_cr && !r.bare_lf);
        CHECK_EQUAL(r.bytes, buf_len(&message));
        CHECK_ID("SMTP-045", slice_equal(buf_slice(&read), buf_slice(&message)));
    }
}
