#include "tests/test.h"

#include "lab/child.h"
#include "lab/files.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64], said[96], complaints[96];
static struct error why;

static void begin(void)
{
    strcpy(directory, "/tmp/postern-lab-test-XXXXXX");
    CHECK(mkdtemp(directory));
    snprintf(said, sizeof said, "%s/said", directory);
    snprintf(complaints, sizeof complaints, "%s/log", directory);
    why = (struct error){ 0 };
}

static bool shell(const char *script)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    pid_t child = child_start(argv, said, complaints, &why);

    return child > 0 && child_wait(child, "the shell", complaints, &why);
}

static void check_file(const char *file, const char *wanted)
{
    auto_buf struct buf text = { .max = 4096 };

    CHECK_OK(file_read(file, &text, &why), &why);
    CHECK_SLICE(buf_slice(&text), wanted);
}

TEST(a_program_is_found_in_the_path_and_beyond_it)
{
    char path[256], *before = strdup(getenv("PATH"));

    CHECK_OK(child_find("sh", "dash", path, &why), &why);
    CHECK(strstr(path, "/sh"));
    setenv("PATH", "/nowhere:/bin", 1);
    CHECK_OK(child_find("sh", "dash", path, &why), &why);
    CHECK_TEXT(path, "/bin/sh");
    setenv("PATH", before, 1);
    free(before);
}

TEST(a_program_that_is_not_there_is_told_with_its_package)
{
    char path[256];

    CHECK(!child_find("no-such-program", "some-package", path, &why));
    CHECK(strstr(why.text, "no-such-program") && strstr(why.text, "package some-package"));
}

TEST(what_a_child_says_goes_to_its_files)
{
    begin();
    CHECK_OK(shell("echo good; echo bad >&2"), &why);
    check_file(said, "good\n");
    check_file(complaints, "bad\n");
    folder_remove(directory);
}

TEST(a_child_that_fails_is_an_error_that_names_its_log)
{
    begin();
    CHECK(!shell("exit 3"));
    CHECK(strstr(why.text, "the shell exited with status 3; see ") && strstr(why.text, complaints));
    folder_remove(directory);
}

TEST(a_program_that_cannot_be_run_fails)
{
    const char *const argv[] = { "/no/such/program", NULL };
    pid_t child;

    begin();
    child = child_start(argv, said, complaints, &why);
    CHECK(child > 0 && !child_wait(child, "it", complaints, &why));
    CHECK(strstr(why.text, "status 127"));
    CHECK_EQUAL(child_start(argv, "/no/such/directory/said", complaints, &why), -1);
    folder_remove(directory);
}

TEST(a_child_ends_when_it_is_told_to)
{
    const char *const argv[] = { "/bin/sleep", "1000", NULL };
    pid_t child;

    begin();
    child = child_start(argv, said, complaints, &why);
    CHECK(child > 0);
    child_stop(child);
    CHECK(kill(child, 0) != 0);
    child_stop(0);
    child_stop(-1);
    folder_remove(directory);
}

TEST(a_file_is_replaced_as_a_whole)
{
    char fresh[128];

    begin();
    CHECK(file_write(said, SLICE("one"), &why) && file_write(said, SLICE("two"), &why));
    check_file(said, "two");
    snprintf(fresh, sizeof fresh, "%s.new", said);
    CHECK(access(fresh, F_OK) != 0);
    CHECK(!file_write("/no/such/directory/file", SLICE("x"), &why));
    folder_remove(directory);
    CHECK(access(directory, F_OK) != 0);
}

TEST(a_file_that_is_too_large_is_an_error)
{
    auto_buf struct buf little = { .max = 2 };

    begin();
    CHECK(file_write(said, SLICE("three"), &why));
    CHECK(!file_read(said, &little, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
    folder_remove(directory);
}
