/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the method table's inner consistency.
 */
#include "protocol/method.h"

#include <string.h>

#include "base/testing.h"

START_TEST(each_method_is_found_by_its_exact_name)
{
        const struct method *method = &methods[_i];

        ck_assert_int_eq(method->id, _i);
        ck_assert_ptr_eq(method_find(method->name), method);
        ck_assert_ptr_nonnull(method->about);
        ck_assert_uint_le(method->n_arguments, METHOD_ARGUMENTS_MAX);
        for (size_t i = 0; i < method->n_arguments; i++)
                ck_assert_uint_gt(strlen(argument_kind_name(method->arguments[i])), 0);
}
END_TEST

START_TEST(other_names_are_no_method)
{
        ck_assert_ptr_null(method_find(""));
        ck_assert_ptr_null(method_find("initialize"));
        ck_assert_ptr_null(method_find("OpenImages"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("method");
        TCase *tcase = testing_case(suite, "method");

        tcase_add_loop_test(tcase, each_method_is_found_by_its_exact_name, 0, METHODS);
        tcase_add_test(tcase, other_names_are_no_method);
        return testing_main(suite);
}
