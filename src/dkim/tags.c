#include "dkim/tags.h"

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* VALCHAR, the white space between them, and bytes of UTF-8. */
static bool is_of_a_value(char c)
{
    return (c > ' ' && c != ';' && c != 0x7f) || is_white(c) || (unsigned char)c >= 0x80;
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!byte_is_alpha(name.at[i]) && (i == 0 || (!byte_is_digit(name.at[i]) && name.at[i] != '_')))
            return false;
    return name.len > 0;
}

static bool parse_tag(struct slice text, struct dkim_tag *out, struct error *why)
{
    struct slice value = text, name = slice_trim(slice_cut(&value, '='));

    if (!value.at)
        return fail(why, E_MALFORMED, "there is no \"=\" in \"%.*s\"", (int)slice_first(name, 40).len, name.at);
    if (!is_name(name))
        return fail(why, E_MALFORMED, "\"%.*s\" is no name of a tag", (int)slice_first(name, 40).len, name.at);
    for (size_t i = 0; i < value.len; i++)
        if (!is_of_a_value(value.at[i]))
            return fail(why, E_MALFORMED, "the value of %.*s= has a control character", (int)slice_first(name, 40).len, name.at);
    *out = (struct dkim_tag){ name, slice_trim(value), value };
    return true;
}

static const struct dkim_tag *find(const struct dkim_tags *tags, struct slice name)
{
    for (size_t i = 0; i < tags->count; i++)
        if (slice_equal(tags->at[i].name, name))
            return &tags->at[i];
    return NULL;
}

bool dkim_tags_parse(struct slice text, struct dkim_tags *out, struct error *why)
{
    struct slice rest = text;

    out->count = 0;
    if (slice_empty(slice_trim(text)))
        return fail(why, E_MALFORMED, "there are no tags");
    while (rest.at) {
        struct slice part = slice_cut(&rest, ';');
        struct dkim_tag tag;

        if (!rest.at && slice_empty(slice_trim(part)))
            break;      /* a ";" behind the last one */
        if (!parse_tag(part, &tag, why))
            return false;
        if (find(out, tag.name))
            return fail(why, E_MALFORMED, "there are two tags %.*s=", (int)slice_first(tag.name, 40).len, tag.name.at);
        if (out->count == DKIM_TAGS_MAX)
            return fail(why, E_LIMIT, "there are more than %d tags", DKIM_TAGS_MAX);
        out->at[out->count++] = tag;
    }
    return true;
}

const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name)
{
    return find(tags, slice_of(name));
}

struct slice dkim_tags_value(const struct dkim_tags *tags, const char *name, struct slice otherwise)
{
    const struct dkim_tag *tag = dkim_tags_find(tags, name);

    return tag ? tag->value : otherwise;
}

bool dkim_tags_lists(struct slice list, struct slice word)
{
    while (list.at)
        if (slice_equal(slice_trim(slice_cut(&list, ':')), word))
            return true;
    return false;
}
