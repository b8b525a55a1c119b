#include "tlsrpt/policy.h"

#include "base/cursor.h"
#include "tls/signature.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORMAT = 1, DOMAIN_BYTES = 255 };

/* --- lists of strings ------------------------------------------------------------- */

struct list {
    const char **at;
    size_t count, most;
    size_t *budget;             /* bytes left to the whole policy */
};

static bool list_begin(struct list *l, size_t wanted, size_t *budget, struct arena *arena)
{
    *l = (struct list){ .most = wanted < REPORT_STRINGS_MAX ? wanted : REPORT_STRINGS_MAX, .budget = budget };
    l->at = l->most ? arena_take(arena, l->most * sizeof *l->at) : NULL;
    return l->at || !l->most;
}

static void list_add(struct list *l, const char *text)
{
    size_t cost = strlen(text) + sizeof(uint32_t);

    if (l->count == l->most || cost > REPORT_STRING_BYTES || cost > *l->budget)
        return;
    l->at[l->count++] = text;
    *l->budget -= cost;
}

static bool copy_all(struct list *l, const char *const *texts, size_t count, size_t *budget, struct arena *arena)
{
    if (!list_begin(l, count, budget, arena))
        return false;
    for (size_t i = 0; i < count; i++)
        list_add(l, arena_string(arena, slice_of(texts[i])));
    return true;
}

static const char *domain_copy(struct arena *arena, const char *domain)
{
    return arena_string(arena, slice_first(slice_of(domain), DOMAIN_BYTES));
}

/* --- MTA-STS ------------------------------------------------------------------------- */

static bool is_utf8(struct slice s)
{
    json_t *string = json_stringn(s.at, s.len);

    json_decref(string);
    return string != NULL;
}

/* As published, but as a C string, and such that JSON can hold it. */
static const char *line_copy(struct arena *arena, struct slice line)
{
    struct slice copy = arena_copy(arena, line);
    bool readable = is_utf8(copy);

    for (size_t i = 0; i < copy.len; i++)
        if (copy.at[i] == '\0' || (!readable && (unsigned char)copy.at[i] >= 0x80))
            ((char *)copy.at)[i] = '?';
    return copy.at;
}

static struct slice without_cr(struct slice line)
{
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

static size_t count_lines(struct slice text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    return count;
}

/* TLSRPT-035: "each policy line as published (errors included)". */
bool report_policy_of_sts(const char *domain, struct slice text, const char *const *mx, size_t mx_count,
                          struct arena *arena, struct report_policy *out)
{
    size_t budget = REPORT_POLICY_BYTES;
    struct list lines, patterns;

