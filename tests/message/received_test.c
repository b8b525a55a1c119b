#include "tests/test.h"

#include "message/received.h"

static struct address client_v4 = { .family = AF_INET, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static struct address client_v6 = { .family = AF_INET6, .ip = { 0x20, 1, 0x0d, 0xb8, [15] = 7 } };

static const struct tls_facts tls13 = { .version = TLS_1_3, .cipher = "TLS_AES_256_GCM_SHA384", .group = "X25519" };

/* 2006-01-02T15:04:05Z */
#define WALL SECONDS(1136214245)

static struct received usual(void)
{
    return (struct received){
        .client_name = "client.example.org",
        .client = &client_v4,
        .by = "mx.example.org",
        .esmtp = true,
        .queue_id = "01j9x",
        .wall = WALL,
    };
}

/* The field as a C string, good until the next call. */
static const char *written(struct received r)
{
    static char text[4096];
    auto_buf struct buf out;

    buf_init(&out, sizeof text - 1);
    received_write(&r, &out);
    CHECK(!out.failed);
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(buf_slice(&out)));
    return text;
}

TEST(the_field_reads_as_the_header_promises)
{
    struct received r = usual();

    r.tls = &tls13;
    r.only_recipient = "user@example.org";
    CHECK_TEXT(written(r), "Received: from client.example.org ([192.0.2.7])\r\n"
                           "        by mx.example.org with ESMTPS\r\n"
                           "        (TLSv1.3 TLS_AES_256_GCM_SHA384 X25519)\r\n"
                           "        id 01j9x for <user@example.org>;\r\n"
                           "        Mon, 02 Jan 2006 15:04:05 +0000\r\n");
}

TEST(in_clear_there_is_no_comment_and_several_recipients_stay_unnamed)
{
    CHECK_TEXT(written(usual()), "Received: from client.example.org ([192.0.2.7])\r\n"
                                 "        by mx.example.org with ESMTP\r\n"
                                 "        id 01j9x;\r\n"
                                 "        Mon, 02 Jan 2006 15:04:05 +0000\r\n");
}

/* SMTP-151 */
TEST(the_with_word_tells_ehlo_tls_and_authentication)
{
    static const struct {
        bool esmtp, tls, authenticated;
        const char *with;
    } table[] = {
        { true, false, false, "with ESMTP\r\n" },  { true, true, false, "with ESMTPS\r\n" },
        { true, false, true, "with ESMTPA\r\n" },  { true, true, true, "with ESMTPSA\r\n" },
        { false, false, false, "with SMTP\r\n" },  { false, true, false, "with SMTP\r\n        (TLSv1.3" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct received r = usual();

        r.esmtp = table[i].esmtp;
        r.authenticated = table[i].authenticated;
        r.tls = table[i].tls ? &tls13 : NULL;
        CHECK_ID("SMTP-151", strstr(written(r), table[i].with));
    }
}

TEST(an_unknown_group_leaves_no_gap)
{
    struct tls_facts tls12 = { .version = TLS_1_2, .cipher = "ECDHE-RSA-AES128-GCM-SHA256" };
    struct received r = usual();

    r.tls = &tls12;
    CHECK(strstr(written(r), "(TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256)\r\n"));
}

TEST(an_ipv6_client_is_written_as_a_literal)
{
    struct received r = usual();

    r.client = &client_v6;
    CHECK_ID("SMTP-150", strstr(written(r), "([IPv6:2001:db8::7])\r\n"));
}

TEST(a_client_name_that_is_a_literal_is_kept)
{
    struct received r = usual();

    r.client_name = "[192.0.2.7]";
    CHECK(strstr(written(r), "from [192.0.2.7] ([192.0.2.7])"));
    r.client_name = "[IPv6:2001:db8::9]";
    CHECK(strstr(written(r), "from [IPv6:2001:db8::9] ("));
}

TEST(a_client_name_that_is_neither_domain_nor_literal_is_unknown)
{
    static const char *const names[] = {
        "", "a b", "a\r\nX-Evil: 1", "(x)", "a;b", "h\xc3\xa9lo", "a..b", ".a", "-a", "[192.0.2.7", "[]", "[x]",
        "[192.0.2.7]x", "[IPv6:192.0.2.7.1]", "\"quoted\"", "a\x7f",
    };
    char long_name[300];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct received r = usual();

        r.client_name = names[i];
        CHECK(strstr(written(r), "Received: from unknown ([192.0.2.7])\r\n"));
    }
    memset(long_name, 'a', sizeof long_name);
    long_name[256] = '\0';
    CHECK(strstr(written((struct received){ .client_name = long_name, .client = &client_v4, .by = "b", .queue_id = "i" }),
                 "from unknown "));
}

TEST(a_long_client_name_moves_the_address_to_a_line_of_its_own)
{
    struct received r = usual();
    char name[] = "a-very-long-name-of-a-client.in-a-very-long-domain.that-is-still-valid.example.org";

    r.client_name = name;
    CHECK(strstr(written(r), "from\r\n        a-very-long-name") && strstr(written(r), "org\r\n        ([192.0.2.7])\r\n"));
}

TEST(a_recipient_that_could_begin_a_line_is_left_out)
{
    struct received r = usual();

    r.only_recipient = "a\r\nX-Evil: 1@example.org";
    CHECK(!strstr(written(r), "for") && !strstr(written(r), "Evil"));
    r.only_recipient = "\"a  b;\"@example.org";
    CHECK(strstr(written(r), "for <\"a  b;\"@example.org>;\r\n"));
}

/* SMTP-153 */
TEST(the_return_path_holds_the_sender_and_nothing_else)
{
    auto_buf struct buf out;

    buf_init(&out, 4096);
    return_path_write("user@example.org", &out);
    return_path_write("", &out);
    return_path_write("a@b\r\nX-Evil: 1", &out);
    CHECK_SLICE(buf_slice(&out), "Return-Path: <user@example.org>\r\nReturn-Path: <>\r\nReturn-Path: <>\r\n");
}
