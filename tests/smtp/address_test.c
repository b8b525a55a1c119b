#include "tests/test.h"

#include "smtp/address.h"

#include <stdlib.h>

/* --- paths ------------------------------------------------------------------- */

static const struct {
    const char *path, *local, *domain;
    bool is_literal;
} good[] = {
    { "<user@example.org>", "user", "example.org", false },
    { "<A.User@Example.ORG>", "A.User", "example.org", false },                 /* SMTP-004 */
    { "<a@b>", "a", "b", false },
    { "<!#$%&'*+-/=?^_`{|}~@example.org>", "!#$%&'*+-/=?^_`{|}~", "example.org", false },
    { "<\"a b\"@example.org>", "\"a b\"", "example.org", false },               /* SMTP-025 */
    { "<\"a\\\"b\"@example.org>", "\"a\\\"b\"", "example.org", false },
    { "<\"a\\\\b\"@example.org>", "\"a\\\\b\"", "example.org", false },
    { "<\"plain\"@example.org>", "plain", "example.org", false },
    { "<\"p\\lain\"@example.org>", "plain", "example.org", false },
    { "<\"a.b\"@example.org>", "a.b", "example.org", false },
    { "<\"a..b\"@example.org>", "\"a..b\"", "example.org", false },
    { "<\".a\"@example.org>", "\".a\"", "example.org", false },
    { "<\"\"@example.org>", "\"\"", "example.org", false },
    { "<\"a>b\"@example.org>", "\"a>b\"", "example.org", false },
    { "<\"a@b\"@example.org>", "\"a@b\"", "example.org", false },
    { "<@a:u@example.org>", "u", "example.org", false },                        /* SMTP-023 */
    { "<@a.example,@b.example:u@example.org>", "u", "example.org", false },
    { "<u@[192.0.2.1]>", "u", "[192.0.2.1]", true },                            /* SMTP-024 */
    { "<u@[IPv6:2001:DB8::1]>", "u", "[IPv6:2001:db8::1]", true },
    { "<u@[ipv6:::1]>", "u", "[IPv6:::1]", true },
    { "<u@[IPv6:1::2.3.4.5]>", "u", "[IPv6:1::2.3.4.5]", true },
    { "<u@host_name.example.org>", "u", "host_name.example.org", false },
    { "<u@xn--bcher-kva.example>", "u", "xn--bcher-kva.example", false },
};

TEST(good_paths_are_taken_in_their_canonical_form)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        auto_arena struct arena arena;
        struct error why = { 0 };
        struct mailbox m;

        arena_init(&arena, 4096);
        CHECK_OK(path_parse(slice_of(good[i].path), false, false, &arena, &m, &why), &why);
        CHECK_SLICE(m.local, good[i].local);
        CHECK_SLICE(m.domain, good[i].domain);
        CHECK(m.is_literal == good[i].is_literal);
        CHECK(!m.is_null);
    }
}

/* SMTP-173: all of these are 501. */
static const char *const bad[] = {
    "", "<", ">", "<>", "a@example.org", "<a@example.org", "a@example.org>", "<a@example.org>x", "< a@example.org>",
    "<a@example.org >", "<a>", "<Postmaster>", "<@example.org>", "<a@>", "<a@@example.org>", "<a@b@c>",
    "<a..b@example.org>", "<.a@example.org>", "<a.@example.org>", "<a b@example.org>", "<a(c)@example.org>",
    "<a@example..org>", "<a@.example.org>", "<a@example.org.>", "<a@-example.org>", "<a@example-.org>",
    "<a@exa mple.org>", "<a@example.org,b@example.org>", "<a@b!c>", "<<a@example.org>>",
    "<\"a@example.org>", "<\"a\"b@example.org>", "<\"a\" @example.org>", "<\"a\\\"@example.org>",
    "<\"a\nb\"@example.org>",
    "<\"a\x7f\"@example.org>", "<a\x01@example.org>", "<\xc3\xa9@example.org>", "<\"\xc3\xa9\"@example.org>",
    "<a@b\xc3\xbc.example>", "<@a,b:u@example.org>", "<@a:>", "<@a>", "<@:u@example.org>", "<@a u@example.org>",
    "<@a,:u@example.org>", "<@[192.0.2.1]:u@example.org>",
    "<u@[256.1.1.1]>", "<u@[192.0.2]>", "<u@[192.0.2.1>", "<u@[192.0.2.1]x>", "<u@[192.0.2.010]>", "<u@[]>",
    "<u@[2001:db8::1]>", "<u@[IPv6:2001:db8:::1]>", "<u@[IPv6:192.0.2.1]>", "<u@[IPv6:fe80::1%eth0]>", "<u@[x:y]>",
};

