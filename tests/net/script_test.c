#include "tests/test.h"

#include "net/script.h"

/* The dialogues here are a few lines of the test itself: what is tested is
 * whether the script sees what they do wrong. */

static void expect_complaint(struct script *s, struct conn *c, const char *wanted)
{
    const char *complaint = script_complaint(s);

    if (wanted && complaint)
        CHECK_TEXT(complaint, wanted);
    else if (wanted || complaint)
        fail_msg("wanted %s, got %s", wanted ? wanted : "no complaint", complaint ? complaint : "none");
    conn_abort(c);
    script_free(s);
}

static bool hears(struct conn *c, const char *wanted)
{
    struct slice line;

    return conn_line(c, 1000, 1000, &line, NULL) == LINE_OK && slice_equal(line, slice_of(wanted));
}

static void says(struct conn *c, const char *text)
{
    conn_write(c, slice_of(text));
    (void)!conn_flush(c, NULL);
}

TEST(a_dialogue_that_keeps_to_the_script_is_not_complained_about)
{
    struct script *s = script_new('S', "S: 220 hi\n\nC: EHLO h\nS: 250 h\nC: QUIT\nS: 221 bye\nEOF\n");
    struct conn *c = script_conn(s);

    CHECK(hears(c, "220 hi"));
    says(c, "EHLO h\r\n");
    CHECK(hears(c, "250 h"));
    says(c, "QUIT\r\n");
    CHECK(hears(c, "221 bye"));
    expect_complaint(s, c, NULL);
}

TEST(what_is_said_may_come_in_pieces_of_any_size)
{
    static const char *const said[] = { "E", "HLO h\r", "\nNO", "OP\r\nQUIT\r\n" };
    struct script *s = script_new('S', "C: EHLO h\nC- NOOP\\x0d\\n\nC: QUIT\nS: 250 h\n");
    struct conn *c = script_conn(s);

    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        says(c, said[i]);
    CHECK(hears(c, "250 h"));
    expect_complaint(s, c, NULL);
}

TEST(other_words_are_complained_about_with_both_and_the_line)
{
    struct script *s = script_new('S', "S: 220 hi\nC: EHLO h\n");
    struct conn *c = script_conn(s);

    CHECK(hears(c, "220 hi"));
    says(c, "HELO h\r\nQUIT\r\n");
    expect_complaint(s, c, "line 2: wanted \"EHLO h\\r\\n\", but the dialogue said \"HELO h\\r\\n\"");
}

TEST(after_a_complaint_the_dialogue_is_ended)
{
    struct script *s = script_new('S', "C: EHLO h\nS: 250 h\n");
    struct conn *c = script_conn(s);
    struct error why;

    says(c, "HELO h\r\n");
    CHECK(!conn_more(c, &why));
    CHECK_EQUAL(why.code, E_CLOSED);
    CHECK(strstr(why.text, "script: line 1"));
    expect_complaint(s, c, "line 1: wanted \"EHLO h\\r\\n\", but the dialogue said \"HELO h\\r\\n\"");
}

TEST(a_bare_newline_is_not_what_was_wanted)
{
    struct script *s = script_new('S', "C: QUIT\n");
    struct conn *c = script_conn(s);

    says(c, "QUIT\n");
    expect_complaint(s, c, "line 1: wanted \"QUIT\\r\\n\", but the dialogue said \"QUIT\\n\"");
}

TEST(waiting_at_ones_own_turn_is_complained_about)
{
    struct script *s = script_new('S', "S: 220 hi\nC: EHLO h\nS: 250 h\n");
    struct conn *c = script_conn(s);
    struct error why;

    CHECK(hears(c, "220 hi"));
    CHECK(!conn_more(c, &why));
    CHECK_EQUAL(why.code, E_TIMEOUT);
    expect_complaint(s, c, "line 2: wanted \"EHLO h\\r\\n\", but the dialogue waits for its peer");
}

TEST(half_a_line_is_not_a_line)
{
    struct script *s = script_new('S', "C: EHLO h\nS: 250 h\n"), *t = script_new('S', "C: EHLO h\n");
    struct conn *c = script_conn(s), *d = script_conn(t);

    says(c, "EHLO");
    CHECK(!hears(c, "250 h"));
    expect_complaint(s, c, "line 1: wanted \"EHLO h\\r\\n\", but the dialogue said only \"EHLO\"");
    says(d, "EHLO");
    expect_complaint(t, d, "line 1: wanted \"EHLO h\\r\\n\", but the dialogue said only \"EHLO\"");
}

