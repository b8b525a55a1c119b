#include "tests/test.h"

#include "lab/attack.h"
#include "net/script.h"

#define CLIENT_BEGINS   "S: 220 mx.example.org ESMTP\n" "C: EHLO client.example.org\n"
#define HOST_BEGINS     "S: 220 mx.example.org ESMTP\n" "C: EHLO client.example.org\n" \
                        "S: 250-mx.example.org\n" "S: 250-SIZE\n" "S: 250-STARTTLS\n" "S: 250 8BITMIME\n"
#define HELLO           "S: 250-mx.example.org\n" "S: 250-SIZE\n" "S: 250-STARTTLS\n" "S: 250 8BITMIME\n"
#define BYE             "C: QUIT\n" "S: 221 Bye\n"

static const char nobody;       /* a script needs no certificate to end TLS */

static enum attack_end attack(enum attack kind, const char *client_text, const char *host_text)
{
    struct script *client = script_new('C', client_text), *host = script_new('S', host_text);
    struct conn *c = script_conn(client), *h = script_conn(host);
    const struct attacker attacker = { .kind = kind, .disguise = (const struct tls_server *)&nobody };
    enum attack_end end = attack_dialogue(c, h, &attacker);
    const char *complaint;

    conn_close(c);
    conn_close(h);
    complaint = script_complaint(client);
    if (complaint)
        fail_msg("client: %s", complaint);
    complaint = script_complaint(host);
    if (complaint)
        fail_msg("host: %s", complaint);
    script_free(client);
    script_free(host);
    return end;
}

TEST(strip_strikes_starttls_out_and_carries_the_rest)
{
    CHECK_EQUAL(attack(ATTACK_STRIP,
        CLIENT_BEGINS "S: 250-mx.example.org\n" "S: 250-SIZE\n" "S: 250 8BITMIME\n"
        "C: MAIL FROM:<a@example.org>\n" "S: 250 Ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 Ok\n"
        "C: DATA\n" "S: 354 Go\n" "C: Subject: x\n" "C-\\r\\n\n" "C: ..dot\n" "C: .\n" "S: 250 Kept\n" BYE,
        HOST_BEGINS
        "C: MAIL FROM:<a@example.org>\n" "S: 250 Ok\n" "C: RCPT TO:<b@example.net>\n" "S: 250 Ok\n"
        "C: DATA\n" "S: 354 Go\n" "C: Subject: x\n" "C-\\r\\n\n" "C: ..dot\n" "C: .\n" "S: 250 Kept\n" BYE),
        ATTACK_OVER);
}

TEST(strip_minds_that_starttls_may_be_the_last_line)
{
    attack(ATTACK_STRIP, CLIENT_BEGINS "S: 250-mx.example.org\n" "S: 250 SIZE\n" BYE,
           "S: 220 mx.example.org ESMTP\n" "C: EHLO client.example.org\n"
           "S: 250-mx.example.org\n" "S: 250-SIZE\n" "S: 250 STARTTLS\n" BYE);
    attack(ATTACK_STRIP, CLIENT_BEGINS "S: 250 mx.example.org\n" BYE,
           "S: 220 mx.example.org ESMTP\n" "C: EHLO client.example.org\n"
           "S: 250-mx.example.org\n" "S: 250 starttls\n" BYE);
}

TEST(refuse_answers_starttls_in_the_hosts_place)
{
    CHECK_EQUAL(attack(ATTACK_REFUSE,
        CLIENT_BEGINS HELLO "C: STARTTLS\n" "S=454\n" "C: NOOP\n" "S: 250 Ok\n" BYE,
        HOST_BEGINS "C: NOOP\n" "S: 250 Ok\n" BYE), ATTACK_OVER);
}

TEST(inject_puts_a_reply_behind_the_consent)
{
    CHECK_EQUAL(attack(ATTACK_INJECT,
        CLIENT_BEGINS HELLO "C: STARTTLS\n" "S: 220 Go\n" "S: 250 2.0.0 injected in clear\n",
        HOST_BEGINS "C: STARTTLS\n" "S: 220 Go\n"), ATTACK_BLIND);
}

TEST(keyword_is_added_in_clear)
{
    CHECK_EQUAL(attack(ATTACK_KEYWORD,
        CLIENT_BEGINS "S: 250-mx.example.org\n" "S: 250-SIZE\n" "S: 250-STARTTLS\n" "S: 250-8BITMIME\n"
        "S: 250 REQUIRETLS\n" "C: STARTTLS\n" "S: 220 Go\n",
        HOST_BEGINS "C: STARTTLS\n" "S: 220 Go\n"), ATTACK_BLIND);
}

TEST(a_host_that_refuses_starttls_leaves_nothing_to_carry)
{
    CHECK_EQUAL(attack(ATTACK_NONE,
        CLIENT_BEGINS HELLO "C: STARTTLS\n" "S: 454 Not now\n" BYE,
        HOST_BEGINS "C: STARTTLS\n" "S: 454 Not now\n" BYE), ATTACK_OVER);
}

TEST(stall_says_the_consent_and_no_more)
{
    CHECK_EQUAL(attack(ATTACK_STALL, CLIENT_BEGINS HELLO "C: STARTTLS\n" "S=220\n" "C-\\x16\\x03\\x01\n", HOST_BEGINS),
                ATTACK_OVER);
}

TEST(garbage_follows_only_once_the_client_has_begun_its_handshake)
{
    CHECK_EQUAL(attack(ATTACK_GARBAGE,
        CLIENT_BEGINS HELLO "C: STARTTLS\n" "S=220\n" "C-\\x16\\x03\\x01\n" "S: This is not TLS, and it never was.\n",
        HOST_BEGINS), ATTACK_OVER);
}

TEST(certificate_ends_tls_in_the_middle_and_reads_on)
{
    CHECK_EQUAL(attack(ATTACK_CERTIFICATE,
        CLIENT_BEGINS HELLO "C: STARTTLS\n" "S: 220 Go\n" "TLS\n" "C: EHLO client.example.org\n"
        "S: 250-mx.example.org\n" "S: 250 STARTTLS\n" BYE,
        HOST_BEGINS "C: STARTTLS\n" "S: 220 Go\n" "TLS\n" "C: EHLO client.example.org\n"
        "S: 250-mx.example.org\n" "S: 250 STARTTLS\n" BYE), ATTACK_OVER);
}

TEST(commands_in_a_group_are_carried_one_by_one)
{
    attack(ATTACK_NONE,
        CLIENT_BEGINS HELLO "C: RSET\n" "C: NOOP\n" "S: 250 One\n" "S: 250 Two\n" BYE,
        HOST_BEGINS "C: RSET\n" "S: 250 One\n" "C: NOOP\n" "S: 250 Two\n" BYE);
}

TEST(replies_that_are_none_end_it)
{
    CHECK_EQUAL(attack(ATTACK_STRIP, "EOF\n", "S: hi\n"), ATTACK_OVER);
    CHECK_EQUAL(attack(ATTACK_STRIP, "EOF\n", "EOF\n"), ATTACK_OVER);
}
