/* What a next hop used to offer, and what it means that it no longer does: in simulated time. */
#include "tests/policy/habit.h"

/* --- habits ----------------------------------------------------------------- */

TEST(a_habit_needs_both_many_deliveries_and_many_days)
{
    struct memory many = { 0 }, long_ago = { 0 };

    for (int i = 0; i < 1000; i++) {
        struct memory_sight sight = good(day_one + MINUTES(i));

        (void)see(&many, usual, &sight);
    }
    for (int i = 0; i < 19; i++) {
        struct memory_sight sight = good(day_one + DAYS(i));

        (void)see(&long_ago, usual, &sight);
    }
    CHECK(!memory_has_habit(&many, usual, day_one + DAYS(1)));
    CHECK(!memory_has_habit(&long_ago, usual, day_one + DAYS(19)));
    many = habit(usual);
    CHECK(memory_has_habit(&many, usual, day_one + DAYS(20)));
}

TEST(the_bounds_of_a_habit_belong_to_it)
{
    struct memory m = { .deliveries = 20, .with_tls = 20, .row = 20, .tls_first = day_one, .tls_last = day_one + DAYS(14) };

    CHECK(memory_has_habit(&m, usual, day_one + DAYS(14)));
    m.tls_last--;
    CHECK(!memory_has_habit(&m, usual, day_one + DAYS(14)));
    m.tls_last++;
    m.row--;
    CHECK(!memory_has_habit(&m, usual, day_one + DAYS(14)));
}

TEST(one_session_in_clear_before_there_is_a_habit_puts_an_end_to_the_row)
{
    struct memory m = { 0 };

    for (int i = 0; i < 100; i++) {     /* a domain where one host in ten has no TLS */
        struct memory_sight sight = i % 10 == 9 ? in_clear(day_one + DAYS(i)) : good(day_one + DAYS(i));

        CHECK(see(&m, usual, &sight) == 0);
        CHECK(!memory_has_habit(&m, usual, sight.wall));
    }
    CHECK(m.deliveries == 100 && m.with_tls == 90 && m.row == 0 && m.tls_first == 0 && m.verdict[0] == '\0');
}

TEST(mail_that_goes_in_clear_because_nobody_tried_tls_says_nothing)
{
    struct memory m = { 0 };
    struct memory_sight before = good(day_one), untried = in_clear(day_one + DAYS(1));

    untried.tls_missing = false;
    (void)see(&m, usual, &before);
    (void)see(&m, usual, &untried);
    CHECK(m.row == 1 && m.deliveries == 2);
    m = habit(usual);
    untried.wall = day_one + DAYS(20);
    CHECK(see(&m, usual, &untried) == 0 && m.broken == 0);
}

TEST(without_a_habit_nothing_is_held_and_nothing_is_told)
{
    struct memory m = { 0 };
    struct memory_sight sight = stripped(day_one, first_address);

    CHECK(!memory_holds(&m, usual, day_one, true, NULL));
    CHECK(see(&m, usual, &sight) == 0);
}

TEST(a_broken_habit_is_told_once_until_it_is_back)
{
    struct memory m = habit(usual);
    struct memory_sight bad = stripped(day_one + DAYS(20), first_address), back = good(day_one + DAYS(21));

    CHECK(see(&m, usual, &bad) == BREAK_TLS);
    CHECK(m.alarm == day_one + DAYS(20));
    CHECK(see(&m, usual, &bad) == 0);
    CHECK(see(&m, usual, &back) == 0 && m.alarm == 0 && m.broken == 0);
    bad.wall += DAYS(2);
    CHECK(see(&m, usual, &bad) == BREAK_TLS);
}

TEST(a_handshake_that_carried_no_mail_heals_too_but_counts_for_nothing)
{
    struct memory m = habit(usual);
    struct memory_sight bad = stripped(day_one + DAYS(20), first_address), back = good(day_one + DAYS(21));
    uint64_t before = m.with_tls;

    back.delivered = false;
    (void)see(&m, usual, &bad);
    CHECK(see(&m, usual, &back) == 0 && m.alarm == 0 && m.broken == 0 && m.witnesses == 0);
    CHECK(m.with_tls == before && m.tls_last == day_one + DAYS(19));
}

