/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of hostile text and of hints at names.
 */
#include "base/text.h"

#include <stdlib.h>

#include "base/testing.h"

/* Each row: what came, and what may be shown of it. */
static const struct {
        const char *text, *safe;
} hostile[] = {
        {"plain", "plain"},
        {"a\nb\tc\r", "a b c "},
        {"\033[31mred\a", "?[31mred?"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc0\xaf\xff\xfe", "????"},
        {"\xe2\x82", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xc2\x9b", "?"},
        {"\xe2\x80\xae.gnp\xe2\x80\xac", "?.gnp?"},
        {"\xef\xbb\xbfx", "?x"},
        {"", ""},
};

START_TEST(hostile_text_is_made_safe)
{
        char safe[64];

        text_make_safe(safe, sizeof(safe), hostile[_i].text, strlen(hostile[_i].text));
        ck_assert_str_eq(safe, hostile[_i].safe);
}
END_TEST

START_TEST(nul_bytes_do_not_end_the_text)
{
        char safe[16];

        text_make_safe(safe, sizeof(safe), "a\0b", 3);
        ck_assert_str_eq(safe, "a?b");
}
END_TEST

START_TEST(long_text_is_cut_at_a_character)
{
        char safe[9];

        text_make_safe(safe, sizeof(safe), "12345678", 8);
        ck_assert_str_eq(safe, "12345678");
        text_make_safe(safe, sizeof(safe), "123456789", 9);
        ck_assert_str_eq(safe, "123456..");
        text_make_safe(safe, sizeof(safe),
                       "12345\xe2\x82\xac"
                       "678",
                       11);
        ck_assert_str_eq(safe, "12345..");
}
END_TEST

START_TEST(utf8_is_told_from_other_bytes)
{
        ck_assert(text_is_utf8("", 0));
        ck_assert(text_is_utf8("a\0\xc3\xa9", 4));
        ck_assert(!text_is_utf8("\xc3", 1));
        ck_assert(!text_is_utf8("a\xed\xa0\x80", 4));
}
END_TEST

START_TEST(the_first_byte_that_is_no_ascii_is_found)
{
        char text[24];

        for (size_t len = 0; len <= sizeof(text); len++) {
                memset(text, 'a', sizeof(text));
                ck_assert_uint_eq(text_ascii_run(text, len), len);
                for (size_t at = len; at-- > 0;) {
                        text[at] = '\x80';
                        ck_assert_uint_eq(text_ascii_run(text, len), at);
                        ck_assert(!text_is_utf8(text, len));
                }
        }
}
END_TEST

static const struct {
        const char *typed, *meant;
} typos[] = {
        {"--fitler", "--filter"},  {"--jbos", "--jobs"}, {"--jobs", "--jobs"},
        {"--strickt", "--strict"}, {"--xyz", NULL},      {"", NULL},
};

START_TEST(a_typo_finds_what_was_meant)
{
        struct nearest nearest = {.name = typos[_i].typed};

        text_nearest(&nearest, "--filter");
        text_nearest(&nearest, "--jobs");
        text_nearest(&nearest, "--strict");
        if (typos[_i].meant)
                ck_assert_str_eq(nearest.best, typos[_i].meant);
        else
                ck_assert_ptr_null(nearest.best);
}
END_TEST

START_TEST(endless_names_are_no_names)
{
        char name[1000];
        struct nearest nearest = {.name = name};

        memset(name, 'a', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        text_nearest(&nearest, "a");
        ck_assert_ptr_null(nearest.best);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("text");
        TCase *tcase = testing_case(suite, "text");

        tcase_add_loop_test(tcase, hostile_text_is_made_safe, 0, sizeof(hostile) / sizeof(hostile[0]));
        tcase_add_test(tcase, nul_bytes_do_not_end_the_text);
        tcase_add_test(tcase, long_text_is_cut_at_a_character);
        tcase_add_test(tcase, utf8_is_told_from_other_bytes);
        tcase_add_test(tcase, the_first_byte_that_is_no_ascii_is_found);
        tcase_add_loop_test(tcase, a_typo_finds_what_was_meant, 0, sizeof(typos) / sizeof(typos[0]));
        tcase_add_test(tcase, endless_names_are_no_names);
        return testing_main(suite);
}
