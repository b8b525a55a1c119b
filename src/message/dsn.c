#include "message/dsn.h"

#include "message/fold.h"
#include "message/header.h"

#include <stdio.h>

enum {
    HEADER_KEPT = 32 * 1024,    /* bytes of the original header that are returned */
    LINE_MAX_BYTES = 998,       /* RFC 5322 2.1.1 */
    WORDS_SHOWN = 4000,         /* bytes of what a remote said */
    SUBJECT_ADDRESS = 200,
    ID_SHOWN = 48,
    BOUNDARY_MAX = 71,          /* RFC 2046 5.1.1: 70 characters */
};

/* --- what the reader can do --------------------------------------------- */

/* By subject and detail of the status (RFC 3463 3); an entry that ends in a
 * dot stands for its whole subject, the last one for all that is left. */
static const struct advice {
    const char *status, *text;
} advices[] = {
    { "1.10", "The domain of the address takes no mail at all. Reach the recipient in another way." },
    { "1.2", "The domain of the address does not exist. Check the part behind the @ for typing errors." },
    { "1.", "The address was not accepted. Check it for typing errors, or ask the recipient in another way." },
    { "2.2", "The recipient's mailbox is full. Send the message again in a few days." },
    { "2.3", "The message is too large for the recipient. Send it in parts, or share large files in another way." },
    { "3.4", "The message is too large for the recipient. Send it in parts, or share large files in another way." },
    { "2.", "The recipient's mailbox takes no mail at present. Reach the recipient in another way." },
    { "4.6", "The message went round in a circle. Show this notice to your mail administrator." },
    { "4.7", "The recipient's mail server took no mail for as long as we tried. Send the message again later." },
    { "4.", "The recipient's mail server could not be reached. Send the message again later." },
    { "6.", "The recipient's mail server does not take a message of this form. Send it as plain text." },
    { "7.10", "The message may only travel over encrypted connections to servers that prove who they are, and there "
              "was none to the recipient's mail server. It was not sent in another way. Send it again without that "
              "demand (REQUIRETLS) if it need not be kept, or show this notice to your mail administrator." },
    { "7.30", "The message was sent with the demand that every mail server on its way keep it encrypted (REQUIRETLS), "
              "and the recipient's mail server does not promise that. It was not sent there. Reach the recipient in "
              "another way, or send the message again without that demand if it need not be kept." },
    { "7.4", "The message may only travel encrypted, and no such connection to the recipient's mail server could be "
             "made. It was not sent in clear. Show this notice to your mail administrator." },
    { "7.5", "The message may only travel encrypted, and the recipient's mail server could not prove who it is. It "
             "was not sent. Show this notice to your mail administrator." },
    { "7.", "The recipient's mail server refused the message by its own rules. Show this notice to your mail "
            "administrator." },
    { "", "If you do not know what to do, show this notice to your mail administrator." },
};
enum { ADVICE_COUNT = sizeof advices / sizeof *advices };

static size_t advice_for(const char *status)
{
    struct slice detail = slice_after(slice_of(status), 2);

    for (size_t i = 0; i < ADVICE_COUNT - 1; i++) {
        struct slice entry = slice_of(advices[i].status);
        bool whole_subject = entry.at[entry.len - 1] == '.';

        if (whole_subject ? slice_starts(detail, entry) : slice_equal(detail, entry))
            return i;
    }
    return ADVICE_COUNT - 1;
}

/* --- small parts --------------------------------------------------------- */

static void field(struct buf *out, const char *name, const char *value)
{
    struct fold f;

    fold_begin(&f, out, name, "        ");
    fold_text(&f, slice_of(value));
    fold_end(&f);
}

static void date_field(struct buf *out, const char *name, time_ms wall)
{
    char date[CLOCK_TEXT_MAX];

    field(out, name, clock_mail_date(wall, date));
}

static void paragraph(struct buf *out, const char *text)
{
    struct fold f;

    fold_begin(&f, out, "", "");
    fold_text(&f, slice_of(text));
    fold_end(&f);
    buf_add(out, SLICE("\r\n"));
}

/* RFC 3463 2: class "." subject "." detail, no leading zeros. */
static bool is_status(const char *text)
{
    struct slice rest = slice_of(text), class = slice_cut(&rest, '.'), subject = slice_cut(&rest, '.');
    uint64_t number;

    return class.len == 1 && strchr("245", class.at[0]) && subject.len <= 3 && rest.len <= 3 &&
           slice_to_number(subject, 999, &number) && slice_to_number(rest, 999, &number) &&
           (subject.len == 1 || subject.at[0] != '0') && (rest.len == 1 || rest.at[0] != '0');
}

static const char *status_of(const struct dsn *d, const struct dsn_recipient *r)
{
    if (r->status && is_status(r->status))
        return r->status;
    return d->action == DSN_FAILED ? "5.0.0" : "4.0.0";
}

