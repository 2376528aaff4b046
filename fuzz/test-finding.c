/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding is written as a whole or not at all, once for each cause, and what is read back is what was
 * written.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fuzz/finding.h"

static char *folder;

static void setup(void)
{
        struct cip_error error = {0};

        ck_assert_ok(tmpdir_new("test-finding", &folder, &error));
        ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
        ck_assert_int_eq(chdir("/"), 0);
        tmpdir_remove(folder);
}

static const char *const command[] = {"skopeo", "--debug", NULL};
static struct step steps[] = {{.kind = STEP_SHUT}};
static const struct sequence sequence = {.steps = steps, .n_steps = 1, .seed = 3, .number = 4};
static const struct oracle oracle = {"panic", "The server crashes.", NULL};
static const struct fault fault = {
        .oracle = &oracle, .key = "panic main.(*x).F  a/b", .sentence = "It crashed.", .after = 1.25};

static struct finding usual(void)
{
        return (struct finding){.way = "server",
                                .fault = &fault,
                                .sequence = &sequence,
                                .command = command,
                                .release = "1.9.3",
                                .protocol = "0.2.3",
                                .stderr_text = "panic: x\n"};
}

static char *read_text(const char *path)
{
        struct cip_error error = {0};
        char *text;
        size_t len;

        ck_assert_msg(read_file_at(AT_FDCWD, path, 1 << 20, &text, &len, &error) == 0, "%s", error.message);
        return text;
}

START_TEST(test_what_is_written_is_read)
{
        CLEANUP(cleanup_sequence_free) struct sequence *read = NULL;
        CLEANUP(cleanup_free) char *path = NULL, *key = NULL, *text = NULL;
        struct finding finding = usual();
        struct cip_error error = {0};

        ck_assert_ok(finding_write(".", &finding, &path, &error));
        ck_assert_str_eq(path, "./panic-main-x-F-a-b");
        ck_assert_ok(finding_read(path, &read, &key, &error));
        ck_assert_str_eq(key, fault.key);
        ck_assert_uint_eq(read->n_steps, 1);
        ck_assert_uint_eq(read->seed, 3);
        text = read_text("panic-main-x-F-a-b/finding.json");
        ck_assert_ptr_nonnull(strstr(text, "cip-fuzz replay ./panic-main-x-F-a-b -- skopeo --debug"));
        ck_assert_ptr_nonnull(strstr(text, "\"wrong\":\"It crashed.\""));
        ck_assert_ptr_nonnull(strstr(text, "\"after\":1.2,"));
}
END_TEST

START_TEST(test_a_command_is_told_whole)
{
        CLEANUP(cleanup_free) char *path = NULL, *text = NULL;
        const char *words[101] = {NULL};
        struct finding finding = usual();
        struct cip_error error = {0};

        for (size_t i = 0; i + 2 < ARRAY_SIZE(words); i++)
                words[i] = "--debug";
        words[ARRAY_SIZE(words) - 2] = "--last";
        finding.command = finding.other = words;
        ck_assert_ok(finding_write(".", &finding, &path, &error));
        text = read_text("panic-main-x-F-a-b/finding.json");
        ck_assert_ptr_nonnull(strstr(text, " --last -- --debug"));
        ck_assert_ptr_nonnull(strstr(text, " --last\"\n"));
}
END_TEST

START_TEST(test_one_cause_has_one_folder)
{
        CLEANUP(cleanup_free) char *path = NULL, *again = NULL, *text = NULL;
        struct finding finding = usual();
        struct cip_error error = {0};

        ck_assert_ok(finding_write(".", &finding, &path, &error));
        finding.stderr_text = "something else";
        ck_assert_ok(finding_write(".", &finding, &again, &error));
        ck_assert_str_eq(path, again);
        text = read_text("panic-main-x-F-a-b/stderr.txt");
        ck_assert_str_eq(text, "panic: x\n");
}
END_TEST

