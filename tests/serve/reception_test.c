/* Whom mail is taken from and for, and what the client hears when the store
 * cannot keep it. The client is a script; the store is the far end of a
 * channel, played here. */
#include "tests/test.h"

#include "base/memory.h"
#include "net/script.h"
#include "serve/reception.h"

#include <unistd.h>

enum store_mood { STORE_KEEPS, STORE_FULL, STORE_FAILS, STORE_DIES, STORE_DIES_AT_BODY };

static struct {
    enum store_mood mood;
    struct channel *channel;
    struct arena arena;
    struct buf message;
    struct frame_accept accepted;
    unsigned accepts, drops, bodies;
} store;

static struct {
    struct config *config;
    struct post post;
    struct smtp_server server;
    struct script *script;
    enum listener_role role;
    const char *client;
} house;

/* --- the store -------------------------------------------------------------- */

static void store_answer(uint64_t ticket)
{
    static const struct error full = { E_STORAGE_FULL, "no room" }, broken = { E_STORAGE, "the disk is on fire" };
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_answer(&frame, ticket, store.mood == STORE_KEEPS,
                     store.mood == STORE_FULL ? &full : store.mood == STORE_FAILS ? &broken : NULL);
    channel_send(store.channel, FRAME_ACCEPTED, buf_slice(&frame));
}

static bool store_frame(void *owner, uint8_t type, struct slice body, int fd)
{
    struct frame_body piece;

    switch (type) {
    case FRAME_BODY:
        CHECK(frame_get_body(body, &piece));
        buf_add(&store.message, piece.bytes);
        store.bodies++;
        return store.mood != STORE_DIES_AT_BODY;
    case FRAME_ACCEPT:
        CHECK(frame_get_accept(body, &store.arena, &store.accepted));
        buf_add(&store.message, store.accepted.bytes);
        store.accepts++;
        if (store.mood == STORE_DIES)
            return false;
        store_answer(store.accepted.ticket);
        return true;
    case FRAME_DROP:
        store.drops++;
        return true;
    default:
        return false;
    }
}

static void store_closed(void *owner, const struct error *why)
{
    channel_free(store.channel);
    store.channel = NULL;
}

static const struct channel_events store_events = { store_frame, store_closed };

/* --- the house ------------------------------------------------------------------ */

static void tell(void *arg, const char *text)
{
    fail_msg("configuration: %s", text);
}

static struct config *configuration(void)
{
    static const char text[] = "hostname = \"mx.example.org\"\nlisten \"127.0.0.1:25\" { role = \"mx\" }\n"
        "domain \"example.org\" { route = \"maildir /srv/mail\" }\n"
        "domain \"mail.example.org\" { route = \"maildir /srv/mail/%u\" }\nlimits { hops = 10 }\n";
    char file[] = "/tmp/postern-reception-XXXXXX";
    int fd = mkstemp(file);
    struct config *c;

