#include "tests/test.h"

#include "message/dsn.h"

#include "base/memory.h"
#include "message/header.h"

#define ARRIVED SECONDS(1136214245)     /* Mon, 02 Jan 2006 15:04:05 */

static struct dsn_recipient refused(void)
{
    return (struct dsn_recipient){
        .address = "nobody@example.net",
        .status = "5.1.1",
        .remote_host = "mx1.example.net",
        .remote_words = "550-5.1.1 There is nobody\r\n550 5.1.1 of that name\r\n",
        .why = "mx1.example.net refused the recipient",
    };
}

static struct dsn notice(const struct dsn_recipient *recipients, size_t count)
{
    return (struct dsn){
        .action = DSN_FAILED,
        .hostname = "mx.example.org",
        .postmaster = "postmaster@mx.example.org",
        .sender = "user@example.org",
        .queue_id = "01j9x",
        .own_id = "01j9x-failed",
        .arrived = ARRIVED,
        .wall = ARRIVED + HOURS(1),
        .give_up = ARRIVED + DAYS(5),
        .recipients = recipients,
        .count = count,
        .original_header = SLICE("From: user@example.org\r\nSubject: Hello\r\n\r\n"),
    };
}

/* The notice as a C string (NUL bytes are checked here), good until the next call. */
static const char *written(struct dsn d)
{
    static char text[256 * 1024];
    auto_buf struct buf out;
    struct slice s;

    buf_init(&out, sizeof text - 1);
    dsn_write(&d, &out);
    CHECK(!out.failed);
    s = buf_slice(&out);
    CHECK(memchr(s.at, '\0', s.len) == NULL);
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    return text;
}

static void check_lines(const char *text)
{
    struct slice rest = slice_of(text);

    CHECK(slice_ends_nocase(rest, SLICE("\r\n")));
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');

        CHECK(line.len > 0 && line.at[line.len - 1] == '\r');
        CHECK(line.len - 1 <= 998);
        CHECK(memchr(line.at, '\r', line.len - 1) == NULL);
    }
}

/* `text` with each line end as a space: what it says, wherever it is folded. */
static const char *unfolded(const char *text)
{
    static char flat[256 * 1024];
    size_t used = 0;

    for (; *text; text++)
        if (*text != '\r')
            flat[used++] = *text == '\n' ? ' ' : *text;
    flat[used] = '\0';
    return flat;
}

/* How often `line` stands at the beginning of a line. */
static unsigned count_lines(const char *text, const char *line)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, line)); at++)
        count += at == text || at[-1] == '\n';
    return count;
}

TEST(a_bounce_has_the_three_parts_of_a_report)
{
    struct dsn_recipient r = refused();
    const char *text = written(notice(&r, 1));

    check_lines(text);
    CHECK_ID("SMTP-280", strstr(text, "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                                      "        boundary=\"=_01j9x-failed.1\"\r\n"));
    CHECK_ID("SMTP-280", count_lines(text, "--=_01j9x-failed.1\r\n") == 3);
    CHECK_ID("SMTP-280", count_lines(text, "--=_01j9x-failed.1--\r\n") == 1);
    CHECK(strstr(text, "Content-Type: text/plain; charset=us-ascii\r\n"));
    CHECK(strstr(text, "Content-Type: message/delivery-status\r\n"));
    CHECK(strstr(text, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                       "From: user@example.org\r\nSubject: Hello\r\n\r\n--"));
}

TEST(the_header_says_from_whom_to_whom_and_that_a_machine_wrote_it)
{
    struct dsn_recipient r = refused();
    const char *text = written(notice(&r, 1));

    CHECK_ID("SMTP-284", count_lines(text, "From: Mail delivery system <postmaster@mx.example.org>\r\n") == 1);
    CHECK_ID("SMTP-284", count_lines(text, "Auto-Submitted: auto-replied\r\n") == 1);
    CHECK_EQUAL(count_lines(text, "To: <user@example.org>\r\n"), 1);
    CHECK_EQUAL(count_lines(text, "Subject: Undelivered mail: nobody@example.net\r\n"), 1);
    CHECK_EQUAL(count_lines(text, "Date: Mon, 02 Jan 2006 16:04:05 +0000\r\n"), 1);
    CHECK_ID("SMTP-285", count_lines(text, "Message-ID: <01j9x-failed@mx.example.org>\r\n") == 1);
}