TEST(speaking_before_listening_is_complained_about)
{
    struct script *s = script_new('S', "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a>\n");
    struct conn *c = script_conn(s);

    says(c, "MAIL FROM:<>\r\nRCPT TO:<a>\r\n");
    expect_complaint(s, c, "line 2: the dialogue said \"RCPT TO:<a>\\r\\n\" before \"250 ok\\r\\n\"");
}

TEST(speaking_behind_the_end_is_complained_about)
{
    struct script *s = script_new('S', "C: QUIT\n");
    struct conn *c = script_conn(s);

    says(c, "QUIT\r\nNOOP\r\n");
    expect_complaint(s, c, "behind the last line: the dialogue also said \"NOOP\\r\\n\"");
}

TEST(what_is_left_over_is_complained_about)
{
    static const struct { const char *text, *wanted; } table[] = {
        { "S: 220 hi\n", "line 1: the dialogue ended before \"220 hi\\r\\n\"" },
        { "\nC: QUIT\n", "line 2: the dialogue ended before \"QUIT\\r\\n\"" },
        { "TLS\n", "line 1: the dialogue ended before TLS" },
        { "SILENCE\n", "line 1: the dialogue ended before SILENCE" },
        { "CUT\n", "line 1: the dialogue ended before CUT" },
        { "C*\n", "line 1: the dialogue ended before any line" },
        { "C=EHLO\n", "line 1: the dialogue ended before a line that begins with EHLO" },
        { "EOF\n", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct script *s = script_new('S', table[i].text);

        expect_complaint(s, script_conn(s), table[i].wanted);
    }
}

TEST(a_script_that_makes_no_sense_is_complained_about)
{
    static const char *const table[] = {
        "X: 220 hi\n", "S 220 hi\n", "tls\n", "TLS \n", "S\n", " S: 220\n", "S* 220\n", "S=220\n",
        "S: \\q\n", "S: \\x1\n", "S: \\xzz\n", "S: \\\n",
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct script *s = script_new('S', table[i]);
        struct conn *c = script_conn(s);

        if (!script_complaint(s) || !strstr(script_complaint(s), "line 1: the script makes no sense"))
            fail_msg("no complaint about %s", table[i]);
        CHECK(!conn_more(c, NULL));
        conn_close(c);
        script_free(s);
    }
}

TEST(escapes_stand_for_any_byte)
{
    struct script *s = script_new('S', "S- a\\x00\\xffB\\r\\n\\t\\\\\\0\nC-  two spaces: one is said\n");
    struct conn *c = script_conn(s);

    CHECK(conn_more(c, NULL));
    CHECK(slice_equal(conn_peek(c), slice("a\0\xff" "B\r\n\t\\\0", 9)));
    says(c, " two spaces: one is said");
    expect_complaint(s, c, NULL);
}

TEST(any_line_and_any_reply_with_a_code_may_be_said)
{
    struct script *s = script_new('C', "S=220\nC: EHLO h\nS=250\nS*\nC: QUIT\nS=221\n");
    struct conn *c = script_conn(s);

    says(c, "220 some.example.org at 12:30\r\n");
    CHECK(hears(c, "EHLO h"));
    says(c, "250-some.example.org\r\n250-SIZE\r\n");
    says(c, "250 HELP\r\n999 whatever\r\n");
    CHECK(hears(c, "QUIT"));
    says(c, "221\r\n");
    expect_complaint(s, c, NULL);
}

TEST(a_reply_with_another_code_is_complained_about)
{
    static const char *const table[] = {
        "251 ok\r\n", "250-one\r\n251 two\r\n", "2500 ok\r\n", "25\r\n", "250-a\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct script *s = script_new('C', "S=250\n");
        struct conn *c = script_conn(s);

        says(c, table[i]);
        CHECK(script_complaint(s) && strstr(script_complaint(s), "line 1: wanted a reply 250, but the dialogue said"));
        conn_close(c);
        script_free(s);
    }
}

TEST(a_command_is_known_by_its_first_word)
{
    struct script *s = script_new('S', "C=EHLO\nC=MAIL\nC=RCPT\n");
    struct conn *c = script_conn(s);

    says(c, "ehlo client.example.org\r\nMAIL\r\n");
    says(c, "RCPTS TO:<a>\r\n");
    expect_complaint(s, c, "line 3: wanted a line that begins with RCPT, but the dialogue said \"RCPTS TO:<a>\\r\\n\"");
}

TEST(consecutive_lines_arrive_in_one_read_and_pauses_part_them)
{
    struct script *s = script_new('S', "S: 1\nS: 2\nPAUSE\nS: 3\n");
    struct conn *c = script_conn(s);

    CHECK(conn_more(c, NULL));
    CHECK_SLICE(conn_peek(c), "1\r\n2\r\n");
    CHECK(conn_more(c, NULL));
    CHECK_SLICE(conn_peek(c), "1\r\n2\r\n3\r\n");
    expect_complaint(s, c, NULL);
}

TEST(an_answer_to_part_of_a_long_speech_may_come_early)
{
    struct script *s = script_new('C', "C: NOOP\nPAUSE\nC: QUIT\nS: 250 ok\nS: 221 bye\n");
    struct conn *c = script_conn(s);

    CHECK(hears(c, "NOOP"));
    says(c, "250 ok\r\n");
    CHECK(hears(c, "QUIT"));
    says(c, "221 bye\r\n");
    expect_complaint(s, c, NULL);
}

TEST(tls_starts_where_the_script_says_and_nowhere_else)
{
    static const struct tls_want want;
    struct script *s = script_new('S', "S: 220 hi\nTLS\n"), *t = script_new('S', "TLS\nS: 220 hi\n");
    struct conn *c = script_conn(s), *d = script_conn(t);
    struct error why;

    CHECK(hears(c, "220 hi"));
    CHECK(!conn_more(c, &why));
    expect_complaint(s, c, "line 2: wanted TLS, but the dialogue waits for its peer");

    CHECK_OK(conn_start_tls(d, NULL, &want, &why), &why);
    CHECK(hears(d, "220 hi"));
    expect_complaint(t, d, NULL);

    s = script_new('S', "C: QUIT\n");
    c = script_conn(s);
    CHECK(!conn_start_tls(c, NULL, &want, &why));
    CHECK_EQUAL(why.code, E_TLS_HANDSHAKE);
    expect_complaint(s, c, "line 1: the dialogue starts TLS, which the script does not");
}

TEST(handshakes_fail_in_the_ways_that_are_scripted)
{
    static const struct { const char *text; enum error_code code; } table[] = {
        { "TLSFAIL\n", E_TLS_HANDSHAKE }, { "SILENCE\n", E_TIMEOUT }, { "CUT\n", E_TLS_HANDSHAKE },
    };
    static const struct tls_want want;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct script *s = script_new('S', table[i].text);
        struct conn *c = script_conn(s);
        struct error why;

        CHECK(!conn_start_tls(c, NULL, &want, &why));
        CHECK_EQUAL(why.code, table[i].code);
        CHECK(conn_tls(c) == NULL);
        expect_complaint(s, c, NULL);
    }
}

