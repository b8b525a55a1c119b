/* Clients: who would be cut off by which rule, exactly. */
#include "tests/fact/counting.h"

#include "fact/clients.h"

enum { TODAY = 20000 };

struct fixture {
    struct clients *clients;
    struct buf key;
    const struct client *const *list;
    size_t count;
};

static struct fixture begin(struct clients_want want)
{
    struct fixture f = { 0 };

    want.since = TODAY - 29;
    want.until = TODAY;
    f.clients = clients_new(&want);
    buf_init(&f.key, 2048);
    return f;
}

static void end(struct fixture *f)
{
    clients_free(f->clients);
    buf_done(&f->key);
}

static void seen(struct fixture *f, uint32_t ago, const char *address, struct visit v, uint64_t count)
{
    visit_key(&v, address, &f->key);
    clients_take(f->clients, TODAY - ago, buf_slice(&f->key), count);
}

static void finish(struct fixture *f)
{
    clients_finish(f->clients);
    f->list = clients_list(f->clients, &f->count);
}

#define VISIT(...) ((struct visit){ __VA_ARGS__ })

static const struct clients_want anything;

/* --- whom ------------------------------------------------------------------------ */

TEST(mail_hosts_are_told_by_network_and_submitters_by_address)
{
    struct fixture f = begin(anything);

    seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_MX, .version = TLS_1_3), 1);
    seen(&f, 0, "192.0.2.8", VISIT(.role = VISIT_MX, .version = TLS_1_3), 2);
    seen(&f, 0, "2001:db8:1:2::8", VISIT(.role = VISIT_MX, .version = TLS_1_3), 1);
    seen(&f, 0, "2001:db8:1:3::9", VISIT(.role = VISIT_MX, .version = TLS_1_3), 1);
    seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 4);
    seen(&f, 0, "192.0.2.8", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 5);
    finish(&f);
    CHECK_EQUAL(f.count, 4);
    CHECK_TEXT(f.list[0]->who, "192.0.2.0/24");
    CHECK_EQUAL(f.list[0]->messages, 3);
    CHECK_EQUAL(f.list[0]->addresses.count, 2);
    CHECK_TEXT(f.list[1]->who, "2001:db8:1::/48");
    CHECK_EQUAL(f.list[1]->messages, 2);
    CHECK_TEXT(f.list[2]->who, "192.0.2.8");
    CHECK_TEXT(f.list[3]->who, "192.0.2.7");
    end(&f);
}

TEST(clients_may_be_told_by_name_or_user)
{
    static const struct { enum clients_by by; const char *who[2]; } rows[] = {
        { CLIENTS_BY_NAME, { "laptop", "scanner" } }, { CLIENTS_BY_USER, { "alice", "" } },
        { CLIENTS_BY_ADDRESS, { "192.0.2.8", "192.0.2.7" } }, { CLIENTS_BY_NETWORK, { "192.0.2.0/24", NULL } },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f = begin((struct clients_want){ .by = rows[i].by });

        seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3, .name = "scanner"), 1);
        seen(&f, 0, "192.0.2.8", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3, .name = "laptop", .user = "alice"), 2);
        finish(&f);
        CHECK_EQUAL(f.count, rows[i].who[1] ? 2 : 1);
        for (size_t n = 0; n < f.count; n++)
            CHECK_TEXT(f.list[n]->who, rows[i].who[n]);
        end(&f);
    }
}

TEST(a_few_names_are_kept_of_each_and_never_one_twice)
{
    struct fixture f = begin(anything);
    char name[32];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "name%d", i / 2);
        seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_MX, .version = TLS_1_3, .name = name), 1);
    }
    finish(&f);
    CHECK_EQUAL(f.count, 1);
    CHECK_EQUAL(f.list[0]->names.count, CLIENT_NAMES_MAX);
    CHECK(f.list[0]->names.more && !f.list[0]->users.more && f.list[0]->users.count == 0);
    CHECK_TEXT(f.list[0]->names.at[1], "name1");
    end(&f);
}

TEST(those_beyond_a_bound_are_one_without_a_name)
{
    struct fixture f = begin(anything);
    char address[32];

    seen(&f, 0, NULL, VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_0, .name = "x", .user = "y"), 3);
    for (int i = 0; i < CLIENTS_MAX + 5; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        seen(&f, 0, address, VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 1);
    }
    finish(&f);
    CHECK_EQUAL(f.count, CLIENTS_MAX + 1);
    CHECK(f.list[f.count - 1]->unnamed);
    CHECK_EQUAL(f.list[f.count - 1]->messages, 8);
    CHECK_EQUAL(f.list[f.count - 1]->users.count, 0);
    CHECK_EQUAL(clients_total(f.clients).clients, CLIENTS_MAX);
    end(&f);
}

