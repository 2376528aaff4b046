/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps are written and read the same, and what is wrong in a file is told with its line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fuzz/step.h"

static struct sequence *parse(const char *text)
{
        struct cip_error error = {0};
        struct sequence *sequence = NULL;

        ck_assert_msg(sequence_parse("file", text, strlen(text), &sequence, &error) == 0, "%s", error.message);
        return sequence;
}

static char *write_out(const struct sequence *sequence)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        ck_assert_ok(sequence_write(sequence, out));
        fclose(out);
        return text;
}

static const char all_kinds[] = "{\"event\":\"steps\",\"version\":1,\"seed\":7,\"number\":9}\n"
                                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":"
                                "\\\"Initialize\\\"}\",\"fds\":[\"pipe-read\",\"device\"],"
                                "\"pipelined\":true}\n"
                                "{\"event\":\"packet\",\"dir\":\">\",\"base64\":\"/wA=\",\"leave\":true}\n"
                                "{\"event\":\"read\",\"pipe\":1}\n"
                                "{\"event\":\"read\",\"pipe\":2,\"bytes\":77}\n"
                                "{\"event\":\"drop\",\"pipe\":1}\n"
                                "{\"event\":\"shut\"}\n"
                                "{\"event\":\"hang-up\"}\n";

START_TEST(test_what_is_read_is_written_the_same)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = parse(all_kinds);
        CLEANUP(cleanup_sequence_free) struct sequence *copy = sequence_copy(sequence, NULL);
        CLEANUP(cleanup_free) char *text = write_out(sequence);
        CLEANUP(cleanup_free) char *again = write_out(copy);

        ck_assert_str_eq(text, all_kinds);
        ck_assert_str_eq(again, all_kinds);
        ck_assert_uint_eq(sequence->n_steps, 7);
        ck_assert_uint_eq(sequence->steps[1].len, 2);
        ck_assert_mem_eq(sequence->steps[1].text, "\xff\0", 2);
        ck_assert(sequence->steps[2].bytes == UINT64_MAX);
}
END_TEST

START_TEST(test_a_copy_leaves_steps_out)
{
        static const bool skip[] = {false, true, true, true, true, true, false};
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = parse(all_kinds);
        CLEANUP(cleanup_sequence_free) struct sequence *copy = sequence_copy(sequence, skip);

        ck_assert_uint_eq(copy->n_steps, 2);
        ck_assert_int_eq(copy->steps[0].kind, STEP_SEND);
        ck_assert_int_eq(copy->steps[1].kind, STEP_HANG_UP);
}
END_TEST

START_TEST(test_a_transcript_is_read_with_its_pipes)
{
        static const char transcript[] =
                "{\"t\":0.1,\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":\\\"Initialize\\\","
                "\\\"args\\\":[]}\"}\n"
                "{\"t\":0.1,\"event\":\"packet\",\"dir\":\"<\",\"text\":\"{\\\"success\\\":true,\\\"value\\\":"
                "\\\"0.2.8\\\",\\\"pipeid\\\":0,\\\"error\\\":\\\"\\\"}\"}\n"
                "{\"event\":\"packet\",\"dir\":\"<\",\"text\":\"{\\\"success\\\":true,\\\"value\\\":1,"
                "\\\"pipeid\\\":9,\\\"error\\\":\\\"\\\"}\",\"fds\":[\"pipe-read\"]}\n"
                "{\"event\":\"packet\",\"dir\":\"<\",\"text\":\"{\\\"success\\\":true,\\\"value\\\":1,"
                "\\\"pipeid\\\":7,\\\"error\\\":\\\"\\\"}\",\"fds\":[\"pipe-read\"]}\n"
                "\n"
                "{\"event\":\"pipe\",\"bytes\":3}\n"
                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":\\\"FinishPipe\\\","
                "\\\"args\\\":[7]}\"}\n"
                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":\\\"FinishPipe\\\","
                "\\\"args\\\":[8]}\"}\n"
                "{\"event\":\"end\",\"dir\":\">\"}\n"
                "{\"event\":\"exit\",\"status\":0}\n";
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = parse(transcript);

        ck_assert_uint_eq(sequence->n_steps, 4);
        ck_assert_str_eq(sequence->steps[1].text, "{\"method\":\"FinishPipe\",\"args\":[${pipe2}]}");
        ck_assert_str_eq(sequence->steps[2].text, "{\"method\":\"FinishPipe\",\"args\":[8]}");
        ck_assert_int_eq(sequence->steps[3].kind, STEP_HANG_UP);
}
END_TEST

