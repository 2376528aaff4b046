/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the grammar: where a text stops to be JSON, and whether it is the end that is missing.
 */
#include "protocol/json-grammar.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"

static const struct {
        const char *text;
        size_t right;
        bool whole;
        int deepest;
} texts[] = {
        /* Values. */
        {"null", 4, true, 0},
        {" true\t\r\n", 8, true, 0},
        {"false", 5, true, 0},
        {"fals", 4, false, 0},
        {"falsy", 4, false, 0},
        {"nullx", 4, false, 0},
        {"", 0, false, 0},
        {"  ", 2, false, 0},
        {"1 2", 2, false, 0},
        {"\v1", 0, false, 0},
        /* Numbers. */
        {"0", 1, true, 0},
        {"-0.50e-07", 9, true, 0},
        {"12E+3", 5, true, 0},
        {"01", 1, false, 0},
        {"-", 1, false, 0},
        {"-a", 1, false, 0},
        {"+1", 0, false, 0},
        {".5", 0, false, 0},
        {"1.", 2, false, 0},
        {"1.e1", 2, false, 0},
        {"1e", 2, false, 0},
        {"1e+x", 3, false, 0},
        {"NaN", 0, false, 0},
        {"Infinity", 0, false, 0},
        /* Strings. */
        {"\"\"", 2, true, 0},
        {"\"NaN 01 [{\xc3\xa4\xf0\x9f\x98\x80\"", 17, true, 0},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fFx\"", 25, true, 0},
        {"\"a", 2, false, 0},
        {"\"\\", 2, false, 0},
        {"\"\\x\"", 2, false, 0},
        {"\"\\u12", 5, false, 0},
        {"\"\\u12g4\"", 5, false, 0},
        {"\"\x1f\"", 1, false, 0},
        {"\"a\xc3\"", 2, false, 0},
        {"\"\xed\xa0\x80\"", 1, false, 0},
        {"\xc3\xa4", 0, false, 0},
        {"'a'", 0, false, 0},
        /* Arrays and objects. */
        {"[]", 2, true, 1},
        {"{ }", 3, true, 1},
        {"[1 , [ ] , {}]", 14, true, 2},
        {"{\"a\" : [1], \"a\":{\"b\":2}}", 24, true, 2},
        {"[[[]]]", 6, true, 3},
        {"[[[[]]]]", 3, false, 3},
        {"[{\"a\":[]}]", 10, true, 3},
        {"[", 1, false, 1},
        {"[1", 2, false, 1},
        {"[1,", 3, false, 1},
        {"[1,]", 3, false, 1},
        {"[,1]", 1, false, 1},
        {"[1 2]", 3, false, 1},
        {"[1}", 2, false, 1},
        {"]", 0, false, 0},
        {"{\"a\"}", 4, false, 1},
        {"{\"a\":", 5, false, 1},
        {"{\"a\":}", 5, false, 1},
        {"{\"a\":1,}", 7, false, 1},
        {"{\"a\":1 \"b\"", 7, false, 1},
        {"{\"a\":1]", 6, false, 1},
        {"{a:1}", 1, false, 1},
        {"{1:1}", 1, false, 1},
        {"{[]:1}", 1, false, 1},
        {"{:1}", 1, false, 1},
        {"[:1]", 1, false, 1},
        {"1,2", 1, false, 0},
        {"[] []", 3, false, 1},
        {"/**/1", 0, false, 0},
};

START_TEST(the_first_byte_that_cannot_go_on_is_found)
{
        struct json_judgement judged = json_judge(texts[_i].text, strlen(texts[_i].text), 3);

        ck_assert_msg(judged.right == texts[_i].right, "%s: %zu instead of %zu", texts[_i].text, judged.right,
                      texts[_i].right);
        ck_assert_msg(judged.whole == texts[_i].whole, "%s", texts[_i].text);
        ck_assert_msg(judged.deepest == texts[_i].deepest, "%s: %d levels", texts[_i].text, judged.deepest);
}
END_TEST

START_TEST(nothing_nests_past_the_limit)
{
        static char text[2 * JSON_DEPTH_MAX + 2];
        struct json_judgement judged;

        memset(text, '[', JSON_DEPTH_MAX + 1);
        memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
        judged = json_judge(text + 1, sizeof(text) - 2, JSON_DEPTH_MAX + 1);
        ck_assert(judged.whole);
        ck_assert_int_eq(judged.deepest, JSON_DEPTH_MAX);
        judged = json_judge(text, sizeof(text), JSON_DEPTH_MAX + 1);
        ck_assert(!judged.whole);
        ck_assert_uint_eq(judged.right, JSON_DEPTH_MAX);
}
END_TEST

START_TEST(what_is_open_is_known_at_every_level)
{
        /* Objects and arrays by turns, past a byte's worth of levels. */
        static const char opens[] = "{\"a\":[", closes[] = "]}";
        char text[9 * 8 + 1] = "";

        size_t len = 0;

        for (size_t i = 0; i < 18; i++)
                len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", i < 9 ? opens : closes);
        ck_assert(json_judge(text, strlen(text), 18).whole);
        text[strlen(text) - 1] = ']';
        ck_assert_uint_eq(json_judge(text, strlen(text), 18).right, strlen(text) - 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("protocol/json-grammar");
        TCase *tcase = testing_case(suite, "grammar");

        tcase_add_loop_test(tcase, the_first_byte_that_cannot_go_on_is_found, 0, ARRAY_SIZE(texts));
        tcase_add_test(tcase, nothing_nests_past_the_limit);
        tcase_add_test(tcase, what_is_open_is_known_at_every_level);
        return testing_main(suite);
}