/* --- what --------------------------------------------------------------------------- */

TEST(messages_are_counted_by_version_and_the_latest_day_is_kept)
{
    struct fixture f = begin(anything);
    const struct client *c;

    seen(&f, 9, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_VERSION_NONE), 5);
    seen(&f, 3, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_1), 7);
    seen(&f, 6, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 11);
    seen(&f, 30, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_0), 100);     /* before the period */
    finish(&f);
    c = f.list[0];
    CHECK_EQUAL(c->messages, 23);
    CHECK_EQUAL(c->versions[TLS_VERSION_NONE], 5);
    CHECK_EQUAL(c->versions[TLS_1_1], 7);
    CHECK_EQUAL(c->versions[TLS_1_3], 11);
    CHECK_EQUAL(c->oldest, TLS_1_1);
    CHECK_EQUAL(c->last, TODAY - 3);
    CHECK_EQUAL(clients_counted_since(f.clients), TODAY - 9);
    end(&f);
}

TEST(a_scanner_that_sends_its_password_over_an_old_version_or_in_clear_is_seen)
{
    struct fixture f = begin(anything);

    seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_0, .user = "scanner"), 2);
    seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3, .user = "scanner"), 2);
    seen(&f, 0, "192.0.2.8", VISIT(.role = VISIT_SUBMISSION, .password_in_clear = true, .user = "fax"), 3);
    seen(&f, 0, "192.0.2.8", VISIT(.role = VISIT_SUBMISSION, .password_in_clear = true, .end = VISIT_REFUSED_IN_CLEAR), 4);
    seen(&f, 0, "192.0.2.9", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_0), 1);
    finish(&f);
    CHECK_TEXT(f.list[0]->who, "192.0.2.8");
    CHECK_EQUAL(f.list[0]->in_clear_with_password, 7);
    CHECK_EQUAL(f.list[0]->password_oldest, TLS_VERSION_NONE);
    CHECK_TEXT(f.list[1]->who, "192.0.2.7");
    CHECK_EQUAL(f.list[1]->password_oldest, TLS_1_0);
    CHECK_EQUAL(f.list[1]->in_clear_with_password, 0);
    CHECK_EQUAL(f.list[2]->password_oldest, TLS_VERSION_NONE);
    end(&f);
}

TEST(handshakes_that_fail_are_told_with_their_reasons)
{
    static const char *const problems[] = { "a", "b", "c", "d", "e", "f", "a" };
    struct fixture f = begin(anything);
    const struct client *c;

    for (size_t i = 0; i < 7; i++)
        seen(&f, 0, "192.0.2.7", VISIT(.role = VISIT_SUBMISSION, .end = VISIT_HANDSHAKE_FAILED, .problem = problems[i]), 10);
    finish(&f);
    c = f.list[0];
    CHECK_EQUAL(c->messages, 0);
    CHECK_EQUAL(c->failed, 70);
    CHECK_EQUAL(c->problem_count, CLIENT_PROBLEMS_MAX + 1);
    CHECK_TEXT(c->problems[0].words, "a");
    CHECK_EQUAL(c->problems[0].sessions, 20);
    CHECK_TEXT(c->problems[CLIENT_PROBLEMS_MAX].words, "");
    CHECK_EQUAL(c->problems[CLIENT_PROBLEMS_MAX].sessions, 20);
    CHECK(client_fails_already(c));
    end(&f);
}

/* --- what if --------------------------------------------------------------------------- */

static struct fixture with_rule(struct clients_rule rule)
{
    struct fixture f = begin((struct clients_want){ .rule = rule });

    seen(&f, 1, "192.0.2.1", VISIT(.role = VISIT_SUBMISSION, .version = TLS_VERSION_NONE), 100);
    seen(&f, 0, "192.0.2.1", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 300);
    seen(&f, 0, "192.0.2.2", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_0), 10);
    seen(&f, 0, "192.0.2.3", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_2), 1);
    seen(&f, 0, "192.0.2.4", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 1000);
    seen(&f, 0, "192.0.2.5", VISIT(.role = VISIT_SUBMISSION, .end = VISIT_HANDSHAKE_FAILED, .problem = "no shared cipher"), 5);
    seen(&f, 0, "192.0.2.6", VISIT(.role = VISIT_MX, .end = VISIT_REFUSED_IN_CLEAR), 5);
    finish(&f);
    return f;
}