START_TEST(test_each_bad_line_is_told)
{
        static const struct {
                const char *text, *words;
        } cases[] = {
                {"", "file has no step"},
                {"{\"event\":\"steps\",\"version\":1}\n", "has no step"},
                {"{\"event\":\"shut\"}\n{", "file, line 2: "},
                {"[]\n", "line 1: this is no event"},
                {"{\"event\":7}\n", "has no step"},
                {"{\"event\":\"steps\",\"version\":2}\n{\"event\":\"shut\"}\n",
                 "version 2 of the form is not known"},
                {"{\"event\":\"steps\",\"version\":-1}\n", "version is no number"},
                {"{\"event\":\"packet\",\"dir\":\">\"}\n", "neither text nor base64"},
                {"{\"event\":\"packet\",\"dir\":\">\",\"text\":\"x\",\"fds\":[\"door\"]}\n",
                 "'door' is no kind"},
                {"{\"event\":\"packet\",\"dir\":\">\",\"text\":\"x\",\"fds\":[null]}\n", "'null' is no kind"},
                {"{\"event\":\"read\"}\n", "does not say which"},
                {"{\"event\":\"read\",\"pipe\":0}\n", "does not say which"},
                {"{\"event\":\"drop\",\"pipe\":-3}\n", "pipe is no number of 0 to"},
                {"{\"event\":\"read\",\"pipe\":1,\"bytes\":1.5}\n", "bytes is no number"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct sequence *sequence = NULL;
                struct cip_error error = {0};

                ck_assert_errno(sequence_parse("file", cases[i].text, strlen(cases[i].text), &sequence, &error),
                                -EINVAL);
                ck_assert_msg(strstr(error.message, cases[i].words), "%s: %s", cases[i].text, error.message);
                ck_assert_ptr_null(sequence);
        }
}
END_TEST

START_TEST(test_each_step_has_a_word)
{
        static const char text[] =
                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":\\\"GetBlob\\\"}\"}\n"
                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"args\\\":[${pipe1}]}\"}\n"
                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":\\\"Get\\\"}\"}\n"
                "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\"}\n"
                "{\"event\":\"shut\"}\n";
        static const char *const words[] = {"GetBlob",  "FinishPipe", "nonsense",
                                            "nonsense", "nonsense",   "epilogue"};
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = NULL;
        char word[STEP_WORD_SIZE];

        ck_assert_ok(sequence_parse("file", text, strlen(text), &sequence, NULL));
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                ck_assert_str_eq(step_word(sequence, i, word), words[i]);
}
END_TEST

START_TEST(test_a_missing_file_is_told)
{
        struct sequence *sequence = NULL;
        struct cip_error error = {0};

        ck_assert_errno(sequence_read("/nonexistent/steps", &sequence, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "/nonexistent/steps"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("steps");
        TCase *tcase = testing_case(suite, "steps");

        tcase_add_test(tcase, test_what_is_read_is_written_the_same);
        tcase_add_test(tcase, test_a_copy_leaves_steps_out);
        tcase_add_test(tcase, test_a_transcript_is_read_with_its_pipes);
        tcase_add_test(tcase, test_each_bad_line_is_told);
        tcase_add_test(tcase, test_each_step_has_a_word);
        tcase_add_test(tcase, test_a_missing_file_is_told);
        return testing_main(suite);
}