    if (!list_begin(&lines, count_lines(text), &budget, arena))
        return false;
    while (text.at) {
        struct slice line = without_cr(slice_cut(&text, '\n'));

        if (lines.count < lines.most && line.len < REPORT_STRING_BYTES)
            list_add(&lines, line_copy(arena, line));
    }
    while (lines.count > 0 && slice_empty(slice_trim(slice_of(lines.at[lines.count - 1]))))
        lines.count--;
    if (!copy_all(&patterns, mx, mx_count, &budget, arena))
        return false;
    *out = (struct report_policy){ .type = POLICY_STS, .domain = domain_copy(arena, domain), .strings = lines.at,
                                   .string_count = lines.count, .mx = patterns.at, .mx_count = patterns.count };
    return !arena->failed;
}

/* --- DANE -------------------------------------------------------------------------------- */

/* "3 1 1 2bb183af2d1c...", all of it (RFC 8460 4.4: "the presentation format"). */
static const char *record_text(struct arena *arena, const struct tlsa *t)
{
    auto_buf struct buf text;

    buf_init(&text, 2 * t->data.len + 32);
    buf_text(&text, "%u %u %u", t->usage, t->selector, t->matching);
    for (size_t i = 0; i < t->data.len; i++)
        buf_text(&text, i ? "%02x" : " %02x", (unsigned char)t->data.at[i]);
    return arena_string(arena, buf_slice(&text));
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool report_policy_of_tlsa(const char *base, const struct tlsa *records, size_t count, struct arena *arena,
                           struct report_policy *out)
{
    const char **texts = arena_take(arena, (count + 1) * sizeof *texts);
    size_t budget = REPORT_POLICY_BYTES, made = 0;
    struct list list;

    if (!texts || !list_begin(&list, count, &budget, arena))
        return false;
    for (size_t i = 0; i < count; i++)
        if (records[i].data.len < REPORT_STRING_BYTES)
            texts[made++] = record_text(arena, &records[i]);
    qsort(texts, made, sizeof *texts, compare_texts);
    for (size_t i = 0; i < made; i++)
        list_add(&list, texts[i]);
    *out = (struct report_policy){ .type = POLICY_TLSA, .domain = domain_copy(arena, base), .strings = list.at,
                                   .string_count = list.count };
    return !arena->failed;
}

/* --- on disk --------------------------------------------------------------------------------- */

static void put_list(struct buf *out, const char *const *texts, size_t count)
{
    buf_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        buf_block(out, slice_of(texts[i]));
}

/* The type by its name: the numbers of an enumeration are nothing to keep. */
void report_policy_encode(const struct report_policy *p, struct buf *out)
{
    buf_u8(out, FORMAT);
    buf_block(out, slice_of(policy_type_name(p->type)));
    buf_block(out, slice_of(p->domain));
    put_list(out, p->strings, p->string_count);
    put_list(out, p->mx, p->mx_count);
}

static const char *get_text(struct cursor *in, struct arena *arena)
{
    struct slice text = cursor_block(in);

    if (slice_find(text, '\0') != text.len)
        in->failed = true;
    return arena_string(arena, in->failed ? slice("", 0) : text);
}

static enum policy_type get_type(struct cursor *in)
{
    struct slice name = cursor_block(in);

    for (enum policy_type t = POLICY_TLSA; t <= POLICY_NONE_FOUND; t++)
        if (slice_equal(name, slice_of(policy_type_name(t))))
            return t;
    in->failed = true;
    return POLICY_NONE_FOUND;
}

static const char *const *get_list(struct cursor *in, struct arena *arena, size_t *count)
{
    uint32_t number = cursor_u32(in);
    const char **texts;

    *count = 0;
    if (number > REPORT_STRINGS_MAX)
        in->failed = true;
    texts = in->failed || number == 0 ? NULL : arena_take(arena, number * sizeof *texts);
    if (!texts)
        return NULL;
    for (uint32_t i = 0; i < number; i++)
        texts[i] = get_text(in, arena);
    *count = number;
    return texts;
}

bool report_policy_decode(struct slice bytes, struct arena *arena, struct report_policy *out)
{
    struct cursor in = cursor_over(bytes);
    struct report_policy p = { 0 };

    if (cursor_u8(&in) != FORMAT)
        return false;
    p.type = get_type(&in);
    p.domain = get_text(&in, arena);
    p.strings = get_list(&in, arena, &p.string_count);
    p.mx = get_list(&in, arena, &p.mx_count);
    if (!cursor_ended(&in) || arena->failed)
        return false;
    *out = p;
    return true;
}

/* --- names ------------------------------------------------------------------------------------- */

uint64_t report_hash(struct slice bytes)
{
    uint8_t digest[SHA256_BYTES];
    struct cursor in;

    sha256_of(bytes, digest);
    in = cursor_over(slice(digest, sizeof digest));
    return cursor_u64(&in);
}

uint64_t report_policy_id(const struct report_policy *p)
{
    auto_buf struct buf bytes;
    uint64_t id;

    buf_init(&bytes, 4 * REPORT_POLICY_BYTES);
    report_policy_encode(p, &bytes);
    id = report_hash(buf_slice(&bytes));
    return id > REPORT_POLICY_NONE ? id : id + REPORT_POLICY_NONE + 1;
}

const char *report_policy_key(uint64_t id, char text[REPORT_POLICY_KEY_MAX])
{
    snprintf(text, REPORT_POLICY_KEY_MAX, "%016" PRIx64, id);
    return text;
}
