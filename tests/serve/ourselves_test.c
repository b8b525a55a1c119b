#include "tests/test.h"

#include "serve/ourselves.h"

static struct address at(const char *text)
{
    struct address a = { 0 };
    struct error why = { 0 };

    CHECK_OK(address_parse(slice_of(text), &a, &why), &why);
    return a;
}

/* SMTP-127: our addresses are ourselves only where we listen. */
TEST(an_address_is_ours_when_a_listener_is_on_it)
{
    struct listener_config listeners[2] = { { .address = at("127.0.0.1:2525") }, { .address = at("0.0.0.0:25") } };
    struct ourselves *o = ourselves_new(listeners, 2);
    struct address a;

    a = at("127.0.0.1:2525");
    CHECK_ID("SMTP-127", ourselves_include(o, &a));
    a = at("127.0.0.1:2526");
    CHECK(!ourselves_include(o, &a));
    a = at("127.0.0.2:2525");
    CHECK(!ourselves_include(o, &a));
    a = at("127.0.0.9:25");
    CHECK_ID("SMTP-127", ourselves_include(o, &a));
    a = at("192.0.2.1:25");
    CHECK(!ourselves_include(o, &a));
    a = at("[::1]:25");
    CHECK(!ourselves_include(o, &a));
    ourselves_free(o);
}
