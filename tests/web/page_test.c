#include "tests/test.h"

#include "web/page.h"

static void nothing(void *self, const struct http_request *r, struct http_answer *a)
{
}

static const char *const report_types[] = { "application/tlsrpt+gzip", "application/tlsrpt+json", NULL };
static const struct http_page pages[] = {
    { "/hello", HTTP_GET, 0, NULL, nothing },
    { "/take", HTTP_POST, 1000, report_types, nothing },
    { "/any", HTTP_POST, 1000, NULL, nothing },
    { "/both", HTTP_GET, 0, NULL, nothing },
    { "/both", HTTP_POST, 10, NULL, nothing },
    { "/style/*", HTTP_GET, 0, NULL, nothing },
};

struct found {
    const struct http_page *page;
    uint64_t declared;
    struct http_answer refusal;
};

static struct found find_head(const struct http_head *h)
{
    struct found f = { 0 };

    answer_init(&f.refusal);
    f.page = page_find(pages, sizeof pages / sizeof *pages, h, &f.declared, &f.refusal);
    return f;
}

/* 0 for a page, else the status of the refusal. */
static unsigned status_of(struct http_head h)
{
    struct found f;
    unsigned status;

    h.lengths = h.lengths ? h.lengths : h.length != NULL;
    h.codings = h.codings ? h.codings : h.coding != NULL;
    f = find_head(&h);
    status = f.page ? 0 : f.refusal.status;
    answer_done(&f.refusal);
    return status;
}

TEST(a_page_is_found_by_its_whole_path)
{
    struct found f = find_head(&(struct http_head){ "GET", "/hello" });

    CHECK(f.page == &pages[0]);
    CHECK_EQUAL(f.declared, 0);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/hell" }), 404);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/hello/" }), 404);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/Hello" }), 404);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "" }), 404);
    CHECK_EQUAL(status_of((struct http_head){ "OPTIONS", "*" }), 404);
    answer_done(&f.refusal);
}

TEST(a_star_stands_for_all_that_follows)
{
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/style/main.css" }), 0);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/style/" }), 0);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/style" }), 404);
}

TEST(head_is_a_get)
{
    CHECK_EQUAL(status_of((struct http_head){ "HEAD", "/hello" }), 0);
    CHECK_EQUAL(status_of((struct http_head){ "HEAD", "/take" }), 405);
}

/* RFC 9110 15.5.6 wants the field. */
TEST(another_method_is_told_which_ones_there_are)
{
    struct found f = find_head(&(struct http_head){ "GET", "/take" });

    CHECK_ID("TLSRPT-096", !f.page && f.refusal.status == 405);
    CHECK_TEXT(f.refusal.fields[0].name, "Allow");
    CHECK_TEXT(f.refusal.fields[0].value, "POST");
    answer_done(&f.refusal);
    f = find_head(&(struct http_head){ "DELETE", "/both" });
    CHECK_EQUAL(f.refusal.status, 405);
    CHECK_TEXT(f.refusal.fields[0].value, "GET, HEAD, POST");
    answer_done(&f.refusal);
    CHECK_EQUAL(status_of((struct http_head){ "post", "/take" }), 405);      /* methods have their case */
    CHECK_EQUAL(status_of((struct http_head){ "", "/take" }), 405);
}

TEST(one_path_may_have_a_page_for_each_method)
{
    struct found f = find_head(&(struct http_head){ "POST", "/both", .length = "5", .lengths = 1 });

    CHECK(f.page == &pages[4]);
    CHECK_EQUAL(f.declared, 5);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/both" }), 0);
    answer_done(&f.refusal);
}

TEST(a_body_must_say_how_long_it_is)
{
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any" }), 411);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .coding = "chunked" }), 0);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .coding = "Chunked" }), 0);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = "0" }), 0);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = "1000" }), 0);
}

