#include "tests/test.h"

#include "dkim/sign.h"
#include "tests/dkim/hand.h"
#include "tests/tlsrpt/fixture.h"
#include "tlsrpt/take.h"

#include <stdlib.h>
#include <unistd.h>

/* RFC 8463 A.1. */
#define PRIVATE_KEY "-----BEGIN PRIVATE KEY-----\n"                                             \
                    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"        \
                    "-----END PRIVATE KEY-----\n"
#define PUBLIC_KEY "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static struct error why;
static struct arena arena;
static struct received_report taken;
static const time_ms now = SECONDS(1795300000);

static const char *const our_domains[] = { "example.org" };
static const struct report_ours ours = { .domains = our_domains, .domain_count = 1 };

/* --- keys ----------------------------------------------------------------------- */

struct zone {
    enum dkim_lookup outcome;
    const char *key;
};

static unsigned jobs;               /* that were run apart */
static bool is_apart;

static enum dkim_lookup find(void *self, const char *name, struct arena *a, struct slice *texts, size_t most, size_t *count)
{
    const struct zone *z = self;

    CHECK(!is_apart);               /* it may wait, and only fibers can */
    *count = 0;
    if (strcmp(name, "sel._domainkey.example.com") != 0)
        return DKIM_LOOKUP_NONE;
    if (z->outcome == DKIM_LOOKUP_FOUND && most > 0)
        texts[(*count)++] = arena_copy(a, slice_of(z->key));
    return z->outcome;
}

static struct zone good_zone = { DKIM_LOOKUP_FOUND, "v=DKIM1; k=ed25519; p=" PUBLIC_KEY };

static void run_apart(void (*job)(void *arg), void *arg)
{
    CHECK(!is_apart);
    jobs++;
    is_apart = true;
    job(arg);
    is_apart = false;
}

static bool take(struct slice message, struct zone *zone, bool unsigned_too)
{
    const struct dkim_keys keys = { find, zone };
    const struct report_taking how = { &keys, &ours, unsigned_too, run_apart };

    arena_done(&arena);
    arena_init(&arena, 2 * REPORT_ARENA_MAX);
    why = (struct error){ 0 };
    jobs = 0;
    return report_take_letter(message, &how, now, &arena, &taken, &why);
}

/* --- messages ------------------------------------------------------------------------ */

static struct signing_key *private_key(void)
{
    char file[] = "/tmp/postern-take-test-XXXXXX";
    int fd = mkstemp(file);
    struct signing_key *key;

    CHECK(write(fd, PRIVATE_KEY, sizeof PRIVATE_KEY - 1) == sizeof PRIVATE_KEY - 1);
    close(fd);
    key = signing_key_read(file, &why);
    unlink(file);
    if (!key)
        fail_msg("%s", why.text);
    return key;
}

static void add_as_sent(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n')
            buf_byte(out, '\r');
        buf_byte(out, text.at[i]);
    }
}

/* The fixture, signed by example.com on its way. */
static void signed_fixture(const char *name, struct buf *out)
{
    auto_buf struct buf file = { 0 }, sent = { 0 };
    struct signing_key *key = private_key();
    const struct dkim_signer signer = { "example.com", "sel", key };
    struct dkim_signing *signing = dkim_signing_new(&signer);

    buf_init(&sent, 100000);
    add_as_sent(fixture(name, &file), &sent);
    dkim_signing_add(signing, buf_slice(&sent));
    buf_init(out, 200000);
    CHECK_OK(dkim_signing_end(signing, now, out, &why), &why);
    buf_add(out, buf_slice(&sent));
    dkim_signing_free(signing);
    signing_key_free(key);
}

/* --- letters: TLSRPT-090 -------------------------------------------------------------- */