TEST(the_status_part_has_a_group_for_the_message_and_one_for_the_recipient)
{
    struct dsn_recipient r = refused();
    const char *text = written(notice(&r, 1));

    CHECK_ID("SMTP-281", strstr(text, "Content-Type: message/delivery-status\r\n\r\n"
                                      "Reporting-MTA: dns; mx.example.org\r\n"
                                      "X-Postern-Queue-ID: 01j9x\r\n"
                                      "Arrival-Date: Mon, 02 Jan 2006 15:04:05 +0000\r\n\r\n"
                                      "Final-Recipient: rfc822; nobody@example.net\r\n"
                                      "Action: failed\r\n"
                                      "Status: 5.1.1\r\n"));
    CHECK_ID("SMTP-283", strstr(text, "Remote-MTA: dns; mx1.example.net\r\n"
                                      "Diagnostic-Code: smtp; 550-5.1.1 There is nobody 550 5.1.1 of that name\r\n"
                                      "Last-Attempt-Date: Mon, 02 Jan 2006 16:04:05 +0000\r\n\r\n--"));
}

TEST(where_nobody_spoke_the_diagnostic_is_ours)
{
    struct dsn_recipient r = { .address = "a@example.net", .status = "5.4.7", .why = "no host answered for 5 days" };
    const char *text = written(notice(&r, 1));

    CHECK(strstr(text, "Status: 5.4.7\r\nDiagnostic-Code: X-Postern; no host answered for 5 days\r\n"));
    CHECK(!strstr(text, "Remote-MTA") && !strstr(text, "said:"));
}

TEST(the_text_tells_a_person_what_happened_and_what_to_do)
{
    struct dsn_recipient r = refused();
    const char *text = written(notice(&r, 1));

    CHECK(strstr(text, "This is the mail system at mx.example.org.\r\n"));
    CHECK(strstr(text, "  nobody@example.net\r\n"
                       "      mx1.example.net refused the recipient\r\n"
                       "      mx1.example.net said:\r\n"
                       "        550-5.1.1 There is nobody\r\n"
                       "        550 5.1.1 of that name\r\n"));
    CHECK(strstr(text, "The address was not accepted. Check it for typing errors"));
    CHECK(strstr(text, "For help write to postmaster@mx.example.org and name the message's number,\r\n01j9x.\r\n"));
}

TEST(each_status_brings_its_own_advice_once)
{
    static const struct {
        const char *status, *advice;
    } table[] = {
        { "5.1.10", "takes no mail at all" },       { "5.1.2", "does not exist" },
        { "5.1.0", "typing errors" },               { "5.2.2", "mailbox is full" },
        { "5.2.3", "too large" },                   { "5.3.4", "too large" },
        { "5.2.1", "takes no mail at present" },    { "5.4.6", "in a circle" },
        { "5.4.7", "for as long as we tried" },     { "5.4.1", "could not be reached" },
        { "5.6.3", "of this form" },                { "4.7.4", "may only travel encrypted, and no" },
        { "5.7.5", "could not prove who it is" },   { "5.7.1", "by its own rules" },
        { "5.7.10", "servers that prove who they are" },     /* REQTLS-026 */
        { "5.7.30", "keep it encrypted (REQUIRETLS)" },
        { "5.0.0", "If you do not know" },          { "nonsense", "If you do not know" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dsn_recipient r[2] = { refused(), refused() };
        const char *text, *first;

        r[0].status = r[1].status = table[i].status;
        text = unfolded(written(notice(r, 2)));
        first = strstr(text, table[i].advice);
        CHECK(first && !strstr(first + 1, table[i].advice));
    }
}

TEST(a_status_that_is_none_is_replaced)
{
    static const char *const bad[] = { "", "5", "5.1", "3.1.1", "5.01.1", "5.1.1.1", "5.1.1234", "5.1.x", "5..1",
                                       "5.1.1\r\nX: y", NULL };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dsn_recipient r = refused();
        struct dsn d;

        r.status = bad[i];
        d = notice(&r, 1);
        CHECK_ID("SMTP-282", strstr(written(d), "\r\nStatus: 5.0.0\r\n"));
        d.action = DSN_DELAYED;
        CHECK_ID("SMTP-282", strstr(written(d), "\r\nStatus: 4.0.0\r\n"));
    }
}

