/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the signature policy.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/policy.h"

/* Judges a reference by a policy of this text; the message is "" where it is accepted. */
static const char *judge(const char *policy, const char *reference)
{
        static struct cip_error error;
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        char path[4096];

        error = (struct cip_error){0};
        ck_assert_ok(tmpdir_new("cip-policy", &folder, &error));
        snprintf(path, sizeof(path), "%s/policy.json", folder);
        ck_assert_ok(replace_file_at(AT_FDCWD, path, policy, strlen(policy), &error));
        (void)policy_check(path, reference, &error);
        return error.message;
}

#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"
#define REJECT "[{\"type\":\"reject\"}]"

START_TEST(test_the_default_holds_where_nothing_else_does)
{
        ck_assert_str_eq(judge("{\"default\":" ACCEPT "}", "oci:/a:b"), "");
        ck_assert_str_eq(judge("{\"default\":" REJECT "}", "oci:/a:b"),
                         "Running image oci:/a:b is rejected by policy.");
        ck_assert_str_eq(judge("{\"default\":[{\"type\":\"signedBy\"}]}", "dir:/a"),
                         "A signature was required, but no signature exists");
}
END_TEST

START_TEST(test_the_nearest_scope_wins)
{
        static const char policy[] =
                "{\"default\":" REJECT ",\"transports\":{\"oci\":{\"/a/b\":" ACCEPT ",\"/a/b/c\":" REJECT
                ",\"/a/b/c:good\":" ACCEPT "},\"dir\":{\"\":" ACCEPT "}}}";

        ck_assert_str_eq(judge(policy, "oci:/a/b:tag"), "");
        ck_assert_str_eq(judge(policy, "oci:/a/b/other/deep:tag"), "");
        ck_assert_str_ne(judge(policy, "oci:/a/b/c:tag"), "");
        ck_assert_str_eq(judge(policy, "oci:/a/b/c:good"), "");
        ck_assert_str_ne(judge(policy, "oci:/a:tag"), "");
        ck_assert_str_eq(judge(policy, "dir:/anywhere"), "");
        ck_assert_str_ne(judge(policy, "fake:layers-1"), "");
}
END_TEST

START_TEST(test_a_policy_that_says_nothing_is_an_error)
{
        struct cip_error error = {0};

        ck_assert_ptr_nonnull(strstr(judge("{}", "dir:/a"), "Default policy is missing"));
        ck_assert_ptr_nonnull(strstr(judge("{\"default\":[]}", "dir:/a"), "must not be empty"));
        ck_assert_ptr_nonnull(strstr(judge("{\"default\":", "dir:/a"), "invalid policy in"));
        ck_assert_ptr_nonnull(strstr(judge("[]", "dir:/a"), "Default policy is missing"));
        ck_assert_ptr_nonnull(
                strstr(judge("{\"default\":[{\"type\":\"x\"}]}", "dir:/a"), "Unknown policy requirement type"));
        ck_assert_ptr_nonnull(
                strstr(judge("{\"default\":[{}]}", "dir:/a"), "Unknown policy requirement type \"\""));
        ck_assert_errno(policy_check("/nonexistent/policy.json", "dir:/a", &error), -ENOENT);
        ck_assert_str_eq(error.message, "open /nonexistent/policy.json: no such file or directory");
        ck_assert_int_lt(policy_check("/", "dir:/a", &error), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("policy");
        TCase *tcase = testing_case(suite, "policy");

        tcase_add_test(tcase, test_the_default_holds_where_nothing_else_does);
        tcase_add_test(tcase, test_the_nearest_scope_wins);
        tcase_add_test(tcase, test_a_policy_that_says_nothing_is_an_error);
        return testing_main(suite);
}
