/* web/page.h - what a web page is: a function that answers requests; and which one a request is for. Pure.
 *
 * Everything that can be said of a request from its head alone is said here,
 * before a byte of its body is read: 400, 404, 405, 411, 413 and 415. */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/address.h"

enum http_method {              /* bits */
    HTTP_GET = 1,               /* and HEAD, which is a GET whose answer's body is not sent */
    HTTP_POST = 2,
};

struct wire;                    /* web/machine.h */

struct http_request {
    enum http_method method;
    const char *path;           /* decoded, without the query */
    struct slice body;
    struct address peer;        /* the client's, as a proxy on this machine tells it when it comes by one */
    const struct wire *wire;    /* for the two below; NULL: it has neither */
};      /* all of it valid until the page has answered */

/* A header field, or an argument of the query, by its name in any case: the last of that name, as a proxy adds its own behind
 * the client's. NULL when it is not there. */
const char *http_field(const struct http_request *r, const char *name);
const char *http_argument(const struct http_request *r, const char *name);

enum { HTTP_FIELDS_MAX = 4, HTTP_FIELD_SIZE = 200, HTTP_ANSWER_MAX = 16 * 1024 * 1024 };

struct http_answer {
    unsigned status;            /* 200 unless a page says otherwise */
    const char *type;           /* of the body; static */
    struct buf body;
    struct {
        const char *name;       /* static */
        char value[HTTP_FIELD_SIZE];
    } fields[HTTP_FIELDS_MAX];
    size_t field_count;
};

void answer_init(struct http_answer *a);
void answer_done(struct http_answer *a);        /* a zeroed one is fine */
#define auto_answer __attribute__((cleanup(answer_done)))

/* One line of text for people, and what it is about. */
void answer_say(struct http_answer *a, unsigned status, const char *format, ...) printf_like(3, 4);
/* At most HTTP_FIELDS_MAX. The value is cut to fit and holds no control characters. */
void answer_field(struct http_answer *a, const char *name, const char *format, ...) printf_like(3, 4);

struct http_page {
    const char *path;           /* "/tlsrpt", or with a star at its end all paths that begin so: "/style/" and the star */
    unsigned methods;           /* of enum http_method */
    size_t body_max;            /* bytes of a request's body */
    const char *const *types;   /* media types of bodies, NULL behind the last; NULL: any */
    /* Runs on the fiber of its connection, and may wait: once it is cancelled it must return soon. */
    void (*answer)(void *self, const struct http_request *r, struct http_answer *a);
};

/* A request's head, as far as it matters here; absent fields are NULL. */
struct http_head {
    const char *method, *path;
    const char *length, *coding, *type;     /* Content-Length, Transfer-Encoding, Content-Type */
    unsigned lengths, codings;              /* how often they stand there */
};

/* The page that is to answer; NULL when none will, and `refusal` says why.
 * `*declared` is the length that the body is said to have, 0 when it does not say. */
const struct http_page *page_find(const struct http_page *pages, size_t count, const struct http_head *h,
                                  uint64_t *declared, struct http_answer *refusal);

#endif