TEST(bad_paths_are_refused_with_a_reason)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_arena struct arena arena;
        struct error why = { 0 };
        struct mailbox m;

        arena_init(&arena, 4096);
        if (path_parse(slice_of(bad[i]), false, false, &arena, &m, &why))
            fail_msg("accepted: %s", bad[i]);
        CHECK_EQUAL(why.code, E_MALFORMED);
        CHECK(why.text[0] != '\0');
    }
}

TEST(a_nul_does_not_end_an_address_early)       /* SMTP-029 */
{
    auto_arena struct arena arena;
    struct error why;
    struct mailbox m;

    arena_init(&arena, 4096);
    CHECK(!path_parse(SLICE("<a\0b@example.org>"), false, false, &arena, &m, &why));
    CHECK(!path_parse(SLICE("<a@example.org\0>"), false, false, &arena, &m, &why));
    CHECK(!path_parse(SLICE("<a@[192.0.2.1\0]>"), false, false, &arena, &m, &why));
    CHECK(!path_parse(SLICE("<\"a\0\"@example.org>"), false, false, &arena, &m, &why));
}

TEST(the_null_path_is_taken_where_it_may_stand)
{
    auto_arena struct arena arena;
    struct error why;
    struct mailbox m;

    arena_init(&arena, 4096);
    CHECK(path_parse(SLICE("<>"), true, false, &arena, &m, &why));
    CHECK(m.is_null);
    CHECK_SLICE(m.local, "");
    CHECK_SLICE(mailbox_text(&m, &arena), "");
    CHECK(!path_parse(SLICE("< >"), true, false, &arena, &m, &why));
}

TEST(postmaster_needs_no_domain_in_any_case_of_letters)     /* SMTP-022 */
{
    auto_arena struct arena arena;
    struct error why;
    struct mailbox m;

    arena_init(&arena, 4096);
    CHECK(path_parse(SLICE("<pOstMaster>"), false, true, &arena, &m, &why));
    CHECK_SLICE(m.local, "pOstMaster");
    CHECK_SLICE(m.domain, "");
    CHECK_SLICE(mailbox_text(&m, &arena), "pOstMaster");
    CHECK(!path_parse(SLICE("<hostmaster>"), false, true, &arena, &m, &why));
    CHECK(!path_parse(SLICE("<Postmaster@>"), false, true, &arena, &m, &why));
}

/* --- lengths -------------------------------------------------------------------- */

static bool path_with(size_t local, size_t labels, size_t last)
{
    auto_arena struct arena arena;
    struct error why;
    struct mailbox m;
    char text[2000];
    size_t len = 0;

    arena_init(&arena, 8192);
    text[len++] = '<';
    memset(text + len, 'l', local);
    len += local;
    text[len++] = '@';
    for (size_t i = 0; i < labels; i++) {
        memset(text + len, 'd', 63);
        len += 63;
        text[len++] = '.';
    }
    memset(text + len, 'e', last);
    len += last;
    text[len++] = '>';
    return path_parse(slice(text, len), false, false, &arena, &m, &why);
}

TEST(lengths_are_taken_up_to_their_bounds)      /* SMTP-060 */
{
    CHECK(path_with(64, 3, 63));                /* the domain has 255 bytes */
    CHECK(!path_with(64, 4, 1));                /* 257 */
    CHECK(path_with(LOCAL_PART_MAX, 0, 1));
    CHECK(!path_with(LOCAL_PART_MAX + 1, 0, 1));
    CHECK(path_with(1, 0, 63));
    CHECK(!path_with(1, 0, 64));                /* a label */
}

