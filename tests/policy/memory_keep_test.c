/* How a memory is kept, when it must be, and what would make no sense in one. */
#include "tests/policy/habit.h"

TEST(counts_and_times_that_go_on_are_no_news)
{
    struct memory before = habit(usual), after = before;
    struct memory_sight sight = good(day_one + DAYS(20));

    (void)see(&after, usual, &sight);
    CHECK(!memory_has_news(&before, &after));
    sight.host = "mx2.example.net";
    (void)see(&after, usual, &sight);
    CHECK(memory_has_news(&before, &after));
    before = after;
    sight.host = "mx1.example.net";
    (void)see(&after, usual, &sight);
    CHECK(!memory_has_news(&before, &after));       /* another order */
    sight.tls = &other_key;
    (void)see(&after, usual, &sight);
    CHECK(memory_has_news(&before, &after));
    before = after;
    sight.tlsa_known = sight.tlsa_usable = true;
    (void)see(&after, usual, &sight);
    CHECK(memory_has_news(&before, &after));
    before = after;
    sight = stripped(day_one + DAYS(21), first_address);
    (void)see(&after, usual, &sight);
    CHECK(memory_has_news(&before, &after));
    before = after;
    sight.address = second_address;
    (void)see(&after, usual, &sight);
    CHECK(memory_has_news(&before, &after));
}

TEST(a_row_that_ended_is_news)
{
    struct memory before = { 0 }, after;
    struct memory_sight sight = good(day_one), clear = in_clear(day_one + 1);

    (void)see(&before, usual, &sight);
    after = before;
    (void)see(&after, usual, &clear);
    CHECK(memory_has_news(&before, &after));
}

TEST(a_memory_is_the_same_after_it_was_kept)
{
    auto_buf struct buf bytes = { 0 }, again = { 0 };
    struct memory m = habit(usual), back = { 0 };
    struct memory_sight bad = stripped(day_one + DAYS(20), second_address);

    (void)see(&m, usual, &bad);
    buf_init(&bytes, 65536);
    buf_init(&again, 65536);
    memory_encode(&m, &bytes);
    CHECK(memory_decode(buf_slice(&bytes), &back));
    CHECK(back.with_tls == 20 && back.row == 20 && back.version == TLS_1_3);
    CHECK(back.alarm == m.alarm && back.broken == BREAK_TLS);
    CHECK_TEXT(back.hosts[0], "mx1.example.net");
    CHECK_TEXT(back.keys[0], KEY_A);
    CHECK(memcmp(back.witness, second_address, 16) == 0);
    memory_encode(&back, &again);
    CHECK(slice_equal(buf_slice(&bytes), buf_slice(&again)));
    for (size_t cut = 0; cut < buf_len(&bytes); cut++)
        CHECK(!memory_decode(slice_first(buf_slice(&bytes), cut), &back));
    buf_byte(&bytes, 0);
    CHECK(!memory_decode(buf_slice(&bytes), &back));
}

TEST(the_longest_memory_can_be_kept)
{
    auto_buf struct buf bytes = { 0 };
    struct memory m = { 0 }, back;

    for (int i = 0; i < MEMORY_HOSTS_MAX; i++) {
        struct memory_sight sight = good(day_one + DAYS(i));
        struct tls_facts facts = tls;
        char host[256];

        snprintf(host, sizeof host, "%0255d", i);
        some_key(facts.key_fingerprint, i);
        sight.host = host;
        sight.tls = &facts;
        sight.verdict = "encrypted";
        (void)see(&m, usual, &sight);
    }
    buf_init(&bytes, 4096);
    memory_encode(&m, &bytes);
    CHECK(!bytes.failed && memory_decode(buf_slice(&bytes), &back));
    CHECK(strlen(back.hosts[7]) == 255);
}

static bool decodes(const struct memory *m)
{
    auto_buf struct buf bytes = { 0 };
    struct memory back;

    buf_init(&bytes, 65536);
    memory_encode(m, &bytes);
    return memory_decode(buf_slice(&bytes), &back);
}

