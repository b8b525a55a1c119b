#include "policy/versioned.h"

enum kinship {
    FOREIGN,            /* SPF, say, or another version */
    LOOSE,              /* the version, but no ';' right behind it */
    STRICT,
};

static enum kinship kinship_of(struct slice text, struct slice version)
{
    struct slice rest = slice_after(text, version.len);

    if (!slice_starts(text, version) || (rest.len > 0 && (byte_is_alpha(rest.at[0]) || byte_is_digit(rest.at[0]))))
        return FOREIGN;
    return slice_starts(rest, SLICE(";")) ? STRICT : LOOSE;
}

size_t versioned_find(const struct slice *texts, size_t count, struct slice version, struct slice *out)
{
    size_t number[STRICT + 1] = { 0 };
    struct slice last[STRICT + 1] = { { 0 } };
    enum kinship best;

    for (size_t i = 0; i < count; i++) {
        enum kinship k = kinship_of(texts[i], version);

        number[k]++;
        last[k] = texts[i];
    }
    best = number[STRICT] ? STRICT : LOOSE;
    *out = last[best];
    return number[best];
}
