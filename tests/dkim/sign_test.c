#include "tests/test.h"

#include "base/memory.h"
#include "dkim/header.h"
#include "tests/dkim/hand.h"

static struct hand_zone ZONE;

static struct dkim_signer signer(enum signature_kind kind)
{
    ZONE.at[0].name = "sel._domainkey.example.org";
    ZONE.at[0].text = hand_record(kind);
    return (struct dkim_signer){ "example.org", "sel", hand_key(kind) };
}

static bool sign_in_pieces(struct slice message, size_t first, size_t piece, enum signature_kind kind, struct buf *out,
                           struct error *why)
{
    struct dkim_signer s = signer(kind);
    struct dkim_signing *d = dkim_signing_new(&s);
    bool good;

    dkim_signing_add(d, slice_first(message, first));
    for (struct slice rest = slice_after(message, first); rest.len > 0; rest = slice_after(rest, piece))
        dkim_signing_add(d, slice_first(rest, piece));
    good = dkim_signing_end(d, SECONDS(HAND_SECONDS) + 999, out, why);
    dkim_signing_free(d);
    return good;
}

/* The signed message; what is signed is verified at once. */
static void sign(struct slice message, enum signature_kind kind, struct buf *out)
{
    struct dkim_result results[DKIM_RESULTS_MAX];
    struct error why = { 0 };

    buf_init(out, message.len + 8192);
    CHECK_OK(sign_in_pieces(message, 0, message.len, kind, out, &why), &why);
    buf_add(out, message);
    CHECK_EQUAL(hand_verify(buf_slice(out), &ZONE, results), 1);
    if (results[0].verdict != DKIM_PASS)
        fail_msg("%s: %s", results[0].words, buf_slice(out).at);
}

#define SMALL "From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n"

#define NAMES_OF_SMALL                                                          \
    "        h=From:From:To:Cc:Subject:Subject:MIME-Version:Content-Type:\r\n"    \
    "        Content-Transfer-Encoding:TLS-Report-Domain: TLS-Report-Submitter;\r\n"

TEST(the_field_says_who_signs_and_what)
{
    static const char *const WANTED[] = {
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel;\r\n        t=1700000000;\r\n" NAMES_OF_SMALL
        "        bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=;\r\n        b=",
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org;\r\n        s=sel; t=1700000000;\r\n" NAMES_OF_SMALL
        "        bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=;\r\n        b=",
    };

    for (int kind = SIGNATURE_RSA; kind <= SIGNATURE_ED25519; kind++) {
        auto_buf struct buf out = { 0 };

        sign(SLICE(SMALL), (enum signature_kind)kind, &out);
        CHECK_SLICE(slice_first(buf_slice(&out), strlen(WANTED[kind])), WANTED[kind]);
    }
}

/* The lines of the field, at most 78 columns each (RFC 5322 2.1.1). */
static void check_lines(struct slice signed_message)
{
    struct slice rest = signed_message;
    bool first = true;

    for (;;) {
        struct slice line = slice_cut(&rest, '\n');

        if (!first && line.at[0] != ' ')
            return;
        CHECK(line.len > 0 && line.at[line.len - 1] == '\r' && line.len <= 79);
        first = false;
    }
}

/* What stands in h=, unfolded. */
static const char *names_of(struct slice signed_message)
{
    static char text[8192];
    const char *h = memmem(signed_message.at, signed_message.len, " h=", 3);
    size_t used = 0;

    CHECK(h);
    for (h += 3; *h != ';'; h++)
        if (*h != ' ' && *h != '\r' && *h != '\n')
            text[used++] = *h;
    text[used] = '\0';
    return text;
}

/* TLSRPT-076 for the last two */
TEST(the_fields_that_readers_see_are_signed)
{
    auto_buf struct buf out = { 0 };

    sign(SLICE("Return-Path: <a@example.org>\r\nReceived: from x\r\nX-Other: y\r\nTLS-Report-Submitter: s\r\nTLS-Report-Domain: d\r\n"
               "TLS-Required: No\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nMIME-Version: 1.0\r\n"
               "References: <r@x>\r\nIn-Reply-To: <r@x>\r\nReply-To: <a@x>\r\nMessage-ID: <m@x>\r\nDate: now\r\nSubject: s\r\nCc: c\r\n"
               "To: t\r\nFrom: f\r\n\r\nx\r\n"), SIGNATURE_ED25519, &out);
    CHECK_TEXT(names_of(buf_slice(&out)),
               "From:From:To:To:Cc:Cc:Subject:Subject:Date:Date:Message-ID:Message-ID:Reply-To:Reply-To:In-Reply-To:In-Reply-To:"
               "References:References:MIME-Version:MIME-Version:Content-Type:Content-Type:Content-Transfer-Encoding:"
               "Content-Transfer-Encoding:TLS-Required:TLS-Required:TLS-Report-Domain:TLS-Report-Domain:"
               "TLS-Report-Submitter:TLS-Report-Submitter");
    check_lines(buf_slice(&out));
}

