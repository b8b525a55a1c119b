/* The input, cut at NUL bytes, is all that strangers may say; the notice stays
 * a message of short CRLF lines with no header field of theirs. */
#include "tests/fuzz/fuzz.h"

#include "message/dsn.h"

#include "base/memory.h"

enum { STRINGS = 9 };

static void check_line(struct slice line)
{
    assert(line.len > 0 && line.at[line.len - 1] == '\r' && line.len - 1 <= 998);
    assert(memchr(line.at, '\r', line.len - 1) == NULL && memchr(line.at, '\0', line.len) == NULL);
}

/* The fields we write ourselves, and nothing else, begin with a letter. */
static void check_field(struct slice line)
{
    static const char *const ours[] = { "From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ", "Auto-Submitted: ",
                                        "MIME-Version: ", "TLS-Required: No\r", "Content-Type: ",
                                        "Content-Transfer-Encoding: " };

    if (line.at[0] == ' ')
        return;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (slice_starts(line, slice_of(ours[i])))
            return;
    assert(!"a field of somebody else's");
}

static void check(struct slice text)
{
    bool in_header = true;

    assert(slice_ends_nocase(text, SLICE("\r\n")));
    while (text.len) {
        struct slice line = slice_cut(&text, '\n');

        check_line(line);
        in_header = in_header && line.len > 1;
        if (in_header)
            check_field(line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice(data, size);
    char *text[STRINGS];
    struct dsn_recipient r[2];
    struct dsn d;
    auto_buf struct buf out = { 0 };

    for (size_t i = 0; i < STRINGS; i++)
        text[i] = memory_text(slice_cut(&rest, '\0'));
    r[0] = (struct dsn_recipient){ text[0], text[1], text[2], text[3], text[4] };
    r[1] = (struct dsn_recipient){ text[5], text[6], NULL, NULL, text[4] };
    d = (struct dsn){
        .action = size % 2 ? DSN_FAILED : DSN_DELAYED,
        .hostname = "mx.example.org",
        .postmaster = "postmaster@mx.example.org",
        .sender = text[7],
        .queue_id = "01j9x",
        .own_id = text[8],
        .arrived = SECONDS(1136214245),
        .wall = SECONDS(1136214245),
        .give_up = SECONDS(1136214245),
        .recipients = r,
        .count = size % 3,
        .tls_optional = size % 5 == 0,
        .original_header = rest,
    };
    buf_init(&out, 16 * size + 65536);
    dsn_write(&d, &out);
    assert(!out.failed);
    check(buf_slice(&out));
    for (size_t i = 0; i < STRINGS; i++)
        free(text[i]);
    return 0;
}
