#include "tests/test.h"

#include "base/memory.h"
#include "dkim/header.h"
#include "tests/dkim/hand.h"

#define MESSAGE "From: a@example.org\r\nTo: b@example.net\r\nSubject: Is it\r\n  simple?\r\nDate: now\r\n\r\nA  body \r\n of lines\r\n\r\n"

static struct hand_zone zone_with(const char *text)
{
    return (struct hand_zone){ .at = { { "sel._domainkey.example.org", text } } };
}

/* The result for a message with one signature. */
static struct dkim_result one(struct slice message, struct hand_zone *zone)
{
    struct dkim_result results[DKIM_RESULTS_MAX];

    CHECK_EQUAL(hand_verify(message, zone, results), 1);
    CHECK((results[0].verdict == DKIM_PASS) == (results[0].words[0] == '\0'));
    return results[0];
}

static struct dkim_result judge(const char *message, const struct hand_wish *wish, struct hand_zone *zone)
{
    auto_buf struct buf out = { 0 };

    buf_init(&out, strlen(message) + 10000);
    hand_sign(slice_of(message), wish, &out);
    return one(buf_slice(&out), zone);
}

static void expect(struct dkim_result r, enum dkim_verdict verdict, const char *words)
{
    if (r.verdict != verdict || !strstr(r.words, words))
        fail_msg("%s: \"%s\" instead of %s: \"%s\"", dkim_verdict_name(r.verdict), r.words, dkim_verdict_name(verdict), words);
}

/* --- examples of the RFCs --------------------------------------------------------------------- */

#define JOE                                                     \
    "From: Joe SixPack <joe@football.example.com>\r\n"          \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"              \
    "Subject: Is dinner ready?\r\n"                             \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"           \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"

/* RFC 8463 A */
TEST(the_example_of_rfc_8463_passes_with_both_keys)
{
    struct hand_zone zone = {
        .at = {
            { "brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" },
            { "test._domainkey.football.example.com",
              "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx"
              "/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB" },
        },
    };
    struct dkim_result results[DKIM_RESULTS_MAX];

    CHECK_EQUAL(hand_verify(SLICE(
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n"
        " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n"
        " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
        " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n"
        " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n date : message-id : from : subject : date;\r\n"
        " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
        " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
        JOE "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"), &zone, results), 2);
    CHECK_EQUAL(results[0].verdict, DKIM_PASS);
    CHECK_TEXT(results[0].domain, "football.example.com");
    CHECK_TEXT(results[0].selector, "brisbane");
    CHECK_TEXT(results[0].words, "");
    CHECK_EQUAL(results[1].verdict, DKIM_PASS);
    CHECK_TEXT(results[1].selector, "test");
}

/* RFC 6376 A.2, C: simple/simple, a field with folds, an identity in a subdomain */
TEST(the_example_of_rfc_6376_passes)
{
    struct hand_zone zone = {
        .at = { { "brisbane._domainkey.example.com",
                  "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC"
                  "jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVj"
                  "H4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB" } },
    };

    expect(one(SLICE(
        "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
        "      h=Received : From : To : Subject : Date : Message-ID;\r\n      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        "      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"
        "      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n      4bmp/YzhwvcubU4=;\r\n"
        "Received: from client1.football.example.com  [192.0.2.1]\r\n      by submitserver.example.com with SUBMISSION;\r\n"
        "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
        JOE "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n"), &zone), DKIM_PASS, "");
}

/* --- every shape that is allowed ------------------------------------------------------------------ */

TEST(each_kind_of_key_and_canonical_form_passes)
{
    static const char *const MESSAGES[] = {
        MESSAGE,
        "From: a\r\n\r\n",
        "From: a\r\n",
        "From: a\n\nbody\nhere\n\n\n",
        "Subject: x\n y\nFrom: a\n",
        "From: a\r\nsubject : b\r\nReceived: c\r\nReceived: d\r\n\r\n\r\n\r\n",
    };

    for (int shape = 0; shape < 8; shape++) {
        struct hand_wish wish = { .kind = shape & 1, .simple_header = shape & 2, .simple_body = shape & 4 };
        struct hand_zone zone = zone_with(hand_record(wish.kind));

        for (size_t i = 0; i < sizeof MESSAGES / sizeof *MESSAGES; i++)
            expect(judge(MESSAGES[i], &wish, &zone), DKIM_PASS, "");
    }
}