TEST(a_quoted_local_part_is_measured_by_what_it_means)
{
    auto_arena struct arena arena;
    struct error why = { 0 };
    struct mailbox m;
    char text[1100] = "<\"";
    size_t len = 2;

    arena_init(&arena, 8192);
    for (int i = 0; i < LOCAL_PART_MAX; i++) {
        text[len++] = '\\';
        text[len++] = '"';
    }
    memcpy(text + len, "\"@x>", 4);
    CHECK_OK(path_parse(slice(text, len + 4), false, false, &arena, &m, &why), &why);
    CHECK_EQUAL(m.local.len, 2 * LOCAL_PART_MAX + 2);
    memcpy(text + len, "x\"@x>", 5);
    CHECK(!path_parse(slice(text, len + 5), false, false, &arena, &m, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

TEST(a_full_arena_is_told_from_a_bad_address)
{
    auto_arena struct arena arena;
    struct error why = { 0 };
    struct mailbox m;

    arena_init(&arena, 8);
    CHECK(!path_parse(SLICE("<someone@example.org>"), false, false, &arena, &m, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    arena_reset(&arena);
    CHECK(!path_parse(SLICE("<a@[IPv6:::1]>"), false, false, &arena, &m, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    arena_reset(&arena);
    CHECK(!path_parse(SLICE("<\"some one\"@x>"), false, false, &arena, &m, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
}

/* --- mailboxes without brackets ---------------------------------------------------- */

TEST(a_mailbox_needs_no_brackets_and_makes_a_round_trip)
{
    static const char *const same[] = {
        "user@example.org", "\"a b\"@example.org", "u@[192.0.2.1]", "u@[IPv6:2001:db8::1]", "\"a\\\"b\\\\\"@x.example",
    };
    auto_arena struct arena arena;
    struct error why = { 0 };
    struct mailbox m;

    arena_init(&arena, 8192);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        CHECK_OK(mailbox_parse(slice_of(same[i]), &arena, &m, &why), &why);
        CHECK_SLICE(mailbox_text(&m, &arena), same[i]);
    }
    CHECK(mailbox_parse(SLICE(""), &arena, &m, &why) && m.is_null);
    CHECK(mailbox_parse(SLICE("<>"), &arena, &m, &why) && m.is_null);
    CHECK(!mailbox_parse(SLICE("<a@b>"), &arena, &m, &why));
    CHECK(!mailbox_parse(SLICE("a@b "), &arena, &m, &why));
    CHECK(!mailbox_parse(SLICE("Postmaster"), &arena, &m, &why));
}

TEST(a_path_ends_at_the_bracket_outside_quotes)
{
    CHECK_EQUAL(path_length(SLICE("<a@b> SIZE=1")), 5);
    CHECK_EQUAL(path_length(SLICE("<\"a>b\"@c> X")), 9);
    CHECK_EQUAL(path_length(SLICE("<\"a\\\">b\"@c>>")), 11);
    CHECK_EQUAL(path_length(SLICE("<>")), 2);
    CHECK_EQUAL(path_length(SLICE("<\"a>b@c>")), 0);
    CHECK_EQUAL(path_length(SLICE("<\"a\\")), 0);
    CHECK_EQUAL(path_length(SLICE("a>")), 0);
    CHECK_EQUAL(path_length(SLICE("")), 0);
}

/* --- host names ----------------------------------------------------------------------- */

TEST(host_names_are_judged_label_by_label)
{
    CHECK(domain_is_valid(SLICE("example.org"), false));
    CHECK(domain_is_valid(SLICE("a"), false));
    CHECK(domain_is_valid(SLICE("3com.example"), false));
    CHECK(!domain_is_valid(SLICE("_dmarc.example.org"), false));
    CHECK(domain_is_valid(SLICE("_dmarc.example.org"), true));
    CHECK(!domain_is_valid(SLICE(""), true));
    CHECK(!domain_is_valid(SLICE("."), true));
    CHECK(!domain_is_valid(SLICE("example.org."), true));
    CHECK(!domain_is_valid(SLICE("exa\0mple.org"), true));
    CHECK(!domain_is_valid(slice(NULL, 0), true));
}
