/* The input is a wire name with anything behind it, and also a whole message. */
#include "tests/fuzz/fuzz.h"

#include "dns/answer.h"

static bool belongs(char c)
{
    return byte_is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.' || c == '\\';
}

/* From text back to wire, as far as case allows. */
static size_t wire_length(const char *text)
{
    size_t length = 2;      /* the first length byte and the root */

    for (; *text; text++) {
        length++;
        if (*text == '\\')
            text += 3;
    }
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice(data, size);
    char text[DNS_NAME_MAX], again[DNS_NAME_MAX];
    size_t used = 0, used_again;

    assert(dns_aliases_in(input) <= size / 11);     /* no record is shorter */
    assert(dns_signed_seconds(input, 1) <= INT32_MAX || dns_signed_seconds(input, 1) == UINT32_MAX);
    if (!dns_name_text(input, text, &used))
        return 0;
    assert(used > 0 && used <= size && used <= 255 && data[used - 1] == 0);
    assert(memchr(text, '\0', sizeof text));
    for (const char *c = text; *c; c++)
        assert(belongs(*c));
    if (strcmp(text, ".") == 0)
        assert(used == 1);
    else
        assert(wire_length(text) == used);

    /* What stands behind the name does not matter. */
    assert(dns_name_text(slice_first(input, used), again, &used_again));
    assert(used_again == used && strcmp(text, again) == 0);
    assert(!dns_name_text(slice_first(input, used - 1), again, &used_again));
    return 0;
}
