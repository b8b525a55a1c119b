/* What a resolver's settings do, on servers of our own on loopback. */
#include "tests/dns/tree.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a forwarder that answers everything ------------------------------------------ */

/* A record 192.0.2.99 for any name, except that a first label may ask for an error. */
static struct forwarder {
    int fd;
    struct watch *watch;
    char address[40];
    unsigned asked;
} forwarder;

static uint8_t rcode_for(const char *query, size_t len)
{
    static const struct {
        const char *label;
        uint8_t rcode;
    } table[] = { { "formerr", 1 }, { "servfail", 2 }, { "nxdomain", 3 }, { "notimp", 4 }, { "refused", 5 } };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (memmem(query, len, table[i].label, strlen(table[i].label)))
            return table[i].rcode;
    return 0;
}

/* The end of the one question, header included. */
static size_t question_end(const char *query, size_t len)
{
    size_t at = 12;

    while (at < len && query[at])
        at += 1 + (unsigned char)query[at];
    return at + 5;
}

static void forward(void *owner, int events)
{
    static const char record[] = "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x63";
    struct forwarder *f = owner;
    char packet[600];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got;

    while ((got = recvfrom(f->fd, packet, sizeof packet - sizeof record, 0, (struct sockaddr *)&from, &length)) > 12) {
        size_t end = question_end(packet, (size_t)got);
        uint8_t rcode = rcode_for(packet + 12, (size_t)got - 12);
        bool with_data = rcode == 0 && packet[end - 3] == DNS_A;

        f->asked++;
        packet[2] = (char)0x81;             /* an answer; recursion was desired */
        packet[3] = (char)(0x80 | rcode);   /* and is available */
        memset(packet + 6, 0, 6);
        packet[7] = with_data;
        if (with_data) {
            memcpy(packet + end, record, sizeof record - 1);
            end += sizeof record - 1;
        }
        sendto(f->fd, packet, end, 0, (struct sockaddr *)&from, length);
    }
}

static void forwarder_closes(void)
{
    if (!forwarder.watch)
        return;
    watch_free(forwarder.watch);
    close(forwarder.fd);
    forwarder.watch = NULL;
}

/* Its address; its watch needs the loop, so it is set up after start(). */
static const char *forwarder_opens(void)
{
    forwarder_closes();         /* after a test that failed */
    forwarder.asked = 0;
    forwarder.fd = udp_on_loopback(forwarder.address);
    return forwarder.address;
}

static void start_with_forwarder(struct resolver_settings s)
{
    start(&s);
    forwarder.watch = watch_new(forwarder.fd, forward, &forwarder);
    watch_set(forwarder.watch, WATCH_READ);
}

static void stop_with_forwarder(void)
{
    forwarder_closes();
    stop();
}

static bool is_99(struct dns_answer a)
{
    return a.status == DNS_FOUND && a.count == 1 && slice_equal(a.records[0], SLICE("\xc0\0\2\x63"));
}

/* --- servers -------------------------------------------------------------------------- */

TEST(with_a_forwarder_every_name_goes_there)
{
    static const char *const names[] = {
        "mx.example.org", "a.test", "test", "a.example", "a.invalid", "a.localhost", "localhost", "a.onion",
        "a.home.arpa", "1.2.0.192.in-addr.arpa", "1.0.0.10.in-addr.arpa", "1.0.0.127.in-addr.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    };
    const char *forwarders[] = { forwarder_opens() };

    start_with_forwarder((struct resolver_settings){ .forwarders = forwarders, .forwarder_count = 1 });
    CHECK(!resolver_validates(resolver));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dns_answer a = ask(names[i], DNS_A);

        CHECK(is_99(a) && !a.secure);
        CHECK_TEXT(dns_status_name(&a), "insecure");
    }
    CHECK(ask("mx.example.org", DNS_AAAA).status == DNS_NO_DATA);
    stop_with_forwarder();
}

TEST(a_stub_gets_the_names_of_its_zone_and_no_others)
{
    const char *address = forwarder_opens();
    const struct dns_stub stubs[] = { { "sub.test.", address }, { "Invalid", address } };

    start_with_forwarder((struct resolver_settings){ .stubs = stubs, .stub_count = 2 });
    CHECK(is_99(ask("mx.sub.test", DNS_A)));
    CHECK(is_99(ask("mx.invalid", DNS_A)));
    CHECK(ask("localhost", DNS_AAAA).status == DNS_FOUND);      /* the library's own */
    CHECK(ask("mx.onion", DNS_A).status == DNS_NO_NAME);
    stop_with_forwarder();
}

TEST(errors_of_the_servers_are_errors_with_words)
{
    const char *forwarders[] = { forwarder_opens() };
    static const char *const names[] = { "servfail.example", "refused.example", "formerr.example", "notimp.example" };

    start_with_forwarder((struct resolver_settings){ .forwarders = forwarders, .forwarder_count = 1 });
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dns_answer a = ask(names[i], DNS_A);

        CHECK_ID("DANE-001", a.status == DNS_FAILED && a.count == 0 && !a.secure);
        CHECK(strstr(a.why, "name servers"));
        CHECK_TEXT(dns_status_name(&a), "error");
    }
    CHECK(ask("nxdomain.example", DNS_A).status == DNS_NO_NAME);
    stop_with_forwarder();
}