    CHECK(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(fd);
    c = config_read(file, CONFIG_TO_SERVE, tell, NULL);
    unlink(file);
    CHECK(c);
    return c;
}

static void run_session(void *arg)
{
    struct conn *c = script_conn(house.script);
    struct smtp_ending ending;
    struct reception *r;
    struct address client;

    CHECK(address_parse_ip(slice_of(house.client), &client));
    r = reception_new(&house.post, house.config, house.role, &client);
    smtp_serve(c, &house.server, &reception_house, r, &ending);
    CHECK(!reception_is_open(r));
    reception_free(r);
    conn_close(c);
    loop_stop();
}

/* The whole of one session; `text` is its transcript, played by the client. */
static void play(enum listener_role role, const char *client, enum store_mood mood, const char *text)
{
    static const char context;
    struct error why = { 0 };
    char complaint[600] = "";
    int fds[2];

    memset(&store, 0, sizeof store);
    store.mood = mood;
    arena_init(&store.arena, 1024 * 1024);
    buf_init(&store.message, 16 * 1024 * 1024);
    house.config = configuration();
    house.role = role;
    house.client = client;
    house.script = script_new('C', text);
    house.server = (struct smtp_server){
        .hostname = "mx.example.org", .software = "ESMTP", .limits = house.config->limits, .requiretls = true,
        .tls = (const struct tls_server *)(const void *)&context };      /* the script shakes hands without looking */
    loop_open();
    post_init(&house.post, house.config, 1, NULL);
    CHECK_OK(channel_pair(fds, &why), &why);
    post_link(&house.post, fds[0]);
    store.channel = channel_new(fds[1], &store_events, NULL);
    channel_start(store.channel);
    fiber_start("session", run_session, NULL);
    loop_run();
    for (int i = 0; i < 5; i++)
        loop_turn(false);       /* what was sent last arrives */
    if (script_complaint(house.script))
        snprintf(complaint, sizeof complaint, "%s", script_complaint(house.script));
    script_free(house.script);
    post_done(&house.post);
    channel_free(store.channel);
    loop_close();
    config_free(house.config);
    if (complaint[0])
        fail_msg("%s", complaint);
}

static void play_done(void)
{
    arena_done(&store.arena);
    buf_done(&store.message);
}

#define GREETING "S=220\n" "C: EHLO client.example.com\n" "S=250\n"
#define STRANGER "203.0.113.9"

TEST(mail_for_our_domains_is_taken_from_anyone)
{
    play(ROLE_MX, STRANGER, STORE_KEEPS, GREETING
         "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<User@example.org>\n" "S=250\n"
         "C: DATA\n" "S=354\n" "C: Subject: x\n" "C: \n" "C: body\n" "C: .\n" "S=250\n" "C: QUIT\n" "S=221\n");
    CHECK_EQUAL(store.accepts, 1);
    CHECK_TEXT(store.accepted.envelope.sender, "s@example.com");
    CHECK_EQUAL(store.accepted.envelope.count, 1);
    CHECK_TEXT(store.accepted.envelope.recipients[0].address, "User@example.org");
    CHECK_TEXT(store.accepted.envelope.recipients[0].destination, "maildir /srv/mail");
    CHECK(slice_starts(buf_slice(&store.message), SLICE("Received: from client.example.com ([203.0.113.9])")));
    CHECK_ID("SMTP-052", slice_ends_nocase(buf_slice(&store.message), SLICE("\r\nSubject: x\r\n\r\nbody\r\n")));
    play_done();
}

TEST(an_mx_listener_relays_for_nobody)
{
    static const char *const clients[] = { STRANGER, "127.0.0.1" };

    for (size_t i = 0; i < 2; i++) {
        play(ROLE_MX, clients[i], STORE_KEEPS, GREETING
             "C: MAIL FROM:<s@example.org>\n" "S=250\n" "C: RCPT TO:<user@example.net>\n" "S=550\n"
             "C: RCPT TO:<user%example.net@elsewhere.example>\n" "S=550\n"
             "C: RCPT TO:<@example.org:user@example.net>\n" "S=550\n" "C: RCPT TO:<user@sub.example.org>\n" "S=550\n"
             "C: RCPT TO:<user@[192.0.2.1]>\n" "S=550\n" "C: DATA\n" "S=554\n" "C: QUIT\n" "S=221\n");
        CHECK_ID("SMTP-027", store.accepts == 0);
        play_done();
    }
}

TEST(submission_is_for_trusted_networks_and_goes_anywhere)
{
    play(ROLE_SUBMISSION, STRANGER, STORE_KEEPS, GREETING
         "C: MAIL FROM:<s@example.com>\n" "S=530\n" "C: RCPT TO:<user@example.org>\n" "S=503\n" "C: QUIT\n" "S=221\n");
    CHECK_ID("SMTP-171", store.accepts == 0);
    play_done();
    play(ROLE_SUBMISSION, "127.0.0.1", STORE_KEEPS, GREETING
         "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<user@example.net>\n" "S=250\n"
         "C: DATA\n" "S=354\n" "C: \n" "C: x\n" "C: .\n" "S=250\n" "C: QUIT\n" "S=221\n");
    CHECK_TEXT(store.accepted.envelope.recipients[0].destination, "example.net");
    play_done();
}

/* SMTP-022 */
TEST(the_bare_postmaster_is_always_at_home)
{
    play(ROLE_MX, STRANGER, STORE_KEEPS, GREETING
         "C: MAIL FROM:<>\n" "S=250\n" "C: RCPT TO:<pOstMaster>\n" "S=250\n"
         "C: DATA\n" "S=354\n" "C: \n" "C: .\n" "S=250\n" "C: QUIT\n" "S=221\n");
    CHECK_ID("SMTP-022", strcmp(store.accepted.envelope.recipients[0].address, "postmaster@example.org") == 0);
    CHECK_TEXT(store.accepted.envelope.sender, "");
    play_done();
}

TEST(a_recipient_said_twice_is_stored_once)
{
    play(ROLE_MX, STRANGER, STORE_KEEPS, GREETING
         "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<a@example.org>\n" "S=250\n"
         "C: RCPT TO:<a@EXAMPLE.org>\n" "S=250\n" "C: RCPT TO:<b@example.org>\n" "S=250\n"
         "C: DATA\n" "S=354\n" "C: \n" "C: .\n" "S=250\n" "C: QUIT\n" "S=221\n");
    CHECK_EQUAL(store.accepted.envelope.count, 2);
    play_done();
}

TEST(no_room_is_452_and_trouble_is_451_and_the_session_goes_on)
{
#define ONE_MESSAGE "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<a@example.org>\n" "S=250\n" \
                    "C: DATA\n" "S=354\n" "C: \n" "C: x\n" "C: .\n"

    play(ROLE_MX, STRANGER, STORE_FULL, GREETING ONE_MESSAGE "S=452\n" "C: NOOP\n" "S=250\n" "C: QUIT\n" "S=221\n");
    play_done();
    play(ROLE_MX, STRANGER, STORE_FAILS, GREETING ONE_MESSAGE "S=451\n" "C: DATA\n" "S=503\n" "C: QUIT\n" "S=221\n");
    play_done();
}

/* (P1) Nothing was promised, so nothing is lost: the client is told to come again. */
TEST(a_store_that_dies_before_it_answers_is_451)
{
    play(ROLE_MX, STRANGER, STORE_DIES, GREETING ONE_MESSAGE "S=451\n"
         "C: MAIL FROM:<s@example.com>\n" "S=451\n" "C: QUIT\n" "S=221\n");
    CHECK_EQUAL(store.accepts, 1);
    play_done();
}

static char *long_session(const char *reply)
{
    struct buf text;
    char *made;

    buf_init(&text, 1024 * 1024);
    buf_add(&text, SLICE(GREETING "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<a@example.org>\n" "S=250\n"
                         "C: DATA\n" "S=354\n"));
    for (int i = 0; i < 3000; i++)
        buf_text(&text, "C: line %d of a message that does not fit into one frame, by far\n", i);
    buf_text(&text, "C: .\n%sC: QUIT\nS=221\n", reply);
    made = memory_text(buf_slice(&text));
    buf_done(&text);
    return made;
}

TEST(a_large_message_travels_in_pieces_and_in_order)
{
    auto_free char *text = long_session("S=250\n");

    play(ROLE_MX, STRANGER, STORE_KEEPS, text);
    CHECK(store.bodies >= 3);
    CHECK_EQUAL(store.accepts, 1);
    CHECK(slice_ends_nocase(buf_slice(&store.message), SLICE("\r\nline 2999 of a message that does not fit into one frame, by far\r\n")));
    play_done();
}

TEST(a_store_that_dies_in_the_middle_of_a_message_is_451)
{
    auto_free char *text = long_session("S=451\n");

    play(ROLE_MX, STRANGER, STORE_DIES_AT_BODY, text);
    CHECK_EQUAL(store.accepts, 0);
    play_done();
}

TEST(a_message_that_goes_in_circles_is_refused_and_dropped)
{
    char text[4000] = GREETING "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<a@example.org>\n" "S=250\n"
                      "C: DATA\n" "S=354\n";

    for (int i = 0; i < 11; i++)
        strcat(text, "C: Received: from somewhere\n");
    strcat(text, "C: \nC: .\nS=554\nC: QUIT\nS=221\n");
    play(ROLE_MX, STRANGER, STORE_KEEPS, text);
    CHECK_ID("SMTP-128", store.accepts == 0);
    play_done();
}

/* SMTP-064: what does not fit is refused, each time, and nothing of it is kept. */
TEST(recipients_that_do_not_fit_are_refused_and_not_kept)
{
    auto_buf struct buf text = { 0 };
    char local[301];

    memset(local, 'x', sizeof local - 1);
    local[250] = '\0';
    buf_init(&text, 4 * 1024 * 1024);
    buf_add(&text, SLICE(GREETING "C: MAIL FROM:<s@example.com>\n" "S=250\n"));
    for (int i = 0; i < 1100; i++)
        buf_text(&text, "C: RCPT TO:<%d%.240s@example.net>\nS=550\n", i, local);      /* cost nothing */
    for (int i = 0; i < 1000; i++)
        buf_text(&text, "C: RCPT TO:<%d%.240s@example.org>\nS=250\n", i, local);
    for (int i = 0; i < 5; i++)
        buf_text(&text, "C: RCPT TO:<more%d@example.org>\nS=452\n", i);
    buf_add(&text, SLICE("C: DATA\nS=354\nC: \nC: .\nS=250\nC: QUIT\nS=221\n"));
    buf_byte(&text, '\0');
    play(ROLE_MX, STRANGER, STORE_KEEPS, buf_slice(&text).at);
    CHECK_EQUAL(store.accepts, 1);
    CHECK_ID("SMTP-064", store.accepted.envelope.count == 1000);
    for (size_t i = 0; i < 1000; i++)
        CHECK(strlen(store.accepted.envelope.recipients[i].address) > 240);
    play_done();
}

TEST(a_name_that_no_file_can_have_is_refused_at_once)
{
    play(ROLE_MX, STRANGER, STORE_KEEPS, GREETING
         "C: MAIL FROM:<s@example.com>\n" "S=250\n" "C: RCPT TO:<a/b@example.com>\n" "S=550\n"
         "C: RCPT TO:<../x@mail.example.org>\n" "S=501\n"
         "C: RCPT TO:<a/b@mail.example.org>\n" "S: 550 5.1.3 There can be no mailbox of this name\n"
         "C: RCPT TO:<fine@mail.example.org>\n" "S=250\n" "C: QUIT\n" "S=221\n");
    play_done();
}

/* --- RFC 8689 ------------------------------------------------------------------- */

#define SECURED GREETING "C: STARTTLS\n" "S=220\n" "TLS\n" "C: EHLO client.example.com\n" "S=250\n"
#define RCPT_DATA "S=250\n" "C: RCPT TO:<a@example.org>\n" "S=250\n" "C: DATA\n" "S=354\n"
#define END "C: .\n" "S=250\n"
#define QUIT "C: QUIT\n" "S=221\n"
#define MAIL "C: MAIL FROM:<s@example.com>\n" RCPT_DATA
#define MAIL_REQUIRING "C: MAIL FROM:<s@example.com> REQUIRETLS\n" RCPT_DATA

TEST(parameter_and_header_make_four_combinations)       /* REQTLS-004, -005 */
{
    static const struct { const char *text; enum tls_request wanted; } rows[] = {
        { SECURED MAIL "C: Subject: x\n" "C: \n" END QUIT, TLS_AS_USUAL },
        { SECURED MAIL "C: TLS-Required: No\n" "C: \n" END QUIT, TLS_OPTIONAL },
        { SECURED MAIL_REQUIRING "C: Subject: x\n" "C: \n" END QUIT, TLS_REQUIRED },
        { SECURED MAIL_REQUIRING "C: TLS-Required: No\n" "C: \n" END QUIT, TLS_REQUIRED },
        { GREETING MAIL "C: TLS-Required: No\n" "C: \n" END QUIT, TLS_OPTIONAL },       /* in clear too */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play(ROLE_MX, STRANGER, STORE_KEEPS, rows[i].text);
        CHECK_EQUAL(store.accepted.envelope.tls, rows[i].wanted);
        play_done();
        play(ROLE_SUBMISSION, "127.0.0.1", STORE_KEEPS, rows[i].text);
        CHECK_ID("REQTLS-053", store.accepted.envelope.tls == rows[i].wanted);
        play_done();
    }
}

TEST(the_message_keeps_its_field_whether_it_is_heeded_or_not)       /* REQTLS-005 */
{
    play(ROLE_MX, STRANGER, STORE_KEEPS, SECURED MAIL_REQUIRING "C: tls-required: nO\n" "C: \n" "C: x\n" END QUIT);
    CHECK(slice_ends_nocase(buf_slice(&store.message), SLICE("\r\ntls-required: nO\r\n\r\nx\r\n")));
    play_done();
}

TEST(a_field_that_is_unclear_or_nested_changes_nothing)     /* REQTLS-006, -008 */
{
    static const char *const messages[] = {
        "C: TLS-Required: yes\n" "C: \n", "C: TLS-Required: No\n" "C: TLS-Required: yes\n" "C: \n",
        "C: TLS-Required:\n" "C: \n", "C: Content-Type: message/rfc822\n" "C: \n" "C: TLS-Required: No\n" "C: \n",
        "C: \n" "C: TLS-Required: No\n",
    };

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        char text[1000];

        snprintf(text, sizeof text, "%s%s%s%s", GREETING MAIL, messages[i], END, QUIT);
        play(ROLE_MX, STRANGER, STORE_KEEPS, text);
        CHECK_EQUAL(store.accepts, 1);
        CHECK_EQUAL(store.accepted.envelope.tls, TLS_AS_USUAL);
        play_done();
    }
}

