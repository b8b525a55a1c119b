/* base/memory.h */
#include "tests/test.h"

#include "base/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static bool ends_the_process(void (*run)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        run();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status != 0;
}

static void overflow_a_product(void)
{
    auto_free char *memory = memory_array(SIZE_MAX / 2, 3);

    memory[0] = 1;
}

static void overflow_while_growing(void)
{
    auto_free char *memory = memory_grow(NULL, SIZE_MAX / 2, 3);

    memory[0] = 1;
}

TEST(a_product_that_overflows_ends_the_process)
{
    CHECK(ends_the_process(overflow_a_product));
    CHECK(ends_the_process(overflow_while_growing));
}

TEST(new_memory_is_zeroed_and_nothing_is_something)
{
    auto_free char *some = memory_new(100), *none = memory_new(0), *array = memory_array(0, 8);

    CHECK(some && none && array);
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(some[i], 0);
}

TEST(growing_keeps_what_was_there)
{
    auto_free int *numbers = NULL;

    for (int i = 0; i < 1000; i++) {
        numbers = memory_grow(numbers, (size_t)i + 1, sizeof *numbers);
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        CHECK_EQUAL(numbers[i], i);
}

TEST(a_text_of_its_own_ends_in_nul)
{
    auto_free char *text = memory_text(slice_first(SLICE("abcdef"), 3)), *empty = memory_text(slice(NULL, 0));

    CHECK_TEXT(text, "abc");
    CHECK_TEXT(empty, "");
}

TEST(a_descriptor_is_closed_at_the_end_of_its_scope)
{
    int number;

    {
        auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        auto_close int none = -1;

        CHECK(fd >= 0 && none == -1);
        number = fd;
    }
    CHECK_EQUAL(fcntl(number, F_GETFD), -1);
}
