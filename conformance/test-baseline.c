/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of baselines: what they match, and that the built-in one is valid. That bad ones are refused with the
 * right words is tested through the program (test-bad-input).
 */
#include "conformance/baseline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/testing.h"
#include "conformance/selection.h"

static const struct check *some_check(size_t n)
{
        const struct check **all;
        const struct check *check;
        size_t n_all;

        ck_assert_ok(selection_all(&server_catalogue, &all, &n_all));
        ck_assert_uint_gt(n_all, n);
        check = all[n];
        free(all);
        return check;
}

static struct baseline *parse(const char *releases, const char *more)
{
        struct baseline *baseline = NULL;
        struct cip_error error = {0};
        char text[1024];

        snprintf(text, sizeof(text),
                 "{\"baseline\": 1, \"entries\": [{\"check\": \"%s\", \"releases\": %s, \"defect\": \"d\", "
                 "\"effect\": \"e\", \"reproducer\": \"p\", \"reference\": \"r\"%s}]}",
                 some_check(0)->id, releases, more);
        ck_assert_msg(baseline_parse(&server_catalogue, "test", text, strlen(text), &baseline, &error) == 0,
                      "%s", error.message);
        return baseline;
}

static bool finds(const struct baseline *baseline, size_t check, const char *release, const char *message)
{
        return baseline_find(baseline, some_check(check), VERSION(0, 2, 6), release, message) != NULL;
}

START_TEST(an_entry_is_for_its_check_and_release_alone)
{
        struct baseline *baseline = parse("[\"1.9.3\", \"1.13.0..1.18.0\"]", "");

        ck_assert(finds(baseline, 0, "1.9.3", "message"));
        ck_assert(finds(baseline, 0, "1.13.0", "message"));
        ck_assert(finds(baseline, 0, "1.15.9", NULL));
        ck_assert(finds(baseline, 0, "1.18.0", NULL));
        ck_assert(!finds(baseline, 0, "1.9.2", NULL));
        ck_assert(!finds(baseline, 0, "1.18.1", NULL));
        ck_assert(!finds(baseline, 0, "", NULL));
        ck_assert(!finds(baseline, 1, "1.9.3", NULL));
        baseline_free(baseline);
}
END_TEST

START_TEST(an_entry_can_be_for_versions_of_the_protocol)
{
        struct baseline *in = parse("[\"0.2.5..0.2.8\"]", ""), *out = parse("[\"0.2.8\"]", "");

        ck_assert(finds(in, 0, "", NULL));
        ck_assert(finds(in, 0, "1.18.0", NULL));
        ck_assert(!finds(out, 0, "1.18.0", NULL));
        baseline_free(in);
        baseline_free(out);
}
END_TEST

START_TEST(an_entry_with_a_mention_wants_it_in_the_message)
{
        struct baseline *baseline = parse("[\"1.18.0\"]", ", \"mention\": \"panic\"");

        ck_assert(finds(baseline, 0, "1.18.0", "a Go panic came"));
        ck_assert(!finds(baseline, 0, "1.18.0", "the digest is wrong"));
        /* Without a message the question is whether the check passes and should not. */
        ck_assert(finds(baseline, 0, "1.18.0", NULL));
        baseline_free(baseline);
}
END_TEST

START_TEST(a_clients_baseline_has_scenarios_in_place_of_checks)
{
        static const struct check checks[] = {{.id = "time/stall"}};
        static const size_t n_checks = 1;
        static const struct check_group groups[] = {{"time", "Silence.", checks, &n_checks}};
        const struct catalogue catalogue = {.noun = "scenario", .groups = groups, .n_groups = 1};
        static const char text[] = "{\"baseline\": 1, \"entries\": [{\"scenario\": \"time/stall\", "
                                   "\"releases\": [\"0.8.0..0.9.1\"], \"defect\": \"d\", \"reference\": \"r\", "
                                   "\"transcript\": \"t.jsonl\", \"sometimes\": true}]}";
        struct baseline *baseline = NULL;
        struct cip_error error = {0};

        ck_assert_errno(baseline_parse(&server_catalogue, "test", text, strlen(text), &baseline, &error),
                        -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "unknown key \"scenario\""));
        ck_assert_msg(baseline_parse(&catalogue, "test", text, strlen(text), &baseline, &error) == 0, "%s",
                      error.message);
        ck_assert_ptr_eq(baseline->entries[0].check, &checks[0]);
        ck_assert_str_eq(baseline->entries[0].transcript, "t.jsonl");
        ck_assert(baseline->entries[0].sometimes);
        ck_assert_ptr_nonnull(baseline_find(baseline, &checks[0], VERSION(0, 9, 0), "0.9.0", NULL));
        ck_assert_ptr_null(baseline_find(baseline, &checks[0], VERSION(0, 10, 0), "0.10.0", NULL));
        baseline_free(baseline);
}
END_TEST