START_TEST(test_a_scenario_has_a_folder_that_the_suite_takes)
{
        static const char *const again[] = {"cip-conformance", "client", "--scenarios", FINDING_SCENARIOS,
                                            NULL};
        CLEANUP(cleanup_sequence_free) struct sequence *read = NULL;
        CLEANUP(cleanup_free) char *path = NULL, *key = NULL, *text = NULL, *scenario = NULL;
        struct finding finding = usual();
        struct cip_error error = {0};

        finding.way = "client";
        finding.sequence = NULL;
        finding.scenario = "{}";
        finding.scenario_name = "seed-1-2";
        finding.again = again;
        finding.transcript_text = "{\"event\":\"x\"}\n";
        ck_assert_ok(finding_write(".", &finding, &path, &error));
        scenario = read_text("panic-main-x-F-a-b/scenario/seed-1-2.json");
        ck_assert_str_eq(scenario, "{}");
        text = read_text("panic-main-x-F-a-b/finding.json");
        ck_assert_ptr_nonnull(strstr(text, "--scenarios ./panic-main-x-F-a-b/scenario"));
        ck_assert_errno(finding_read(path, &read, &key, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "is about a client"));
}
END_TEST

START_TEST(test_damaged_findings_are_told)
{
        static const struct {
                const char *json, *steps;
                int error;
        } cases[] = {
                {NULL, NULL, -ENOENT},
                {"", "", -EBADMSG},
                {"[]", "", -EINVAL},
                {"{\"key\": 7}", "", -EINVAL},
                {"{\"key\": \"k\"}", NULL, -ENOENT},
                {"{\"key\": \"k\"}", "", -EINVAL},
                {"{\"key\": \"k\", \"way\": 3}", "{", -EINVAL},
        };

        ck_assert_int_eq(mkdir("f", 0700), 0);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct sequence *read = NULL;
                char *key = NULL;
                struct cip_error error = {0};

                unlink("f/finding.json");
                unlink("f/steps.jsonl");
                if (cases[i].json)
                        ck_assert_ok(replace_file_at(AT_FDCWD, "f/finding.json", cases[i].json,
                                                     strlen(cases[i].json), &error));
                if (cases[i].steps)
                        ck_assert_ok(replace_file_at(AT_FDCWD, "f/steps.jsonl", cases[i].steps,
                                                     strlen(cases[i].steps), &error));
                ck_assert_errno(finding_read("f", &read, &key, &error), cases[i].error);
                ck_assert(*error.message);
                ck_assert_ptr_null(read);
                ck_assert_ptr_null(key);
        }
}
END_TEST

START_TEST(test_a_place_that_cannot_be_written_is_told)
{
        struct cip_error error = {0};
        struct finding finding = usual();
        char *path = NULL;

        ck_assert_errno(finding_judge_folder("/proc/findings", &error), -ENOENT);
        ck_assert_ok(replace_file_at(AT_FDCWD, "file", "x", 1, &error));
        ck_assert_errno(finding_judge_folder("file", &error), -ENOTDIR);
        ck_assert_ptr_nonnull(strstr(error.message, "file"));
        ck_assert_ok(finding_judge_folder("new", &error));
        finding.transcript = "no/such/file";
        ck_assert_errno(finding_write("new", &finding, &path, &error), -ENOENT);
        ck_assert_int_eq(rmdir("new"), 0); /* nothing half done is left */
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("finding");
        TCase *tcase = testing_case(suite, "finding");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, test_what_is_written_is_read);
        tcase_add_test(tcase, test_a_command_is_told_whole);
        tcase_add_test(tcase, test_one_cause_has_one_folder);
        tcase_add_test(tcase, test_a_scenario_has_a_folder_that_the_suite_takes);
        tcase_add_test(tcase, test_damaged_findings_are_told);
        tcase_add_test(tcase, test_a_place_that_cannot_be_written_is_told);
        return testing_main(suite);
}
