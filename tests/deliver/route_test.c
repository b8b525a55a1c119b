#include "tests/test.h"

#include "deliver/route.h"

static struct arena arena;

static bool parses(const char *text, struct route *route)
{
    struct error why = { 0 };

    arena_done(&arena);
    arena_init(&arena, 65536);
    return route_parse(slice_of(text), &arena, route, &why);
}

TEST(the_four_kinds_of_routes_are_understood)
{
    struct route r;

    CHECK(parses("mx", &r) && r.kind == ROUTE_MX);
    CHECK(parses(" discard ", &r) && r.kind == ROUTE_DISCARD);
    CHECK(parses("maildir /var/mail/%d/%u", &r) && r.kind == ROUTE_MAILDIR);
    CHECK_TEXT(r.path, "/var/mail/%d/%u");
    CHECK(parses("smtp relay.example.org:587", &r) && r.kind == ROUTE_SMTP && r.port == 587 && !r.implicit_tls);
    CHECK_TEXT(r.host, "relay.example.org");
    CHECK(parses("smtp relay.example.org", &r) && r.port == 25);
    CHECK(parses("smtp [2001:db8::1]:465 implicit", &r) && r.port == 465 && r.implicit_tls);
    CHECK_TEXT(r.host, "2001:db8::1");
    arena_done(&arena);
}

TEST(what_is_no_route_is_refused)
{
    static const char *const wrong[] = { "", "pigeon", "smtp", "smtp host:0", "smtp host:65536", "smtp host:25 explicit",
                                         "maildir", "maildir relative/path", "mx example.org", "discard all" };
    struct route r;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (parses(wrong[i], &r))
            fail_msg("\"%s\" was taken for a route", wrong[i]);
    arena_done(&arena);
}

TEST(the_domain_stands_behind_the_last_at_sign)
{
    CHECK_SLICE(address_domain(SLICE("user@example.org")), "example.org");
    CHECK_SLICE(address_domain(SLICE("\"a@b\"@example.org")), "example.org");
    CHECK_SLICE(address_domain(SLICE("")), "");
    CHECK_SLICE(address_domain(SLICE("Postmaster")), "");
}

/* SMTP-088: two rules with different TLS requirements never share a connection. */
TEST(destinations_differ_where_tls_requirements_do)
{
    struct routing_rule one = { .route = { .kind = ROUTE_SMTP, .host = "relay.example.org", .port = 25 },
                                .tls = { .level = TLS_LEVEL_MAY } };
    struct routing_rule other = one;
    struct slice domain = SLICE("example.net");

    arena_done(&arena);
    arena_init(&arena, 65536);
    other.tls.level = TLS_LEVEL_ENCRYPT;
    CHECK_ID("SMTP-088", strcmp(routing_destination(&one, domain, &arena), routing_destination(&other, domain, &arena)));
    other = one;
    other.route.implicit_tls = true;
    CHECK(strcmp(routing_destination(&one, domain, &arena), routing_destination(&other, domain, &arena)));
    other = one;
    CHECK_TEXT(routing_destination(&one, domain, &arena), routing_destination(&other, SLICE("example.com"), &arena));
    one.route.kind = ROUTE_MX;
    CHECK_TEXT(routing_destination(&one, domain, &arena), "example.net");
    arena_done(&arena);
}