/* `d->own_id` in the bytes that Message-ID and boundary both allow. */
static void clean_id(const struct dsn *d, char id[ID_SHOWN + 1])
{
    size_t used = 0;

    for (const char *c = d->own_id ? d->own_id : ""; *c && used < ID_SHOWN; c++)
        id[used++] = byte_is_alpha(*c) || byte_is_digit(*c) ? *c : '-';
    id[used] = '\0';
}

static bool holds(struct slice text, const char *words)
{
    return text.len > 0 && memmem(text.at, text.len, words, strlen(words)) != NULL;
}

static bool occurs(const struct dsn *d, const char *boundary)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct dsn_recipient *r = &d->recipients[i];

        if (holds(slice_of(r->address), boundary) || holds(slice_of(r->remote_host), boundary) ||
            holds(slice_of(r->remote_words), boundary) || holds(slice_of(r->why), boundary))
            return true;
    }
    return holds(d->original_header, boundary);
}

/* The same for the same notice, and nowhere in it (RFC 2046 5.1.1: "Boundary
 * delimiters must not appear within the encapsulated material"). */
static void choose_boundary(const struct dsn *d, char boundary[BOUNDARY_MAX])
{
    char id[ID_SHOWN + 1];
    unsigned turn = 0;

    clean_id(d, id);
    do {
        snprintf(boundary, BOUNDARY_MAX, "=_%s.%u", id, ++turn);
    } while (occurs(d, boundary));
}

/* --- the original's header ------------------------------------------------ */

static struct slice header_kept(struct slice original)
{
    struct slice header = header_of(original), kept = slice_first(header, HEADER_KEPT);

    if (kept.len < header.len)
        for (size_t end = kept.len; end >= 2; end--)
            if (kept.at[end - 2] == '\r' && kept.at[end - 1] == '\n')
                return slice_first(kept, end);
    return kept;
}

static bool is_seven_bit(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] >= 0x80)
            return false;
    return true;
}

/* Bytes that no line may hold become question marks, and what is too long goes
 * on in a line that a reader of headers takes as the same. */
static void write_original_line(struct slice line, struct buf *out)
{
    size_t column = 0;

    for (size_t i = 0; i < line.len; i++) {
        char c = line.at[i];

        if (column == LINE_MAX_BYTES) {
            buf_add(out, SLICE("\r\n "));
            column = 1;
        }
        buf_byte(out, c == '\r' || c == '\n' || c == '\0' ? '?' : c);
        column++;
    }
    buf_add(out, SLICE("\r\n"));
}

static void write_original(struct slice header, const char *boundary, struct buf *out)
{
    buf_text(out, "--%s\r\nContent-Description: Header of your message\r\nContent-Type: text/rfc822-headers\r\n"
             "Content-Transfer-Encoding: %s\r\n\r\n", boundary, is_seven_bit(header) ? "7bit" : "8bit");
    while (header.len) {
        const char *end = memmem(header.at, header.len, "\r\n", 2);
        size_t length = end ? (size_t)(end - header.at) : header.len;

        if (length == 0)
            break;
        write_original_line(slice_first(header, length), out);
        header = slice_after(header, length + 2);
    }
    buf_add(out, SLICE("\r\n"));
}

/* --- for people ----------------------------------------------------------- */

/* Each line of a reply on a line of ours, shifted to the right. */
static void quote_remote(const char *words, struct buf *out)
{
    struct slice rest = slice_first(slice_of(words), WORDS_SHOWN);

    while (rest.at && rest.len) {
        struct slice line = slice_trim(slice_cut(&rest, '\n'));
        struct fold f;

        if (slice_empty(line))
            continue;
        fold_begin(&f, out, "        ", "        ");
        fold_text(&f, line);
        fold_end(&f);
    }
}

static bool has_words(const struct dsn_recipient *r)
{
    return !slice_empty(slice_trim(slice_of(r->remote_words)));
}

static void write_recipient_text(const struct dsn_recipient *r, struct buf *out)
{
    struct fold f;

    fold_begin(&f, out, "  ", "    ");
    fold_word(&f, slice_of(r->address));
    fold_end(&f);
    if (r->why && r->why[0]) {
        fold_begin(&f, out, "      ", "      ");
        fold_text(&f, slice_of(r->why));
        fold_end(&f);
    }
    if (has_words(r)) {
        fold_begin(&f, out, "      ", "      ");
        fold_word(&f, r->remote_host ? slice_of(r->remote_host) : SLICE("The other server"));
        fold_text(&f, SLICE("said:"));
        fold_end(&f);
        quote_remote(r->remote_words, out);
    }
    buf_add(out, SLICE("\r\n"));
}

/* Advice stands under the last of a run of recipients that share it. */
static void write_recipients(const struct dsn *d, struct buf *out)
{
    for (size_t i = 0; i < d->count; i++) {
        size_t advice = advice_for(status_of(d, &d->recipients[i]));

        write_recipient_text(&d->recipients[i], out);
        if (d->action == DSN_FAILED &&
            (i + 1 == d->count || advice_for(status_of(d, &d->recipients[i + 1])) != advice))
            paragraph(out, advices[advice].text);
    }
}

