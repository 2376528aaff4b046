/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of splitting a command line: what a shell would make of it, and what only a shell could.
 */
#include "conformance/words.h"

#include "base/error.h"
#include "base/testing.h"

static void splits(const char *text, const char *const *wanted)
{
        CLEANUP(cleanup_words_free) char **words = NULL;
        struct cip_error error = {0};
        size_t n = 0;

        ck_assert_ok(words_split(text, &words, &error));
        for (; wanted[n]; n++) {
                ck_assert_msg(words[n], "%s: word %zu is missing", text, n);
                ck_assert_str_eq(words[n], wanted[n]);
        }
        ck_assert_ptr_null(words[n]);
}

static void is_refused(const char *text, const char *why)
{
        char **words = NULL;
        struct cip_error error = {0};

        ck_assert_errno(words_split(text, &words, &error), -EINVAL);
        ck_assert_msg(strstr(error.message, why), "%s: %s", text, error.message);
        ck_assert_ptr_null(words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(blanks_divide_words_and_quotes_keep_them_together)
{
        splits("skopeo", WORDS("skopeo"));
        splits("  a\tb\n c  ", WORDS("a", "b", "c"));
        splits("a 'b c' \"d e\"", WORDS("a", "b c", "d e"));
        splits("a'b'\"c\"d", WORDS("abcd"));
        splits("a '' \"\"", WORDS("a", "", ""));
        splits("a 'x\"y\\z'", WORDS("a", "x\"y\\z"));
        splits("a \"x'y\\\"z\\\\ \\n\"", WORDS("a", "x'y\"z\\ \\n"));
        splits("a\\ b c\\'", WORDS("a b", "c'"));
        splits("sh -c 'exec a | b; c'", WORDS("sh", "-c", "exec a | b; c"));
}
END_TEST

START_TEST(nothing_is_expanded)
{
        splits("$HOME/skopeo ~ * a=b \"$x\"", WORDS("$HOME/skopeo", "~", "*", "a=b", "$x"));
}
END_TEST

START_TEST(what_is_no_command_line_is_refused)
{
        is_refused("", "there is no command");
        is_refused("  ", "there is no command");
        is_refused("''", "there is no command");
        is_refused("a 'b", "a quote ' has no end");
        is_refused("a \"b", "a quote \" has no end");
        is_refused("a \"b\\\"", "a quote \" has no end");
        is_refused("a \\", "nothing is behind");
        is_refused("a | b", "| is a shell's");
        is_refused("a; b", "; is a shell's");
        is_refused("a 2>b", "> is a shell's");
        is_refused("(a)", "( is a shell's");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("words");
        TCase *cases = testing_case(suite, "words");

        tcase_add_test(cases, blanks_divide_words_and_quotes_keep_them_together);
        tcase_add_test(cases, nothing_is_expanded);
        tcase_add_test(cases, what_is_no_command_line_is_refused);
        return testing_main(suite);
}