TEST(a_signed_letter_is_taken_in_the_name_of_its_signer)
{
    auto_buf struct buf message = { 0 };

    signed_fixture("text_first.eml", &message);
    CHECK_OK(take(buf_slice(&message), &good_zone, false), &why);
    CHECK_EQUAL(taken.trust, REPORT_SIGNED);
    CHECK_EQUAL(taken.way, REPORT_BY_MAIL);
    CHECK_TEXT(taken.submitter, "example.com");
    CHECK_TEXT(taken.report.id, "2026-11-20T00:00:00Z_example.org");
    CHECK_TEXT(taken.peer, "");
    CHECK(!taken.foreign);
    CHECK(taken.received == now);
}

TEST(a_key_that_is_not_for_reports_does_not_count)
{
    static struct { const char *key; bool good; } keys[] = {
        { "v=DKIM1; k=ed25519; s=tlsrpt; p=" PUBLIC_KEY, true }, { "v=DKIM1; k=ed25519; s=email:tlsrpt; p=" PUBLIC_KEY, true },
        { "v=DKIM1; k=ed25519; s=*; p=" PUBLIC_KEY, true }, { "v=DKIM1; k=ed25519; s=email; p=" PUBLIC_KEY, false },
        { "v=DKIM1; k=ed25519; p=", false },
    };
    auto_buf struct buf message = { 0 };

    signed_fixture("text_first.eml", &message);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct zone zone = { DKIM_LOOKUP_FOUND, keys[i].key };

        CHECK_ID("TLSRPT-090", take(buf_slice(&message), &zone, false) == keys[i].good);
        CHECK(keys[i].good || why.code == E_UNSIGNED);
    }
}

TEST(a_letter_that_was_changed_is_taken_only_unsigned)
{
    auto_buf struct buf message = { 0 };

    signed_fixture("html_first.eml", &message);
    buf_text(&message, "\r\nand something below\r\n");
    CHECK(!take(buf_slice(&message), &good_zone, false));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK_TEXT(error_dsn(why.code), "5.7.20");
    CHECK_OK(take(buf_slice(&message), &good_zone, true), &why);
    CHECK_EQUAL(taken.trust, REPORT_UNSIGNED);
    CHECK_EQUAL(taken.way, REPORT_BY_HAND);
    CHECK_TEXT(taken.submitter, "example.com");     /* the contact's */
}

TEST(a_key_that_cannot_be_looked_up_now_is_asked_for_later)
{
    struct zone zone = { DKIM_LOOKUP_FAILED, NULL };
    auto_buf struct buf message = { 0 };

    signed_fixture("text_first.eml", &message);
    CHECK(!take(buf_slice(&message), &zone, false));
    CHECK_EQUAL(why.code, E_DNS);
    CHECK(!error_is_final(why.code));
}

TEST(a_strangers_signature_is_not_enough)
{
    auto_buf struct buf message = { 0 };

    signed_fixture("never_closed.eml", &message);       /* from example.net */
    CHECK(!take(buf_slice(&message), &good_zone, false));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK_OK(take(buf_slice(&message), &good_zone, true), &why);
    CHECK_TEXT(taken.submitter, "corp.example.net");
}

/* TLSRPT-093: unpacking is work that a stranger could make us do. */
TEST(what_nobody_signed_is_not_unpacked)
{
    const struct slice message = SLICE("From: a@example.com\nContent-Type: application/tlsrpt+json\n\n{broken\n");

    CHECK(!take(message, &good_zone, false));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK(!take(message, &good_zone, true));
    CHECK_EQUAL(why.code, E_MALFORMED);
}

TEST(mail_without_a_report_is_not_taken_however_signed)
{
    CHECK(!take(SLICE("From: a@example.com\n\nhello\n"), &good_zone, true));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
}

/* --- what the signature covers --------------------------------------------------------- */

