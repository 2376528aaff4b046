/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a library: its functions can be called, and what is missing is named.
 */
#include "base/library.h"

#include <errno.h>
#include <string.h>

#include "base/testing.h"

/* Every program here has it. */
#define LIBC "libc.so.6"

struct table {
        long (*labs)(long number);
        void (*nobody)(void);
};

START_TEST(functions_of_a_library_can_be_called)
{
        static const struct library_function functions[] = {LIBRARY_FUNCTION(struct table, labs)};
        struct table table = {0};

        ck_assert_ok(library_load(LIBC, "tests", functions, 1, &table, NULL));
        ck_assert_int_eq(table.labs(-7), 7);
}
END_TEST

START_TEST(a_library_that_is_missing_is_named)
{
        static const struct library_function functions[] = {LIBRARY_FUNCTION(struct table, labs)};
        struct table table = {0};
        struct cip_error error = {0};

        ck_assert_int_eq(library_load("libnobody-has-this.so.1", "tests", functions, 1, &table, &error),
                         -ELIBACC);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_ptr_nonnull(strstr(error.message, "tests need libnobody-has-this.so.1"));
        ck_assert_ptr_null(table.labs);
}
END_TEST

START_TEST(a_function_that_is_missing_is_named_and_nothing_is_written)
{
        static const struct library_function functions[] = {LIBRARY_FUNCTION(struct table, labs),
                                                            LIBRARY_FUNCTION(struct table, nobody)};
        struct table table = {0};
        struct cip_error error = {0};

        ck_assert_int_eq(library_load(LIBC, "tests", functions, 2, &table, &error), -ELIBACC);
        ck_assert_ptr_nonnull(strstr(error.message, "nobody"));
        ck_assert_ptr_null(table.labs);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("library");
        TCase *tcase = testing_case(suite, "library");

        tcase_add_test(tcase, functions_of_a_library_can_be_called);
        tcase_add_test(tcase, a_library_that_is_missing_is_named);
        tcase_add_test(tcase, a_function_that_is_missing_is_named_and_nothing_is_written);
        return testing_main(suite);
}
