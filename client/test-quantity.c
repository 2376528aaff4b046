/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes and times read as a person writes them, at the edges too; and the progress line that is made of them.
 */
#include "base/cleanup.h"
#include "base/testing.h"
#include "client/progress.h"
#include "client/quantity.h"

START_TEST(sizes_have_two_or_three_digits)
{
        static const struct {
                int64_t bytes;
                const char *text;
        } rows[] = {
                {-1, "unknown"},
                {0, "0 B"},
                {1, "1 B"},
                {1023, "1023 B"},
                {1024, "1.0 KiB"},
                {1536, "1.5 KiB"},
                {10189, "10 KiB"},
                {INT64_C(1023) * 1024, "1023 KiB"},
                {INT64_C(1024) * 1024 - 1, "1.0 MiB"},
                {INT64_C(64) * 1024 * 1024, "64 MiB"},
                {INT64_C(10) << 30, "10 GiB"},
                {INT64_MAX, "8.0 EiB"},
        };
        char text[QUANTITY_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                ck_assert_str_eq(size_text(rows[i].bytes, text), rows[i].text);
}
END_TEST

START_TEST(times_are_never_sixty_of_anything)
{
        static const struct {
                double seconds;
                const char *text;
        } rows[] = {
                {-3, "0.0 s"},
                {0, "0.0 s"},
                {0.44, "0.4 s"},
                {9.94, "9.9 s"},
                {9.96, "10 s"},
                {59.4, "59 s"},
                {59.6, "1 min 0 s"},
                {125, "2 min 5 s"},
                {3599.7, "1 h 0 min"},
                {11520, "3 h 12 min"},
                {1e300, "277777 h 46 min"},
        };
        char text[QUANTITY_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                ck_assert_str_eq(duration_text(rows[i].seconds, text), rows[i].text);
        ck_assert_str_eq(duration_text(0.0 / 0.0, text), "0.0 s");
}
END_TEST

START_TEST(progress_says_what_is_done_what_is_left_and_what_is_slow)
{
        struct standing standing = {
                .layers_done = 3, .layers = 10, .bytes_done = 512 << 10, .bytes = 1536 << 10};
        char text[300];

        ck_assert_str_eq(progress_text(&standing, 0, text, sizeof(text)), "3 of 10 layers, 512 KiB of 1.5 MiB");
        standing.slowest = "sha256:0123456789abcdef";
        standing.slowest_left = 1 << 20;
        ck_assert_str_eq(progress_text(&standing, 128 << 10, text, sizeof(text)),
                         "3 of 10 layers, 512 KiB of 1.5 MiB, 128 KiB/s, 8.0 s left; sha256:0123456789ab: 1.0 "
                         "MiB to go");
}
END_TEST

START_TEST(progress_is_cut_rather_than_too_long)
{
        struct standing standing = {.layers_done = 3, .layers = 10, .slowest = "sha256:0123456789abcdef"};
        char text[20];

        ck_assert_uint_eq(strlen(progress_text(&standing, 1, text, sizeof(text))), sizeof(text) - 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("quantity");
        TCase *tcase = testing_case(suite, "quantity");

        tcase_add_test(tcase, sizes_have_two_or_three_digits);
        tcase_add_test(tcase, times_are_never_sixty_of_anything);
        tcase_add_test(tcase, progress_says_what_is_done_what_is_left_and_what_is_slow);
        tcase_add_test(tcase, progress_is_cut_rather_than_too_long);
        return testing_main(suite);
}