TEST(what_one_message_asked_for_the_next_does_not)
{
    static const struct { const char *text; enum tls_request wanted; } rows[] = {
        { SECURED MAIL_REQUIRING "C: \n" END MAIL "C: \n" END QUIT, TLS_AS_USUAL },
        { SECURED MAIL "C: TLS-Required: No\n" "C: \n" END MAIL "C: \n" END QUIT, TLS_AS_USUAL },
        { SECURED MAIL "C: TLS-Required: yes\n" "C: \n" END MAIL "C: TLS-Required: No\n" "C: \n" END QUIT, TLS_OPTIONAL },
        { SECURED MAIL_REQUIRING "C: \n" END MAIL "C: TLS-Required: No\n" "C: \n" END QUIT, TLS_OPTIONAL },
        { SECURED MAIL "C: TLS-Required: No\n" "C: \n" END MAIL_REQUIRING "C: \n" END QUIT, TLS_REQUIRED },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play(ROLE_MX, STRANGER, STORE_KEEPS, rows[i].text);
        CHECK_EQUAL(store.accepts, 2);
        CHECK_EQUAL(store.accepted.envelope.tls, rows[i].wanted);
        play_done();
    }
}

TEST(the_field_is_found_behind_more_header_than_is_ever_held)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, 1024 * 1024);
    buf_add(&text, SLICE(GREETING MAIL));
    for (int i = 0; i < 3000; i++)
        buf_text(&text, "C: X-Field-%d: of a header that does not fit into one frame, by far\n", i);
    buf_text(&text, "C: TLS-Required:\nC:  No\nC: \nC: x\n%s%s", END, QUIT);
    buf_byte(&text, '\0');
    play(ROLE_MX, STRANGER, STORE_KEEPS, buf_slice(&text).at);
    CHECK(store.bodies >= 3);
    CHECK_EQUAL(store.accepted.envelope.tls, TLS_OPTIONAL);
    play_done();
}
