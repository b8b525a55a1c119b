#include "tests/test.h"

#include "net/script.h"
#include "smtp/client.h"
#include "tests/smtp/timed.h"

static struct smtp_client client;
static struct error why;
static struct script *script;

static void begin(const char *text)
{
    script = script_new('S', text);
    smtp_client_init(&client, script_conn(script), "client.example", &smtp_client_times);
    memset(&why, 0, sizeof why);
}

/* All was said as scripted. */
static void finish(void)
{
    const char *complaint;

    conn_close(client.conn);
    complaint = script_complaint(script);
    if (complaint)
        print_error("%s (%s)\n", complaint, why.text);
    CHECK(!complaint);
    script_free(script);
}

#define HELLO "S: 220 mx.example.org ESMTP\n" "C: EHLO client.example\n"
#define OFFER HELLO "S: 250-mx.example.org\n" "S: 250 STARTTLS\n"

/* --- hello ------------------------------------------------------------------------------------ */

TEST(hello_learns_what_the_server_offers)       /* SMTP-002, -190 */
{
    begin(HELLO "S: 250-mx.example.org at your service\n" "S: 250-starttls\n" "S: 250-PIPELINING\n" "S: 250-8bitMIME\n"
          "S: 250-ENHANCEDSTATUSCODES\n" "S: 250-DSN\n" "S: 250-SMTPUTF8\n" "S: 250-CHUNKING\n" "S: 250-X-OTHER 1 2\n"
          "S: 250-REQUIRETLS\n" "S: 250 SIZE 1000\n");
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK_TEXT(client.peer.greeting, "mx.example.org ESMTP");
    CHECK_TEXT(client.peer.name, "mx.example.org");
    CHECK(client.peer.esmtp && client.peer.starttls && client.peer.pipelining && client.peer.eightbitmime);
    CHECK(client.peer.enhanced_status && client.peer.dsn && client.peer.smtputf8 && client.peer.chunking);
    CHECK(client.peer.has_size && !client.peer.requiretls);     /* REQTLS-023: this was in clear */
    CHECK_EQUAL(client.peer.size_max, 1000);
    finish();
}

TEST(sizes_are_learnt_in_every_form)        /* SMTP-190 */
{
    static const struct { const char *line; bool has; uint64_t max; } rows[] = {
        { "S: 250 SIZE\n", true, 0 }, { "S: 250 SIZE 0\n", true, 0 }, { "S: 250 size 100\n", true, 100 },
        { "S: 250 SIZE 99999999999999999999\n", true, 0 }, { "S: 250 SIZE x\n", true, 0 },
        { "S: 250 SIZE  7 \n", true, 7 }, { "S: 250 SIZEX 7\n", false, 0 }, { "S: 250 STARTTLS SIZE 7\n", false, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200];

        snprintf(text, sizeof text, "%sS: 250-mx\n%s", HELLO, rows[i].line);
        begin(text);
        CHECK_OK(smtp_hello(&client, true, &why), &why);
        CHECK(client.peer.has_size == rows[i].has);
        CHECK_EQUAL(client.peer.size_max, rows[i].max);
        finish();
    }
}

TEST(a_keyword_in_the_first_line_offers_nothing)
{
    begin(HELLO "S: 250 STARTTLS\n");
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK(!client.peer.starttls && client.peer.esmtp);
    CHECK_TEXT(client.peer.name, "STARTTLS");
    finish();
}

TEST(helo_follows_a_refused_ehlo_only_when_allowed)     /* SMTP-093 */
{
    begin(HELLO "S: 502 no\n" "C: HELO client.example\n" "S: 250 old.example\n");
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK(!client.peer.esmtp && !client.peer.starttls);
    CHECK_TEXT(client.peer.name, "old.example");
    finish();
    begin(HELLO "S: 502-STARTTLS\n" "S: 502 STARTTLS\n");
    CHECK(!smtp_hello(&client, false, &why));
    CHECK_EQUAL(why.code, E_HOST_REFUSES);
    CHECK(!client.peer.starttls);
    finish();
    begin(HELLO "S: 550 no\n" "C: HELO client.example\n" "S: 550 no\n");
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_HOST_REFUSES);
    finish();
    begin(HELLO "S: 451 busy\n");
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_REFUSED_FOR_NOW);
    finish();
}