TEST(what_goes_in_clear_after_the_hold_does_not_end_a_habit)
{
    struct memory m = habit(usual);
    struct memory_sight bad = stripped(day_one + DAYS(20), first_address), clear = in_clear(day_one + DAYS(21));

    (void)see(&m, usual, &bad);
    for (int i = 0; i < 50; i++)
        CHECK(see(&m, usual, &clear) == 0);
    CHECK(memory_has_habit(&m, usual, day_one + DAYS(22)) && m.alarm == day_one + DAYS(20));
}

/* --- holding back ------------------------------------------------------------- */

TEST(clear_text_waits_for_an_hour_and_a_second_witness)
{
    struct memory m = habit(usual);
    time_ms noon = day_one + DAYS(20), most = HOURS(MEMORY_HOLDS_MAX);
    struct memory_sight one = stripped(noon, first_address), two = stripped(noon + MINUTES(10), second_address);
    struct error why = { 0 };

    CHECK(memory_holds(&m, usual, noon, false, &why));
    CHECK_EQUAL(why.code, E_CLEARTEXT_HELD);
    CHECK(strstr(why.text, "20 sessions from 2024-10-04 to 2024-10-23") != NULL);
    (void)see(&m, usual, &one);
    CHECK(memory_holds(&m, usual, noon + HOURS(1) - 1, true, NULL));
    CHECK(!memory_holds(&m, usual, noon + HOURS(1), true, NULL));           /* there is only one address to ask */
    CHECK(memory_holds(&m, usual, noon + HOURS(1), false, NULL));           /* another could have been asked */
    CHECK(memory_holds(&m, usual, noon + most - 1, false, NULL));
    CHECK(!memory_holds(&m, usual, noon + most, false, NULL));
    (void)see(&m, usual, &two);
    CHECK(!memory_holds(&m, usual, noon + HOURS(1), false, NULL));
}

TEST(two_addresses_of_one_host_are_two_witnesses)
{
    struct memory m = habit(usual);
    struct memory_sight both = stripped(day_one + DAYS(20), first_address);

    both.lacking = 2;
    (void)see(&m, usual, &both);
    CHECK(!memory_holds(&m, usual, day_one + DAYS(20) + HOURS(1), false, NULL));
}

TEST(one_address_seen_twice_is_one_witness)
{
    struct memory m = habit(usual);
    struct memory_sight one = stripped(day_one + DAYS(20), first_address);

    (void)see(&m, usual, &one);
    one.wall += MINUTES(30);
    (void)see(&m, usual, &one);
    CHECK(m.witnesses == 1 && m.alarm == day_one + DAYS(20));
}

TEST(until_when_is_said_in_advance)
{
    struct memory_settings s = *usual;
    struct memory m = habit(&s);
    time_ms noon = day_one + DAYS(20);
    struct memory_sight bad = stripped(noon, first_address);

    CHECK(memory_held_until(&m, &s, noon, true) == noon + HOURS(1));
    (void)see(&m, &s, &bad);
    CHECK(memory_held_until(&m, &s, noon + MINUTES(30), true) == noon + HOURS(1));
    CHECK(memory_held_until(&m, &s, noon + MINUTES(30), false) == noon + HOURS(MEMORY_HOLDS_MAX));
    CHECK(memory_held_until(&m, &s, noon + HOURS(1), true) == 0);
    s.mode = MEMORY_ENFORCE;
    CHECK(memory_held_until(&m, &s, noon + HOURS(1), true) == TIME_NEVER);
}