/* RFC 6376 8.15: once more, and so it is with most that are not there. */
TEST(a_field_that_is_there_twice_is_named_three_times)
{
    auto_buf struct buf out = { 0 };

    sign(SLICE("To: a\r\nFrom: f\r\nTO: b\r\nto : c\r\n\r\n"), SIGNATURE_ED25519, &out);
    CHECK_TEXT(names_of(buf_slice(&out)), "From:From:To:To:To:To:Cc:Subject:MIME-Version:Content-Type:Content-Transfer-Encoding:"
               "TLS-Report-Domain:TLS-Report-Submitter");
}

static void repeat_all(struct buf *message, size_t times)
{
    static const char *const NAMES[] = {
        "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding", "TLS-Required", "TLS-Report-Domain", "TLS-Report-Submitter",
    };

    buf_init(message, 100000);
    buf_add(message, SLICE("From: f\r\n"));
    for (size_t i = 0; i < times; i++)
        for (size_t n = 0; n < sizeof NAMES / sizeof *NAMES; n++)
            buf_text(message, "%s: %zu\r\n", NAMES[n], i);
}

/* ENVELOPE_HEAD_MAX of the queue is 8192. */
TEST(the_field_stays_small_whatever_is_repeated)
{
    auto_buf struct buf eight = { 0 }, hundred = { 0 }, out = { 0 }, field = { 0 };
    struct error why = { 0 };

    repeat_all(&eight, 8);
    sign(buf_slice(&eight), SIGNATURE_RSA, &out);
    CHECK(buf_len(&out) - buf_len(&eight) < 4096);
    check_lines(buf_slice(&out));
    repeat_all(&hundred, 100);      /* not all of these are signed */
    buf_init(&field, 8192);
    CHECK_OK(sign_in_pieces(buf_slice(&hundred), 0, 5000, SIGNATURE_RSA, &field, &why), &why);
    CHECK(buf_len(&field) < 4096);
}

TEST(the_pieces_do_not_show)
{
    struct slice message = SLICE("Received: x\r\nFrom: a@example.org\r\nSubject: a\r\n  folded  one\r\n\r\n"
                                 "Hi  there. \r\n\r\n\r\nBye\r\n\r\n");
    auto_buf struct buf whole = { 0 };
    struct error why = { 0 };

    buf_init(&whole, 8192);
    CHECK_OK(sign_in_pieces(message, 0, message.len, SIGNATURE_ED25519, &whole, &why), &why);
    for (size_t cut = 0; cut <= message.len; cut++) {
        auto_buf struct buf two = { 0 }, small = { 0 };

        buf_init(&two, 8192);
        buf_init(&small, 8192);
        CHECK_OK(sign_in_pieces(message, cut, message.len, SIGNATURE_ED25519, &two, &why), &why);
        CHECK(slice_equal(buf_slice(&two), buf_slice(&whole)));
        CHECK_OK(sign_in_pieces(message, cut % 7, 1 + cut % 11, SIGNATURE_ED25519, &small, &why), &why);
        CHECK(slice_equal(buf_slice(&small), buf_slice(&whole)));
    }
}

TEST(messages_without_a_body_are_signed)
{
    static const char *const MESSAGES[] = {
        "From: a\r\n\r\n",         "From: a\r\n",          "From: a", "From: a\r\n\r\n\r\n\r\n",
        "From: a\r\n\r\n \t\r\n", "From: a\r\n\r\nx",
    };

    for (size_t i = 0; i < sizeof MESSAGES / sizeof *MESSAGES; i++) {
        auto_buf struct buf out = { 0 };

        sign(slice_of(MESSAGES[i]), SIGNATURE_ED25519, &out);
    }
}

/* --- what is not signed ----------------------------------------------------------------- */