/* What two readers could understand in two ways is how requests are smuggled past a proxy. */
TEST(a_body_that_says_it_twice_is_refused)
{
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = "5", .coding = "chunked" }), 400);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = "5", .lengths = 2 }), 400);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .coding = "chunked", .codings = 2 }), 400);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/hello", .length = "0", .coding = "chunked" }), 400);
}

TEST(a_length_is_digits_and_nothing_else)
{
    static const char *const bad[] = { "", "-1", "+5", "5 5", "0x10", "1e3", "5,5", "99999999999999999999" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = bad[i] }), 400);
}

TEST(codings_other_than_chunked_are_not_known)
{
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .coding = "gzip, chunked" }), 501);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .coding = "" }), 501);
}

TEST(what_is_too_long_is_refused_before_it_is_read)
{
    CHECK_ID("TLSRPT-096", status_of((struct http_head){ "POST", "/any", .length = "1001" }) == 413);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = "9223372036854775807" }), 413);
    CHECK_EQUAL(status_of((struct http_head){ "GET", "/hello", .length = "1" }), 413);
}

static unsigned status_of_type(const char *type)
{
    return status_of((struct http_head){ "POST", "/take", .length = "5", .type = type });
}

TEST(only_the_media_types_of_a_page_are_taken)
{
    CHECK_ID("TLSRPT-096", status_of_type("application/tlsrpt+json") == 0);
    CHECK_ID("TLSRPT-096", status_of_type("application/tlsrpt+gzip") == 0);
    CHECK_EQUAL(status_of_type("Application/TLSRPT+gzip; charset=utf-8"), 0);
    CHECK_EQUAL(status_of_type("application/json"), 415);
    CHECK_EQUAL(status_of_type("application/tlsrpt+gzipped"), 415);
    CHECK_EQUAL(status_of_type("application/tlsrpt"), 415);
    CHECK_EQUAL(status_of_type(""), 415);
    CHECK_EQUAL(status_of_type(NULL), 415);
    CHECK_EQUAL(status_of((struct http_head){ "POST", "/any", .length = "5" }), 0);
}

TEST(a_wrong_type_is_told_the_right_ones)
{
    struct found f = find_head(&(struct http_head){ "POST", "/take", .length = "5", .lengths = 1, .type = "text/plain" });

    CHECK_EQUAL(f.refusal.status, 415);
    CHECK_TEXT(f.refusal.fields[0].name, "Accept");
    CHECK_TEXT(f.refusal.fields[0].value, "application/tlsrpt+gzip, application/tlsrpt+json");
    CHECK_SLICE(buf_slice(&f.refusal.body), "this address takes application/tlsrpt+gzip, application/tlsrpt+json\n");
    answer_done(&f.refusal);
}

TEST(a_field_cannot_begin_another)
{
    auto_answer struct http_answer a = { 0 };

    answer_init(&a);
    answer_field(&a, "X-Name", "%s", "a\r\nSet-Cookie: b\x7f");
    CHECK_TEXT(a.fields[0].value, "a  Set-Cookie: b ");
}

TEST(fields_have_a_bound)
{
    auto_answer struct http_answer a = { 0 };

    answer_init(&a);
    for (int i = 0; i < HTTP_FIELDS_MAX + 3; i++)
        answer_field(&a, "X", "%0500d", i);
    CHECK_EQUAL(a.field_count, HTTP_FIELDS_MAX);
    CHECK_EQUAL(strlen(a.fields[0].value), HTTP_FIELD_SIZE - 1);
}

TEST(saying_something_else_forgets_what_was_said)
{
    auto_answer struct http_answer a = { 0 };

    answer_init(&a);
    CHECK_EQUAL(a.status, 200);
    answer_say(&a, 201, "thank %s", "you");
    answer_say(&a, 503, "later");
    CHECK_EQUAL(a.status, 503);
    CHECK_SLICE(buf_slice(&a.body), "later\n");
}

TEST(a_request_from_nowhere_has_no_fields)
{
    struct http_request r = { .method = HTTP_GET, .path = "/" };

    CHECK(!http_field(&r, "Host"));
    CHECK(!http_argument(&r, "q"));
}
