/* What others want kept: (Q10) of src/queue/README.md. */
#include "tests/queue/disk.h"
#include "tests/queue/fixture.h"

#include "base/memory.h"

/* --- one ------------------------------------------------------------------ */

TEST(a_note_is_found_while_it_waits_once_it_is_stored_and_after_a_restart)
{
    struct answered a = { 0 };
    struct error why = { 0 };
    struct fixture f;
    struct note n;

    fixture_begin(&f);
    CHECK(note_value(&f, 1, "example.org") == NULL);
    put_note(&f, 1, "example.org", 77, "policy", &a);
    CHECK_TEXT(note_value(&f, 1, "example.org"), "policy");
    CHECK_EQUAL(a.count, 0);
    commit(&f);
    CHECK(a.count == 1 && a.done);
    for (int again = 0; again < 2; again++) {
        CHECK_OK(queue_note_find(f.q, 1, "example.org", &f.arena, &n, &why), &why);
        CHECK(n.kind == 1 && n.due == 77);
        CHECK_TEXT(n.key, "example.org");
        CHECK_SLICE(n.value, "policy");
        fixture_reopen(&f);
    }
    fixture_end(&f);
}

TEST(the_latest_wins_stored_or_waiting)
{
    struct answered a[3] = { 0 };
    struct fixture f;
    struct group *g;

    fixture_begin(&f);
    put_note(&f, 1, "k", 1, "one", &a[0]);
    put_note(&f, 1, "k", 2, "two", &a[1]);
    CHECK_TEXT(note_value(&f, 1, "k"), "two");
    g = queue_group(f.q);
    put_note(&f, 1, "k", 3, "three", &a[2]);
    CHECK_TEXT(note_value(&f, 1, "k"), "three");
    group_apply(g);
    CHECK_TEXT(note_value(&f, 1, "k"), "three");
    queue_applied(f.q, g);
    CHECK(a[0].done && a[1].done && a[2].count == 0);
    CHECK_TEXT(note_value(&f, 1, "k"), "three");
    CHECK_TEXT(list_notes(&f, 1, "", 10), "k=three");
    CHECK_TEXT(due_notes(&f, 1, 0, 2, 10), "");         /* two was due, three is not */
    CHECK_TEXT(due_notes(&f, 1, 0, 3, 10), "k=three");
    commit(&f);
    CHECK(a[2].done);
    CHECK_TEXT(note_value(&f, 1, "k"), "three");
    fixture_reopen(&f);
    CHECK_TEXT(note_value(&f, 1, "k"), "three");
    fixture_end(&f);
}

TEST(an_empty_value_removes_and_a_new_one_may_follow)
{
    struct answered a = { 0 };
    struct fixture f;

    fixture_begin(&f);
    put_note(&f, 1, "k", 1, "", &a);            /* there is none: fine */
    commit(&f);
    CHECK(a.done);
    put_note(&f, 1, "k", 1, "one", NULL);
    commit(&f);
    put_note(&f, 1, "k", 1, "", NULL);
    CHECK(note_value(&f, 1, "k") == NULL);
    CHECK_TEXT(list_notes(&f, 1, "", 10), "");
    CHECK_TEXT(due_notes(&f, 1, 0, 10, 10), "");
    put_note(&f, 1, "k", 1, "two", NULL);
    CHECK_TEXT(note_value(&f, 1, "k"), "two");
    commit(&f);
    CHECK_TEXT(list_notes(&f, 1, "", 10), "k=two");
    put_note(&f, 1, "k", 1, "", NULL);
    commit(&f);
    CHECK(note_value(&f, 1, "k") == NULL);
    fixture_reopen(&f);
    CHECK(note_value(&f, 1, "k") == NULL);
    fixture_end(&f);
}

TEST(kinds_are_apart)
{
    struct fixture f;

    fixture_begin(&f);
    for (int stored = 0; stored < 2; stored++) {
        put_note(&f, 1, "k", 1, "one", NULL);
        put_note(&f, 2, "k", 1, "two", NULL);
        put_note(&f, UINT8_MAX, "k", 1, "last", NULL);
        CHECK_TEXT(note_value(&f, 1, "k"), "one");
        CHECK_TEXT(note_value(&f, 2, "k"), "two");
        CHECK(note_value(&f, 3, "k") == NULL);
        CHECK_TEXT(list_notes(&f, 2, "", 10), "k=two");
        CHECK_TEXT(due_notes(&f, UINT8_MAX, 0, 1, 10), "k=last");
        commit(&f);
    }
    put_note(&f, 1, "k", 1, "", NULL);
    commit(&f);
    CHECK(note_value(&f, 1, "k") == NULL);
    CHECK_TEXT(note_value(&f, 2, "k"), "two");
    fixture_end(&f);
}

