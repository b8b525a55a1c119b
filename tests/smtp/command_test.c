#include "tests/test.h"

#include "smtp/command.h"

static struct smtp_command command;
static struct smtp_refusal refusal;
static char memory[4096];           /* what `command` borrows from */

static bool parse_bytes(struct slice line)
{
    auto_arena struct arena arena;
    bool parsed;

    arena_init(&arena, 4096);
    parsed = command_parse(line, &arena, &command, &refusal);
    if (parsed && !command.path.is_null && command.path.local.len) {
        int len = snprintf(memory, sizeof memory, "%.*s|%.*s", SLICE_ARGS(command.path.local),
                           SLICE_ARGS(command.path.domain));

        command.path.local = slice(memory, command.path.local.len);
        command.path.domain = slice(memory + len - command.path.domain.len, command.path.domain.len);
    }
    return parsed;
}

static bool parse(const char *line)
{
    return parse_bytes(slice_of(line));
}

/* --- verbs ------------------------------------------------------------------------- */

TEST(verbs_are_known_in_any_case)       /* SMTP-004 */
{
    static const struct { const char *line; enum smtp_verb verb; } rows[] = {
        { "HELO example.org", VERB_HELO }, { "ehlo example.org", VERB_EHLO }, { "mAiL fRoM:<A@x>", VERB_MAIL },
        { "rcpt to:<a@x>", VERB_RCPT }, { "DATA", VERB_DATA }, { "rset", VERB_RSET }, { "Noop", VERB_NOOP },
        { "NOOP anything at all", VERB_NOOP }, { "VRFY user", VERB_VRFY }, { "EXPN list", VERB_EXPN },
        { "HELP", VERB_HELP }, { "HELP mail", VERB_HELP }, { "QUIT", VERB_QUIT }, { "StartTLS", VERB_STARTTLS },
        { "AUTH PLAIN =", VERB_AUTH }, { "BDAT 10 LAST", VERB_BDAT }, { "TURN", VERB_TURN }, { "ETRN x", VERB_ETRN },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!parse(rows[i].line))
            fail_msg("%s: %d %s", rows[i].line, refusal.code, refusal.text);
        CHECK_EQUAL(command.verb, rows[i].verb);
    }
    CHECK(parse("mAiL fRoM:<A@x>"));
    CHECK_SLICE(command.path.local, "A");
    CHECK_TEXT(verb_name(VERB_STARTTLS), "STARTTLS");
    CHECK_TEXT(verb_name(VERB_UNKNOWN), "");
}

TEST(trailing_blanks_are_tolerated)     /* SMTP-008 */
{
    CHECK(parse("RSET  "));
    CHECK(parse("RSET \t "));
    CHECK(parse("DATA "));
    CHECK(parse("MAIL FROM:<a@x>  "));
    CHECK(parse("EHLO example.org \t"));
    CHECK_SLICE(command.client_name, "example.org");
}

