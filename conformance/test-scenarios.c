/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the client suite's scenarios: each can be used, told and found, and says what it is for.
 */
#include "conformance/scenarios.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "conformance/client.h"
#include "conformance/selection.h"
#include "conformance/story.h"

static struct scenarios *scenarios;
static const struct check **all;
static size_t n_all;

static void setup(void)
{
        const char *folder = getenv("CIP_TEST_SCENARIOS");
        struct cip_error error = {0};

        if (!folder)
                return;
        ck_assert_msg(scenarios_load(folder, stderr, &scenarios, &error) == 0, "%s", error.message);
        ck_assert_ok(selection_all(&scenarios->catalogue, &all, &n_all));
}

static void teardown(void)
{
        free(all);
        scenarios_free(scenarios);
        all = NULL;
        scenarios = NULL;
        n_all = 0;
}

START_TEST(every_scenario_has_an_id_of_its_own_and_a_group)
{
        for (size_t i = 0; i < n_all; i++) {
                const struct check_group *group = selection_group(&scenarios->catalogue, all[i]);

                ck_assert_ptr_eq(selection_find(&scenarios->catalogue, all[i]->id), all[i]);
                ck_assert_msg(strcmp(group->name, "other") != 0, "%s has no group", all[i]->id);
                ck_assert_msg(!selection_find(&server_catalogue, all[i]->id), "%s is a check too", all[i]->id);
        }
}
END_TEST

START_TEST(every_scenario_can_be_told_as_a_story)
{
        for (size_t i = 0; i < n_all; i++) {
                CLEANUP(cleanup_free) char *text = NULL;
                size_t len;
                FILE *out = open_memstream(&text, &len);

                story_print(scenario_case_of(all[i])->scenario, "", out);
                ck_assert_int_eq(fclose(out), 0);
                ck_assert_msg(strncmp(text, "A server of ", 12) == 0, "%s: %s", all[i]->id, text);
                ck_assert_msg(text_is_utf8(text, len), "%s: %s", all[i]->id, text);
                ck_assert_msg(!strstr(text, "it ,") && !strstr(text, "it with") && !strstr(text, "it  "),
                              "%s: %s", all[i]->id, text);
        }
}
END_TEST

START_TEST(every_scenario_says_what_a_good_client_does)
{
        for (size_t i = 0; i < n_all; i++) {
                ck_assert_msg(strstr(all[i]->requires, " A good client "), "%s: %s", all[i]->id,
                              all[i]->requires);
                ck_assert_msg(*all[i]->reference, "%s has no reference", all[i]->id);
        }
}
END_TEST

START_TEST(a_folder_that_is_wrong_is_refused)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_free) char *problems = NULL;
        struct scenarios *none = NULL;
        struct cip_error error = {0};
        size_t len;
        FILE *out = open_memstream(&problems, &len);
        char path[4096];

        ck_assert_ok(tmpdir_new("test-scenarios", &folder, &error));
        ck_assert_errno(scenarios_load("/no/such/folder", out, &none, &error), -ENOENT);
        ck_assert_errno(scenarios_load(folder, out, &none, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "there is no scenario"));
        snprintf(path, sizeof(path), "%s/broken.json", folder);
        ck_assert_ok(replace_file_at(AT_FDCWD, path, "{\"scenario\": 1}", 15, &error));
        ck_assert_errno(scenarios_load(folder, out, &none, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "1 scenario in "));
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_ptr_nonnull(strstr(problems, "broken.json: "));
        ck_assert_ptr_null(none);
}
END_TEST

/* What is wrong behind "about", and words of the problem that is told. */
static const struct {
        const char *text, *words;
} wrong_registries[] = {
        {"\"registry\": {\"rules\": [{\"statsu\": 404}]}",
         "/registry/rules/0/statsu: unknown key; did you mean \"status\"?"},
        {"\"registry\": {\"listeners\": [{\"name\": \"main\", \"tls\": \"god\"}]}",
         "/registry/listeners/0/tls: "},
        {"\"registry\": {}, \"files\": {\"a/b\": \"x\"}", "/files/a~1b: expected the name of a file"},
        {"\"registry\": {}, \"files\": {\"a\": 1}", "/files/a: expected a string or an object"},
        {"\"registry\": {}, \"upstream\": {\"since\": \"new\"}", "/upstream/since: expected a release"},
        {"\"files\": {}", "only where there is a `registry`"},
        {"\"upstream\": {}", "only where there is a `registry`"},
};

START_TEST(a_registry_that_is_wrong_is_told_with_its_place)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_free) char *problems = NULL;
        struct scenarios *none = NULL;
        struct cip_error error = {0};
        size_t len;
        FILE *out = open_memstream(&problems, &len);
        char path[4096], text[1000];

        ck_assert_ok(tmpdir_new("test-scenarios", &folder, &error));
        snprintf(path, sizeof(path), "%s/s.json", folder);
        snprintf(text, sizeof(text),
                 "{\"scenario\": \"s\", \"about\": \"a\", %s, \"client\": {\"must\": \"fail\"}}",
                 wrong_registries[_i].text);
        ck_assert_ok(replace_file_at(AT_FDCWD, path, text, strlen(text), &error));
        ck_assert_errno(scenarios_load(folder, out, &none, &error), -EBADMSG);
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_msg(strstr(problems, wrong_registries[_i].words) != NULL, "%s", problems);
}
END_TEST

START_TEST(placeholders_are_replaced_wherever_they_stand)
{
        const char *const command[] = {"pull", "{ref}", "oci:{result}:latest", "{ref}{ref}", "{re}", NULL};
        char **argv = client_argv(command, "fake:x", "/tmp/y");

        ck_assert_str_eq(argv[0], "pull");
        ck_assert_str_eq(argv[1], "fake:x");
        ck_assert_str_eq(argv[2], "oci:/tmp/y:latest");
        ck_assert_str_eq(argv[3], "fake:xfake:x");
        ck_assert_str_eq(argv[4], "{re}");
        ck_assert_ptr_null(argv[5]);
        ck_assert(client_has_placeholder(command, "{result}"));
        ck_assert(!client_has_placeholder(command, "{home}"));
        for (size_t i = 0; argv[i]; i++)
                free(argv[i]);
        free(argv);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("scenarios");
        TCase *cases = testing_case(suite, "scenarios");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_add_test(cases, every_scenario_has_an_id_of_its_own_and_a_group);
        tcase_add_test(cases, every_scenario_can_be_told_as_a_story);
        tcase_add_test(cases, every_scenario_says_what_a_good_client_does);
        tcase_add_test(cases, a_folder_that_is_wrong_is_refused);
        tcase_add_loop_test(cases, a_registry_that_is_wrong_is_told_with_its_place, 0,
                            ARRAY_SIZE(wrong_registries));
        tcase_add_test(cases, placeholders_are_replaced_wherever_they_stand);
        return testing_main(suite);
}