TEST(what_is_out_of_bounds_is_refused_and_harms_nobody)
{
    char longest[NOTE_KEY_MAX + 2];
    char *value = memory_new(NOTE_VALUE_MAX + 1);
    struct answered good = { 0 }, bad[5] = { 0 };
    struct error why = { 0 };
    struct fixture f;
    struct note n;

    fixture_begin(&f);
    memset(longest, 'k', sizeof longest);
    longest[NOTE_KEY_MAX + 1] = '\0';
    queue_note(f.q, &(struct note){ 0, "k", 1, SLICE("x") }, note_answer, &bad[0]);
    queue_note(f.q, &(struct note){ 1, "", 1, SLICE("x") }, note_answer, &bad[1]);
    queue_note(f.q, &(struct note){ 1, NULL, 1, SLICE("x") }, note_answer, &bad[2]);
    queue_note(f.q, &(struct note){ 1, longest, 1, SLICE("x") }, note_answer, &bad[3]);
    queue_note(f.q, &(struct note){ 1, "k", 1, slice(value, NOTE_VALUE_MAX + 1) }, note_answer, &bad[4]);
    queue_note(f.q, &(struct note){ 1, "", 1, SLICE("x") }, NULL, NULL);
    longest[NOTE_KEY_MAX] = '\0';
    queue_note(f.q, &(struct note){ 1, longest, 1, slice(value, NOTE_VALUE_MAX) }, note_answer, &good);
    post(&f, "a.example", 10, NULL);
    commit(&f);
    for (size_t i = 0; i < 5; i++)
        CHECK(bad[i].count == 1 && !bad[i].done && bad[i].why.code == E_USAGE);
    CHECK(good.count == 1 && good.done);
    CHECK_EQUAL(figures(&f).messages, 1);
    CHECK(note_value(&f, 1, "k") == NULL);
    CHECK_OK(queue_note_find(f.q, 1, longest, &f.arena, &n, &why), &why);
    CHECK(slice_equal(n.value, slice(value, NOTE_VALUE_MAX)));
    free(value);
    fixture_end(&f);
}

TEST(keys_and_values_of_any_bytes_come_back)
{
    const char *const keys[] = { "'; DROP TABLE note; --", "%", "\xff\xfe", "a b\tc\n", "m\xc3\xbcller.example" };
    struct slice value = SLICE("a\0b\xff\0");
    struct error why = { 0 };
    struct fixture f;
    struct note n;

    fixture_begin(&f);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        queue_note(f.q, &(struct note){ 1, keys[i], TIME_NEVER, value }, NULL, NULL);
    commit(&f);
    fixture_reopen(&f);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK_OK(queue_note_find(f.q, 1, keys[i], &f.arena, &n, &why), &why);
        CHECK_TEXT(n.key, keys[i]);
        CHECK(slice_equal(n.value, value));
        CHECK(n.due == TIME_NEVER);
    }
    fixture_end(&f);
}

TEST(a_note_that_does_not_fit_the_arena_is_not_said_to_be_missing)
{
    struct error why = { 0 };
    struct arena small;
    struct fixture f;
    struct note n;

    fixture_begin(&f);
    put_note(&f, 1, "k", 1, "twenty bytes or more of it", NULL);
    for (int stored = 0; stored < 2; stored++) {
        arena_init(&small, 20);
        CHECK(!queue_note_find(f.q, 1, "k", &small, &n, &why));
        CHECK_EQUAL(why.code, E_LIMIT);
        arena_done(&small);
        commit(&f);
    }
    fixture_end(&f);
}

/* --- many ---------------------------------------------------------------------- */

TEST(notes_are_listed_by_key_whether_stored_or_waiting)
{
    struct fixture f;

    fixture_begin(&f);
    for (const char *k = "bdfhj"; *k; k++)
        put_note(&f, 1, (char[]){ *k, '\0' }, 1, "old", NULL);
    commit(&f);
    put_note(&f, 1, "a", 1, "new", NULL);
    put_note(&f, 1, "d", 1, "new", NULL);
    put_note(&f, 1, "e", 1, "new", NULL);
    put_note(&f, 1, "f", 1, "", NULL);
    put_note(&f, 1, "k", 1, "new", NULL);
    put_note(&f, 1, "x", 1, "", NULL);
    for (int stored = 0; stored < 2; stored++) {
        CHECK_TEXT(list_notes(&f, 1, "", 100), "a=new b=old d=new e=new h=old j=old k=new");
        CHECK_TEXT(list_notes(&f, 1, "", SIZE_MAX), "a=new b=old d=new e=new h=old j=old k=new");
        CHECK_TEXT(list_notes(&f, 1, "b", 3), "d=new e=new h=old");
        CHECK_TEXT(list_notes(&f, 1, "c", 1), "d=new");
        CHECK_TEXT(list_notes(&f, 1, "h", 5), "j=old k=new");
        CHECK_TEXT(list_notes(&f, 1, "k", 5), "");
        CHECK_TEXT(list_notes(&f, 1, "", 0), "");
        commit(&f);
    }
    fixture_end(&f);
}

