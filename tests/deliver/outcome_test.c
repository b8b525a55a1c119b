#include "tests/test.h"

#include "deliver/outcome.h"

static struct arena arena;
static const struct envelope envelope = { .sender = "s@example.com", .arrived = 1700000000000 };

static void fresh(void)
{
    arena_done(&arena);
    arena_init(&arena, 65536);
}

static struct smtp_recipient answered(enum rcpt_result result, int code, const char *status, const char *text)
{
    struct smtp_recipient r = { .result = result, .reply = { .code = code } };

    snprintf(r.reply.status, sizeof r.reply.status, "%s", status);
    snprintf(r.reply.text, sizeof r.reply.text, "%s", text);
    return r;
}

/* SMTP-089 */
TEST(recipients_are_judged_one_by_one)
{
    struct outcome all[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
    struct smtp_recipient replies[3] = { answered(RCPT_DELIVERED, 250, "2.0.0", "taken"),
                                         answered(RCPT_DEFERRED, 450, "4.2.1", "busy"),
                                         answered(RCPT_FAILED, 550, "5.1.1", "no such user") };
    struct settlement settled[3];
    time_ms now = envelope.arrived + 1000;

    fresh();
    for (size_t i = 0; i < 3; i++)
        outcome_answered(&all[i], &replies[i], "mx1.example.net[192.0.2.7]:25", &arena);
    CHECK_EQUAL(outcomes_open(all, 3), 1);
    CHECK_EQUAL(outcomes_settle(all, 3, &retry_default, &envelope, 1, now, 0, settled, &arena), 1);
    CHECK_EQUAL(settled[0].state, SETTLE_DELIVERED);
    CHECK_EQUAL(settled[1].state, SETTLE_DEFERRED);
    CHECK(settled[1].due > now);
    CHECK_TEXT(settled[1].status, "4.2.1");
    CHECK_EQUAL(settled[2].state, SETTLE_FAILED);
    CHECK_TEXT(settled[2].status, "5.1.1");
    CHECK(strstr(settled[2].why, "no such user") && strstr(settled[2].why, "mx1.example.net"));
    fresh();
}

TEST(an_error_of_ours_touches_only_those_still_open)
{
    struct outcome all[3] = { { .result = RCPT_DELIVERED }, { .result = RCPT_UNDECIDED }, { .result = RCPT_DEFERRED } };
    struct error why = { E_STARTTLS_NOT_OFFERED, "no STARTTLS" };

    fresh();
    outcomes_fail(all, 3, &why, "mx", &arena);
    CHECK_EQUAL(all[0].result, RCPT_DELIVERED);
    CHECK_EQUAL(all[1].result, RCPT_DEFERRED);
    CHECK_TEXT(all[1].status, "4.7.4");
    CHECK_EQUAL(all[2].result, RCPT_DEFERRED);
    why = (struct error){ E_NULL_MX, "takes no mail" };
    outcomes_fail(all, 3, &why, NULL, &arena);
    CHECK_EQUAL(all[1].result, RCPT_FAILED);
    CHECK_ID("SMTP-132", strcmp(all[1].status, "5.1.10") == 0);
    fresh();
}

/* SMTP-065: 552 to RCPT counts as temporary, so its status must say so too. */
TEST(a_refusal_taken_as_temporary_gets_a_temporary_status)
{
    struct outcome o = { .number = 0 };
    struct smtp_recipient r = answered(RCPT_DEFERRED, 552, "5.5.3", "too many recipients");

    fresh();
    outcome_answered(&o, &r, "mx", &arena);
    CHECK_TEXT(o.status, "4.5.3");
    fresh();
}

TEST(what_was_tried_too_long_fails_with_its_last_reason)
{
    struct outcome o = { .result = RCPT_DEFERRED, .status = "4.4.1", .why = "no route to host" };
    struct settlement settled;

    fresh();
    CHECK_EQUAL(outcomes_settle(&o, 1, &retry_default, &envelope, 40, envelope.arrived + DAYS(6), 0, &settled, &arena), 1);
    CHECK_EQUAL(settled.state, SETTLE_FAILED);
    CHECK_TEXT(settled.status, "5.4.7");
    CHECK(strstr(settled.why, "no route to host"));
    fresh();
}

TEST(a_recipient_that_nobody_was_asked_about_waits)
{
    struct outcome o = { .number = 4 };
    struct settlement settled;

    fresh();
    CHECK_EQUAL(outcomes_settle(&o, 1, &retry_default, &envelope, 1, envelope.arrived, 0, &settled, &arena), 0);
    CHECK_EQUAL(settled.state, SETTLE_DEFERRED);
    CHECK_EQUAL(settled.number, 4);
    fresh();
}
