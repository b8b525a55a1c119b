/* Which names are asked for TLSA, in which order, and what the answers come to. */
#include "tests/test.h"

#include "dns/tlsa.h"

#include <stdlib.h>

static struct arena arena;
static struct tlsa_answer found;

/* --- answers made by hand ---------------------------------------------------- */

/* Nobody else is to be asked. `digest` is the RDATA of the one record. */
struct line {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    bool secure;
    const char *digest;
    uint32_t ttl;
};

static const struct line *script;
static size_t script_lines;
static char asked[1000];

static void answer_from(void *self, const char *name, enum dns_type type, struct arena *memory, struct dns_answer *out)
{
    size_t used = strlen(asked);

    CHECK(self == &script);
    snprintf(asked + used, sizeof asked - used, "%s%s %s", used ? ", " : "", dns_type_name(type), name);
    for (size_t i = 0; i < script_lines; i++) {
        const struct line *l = &script[i];

        if (strcmp(l->name, name) != 0 || l->type != type)
            continue;
        *out = (struct dns_answer){ .status = l->status, .secure = l->secure, .canonical = name, .why = "as told",
                                    .ttl = l->ttl ? l->ttl : 600 };
        if (l->status == DNS_FOUND) {
            out->records = arena_take(memory, sizeof *out->records);
            out->records[0] = arena_copy(memory, slice_of(l->digest ? l->digest : "\3\1\1digest"));
            out->count = 1;
        }
        return;
    }
    fail_msg("nobody was to ask for %s %s", dns_type_name(type), name);
}

static struct host_addresses addresses(const char *host, const char *canonical, bool secure)
{
    return (struct host_addresses){ .secure = secure, .canonical = canonical, .aliased = strcmp(host, canonical) != 0,
                                    .ttl = 300 };
}

static void find(const char *host, const char *canonical, bool secure, uint16_t port, const struct line *lines, size_t count)
{
    struct host_addresses at = addresses(host, canonical, secure);

    arena_reset(&arena);
    arena_init(&arena, 256 * 1024);
    script = lines;
    script_lines = count;
    asked[0] = '\0';
    memset(&found, 0xff, sizeof found);
    tlsa_find_from(&(struct tlsa_source){ answer_from, &script }, host, &at, port, &arena, &found);
}

#define FIND(host, canonical, secure, ...)                                                                             \
    do {                                                                                                               \
        static const struct line lines[] = { { "" }, __VA_ARGS__ };                                                    \
        find(host, canonical, secure, 25, lines + 1, sizeof lines / sizeof *lines - 1);                                \
    } while (0)

#define HOST "_25._tcp.mx.example.org"
#define END "_25._tcp.end.example.net"
#define HOST_HAS(...) { HOST, DNS_TLSA, __VA_ARGS__ }
#define END_HAS(...) { END, DNS_TLSA, __VA_ARGS__ }
#define ALIAS_IS(...) { "mx.example.org", DNS_CNAME, __VA_ARGS__ }

static const char both[] = "TLSA " END ", TLSA " HOST;

/* --- a host that is no alias --------------------------------------------------- */

TEST(a_secure_host_is_the_one_candidate)
{
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_FOUND, true, "\3\1\1abc"));
    CHECK_ID("DANE-041", found.status == TLSA_FOUND && found.count == 1);
    CHECK_SLICE(found.records[0], "\3\1\1abc");
    CHECK_TEXT(found.base, "mx.example.org");
    CHECK_TEXT(asked, "TLSA " HOST);
    CHECK_EQUAL(found.asked_count, 1);
    CHECK_TEXT(found.asked[0].base, "mx.example.org");
    CHECK_TEXT(found.asked[0].owner, HOST);
    CHECK_TEXT(found.asked[0].status, "secure");
    CHECK_EQUAL(found.why.code, E_NONE);
}

TEST(an_insecure_host_is_never_asked_for)
{
    FIND("mx.example.org", "mx.example.org", false);
    CHECK_ID("DANE-025", found.status == TLSA_NOT_ASKED && !asked[0] && found.asked_count == 0);
    CHECK_TEXT(found.base, "mx.example.org");
    CHECK(found.count == 0 && found.why.code == E_NONE);
}

TEST(the_owner_name_has_the_port_that_is_used)
{
    static const struct line line = { "_587._tcp.relay.example.org", DNS_TLSA, DNS_FOUND, true };

    find("Relay.Example.ORG", "relay.example.org", true, 587, &line, 1);
    CHECK_ID("DANE-027", found.status == TLSA_FOUND);
    CHECK_TEXT(found.base, "relay.example.org");
    CHECK_TEXT(found.asked[0].owner, "_587._tcp.relay.example.org");
}

