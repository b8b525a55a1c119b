#include "base/slice.h"

char byte_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool byte_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool byte_is_alpha(char c)
{
    return byte_lower(c) >= 'a' && byte_lower(c) <= 'z';
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (byte_lower(a.at[i]) != byte_lower(b.at[i]))
            return false;
    return true;
}

uint64_t slice_hash(struct slice s)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.at[i]) * 0x100000001b3u;
    return hash;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return slice_equal(slice_first(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
    return slice_equal_nocase(slice_first(s, prefix.len), prefix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equal_nocase(slice_after(s, s.len - suffix.len), suffix);
}

size_t slice_find(struct slice s, char byte)
{
    const char *found = s.len ? memchr(s.at, byte, s.len) : NULL;

    return found ? (size_t)(found - s.at) : s.len;
}

size_t slice_find_last(struct slice s, char byte)
{
    const char *found = s.len ? memrchr(s.at, byte, s.len) : NULL;

    return found ? (size_t)(found - s.at) : s.len;
}

struct slice slice_after(struct slice s, size_t n)
{
    return n < s.len ? slice(s.at + n, s.len - n) : slice("", 0);
}

struct slice slice_first(struct slice s, size_t n)
{
    return n < s.len ? slice(s.at, n) : s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_blank(s.at[0]))
        s = slice_after(s, 1);
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    size_t end = slice_find(*rest, separator);
    struct slice head = slice_first(*rest, end);

    *rest = end < rest->len ? slice(rest->at + end + 1, rest->len - end - 1) : slice(NULL, 0);
    return head;
}

bool slice_to_number(struct slice s, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t digit = (uint64_t)(s.at[i] - '0');

        if (!byte_is_digit(s.at[i]) || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *number = value;
    return true;
}