/* `header` and `body` signed by example.com with h=`names`, and `added` on top of all. */
static bool take_signed(const char *names, const char *added, const char *header, const char *body)
{
    const struct hand_wish wish = { .kind = SIGNATURE_ED25519, .names = names, .tags = "v=1; d=example.com; s=sel" };
    struct zone zone = { DKIM_LOOKUP_FOUND, hand_record(SIGNATURE_ED25519) };
    auto_buf struct buf message = { 0 }, out = { 0 };

    buf_init(&message, 10000);
    buf_init(&out, 20000);
    buf_text(&message, "%s\r\n%s", header, body);
    buf_add(&out, slice_of(added));
    hand_sign(buf_slice(&message), &wish, &out);
    return take(buf_slice(&out), &zone, false);
}

#define REPORT(domain) "{\"organization-name\":\"o\",\"contact-info\":\"c@example.com\",\"report-id\":\"i\"," \
                       "\"date-range\":{\"start-datetime\":\"2026-11-20T00:00:00Z\",\"end-datetime\":\"2026-11-20T23:59:59Z\"}," \
                       "\"policies\":[{\"policy\":{\"policy-type\":\"sts\"" domain "}," \
                       "\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":9}}]}\r\n"
#define ABOUT_US REPORT(",\"policy-domain\":\"example.org\"")
#define AS_JSON "Content-Type: application/tlsrpt+json\r\n"
#define FROM "From: a@example.com\r\n"

/* What example.com sends when mail to it cannot be delivered: a stranger wrote the last part. */
#define BOUNCE "--OUT\r\nContent-Type: text/plain\r\n\r\nno such user\r\n--OUT\r\nContent-Type: message/rfc822\r\n\r\n" \
               "Subject: x\r\n\r\n--EV\r\n" AS_JSON "\r\n" ABOUT_US "--EV--\r\n--OUT--\r\n"
#define AS_BOUNCE "Content-Type: multipart/report; boundary=OUT\r\n"
#define AS_REPORT "Content-Type: multipart/mixed; boundary=EV\r\n"

TEST(nobody_can_make_a_report_out_of_what_a_signed_message_quotes)
{
    /* First that the trick would do. */
    CHECK_OK(take_signed("From:Content-Type", "", FROM AS_REPORT, BOUNCE), &why);
    CHECK_EQUAL(taken.trust, REPORT_SIGNED);

    CHECK(!take_signed("From:Content-Type", "", FROM AS_BOUNCE, BOUNCE));
    CHECK_EQUAL(why.code, E_NOT_FOUND);
    CHECK(!take_signed("From:Content-Type", AS_REPORT, FROM AS_BOUNCE, BOUNCE));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK(strstr(why.text, "more Content-Type fields than are signed"));
    CHECK(!take_signed("From:From:Content-Type:Content-Type", AS_REPORT, FROM AS_BOUNCE, BOUNCE));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK(!take_signed("From", AS_REPORT, FROM AS_BOUNCE, BOUNCE));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK(!take_signed("From", "", FROM AS_REPORT, BOUNCE));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK(!take_signed("From", AS_REPORT "TLS-Report-Domain: example.org\r\nTLS-Report-Submitter: example.com\r\n", FROM AS_BOUNCE,
                       BOUNCE));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK(!take_signed("From:TLS-Report-Submitter", AS_REPORT "TLS-Report-Submitter: example.com\r\n", FROM AS_BOUNCE, BOUNCE));
    CHECK_EQUAL(why.code, E_UNSIGNED);
    CHECK_EQUAL(jobs, 1);           /* nothing was read */
}

/* As one of the largest senders does. */
TEST(a_report_may_be_signed_without_its_content_type_if_it_says_what_it_is)
{
    CHECK_OK(take_signed("To:From:TLS-Report-Submitter:TLS-Report-Domain:MIME-Version:From:To", "",
                         FROM AS_JSON "TLS-Report-Domain: example.org\r\nTLS-Report-Submitter: example.com\r\n", ABOUT_US), &why);
    CHECK_OK(take_signed("From:TLS-Report-Domain", "", FROM AS_JSON "TLS-Report-Domain: example.org\r\n", ABOUT_US), &why);
}

