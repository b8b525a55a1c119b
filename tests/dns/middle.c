#include "tests/dns/middle.h"

#include "base/buf.h"
#include "base/cursor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_OPT = 41, TYPE_DS = 43, TYPE_DNSKEY = 48, HEADER = 12, PACKET_MAX = 4096 };

struct middle middle;

static int front = -1, back = -1;
static struct watch *watch;

/* --- questions ------------------------------------------------------------------- */

/* The end of the question, 0 when it makes no sense. */
static size_t read_question(const char *packet, size_t len, struct middle_question *q)
{
    struct cursor in = cursor_over(slice(packet, len));
    size_t used;
    char name[DNS_NAME_MAX];

    cursor_bytes(&in, 3);
    q->checking_disabled = cursor_u8(&in) & 0x10;
    cursor_bytes(&in, HEADER - 4);
    if (in.failed || !dns_name_text(in.rest, name, &used))
        return 0;
    snprintf(q->name, sizeof q->name, "%.255s", name);
    cursor_bytes(&in, used);
    q->type = cursor_u16(&in);
    cursor_u16(&in);
    used = len - in.rest.len;
    cursor_u8(&in);             /* the root, owner of OPT */
    q->wants_dnssec = cursor_u16(&in) == TYPE_OPT;
    cursor_u32(&in);            /* size, extended RCODE, version */
    q->wants_dnssec = (cursor_u16(&in) & 0x8000) && q->wants_dnssec && !in.failed;
    return used;
}

static enum trick trick_for(const struct middle_question *q)
{
    for (size_t i = 0; i < MIDDLE_RULES_MAX; i++) {
        const struct middle_rule *r = &middle.rules[i];

        if (r->trick != PASS_ON && (!r->type || r->type == q->type) && (!r->name || strcmp(r->name, q->name) == 0))
            return r->trick;
    }
    return PASS_ON;
}

/* --- answers ----------------------------------------------------------------------- */

static size_t ask_tree(char *packet, size_t len)
{
    ssize_t got;

    CHECK(send(back, packet, len, 0) == (ssize_t)len);
    got = recv(back, packet, PACKET_MAX, 0);
    return got > 0 ? (size_t)got : 0;
}

static size_t without_records(char *packet, size_t question_end, uint8_t flags_hi, uint8_t rcode)
{
    packet[2] = (char)flags_hi;
    packet[3] = (char)rcode;
    memset(packet + 6, 0, 6);
    return question_end;
}

static size_t odd_records(char *packet, size_t question_end)
{
    static const uint16_t lengths[] = { 1, 2, 3, 4, 5, 65, 400 };
    auto_buf struct buf out;

    buf_init(&out, PACKET_MAX);
    packet[2] = (char)0x84;
    memset(packet + 6, 0, 6);
    packet[7] = sizeof lengths / sizeof *lengths;
    buf_add(&out, slice(packet, question_end));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        buf_u16(&out, 0xc00c);                          /* the name of the question */
        buf_add(&out, slice(packet + question_end - 4, 4));     /* its type and class */
        buf_u32(&out, 60);
        buf_u16(&out, lengths[i]);
        memset(buf_room(&out, lengths[i]), 3, lengths[i]);
        buf_grew(&out, lengths[i]);
    }
    memcpy(packet, buf_slice(&out).at, buf_len(&out));
    return buf_len(&out);
}

static size_t answer(char *packet, size_t len, size_t question_end, enum trick trick)
{
    switch (trick) {
    case SILENCE: return 0;
    case SERVFAIL: return without_records(packet, question_end, 0x84, 2);
    case REFUSED: return without_records(packet, question_end, 0x84, 5);
    case TRUNCATED: return without_records(packet, question_end, 0x86, 0);
    case WITHOUT_SIGNATURES:
        packet[10] = packet[11] = 0;
        return ask_tree(packet, question_end);
    case GARBAGE:
        len = ask_tree(packet, len);
        return len > question_end + 6 ? question_end + 6 : len;
    case AS_IF_AUTHENTIC:
        len = ask_tree(packet, len);
        packet[3] |= 0x20;
        return len;
    case ODD_LENGTHS: return odd_records(packet, question_end);
    case PASS_ON: break;
    }
    return ask_tree(packet, len);
}

/* A question that is repeated at once was lost on its way, or came back too late. */
static void note(const struct middle_question *q)
{
    const struct middle_question *last = middle.count ? &middle.asked[middle.count - 1] : NULL;

    if (middle.count < MIDDLE_QUESTIONS_MAX && !(last && last->type == q->type && strcmp(last->name, q->name) == 0))
        middle.asked[middle.count++] = *q;
}

static void serve(void *owner, int events)
{
    char packet[PACKET_MAX];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got;

    while ((got = recvfrom(front, packet, sizeof packet, 0, (struct sockaddr *)&from, &length)) > HEADER) {
        struct middle_question q = { 0 };
        size_t end = read_question(packet, (size_t)got, &q);
        size_t len = end ? answer(packet, (size_t)got, end, trick_for(&q)) : 0;

        note(&q);
        if (len > 0)
            sendto(front, packet, len, 0, (struct sockaddr *)&from, length);
    }
}

/* --- what was asked ------------------------------------------------------------------ */

size_t middle_count(const char *name, unsigned type)
{
    size_t count = 0;

    for (size_t i = 0; i < middle.count; i++)
        count += (!type || middle.asked[i].type == type) && (!name || strcmp(middle.asked[i].name, name) == 0);
    return count;
}

bool middle_is_about_keys(const struct middle_question *q)
{
    return q->type == TYPE_DS || q->type == TYPE_DNSKEY;
}

const char *middle_text(void)
{
    static char text[4000];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < middle.count && used < sizeof text; i++) {
        const struct middle_question *q = &middle.asked[i];

        if (!middle_is_about_keys(q) && strcmp(q->name, ".") != 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", used ? ", " : "",
                                     dns_type_name((enum dns_type)q->type), q->name);
    }
    return text;
}

void middle_forget(void)
{
    middle.count = 0;
}

/* --- start and end --------------------------------------------------------------------- */

static int socket_to_tree(void)
{
    const struct timeval patience = { .tv_sec = 20 };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) },
                              .sin_port = htons((uint16_t)atoi(strchr(tree.address, '@') + 1)) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    return fd;
}

void middle_start(bool as_forwarder, time_ms timeout)
{
    static const char *forwarders[1];
    struct resolver_settings s;

    tree_grow();
    if (watch)                  /* a test before this one failed and never stopped */
        middle_stop();
    middle = (struct middle){ 0 };
    front = udp_on_loopback(middle.address);
    back = socket_to_tree();
    s = tree_settings(middle.address);
    forwarders[0] = middle.address;
    if (as_forwarder)
        s = (struct resolver_settings){ .forwarders = forwarders, .forwarder_count = 1, .validate = true,
                                        .trust_anchor_file = tree.anchor };
    s.timeout = timeout;
    start(&s);
    watch = watch_new(front, serve, NULL);
    watch_set(watch, WATCH_READ);
}

void middle_stop(void)
{
    watch_free(watch);
    watch = NULL;
    close(front);
    close(back);
    stop();
}