static enum error_code code_for(struct slice message, size_t room)
{
    auto_buf struct buf out = { 0 };
    struct error why = { 0 };

    buf_init(&out, room);
    CHECK(!sign_in_pieces(message, 0, 1000, SIGNATURE_ED25519, &out, &why));
    CHECK(why.text[0] && buf_len(&out) == 0);
    return why.code;
}

/* RFC 6376 5.4, 8.15 */
TEST(messages_with_no_or_several_from_fields_are_not_signed)
{
    CHECK_EQUAL(code_for(SLICE(""), 8192), E_MALFORMED);
    CHECK_EQUAL(code_for(SLICE("Subject: x\r\n\r\nFrom: a\r\n"), 8192), E_MALFORMED);
    CHECK_EQUAL(code_for(SLICE("From: a\r\nFROM: b\r\n\r\n"), 8192), E_MALFORMED);
    CHECK_EQUAL(code_for(SLICE("From: a\r\nno field\r\n\r\n"), 8192), E_MALFORMED);
}

TEST(there_is_a_bound_to_the_header_that_is_signed)
{
    auto_buf struct buf message = { 0 }, out = { 0 };
    struct error why = { 0 };

    buf_init(&out, 8192);
    buf_init(&message, DKIM_HEADER_MAX + 10000);
    buf_add(&message, SLICE("From: a\r\nX: "));
    while (buf_len(&message) < DKIM_HEADER_MAX - 4)
        buf_byte(&message, 'x');
    buf_add(&message, SLICE("\r\n\r\n"));
    CHECK_OK(sign_in_pieces(buf_slice(&message), 0, 5000, SIGNATURE_ED25519, &out, &why), &why);
    message.end -= 4;
    buf_add(&message, SLICE("x\r\n\r\nbody\r\n"));
    CHECK_EQUAL(code_for(buf_slice(&message), 8192), E_LIMIT);
    message.end -= strlen("\r\n\r\nbody\r\n");
    while (buf_len(&message) < DKIM_HEADER_MAX + 9000)
        buf_byte(&message, 'x');
    CHECK_EQUAL(code_for(buf_slice(&message), 8192), E_LIMIT);
}

TEST(the_field_needs_room)
{
    CHECK_EQUAL(code_for(SLICE(SMALL), 100), E_LIMIT);
}

TEST(signing_can_be_given_up)
{
    struct dkim_signer s = signer(SIGNATURE_ED25519);
    struct dkim_signing *d = dkim_signing_new(&s);

    dkim_signing_add(d, SLICE("From: a\r\n\r\nbody"));
    dkim_signing_free(d);
    dkim_signing_free(NULL);
}

/* --- tampering --------------------------------------------------------------------------- */

static enum dkim_verdict verdict_of(struct slice message)
{
    struct dkim_result results[DKIM_RESULTS_MAX];

    return hand_verify(message, &ZONE, results) == 1 ? results[0].verdict : DKIM_INVALID;
}

TEST(no_byte_that_is_signed_can_be_changed)
{
    for (int kind = SIGNATURE_RSA; kind <= SIGNATURE_ED25519; kind++) {
        auto_buf struct buf out = { 0 };

        sign(SLICE("Subject: hello\r\n there\r\nFrom: a@example.org\r\nTo: b@example.net\r\n\r\nA body\r\nof lines\r\n"),
             (enum signature_kind)kind, &out);
        for (size_t i = out.start; i < out.end; i++) {
            char was = out.memory[i];

            out.memory[i] = was == '!' ? '?' : '!';
            if (verdict_of(buf_slice(&out)) == DKIM_PASS)
                fail_msg("byte %zu (%c) does not matter", i, was);
            out.memory[i] = was;
        }
        CHECK_EQUAL(verdict_of(buf_slice(&out)), DKIM_PASS);
    }
}

static enum dkim_verdict verdict_with(const char *top, const char *message, const char *bottom)
{
    auto_buf struct buf out = { 0 }, whole = { 0 };
    struct slice text, header;

    sign(slice_of(message), SIGNATURE_ED25519, &out);
    text = buf_slice(&out);
    header = slice_first(text, (size_t)((const char *)memmem(text.at, text.len, "\r\n\r\n", 4) - text.at) + 2);
    buf_init(&whole, 10000);
    buf_add(&whole, slice_of(top));
    buf_add(&whole, header);
    buf_add(&whole, slice_of(bottom));
    buf_add(&whole, slice_after(text, header.len));
    return verdict_of(buf_slice(&whole));
}