TEST(an_encoding_that_was_added_makes_no_report)
{
    CHECK_OK(take_signed("From:Content-Type:Content-Transfer-Encoding", "", FROM AS_JSON "Content-Transfer-Encoding: 7bit\r\n",
                         ABOUT_US), &why);
    CHECK(!take_signed("From:Content-Type", "Content-Transfer-Encoding: 7bit\r\n", FROM AS_JSON, ABOUT_US));
    CHECK_EQUAL(why.code, E_UNSIGNED);
}

TEST(a_domain_that_is_not_signed_is_not_what_a_report_is_about)
{
    CHECK_OK(take_signed("From:Content-Type:TLS-Report-Domain", "", FROM AS_JSON "TLS-Report-Domain: example.org\r\n", REPORT("")), &why);
    CHECK_TEXT(taken.report.entries[0].policy.domain, "example.org");
    CHECK(!taken.foreign);
    CHECK_OK(take_signed("From:Content-Type", "TLS-Report-Domain: example.org\r\n", FROM AS_JSON, REPORT("")), &why);
    CHECK_TEXT(taken.report.entries[0].policy.domain, "");
    CHECK(taken.foreign);
    CHECK(!take_signed("From:Content-Type:TLS-Report-Domain", "TLS-Report-Domain: example.org\r\n",
                       FROM AS_JSON "TLS-Report-Domain: other.example\r\n", REPORT("")));
}

/* --- work that takes its time ------------------------------------------------------------ */

TEST(the_work_on_a_letter_can_be_done_apart_or_here)
{
    const struct dkim_keys keys = { find, &good_zone };
    const struct report_taking here = { .keys = &keys, .ours = &ours };
    auto_buf struct buf message = { 0 };

    signed_fixture("text_first.eml", &message);
    CHECK_OK(take(buf_slice(&message), &good_zone, false), &why);
    CHECK_EQUAL(jobs, 2);           /* finding the parts; reading one of them */
    CHECK_OK(report_take_letter(buf_slice(&message), &here, now, &arena, &taken, &why), &why);
    CHECK_EQUAL(jobs, 2);
    CHECK_TEXT(taken.submitter, "example.com");
    CHECK(!take(SLICE("From: a@example.com\n\nhello\n"), &good_zone, false));
    CHECK_EQUAL(jobs, 1);
}

/* --- reports as they are ----------------------------------------------------------------- */

static void take_fixture(const char *name, const struct report_ours *about)
{
    auto_buf struct buf file = { 0 };

    arena_done(&arena);
    arena_init(&arena, REPORT_ARENA_MAX);
    CHECK_OK(report_take_bare(fixture(name, &file), REPORT_BY_HTTPS, "192.0.2.9", about, now, &arena, &taken, &why), &why);
}

TEST(a_bare_report_is_unsigned_and_its_contacts)
{
    take_fixture("rfc8460.json", &ours);
    CHECK_EQUAL(taken.trust, REPORT_UNSIGNED);
    CHECK_EQUAL(taken.way, REPORT_BY_HTTPS);
    CHECK_TEXT(taken.submitter, "company-x.example");
    CHECK_TEXT(taken.peer, "192.0.2.9");
    CHECK_ID("TLSRPT-095", taken.foreign);
}

TEST(a_report_without_a_contact_is_nobodys)
{
    take_fixture("sparse.json", &ours);
    CHECK_TEXT(taken.submitter, "unknown");
    CHECK(!taken.foreign);
}

TEST(what_is_no_report_is_not_taken)
{
    CHECK(!report_take_bare(SLICE("<html>"), REPORT_BY_HTTPS, "192.0.2.9", &ours, now, &arena, &taken, &why));
    CHECK_EQUAL(why.code, E_MALFORMED);
}
