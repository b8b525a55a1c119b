/* The parts of a message lie within it, one behind the other; what they decode to is never longer than they are. */
#include "tests/fuzz/fuzz.h"

#include "message/mime.h"

struct seen {
    struct slice message;
    const char *end;                /* of the part before */
    size_t parts;
};

static void check_decoded(const struct mime_part *part)
{
    auto_buf struct buf out = { 0 };
    struct error why = { 0 };

    buf_init(&out, part->body.len);
    if (!transfer_decode(part->encoding, part->body, &out, &why))
        assert(why.code == E_MALFORMED);
    assert(buf_len(&out) <= part->body.len);
}

static bool check_part(void *arg, const struct mime_part *part)
{
    struct seen *seen = arg;
    const char *begin = seen->message.at, *end = begin + seen->message.len;

    if (part->header.len) {
        assert(part->header.at >= seen->end && part->header.at + part->header.len <= end);
        seen->end = part->header.at + part->header.len;
    }
    if (part->body.len) {
        assert(part->body.at >= seen->end && part->body.at + part->body.len <= end);
        seen->end = part->body.at + part->body.len;
    }
    assert(part->type[0] && strlen(part->type) < MIME_TYPE_MAX);
    seen->parts++;
    check_decoded(part);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = { .message = slice(data, size), .end = (const char *)data };
    auto_arena struct arena arena = { 0 };
    struct error why = { 0 };
    struct slice header, body, value;
    bool walked = mime_walk(seen.message, check_part, &seen, &why);

    assert(walked || why.code == E_LIMIT);
    assert(seen.parts <= MIME_PARTS_MAX);
    mime_split(seen.message, &header, &body);
    arena_init(&arena, size + 64);
    if (mime_field(header, SLICE("Subject"), &value)) {
        value = mime_unfold(value, &arena);
        assert(slice_find(value, '\n') == value.len && mime_field_count(header, SLICE("subject")) > 0);
    }
    return 0;
}