TEST(the_mode_says_what_a_broken_habit_means)
{
    struct memory_settings s = *usual;
    struct memory m = habit(&s);
    struct memory_sight bad = stripped(day_one + DAYS(20), first_address);
    time_ms later = day_one + DAYS(21);
    struct error why = { 0 };

    (void)see(&m, &s, &bad);
    s.mode = MEMORY_ENFORCE;
    CHECK(memory_holds(&m, &s, later, true, &why));
    CHECK(strstr(why.text, "until TLS is back") != NULL);
    s.mode = MEMORY_ALARM;
    CHECK(!memory_holds(&m, &s, day_one + DAYS(20), true, NULL));
    s.mode = MEMORY_OFF;
    CHECK(!memory_holds(&m, &s, day_one + DAYS(20), true, NULL));
    CHECK(see(&m, &s, &bad) == 0);
}

TEST(no_hold_outlasts_a_clock_that_was_wrong)
{
    struct memory m = habit(usual);
    time_ms noon = day_one + DAYS(20), future = day_one + DAYS(4000);
    struct memory_sight ahead = stripped(noon, first_address), now = stripped(noon, first_address);

    m.tls_first += DAYS(3980);
    m.tls_last += DAYS(3980);
    m.last = m.tls_last;
    ahead.wall = future;
    m.host_last[0] = m.key_last[0] = m.verdict_last = m.tls_last;
    CHECK(see(&m, usual, &ahead) == BREAK_TLS && m.alarm == future);
    CHECK(memory_held_until(&m, usual, noon, true) == noon + HOURS(1));
    (void)see(&m, usual, &now);
    CHECK(m.alarm <= noon && m.last <= noon && m.tls_last <= noon && m.key_last[0] <= noon);
    CHECK(memory_held_until(&m, usual, noon + HOURS(1), true) == 0);
}

/* --- forgetting ------------------------------------------------------------------ */

TEST(what_was_not_seen_for_long_is_forgotten)
{
    struct memory m = habit(usual);
    time_ms much_later = day_one + DAYS(19 + 90);
    struct memory_sight sight = stripped(much_later, first_address);

    CHECK(memory_forgotten_at(&m, usual) == much_later);
    CHECK(memory_holds(&m, usual, much_later - 1, true, NULL));
    CHECK(!memory_holds(&m, usual, much_later, true, NULL));
    CHECK(see(&m, usual, &sight) == 0 && m.with_tls == 0 && m.row == 0 && m.hosts[0][0] == '\0' && m.keys[0][0] == '\0');
}

TEST(a_habit_that_has_faded_does_not_come_back_with_one_session)
{
    struct memory m = habit(usual);
    struct memory_sight clear = in_clear(day_one + DAYS(20)), again = good(day_one + DAYS(120));

    for (int i = 0; i < 90; i++, clear.wall += DAYS(1))
        (void)see(&m, usual, &clear);
    CHECK(m.broken == 0 && m.alarm == 0 && m.row == 0);
    (void)see(&m, usual, &again);
    CHECK(m.row == 1 && m.with_tls == 21 && m.tls_first == again.wall && !memory_has_habit(&m, usual, again.wall));
    CHECK(m.deliveries == 111);
}

TEST(a_habit_fades_while_mail_goes_on_for_which_tls_is_not_tried)
{
    struct memory m = habit(usual);
    struct memory_sight untried = in_clear(day_one + DAYS(60)), again = good(day_one + DAYS(110));

    untried.tls_missing = false;
    (void)see(&m, usual, &untried);
    (void)see(&m, usual, &again);
    CHECK(m.row == 1 && m.deliveries == 22 && !memory_has_habit(&m, usual, again.wall));
}

TEST(a_policy_and_a_loss_of_records_fade_as_well)
{
    struct memory m = { 0 };
    struct memory_sight sight = good(day_one), later = good(day_one + DAYS(80));

    sight.sts_known = sight.sts_enforced = sight.tlsa_known = sight.tlsa_usable = true;
    (void)see(&m, usual, &sight);
    sight.tlsa_usable = false;
    CHECK(see(&m, usual, &sight) == BREAK_TLSA);
    later.host = "mx2.example.net";
    later.verdict = "verified";
    CHECK(see(&m, usual, &later) == 0 && m.broken == BREAK_TLSA && m.sts);
    CHECK(memory_forgotten_at(&m, usual) == day_one + DAYS(170));
    later.wall = day_one + DAYS(90);
    CHECK(see(&m, usual, &later) == 0 && m.broken == 0 && !m.sts && m.sts_last == 0);
    later.sts_known = later.sts_enforced = true;
    later.delivered = false;
    later.wall = day_one + DAYS(100);
    (void)see(&m, usual, &later);
    CHECK(memory_forgotten_at(&m, usual) == day_one + DAYS(190));
}