TEST(an_answer_is_asked_for_once_and_then_known)
{
    const char *forwarders[] = { forwarder_opens() };
    unsigned asked;

    start_with_forwarder((struct resolver_settings){ .forwarders = forwarders, .forwarder_count = 1 });
    CHECK(is_99(ask("mx.example.org", DNS_A)));
    asked = forwarder.asked;
    CHECK(is_99(ask("mx.example.org", DNS_A)));
    CHECK_EQUAL(forwarder.asked, asked);
    stop_with_forwarder();
}

TEST(an_answer_that_comes_too_late_is_nobodys)
{
    const char *forwarders[] = { forwarder_opens() };
    struct asking late;

    start_with_forwarder((struct resolver_settings){ .forwarders = forwarders, .forwarder_count = 1, .timeout = 2000 });
    watch_set(forwarder.watch, 0);
    begin(&late, "late.example.org", DNS_A);
    loop_run();
    CHECK_TEXT(late.answer.why, "no answer in time");
    watch_set(forwarder.watch, WATCH_READ);
    CHECK(is_99(ask("mx.example.org", DNS_A)));
    CHECK(is_99(ask("late.example.org", DNS_A)));
    stop_with_forwarder();
}

TEST(addresses_that_are_none_are_refused_at_start)
{
    static const char *const bad[] = { "ns.example.org", "192.0.2", "192.0.2.1@99999", "192.0.2.1@0", "192.0.2.1@", "192.0.2.1@53x",
                                       "192.0.2.1:53", "" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct dns_stub stub = { "example.org", bad[i] };
        struct resolver_settings s = { .forwarders = &bad[i], .forwarder_count = 1 };

        why = (struct error){ 0 };
        CHECK(!resolver_new(&s, &why) && why.code == E_USAGE && strstr(why.text, bad[i]));
        s = (struct resolver_settings){ .stubs = &stub, .stub_count = 1 };
        CHECK(!resolver_new(&s, &why) && why.code == E_USAGE);
    }
}

/* --- files ------------------------------------------------------------------------------ */

/* A file of this process alone, good until the next call. */
static const char *file_with(const char *text)
{
    static char name[32];
    static int fd = -1;

    if (fd >= 0)
        close(fd);
    fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return name;
}

static void refuses_anchor(const char *file)
{
    const struct resolver_settings s = { .trust_anchor_file = file, .validate = true };

    why = (struct error){ 0 };
    CHECK_ID("DANE-006", !resolver_new(&s, &why));
    CHECK_EQUAL(why.code, E_USAGE);
    CHECK(strstr(why.text, file));
}

TEST(a_trust_anchor_file_that_cannot_be_used_is_an_error)
{
    static const char *const texts[] = { "", "; only a comment: . IN DS 1 2 3\n", "\n\n", "nonsense\n",
                                         ". IN DS nonsense\n", "DNSKEY\n" };

    refuses_anchor("/nonexistent/root.key");
    refuses_anchor("/");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refuses_anchor(file_with(texts[i]));
}

TEST(the_systems_root_key_is_the_default_anchor)
{
    bool there = access("/usr/share/dns/root.key", R_OK) == 0;

    start(&(struct resolver_settings){ .validate = true });
    CHECK_EQUAL(resolver_validates(resolver), there);
    stop();
    start(&(struct resolver_settings){ .validate = false });
    CHECK(!resolver_validates(resolver));
    stop();
}

TEST(unsigned_answers_below_a_trust_anchor_are_never_shown)
{
    const char *forwarders[] = { forwarder_opens() };
    struct resolver_settings s = { .forwarders = forwarders, .forwarder_count = 1, .validate = true };
    struct dns_answer a;

    s.trust_anchor_file = file_with(
        ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n");
    start_with_forwarder(s);
    CHECK(resolver_validates(resolver));
    a = ask("mx.example.org", DNS_A);
    CHECK_ID("DANE-001", a.status == DNS_BOGUS && a.count == 0 && !a.secure);
    stop_with_forwarder();
}

TEST(a_hosts_file_is_read_only_when_named)
{
    const char *forwarders[] = { forwarder_opens() };
    struct resolver_settings s = { .forwarders = forwarders, .forwarder_count = 1 };
    struct dns_answer a;

    s.hosts_file = file_with("192.0.2.7 mx.example.org mx.test\n2001:db8::7 mx.example.org\n");
    start_with_forwarder(s);
    a = ask("mx.test", DNS_A);
    CHECK(a.status == DNS_FOUND && !a.secure && slice_equal(a.records[0], SLICE("\xc0\0\2\7")));
    CHECK(ask("mx.example.org", DNS_AAAA).status == DNS_FOUND);
    CHECK(is_99(ask("other.test", DNS_A)));
    stop_with_forwarder();

    s = (struct resolver_settings){ .hosts_file = "/nonexistent/hosts" };
    CHECK(!resolver_new(&s, &why) && why.code == E_USAGE);
}
