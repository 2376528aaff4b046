/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of version numbers.
 */
#include "protocol/version.h"

#include "base/testing.h"

static const struct {
        const char *text;
        int result;
} texts[] = {
        {"0.2.8", 0},
        {"1.22.0", 0},
        {"0.0.99999999", 0},
        {"", -EINVAL},
        {"0.2", -EINVAL},
        {"0.2.8.1", -EINVAL},
        {"0.2.", -EINVAL},
        {"0.2.8 ", -EINVAL},
        {" 0.2.8", -EINVAL},
        {"v0.2.8", -EINVAL},
        {"0.2.-8", -EINVAL},
        {"0.02.8", -EINVAL},
        {"0.2.08", -EINVAL},
        {"0.2.8-dev", -EINVAL},
        {"0.2.4294967296", -EINVAL},
        {"0.2.99999999999999999999", -EINVAL},
        {"a.b.c", -EINVAL},
};

START_TEST(only_three_plain_numbers_are_a_version)
{
        struct version version = VERSION(9, 9, 9);
        char text[VERSION_TEXT_SIZE];

        ck_assert_errno(version_parse(texts[_i].text, &version), texts[_i].result);
        if (texts[_i].result == 0)
                ck_assert_str_eq(version_format(version, text), texts[_i].text);
        else
                ck_assert_int_eq(version_compare(version, VERSION(9, 9, 9)), 0);
}
END_TEST

START_TEST(versions_are_ordered_by_number_not_by_text)
{
        ck_assert_int_lt(version_compare(VERSION(0, 2, 8), VERSION(0, 2, 10)), 0);
        ck_assert_int_lt(version_compare(VERSION(0, 9, 9), VERSION(1, 0, 0)), 0);
        ck_assert_int_gt(version_compare(VERSION(0, 3, 0), VERSION(0, 2, 9)), 0);
        ck_assert_int_gt(version_compare(VERSION(1, 0, 0), VERSION(0, 9, 9)), 0);
        ck_assert_int_eq(version_compare(VERSION(1, 2, 3), VERSION(1, 2, 3)), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("version");
        TCase *tcase = testing_case(suite, "version");

        tcase_add_loop_test(tcase, only_three_plain_numbers_are_a_version, 0, sizeof(texts) / sizeof(texts[0]));
        tcase_add_test(tcase, versions_are_ordered_by_number_not_by_text);
        return testing_main(suite);
}
