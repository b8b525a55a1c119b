#include "tests/test.h"

#include "base/escape.h"
#include "base/memory.h"

static struct CMUnitTest *tests;
static size_t test_count;

void test_register(const char *name, void (*run)(void **state))
{
    tests = memory_grow(tests, test_count + 1, sizeof *tests);
    tests[test_count++] = (struct CMUnitTest){ .name = name, .test_func = run };
}

void test_check_slice(struct slice got, const char *wanted, const char *file, int line)
{
    char shown[400];

    if (slice_equal(got, slice_of(wanted)))
        return;
    print_error("got \"%s\"\nwanted \"%s\"\n", escape_line(got, shown, sizeof shown), wanted);
    _fail(file, line);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        static char pattern[128];

        snprintf(pattern, sizeof pattern, "*%s*", argv[1]);
        cmocka_set_test_filter(pattern);
    }
    return _cmocka_run_group_tests(argv[0], tests, test_count, NULL, NULL);
}