TEST(a_verdict_that_is_none_is_not_kept)
{
    struct memory m = { 0 };
    struct memory_sight sight = good(day_one);

    sight.verdict = "none";
    (void)see(&m, usual, &sight);
    CHECK(m.verdict[0] == '\0' && m.verdict_last == 0);
}

TEST(keys_hosts_and_the_best_verdict_fade_one_by_one)
{
    struct memory m = { 0 };
    struct memory_sight sight = good(day_one);

    sight.host = "old.example.net";
    (void)see(&m, usual, &sight);
    sight = good(day_one + DAYS(89));
    sight.tls = &other_key;
    sight.verdict = "encrypted";
    (void)see(&m, usual, &sight);
    CHECK_TEXT(m.verdict, "trusted");
    CHECK_TEXT(m.hosts[1], "old.example.net");
    CHECK_TEXT(m.keys[1], KEY_A);
    sight.wall = day_one + DAYS(90);
    (void)see(&m, usual, &sight);
    CHECK_TEXT(m.verdict, "encrypted");
    CHECK(m.hosts[1][0] == '\0' && m.keys[1][0] == '\0');
}

/* --- policies ----------------------------------------------------------------------- */

TEST(a_policy_that_vanishes_is_told_one_that_is_withdrawn_is_not)
{
    struct memory m = { 0 };
    struct memory_sight had = good(day_one), gone = good(day_one + DAYS(1)), unknown = gone;

    had.sts_enforced = had.tlsa_usable = had.sts_known = had.tlsa_known = true;
    CHECK(see(&m, usual, &had) == 0 && m.sts && m.host_tlsa[0] == MEMORY_TLSA_SEEN);
    CHECK(see(&m, usual, &unknown) == 0 && m.sts && m.broken == 0);     /* nobody could say */
    gone.sts_known = gone.tlsa_known = true;
    CHECK(see(&m, usual, &gone) == (BREAK_STS | BREAK_TLSA));
    CHECK(see(&m, usual, &gone) == 0 && m.broken == (BREAK_STS | BREAK_TLSA));
    CHECK(see(&m, usual, &had) == 0 && m.broken == 0);
    gone.sts_withdrawn = true;
    CHECK(see(&m, usual, &gone) == BREAK_TLSA && !m.sts && !(m.broken & BREAK_STS));
}

TEST(a_policy_that_was_lost_and_is_withdrawn_later_has_healed)
{
    struct memory m = { 0 };
    struct memory_sight sight = good(day_one);

    sight.sts_known = sight.sts_enforced = true;
    (void)see(&m, usual, &sight);
    sight.sts_enforced = false;
    CHECK(see(&m, usual, &sight) == BREAK_STS);
    sight.sts_withdrawn = true;
    CHECK(see(&m, usual, &sight) == 0 && m.broken == 0);
}

TEST(tlsa_records_are_remembered_host_by_host)
{
    struct memory m = { 0 };
    struct memory_sight with = good(day_one), without = good(day_one);

    without.host = "mx2.example.net";
    with.tlsa_known = without.tlsa_known = with.tlsa_usable = true;
    for (int i = 0; i < 5; i++) {       /* by turns: nothing has vanished */
        CHECK(see(&m, usual, &with) == 0);
        CHECK(see(&m, usual, &without) == 0 && m.broken == 0);
    }
    with.tlsa_usable = false;
    CHECK(see(&m, usual, &with) == BREAK_TLSA);
    CHECK(see(&m, usual, &without) == 0 && m.broken == BREAK_TLSA);     /* another host heals nothing */
    with.tlsa_usable = true;
    CHECK(see(&m, usual, &with) == 0 && m.broken == 0);
}

