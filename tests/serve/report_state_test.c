/* What becomes of a day's report, and when. */
#include "tests/test.h"

#include "serve/report_state.h"

TEST(a_day_is_written_and_read)
{
    char text[DAY_TEXT_MAX];
    uint32_t day = 0;

    CHECK_TEXT(day_text(0, text), "1970-01-01");
    CHECK_TEXT(day_text(20778, text), "2026-11-21");
    CHECK(day_parse(SLICE("2026-11-21"), &day) && day == 20778);
    CHECK(day_parse(SLICE("2028-02-29"), &day));
    CHECK_TEXT(day_text(day, text), "2028-02-29");
}

TEST(what_is_no_day_is_refused)
{
    static const char *const wrong[] = { "", "2026-11-31", "2026-02-29", "2026-13-01", "2026-00-10", "2026-11-00", "1969-12-31",
        "2026-1-1", "26-11-21", "2026/11/21", "2026-11-21 ", "+026-11-21", "2026-11-2x" };
    uint32_t day = 7;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!day_parse(slice_of(wrong[i]), &day));
}

TEST(a_key_names_a_day_and_a_domain)
{
    char key[REPORT_KEY_MAX];
    const char *domain;
    uint32_t day;

    CHECK_TEXT(report_state_key(20778, "example.org", key), "2026-11-21/example.org");
    CHECK(report_state_key_parse(key, &day, &domain) && day == 20778);
    CHECK_TEXT(domain, "example.org");
    CHECK(report_state_key_parse("2026-11-21/", &day, &domain) && domain[0] == '\0');
    CHECK(!report_state_key_parse("2026-11-21", &day, &domain));
    CHECK(!report_state_key_parse("yesterday/example.org", &day, &domain));
}

static void encode(const struct report_state *s, struct buf *out)
{
    buf_init(out, 64 * 1024);
    report_state_encode(s, out);
    CHECK(!out->failed);
}

TEST(a_state_is_kept_as_it_is)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    const struct report_state s = { .stage = REPORT_SENT, .tries = 3, .first = 1000, .last = 5000, .sessions = 12,
        .failures = 4, .problem = "x", .count = 2,
        .to = { { "mailto:a@example.org", 77, true, "queued as 01j9x" },
                { "https://example.org/", 0, false, "HTTP status 500" } } };
    struct report_state back;

    arena_init(&arena, 64 * 1024);
    encode(&s, &bytes);
    CHECK(report_state_decode(buf_slice(&bytes), &arena, &back));
    CHECK(back.stage == REPORT_SENT && back.tries == 3 && back.first == 1000 && back.last == 5000 && back.count == 2);
    CHECK(back.sessions == 12 && back.failures == 4 && back.to[0].done && !back.to[1].done && back.to[0].id == 77);
    CHECK_TEXT(back.to[1].to, "https://example.org/");
    CHECK_TEXT(back.to[0].words, "queued as 01j9x");
    CHECK_TEXT(back.problem, "x");
}

TEST(a_state_that_is_cut_or_longer_makes_no_sense)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf bytes = { 0 };
    const struct report_state s = { .problem = "", .count = 1, .to = { { "mailto:a@example.org", 0, false, "" } } };
    struct report_state back;

    arena_init(&arena, 64 * 1024);
    encode(&s, &bytes);
    for (size_t i = 0; i < buf_len(&bytes); i++)
        CHECK(!report_state_decode(slice_first(buf_slice(&bytes), i), &arena, &back));
    buf_u8(&bytes, 0);
    CHECK(!report_state_decode(buf_slice(&bytes), &arena, &back));
}

TEST(reports_are_spread_over_the_hours_behind_midnight)     /* TLSRPT-070 */
{
    time_ms midnight = DAYS(20779), least = TIME_NEVER, most = 0, sum = 0;

    for (int i = 0; i < 1000; i++) {
        char domain[32];
        time_ms at;

        snprintf(domain, sizeof domain, "d%d.example", i);
        at = report_first_due(20778, domain, 42, HOURS(4)) - midnight;
        CHECK(at == report_first_due(20778, domain, 42, HOURS(4)) - midnight);
        CHECK(at > 0 && at <= HOURS(4) + MINUTES(5));
        least = at < least ? at : least;
        most = at > most ? at : most;
        sum += at / 1000;
    }
    CHECK(least < MINUTES(15) && most > HOURS(4) - MINUTES(10));
    CHECK(sum > HOURS(2) - MINUTES(10) && sum < HOURS(2) + MINUTES(20));
    CHECK(report_first_due(20778, "example.org", 1, 0) == report_first_due(20778, "example.net", 2, 0));
}

TEST(a_report_is_tried_for_a_day_and_then_given_up)         /* TLSRPT-080 */
{
    struct report_state s = { .problem = "" };
    time_ms now = DAYS(20779), gap = 0;

    s.first = now;
    for (s.tries = 1; s.tries < 100; s.tries++) {
        time_ms next = report_next_due(&s, HOURS(24), now);

        if (next == TIME_NEVER)
            break;
        CHECK(next > now && next <= s.first + HOURS(24));
        CHECK(next - now >= gap || next == s.first + HOURS(24));
        gap = next - now;
        now = next;
    }
    CHECK(s.tries > 8 && s.tries < 20);
    CHECK(now == s.first + HOURS(24));          /* the last try is made at the end of its time */
}
