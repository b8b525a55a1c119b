/* tests/test.h - unit tests whose names are sentences.
 *
 *     TEST(a_reply_without_text_is_accepted) { CHECK(reply_line_parse(...)); }
 *
 * Every TEST of a program registers itself; tests/test.c has main() and runs
 * them under cmocka. A program takes an optional argument: run only tests
 * whose name contains it. Cite the requirement in the name's comment or in
 * CHECK_ID: CHECK_ID("SMTP-041", ...). */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "base/error.h"
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#undef fail          /* ours, of base/error.h */
#undef fail_msg
#define fail_msg(...)                                                                       \
    do {                                                                                    \
        print_error(__VA_ARGS__);                                                           \
        print_error("\n");                                                                  \
        _fail(__FILE__, __LINE__);                                                          \
    } while (0)

void test_register(const char *name, void (*run)(void **state));

#define TEST(name)                                                                          \
    static void test_##name(void **state);                                                  \
    __attribute__((constructor)) static void register_##name(void)                          \
    {                                                                                       \
        test_register(#name, test_##name);                                                  \
    }                                                                                       \
    static void test_##name(__attribute__((unused)) void **state)

#define CHECK(claim) _assert_true((unsigned long)!!(claim), #claim, __FILE__, __LINE__)
#define CHECK_ID(id, claim) _assert_true((unsigned long)!!(claim), id ": " #claim, __FILE__, __LINE__)
#define CHECK_EQUAL(got, wanted) assert_int_equal(got, wanted)
#define CHECK_TEXT(got, wanted) assert_string_equal(got, wanted)
/* A slice against a C string. */
#define CHECK_SLICE(got, wanted) test_check_slice(got, wanted, __FILE__, __LINE__)
/* A call that must succeed; its `why` is shown when it does not. */
#define CHECK_OK(call, why)                                                                 \
    do {                                                                                    \
        if (!(call))                                                                        \
            fail_msg("%s: %s", #call, (why)->text);                                         \
    } while (0)

void test_check_slice(struct slice got, const char *wanted, const char *file, int line);

#endif