TEST(greetings_that_refuse_blame_the_host)      /* SMTP-094, -136, -139 */
{
    static const struct { const char *line; enum error_code code; } rows[] = {
        { "S: 554 no mail\n", E_HOST_REFUSES }, { "S: 521 never\n", E_HOST_REFUSES },
        { "S: 450 busy\n", E_REFUSED_FOR_NOW }, { "S: 421 busy\n", E_CLOSED }, { "S: 354 what\n", E_PROTOCOL },
        { "S: SSH-2.0-x\n", E_PROTOCOL }, { "EOF\n", E_CLOSED }, { "SILENCE\n", E_TIMEOUT },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(rows[i].line);
        CHECK(!smtp_hello(&client, true, &why));
        CHECK_EQUAL(why.code, rows[i].code);
        CHECK_TEXT(client.command, "connection");
        finish();
    }
    begin("S: 554 5.7.1 no mail from you\n");
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_TEXT(why.text, "connection was answered 554 5.7.1 no mail from you");
    CHECK_EQUAL(client.last.code, 554);
    finish();
}

TEST(a_bare_code_and_unknown_codes_do)      /* SMTP-006, -007 */
{
    begin("S: 220\n" "C: EHLO client.example\n" "S: 299\n");
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK(client.peer.esmtp);
    CHECK_TEXT(client.peer.name, "");
    finish();
}

TEST(a_server_that_talks_out_of_turn_is_left)       /* SMTP-092 */
{
    begin("S: 220 one\n" "S: 220 two\n");
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    finish();
    begin("S: 220 one\n" "C: EHLO client.example\n" "S: 220 two\n");
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    finish();
    begin("S: 220 one\n" "S: 421 busy after all\n");
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_CLOSED);
    CHECK_EQUAL(client.last.code, 421);
    finish();
    begin(HELLO "S: 250 mx\n" "S: 250 more\n");
    CHECK(smtp_hello(&client, true, &why));
    CHECK(!smtp_reset(&client, &why));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    finish();
}

TEST(an_endless_ehlo_answer_is_cut_off)     /* SMTP-062 */
{
    static char text[16000] = HELLO;

    for (int i = 0; i <= REPLY_LINES_MAX; i++)
        strcat(text, "S: 250-again and again\n");
    begin(text);
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    conn_close(client.conn);
    script_free(script);
}

TEST(what_the_server_says_is_shown_escaped)
{
    begin("S: 220 mx\x1b[1m\n" "C: EHLO client.example\n" "S: 250 m\x1bx hi\n");
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK_TEXT(client.peer.greeting, "mx\\x1b[1m");
    CHECK_TEXT(client.peer.name, "m\\x1bx");
    finish();
}

/* --- STARTTLS --------------------------------------------------------------------------------- */

static const struct tls_want any_want;

static bool secure(const char *text)
{
    begin(text);
    CHECK_OK(smtp_hello(&client, false, &why), &why);
    return smtp_secure(&client, &any_want, NULL, NULL, &why);
}

TEST(starttls_forgets_and_asks_again)       /* STARTTLS-001, -002, -028 */
{
    CHECK_OK(secure(HELLO "S: 250-mx.example.org\n" "S: 250-STARTTLS\n" "S: 250-REQUIRETLS\n" "S: 250 SIZE 5\n"
                    "C: STARTTLS\n" "S: 220 go\n" "TLS\n"
                    "C: EHLO client.example\n" "S: 250-inner.example.org\n" "S: 250 PIPELINING\n"), &why);
    CHECK(client.peer.pipelining && client.peer.esmtp);
    CHECK(!client.peer.starttls && !client.peer.requiretls && !client.peer.has_size && !client.peer.size_max);
    CHECK_TEXT(client.peer.name, "inner.example.org");
    CHECK_TEXT(client.peer.greeting, "mx.example.org ESMTP");
    CHECK(conn_tls(client.conn));
    finish();
}