TEST(each_answer_at_the_only_candidate)
{
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_NO_NAME, true));
    CHECK_ID("DANE-003", found.status == TLSA_ABSENT);
    CHECK_TEXT(found.asked[0].status, "absent (secure)");
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_NO_DATA, true));
    CHECK_ID("DANE-003", found.status == TLSA_ABSENT);
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_NO_DATA, false));
    CHECK_ID("DANE-003", found.status == TLSA_INSECURE);
    CHECK_TEXT(found.asked[0].status, "absent (insecure)");
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_FOUND, false));
    CHECK_ID("DANE-048", found.status == TLSA_INSECURE && found.count == 0 && !found.records);
    CHECK_TEXT(found.asked[0].status, "insecure");
    CHECK_TEXT(found.base, "mx.example.org");
}

TEST(an_error_makes_the_host_unreachable)
{
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_FAILED, false));
    CHECK_ID("DANE-009", found.status == TLSA_ERROR && found.count == 0);
    CHECK_EQUAL(found.why.code, E_TLSA_LOOKUP);
    CHECK_TEXT(found.why.text, "TLSA record of " HOST " cannot be looked up: as told");
    CHECK_TEXT(found.asked[0].status, "error");
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_BOGUS, false));
    CHECK_ID("DANE-009", found.status == TLSA_ERROR && found.why.code == E_TLSA_LOOKUP);
    CHECK_TEXT(found.why.text, "TLSA record of " HOST " fails DNSSEC validation: as told");
    CHECK_TEXT(found.asked[0].status, "bogus");
}

/* --- a host that is an alias ----------------------------------------------------- */

TEST(of_a_secure_alias_the_end_is_first_and_the_host_second)
{
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_FOUND, true, "end"));
    CHECK_ID("DANE-042", found.status == TLSA_FOUND);
    CHECK_TEXT(found.base, "end.example.net");
    CHECK_ID("DANE-047", strcmp(asked, "TLSA " END) == 0);
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_NO_NAME, true), HOST_HAS(DNS_FOUND, true, "host"));
    CHECK_ID("DANE-042", found.status == TLSA_FOUND && strcmp(asked, both) == 0);
    CHECK_TEXT(found.base, "mx.example.org");
    CHECK_SLICE(found.records[0], "host");
}

TEST(absence_and_insecure_answers_lead_to_the_next_candidate)
{
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_FOUND, false, "end"), HOST_HAS(DNS_FOUND, true, "host"));
    CHECK_ID("DANE-048", found.status == TLSA_FOUND && strcmp(found.base, "mx.example.org") == 0);
    CHECK_SLICE(found.records[0], "host");
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_NO_DATA, false), HOST_HAS(DNS_NO_DATA, true));
    CHECK_ID("DANE-048", found.status == TLSA_ABSENT && strcmp(asked, both) == 0);
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_NO_DATA, true), HOST_HAS(DNS_FOUND, false));
    CHECK_ID("DANE-048", found.status == TLSA_ABSENT);
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_FOUND, false), HOST_HAS(DNS_NO_NAME, false));
    CHECK_ID("DANE-048", found.status == TLSA_INSECURE);
    CHECK_EQUAL(found.asked_count, 2);
    CHECK_TEXT(found.base, "mx.example.org");
}

TEST(an_error_at_either_candidate_ends_the_search)
{
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_FAILED, false));
    CHECK_ID("DANE-048", found.status == TLSA_ERROR && strcmp(asked, "TLSA " END) == 0);
    CHECK_TEXT(found.base, "mx.example.org");
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_NO_NAME, true), HOST_HAS(DNS_BOGUS, false));
    CHECK_ID("DANE-048", found.status == TLSA_ERROR && found.why.code == E_TLSA_LOOKUP);
    CHECK(strstr(found.why.text, HOST));
}

TEST(an_alias_into_an_insecure_zone_is_asked_for_itself)
{
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_FOUND, true), HOST_HAS(DNS_FOUND, true, "host"));
    CHECK_ID("DANE-043", found.status == TLSA_FOUND && strcmp(found.base, "mx.example.org") == 0);
    CHECK_TEXT(asked, "CNAME mx.example.org, TLSA " HOST);
    CHECK_EQUAL(found.asked_count, 1);
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_FOUND, true), HOST_HAS(DNS_NO_NAME, true));
    CHECK_ID("DANE-043", found.status == TLSA_ABSENT);
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_FOUND, true), HOST_HAS(DNS_FAILED, false));
    CHECK_ID("DANE-048", found.status == TLSA_ERROR);
}

TEST(an_alias_that_is_insecure_itself_is_no_candidate)
{
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_FOUND, false));
    CHECK_ID("DANE-044", found.status == TLSA_NOT_ASKED && found.asked_count == 0);
    CHECK_TEXT(asked, "CNAME mx.example.org");
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_NO_DATA, true));     /* the zone has just changed */
    CHECK(found.status == TLSA_NOT_ASKED);
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_BOGUS, false));
    CHECK_ID("DANE-009", found.status == TLSA_ERROR && found.why.code == E_TLSA_LOOKUP);
    CHECK_TEXT(found.why.text, "CNAME record of mx.example.org fails DNSSEC validation: as told");
}

/* --- how long, how much, how large --------------------------------------------------- */

