/* The input is the value of a Content-Type field. */
#include "tests/fuzz/fuzz.h"

#include "https/media_type.h"

static bool is_lower(const char *text)
{
    for (; *text; text++)
        if (*text != byte_lower(*text))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct slice input = slice(data, size);
    struct media_type type, again;

    arena_init(&arena, 4 * size + 65536);
    type = media_type_parse(input, &arena);
    assert(!arena.failed && is_lower(type.name) && is_lower(type.charset));
    assert(strlen(type.name) <= size && strlen(type.charset) <= size);
    if (type.name[0] == '\0') {
        assert(type.charset[0] == '\0');
        return 0;
    }
    assert(strchr(type.name, '/') && strchr(type.name, '/') == strrchr(type.name, '/'));
    assert(!strpbrk(type.name, " \t;,\"\r\n"));

    if (strchr(type.charset, '\\'))
        return 0;               /* an escape that was cut off means something else when quoted again */
    again = media_type_parse(arena_text(&arena, "%s; charset=\"%s\"", type.name, type.charset), &arena);
    assert(strcmp(again.name, type.name) == 0 && strcmp(again.charset, type.charset) == 0);
    return 0;
}