/* A client's has them at will: the_clients_baseline.. above has none. */
START_TEST(a_servers_entry_has_to_say_what_it_does_to_a_user_and_how_to_see_it)
{
        static const char *const cases[][2] = {
                {"\"reproducer\": \"p\"", "\"effect\" is missing"},
                {"\"effect\": \"e\"", "\"reproducer\" is missing"},
                {"\"effect\": \"\", \"reproducer\": \"p\"", "\"effect\" is empty"},
                {"\"effect\": \"e\", \"reproducer\": []", "\"reproducer\" is no text"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct baseline *baseline = NULL;
                struct cip_error error = {0};
                char text[1024];

                snprintf(text, sizeof(text),
                         "{\"baseline\": 1, \"entries\": [{\"check\": \"%s\", \"releases\": [\"1.9.3\"], "
                         "\"defect\": \"d\", \"reference\": \"r\", %s}]}",
                         some_check(0)->id, cases[i][0]);
                ck_assert_errno(
                        baseline_parse(&server_catalogue, "test", text, strlen(text), &baseline, &error),
                        -EBADMSG);
                ck_assert_msg(strstr(error.message, cases[i][1]) != NULL, "%s", error.message);
        }
}
END_TEST

START_TEST(no_baseline_knows_nothing)
{
        ck_assert(!finds(NULL, 0, "1.18.0", NULL));
}
END_TEST

START_TEST(the_built_in_one_is_valid)
{
        struct baseline *baseline = NULL;
        struct cip_error error = {0};

        ck_assert_msg(baseline_built_in(&baseline, &error) == 0, "%s", error.message);
        for (size_t i = 0; i < baseline->n_entries; i++) {
                ck_assert_msg(*baseline->entries[i].defect, "entry %zu has no defect", i);
                ck_assert_msg(*baseline->entries[i].reference, "entry %zu has no reference", i);
                ck_assert_msg(*baseline->entries[i].effect, "entry %zu has no effect", i);
                ck_assert_msg(*baseline->entries[i].reproducer, "entry %zu has no reproducer", i);
                ck_assert_msg(baseline->entries[i].shows, "entry %zu does not say what shows it", i);
        }
        baseline_free(baseline);
}
END_TEST

START_TEST(what_is_refused_leaves_nothing_behind)
{
        static const char *const bad[] = {
                "",
                "{}",
                "{\"baseline\": 1, \"entries\": [{\"check\": \"x\"}]}",
                "{\"baseline\": 1, \"entries\": [{\"check\": \"x\", \"releases\": [\"1.0.0\", 3], \"defect\": "
                "\"d\", "
                "\"reference\": \"r\"}]}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct baseline *baseline = NULL;
                struct cip_error error = {0};

                ck_assert_errno(baseline_parse(&server_catalogue, "bad.json", bad[i], strlen(bad[i]), &baseline,
                                               &error),
                                -EBADMSG);
                ck_assert_ptr_null(baseline);
                ck_assert_ptr_nonnull(strstr(error.message, "bad.json"));
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("baseline");
        TCase *cases = testing_case(suite, "baseline");

        tcase_add_test(cases, an_entry_is_for_its_check_and_release_alone);
        tcase_add_test(cases, an_entry_can_be_for_versions_of_the_protocol);
        tcase_add_test(cases, an_entry_with_a_mention_wants_it_in_the_message);
        tcase_add_test(cases, a_clients_baseline_has_scenarios_in_place_of_checks);
        tcase_add_test(cases, a_servers_entry_has_to_say_what_it_does_to_a_user_and_how_to_see_it);
        tcase_add_test(cases, no_baseline_knows_nothing);
        tcase_add_test(cases, the_built_in_one_is_valid);
        tcase_add_test(cases, what_is_refused_leaves_nothing_behind);
        return testing_main(suite);
}
