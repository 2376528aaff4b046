/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what reports share: quoted command lines, transcripts for people, and where a report may go. The
 * forms themselves are judged by their own parsers (test-reports).
 */
#include "conformance/report.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing.h"
#include "base/tmpdir.h"
#include "conformance/report-text.h"

START_TEST(a_command_is_quoted_as_a_shell_reads_it)
{
        CLEANUP(cleanup_free)
        char *text = shell_quote((const char *const[]){"skopeo", "--policy", "a b", "it's", "", "$HOME", NULL});

        ck_assert_str_eq(text, "skopeo --policy 'a b' 'it'\\''s' '' '$HOME'");
}
END_TEST

static char *print(const char *transcript)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        transcript_print(transcript, "  ", out);
        fclose(out);
        return text;
}

START_TEST(a_transcript_has_a_line_for_each_event)
{
        CLEANUP(cleanup_free)
        char *text = print(
                "{\"t\":0.1,\"event\":\"packet\",\"dir\":\">\",\"text\":\"{}\"}\n"
                "{\"t\":0.2,\"event\":\"packet\",\"dir\":\"<\",\"base64\":\"/w==\",\"fds\":[\"pipe-read\"]}\n"
                "{\"t\":0.3,\"event\":\"exit\",\"status\":2}\n"
                "{\"t\":0.4,\"event\":\"note\",\"text\":\"all over\"}\n");

        ck_assert_str_eq(text, "         0.1 > {}\n"
                               "         0.2 < base64 /w== [ \"pipe-read\" ]\n"
                               "         0.3 # exit status 2\n"
                               "         0.4 # all over\n");
}
END_TEST

START_TEST(a_long_transcript_is_shortened_in_the_middle)
{
        char *all = NULL;
        size_t len;
        FILE *out = open_memstream(&all, &len);
        CLEANUP(cleanup_free) char *text = NULL;

        for (int i = 0; i < 100; i++)
                fprintf(out, "{\"t\":%d,\"event\":\"note\",\"text\":\"n%d\"}\n", i, i);
        fclose(out);
        text = print(all);
        free(all);
        ck_assert_ptr_nonnull(strstr(text, "# n3\n             (80 events more)\n"));
        ck_assert_ptr_nonnull(strstr(text, "# n84\n"));
        ck_assert_ptr_null(strstr(text, "# n83\n"));
        ck_assert_ptr_nonnull(strstr(text, "# n99\n"));
}
END_TEST

START_TEST(hostile_events_are_made_safe)
{
        CLEANUP(cleanup_free)
        char *text = print("{\"t\":1,\"event\":\"packet\",\"dir\":\"<\",\"text\":\"\\u001b[2J\\nx\"}\n"
                           "no json\n"
                           "{\"event\":\"new\\n\\u001b\",\"member\\u001b\":null}\n"
                           "{\"t\":\"\\n\",\"event\":\"packet\",\"dir\":\"\\u001b\",\"fds\":[\"\xc2\x9b\"]}\n");

        for (const char *p = text; *p; p++)
                ck_assert(*p == '\n' || (unsigned char)*p >= ' ');
        ck_assert_ptr_nonnull(strstr(text, "?[2J x"));
        ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
        ck_assert_ptr_nonnull(strstr(text, "# new ? member? \n"));
}
END_TEST

static char *print_text(const char *text, const struct escape *escapes)
{
        char *printed = NULL;
        size_t len;
        FILE *out = open_memstream(&printed, &len);

        text_print(text, escapes, out);
        fclose(out);
        return printed;
}

START_TEST(text_is_escaped_as_its_form_wants_and_safe_in_each)
{
        static const struct escape with_lines[] = {{'%', "%25"}, {'\n', "%0A"}, {0}};
        CLEANUP(cleanup_free)
        char *xml = print_text("<a b=\"c\">&'\n\033\xff\xef\xbf\xbe\xc3\xa9", escapes_xml);
        CLEANUP(cleanup_free) char *lines = print_text("5%\nx\r\xe2\x80\xae\xe2\x80\xac", with_lines);
        CLEANUP(cleanup_free) char *none = print_text(NULL, escapes_none);

        ck_assert_str_eq(xml, "&lt;a b=&quot;c&quot;&gt;&amp;&#39; ???\xc3\xa9");
        ck_assert_str_eq(lines, "5%25%0Ax ??");
        ck_assert_str_eq(none, "");
}
END_TEST

START_TEST(lines_have_their_indent_and_an_end)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        text_print_lines("a<\n\n::b", "| ", escapes_xml, out);
        fclose(out);
        ck_assert_str_eq(text, "| a&lt;\n| \n| ::b\n");
}
END_TEST

START_TEST(a_report_names_its_format_and_maybe_a_file)
{
        struct report report;
        struct cip_error error = {0};

        ck_assert_ok(report_parse("json:a:b", &report, &error));
        ck_assert_str_eq(report.format->name, "json");
        ck_assert_str_eq(report.path, "a:b");
        ck_assert_ok(report_parse("tap", &report, &error));
        ck_assert_ptr_null(report.path);
        ck_assert_errno(report_parse("", &report, &error), -EINVAL);
        ck_assert_errno(report_parse("tpa:x", &report, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "did you mean tap?"));
}
END_TEST

START_TEST(a_place_is_judged_without_a_trace)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_free) char *path = NULL;
        struct report report = {.format = report_formats};
        struct cip_error error = {0};
        struct stat st;

        ck_assert_ok(tmpdir_new("test-report", &folder, &error));
        ck_assert_int_gt(asprintf(&path, "%s/report", folder), 0);
        report.path = path;
        ck_assert_ok(report_judge_path(&report, &error));
        ck_assert_int_eq(rmdir(folder), 0);
        ck_assert_errno(report_judge_path(&report, &error), -ENOENT);
        ck_assert_int_eq(mkdir(folder, 0700), 0);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_errno(report_judge_path(&report, &error), -EISDIR);
        report.path = "/dev/null";
        ck_assert_ok(report_judge_path(&report, &error));
        ck_assert_int_eq(stat("/dev/null", &st), 0);
        ck_assert(S_ISCHR(st.st_mode));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("report");
        TCase *cases = testing_case(suite, "report");

        tcase_add_test(cases, a_command_is_quoted_as_a_shell_reads_it);
        tcase_add_test(cases, a_transcript_has_a_line_for_each_event);
        tcase_add_test(cases, a_long_transcript_is_shortened_in_the_middle);
        tcase_add_test(cases, hostile_events_are_made_safe);
        tcase_add_test(cases, text_is_escaped_as_its_form_wants_and_safe_in_each);
        tcase_add_test(cases, lines_have_their_indent_and_an_end);
        tcase_add_test(cases, a_report_names_its_format_and_maybe_a_file);
        tcase_add_test(cases, a_place_is_judged_without_a_trace);
        return testing_main(suite);
}