TEST(the_facts_of_tls_are_those_given)
{
    static const struct tls_want want;
    struct script *s = script_new('S', "TLS\n");
    struct conn *c = script_conn(s);

    script_facts(s, &(struct tls_facts){ .version = TLS_1_2, .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
                                         .trust = TLS_TRUST_PKIX, .name_matches = true });
    CHECK(conn_tls(c) == NULL);
    CHECK(conn_start_tls(c, NULL, &want, NULL));
    CHECK_EQUAL(conn_tls(c)->version, TLS_1_2);
    CHECK_TEXT(conn_tls(c)->cipher, "ECDHE-RSA-AES128-GCM-SHA256");
    CHECK(conn_tls(c)->name_matches);
    expect_complaint(s, c, NULL);
}

TEST(bytes_for_fuzzers_come_in_chunks_and_nothing_is_checked)
{
    static const struct tls_want want;
    struct script *s = script_bytes(SLICE("abcdefg"), 3);
    struct conn *c = script_conn(s);
    struct error why;

    says(c, "anything\r\n");
    CHECK(conn_more(c, NULL));
    CHECK_SLICE(conn_peek(c), "abc");
    CHECK(!conn_start_tls(c, NULL, &want, &why));       /* (P3) holds here too */
    CHECK_EQUAL(why.code, E_STARTTLS_INJECTED);
    CHECK_SLICE(script_written(s), "anything\r\n");
    expect_complaint(s, c, NULL);

    s = script_bytes(SLICE("abcdefg"), 4);
    c = script_conn(s);
    CHECK(conn_more(c, NULL));
    conn_consume(c, 4);
    CHECK(conn_start_tls(c, NULL, &want, &why));
    CHECK(conn_tls(c) != NULL);
    CHECK(conn_more(c, NULL));
    CHECK_SLICE(conn_peek(c), "efg");
    CHECK(!conn_more(c, &why));
    CHECK_EQUAL(why.code, E_CLOSED);
    expect_complaint(s, c, NULL);
}
