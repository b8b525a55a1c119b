/* dkim/tags.h - lists of tag=value, RFC 6376 3.2: what signatures and key records are made of. Pure. */
#ifndef DKIM_TAGS_H
#define DKIM_TAGS_H

#include "base/error.h"

enum { DKIM_TAGS_MAX = 40 };

struct dkim_tags {
    struct dkim_tag {
        struct slice name, value;       /* without the white space around them */
        struct slice between;           /* all that stands between "=" and ";" or the end */
    } at[DKIM_TAGS_MAX];
    size_t count;
};

/* Borrows from `text`. E_MALFORMED: no such list, or a tag in it twice ("the entire tag-list is invalid"); E_LIMIT: too
 * many. Values may be UTF-8, as RFC 8616 wants it. */
bool dkim_tags_parse(struct slice text, struct dkim_tags *out, struct error *why) must_check;

/* NULL when there is none of that name; names count in their case. */
const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name);

/* The value, or `otherwise`. */
struct slice dkim_tags_value(const struct dkim_tags *tags, const char *name, struct slice otherwise);

/* Whether `word` stands in a list "a : b:c". */
bool dkim_tags_lists(struct slice list, struct slice word);

#endif
