#include "tests/test.h"

#include "base/buf.h"
#include "smtp/transcript.h"

static struct buf told;

static void tell(void *arg, bool sent, struct slice line)
{
    buf_text(&told, "%c:%.*s|", sent ? 'C' : 'S', SLICE_ARGS(line));
}

TEST(pieces_become_lines_and_the_message_its_size)
{
    struct transcript t = { .line = tell };

    buf_init(&told, 65536);
    transcript_hear(&t, false, SLICE("220 mx"));
    transcript_hear(&t, false, SLICE(" ready\r\n"));
    transcript_hear(&t, true, SLICE("MAIL FROM:<a@example.org>"));
    transcript_hear(&t, true, SLICE(" SIZE=3\r\nDATA\r\n"));
    transcript_hear(&t, false, SLICE("250 ok\r\n354 go\r\n"));
    transcript_hear(&t, true, SLICE("secret words\r\n"));
    transcript_hear(&t, true, SLICE(".\r\n"));
    transcript_hear(&t, false, SLICE("250 taken\r\n"));
    CHECK_SLICE(buf_slice(&told), "S:220 mx ready|C:MAIL FROM:<a@example.org> SIZE=3|C:DATA|S:250 ok|S:354 go|"
                                  "C:(the message, 17 bytes)|S:250 taken|");
    buf_done(&told);
}

TEST(a_line_without_end_is_cut)
{
    struct transcript t = { .line = tell };

    buf_init(&told, 65536);
    for (int i = 0; i < 1000; i++)
        transcript_hear(&t, false, SLICE("250-xxxxxxxxxx"));
    CHECK_EQUAL(buf_len(&told), 0);
    transcript_hear(&t, false, SLICE("\r\n"));
    CHECK(buf_len(&told) > 1000 && buf_len(&told) < 1100);
    buf_done(&told);
}