static void write_text(const struct dsn *d, const char *boundary, struct buf *out)
{
    char date[CLOCK_TEXT_MAX], line[640];

    buf_text(out, "--%s\r\nContent-Description: Notice\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
    snprintf(line, sizeof line, "This is the mail system at %s.", d->hostname);
    paragraph(out, line);
    snprintf(line, sizeof line, "Your message of %s %s:", clock_mail_date(d->arrived, date),
             d->action == DSN_FAILED ? "could not be delivered and has been given up for"
                                     : "has not been delivered yet to");
    paragraph(out, line);
    write_recipients(d, out);
    if (d->action == DSN_DELAYED) {
        snprintf(line, sizeof line, "You need not send it again: we go on trying until %s.",
                 clock_mail_date(d->give_up, date));
        paragraph(out, line);
    }
    snprintf(line, sizeof line, "For help write to %s and name the message's number, %s.", d->postmaster, d->queue_id);
    paragraph(out, line);
}

/* --- for machines ---------------------------------------------------------- */

static void typed_field(struct buf *out, const char *name, struct slice value)
{
    struct fold f;

    fold_begin(&f, out, name, "        ");
    fold_word(&f, value);
    fold_end(&f);
}

/* RFC 3464 2.3.6: the words of the remote, or ours where nobody spoke. */
static void write_diagnostic(const struct dsn_recipient *r, struct buf *out)
{
    struct fold f;

    if (!has_words(r) && !(r->why && r->why[0]))
        return;
    fold_begin(&f, out, has_words(r) ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: X-Postern; ", "        ");
    fold_text(&f, slice_first(slice_of(has_words(r) ? r->remote_words : r->why), WORDS_SHOWN));
    fold_end(&f);
}

static void write_recipient_fields(const struct dsn *d, const struct dsn_recipient *r, struct buf *out)
{
    typed_field(out, "Final-Recipient: rfc822; ", slice_of(r->address));
    field(out, "Action: ", d->action == DSN_FAILED ? "failed" : "delayed");
    field(out, "Status: ", status_of(d, r));
    if (r->remote_host)
        typed_field(out, "Remote-MTA: dns; ", slice_of(r->remote_host));
    write_diagnostic(r, out);
    date_field(out, "Last-Attempt-Date: ", d->wall);
    if (d->action == DSN_DELAYED)
        date_field(out, "Will-Retry-Until: ", d->give_up);
    buf_add(out, SLICE("\r\n"));
}

static void write_status(const struct dsn *d, const char *boundary, struct buf *out)
{
    buf_text(out, "--%s\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n",
             boundary);
    typed_field(out, "Reporting-MTA: dns; ", slice_of(d->hostname));
    typed_field(out, "X-Postern-Queue-ID: ", slice_of(d->queue_id));
    date_field(out, "Arrival-Date: ", d->arrived);
    buf_add(out, SLICE("\r\n"));
    for (size_t i = 0; i < d->count; i++)
        write_recipient_fields(d, &d->recipients[i], out);
}

/* --- the whole --------------------------------------------------------------- */

static void write_subject(const struct dsn *d, struct buf *out)
{
    struct fold f;

    fold_begin(&f, out, d->action == DSN_FAILED ? "Subject: Undelivered mail: " : "Subject: Delayed mail: ", "        ");
    if (d->count > 0)
        fold_word(&f, slice_first(slice_of(d->recipients[0].address), SUBJECT_ADDRESS));
    if (d->count > 1) {
        char more[40];

        snprintf(more, sizeof more, "and %zu more", d->count - 1);
        fold_text(&f, slice_of(more));
    }
    fold_end(&f);
}

static void write_address(const char *name, const char *address, struct buf *out)
{
    struct fold f;

    fold_begin(&f, out, name, "        ");
    fold_word(&f, slice_of(address));
    buf_add(out, SLICE(">\r\n"));
}

void dsn_write(const struct dsn *d, struct buf *out)
{
    struct slice header = header_kept(d->original_header);
    char id[ID_SHOWN + 1], boundary[BOUNDARY_MAX];

    clean_id(d, id);
    choose_boundary(d, boundary);
    write_address("From: Mail delivery system <", d->postmaster, out);
    write_address("To: <", d->sender, out);
    write_subject(d, out);
    date_field(out, "Date: ", d->wall);
    buf_text(out, "Message-ID: <%s@%s>\r\n", id, d->hostname);
    buf_add(out, SLICE("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"));
    if (d->tls_optional)        /* once, whatever the original has (REQTLS-007, -044) */
        buf_add(out, SLICE("TLS-Required: No\r\n"));
    buf_text(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n        boundary=\"%s\"\r\n", boundary);
    buf_text(out, "Content-Transfer-Encoding: %s\r\n\r\n", is_seven_bit(header) ? "7bit" : "8bit");
    write_text(d, boundary, out);
    write_status(d, boundary, out);
    if (!slice_empty(slice_trim(header)))
        write_original(header, boundary, out);
    buf_text(out, "--%s--\r\n", boundary);
}
