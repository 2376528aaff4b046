/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what is said of references before an image is looked for. Each sentence was seen on released
 * skopeos.
 */
#include "fakeproxy/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "base/testing.h"
#include "fakeproxy/go.h"

static const struct behaviours version, newer = {.says_faccessat = true}, older = {.quotes_plainly = true};

START_TEST(test_a_reference_is_refused_in_the_words_of_releases)
{
        static const struct {
                const struct behaviours *behaviours;
                const char *reference, *problem; /* NULL: it is left to others */
        } cases[] = {
                {&newer, "x\"y", "Invalid image name \"x\\\"y\", expected colon-separated transport:reference"},
                {&older, "x\"y", "Invalid image name \"x\"y\", expected colon-separated transport:reference"},
                {&newer, "nosuch:x", "Invalid image name \"nosuch:x\", unknown transport \"nosuch\""},
                {&newer, "docker:x", "docker: image reference x does not start with //"},
                {&newer, "docker://", "invalid reference format"},
                {&newer, "docker://a:b:c", "invalid reference format"},
                {&newer, "docker://X", "invalid reference format: repository name must be lowercase"},
                {&newer, "docker://example.com:5000/a/b:v1", NULL},
                {&newer, "docker://EXAMPLE.com/a", NULL},
                {&newer, "docker://localhost/a", NULL},
                {&newer, "docker://localhost/A", "invalid reference format: repository name must be lowercase"},
                {&newer, "ostree:x", "The transport \"ostree:\" is not supported in this build"},
                {&newer, "oci:/dev/null/x:tag", "faccessat /dev/null/x: not a directory"},
                {&older, "dir:/dev/null/x:tag", "lstat /dev/null/x:tag: not a directory"},
                {&version, "oci:/dev/no such place/x", NULL},
                {&version, "oci:/dev:a tag", "Invalid image a tag"},
                {&version, "fake:x", NULL},
                {&newer, GO_NUL, "Invalid image name \"\\x00\", expected colon-separated transport:reference"},
                {&older, GO_NUL,
                 "Invalid image name \"" GO_NUL "\", expected colon-separated transport:reference"},
                {&newer, "oci:a" GO_NUL ":b", "faccessat a" GO_NUL ": invalid argument"},
                {&older, "dir:" GO_NUL, "lstat " GO_NUL ": invalid argument"},
                {&older, "oci:/dev:a" GO_NUL, "Invalid image a" GO_NUL},
                {&newer, "docker-archive:a" GO_NUL ":b",
                 "opening file \"a\\x00\": open a" GO_NUL ": invalid argument"},
                {&newer, "docker://a" GO_NUL, "invalid reference format"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *problem CLEANUP(cleanup_free) =
                        reference_problem(cases[i].behaviours, cases[i].reference);

                if (cases[i].problem)
                        ck_assert_msg(problem && !strcmp(problem, cases[i].problem), "%s: %s",
                                      cases[i].reference, problem);
                else
                        ck_assert_msg(!problem, "%s: %s", cases[i].reference, problem);
        }
}
END_TEST

START_TEST(test_a_long_name_is_repeated_as_often_as_releases_do)
{
        char reference[30017] = "docker-archive:/";
        char *problem CLEANUP(cleanup_free) = NULL;

        memset(reference + 16, '<', sizeof(reference) - 17);
        reference[sizeof(reference) - 1] = '\0';
        problem = reference_problem(&newer, reference);
        ck_assert_ptr_nonnull(problem);
        ck_assert_uint_gt(strlen(problem), 60000);
        ck_assert_int_eq(strncmp(problem, "opening file \"/<<<", 17), 0);
        ck_assert_ptr_nonnull(strstr(problem, "<: file name too long"));
}
END_TEST

START_TEST(test_a_repository_has_a_name_of_255_characters_at_most)
{
        static const struct {
                const char *begins;
                size_t most; /* of what follows */
        } cases[] = {
                {"localhost/", 245},      {"example.com:5000/a/", 236},
                {"", 255 - 18}, /* docker.io/library/ */
                {"docker.io/", 255 - 18}, {"a/", 255 - 12},
        };

        char name[256], reference[400];

        memset(name, 'a', sizeof(name));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *problem CLEANUP(cleanup_free) = NULL;

                snprintf(reference, sizeof(reference), "docker://%s%.*s:tag", cases[i].begins,
                         (int)cases[i].most, name);
                problem = reference_problem(&newer, reference);
                ck_assert_msg(!problem, "%s: %s", reference, problem);
                snprintf(reference, sizeof(reference), "docker://%s%.*s:tag", cases[i].begins,
                         (int)cases[i].most + 1, name);
                problem = reference_problem(&newer, reference);
                ck_assert_str_eq(problem, "repository name must not be more than 255 characters");
        }
}
END_TEST

START_TEST(test_an_error_that_was_cut_is_made_whole)
{
        char reference[6000] = "oci:/x:", message[CIP_ERROR_MESSAGE_SIZE];
        char *whole CLEANUP(cleanup_free) = NULL;

        memset(reference + 7, 't', sizeof(reference) - 8);
        reference[sizeof(reference) - 1] = '\0';
        /* Just as much as there is room for. */
        snprintf(message, sizeof(message), "no descriptor found for reference \"%.*s",
                 (int)(sizeof(message) - sizeof("no descriptor found for reference \"")), reference + 7);
        whole = reference_whole_error(reference, message);
        ck_assert_ptr_nonnull(whole);
        ck_assert_uint_eq(strlen(whole),
                          strlen("no descriptor found for reference \"\"") + strlen(reference) - 7);
        ck_assert_ptr_null(reference_whole_error("oci:/x:t", "no descriptor found for reference \"t\""));
}
END_TEST

START_TEST(test_a_path_is_cleaned_as_go_does)
{
        static const char *const cases[][2] = {
                {"oci:/a//b/./c/../d/:tag", "oci:/a/b/d:tag"},
                {"oci:/../a", "oci:/a"},
                {"oci:../../a/..:t", "oci:../..:t"},
                {"dir:./a/", "dir:a"},
                {"dir:/", "dir:/"},
                {"dir:a:b/../c", "dir:c"},
                {"oci:", "oci:"},
                {"fake:a//b", "fake:a//b"},
                {"nonsense", "nonsense"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *clean CLEANUP(cleanup_free) = reference_clean(cases[i][0]);

                ck_assert_str_eq(clean, cases[i][1]);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reference");
        TCase *tcase = testing_case(suite, "reference");

        tcase_add_test(tcase, test_a_reference_is_refused_in_the_words_of_releases);
        tcase_add_test(tcase, test_a_long_name_is_repeated_as_often_as_releases_do);
        tcase_add_test(tcase, test_a_repository_has_a_name_of_255_characters_at_most);
        tcase_add_test(tcase, test_an_error_that_was_cut_is_made_whole);
        tcase_add_test(tcase, test_a_path_is_cleaned_as_go_does);
        return testing_main(suite);
}