TEST(a_rule_shows_whom_it_cuts_off_and_who_fails_already)
{
    static const struct {
        struct clients_rule rule;
        size_t cut_off;
        uint64_t refused, clear, old;
    } rows[] = {
        { { .tls_required = true }, 1, 100, 100, 0 },
        { { .minimum = TLS_1_2 }, 1, 10, 0, 10 },
        { { .minimum = TLS_1_3 }, 2, 11, 0, 11 },
        { { .minimum = TLS_1_0 }, 0, 0, 0, 0 },
        { { .tls_required = true, .minimum = TLS_1_3 }, 3, 111, 100, 11 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f = with_rule(rows[i].rule);
        const struct clients_sum sum = clients_total(f.clients);

        CHECK_EQUAL(sum.clients, 6);
        CHECK_EQUAL(sum.messages, 1411);
        CHECK_EQUAL(sum.cut_off, rows[i].cut_off);
        CHECK_EQUAL(sum.refused, rows[i].refused);
        CHECK_EQUAL(sum.refused_clear, rows[i].clear);
        CHECK_EQUAL(sum.refused_old, rows[i].old);
        CHECK_EQUAL(sum.failing, 2);
        CHECK_EQUAL(f.count, rows[i].cut_off + 2);
        CHECK_EQUAL(clients_sum_of(f.clients, VISIT_MX)->failing, 1);
        end(&f);
    }
}

TEST(who_loses_most_comes_first_with_the_day_it_would_have_lost_last)
{
    struct fixture f = with_rule((struct clients_rule){ .tls_required = true, .minimum = TLS_1_3 });

    CHECK_EQUAL(f.list[0]->role, VISIT_MX);
    CHECK_TEXT(f.list[1]->who, "192.0.2.1");
    CHECK_EQUAL(f.list[1]->refused, 100);
    CHECK_EQUAL(f.list[1]->last_refused, TODAY - 1);
    CHECK_EQUAL(f.list[1]->last, TODAY);
    CHECK_TEXT(f.list[2]->who, "192.0.2.2");
    CHECK_TEXT(f.list[3]->who, "192.0.2.3");
    CHECK_TEXT(f.list[4]->who, "192.0.2.5");
    CHECK_EQUAL(f.list[4]->last_refused, 0);
    end(&f);
}

TEST(without_a_rule_all_are_told_and_nothing_would_be_refused)
{
    struct fixture f = with_rule((struct clients_rule){ 0 });

    CHECK_EQUAL(f.count, 6);
    CHECK_EQUAL(clients_total(f.clients).refused, 0);
    CHECK_TEXT(f.list[1]->who, "192.0.2.1");        /* what goes in clear, then old versions, then failures */
    CHECK_TEXT(f.list[2]->who, "192.0.2.2");
    CHECK_TEXT(f.list[3]->who, "192.0.2.5");
    CHECK_TEXT(f.list[4]->who, "192.0.2.4");
    end(&f);
}

TEST(one_role_alone_may_be_asked_for)
{
    struct fixture f = begin((struct clients_want){ .no_mx = true });

    seen(&f, 0, "192.0.2.1", VISIT(.role = VISIT_MX, .version = TLS_1_3), 1);
    seen(&f, 0, "192.0.2.2", VISIT(.role = VISIT_SUBMISSION, .version = TLS_1_3), 2);
    finish(&f);
    CHECK_EQUAL(f.count, 1);
    CHECK_EQUAL(clients_total(f.clients).messages, 2);
    end(&f);
}

TEST(sums_of_clients_stay_where_they_are_once_they_are_too_large)
{
    struct fixture f = begin((struct clients_want){ .rule.tls_required = true });

    seen(&f, 0, "192.0.2.1", VISIT(.role = VISIT_MX), UINT64_MAX);
    seen(&f, 1, "192.0.2.1", VISIT(.role = VISIT_MX), UINT64_MAX);
    seen(&f, 1, "192.0.2.2", VISIT(.role = VISIT_SUBMISSION), INT64_MAX);
    finish(&f);
    CHECK(f.list[0]->messages == INT64_MAX && f.list[0]->refused == INT64_MAX);
    CHECK(clients_total(f.clients).refused == INT64_MAX);
    end(&f);
}

TEST(keys_that_make_no_sense_are_passed_over)
{
    struct fixture f = begin(anything);

    sent_key("example.net", BY_DANE, &f.key);
    clients_take(f.clients, TODAY, buf_slice(&f.key), 1);
    clients_take(f.clients, TODAY, SLICE("\x03\x07"), 1);
    clients_take(f.clients, TODAY, SLICE(""), 1);
    finish(&f);
    CHECK_EQUAL(f.count, 0);
    end(&f);
}