TEST(where_an_enforced_policy_was_seen_clear_text_is_held_without_a_long_row)
{
    struct memory m = { 0 };
    struct memory_sight had = good(day_one), bad = stripped(day_one + DAYS(1), first_address);

    had.sts_known = had.sts_enforced = bad.sts_known = true;
    (void)see(&m, usual, &had);
    CHECK(memory_has_habit(&m, usual, day_one + DAYS(1)));
    CHECK(see(&m, usual, &bad) == (BREAK_TLS | BREAK_STS));
    CHECK(memory_holds(&m, usual, day_one + DAYS(1), true, NULL));
    CHECK(!memory_holds(&m, usual, day_one + DAYS(1) + HOURS(1), true, NULL));
    CHECK(!memory_has_habit(&m, usual, day_one + DAYS(90)));
}

TEST(who_takes_his_policy_back_may_switch_tls_off)
{
    struct memory m = { 0 };
    struct memory_sight had = good(day_one), clear = in_clear(day_one + DAYS(1));

    had.sts_known = had.sts_enforced = clear.sts_known = clear.sts_withdrawn = true;
    (void)see(&m, usual, &had);
    CHECK(see(&m, usual, &clear) == 0 && m.broken == 0);
    CHECK(!memory_holds(&m, usual, day_one + DAYS(1), true, NULL));
}

/* --- keys and hosts ---------------------------------------------------------------------- */

TEST(a_new_key_or_host_is_told_only_when_nobody_vouches_for_it)
{
    struct memory m = habit(usual);
    struct memory_sight sight = good(day_one + DAYS(20));

    sight.tls = &other_key;
    CHECK(see(&m, usual, &sight) == 0);                                 /* trusted: a renewal */
    sight.verdict = "encrypted";
    CHECK(see(&m, usual, &sight) == 0);                                 /* known by now */
    m = habit(usual);
    CHECK(see(&m, usual, &sight) == BREAK_KEY);
    CHECK(m.broken == 0);
    m = habit(usual);
    sight = good(day_one + DAYS(20));
    sight.host = "mx.elsewhere.example";
    CHECK(see(&m, usual, &sight) == BREAK_HOSTS);
    m = habit(usual);
    sight.verdict = "verified";
    CHECK(see(&m, usual, &sight) == 0);
}

TEST(where_keys_come_and_go_a_new_one_is_no_news)
{
    struct memory m = { 0 };
    unsigned told = 0;

    for (int i = 0; i < 60; i++) {
        struct memory_sight sight = good(day_one + DAYS(i));
        struct tls_facts facts = tls;

        some_key(facts.key_fingerprint, i % 10);
        sight.tls = &facts;
        sight.verdict = "encrypted";
        told += see(&m, usual, &sight) == BREAK_KEY;
    }
    CHECK(memory_has_habit(&m, usual, day_one + DAYS(60)) && told == 0);
}

TEST(a_stranger_among_many_trusted_keys_is_news)
{
    struct memory m = { 0 };
    struct memory_sight sight;

    for (int i = 0; i < 20; i++) {
        struct tls_facts facts = tls;

        sight = good(day_one + DAYS(i));
        some_key(facts.key_fingerprint, i);
        sight.tls = &facts;
        CHECK(see(&m, usual, &sight) == 0);
    }
    sight = good(day_one + DAYS(20));
    sight.tls = &other_key;
    sight.verdict = "encrypted";
    CHECK(see(&m, usual, &sight) == BREAK_KEY);
}

TEST(where_hosts_come_and_go_a_new_one_is_no_news)
{
    struct memory m = { 0 };

    for (int i = 0; i < 60; i++) {
        struct memory_sight sight = good(day_one + DAYS(i));
        char host[32];

        snprintf(host, sizeof host, "mx%d.example.net", i);
        sight.host = host;
        CHECK(see(&m, usual, &sight) == 0);
    }
}

