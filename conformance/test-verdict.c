/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of reading what the fake saw.
 */
#include "conformance/verdict.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"

static char *folder;
static struct verdicts verdicts;

static void setup(void)
{
        struct cip_error error = {0};

        ck_assert_msg(tmpdir_new("test-verdict", &folder, &error) == 0, "%s", error.message);
}

static void teardown(void)
{
        verdicts_clear(&verdicts);
        tmpdir_remove(folder);
}

static void write_file(const char *name, const char *text)
{
        struct cip_error error = {0};
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        ck_assert_ok(replace_file_at(AT_FDCWD, path, text, strlen(text), &error));
}

START_TEST(a_whole_session_is_counted)
{
        write_file("1.json", "{\"calls\": [{\"method\": \"Initialize\", \"success\": true}, "
                             "{\"method\": \"OpenImage\", \"success\": true}, "
                             "{\"method\": \"GetManifest\", \"success\": true}, "
                             "{\"method\": \"GetBlob\", \"success\": false}, "
                             "{\"method\": \"GetBlob\", \"success\": true}, "
                             "{\"method\": \"FinishPipe\", \"success\": true}], "
                             "\"pipes\": [{\"id\": 5, \"method\": \"GetManifest\", \"finished\": true}], "
                             "\"rules\": [{\"name\": \"a\", \"fired\": 2}, {\"name\": \"b\", \"fired\": 1}], "
                             "\"descriptors_received\": 3, \"ended\": \"shutdown\"}");
        ck_assert_ok(verdicts_read(folder, &verdicts, NULL));
        ck_assert_uint_eq(verdicts.n, 1);
        ck_assert_uint_eq(verdicts.sessions[0].n_calls, 6);
        ck_assert_uint_eq(verdicts.sessions[0].n_opened, 1);
        ck_assert_uint_eq(verdicts.sessions[0].n_manifests, 1);
        ck_assert_uint_eq(verdicts.sessions[0].n_blobs, 1);
        ck_assert_uint_eq(verdicts.sessions[0].n_fired, 3);
        ck_assert_uint_eq(verdicts.sessions[0].descriptors, 3);
        ck_assert_ptr_null(verdicts.sessions[0].unfinished);
        ck_assert_str_eq(verdicts.sessions[0].ended, "shutdown");
        ck_assert_str_eq(verdicts.sessions[0].last_call, "FinishPipe");
}
END_TEST

START_TEST(a_pipe_that_was_never_finished_is_named_and_raw_ones_need_it_not)
{
        write_file("1.json",
                   "{\"calls\": [], \"pipes\": [{\"id\": 0, \"method\": \"GetRawBlob\", \"finished\": "
                   "false}, {\"id\": 5, \"method\": \"GetBlob\", \"finished\": false}]}");
        ck_assert_ok(verdicts_read(folder, &verdicts, NULL));
        ck_assert_str_eq(verdicts.sessions[0].unfinished, "GetBlob");
        ck_assert_str_eq(verdicts.sessions[0].ended, "");
        ck_assert_str_eq(verdicts.sessions[0].last_call, "");
}
END_TEST

START_TEST(what_is_no_verdict_is_passed_over)
{
        write_file("1.json", "{\"calls\": [");
        write_file("2.json", "[]");
        write_file("3.started", "{}");
        write_file("4.json", "{\"calls\": 5, \"pipes\": {}, \"rules\": [1], \"ended\": 7}");
        ck_assert_ok(verdicts_read(folder, &verdicts, NULL));
        ck_assert_uint_eq(verdicts.n, 1);
        ck_assert_uint_eq(verdicts.sessions[0].n_calls, 0);
        ck_assert_str_eq(verdicts.sessions[0].ended, "");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("verdict");
        TCase *cases = testing_case(suite, "verdict");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_add_test(cases, a_whole_session_is_counted);
        tcase_add_test(cases, a_pipe_that_was_never_finished_is_named_and_raw_ones_need_it_not);
        tcase_add_test(cases, what_is_no_verdict_is_passed_over);
        return testing_main(suite);
}
