/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that a person wrote: problems are kept with the place as a JSON pointer, only so many, and printed so
 * that no terminal suffers; a text's lines, nesting and end are told right.
 */
#include "protocol/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "protocol/message.h"

__attribute__((format(printf, 3, 4))) static int add(struct problems *problems, const struct place *place,
                                                     const char *format, ...)
{
        va_list args;
        int r;

        va_start(args, format);
        r = problems_add(problems, place, format, args);
        va_end(args);
        return r;
}

static const struct place top = {NULL, NULL, 0};

START_TEST(a_problem_stands_at_its_place)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct place rules = {&top, "rules", 0}, rule = {&rules, NULL, 7}, odd = {&rule, "a/b~c", 0};

        ck_assert_ok(add(&problems, &top, "all"));
        ck_assert_ok(add(&problems, &odd, "%d is odd", 7));
        ck_assert_uint_eq(problems.n, 2);
        ck_assert_str_eq(problems.problems[0].pointer, "");
        ck_assert_str_eq(problems.problems[0].message, "all");
        ck_assert_str_eq(problems.problems[1].pointer, "/rules/7/a~1b~0c");
        ck_assert_str_eq(problems.problems[1].message, "7 is odd");
}
END_TEST

START_TEST(a_hundred_problems_are_enough)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};

        for (int i = 0; i < 150; i++)
                ck_assert_ok(add(&problems, &top, "%d", i));
        ck_assert_uint_eq(problems.n, 100);
        ck_assert_str_eq(problems.problems[99].message, "99");
        problems_clear(&problems);
        ck_assert_uint_eq(problems.n, 0);
        ck_assert_ptr_null(problems.problems);
}
END_TEST

START_TEST(problems_are_printed_for_a_terminal)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct place key = {&top, "a\033b", 0};
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        FILE *stream = open_memstream(&text, &len);

        ck_assert_ptr_nonnull(stream);
        ck_assert_ok(add(&problems, &top, "first"));
        ck_assert_ok(add(&problems, &key, "sec\nond"));
        problems_print(&problems, "FILE", stream);
        ck_assert_int_eq(fclose(stream), 0);
        ck_assert_ptr_eq(strstr(text, "FILE: first\nFILE: /a"), text);
        ck_assert_ptr_null(strchr(text, '\033'));
        ck_assert_ptr_eq(strchr(strchr(text, '\n') + 1, '\n'), text + len - 1);
}
END_TEST

START_TEST(lines_are_counted_from_one)
{
        ck_assert_uint_eq(document_line("a\nb\n", 0), 1);
        ck_assert_uint_eq(document_line("a\nb\n", 1), 1);
        ck_assert_uint_eq(document_line("a\nb\n", 2), 2);
        ck_assert_uint_eq(document_line("a\nb\n", 4), 3);
}
END_TEST

static const struct {
        const char *text;
        size_t levels;
        bool deep;
        size_t at;
} nested[] = {
        {"[[1]]", 2, false, 0},  {"[[1]]", 1, true, 1},    {"[{\"a\":[]}]", 2, true, 6},
        {"[][][]", 1, false, 0}, {"\"[[[\"", 0, false, 0}, {"[\"\\\"[[\"]", 1, false, 0},
        {"]]]][[", 1, true, 5},  {"", 0, false, 0},        {"{}", 0, true, 0},
};

START_TEST(nesting_is_seen_outside_of_strings)
{
        size_t at = 0;

        ck_assert(document_is_too_deep(nested[_i].text, strlen(nested[_i].text), nested[_i].levels, &at) ==
                  nested[_i].deep);
        ck_assert_uint_eq(at, nested[_i].at);
}
END_TEST

START_TEST(where_json_ends_to_be_json_is_known)
{
        struct json_object *json;
        struct cip_error error = {0};

        ck_assert_errno(json_parse("{\"a\": x}", 8, 4, &json, &error), -EBADMSG);
        ck_assert_uint_eq(document_stopped_at(&error, 8), 6);
        ck_assert_errno(json_parse("{\"a\": ", 6, 4, &json, &error), -EBADMSG);
        ck_assert_uint_eq(document_stopped_at(&error, 6), 6);
}
END_TEST

static const char *const words[][2] = {
        {"null", "null"},   {"true", "true"},
        {"false", "false"}, {"1.5", "a number with a fraction or an exponent"},
        {"1", "a number"},  {"{}", "an object"},
        {"[]", "an array"}, {"\"\"", "a string"},
};

START_TEST(a_value_has_its_words)
{
        struct json_object *json CLEANUP(cleanup_json) = NULL;

        ck_assert_ok(json_parse(words[_i][0], strlen(words[_i][0]), 4, &json, NULL));
        ck_assert_str_eq(document_value_words(json), words[_i][1]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("document");
        TCase *tcase = testing_case(suite, "document");

        tcase_add_test(tcase, a_problem_stands_at_its_place);
        tcase_add_test(tcase, a_hundred_problems_are_enough);
        tcase_add_test(tcase, problems_are_printed_for_a_terminal);
        tcase_add_test(tcase, lines_are_counted_from_one);
        tcase_add_loop_test(tcase, nesting_is_seen_outside_of_strings, 0, (int)ARRAY_SIZE(nested));
        tcase_add_test(tcase, where_json_ends_to_be_json_is_known);
        tcase_add_loop_test(tcase, a_value_has_its_words, 0, (int)ARRAY_SIZE(words));
        return testing_main(suite);
}