TEST(a_peer_without_a_key_and_a_host_without_a_name_leave_no_gap)
{
    const struct tls_facts anonymous = { .version = TLS_1_2 };
    struct memory m = habit(usual);
    struct memory_sight sight = good(day_one + DAYS(20));

    sight.tls = &anonymous;
    sight.host = "";
    CHECK(see(&m, usual, &sight) == 0);
    CHECK_TEXT(m.keys[0], KEY_A);
    CHECK_TEXT(m.hosts[0], "mx1.example.net");
    CHECK(m.version == TLS_1_2);
}

TEST(keys_and_hosts_are_kept_latest_first_and_few)
{
    struct memory m = { 0 };

    for (int i = 0; i < 20; i++) {
        struct memory_sight sight = good(day_one + DAYS(i));
        struct tls_facts facts = tls;
        char host[32];

        snprintf(host, sizeof host, "mx%d.example.net", i);
        some_key(facts.key_fingerprint, i);
        sight.host = host;
        sight.tls = &facts;
        (void)see(&m, usual, &sight);
    }
    CHECK_TEXT(m.hosts[0], "mx19.example.net");
    CHECK_TEXT(m.hosts[MEMORY_HOSTS_MAX - 1], "mx12.example.net");
    CHECK(m.host_last[MEMORY_HOSTS_MAX - 1] == day_one + DAYS(12));
    CHECK(m.key_last[MEMORY_KEYS_MAX - 1] == day_one + DAYS(16));
}

TEST(a_host_that_comes_again_moves_to_the_front_with_its_records)
{
    struct memory m = { 0 };
    struct memory_sight sight = good(day_one);

    sight.tlsa_known = sight.tlsa_usable = true;
    (void)see(&m, usual, &sight);
    sight.tlsa_usable = false;
    sight.host = "mx2.example.net";
    (void)see(&m, usual, &sight);
    CHECK(m.host_tlsa[0] == MEMORY_TLSA_NEVER && m.host_tlsa[1] == MEMORY_TLSA_SEEN);
    sight = good(day_one + 1);
    (void)see(&m, usual, &sight);
    CHECK_TEXT(m.hosts[0], "mx1.example.net");
    CHECK(m.host_tlsa[0] == MEMORY_TLSA_SEEN && m.host_tlsa[1] == MEMORY_TLSA_NEVER && m.hosts[2][0] == '\0');
}

TEST(a_host_that_takes_the_place_of_another_does_not_inherit_its_records)
{
    struct memory m = { 0 };

    for (int i = 0; i <= MEMORY_HOSTS_MAX; i++) {
        struct memory_sight sight = good(day_one + i);
        char host[32];

        snprintf(host, sizeof host, "mx%d.example.net", i);
        sight.host = host;
        sight.tlsa_known = i < MEMORY_HOSTS_MAX;
        sight.tlsa_usable = true;
        (void)see(&m, usual, &sight);
    }
    CHECK(m.host_tlsa[0] == MEMORY_TLSA_NEVER && m.host_tlsa[1] == MEMORY_TLSA_SEEN);
}

/* --- words -------------------------------------------------------------------------------------- */

TEST(modes_and_breaks_have_names)
{
    enum memory_mode mode;

    for (int i = MEMORY_OFF; i <= MEMORY_ENFORCE; i++) {
        CHECK(memory_mode_parse(slice_of(memory_mode_name((enum memory_mode)i)), &mode));
        CHECK(mode == (enum memory_mode)i);
    }
    CHECK(!memory_mode_parse(SLICE("deferred"), &mode));
    CHECK_TEXT(memory_break_name(BREAK_TLSA), "tlsa");
    CHECK_TEXT(memory_break_name((enum memory_break)64), "");
    CHECK_TEXT(memory_break_text(0), "");
    CHECK_TEXT(memory_break_text(BREAK_TLS | BREAK_KEY), memory_break_text(BREAK_TLS));
}

TEST(a_clock_that_goes_back_makes_no_habit_shorter)
{
    const struct memory_settings *s = &memory_default_settings;
    struct memory m = habit(s);
    struct memory_sight sight = good(day_one + DAYS(5));

    CHECK(memory_see(&m, s, &sight) == 0);
    CHECK(memory_has_habit(&m, s, day_one + DAYS(5)));
}
