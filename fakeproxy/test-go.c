/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of Go's ways of reading and writing.
 */
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fakeproxy/go.h"
#include "protocol/message.h"

START_TEST(test_booleans_have_twelve_spellings)
{
        static const char *const good[] = {"1", "t", "T", "true", "TRUE", "True"};
        static const char *const bad[] = {"", "yes", "tRUE", "10", " true", "truer"};
        bool b;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                b = false;
                ck_assert(go_parse_bool(good[i], &b) && b);
        }
        ck_assert(go_parse_bool("F", &b) && !b);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ck_assert_msg(!go_parse_bool(bad[i], &b), "%s", bad[i]);
}
END_TEST

START_TEST(test_integers_are_read_in_any_base)
{
        static const struct {
                const char *text;
                int64_t value;
        } good[] = {{"0", 0},     {"7", 7},     {"-1", -1},
                    {"+3", 3},    {"0x1f", 31}, {"0b101", 5},
                    {"0o17", 15}, {"017", 15},  {"9223372036854775807", INT64_MAX}};
        static const char *const bad[] = {"", "x", "-", "1 ", "0x", " 1", "1.0", "--1"};
        int64_t value;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                ck_assert_msg(!go_parse_int(good[i].text, &value), "%s", good[i].text);
                ck_assert_int_eq(value, good[i].value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ck_assert_str_eq(go_parse_int(bad[i], &value), "invalid syntax");
        ck_assert_str_eq(go_parse_int("9223372036854775808", &value), "value out of range");
}
END_TEST

START_TEST(test_numbers_are_converted_as_on_amd64)
{
        ck_assert_uint_eq(go_uint64(1.9), 1);
        ck_assert_uint_eq(go_uint64(-0.5), 0);
        ck_assert_uint_eq(go_uint64(-1), UINT64_MAX);
        ck_assert_uint_eq(go_uint64(-1e30), UINT64_C(1) << 63);
        ck_assert_uint_eq(go_uint64(0x1p63), UINT64_C(1) << 63);
        ck_assert_uint_eq(go_uint64(0x1p53), UINT64_C(1) << 53);
        (void)go_uint64(NAN);
        (void)go_uint64(INFINITY);
}
END_TEST

START_TEST(test_types_have_gos_names)
{
        static const char *const cases[][2] = {{"null", "<nil>"},
                                               {"true", "bool"},
                                               {"1", "float64"},
                                               {"1.5", "float64"},
                                               {"\"x\"", "string"},
                                               {"[]", "[]interface {}"},
                                               {"{}", "map[string]interface {}"}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct json_object *json CLEANUP(cleanup_json) = json_tokener_parse(cases[i][0]);

                ck_assert_str_eq(go_type_name(json), cases[i][1]);
        }
}
END_TEST

START_TEST(test_quoted_text_is_on_one_line)
{
        char *quoted CLEANUP(cleanup_free) = go_quote("a\"b\\c\nd\te\x01\x7f\xc3\xa4");

        ck_assert_str_eq(quoted, "\"a\\\"b\\\\c\\nd\\te\\x01\\x7f\xc3\xa4\"");
}
END_TEST

START_TEST(test_what_cannot_be_printed_is_quoted_by_number)
{
        char *quoted CLEANUP(cleanup_free) =
                go_quote("\xc2\xad\xe2\x80\xa8\xef\xbb\xbf\xf0\x9f\x98\x80\xf3\xa0\x80\x81\xff");

        ck_assert_str_eq(quoted, "\"\\u00ad\\u2028\\ufeff\xf0\x9f\x98\x80\\U000e0001\\xff\"");
}
END_TEST

START_TEST(test_a_nul_byte_comes_out_as_it_went_in)
{
        struct json_object *from CLEANUP(cleanup_json) = json_object_new_string_len("\0a\0\0", 4);
        char *text CLEANUP(cleanup_free) = go_text(from);
        char *quoted CLEANUP(cleanup_free) = go_quote(text);
        struct json_object *to CLEANUP(cleanup_json) = go_string(text);

        ck_assert_str_eq(text, GO_NUL "a" GO_NUL GO_NUL);
        ck_assert_str_eq(quoted, "\"\\x00a\\x00\\x00\"");
        ck_assert_int_eq(json_object_get_string_len(to), 4);
        ck_assert_mem_eq(json_object_get_string(to), "\0a\0\0", 4);
}
END_TEST

/* Each of them as skopeo answers it. */
START_TEST(test_what_is_no_json_is_refused_in_gos_words)
{
        static const char *const cases[][2] = {
                {"{\"method\":\"a\",\"args\":[1,{\"b\":null}]} \n", NULL},
                {"[-0.5e+3,0,true,\"\\u00e4\\n\"]", NULL},
                {"{}", NULL},
                {"", "unexpected end of JSON input"},
                {" ", "unexpected end of JSON input"},
                {"{", "unexpected end of JSON input"},
                {"{\"a", "unexpected end of JSON input"},
                {"{\"a\":1,", "unexpected end of JSON input"},
                {"[1", "unexpected end of JSON input"},
                {"{}x", "invalid character 'x' after top-level value"},
                {"{'a':1}", "invalid character '\\'' looking for beginning of object key string"},
                {"{\"a\" 1}", "invalid character '1' after object key"},
                {"{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"},
                {"[1 2]", "invalid character '2' after array element"},
                {"[1,]", "invalid character ']' looking for beginning of value"},
                {"[01]", "invalid character '1' after array element"},
                {"[-]", "invalid character ']' in numeric literal"},
                {"[1.]", "invalid character ']' after decimal point in numeric literal"},
                {"[1e]", "invalid character ']' in exponent of numeric literal"},
                {"nul", "invalid character ' ' in literal null (expecting 'l')"},
                {"tru}", "invalid character '}' in literal true (expecting 'e')"},
                {"\"\t\"", "invalid character '\\t' in string literal"},
                {"\"\\x\"", "invalid character 'x' in string escape code"},
                {"\"\\u12x\"", "invalid character 'x' in \\u hexadecimal character escape"},
                {"\xff", "invalid character '\xc3\xbf' looking for beginning of value"},
        };
        char deep[10002];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *problem CLEANUP(cleanup_free) = go_json_problem(cases[i][0], strlen(cases[i][0]));

                if (cases[i][1])
                        ck_assert_msg(problem && !strcmp(problem, cases[i][1]), "%s: %s", cases[i][0], problem);
                else
                        ck_assert_msg(!problem, "%s: %s", cases[i][0], problem);
        }
        memset(deep, '[', sizeof(deep));
        for (size_t len = 10000; len <= 10001; len++) {
                char *problem CLEANUP(cleanup_free) = go_json_problem(deep, len);

                ck_assert_str_eq(problem, len == 10000 ? "unexpected end of JSON input" : "exceeded max depth");
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("go");
        TCase *tcase = testing_case(suite, "go");

        tcase_add_test(tcase, test_booleans_have_twelve_spellings);
        tcase_add_test(tcase, test_integers_are_read_in_any_base);
        tcase_add_test(tcase, test_numbers_are_converted_as_on_amd64);
        tcase_add_test(tcase, test_types_have_gos_names);
        tcase_add_test(tcase, test_quoted_text_is_on_one_line);
        tcase_add_test(tcase, test_what_cannot_be_printed_is_quoted_by_number);
        tcase_add_test(tcase, test_a_nul_byte_comes_out_as_it_went_in);
        tcase_add_test(tcase, test_what_is_no_json_is_refused_in_gos_words);
        return testing_main(suite);
}