/* RFC 6376 5.4.2 */
TEST(repeated_fields_are_taken_from_the_bottom)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    static const char *const NAMES[] = {
        "From:Received",
        "Received:From:Received",
        "from:RECEIVED:Received:Received:received",
        "From:None:To:To",
    };

    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct hand_wish wish = { .kind = SIGNATURE_ED25519, .names = NAMES[i] };

        expect(judge("Received: 1\r\nReceived: 2\r\nFrom: a\r\nReceived: 3\r\n\r\n", &wish, &zone), DKIM_PASS, "");
    }
}

TEST(a_signature_may_sign_other_signatures_but_never_itself)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .names = "From:DKIM-Signature:DKIM-Signature" };
    struct dkim_result results[DKIM_RESULTS_MAX];
    auto_buf struct buf once = { 0 }, twice = { 0 };

    buf_init(&once, 10000);
    buf_init(&twice, 10000);
    hand_sign(SLICE(MESSAGE), &wish, &once);
    hand_sign(buf_slice(&once), &wish, &twice);
    CHECK_EQUAL(hand_verify(buf_slice(&twice), &zone, results), 2);
    expect(results[0], DKIM_PASS, "");
    /* RFC 6376 3.7 has the newer one above; the older one, which counts from below, never saw it. */
    expect(results[1], DKIM_FAIL, "not made by this key");
}

TEST(names_are_told_in_lower_case)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .tags = "v=1; d=EXAMPLE.Org; s=SeL" };
    struct dkim_result r = judge(MESSAGE, &wish, &zone);

    expect(r, DKIM_PASS, "");
    CHECK_TEXT(r.domain, "example.org");
    CHECK_TEXT(r.selector, "sel");
    CHECK_TEXT(zone.last, "sel._domainkey.example.org");
}

TEST(tags_that_nobody_knows_are_left_alone)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .tags = "v=1; d=example.org; s=sel; new=thing; z=From:x; r=y" };

    expect(judge(MESSAGE, &wish, &zone), DKIM_PASS, "");
}

/* --- fields that are wrong ---------------------------------------------------------------------------- */

static void check_tags(const char *tags, enum dkim_verdict verdict, const char *words)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .tags = tags };

    expect(judge(MESSAGE, &wish, &zone), verdict, words);
    CHECK(verdict == DKIM_PASS || zone.asked == 0);
}

TEST(times_are_looked_at)
{
    check_tags("v=1; d=example.org; s=sel; x=1700000000", DKIM_PASS, "");
    check_tags("v=1; d=example.org; s=sel; x=1699999999", DKIM_EXPIRED, "expired");
    check_tags("v=1; d=example.org; s=sel; t=1700000300", DKIM_PASS, "");
    check_tags("v=1; d=example.org; s=sel; t=1700000301", DKIM_INVALID, "future");
    check_tags("v=1; d=example.org; s=sel; t=1699999999; x=1699999999", DKIM_INVALID, "expires");
}

TEST(valid_signatures_in_invalid_fields_do_not_pass)
{
    check_tags("v=1; d=example.org; s=sel; l=9999", DKIM_INVALID, "l=");
    check_tags("v=1; d=example.org; s=sel; d=example.org", DKIM_INVALID, "two tags d=");
    check_tags("v=2; d=example.org; s=sel", DKIM_INVALID, "v=2");
    check_tags("v=1; d=example.org; s=sel; i=@example.net", DKIM_INVALID, "not within");
    check_tags("v=1; d=org; s=sel", DKIM_INVALID, "no domain");
    check_tags("v=1; d=example.org; s=sel; q=http", DKIM_INVALID, "q=http");
    check_tags("v=1; d=example.org; s=sel; ;", DKIM_INVALID, "no \"=\"");
}

TEST(a_signature_without_from_is_invalid)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .names = "Subject:Date" };

    expect(judge(MESSAGE, &wish, &zone), DKIM_INVALID, "From field is not signed");
}

/* RFC 8301 3.1 */
TEST(rsa_sha1_is_invalid)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_RSA));
    struct hand_wish wish = { .kind = SIGNATURE_RSA, .algorithm = "rsa-sha1" };

    expect(judge(MESSAGE, &wish, &zone), DKIM_INVALID, "RFC 8301");
}