/* One field is wrong in each: `setting` makes it so. */
#define IS_REFUSED(setting)                     \
    do {                                        \
        struct memory m = sane;                 \
        setting;                                \
        CHECK(memory_problem(&m) != NULL);      \
        CHECK(!decodes(&m));                    \
    } while (0)

TEST(what_makes_no_sense_is_not_remembered)
{
    struct memory sane = habit(usual);

    CHECK(memory_problem(&sane) == NULL && decodes(&sane));
    IS_REFUSED(m.deliveries = UINT64_MAX);
    IS_REFUSED(m.deliveries = 19);
    IS_REFUSED(m.first = m.last + 1);
    IS_REFUSED(m.first = 0);
    IS_REFUSED(m.first = -1);
    IS_REFUSED(m.tls_first = m.tls_last + 1);
    IS_REFUSED(m.tls_last = m.last + 1);
    IS_REFUSED(m.tls_first = 0);
    IS_REFUSED(m.tls_first = m.first - 1);
    IS_REFUSED(m.row = 0);
    IS_REFUSED(m.with_tls = 19);
    IS_REFUSED(m.with_tls = 21);
    IS_REFUSED(m.last = DAYS(3000000));
    IS_REFUSED(m.sts_last = DAYS(3000000));
    IS_REFUSED(m.version = (enum tls_version)(TLS_1_3 + 1));
    IS_REFUSED(snprintf(m.verdict, sizeof m.verdict, "none"));
    IS_REFUSED(m.verdict[0] = '\0');
    IS_REFUSED(m.verdict_last = 0);
    IS_REFUSED(m.verdict_last = m.last + 1);
    IS_REFUSED(m.keys[0][0] = 'A');
    IS_REFUSED(m.keys[0][63] = '\0');
    IS_REFUSED(m.keys[0][0] = '\0');
    IS_REFUSED(m.key_last[0] = m.last + 1);
    IS_REFUSED(snprintf(m.keys[1], 65, KEY_B));
    IS_REFUSED(m.key_last[1] = 1);
    IS_REFUSED(snprintf(m.keys[2], 65, KEY_B); m.key_last[2] = 1);
    IS_REFUSED(snprintf(m.keys[1], 65, KEY_A); m.key_last[1] = 1);
    IS_REFUSED(snprintf(m.hosts[0], 256, "a b"));
    IS_REFUSED(snprintf(m.hosts[0], 256, "\x1b[2J"));
    IS_REFUSED(snprintf(m.hosts[0], 256, "\xc3\xa4"));
    IS_REFUSED(m.host_tlsa[0] = (enum memory_tlsa)3);
    IS_REFUSED(m.host_tlsa[1] = MEMORY_TLSA_SEEN);
    IS_REFUSED(m.host_tlsa[0] = MEMORY_TLSA_GONE);
    IS_REFUSED(m.broken = BREAK_TLSA);
    IS_REFUSED(m.broken = BREAK_KEY);
    IS_REFUSED(m.broken = 32);
    IS_REFUSED(m.broken = BREAK_TLS);
    IS_REFUSED(m.alarm = day_one);
    IS_REFUSED(m.broken = BREAK_TLS; m.alarm = day_one);
    IS_REFUSED(m.broken = BREAK_TLS; m.alarm = day_one; m.witnesses = 3);
    IS_REFUSED(m.witness[3] = 1);
    IS_REFUSED(m.sts = true);
    IS_REFUSED(m.sts_last = -1);
    IS_REFUSED(m.broken = BREAK_STS);
    IS_REFUSED(m.broken = BREAK_STS; m.sts = true; m.sts_last = day_one);
}

TEST(another_format_is_as_if_nothing_were_known)
{
    auto_buf struct buf bytes = { 0 };
    struct memory m = habit(usual), back;

    buf_init(&bytes, 65536);
    memory_encode(&m, &bytes);
    bytes.memory[bytes.start]++;
    CHECK(!memory_decode(buf_slice(&bytes), &back));
}