static const struct {
    const char *line;
    int code;
    const char *status;
    enum smtp_verb verb;
} refused[] = {
    { "", 500, "5.5.2", VERB_UNKNOWN },
    { "   ", 500, "5.5.2", VERB_UNKNOWN },
    { "FOO", 500, "5.5.1", VERB_UNKNOWN },                          /* SMTP-010 */
    { "FOO BAR", 500, "5.5.1", VERB_UNKNOWN },
    { " NOOP", 500, "5.5.1", VERB_UNKNOWN },
    { "MAILFROM:<a@x>", 500, "5.5.1", VERB_UNKNOWN },
    { "NOOP\tx", 500, "5.5.1", VERB_UNKNOWN },
    { "QUITE", 500, "5.5.1", VERB_UNKNOWN },
    { "\x80", 500, "5.5.1", VERB_UNKNOWN },
    { "DATA x", 501, "5.5.4", VERB_DATA },                          /* SMTP-009 */
    { "RSET x", 501, "5.5.4", VERB_RSET },
    { "QUIT now", 501, "5.5.4", VERB_QUIT },
    { "STARTTLS now", 501, "5.5.4", VERB_STARTTLS },                /* STARTTLS-020 */
    { "VRFY", 501, "5.5.4", VERB_VRFY },
    { "EXPN ", 501, "5.5.4", VERB_EXPN },
    { "EHLO", 501, "5.5.4", VERB_EHLO },
    { "HELO ", 501, "5.5.4", VERB_HELO },
    { "EHLO two words", 501, "5.5.4", VERB_EHLO },
    { "EHLO a(b)", 501, "5.5.4", VERB_EHLO },
    { "EHLO a<b>", 501, "5.5.4", VERB_EHLO },
    { "EHLO b\xc3\xbc" "cher.example", 501, "5.5.2", VERB_EHLO },   /* SMTP-026 */
    { "NOOP caf\xc3\xa9", 501, "5.5.2", VERB_NOOP },
    { "NOOP a\tb", 501, "5.5.2", VERB_NOOP },                       /* SMTP-029 */
    { "NOOP a\rb", 501, "5.5.2", VERB_NOOP },
    { "NOOP a\nb", 501, "5.5.2", VERB_NOOP },
    { "MAIL FROM:<a\x7f@x>", 501, "5.5.2", VERB_MAIL },
    { "MAIL", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM", 501, "5.5.4", VERB_MAIL },
    { "MAIL TO:<a@x>", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM :<a@x>", 501, "5.5.4", VERB_MAIL },
    { "RCPT FROM:<a@x>", 501, "5.5.4", VERB_RCPT },
    { "MAIL FROM:", 501, "5.1.7", VERB_MAIL },
    { "MAIL FROM:a@x", 501, "5.1.7", VERB_MAIL },
    { "MAIL FROM:<a@x", 501, "5.1.7", VERB_MAIL },
    { "MAIL FROM:<a@[256.1.1.1]>", 501, "5.1.7", VERB_MAIL },
    { "MAIL FROM:<Postmaster>", 501, "5.1.7", VERB_MAIL },
    { "RCPT TO:<>", 501, "5.1.3", VERB_RCPT },
    { "RCPT TO:<a..b@x.example>", 501, "5.1.3", VERB_RCPT },        /* SMTP-173 */
    { "MAIL FROM:<a@x>SIZE=1", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<\xc3\xa9@x>", 550, "5.6.7", VERB_MAIL },          /* SMTP-026, -243 */
    { "RCPT TO:<\xc3\xa9@x>", 553, "5.6.7", VERB_RCPT },
    { "MAIL FROM:<> FOO=1", 555, "5.5.4", VERB_MAIL },              /* SMTP-018 */
    { "MAIL FROM:<> FOO", 555, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SMTPUTF8", 555, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> AUTH=<>", 555, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> RET=FULL", 555, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> REQUIRETLS=1", 501, "5.5.4", VERB_MAIL },       /* REQTLS-001 */
    { "MAIL FROM:<> REQUIRETLS=", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> REQUIRETLS SIZE=1 RequireTLS", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> REQUIRETLSX", 555, "5.5.4", VERB_MAIL },
    { "RCPT TO:<a@x> REQUIRETLS", 555, "5.5.4", VERB_RCPT },
    { "RCPT TO:<a@x> NOTIFY=NEVER", 555, "5.5.4", VERB_RCPT },
    { "RCPT TO:<a@x> SIZE=1", 555, "5.5.4", VERB_RCPT },
    { "MAIL FROM:<> BODY=BINARYMIME", 555, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> BODY", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> BODY=", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> BODY=7BIT BODY=7BIT", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SIZE", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SIZE=", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SIZE=x", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SIZE=-1", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SIZE=+1", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> SIZE=1 size=2", 501, "5.5.4", VERB_MAIL },      /* SMTP-195 */
    { "MAIL FROM:<> SIZE=123456789012345678901", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> =1", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> A=B=C", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> -A=B", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<> A.B", 501, "5.5.4", VERB_MAIL },
    { "MAIL FROM:<a@x>>", 501, "5.5.4", VERB_MAIL },
};

TEST(each_kind_of_bad_line_has_its_own_answer)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (parse(refused[i].line))
            fail_msg("accepted: %s", refused[i].line);
        if (refusal.code != refused[i].code || strcmp(refusal.status, refused[i].status) != 0)
            fail_msg("%s: %d %s %s", refused[i].line, refusal.code, refusal.status, refusal.text);
        CHECK_EQUAL(command.verb, refused[i].verb);
        CHECK(refusal.text[0] != '\0');
        CHECK(refusal.status[0] - '0' == refusal.code / 100);
    }
}

TEST(a_nul_neither_ends_nor_hides_a_command)    /* SMTP-029 */
{
    CHECK(!parse_bytes(SLICE("MAIL FROM:<a\0b@x>")));
    CHECK_EQUAL(refusal.code, 501);
    CHECK(!parse_bytes(SLICE("QUIT\0")));
    CHECK_EQUAL(refusal.code, 500);
    CHECK(!parse_bytes(SLICE("NOOP \0")));
    CHECK_EQUAL(refusal.code, 501);
}

TEST(a_refusal_shows_a_strange_parameter_cut_and_harmless)
{
    char line[1000] = "MAIL FROM:<> ";

    memset(line + 13, 'X', 900);
    CHECK(!parse(line));
    CHECK_EQUAL(refusal.code, 555);
    CHECK(strlen(refusal.text) < sizeof refusal.text - 1);
}

/* --- EHLO ------------------------------------------------------------------------------ */

TEST(client_names_are_taken_as_real_clients_send_them)
{
    static const char *const names[] = {
        "mx.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost", "host_name", "192.0.2.1", "example.org.",
        "[fe80::1%25eth0]", "::1", "-",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char line[100];

        snprintf(line, sizeof line, "EHLO %s", names[i]);
        CHECK(parse(line));
        CHECK_SLICE(command.client_name, names[i]);
    }
}

TEST(a_client_name_may_have_255_bytes)
{
    char line[300] = "EHLO ";

    memset(line + 5, 'a', 255);
    CHECK(parse(line));
    line[260] = 'a';
    CHECK(!parse(line));
    CHECK_EQUAL(refusal.code, 501);
}

/* --- MAIL, RCPT --------------------------------------------------------------------------- */

TEST(mail_takes_size_and_body)
{
    CHECK(parse("MAIL FROM:<u@example.org> SIZE=1000 BODY=8BITMIME"));
    CHECK_SLICE(command.path.domain, "example.org");
    CHECK(command.has_size && command.size == 1000);
    CHECK(command.has_body && command.body == BODY_8BITMIME);
    CHECK_ID("SMTP-215", parse("MAIL FROM:<> body=7bit") && command.body == BODY_7BIT && command.path.is_null);
    CHECK(!command.has_size && command.size == 0);
    CHECK(parse("MAIL FROM:<>  BODY=8bitmime   size=0"));
    CHECK(command.has_size && command.size == 0);
}

TEST(mail_may_require_tls)      /* REQTLS-001 */
{
    CHECK(parse("MAIL FROM:<u@example.org> REQUIRETLS") && command.requiretls);
    CHECK(parse("MAIL FROM:<> size=1 requiretls body=7bit") && command.requiretls && command.has_size && command.has_body);
    CHECK(parse("MAIL FROM:<REQUIRETLS@example.org>") && !command.requiretls);
}

TEST(a_size_that_fits_no_number_is_the_largest)     /* SMTP-195 */
{
    CHECK(parse("MAIL FROM:<> SIZE=18446744073709551615") && command.size == UINT64_MAX);
    CHECK(parse("MAIL FROM:<> SIZE=18446744073709551616") && command.size == UINT64_MAX);
    CHECK(parse("MAIL FROM:<> SIZE=99999999999999999999") && command.size == UINT64_MAX);
    CHECK(parse("MAIL FROM:<> SIZE=00000000000000000012") && command.size == 12);
}

TEST(a_space_behind_the_colon_is_forgiven)
{
    CHECK(parse("MAIL FROM: <u@example.org> SIZE=1"));
    CHECK_SLICE(command.path.local, "u");
    CHECK(parse("RCPT TO:  <u@example.org>"));
    CHECK_SLICE(command.path.local, "u");
}

TEST(a_quoted_bracket_does_not_end_the_path)
{
    CHECK(parse("MAIL FROM:<\"a> SIZE=9\"@example.org> SIZE=1"));
    CHECK_SLICE(command.path.local, "\"a> SIZE=9\"");
    CHECK_EQUAL(command.size, 1);
}

TEST(postmaster_alone_is_a_recipient_and_no_sender)     /* SMTP-022 */
{
    CHECK(parse("RCPT TO:<postMASTER>"));
    CHECK_SLICE(command.path.local, "postMASTER");
    CHECK(!parse("MAIL FROM:<postmaster>"));
}

TEST(a_source_route_is_dropped)     /* SMTP-023 */
{
    CHECK(parse("RCPT TO:<@a.example,@b.example:u@example.org>"));
    CHECK_SLICE(command.path.local, "u");
    CHECK_SLICE(command.path.domain, "example.org");
}

TEST(the_argument_is_kept_for_those_who_read_it)
{
    CHECK(parse("AUTH  PLAIN abc= "));
    CHECK_SLICE(command.argument, "PLAIN abc=");
    CHECK(parse("RSET"));
    CHECK_SLICE(command.argument, "");
}

TEST(no_room_for_an_address_is_a_temporary_answer)
{
    auto_arena struct arena arena;

    arena_init(&arena, 4);
    CHECK(!command_parse(SLICE("RCPT TO:<user@example.org>"), &arena, &command, &refusal));
    CHECK_EQUAL(refusal.code, 452);
    CHECK_TEXT(refusal.status, "4.3.1");
}