TEST(the_domain_of_an_invalid_field_is_told_if_it_is_one)
{
    struct hand_zone zone = { 0 };
    struct dkim_result r = one(SLICE("DKIM-Signature: v=9; d=Example.org; s=sel\r\nFrom: a\r\n\r\n"), &zone);

    CHECK_TEXT(r.domain, "example.org");
    CHECK_TEXT(r.selector, "sel");
    r = one(SLICE("DKIM-Signature: v=1; d=<script>; s=a b\r\nFrom: a\r\n\r\n"), &zone);
    CHECK_TEXT(r.domain, "");
    CHECK_TEXT(r.selector, "");
    r = one(SLICE("DKIM-Signature: nonsense\r\nFrom: a\r\n\r\n"), &zone);
    expect(r, DKIM_INVALID, "no \"=\"");
    CHECK_TEXT(r.domain, "");
}

/* --- keys -------------------------------------------------------------------------------------------------- */

static void check_key(const char *text, enum dkim_verdict verdict, const char *words)
{
    struct hand_zone zone = zone_with(text);
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .tags = "v=1; d=example.org; s=sel; i=@sub.example.org" };

    expect(judge(MESSAGE, &wish, &zone), verdict, words);
}

/* A record with `tags` in front of the right key. */
static const char *with_tags(const char *tags)
{
    static char text[300];

    snprintf(text, sizeof text, "%s; k=ed25519; %s", tags, strstr(hand_record(SIGNATURE_ED25519), "p="));
    return text;
}

TEST(keys_must_be_for_this)
{
    check_key(with_tags("v=DKIM1"), DKIM_PASS, "");
    check_key(with_tags("v=DKIM1; t=y"), DKIM_NO_KEY, "testing");
    check_key(with_tags("v=DKIM1; t=s"), DKIM_NO_KEY, "subdomains");
    check_key(with_tags("v=DKIM1; h=sha1"), DKIM_NO_KEY, "SHA-256");
    check_key(with_tags("v=DKIM1; s=tlsrpt"), DKIM_NO_KEY, "not for email");
    check_key(with_tags("v=DKIM2"), DKIM_NO_KEY, "v=DKIM1");
    check_key("v=DKIM1; k=ed25519; p=", DKIM_NO_KEY, "revoked");
    check_key("v=DKIM1; k=ed25519; p=AAAA", DKIM_NO_KEY, "an Ed25519 key has 32 bytes");
    check_key(hand_record(SIGNATURE_RSA), DKIM_NO_KEY, "another kind");
    check_key("", DKIM_NO_KEY, "makes no sense");
    check_key("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", DKIM_FAIL, "not made by this key");
}

/* TLSRPT-090 */
TEST(the_service_is_asked_for)
{
    static const struct {
        const char *tags;
        enum dkim_verdict verdict;
    } CASES[] = {
        { "s=tlsrpt", DKIM_PASS }, { "s=email", DKIM_NO_KEY }, { "s=*", DKIM_PASS },
        { "n=none", DKIM_PASS },   { "s=x:tlsrpt", DKIM_PASS },
    };
    struct hand_wish wish = { .kind = SIGNATURE_ED25519 };
    auto_buf struct buf out = { 0 };

    buf_init(&out, 10000);
    hand_sign(SLICE(MESSAGE), &wish, &out);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct hand_zone zone = zone_with(with_tags(CASES[i].tags));
        struct dkim_keys keys = hand_keys(&zone);
        struct dkim_result results[DKIM_RESULTS_MAX];
        auto_arena struct arena arena;

        arena_init(&arena, 10000);
        CHECK_EQUAL(dkim_verify(buf_slice(&out), "tlsrpt", SECONDS(HAND_SECONDS), &keys, &arena, results), 1);
        CHECK_EQUAL(results[0].verdict, CASES[i].verdict);
    }
}

TEST(the_first_record_of_use_decides)
{
    struct hand_zone zone = {
        .at = { { "sel._domainkey.example.org", "v=spf1 -all" },
                { "sel._domainkey.example.org", hand_record(SIGNATURE_RSA) },
                { "sel._domainkey.example.org", "v=DKIM1; k=ed25519; p=AAAA" },
                { "sel._domainkey.example.org", "v=DKIM1; k=ed25519; p=" },
                { "sel._domainkey.example.org", hand_record(SIGNATURE_ED25519) } },
    };
    struct hand_wish wish = { .kind = SIGNATURE_ED25519 };

    expect(judge(MESSAGE, &wish, &zone), DKIM_PASS, "");
    zone.at[3].text = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    expect(judge(MESSAGE, &wish, &zone), DKIM_FAIL, "not made by this key");
}

