#include "https/media_type.h"

#include "base/cursor.h"

/* RFC 9110 5.6.2 */
static bool is_token(char c)
{
    return byte_is_alpha(c) || byte_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static const char *lower(struct arena *arena, struct slice s)
{
    char *text = arena_take(arena, s.len + 1);

    for (size_t i = 0; text && i < s.len; i++)
        text[i] = byte_lower(s.at[i]);
    return text ? text : "";
}

/* RFC 9110 5.6.4, behind the opening quote. Escapes are left as they are: no
 * name of a charset needs one. */
static struct slice take_quoted(struct cursor *in)
{
    struct slice all = in->rest;
    size_t len = 0;

    while (len < all.len && all.at[len] != '"')
        len += all.at[len] == '\\' && len + 1 < all.len ? 2 : 1;
    cursor_bytes(in, len);
    cursor_skip(in, '"');
    return slice_first(all, len);
}

/* Stops at the next ";" or at the end. Empty unless it was charset=. */
static struct slice take_parameter(struct cursor *in)
{
    struct slice name, value = { "", 0 };

    cursor_while(in, is_space);
    name = cursor_while(in, is_token);
    if (cursor_skip(in, '='))
        value = cursor_skip(in, '"') ? take_quoted(in) : cursor_while(in, is_token);
    cursor_until(in, ';');
    return slice_equal_nocase(name, SLICE("charset")) ? value : slice("", 0);
}

struct media_type media_type_parse(struct slice value, struct arena *arena)
{
    struct cursor in = cursor_over(slice_trim(value));
    struct slice all = in.rest, type, subtype, charset = { "", 0 };
    bool divided;

    type = cursor_while(&in, is_token);
    divided = cursor_skip(&in, '/');
    subtype = cursor_while(&in, is_token);
    if (!divided || slice_empty(type) || slice_empty(subtype))
        return (struct media_type){ "", "" };
    cursor_while(&in, is_space);
    if (!cursor_ended(&in) && cursor_peek(&in) != ';')
        return (struct media_type){ "", "" };
    while (cursor_skip(&in, ';')) {
        struct slice found = take_parameter(&in);

        if (slice_empty(charset))
            charset = found;
    }
    return (struct media_type){ lower(arena, slice_first(all, type.len + 1 + subtype.len)), lower(arena, charset) };
}