TEST(fields_may_be_added_if_they_are_not_mistaken_for_signed_ones)
{
    CHECK_EQUAL(verdict_with("", SMALL, ""), DKIM_PASS);
    CHECK_EQUAL(verdict_with("Received: from y\r\n", SMALL, "X-Spam: no\r\n"), DKIM_PASS);
    CHECK_EQUAL(verdict_with("Subject: on top\r\n", SMALL, ""), DKIM_FAIL);
    CHECK_EQUAL(verdict_with("", SMALL, "Subject: below\r\n"), DKIM_FAIL);
    CHECK_EQUAL(verdict_with("From: other@example.com\r\n", SMALL, ""), DKIM_INVALID);
    CHECK_EQUAL(verdict_with("", SMALL, "From: other@example.com\r\n"), DKIM_INVALID);
}

/* What tells a reader how to take the body is signed also where it is missing. */
TEST(nothing_can_be_added_that_would_change_what_is_read)
{
    static const char *const SEALED[] = { "To", "Cc", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
                                          "TLS-Report-Domain", "TLS-Report-Submitter" };
    static const char *const ADDED[] = { "Date", "Message-ID", "Reply-To", "In-Reply-To", "References", "TLS-Required" };
    char once[100], message[200];

    for (size_t i = 0; i < sizeof SEALED / sizeof *SEALED; i++) {
        snprintf(once, sizeof once, "%s: x\r\n", SEALED[i]);
        snprintf(message, sizeof message, "%s" SMALL, once);
        CHECK_EQUAL(verdict_with(once, SMALL, ""), DKIM_FAIL);
        CHECK_EQUAL(verdict_with(once, message, ""), DKIM_FAIL);
        CHECK_EQUAL(verdict_with("", message, once), DKIM_FAIL);
    }
    /* Relays add these when they are missing; a second one nobody adds in good faith. */
    for (size_t i = 0; i < sizeof ADDED / sizeof *ADDED; i++) {
        snprintf(once, sizeof once, "%s: x\r\n", ADDED[i]);
        snprintf(message, sizeof message, "%s" SMALL, once);
        CHECK_EQUAL(verdict_with(once, SMALL, ""), DKIM_PASS);
        CHECK_EQUAL(verdict_with(once, message, ""), DKIM_FAIL);
    }
}

/* --- random messages ------------------------------------------------------------------------ */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

static void add_some(struct buf *b, uint32_t *seed, const char *const *parts, size_t count)
{
    for (uint32_t some = next_random(seed) % 20; some > 0; some--)
        buf_add(b, slice_of(parts[next_random(seed) % count]));
}

TEST(random_messages_are_verified_when_signed_and_not_when_changed)
{
    static const char *const NAMES[] = { "To", "subject", "X-Any", "DATE ", "Received", "Content-Type\t", "TLS-Required" };
    static const char *const WORDS[] = { "a", "Word", " ", "\t", "\r\n ", "\r\n\t ", ";", "=", ":", "\xc3\xbc", "DKIM" };
    static const char *const LINES[] = { "a", "line", " ", "\t", "\r\n", "\r\n", "\r", "  ", "\r\n\r\n", "." };
    uint32_t seed = 6376;

    for (int round = 0; round < 300; round++) {
        auto_buf struct buf message = { 0 }, out = { 0 };
        size_t body;

        buf_init(&message, 20000);
        for (uint32_t fields = next_random(&seed) % 9; fields > 0; fields--) {
            buf_text(&message, "%s:", NAMES[next_random(&seed) % 7]);
            add_some(&message, &seed, WORDS, sizeof WORDS / sizeof *WORDS);
            buf_add(&message, SLICE("\r\n"));
        }
        buf_add(&message, SLICE("From: a\r\n\r\n"));
        body = buf_len(&message);
        add_some(&message, &seed, LINES, sizeof LINES / sizeof *LINES);
        sign(buf_slice(&message), SIGNATURE_ED25519, &out);
        if (buf_len(&message) > body) {
            size_t at = out.end - (buf_len(&message) - body) + next_random(&seed) % (buf_len(&message) - body);

            out.memory[at] = '!';
            CHECK(verdict_of(buf_slice(&out)) == DKIM_FAIL);
        }
    }
}
