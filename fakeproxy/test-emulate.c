/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what can be emulated, and of the table of quirks.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fakeproxy/emulate.h"

START_TEST(test_every_name_in_the_list_is_taken)
{
        struct emulation emulation;
        struct cip_error error;

        for (const char *const *name = emulation_names; *name; name++)
                ck_assert_ok(emulation_find(*name, &emulation, &error));
        ck_assert_ok(emulation_find(EMULATE_DEFAULT, &emulation, &error));
        ck_assert(!emulation.is_release);
}
END_TEST

START_TEST(test_a_version_has_no_quirks)
{
        struct emulation emulation;
        struct cip_error error;

        for (const char *const *name = emulation_names; *name; name++) {
                ck_assert_ok(emulation_find(*name, &emulation, &error));
                ck_assert_int_eq(behaviours_any(&emulation.behaviours), emulation.is_release);
        }
}
END_TEST

START_TEST(test_a_release_speaks_its_version)
{
        struct emulation emulation;
        struct cip_error error;

        ck_assert_ok(emulation_find("1.18.0", &emulation, &error));
        ck_assert_int_eq(version_compare(emulation.protocol, VERSION(0, 2, 6)), 0);
        ck_assert(emulation.behaviours.optional_oci_tag_is_error && !emulation.behaviours.ignores_policy);
        ck_assert_ok(emulation_find("1.9.3", &emulation, &error));
        ck_assert_int_eq(version_compare(emulation.protocol, VERSION(0, 2, 3)), 0);
        ck_assert(emulation.behaviours.ignores_policy && emulation.behaviours.panics_on_finish_without_args);
        ck_assert_ok(emulation_find("1.22.0", &emulation, &error));
        ck_assert_int_eq(version_compare(emulation.protocol, VERSION(0, 2, 8)), 0);
        ck_assert(!emulation.behaviours.optional_oci_tag_is_error &&
                  emulation.behaviours.dies_of_large_replies);
}
END_TEST

START_TEST(test_nonsense_gets_a_hint)
{
        static const char *const cases[][2] = {
                {"0.2.9", "did you mean 0.2.8"},
                {"1.19.0", "did you mean 1.18.0"},
                {"1.9.2", "did you mean 1.9.3"},
                {"nonsense", "did you mean"},
                {"", "did you mean"},
        };
        struct emulation emulation;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct cip_error error = {0};

                ck_assert_errno(emulation_find(cases[i][0], &emulation, &error), -EINVAL);
                ck_assert_msg(strstr(error.message, cases[i][1]) != NULL, "%s", error.message);
                ck_assert_ptr_nonnull(strstr(error.message, "0.2.3, 0.2.4"));
        }
}
END_TEST

START_TEST(test_every_quirk_switches_something_on_and_has_a_reason)
{
        for (size_t i = 0; i < n_quirks; i++) {
                ck_assert_uint_gt(strlen(quirks[i].reason), 10);
                ck_assert(behaviours_any(&quirks[i].with));
                ck_assert(!quirks[i].until.major || version_compare(quirks[i].since, quirks[i].until) < 0);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("emulate");
        TCase *tcase = testing_case(suite, "emulate");

        tcase_add_test(tcase, test_every_name_in_the_list_is_taken);
        tcase_add_test(tcase, test_a_version_has_no_quirks);
        tcase_add_test(tcase, test_a_release_speaks_its_version);
        tcase_add_test(tcase, test_nonsense_gets_a_hint);
        tcase_add_test(tcase, test_every_quirk_switches_something_on_and_has_a_reason);
        return testing_main(suite);
}
