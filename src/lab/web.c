#include "lab/web.h"

#include "base/memory.h"
#include "lab/service.h"
#include "net/socket.h"
#include "run/fiber.h"

enum {
    LINE_MAX_BYTES = 8 * 1024,
    HEADER_LINES_MAX = 100,
    POLICY_MAX = 4096,
    HUGE_LINES = 16 * 1024,     /* of 64 bytes: a megabyte */
    PATIENCE = SECONDS(30),
    STALL = MINUTES(10),
};

/* --- the policy ---------------------------------------------------------------------- */

void web_policy(const struct lab_case *c, struct buf *out)
{
    const struct lab_policy *p = &c->policy;
    auto_arena struct arena names = { 0 };

    arena_init(&names, 16 * 1024);
    buf_text(out, "version: STSv1\r\nmode: %s\r\n", p->mode);
    for (size_t i = 0; !p->mx && i < lab_host_count(c); i++) {
        const struct lab_host *h = &c->hosts[i];

        buf_text(out, "mx: %s\r\n", lab_name(c, h->alias ? h->alias : h->name ? h->name : "mx.@", &names));
    }
    if (p->mx && p->mx[0] == '[')       /* an address, as it stands */
        buf_text(out, "mx: %s\r\n", p->mx);
    else if (p->mx)
        buf_text(out, "mx: %s\r\n", lab_name(c, p->mx, &names));
    buf_text(out, "max_age: %s\r\n", p->max_age ? p->max_age : "604800");
}

/* --- answers ---------------------------------------------------------------------------- */

static void say_head(struct conn *c, const char *status, const char *type, size_t length)
{
    conn_text(c, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, type,
              length);
}

static void say_text(struct conn *c, const char *status, const char *type, struct slice body)
{
    say_head(c, status, type, body.len);
    conn_write(c, body);
}

/* The policy is there in full; what follows makes it useless. */
static void say_huge(struct conn *c, struct slice policy)
{
    static const char line[] = "x-padding: ....................................................\r\n";

    say_head(c, "200 OK", "text/plain", policy.len + HUGE_LINES * (sizeof line - 1));
    conn_write(c, policy);
    for (int i = 0; i < HUGE_LINES && conn_flush(c, NULL); i++)
        conn_write(c, slice_of(line));
}

static void say_endless(struct conn *c, struct slice policy)
{
    conn_text(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n",
              policy.len, SLICE_ARGS(policy));
    while (conn_flush(c, NULL))
        conn_text(c, "10\r\nx-more: ......\r\n\r\n");
}

static void say_half(struct conn *c, struct slice policy)
{
    say_head(c, "200 OK", "text/plain", policy.len);
    conn_write(c, slice_first(policy, policy.len / 2));
    conn_deadline(c, clock_now() + STALL);
    while (conn_more(c, NULL))          /* until the client has had enough */
        conn_consume(c, conn_unread(c));
}

static void answer(struct conn *c, const struct lab_case *of)
{
    auto_buf struct buf policy = { .max = POLICY_MAX };

    web_policy(of, &policy);
    switch (of->policy.answer) {
    case WEB_POLICY:
        say_text(c, "200 OK", "text/plain", buf_slice(&policy));
        break;
    case WEB_HTML:
        say_text(c, "200 OK", "text/html", buf_slice(&policy));
        break;
    case WEB_NOT_FOUND:
        say_text(c, "404 Not Found", "text/plain", SLICE("There is no policy here.\r\n"));
        break;
    case WEB_REDIRECT:
        conn_text(c, "HTTP/1.1 302 Found\r\nLocation: https://mta-sts.sts-enforce." LAB_DOMAIN WEB_PATH "\r\n"
                  "Content-Length: 0\r\nConnection: close\r\n\r\n");
        break;
    case WEB_NONSENSE:
        say_text(c, "200 OK", "text/plain", SLICE("version: STSv1\r\nmode: Enforce\r\nmx: *\r\nmax_age: 1d\r\n"));
        break;
    case WEB_HUGE:
        say_huge(c, buf_slice(&policy));
        break;
    case WEB_ENDLESS:
        say_endless(c, buf_slice(&policy));
        break;
    case WEB_STALL:
        say_half(c, buf_slice(&policy));
        break;
    }
}

void web_serve(struct conn *c, const struct lab_case *of)
{
    struct slice line;
    bool right = false;

    conn_deadline(c, clock_now() + PATIENCE);
    for (int i = 0; i < HEADER_LINES_MAX; i++) {
        if (conn_line(c, LINE_MAX_BYTES, LINE_MAX_BYTES, &line, NULL) != LINE_OK)
            return;
        if (i == 0)
            right = slice_starts(line, SLICE("GET " WEB_PATH " "));
        if (slice_empty(line))
            break;
    }
    if (right)
        answer(c, of);
    else
        say_text(c, "404 Not Found", "text/plain", SLICE("Only " WEB_PATH " is here.\r\n"));
    (void)!conn_flush(c, NULL);
}

/* --- the hosts ------------------------------------------------------------------------------ */

struct site {
    const struct lab_case *of;
    struct service *service;
    struct tls_server *tls;
};

struct web {
    struct site *sites;
    size_t count;
};

static void serve(void *owner, int fd, const struct address *peer)
{
    struct site *s = owner;
    struct conn *c = socket_conn(fd);

    conn_deadline(c, clock_now() + PATIENCE);
    if (conn_start_tls(c, s->tls, NULL, NULL))
        web_serve(c, s->of);
    conn_close(c);
}

static bool open_doors(struct web *w, struct plan *p, struct error *why)
{
    auto_free struct address **addresses = memory_array(w->count, sizeof *addresses);
    auto_free int *fds = memory_array(w->count, sizeof *fds);
    uint16_t port;

    for (size_t i = 0; i < w->count; i++)
        addresses[i] = &p->webs[i].address;
    port = service_listen(addresses, w->count, p->https_port, fds, why);
    if (port == 0)
        return false;
    p->https_port = port;
    for (size_t i = 0; i < w->count; i++)
        w->sites[i].service = service_new(fds[i], serve, &w->sites[i]);
    return true;
}

struct web *web_open(struct plan *p, struct error *why)
{
    struct web *w = NEW(struct web);
    bool good = true;

    w->count = p->web_count;
    w->sites = memory_array(w->count, sizeof *w->sites);
    for (size_t i = 0; good && i < w->count; i++) {
        const struct tls_server_settings settings = { .identities = &p->webs[i].files, .identity_count = 1 };

        w->sites[i] = (struct site){ .of = p->webs[i].of, .tls = tls_server_new(&settings, why) };
        good = w->sites[i].tls != NULL;
    }
    if (good && open_doors(w, p, why))
        return w;
    web_close(w);
    return NULL;
}

void web_close(struct web *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->count; i++) {
        service_free(w->sites[i].service);
        tls_server_free(w->sites[i].tls);
    }
    free(w->sites);
    free(w);
}