TEST(several_recipients_are_groups_with_empty_lines_between)
{
    struct dsn_recipient r[3] = { refused(), refused(), refused() };
    const char *text;

    r[1].address = "second@example.net";
    r[2].address = "third@example.net";
    text = written(notice(r, 3));
    CHECK(strstr(text, "Subject: Undelivered mail: nobody@example.net and 2 more\r\n"));
    CHECK_ID("SMTP-281", strstr(text, "\r\n\r\nFinal-Recipient: rfc822; second@example.net\r\n") &&
                             strstr(text, "\r\n\r\nFinal-Recipient: rfc822; third@example.net\r\n"));
}

TEST(a_delay_notice_says_how_long_we_go_on)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);
    const char *text;

    d.action = DSN_DELAYED;
    r.status = "4.4.1";
    text = written(d);
    check_lines(text);
    CHECK(strstr(text, "Subject: Delayed mail: nobody@example.net\r\n"));
    CHECK(strstr(text, "Action: delayed\r\nStatus: 4.4.1\r\n"));
    CHECK(strstr(text, "Will-Retry-Until: Sat, 07 Jan 2006 15:04:05 +0000\r\n"));
    CHECK(strstr(text, "You need not send it again: we go on trying until Sat, 07 Jan 2006"));
    CHECK(!strstr(text, "typing errors"));
}

TEST(the_status_codes_of_requiretls_stand_in_the_report)       /* REQTLS-026 */
{
    struct dsn_recipient r = { .address = "a@example.net", .status = "5.7.30", .why = "no host offers REQUIRETLS" };
    struct dsn d = notice(&r, 1);

    CHECK(strstr(written(d), "Action: failed\r\nStatus: 5.7.30\r\nDiagnostic-Code: X-Postern; no host offers REQUIRETLS\r\n"));
    r.status = "5.7.10";
    CHECK(strstr(written(d), "Action: failed\r\nStatus: 5.7.10\r\n"));
}

/* How often the notice's own header, not one that it returns, says so. */
static unsigned count_tls_required(const char *text)
{
    static char header[4096];

    snprintf(header, sizeof header, "%.*s", SLICE_ARGS(header_of(slice_of(text))));
    return count_lines(header, "TLS-Required: No\r\n");
}

TEST(a_notice_about_mail_that_may_do_without_tls_says_so_once)
{
    static const char *const originals[] = { "Subject: x\r\n\r\n", "TLS-Required: No\r\nSubject: x\r\n\r\n" };

    for (size_t i = 0; i < 2; i++) {
        struct dsn_recipient r = refused();
        struct dsn d = notice(&r, 1);

        d.original_header = slice_of(originals[i]);
        CHECK(count_tls_required(written(d)) == 0);
        d.tls_optional = true;
        check_lines(written(d));
        CHECK_ID("REQTLS-044", count_tls_required(written(d)) == 1);
        CHECK_ID("REQTLS-007", count_lines(written(d), "TLS-Required:") == 1 + (unsigned)i);   /* the other is returned */
        d.action = DSN_DELAYED;
        CHECK_ID("REQTLS-044", count_tls_required(written(d)) == 1);
    }
}

/* Nothing from a remote may begin a line of its own. */
TEST(what_strangers_say_stays_words)
{
    struct dsn_recipient r = {
        .address = "a\r\nBcc: victim@example.org\r\n\r\n@example.net",
        .status = "5.1.1",
        .remote_host = "mx\r\nX-Evil: host",
        .remote_words = "550 no\r\nAction: delivered\nX-Evil: 1\r\n\r\n--=_01j9x-failed.1--\r\nX-Evil: 2\x1b[2J\xc3\xa9",
        .why = "because\r\nX-Evil: 3",
    };
    const char *text = written(notice(&r, 1));

    check_lines(text);
    CHECK_EQUAL(count_lines(text, "Bcc:"), 0);
    CHECK_EQUAL(count_lines(text, "X-Evil"), 0);
    CHECK_EQUAL(count_lines(text, "Action: delivered"), 0);
    CHECK(!strchr(text, '\x1b') && !strchr(text, '\xc3'));
    CHECK(strstr(text, "\\x1b[2J\\xc3\\xa9"));
}

