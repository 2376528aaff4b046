/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the table of checks itself (ids, sentences), and of choosing from it.
 */
#include "conformance/selection.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/testing.h"

static const struct check **all;
static size_t n_all;

static void take_all(void)
{
        ck_assert_ok(selection_all(&server_catalogue, &all, &n_all));
}

static void drop_all(void)
{
        free(all);
}

START_TEST(every_id_is_its_groups_and_its_own)
{
        for (size_t i = 0; i < n_all; i++) {
                size_t len = strlen(selection_group(&server_catalogue, all[i])->name);

                ck_assert_msg(strncmp(all[i]->id, selection_group(&server_catalogue, all[i])->name, len) == 0 &&
                                      all[i]->id[len] == '/',
                              "%s is in the group %s", all[i]->id,
                              selection_group(&server_catalogue, all[i])->name);
                ck_assert_ptr_eq(selection_find(&server_catalogue, all[i]->id), all[i]);
                for (const char *p = all[i]->id; *p; p++)
                        ck_assert_msg(islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
                                              strchr("/-", *p),
                                      "%s has '%c'", all[i]->id, *p);
        }
}
END_TEST

START_TEST(every_check_says_what_it_requires_in_one_sentence)
{
        for (size_t i = 0; i < n_all; i++) {
                const char *text = all[i]->requires;

                ck_assert_msg(text && strlen(text) > 10 && text[strlen(text) - 1] == '.', "%s: %s", all[i]->id,
                              text);
                ck_assert_msg(!strchr(text, '\n'), "%s has several lines", all[i]->id);
        }
}
END_TEST

START_TEST(every_check_can_be_run_and_broken)
{
        for (size_t i = 0; i < n_all; i++) {
                ck_assert_msg(all[i]->run != NULL, "%s does nothing", all[i]->id);
                ck_assert_msg(version_compare(all[i]->since, VERSION_OLDEST) >= 0 &&
                                      version_compare(all[i]->since, VERSION_NEWEST) <= 0,
                              "%s holds for no version", all[i]->id);
        }
}
END_TEST

START_TEST(filters_choose_by_glob_and_by_group)
{
        CLEANUP(cleanup_free) const struct check **by_glob = NULL, **by_group = NULL, **by_id = NULL;
        size_t n_glob, n_group, n_id;
        struct cip_error error = {0};

        ck_assert_ok(selection_filter(&server_catalogue, (const char *const[]){"pipes/*"}, 1, &by_glob, &n_glob,
                                      &error));
        ck_assert_ok(selection_filter(&server_catalogue, (const char *const[]){"pipes"}, 1, &by_group, &n_group,
                                      &error));
        ck_assert_uint_eq(n_glob, n_group);
        ck_assert_uint_gt(n_glob, 0);
        ck_assert_ok(selection_filter(&server_catalogue, (const char *const[]){all[0]->id, all[0]->id}, 2,
                                      &by_id, &n_id, &error));
        ck_assert_uint_eq(n_id, 1);
        ck_assert_ptr_eq(by_id[0], all[0]);
}
END_TEST

/* How many checks of opt-in groups a filter chooses; NULL: no filter. */
static size_t n_opt_in_chosen(const char *filter)
{
        CLEANUP(cleanup_free) const struct check **chosen = NULL;
        struct cip_error error = {0};
        size_t n, n_opt_in = 0;

        ck_assert_ok(selection_filter(&server_catalogue, &filter, filter ? 1 : 0, &chosen, &n, &error));
        for (size_t i = 0; i < n; i++)
                n_opt_in += selection_group(&server_catalogue, chosen[i])->opt_in;
        return n_opt_in;
}

START_TEST(checks_of_an_opt_in_group_run_only_where_a_filter_names_it)
{
        size_t n = n_opt_in_chosen("load");

        ck_assert_uint_gt(n, 2);
        ck_assert_uint_eq(n_opt_in_chosen("load/*"), n);
        ck_assert_uint_eq(n_opt_in_chosen("load/an-hour"), 1);
        ck_assert_uint_eq(n_opt_in_chosen("load/ten-gib-*"), 2);
        ck_assert_uint_eq(n_opt_in_chosen(NULL), 0);
        ck_assert_uint_eq(n_opt_in_chosen("*"), 0);
        ck_assert_uint_eq(n_opt_in_chosen("l*"), 0);
        ck_assert_uint_eq(n_opt_in_chosen("*/*"), 0);
}
END_TEST

START_TEST(a_filter_that_fits_opt_in_checks_alone_is_refused_with_a_hint)
{
        const struct check **none = NULL;
        struct cip_error error = {0};
        size_t n;

        ck_assert_errno(
                selection_filter(&server_catalogue, (const char *const[]){"*/an-hour"}, 1, &none, &n, &error),
                -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "'load/an-hour'"));
        ck_assert_ptr_null(none);
}
END_TEST

START_TEST(a_filter_that_fits_nothing_is_refused)
{
        const struct check **none = NULL;
        struct cip_error error = {0};
        size_t n;

        ck_assert_errno(selection_filter(&server_catalogue, (const char *const[]){"pipes/*", "pipe"}, 2, &none,
                                         &n, &error),
                        -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "'pipe' (did you mean pipes?)"));
        ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("selection");
        TCase *cases = testing_case(suite, "selection");

        tcase_add_checked_fixture(cases, take_all, drop_all);
        tcase_add_test(cases, every_id_is_its_groups_and_its_own);
        tcase_add_test(cases, every_check_says_what_it_requires_in_one_sentence);
        tcase_add_test(cases, every_check_can_be_run_and_broken);
        tcase_add_test(cases, filters_choose_by_glob_and_by_group);
        tcase_add_test(cases, checks_of_an_opt_in_group_run_only_where_a_filter_names_it);
        tcase_add_test(cases, a_filter_that_fits_opt_in_checks_alone_is_refused_with_a_hint);
        tcase_add_test(cases, a_filter_that_fits_nothing_is_refused);
        return testing_main(suite);
}
