#include "tests/smtp/house.h"

#include "net/script.h"

enum { LOG_MAX = 4 * 1024 * 1024, MESSAGE_MAX = 64 * 1024 * 1024 };

void house_init(struct house *h)
{
    *h = (struct house){ .keeps = SIZE_MAX };
    buf_init(&h->log, LOG_MAX);
    buf_init(&h->message, MESSAGE_MAX);
}

void house_done(struct house *h)
{
    buf_done(&h->log);
    buf_done(&h->message);
}

static void note_address(struct house *h, const char *what, const struct mailbox *m)
{
    auto_arena struct arena arena;
    struct slice text;

    arena_init(&arena, 4096);
    text = mailbox_text(m, &arena);
    buf_text(&h->log, "%s <%.*s>\n", what, SLICE_ARGS(text));
}

static void judge(const struct mailbox *m, struct smtp_answer *a)
{
    if (slice_equal(m->local, SLICE("nobody")))
        smtp_answer_set(a, 550, "5.1.1", "No such user here");
    if (slice_equal(m->local, SLICE("later")))
        smtp_answer_set(a, 450, "4.7.1", "Try again later");
    if (slice_equal(m->local, SLICE("away")))
        smtp_answer_set(a, 421, "4.7.0", "Go away");
    if (slice_equal(m->local, SLICE("shut"))) {
        smtp_answer_set(a, 550, "5.7.1", "We are closed to you");
        a->close = true;
    }
}

static void house_mail(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct house *h = self;

    CHECK(!h->open && a->code == 250 && s->recipients == 0);
    h->seen = *s;
    buf_clear(&h->message);
    note_address(h, "mail", &s->sender);
    judge(&s->sender, a);
    h->open = a->code / 100 == 2;
}

static void house_rcpt(void *self, const struct smtp_session *s, const struct mailbox *to, struct smtp_answer *a)
{
    struct house *h = self;

    CHECK(h->open && a->code == 250);
    h->seen = *s;
    note_address(h, "rcpt", to);
    judge(to, a);
}

static void house_data(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct house *h = self;

    CHECK(h->open && a->code == 354 && s->recipients > 0);
    h->seen = *s;
    buf_text(&h->log, "data\n");
    if (h->data.code)
        *a = h->data;
}

static bool house_body(void *self, struct slice bytes)
{
    struct house *h = self;

    CHECK(h->open && bytes.len > 0);
    CHECK(buf_len(&h->message) <= h->keeps);        /* never asked again after false */
    buf_add(&h->message, bytes);
    return buf_len(&h->message) <= h->keeps;
}

static void house_end(void *self, const struct smtp_session *s, struct smtp_answer *a)
{
    struct house *h = self;

    CHECK(h->open && a->code == 250);
    h->seen = *s;
    h->open = false;
    buf_text(&h->log, "end %llu\n", (unsigned long long)s->bytes);
    if (h->end.code)
        *a = h->end;
}

static void house_reset(void *self)
{
    struct house *h = self;

    CHECK(h->open);
    h->open = false;
    buf_text(&h->log, "reset\n");
}

const struct smtp_house recording_house = {
    house_mail, house_rcpt, house_data, house_body, house_end, house_reset,
};

struct smtp_server plain_server(void)
{
    static const char context;      /* the script shakes hands without looking at it */

    return (struct smtp_server){
        .hostname = "mx.example.org",
        .software = "ESMTP postern",
        .tls = (const struct tls_server *)(const void *)&context,
        .limits = smtp_default_limits,
    };
}

void serve(const struct smtp_server *server, struct house *h, const char *script)
{
    struct script *s = script_new('C', script);
    struct conn *c = script_conn(s);
    const char *complaint;

    smtp_serve(c, server, &recording_house, h, &h->ending);
    conn_close(c);
    complaint = script_complaint(s);
    if (complaint)
        print_error("%s\n", complaint);
    CHECK(!complaint);
    CHECK(!h->open);
    script_free(s);
}

void serve_and_check(const char *script, const char *log)
{
    auto_house struct house h;
    struct smtp_server server = plain_server();

    house_init(&h);
    serve(&server, &h, script);
    CHECK_SLICE(buf_slice(&h.log), log);
}
