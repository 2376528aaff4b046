/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is offered at each place of a command line, on a made-up program with one of each kind. The programs' own
 * completions, and the shells' scripts, are tested by packaging/completion/test-completion.
 */
#include "base/completion.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/testing.h"

static void offer_colours(struct completer *completer)
{
        completion_offer(completer, "red", "as blood\nand more of it");
        completion_offer(completer, "green", NULL);
}

static const struct completion_option all_options[] = {
        {.name = "help", .letter = 'h', .about = "say what there is"},
};

static const struct completion_option paint_options[] = {
        {.name = "output", .letter = 'o', .takes_value = true, .value = {COMPLETION_FILE}},
        {.name = "in", .takes_value = true, .value = {COMPLETION_FOLDER}},
        {.name = "with", .takes_value = true, .value = {COMPLETION_PROGRAM}},
        {.name = "gloss", .takes_value = true, .attached = true, .value = {COMPLETION_WORDS, "high|low", NULL}},
        {.name = "report", .takes_value = true, .value = {COMPLETION_WORD_FILE, "json|html", NULL}},
        {.name = "note", .takes_value = true},
};

static const struct completion_command commands[] = {
        {.options = all_options, .n_options = ARRAY_SIZE(all_options)},
        {.name = "paint",
         .about = "put colour on it",
         .options = paint_options,
         .n_options = ARRAY_SIZE(paint_options),
         .first = {COMPLETION_WORDS, NULL, offer_colours},
         .rest = {COMPLETION_FILE},
         .again = "+",
         .options_end = true},
        {.name = "run", .options = all_options, .n_options = ARRAY_SIZE(all_options), .command_line = true},
};

/* Wants the answer to words with blanks between them (the last may be empty). */
static void wants(const char *line, const char *answer)
{
        char text[200];
        const char *words[20];
        size_t n = 0;
        CLEANUP(cleanup_free) char *got = NULL;
        size_t len;
        FILE *out = open_memstream(&got, &len);

        ck_assert_ptr_nonnull(out);
        snprintf(text, sizeof(text), "%s", line);
        for (char *rest = text; rest;)
                words[n++] = strsep(&rest, " ");
        completion_answer(commands, ARRAY_SIZE(commands), words, n, out);
        fclose(out);
        ck_assert_msg(strcmp(got, answer) == 0, "'%s': '%s' instead of '%s'", line, got, answer);
}

START_TEST(the_first_word_is_a_command_or_an_option)
{
        wants("", "words\npaint\tput colour on it\nrun\t\n");
        wants("pa", "words\npaint\tput colour on it\n");
        wants("-", "words\n--help\tsay what there is\n-h\tsay what there is\n");
        wants("--help pa", "words\npaint\tput colour on it\n");
        wants("nothing x", "none\n");
}
END_TEST

START_TEST(a_command_has_its_own_options)
{
        wants("paint --o", "words\n--output\t\n");
        wants("paint --h", "words\n");
        wants("paint --gl", "words\n--gloss\t\n--gloss=\t\n");
        wants("run ",
              "words\n--help\tsay what there is\n-h\tsay what there is\n--\tthe command line follows\n");
}
END_TEST

START_TEST(values_are_completed_behind_a_blank_and_behind_an_equals_sign)
{
        wants("paint --output a", "file \n");
        wants("paint -o ", "file \n");
        wants("paint --output=a", "file --output=\n");
        wants("paint --in ", "folder \n");
        wants("paint --with ", "program \n");
        wants("paint --note ", "none\n");
        wants("paint --gloss=h", "words\n--gloss=high\t\n");
        /* An option whose value is attached takes no word. */
        wants("paint --gloss r", "words\nred\tas blood\n");
        wants("paint --output a --",
              "words\n--output\t\n--in\t\n--with\t\n--gloss\t\n--gloss=\t\n--report\t\n--note\t\n");
}
END_TEST

START_TEST(a_report_is_a_format_then_a_file)
{
        wants("paint --report ", "words\njson\t\nhtml\t\n");
        wants("paint --report json:", "file json:\n");
        wants("paint --report http://a", "none\n");
        wants("paint --report=json:a/b", "file --report=json:\n");
}
END_TEST

START_TEST(operands_are_counted_without_options_and_values)
{
        wants("paint --output a -ob r", "words\nred\tas blood\n");
        wants("paint red ", "file \n");
        wants("paint red -", "file \n");
        wants("paint red a + g", "words\ngreen\t\n");
        wants("paint -- -", "words\n");
}
END_TEST

START_TEST(another_command_line_is_the_shells_affair)
{
        wants("run -- ", "command 2\n");
        wants("run --help -- a b", "command 3\n");
        wants("run -- a -- b", "command 2\n");
}
END_TEST

START_TEST(no_words_at_all_are_an_empty_one)
{
        CLEANUP(cleanup_free) char *got = NULL;
        size_t len;
        FILE *out = open_memstream(&got, &len);

        completion_answer(commands, ARRAY_SIZE(commands), NULL, 0, out);
        fclose(out);
        ck_assert_str_eq(got, "words\npaint\tput colour on it\nrun\t\n");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("completion");
        TCase *tcase = testing_case(suite, "completion");

        tcase_add_test(tcase, the_first_word_is_a_command_or_an_option);
        tcase_add_test(tcase, a_command_has_its_own_options);
        tcase_add_test(tcase, values_are_completed_behind_a_blank_and_behind_an_equals_sign);
        tcase_add_test(tcase, a_report_is_a_format_then_a_file);
        tcase_add_test(tcase, operands_are_counted_without_options_and_values);
        tcase_add_test(tcase, another_command_line_is_the_shells_affair);
        tcase_add_test(tcase, no_words_at_all_are_an_empty_one);
        return testing_main(suite);
}