/* A page that is not full would look like the end. */
TEST(a_page_is_full_even_when_many_of_it_are_being_removed)
{
    struct fixture f;
    char key[8];

    fixture_begin(&f);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "%02d", i);
        put_note(&f, 1, key, i, "x", NULL);
    }
    commit(&f);
    for (int i = 0; i < 97; i++) {
        snprintf(key, sizeof key, "%02d", i);
        put_note(&f, 1, key, 1000, "", NULL);
    }
    CHECK_TEXT(list_notes(&f, 1, "", 2), "97=x 98=x");
    CHECK_TEXT(due_notes(&f, 1, 0, 200, 2), "97=x 98=x");
    CHECK_TEXT(due_notes(&f, 1, 0, 98, 5), "97=x 98=x");
    fixture_end(&f);
}

TEST(due_notes_come_earliest_first_whether_stored_or_waiting)
{
    struct fixture f;

    fixture_begin(&f);
    put_note(&f, 1, "z", 10, "x", NULL);
    put_note(&f, 1, "y", 30, "x", NULL);
    put_note(&f, 1, "moves", 5, "old", NULL);
    put_note(&f, 1, "stays", 50, "old", NULL);
    put_note(&f, 1, "never", TIME_NEVER, "x", NULL);
    commit(&f);
    put_note(&f, 1, "moves", 40, "new", NULL);
    put_note(&f, 1, "early", -3, "x", NULL);
    put_note(&f, 1, "a", 20, "x", NULL);
    put_note(&f, 1, "late", 41, "x", NULL);
    for (int stored = 0; stored < 2; stored++) {
        CHECK_TEXT(due_notes(&f, 1, 0, 40, 100), "early=x z=x a=x y=x moves=new");
        CHECK_TEXT(due_notes(&f, 1, 0, 40, 2), "early=x z=x");
        CHECK_TEXT(due_notes(&f, 1, 0, 9, 100), "early=x");
        CHECK_TEXT(due_notes(&f, 1, 0, -4, 100), "");
        CHECK_TEXT(due_notes(&f, 1, 1, 40, 100), "");           /* there is no such slot */
        CHECK_TEXT(due_notes(&f, 1, QUEUE_ALL_SLOTS, 40, 2), "early=x z=x");
        CHECK_TEXT(due_notes(&f, 2, 0, 40, 100), "");
        commit(&f);
    }
    fixture_end(&f);
}

/* Each key is due at one slot: that which gets the leases of a destination of its name. */
TEST(a_key_belongs_to_the_slot_of_the_destination_of_its_name)
{
    enum { SLOTS = 5, KEYS = 60 };
    size_t seen = 0;
    struct fixture f;
    struct lease l;
    char name[32];

    fixture_begin(&f);
    f.settings.slots = SLOTS;
    fixture_reopen(&f);
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        post(&f, name, 10, NULL);
        put_note(&f, 1, name, 1, "x", NULL);
        if (i == KEYS / 2)
            commit(&f);
    }
    {
        const char *waiting[SLOTS], *stored[SLOTS];

        for (unsigned slot = 0; slot < SLOTS; slot++)
            waiting[slot] = due_notes(&f, 1, slot, 1, KEYS);
        commit(&f);
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            stored[slot] = due_notes(&f, 1, slot, 1, KEYS);
            CHECK_TEXT(waiting[slot], stored[slot]);
            while (queue_lease(f.q, f.now, slot, &f.arena, &l)) {
                snprintf(name, sizeof name, "%s=x", l.destination);
                CHECK(strstr(stored[slot], name) != NULL);
                CHECK(strstr(due_notes(&f, 1, QUEUE_ALL_SLOTS, 1, KEYS), name) != NULL);
                seen++;
            }
        }
    }
    CHECK_EQUAL(seen, KEYS);
    fixture_end(&f);
}

/* --- groups and faults ------------------------------------------------------------ */

TEST(of_several_that_wait_with_nobody_asking_one_is_written)
{
    struct fixture f;
    struct group *g;

    fixture_begin(&f);
    for (int i = 0; i < 1000; i++)
        put_note(&f, 1, "k", i, i % 2 ? "odd" : "even", NULL);
    g = queue_group(f.q);
    CHECK_EQUAL(figures(&f).group_members, 1);
    put_note(&f, 1, "k", 7, "next", NULL);              /* that group is closed */
    put_note(&f, 1, "k", 8, "after", NULL);
    group_apply(g);
    queue_applied(f.q, g);
    CHECK_TEXT(note_value(&f, 1, "k"), "after");
    g = queue_group(f.q);
    CHECK(g != NULL);
    CHECK_EQUAL(figures(&f).group_members, 2);
    group_apply(g);
    queue_applied(f.q, g);
    fixture_reopen(&f);
    CHECK_TEXT(list_notes(&f, 1, "", 10), "k=after");
    fixture_end(&f);
}