TEST(more_records_than_are_looked_at_do_no_harm)
{
    struct hand_zone zone = { 0 };
    struct hand_wish wish = { .kind = SIGNATURE_ED25519 };

    for (size_t i = 0; i < 12; i++) {
        zone.at[i].name = "sel._domainkey.example.org";
        zone.at[i].text = i < 8 ? "v=DKIM1; k=ed25519; p=" : hand_record(SIGNATURE_ED25519);
    }
    expect(judge(MESSAGE, &wish, &zone), DKIM_NO_KEY, "revoked");
}

TEST(keys_that_cannot_be_had_are_told_from_those_that_are_not_there)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .tags = "v=1; d=example.org; s=other" };

    expect(judge(MESSAGE, &wish, &zone), DKIM_NO_KEY, "no key at other._domainkey.example.org");
    zone.down = true;
    expect(judge(MESSAGE, &wish, &zone), DKIM_UNKNOWN, "could not be looked up");
}

/* --- messages that are wrong ----------------------------------------------------------------------------------- */

TEST(a_changed_body_is_told_without_asking_for_the_key)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .simple_body = true };
    auto_buf struct buf out = { 0 };

    buf_init(&out, 10000);
    hand_sign(SLICE(MESSAGE), &wish, &out);
    buf_add(&out, SLICE("more\r\n"));
    expect(one(buf_slice(&out), &zone), DKIM_FAIL, "the body");
    CHECK_EQUAL(zone.asked, 0);
}

TEST(headers_with_a_defect_make_signatures_invalid)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .names = "From:From" };

    expect(judge("From: a\r\nFrom: b\r\n\r\nx\r\n", &wish, &zone), DKIM_INVALID, "more than one From");
    expect(judge("Subject: a\r\n\r\nx\r\n", &wish, &zone), DKIM_INVALID, "no From");
    expect(judge("From: a\r\nno field\r\n\r\nx\r\n", &wish, &zone), DKIM_INVALID, "no field");
    CHECK_EQUAL(zone.asked, 0);
}

/* RFC 6376 8.15: on top of a message that quotes anything, a Content-Type could make a part of what is quoted. */
TEST(a_field_that_stands_more_often_than_is_signed_makes_a_signature_invalid)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));

    for (size_t i = 0; i < DKIM_SINGLE_COUNT; i++) {
        const char *name = DKIM_SINGLE[i].at;
        char message[300], once[100], twice[100], words[100];
        struct hand_wish wish = { .kind = SIGNATURE_ED25519 };

        snprintf(message, sizeof message, "%s : added\r\nFrom: a\r\n%s: signed\r\n\r\nx\r\n", name, name);
        snprintf(once, sizeof once, "from:%s", name);
        snprintf(twice, sizeof twice, "%s:From:%s", name, name);
        snprintf(words, sizeof words, "more %s fields than are signed", name);
        wish.names = once;
        expect(judge(message, &wish, &zone), DKIM_INVALID, words);
        wish.names = twice;
        expect(judge(message, &wish, &zone), DKIM_PASS, "");
        wish.names = "From";
        expect(judge(message, &wish, &zone), DKIM_PASS, "");
        CHECK(!dkim_field_is(DKIM_SINGLE[i], SLICE("From")));
    }
    expect(judge("Received: a\r\nFrom: a\r\nReceived: b\r\n\r\n",
                 &(struct hand_wish){ .kind = SIGNATURE_ED25519, .names = "From:Received" }, &zone), DKIM_PASS, "");
}

TEST(a_signature_covers_what_it_names_if_it_passed)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519, .names = "From:\r\n subject : Content-TYPE" };
    struct dkim_result result[DKIM_RESULTS_MAX];
    auto_buf struct buf out = { 0 };

    buf_init(&out, 10000);
    hand_sign(SLICE(MESSAGE), &wish, &out);
    CHECK_EQUAL(hand_verify(buf_slice(&out), &zone, result), 1);
    CHECK(dkim_covers(result, SLICE("From")) && dkim_covers(result, SLICE("Subject")));
    CHECK(dkim_covers(result, SLICE("content-type")));      /* there is none, and none may be added */
    CHECK(!dkim_covers(result, SLICE("Date")) && !dkim_covers(result, SLICE("Content")) && !dkim_covers(result, SLICE("")));
    buf_add(&out, SLICE("more\r\n"));
    CHECK_EQUAL(hand_verify(buf_slice(&out), &zone, result), 1);
    CHECK(!dkim_covers(result, SLICE("From")));
    CHECK(!dkim_covers(&(struct dkim_result){ .verdict = DKIM_FAIL, .names = SLICE("From") }, SLICE("From")));
}