TEST(starttls_offered_again_inside_tls_is_not_taken)        /* STARTTLS-004 */
{
    CHECK_OK(secure(OFFER "C: STARTTLS\n" "S: 220 go\n" "TLS\n"
                    "C: EHLO client.example\n" "S: 250-mx\n" "S: 250 STARTTLS\n"), &why);
    CHECK(!smtp_secure(&client, &any_want, NULL, NULL, &why));
    CHECK_EQUAL(why.code, E_STARTTLS_NOT_OFFERED);
    finish();
}

TEST(starttls_not_offered_is_not_tried)
{
    CHECK(!secure(HELLO "S: 250 mx\n"));
    CHECK_EQUAL(why.code, E_STARTTLS_NOT_OFFERED);
    finish();
}

TEST(a_refused_starttls_leaves_the_connection_usable)       /* STARTTLS-026 */
{
    static const char *const refusals[] = { "454 4.7.0 not now", "554 no", "502 what", "501 no" };

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char text[300];

        snprintf(text, sizeof text, "%sC: STARTTLS\nS: %s\nC: RSET\nS: 250 ok\n", OFFER, refusals[i]);
        CHECK(!secure(text));
        CHECK_EQUAL(why.code, E_STARTTLS_REFUSED);
        CHECK(strstr(why.text, refusals[i]));
        CHECK_OK(smtp_reset(&client, &why), &why);
        finish();
    }
}

TEST(other_answers_to_starttls_end_the_connection)
{
    static const struct { const char *answer; enum error_code code; } rows[] = {
        { "S: 421 busy\n", E_CLOSED },      /* the false "no STARTTLS" of a rate limit */
        { "S: 250 ok\n", E_PROTOCOL }, { "S: 354 ok\n", E_PROTOCOL }, { "CUT\n", E_CLOSED }, { "SILENCE\n", E_TIMEOUT },
        { "S: 220 go\n" "TLSFAIL\n", E_TLS_HANDSHAKE },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[300];

        snprintf(text, sizeof text, "%sC: STARTTLS\n%s", OFFER, rows[i].answer);
        CHECK(!secure(text));
        CHECK_EQUAL(why.code, rows[i].code);
        finish();
    }
}

TEST(bytes_after_the_starttls_reply_are_refused)        /* STARTTLS-011 */
{
    CHECK(!secure(OFFER "C: STARTTLS\n" "S: 220 go\n" "S: 250 injected\n"));
    CHECK_EQUAL(why.code, E_STARTTLS_INJECTED);
    CHECK(!client.peer.esmtp);
    conn_close(client.conn);
    script_free(script);
    CHECK(!secure(OFFER "C: STARTTLS\n" "S: 220 go\n" "S- x\n"));
    CHECK_EQUAL(why.code, E_STARTTLS_INJECTED);
    conn_close(client.conn);
    script_free(script);
}

TEST(bytes_before_starttls_are_out_of_turn)
{
    CHECK(!secure(OFFER "S: 220 go\n"));
    CHECK_EQUAL(why.code, E_PROTOCOL);
    finish();
}

static bool judge(void *arg, const struct tls_facts *facts, struct error *reason)
{
    CHECK(facts && facts == conn_tls(client.conn));
    ++*(int *)arg;
    return *(int *)arg == 1 || fail(reason, E_CERT_NOT_TRUSTED, "not good enough");
}

TEST(the_judge_decides_before_the_first_word_under_tls)     /* STARTTLS-007 */
{
    int calls = 0;

    begin(OFFER "C: STARTTLS\n" "S: 220 go\n" "TLS\n" "C: EHLO client.example\n" "S: 250 mx\n");
    CHECK(smtp_hello(&client, false, &why));
    CHECK_OK(smtp_secure(&client, &any_want, judge, &calls, &why), &why);
    CHECK_EQUAL(calls, 1);
    finish();

    begin(OFFER "C: STARTTLS\n" "S: 220 go\n" "TLS\n" "C: QUIT\n" "S: 221 bye\n");
    CHECK(smtp_hello(&client, false, &why));
    CHECK(!smtp_secure(&client, &any_want, judge, &calls, &why));
    CHECK_EQUAL(why.code, E_CERT_NOT_TRUSTED);
    CHECK_TEXT(why.text, "not good enough");
    finish();
}

