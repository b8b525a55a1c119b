#include "tests/test.h"

#include "deliver/bounce.h"
#include "message/header.h"

static struct routing_rule ours = { .name = "example.com", .route = { .kind = ROUTE_SMTP, .host = "inner", .port = 24 } };
static struct routing_rule rest = { .name = "default" };
static struct arena arena;
static struct id_maker ids;

static struct bounce_settings settings(struct routing *routing)
{
    routing->table = domain_table_new();
    CHECK(domain_table_add(routing->table, SLICE("example.com"), &ours));
    CHECK(domain_table_add(routing->table, SLICE("default"), &rest));
    arena_init(&arena, 1024 * 1024);
    return (struct bounce_settings){ "mx.example.org", routing, &ids };
}

static const struct outcome outcomes[] = {
    { .address = "good@example.net", .result = RCPT_DELIVERED, .status = "2.0.0", .why = "" },
    { .address = "bad@example.net", .result = RCPT_FAILED, .status = "5.1.1", .host = "mx1.example.net[192.0.2.7]:25",
      .words = "550 5.1.1 no such user\nreally not", .why = "mx1 said: 550 no such user" },
    { .address = "slow@example.net", .result = RCPT_DEFERRED, .status = "4.4.1", .why = "no connection" } };

TEST(a_bounce_goes_back_to_the_sender_about_what_failed_only)
{
    struct routing routing = { 0 };
    struct bounce_settings s = settings(&routing);
    struct envelope original = { .id = 77, .sender = "sender@example.com", .arrived = 1700000000000 };
    struct bounce b;
    const char *text;

    CHECK(bounce_make(&s, DSN_FAILED, &original, outcomes, 3, SLICE("Subject: hello\r\n\r\n"), 0, 1700000100000, &arena, &b));
    CHECK_ID("SMTP-154", b.envelope.sender[0] == '\0');
    CHECK_EQUAL(b.named, 1);
    CHECK_TEXT(b.recipient.address, "sender@example.com");
    CHECK_TEXT(b.recipient.destination, "smtp inner:24 off");
    CHECK(b.envelope.id != 0 && b.envelope.id != original.id);
    buf_byte(&b.body, '\0');
    text = buf_slice(&b.body).at;
    CHECK(strstr(text, "bad@example.net") && strstr(text, "5.1.1") && strstr(text, "no such user"));
    CHECK(!strstr(text, "good@example.net") && !strstr(text, "slow@example.net"));
    CHECK(strstr(text, "Subject: hello"));
    buf_done(&b.body);
    domain_table_free(routing.table);
    arena_done(&arena);
}

TEST(a_null_sender_never_gets_a_bounce)
{
    struct routing routing = { 0 };
    struct bounce_settings s = settings(&routing);
    struct envelope original = { .id = 77, .sender = "" };
    struct bounce b;

    CHECK_ID("SMTP-085", !bounce_make(&s, DSN_FAILED, &original, outcomes, 3, SLICE(""), 0, 1, &arena, &b));
    domain_table_free(routing.table);
    arena_done(&arena);
}

TEST(nothing_failed_makes_no_bounce)
{
    struct routing routing = { 0 };
    struct bounce_settings s = settings(&routing);
    struct envelope original = { .id = 77, .sender = "sender@example.com" };
    struct bounce b;

    CHECK(!bounce_make(&s, DSN_FAILED, &original, outcomes, 1, SLICE(""), 0, 1, &arena, &b));
    domain_table_free(routing.table);
    arena_done(&arena);
}

TEST(thousands_of_failures_still_make_a_bounce_of_bounded_size)
{
    static struct outcome many[1000];
    struct routing routing = { 0 };
    struct bounce_settings s = settings(&routing);
    struct envelope original = { .id = 77, .sender = "sender@example.com" };
    struct bounce b;

    for (size_t i = 0; i < 1000; i++)
        many[i] = outcomes[1];
    CHECK(bounce_make(&s, DSN_FAILED, &original, many, 1000, SLICE("Subject: x\r\n\r\n"), 0, 1700000000000, &arena, &b));
    CHECK(!b.body.failed && buf_len(&b.body) <= BOUNCE_BODY_MAX && buf_len(&b.body) > 1000);
    CHECK(b.named >= 100 && b.named < 1000);    /* the caller keeps the others for a bounce of their own */
    buf_done(&b.body);
    domain_table_free(routing.table);
    arena_done(&arena);
}

/* RFC 8689 5: a notice asks of TLS what its message did. */
TEST(a_notice_takes_over_what_its_message_asked_of_tls)
{
    static const enum tls_request asked[] = { TLS_AS_USUAL, TLS_REQUIRED, TLS_OPTIONAL };
    static const enum dsn_action actions[] = { DSN_FAILED, DSN_DELAYED };
    const struct slice whole = SLICE("TLS-Required: No\r\nSubject: hello\r\n\r\nthe secret of the message\r\n");

    for (size_t i = 0; i < 6; i++) {
        struct routing routing = { 0 };
        struct bounce_settings s = settings(&routing);
        struct envelope original = { .id = 77, .sender = "sender@example.com", .tls = asked[i / 2] };
        struct header_scan header;
        struct bounce b;

        CHECK(bounce_make(&s, actions[i % 2], &original, outcomes, 3, whole, 0, 1700000000000, &arena, &b));
        CHECK_ID("REQTLS-040", b.envelope.tls == original.tls);
        header_scan_init(&header);
        header_scan(&header, buf_slice(&b.body));
        CHECK_ID("REQTLS-044", header_tls_required(&header, NULL) ==
                                   (original.tls == TLS_OPTIONAL ? TLS_REQUIRED_NO : TLS_REQUIRED_ABSENT));
        buf_byte(&b.body, '\0');
        CHECK_ID("REQTLS-041", strstr(buf_slice(&b.body).at, "Subject: hello") &&
                                   !strstr(buf_slice(&b.body).at, "the secret"));
        buf_done(&b.body);
        domain_table_free(routing.table);
        arena_done(&arena);
    }
}

TEST(the_codes_of_requiretls_reach_the_sender)      /* REQTLS-026 */
{
    static const struct { enum error_code code; const char *status, *advice; } rows[] = {
        { E_REQUIRETLS_MISSING, "\r\nStatus: 5.7.30\r\n", "every mail server on its way" },
        { E_REQUIRETLS_NO_TLS, "\r\nStatus: 5.7.10\r\n", "only travel over encrypted connections" },
    };

    for (size_t i = 0; i < 2; i++) {
        struct routing routing = { 0 };
        struct bounce_settings s = settings(&routing);
        struct envelope original = { .id = 77, .sender = "sender@example.com", .tls = TLS_REQUIRED };
        struct outcome o = { .address = "b@example.net", .status = "", .why = "" };
        struct error why = { 0 };
        struct bounce b;
        const char *text;

        fail(&why, rows[i].code, "mx1.example.net: no good");
        outcomes_fail(&o, 1, &why, NULL, &arena);
        CHECK(bounce_make(&s, DSN_FAILED, &original, &o, 1, SLICE("\r\n"), 0, 1700000000000, &arena, &b));
        buf_byte(&b.body, '\0');
        text = buf_slice(&b.body).at;
        CHECK(strstr(text, rows[i].status) && strstr(text, rows[i].advice) && strstr(text, "mx1.example.net: no good"));
        buf_done(&b.body);
        domain_table_free(routing.table);
        arena_done(&arena);
    }
}
