/* What a hook was told, as bytes; see serve/hook_plan.h. */
#include "serve/hook_plan.h"

#include "base/cursor.h"

enum { FORMAT = 1 };

void hook_told_encode(const struct hook_told *t, struct buf *out)
{
    buf_u8(out, FORMAT);
    buf_u64(out, (uint64_t)t->told);
    buf_u64(out, (uint64_t)t->first);
    buf_u64(out, t->count);
    buf_u64(out, (uint64_t)t->last);
    buf_u64(out, (uint64_t)t->failing);
    buf_u64(out, (uint64_t)t->calling);
}

static time_ms get_time(struct cursor *in)
{
    uint64_t wall = cursor_u64(in);

    if (wall > INT64_MAX / 2)
        in->failed = true;
    return (time_ms)wall;
}

bool hook_told_decode(struct slice bytes, struct hook_told *out)
{
    struct cursor in = cursor_over(bytes);
    struct hook_told t;
    uint8_t format = cursor_u8(&in);

    t.told = get_time(&in);
    t.first = get_time(&in);
    t.count = cursor_u64(&in);
    t.last = get_time(&in);
    t.failing = get_time(&in);
    t.calling = get_time(&in);
    if (!cursor_ended(&in) || format != FORMAT)
        return false;
    *out = t;
    return true;
}