TEST(nothing_is_kept_longer_than_what_it_rests_on)
{
    FIND("mx.example.org", "end.example.net", true, END_HAS(DNS_NO_NAME, true, NULL, 60),
         HOST_HAS(DNS_FOUND, true, NULL, 3600));
    CHECK_ID("DANE-013", found.ttl == 60);
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_FOUND, true, NULL, 3600));
    CHECK_ID("DANE-013", found.ttl == 300);
    FIND("mx.example.org", "end.example.net", false, ALIAS_IS(DNS_FOUND, false, NULL, 7));
    CHECK_ID("DANE-013", found.ttl == 7);
    FIND("mx.example.org", "mx.example.org", true, HOST_HAS(DNS_FAILED, false, NULL, 3600));
    CHECK_EQUAL(found.ttl, 0);
}

/* A host of `len` bytes. */
static const char *long_host(size_t len)
{
    static char name[400];

    memset(name, 'a', sizeof name);
    for (size_t i = 63; i < len; i += 64)
        name[i] = '.';
    name[len] = '\0';
    return name;
}

TEST(an_owner_name_above_253_bytes_is_taken_for_absent)
{
    struct line line = { NULL, DNS_TLSA, DNS_FOUND, true };
    static char owner[500];

    snprintf(owner, sizeof owner, "_25._tcp.%s", long_host(244));
    line.name = owner;
    find(long_host(244), long_host(244), true, 25, &line, 1);
    CHECK(found.status == TLSA_FOUND);
    find(long_host(245), long_host(245), true, 25, NULL, 0);
    CHECK_ID("DANE-041", found.status == TLSA_ABSENT && found.asked_count == 1);
    CHECK_TEXT(found.asked[0].status, "absent (name too long)");
    find(long_host(253), long_host(253), true, 65535, NULL, 0);
    CHECK(found.status == TLSA_ABSENT);

    line = (struct line){ HOST, DNS_TLSA, DNS_FOUND, true };
    find("mx.example.org", long_host(250), true, 25, &line, 1);     /* the other candidate still counts */
    CHECK_ID("DANE-048", found.status == TLSA_FOUND && found.asked_count == 2);
    CHECK_TEXT(found.base, "mx.example.org");
}

/* What answers with records that the test sets. */
static struct dns_answer set;

static void answer_set(void *self, const char *name, enum dns_type type, struct arena *memory, struct dns_answer *out)
{
    *out = set;
}

static void find_set(struct slice *records, size_t count, size_t room)
{
    struct host_addresses at = addresses("mx.example.org", "mx.example.org", true);

    arena_reset(&arena);
    arena_init(&arena, room);
    set = (struct dns_answer){ .status = DNS_FOUND, .secure = true, .canonical = "", .why = "", .ttl = 600,
                               .records = records, .count = count };
    tlsa_find_from(&(struct tlsa_source){ answer_set, NULL }, "mx.example.org", &at, 25, &arena, &found);
}

TEST(records_of_every_length_come_as_they_are)
{
    static char bytes[70000];
    struct slice records[71];

    memset(bytes, 3, sizeof bytes);
    for (size_t len = 0; len < 70; len++)
        records[len] = slice(bytes, len);
    records[70] = slice(bytes, 60000);
    find_set(records, 71, 256 * 1024);
    CHECK(found.status == TLSA_FOUND && found.count == 71);
    for (size_t i = 0; i < 71; i++)
        CHECK(found.records[i].at != records[i].at && slice_equal(found.records[i], records[i]));
}

TEST(too_many_records_are_an_error_and_none_is_dropped)
{
    static struct slice records[TLSA_RECORDS_MAX + 1];
    static char bytes[67];

    for (size_t i = 0; i <= TLSA_RECORDS_MAX; i++)
        records[i] = slice(bytes, sizeof bytes);
    find_set(records, 60, 256 * 1024);
    CHECK_ID("DANE-014", found.status == TLSA_FOUND && found.count == 60);
    find_set(records, TLSA_RECORDS_MAX, 256 * 1024);
    CHECK(found.status == TLSA_FOUND && found.count == TLSA_RECORDS_MAX);
    find_set(records, TLSA_RECORDS_MAX + 1, 256 * 1024);
    CHECK_ID("DANE-009", found.status == TLSA_ERROR && found.why.code == E_TLSA_LOOKUP && found.count == 0);
    CHECK_TEXT(found.why.text, "the 257 TLSA records of " HOST " are too many");
    find_set(records, 60, 2000);
    CHECK_ID("DANE-009", found.status == TLSA_ERROR && found.count == 0 && !found.records);
}

TEST(each_outcome_has_its_name)
{
    CHECK_TEXT(tlsa_status_name(TLSA_NOT_ASKED), "not asked");
    CHECK_TEXT(tlsa_status_name(TLSA_ABSENT), "absent");
    CHECK_TEXT(tlsa_status_name(TLSA_INSECURE), "insecure");
    CHECK_TEXT(tlsa_status_name(TLSA_FOUND), "found");
    CHECK_TEXT(tlsa_status_name(TLSA_ERROR), "error");
    arena_done(&arena);
}