TEST(the_boundary_is_one_that_occurs_nowhere)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);

    r.remote_words = "550 --=_01j9x-failed.1";
    d.original_header = SLICE("X: y\r\n--=_01j9x-failed.2\r\n--=_01j9x-failed.3--\r\n");
    CHECK_EQUAL(count_lines(written(d), "--=_01j9x-failed.4\r\n"), 3);
}

TEST(an_own_id_with_foreign_bytes_makes_a_clean_boundary_and_message_id)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);

    d.own_id = "a\"b\r\nc>d";
    CHECK(strstr(written(d), "Message-ID: <a-b--c-d@mx.example.org>\r\n"));
    CHECK(strstr(written(d), "boundary=\"=_a-b--c-d.1\"\r\n"));
}

TEST(a_long_reply_is_folded_and_in_the_end_cut)
{
    struct dsn_recipient r = refused();
    auto_free char *words = memory_new(20001);
    const char *text;

    memset(words, 'x', 20000);
    r.remote_words = words;
    text = written(notice(&r, 1));
    check_lines(text);
    CHECK(strlen(text) < 14000);
    for (size_t i = 5; i < 20000; i += 6)
        words[i] = ' ';
    text = written(notice(&r, 1));
    for (struct slice rest = slice_of(text); rest.len;)
        CHECK(slice_cut(&rest, '\n').len <= 81);
}

TEST(a_long_header_is_cut_at_a_line_end)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);
    auto_free char *header = memory_new(70001);
    const char *text, *end;

    for (size_t i = 0; i < 700; i++)
        snprintf(header + i * 100, 101, "X-%05zu: %089d\r\n", i, 0);
    d.original_header = slice(header, 70000);
    text = written(d);
    CHECK(strstr(text, "\r\nX-00326: ") && !strstr(text, "X-00327"));
    end = strstr(text, "X-00326");
    CHECK(strncmp(end + 98, "\r\n\r\n--=_", 8) == 0);
}

TEST(a_header_line_without_end_is_cut_too_and_broken)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);
    auto_free char *header = memory_new(70000);
    const char *text;

    memset(header, 'x', 70000);
    d.original_header = slice(header, 70000);
    text = written(d);
    check_lines(text);
    CHECK(strlen(text) < 36000);
}

TEST(eight_bit_headers_go_back_as_they_are_and_are_declared)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);
    const char *text;

    d.original_header = SLICE("Subject: \xc3\xa9\r\n\r\n");
    text = written(d);
    CHECK(strstr(text, "Content-Transfer-Encoding: 8bit\r\n\r\n--=_"));
    CHECK(strstr(text, "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: \xc3\xa9\r\n\r\n--=_"));
}

TEST(bytes_no_line_may_hold_are_shown_as_question_marks)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);

    d.original_header = SLICE("A: \0b\rc\nd\r\nE: f\r\n\r\nbody");
    CHECK(strstr(written(d), "\r\n\r\nA: ?b?c?d\r\nE: f\r\n\r\n--=_"));
}

TEST(a_message_without_header_brings_no_third_part)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);

    d.original_header = SLICE("\r\nbody\r\n");
    CHECK_EQUAL(count_lines(written(d), "--=_01j9x-failed.1\r\n"), 2);
    d.original_header = slice(NULL, 0);
    CHECK_EQUAL(count_lines(written(d), "--=_01j9x-failed.1\r\n"), 2);
}

TEST(a_notice_that_does_not_fit_fails_the_buffer)
{
    struct dsn_recipient r = refused();
    struct dsn d = notice(&r, 1);
    auto_buf struct buf out;

    buf_init(&out, 500);
    dsn_write(&d, &out);
    CHECK(out.failed);
}