TEST(an_ehlo_refused_inside_tls_blames_the_host)
{
    CHECK(!secure(OFFER "C: STARTTLS\n" "S: 220 go\n" "TLS\n" "C: EHLO client.example\n" "S: 550 no\n"));
    CHECK_EQUAL(why.code, E_HOST_REFUSES);
    finish();
}

/* --- RSET, QUIT -------------------------------------------------------------------------------- */

TEST(an_idle_connection_is_tried_with_rset)
{
    begin(HELLO "S: 250 mx\n" "C: RSET\n" "S: 250 ok\n" "C: RSET\n" "S: 421 too long idle\n");
    CHECK(smtp_hello(&client, true, &why));
    client.transaction_open = true;
    CHECK_OK(smtp_reset(&client, &why), &why);
    CHECK(!client.transaction_open);
    CHECK(!smtp_reset(&client, &why));
    CHECK_EQUAL(why.code, E_CLOSED);
    finish();
    begin(HELLO "S: 250 mx\n" "C: RSET\n" "S: 500 what\n");
    CHECK(smtp_hello(&client, true, &why));
    CHECK(!smtp_reset(&client, &why));
    CHECK_EQUAL(why.code, E_REFUSED);
    finish();
}

TEST(quit_does_not_mind_how_it_is_answered)     /* SMTP-091 */
{
    static const char *const answers[] = { "S: 221 bye\n", "S: 500 what\n", "EOF\n", "CUT\n", "SILENCE\n", "S: rubbish\n" };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char text[200];

        snprintf(text, sizeof text, "%sS: 250 mx\nC: QUIT\n%s", HELLO, answers[i]);
        begin(text);
        CHECK(smtp_hello(&client, true, &why));
        smtp_quit(&client);
        finish();
    }
}

/* --- times --------------------------------------------------------------------------------------- */

TEST(the_default_times_are_those_of_the_standard)       /* SMTP-081 */
{
    const struct smtp_times *t = &smtp_client_times;

    CHECK(t->greeting == MINUTES(5) && t->mail == MINUTES(5) && t->rcpt == MINUTES(5));
    CHECK(t->data == MINUTES(2) && t->block == MINUTES(3) && t->final == MINUTES(10));
    CHECK(t->ehlo == MINUTES(5) && t->starttls == MINUTES(5) && t->rset == SECONDS(30) && t->quit == SECONDS(30));
    CHECK_EQUAL(t->handshake, SECONDS(60));     /* STARTTLS-014 */
}

TEST(each_step_has_its_own_time)        /* SMTP-080 */
{
    static const struct smtp_times times = { .greeting = SECONDS(10), .ehlo = SECONDS(20), .rset = SECONDS(30),
                                             .quit = SECONDS(5) };
    static const struct timed_words words[] = {
        { SECONDS(10), "220 mx\r\n" }, { SECONDS(19), "250 " }, { SECONDS(1), "mx\r\n" }, { SECONDS(30), "250 ok\r\n" },
    };
    struct timed timed;

    smtp_client_init(&client, timed_conn(&timed, words, 4), "client.example", &times);
    CHECK_OK(smtp_hello(&client, true, &why), &why);
    CHECK_OK(smtp_reset(&client, &why), &why);
    smtp_quit(&client);
    CHECK_EQUAL(timed_spent(&timed), SECONDS(10 + 20 + 30 + 5));
    conn_close(client.conn);
    timed_done(&timed);

    smtp_client_init(&client, timed_conn(&timed, words + 2, 2), "client.example", &times);
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(timed_spent(&timed), SECONDS(1));       /* "mx" is no greeting */
    conn_close(client.conn);
    timed_done(&timed);

    smtp_client_init(&client, timed_conn(&timed, words + 3, 1), "client.example", &times);
    CHECK(!smtp_hello(&client, true, &why));
    CHECK_EQUAL(why.code, E_TIMEOUT);
    CHECK_EQUAL(timed_spent(&timed), SECONDS(10));
    conn_close(client.conn);
    timed_done(&timed);
}