TEST(a_full_disk_loses_neither_the_old_note_nor_the_queue)
{
    struct answered a = { 0 }, b = { 0 };
    struct fixture f;

    disk_install();
    fixture_begin(&f);
    put_note(&f, 1, "k", 5, "old", NULL);
    commit(&f);
    disk_fail(1, SIZE_MAX - 1, true);
    put_note(&f, 1, "k", 9, "new", &a);
    put_note(&f, 1, "k", 9, "newer", NULL);
    put_note(&f, 1, "other", 9, "new", &b);
    CHECK_TEXT(note_value(&f, 1, "k"), "newer");
    commit(&f);
    CHECK(disk_failed());
    CHECK(a.count == 1 && !a.done && a.why.code == E_STORAGE_FULL);
    CHECK(b.count == 1 && !b.done);
    CHECK_TEXT(note_value(&f, 1, "k"), "old");
    CHECK_TEXT(list_notes(&f, 1, "", 10), "k=old");
    CHECK_TEXT(due_notes(&f, 1, 0, 5, 10), "k=old");
    disk_fail(0, 0, false);
    CHECK(queue_group(f.q) == NULL);
    fixture_reopen(&f);
    CHECK_TEXT(list_notes(&f, 1, "", 10), "k=old");
    put_note(&f, 1, "k", 9, "new", &a);
    commit(&f);
    CHECK(a.count == 2 && a.done);
    fixture_end(&f);
}

/* (Q7) Mail that has no room does not take the notes of its group along. */
TEST(notes_are_stored_when_mail_is_refused_for_want_of_space)
{
    struct answered mail = { 0 }, note = { 0 };
    struct fixture f;

    disk_install();
    fixture_begin(&f);
    f.settings.minimum_free = 1000000;
    fixture_reopen(&f);
    disk_set_free(10);
    post(&f, "a.example", 10, &mail);
    put_note(&f, 1, "k", 1, "x", &note);
    commit(&f);
    disk_set_free(UINT64_MAX);
    CHECK(mail.count == 1 && !mail.done);
    CHECK(note.count == 1 && note.done);
    fixture_end(&f);
}

TEST(a_note_that_waits_when_the_queue_closes_is_answered)
{
    struct answered a = { 0 };
    struct fixture f;

    fixture_begin(&f);
    put_note(&f, 1, "k", 1, "x", &a);
    put_note(&f, 2, "k", 1, "x", NULL);
    fixture_reopen(&f);
    CHECK(a.count == 1 && !a.done && a.why.code == E_CANCELLED);
    CHECK(note_value(&f, 1, "k") == NULL);
    fixture_end(&f);
}

TEST(notes_that_are_due_are_forgotten_a_piece_with_each_group)
{
    struct fixture f;
    char key[16];
    int groups = 0;

    fixture_begin(&f);
    for (int i = 0; i < 1200; i++) {
        snprintf(key, sizeof key, "key%d", i);
        put_note(&f, 1, key, i % 50, "x", NULL);
    }
    put_note(&f, 1, "later", 51, "x", NULL);
    put_note(&f, 1, "never", TIME_NEVER, "x", NULL);
    put_note(&f, 2, "another", 1, "x", NULL);
    commit(&f);
    queue_note_forget(f.q, 1, 50);
    for (struct group *g; (g = queue_group(f.q)); groups++) {
        group_apply(g);
        queue_applied(f.q, g);
    }
    CHECK_EQUAL(groups, 3);
    CHECK_TEXT(list_notes(&f, 1, "", 100), "later=x never=x");
    CHECK_TEXT(list_notes(&f, 2, "", 100), "another=x");
    fixture_end(&f);
}

/* In whatever order they come: what is wanted longer now is not forgotten. */
TEST(a_note_that_is_put_off_while_it_is_being_forgotten_stays)
{
    struct fixture f;

    fixture_begin(&f);
    put_note(&f, 1, "before", 5, "old", NULL);
    put_note(&f, 1, "behind", 5, "old", NULL);
    commit(&f);
    put_note(&f, 1, "before", 50, "new", NULL);
    queue_note_forget(f.q, 1, 10);
    put_note(&f, 1, "behind", 50, "new", NULL);
    CHECK_TEXT(list_notes(&f, 1, "", 100), "before=new behind=new");
    commit(&f);
    CHECK_TEXT(list_notes(&f, 1, "", 100), "before=new behind=new");
    fixture_end(&f);
}
