#include "dns/text.h"

#include "base/cursor.h"

/* RFC 1035 3.3.14: "One or more <character-string>s", each with its length in front. */
static bool join(struct slice rdata, struct arena *arena, struct slice *text)
{
    struct cursor in = cursor_over(rdata);
    char *joined = arena_take(arena, rdata.len + 1);
    size_t len = 0;

    while (joined && !in.failed && in.rest.len > 0) {
        struct slice part = cursor_bytes(&in, cursor_u8(&in));

        memcpy(joined + len, part.at, part.len);
        len += part.len;
    }
    *text = slice(joined, len);
    return joined && !in.failed && rdata.len > 0;
}

bool text_records_from(const struct dns_answer *a, struct arena *arena, struct text_records *out)
{
    size_t count = a->status == DNS_FOUND ? a->count : 0;
    struct text_records made = { .at = arena_take(arena, count * sizeof *made.at) };

    for (size_t i = 0; made.at && i < count; i++)
        if (join(a->records[i], arena, &made.at[made.count]))
            made.count++;
    if (arena->failed)
        return false;
    *out = made;
    return true;
}
