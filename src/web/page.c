#include "web/page.h"

#include "https/media_type.h"

#include <stdio.h>

/* --- answers ----------------------------------------------------------------- */

#define PLAIN "text/plain; charset=utf-8"

void answer_init(struct http_answer *a)
{
    *a = (struct http_answer){ .status = 200, .type = PLAIN };
    buf_init(&a->body, HTTP_ANSWER_MAX);
}

void answer_done(struct http_answer *a)
{
    buf_done(&a->body);
}

void answer_say(struct http_answer *a, unsigned status, const char *format, ...)
{
    va_list args;

    a->status = status;
    a->type = PLAIN;
    buf_clear(&a->body);
    va_start(args, format);
    buf_vtext(&a->body, format, args);
    va_end(args);
    buf_byte(&a->body, '\n');
}

void answer_field(struct http_answer *a, const char *name, const char *format, ...)
{
    char *value;
    va_list args;

    if (a->field_count == HTTP_FIELDS_MAX)
        return;
    a->fields[a->field_count].name = name;
    value = a->fields[a->field_count++].value;
    va_start(args, format);
    vsnprintf(value, HTTP_FIELD_SIZE, format, args);
    va_end(args);
    for (; *value; value++)
        if ((unsigned char)*value < ' ' || *value == 0x7f)
            *value = ' ';
}

/* --- which page ---------------------------------------------------------------- */

static bool is_at(const struct http_page *p, struct slice path)
{
    struct slice own = slice_of(p->path);

    if (own.len > 0 && own.at[own.len - 1] == '*')
        return slice_starts(path, slice_first(own, own.len - 1));
    return slice_equal(path, own);
}

static unsigned method_bit(struct slice method)
{
    if (slice_equal(method, SLICE("GET")) || slice_equal(method, SLICE("HEAD")))
        return HTTP_GET;
    return slice_equal(method, SLICE("POST")) ? HTTP_POST : 0;
}

/* RFC 9110 15.5.6: "The origin server MUST generate an Allow header field in a 405 response." */
static void refuse_method(unsigned allowed, struct http_answer *refusal)
{
    bool get = allowed & HTTP_GET, post = allowed & HTTP_POST;

    answer_say(refusal, 405, "this address takes %s only", get && post ? "GET and POST" : get ? "GET" : "POST");
    answer_field(refusal, "Allow", "%s%s%s", get ? "GET, HEAD" : "", get && post ? ", " : "", post ? "POST" : "");
}

/* What a proxy in front of us could understand otherwise than we do is refused (RFC 9112 6.3, 11.2). */
static bool check_framing(const struct http_head *h, bool has_body, uint64_t *declared, struct http_answer *refusal)
{
    *declared = 0;
    if (h->lengths > 1 || h->codings > 1 || (h->length && h->coding)) {
        answer_say(refusal, 400, "the request says more than once how long it is");
        return false;
    }
    if (h->coding && !slice_equal_nocase(slice_of(h->coding), SLICE("chunked"))) {
        answer_say(refusal, 501, "no transfer coding but chunked is known here");
        return false;
    }
    if (h->length && !slice_to_number(slice_of(h->length), INT64_MAX, declared)) {
        answer_say(refusal, 400, "the Content-Length is not a number");
        return false;
    }
    if (has_body && !h->length && !h->coding) {
        answer_say(refusal, 411, "the request does not say how long it is");
        return false;
    }
    return true;
}

/* RFC 9110 15.5.16: "the Accept response header field can be used to indicate which media types would have been accepted". */
static void refuse_type(const struct http_page *p, struct http_answer *refusal)
{
    auto_buf struct buf list = { 0 };

    buf_init(&list, HTTP_FIELD_SIZE);
    for (size_t i = 0; p->types[i]; i++)
        buf_text(&list, "%s%s", i ? ", " : "", p->types[i]);
    answer_say(refusal, 415, "this address takes %.*s", SLICE_ARGS(buf_slice(&list)));
    answer_field(refusal, "Accept", "%.*s", SLICE_ARGS(buf_slice(&list)));
}

static bool takes_type(const struct http_page *p, const char *type)
{
    auto_arena struct arena arena = { 0 };
    const char *name;

    if (!p->types)
        return true;
    arena_init(&arena, 16 * 1024);
    name = media_type_parse(slice_of(type), &arena).name;
    for (size_t i = 0; p->types[i]; i++)
        if (strcmp(p->types[i], name) == 0)
            return true;
    return false;
}

const struct http_page *page_find(const struct http_page *pages, size_t count, const struct http_head *h,
                                  uint64_t *declared, struct http_answer *refusal)
{
    unsigned method = method_bit(slice_of(h->method)), allowed = 0;
    const struct http_page *page = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!is_at(&pages[i], slice_of(h->path)))
            continue;
        allowed |= pages[i].methods;
        if (!page && (pages[i].methods & method))
            page = &pages[i];
    }
    if (!allowed) {
        answer_say(refusal, 404, "there is nothing here");
    } else if (!page) {
        refuse_method(allowed, refusal);
    } else if (check_framing(h, method == HTTP_POST, declared, refusal)) {
        if (*declared > page->body_max)
            answer_say(refusal, 413, "this address takes at most %zu bytes", page->body_max);
        else if (method == HTTP_POST && !takes_type(page, h->type))
            refuse_type(page, refusal);
        else
            return page;
    }
    return NULL;
}