TEST(a_header_without_end_is_invalid)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    auto_buf struct buf out = { 0 };

    buf_init(&out, DKIM_HEADER_MAX + 1000);
    buf_add(&out, SLICE("DKIM-Signature: v=1; d=example.org; s=sel\r\nFrom: "));
    while (buf_len(&out) < DKIM_HEADER_MAX + 100)
        buf_byte(&out, 'x');
    expect(one(buf_slice(&out), &zone), DKIM_INVALID, "larger than 256 KiB");
}

TEST(messages_without_signatures_have_no_results)
{
    struct dkim_result results[DKIM_RESULTS_MAX];
    struct hand_zone zone = { 0 };

    CHECK_EQUAL(hand_verify(SLICE(""), &zone, results), 0);
    CHECK_EQUAL(hand_verify(SLICE(MESSAGE), &zone, results), 0);
    CHECK_EQUAL(hand_verify(SLICE("From: a\r\n\r\nDKIM-Signature: v=1\r\n"), &zone, results), 0);
    CHECK_EQUAL(hand_verify(SLICE("From: a\r\nX-DKIM-Signature: v=1\r\n\r\n"), &zone, results), 0);
}

TEST(eight_signatures_are_looked_at)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct dkim_result results[DKIM_RESULTS_MAX];
    auto_buf struct buf message = { 0 };

    buf_init(&message, 100000);
    buf_add(&message, SLICE(MESSAGE));
    for (int i = 0; i < 9; i++) {
        struct hand_wish wish = { .kind = SIGNATURE_ED25519, .simple_body = i & 1 };
        auto_buf struct buf out = { 0 };

        buf_init(&out, 100000);
        hand_sign(buf_slice(&message), &wish, &out);
        buf_clear(&message);
        buf_add(&message, buf_slice(&out));
    }
    CHECK_EQUAL(hand_verify(buf_slice(&message), &zone, results), 8);
    for (size_t i = 0; i < 8; i++)
        expect(results[i], DKIM_PASS, "");
    CHECK_EQUAL(zone.asked, 8);
}

TEST(without_memory_nothing_passes)
{
    struct hand_zone zone = zone_with(hand_record(SIGNATURE_ED25519));
    struct hand_wish wish = { .kind = SIGNATURE_ED25519 };
    struct dkim_keys keys = hand_keys(&zone);
    auto_buf struct buf out = { 0 };
    bool passed = false;

    buf_init(&out, 10000);
    hand_sign(SLICE(MESSAGE), &wish, &out);
    for (size_t bytes = 0; bytes < 400; bytes += 16) {
        struct dkim_result results[DKIM_RESULTS_MAX];
        auto_arena struct arena arena;

        arena_init(&arena, bytes);
        CHECK_EQUAL(dkim_verify(buf_slice(&out), "email", SECONDS(HAND_SECONDS), &keys, &arena, results), 1);
        passed = results[0].verdict == DKIM_PASS;
        CHECK(passed || (results[0].verdict == DKIM_UNKNOWN && results[0].words[0]));
        CHECK(!passed || strcmp(results[0].domain, "example.org") == 0);
    }
    CHECK(passed);
}

TEST(every_verdict_has_a_name)
{
    CHECK_TEXT(dkim_verdict_name(DKIM_PASS), "pass");
    CHECK_TEXT(dkim_verdict_name(DKIM_FAIL), "fail");
    CHECK_TEXT(dkim_verdict_name(DKIM_NO_KEY), "no-key");
    CHECK_TEXT(dkim_verdict_name(DKIM_UNKNOWN), "unknown");
    CHECK_TEXT(dkim_verdict_name(DKIM_INVALID), "invalid");
    CHECK_TEXT(dkim_verdict_name(DKIM_EXPIRED), "expired");
}
