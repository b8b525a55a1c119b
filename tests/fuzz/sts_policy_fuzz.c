/* A policy file. What it says reads the same when it is written anew, with
 * either line end, and each pattern covers the hosts it should and no other. */
#include "tests/fuzz/fuzz.h"

#include "policy/mta_sts.h"

#include <stdio.h>

static struct slice written(const struct sts_policy *p, const char *line_end, struct buf *out)
{
    buf_init(out, STS_POLICY_BYTES_MAX * 4);
    buf_text(out, "version: STSv1%smode: %s%smax_age: %u", line_end, sts_mode_name(p->mode), line_end, p->max_age);
    for (size_t i = 0; i < p->mx_count; i++)
        buf_text(out, "%smx:%s", line_end, p->mx[i]);
    return buf_slice(out);
}

static void check_same(const struct sts_policy *p, const char *line_end)
{
    struct sts_policy again;
    struct slice text;
    auto_buf struct buf out = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 512 * 1024);
    text = written(p, line_end, &out);
    if (text.len > STS_POLICY_BYTES_MAX)
        return;
    if (!sts_policy_parse(text, &arena, &again, NULL))
        __builtin_trap();
    assert(again.mode == p->mode && again.max_age == p->max_age && again.mx_count == p->mx_count);
    for (size_t i = 0; i < p->mx_count; i++)
        assert(strcmp(again.mx[i], p->mx[i]) == 0);
}

static bool is_address(const char *pattern)
{
    size_t digits = strspn(pattern, "0123456789.");

    return strpbrk(pattern, "[:") || pattern[digits] == '\0';
}

/* `p` with this one pattern. */
static void check_pattern(const struct sts_policy *p, size_t i)
{
    const char *pattern = p->mx[i];
    struct sts_policy alone = { .mode = p->mode, .mx = &p->mx[i], .mx_count = 1 };
    char below[600];

    for (const char *c = pattern; *c; c++)
        assert(*c > ' ' && *c <= '~' && byte_lower(*c) == *c);
    snprintf(below, sizeof below, "x.%s", pattern[0] == '*' ? pattern + 2 : pattern);
    if (pattern[0] == '*') {
        assert(strlen(below) > 253 || sts_policy_match(&alone, below) == pattern);
        assert(!sts_policy_match(&alone, pattern) && !sts_policy_match(&alone, pattern + 2));
    } else {
        assert(is_address(pattern) || sts_policy_match(&alone, pattern) == pattern);
        assert(!sts_policy_match(&alone, below));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sts_policy p = { 0 };
    struct error why = { 0 };
    auto_arena struct arena arena;

    arena_init(&arena, 512 * 1024);
    if (!sts_policy_parse(slice(data, size), &arena, &p, &why)) {
        assert(why.code == E_STS_INVALID && why.text[0]);
        return 0;
    }
    assert(size <= STS_POLICY_BYTES_MAX && !memchr(data, 0, size));
    assert(p.max_age <= STS_MAX_AGE_MOST && p.mx_count <= STS_MX_MAX);
    assert(p.mode == STS_MODE_NONE || p.mx_count > 0);
    for (size_t i = 0; i < p.mx_count; i++)
        check_pattern(&p, i);
    check_same(&p, "\n");
    check_same(&p, " \t\r\n");
    return 0;
}
