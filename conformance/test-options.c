/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of option tables: the forms that a value can have, where options end, and the words for what is wrong.
 */
#include "conformance/options.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/testing.h"

struct settings {
        const char *value;
        bool flag, optional;
};

static int take_value(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct settings *)data)->value = value;
        return 0;
}

static int take_flag(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ck_assert_ptr_null(value);
        ((struct settings *)data)->flag = true;
        return 0;
}

static int take_optional(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct settings *)data)->optional = true;
        ((struct settings *)data)->value = value;
        return 0;
}

static const struct option_row rows[] = {
        {"value", "TEXT", "takes a text", take_value},
        {"flag", NULL, "takes none\nand says so in two lines", take_flag},
        {"optional", "[=N]", "may take one", take_optional},
};

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int parse(const char *const *argv, struct settings *settings, bool *dashes, struct cip_error *error)
{
        *settings = (struct settings){0};
        return options_parse(rows, ARRAY_SIZE(rows), argv, settings, dashes, error);
}

START_TEST(a_value_stands_behind_a_blank_or_an_equals_sign)
{
        struct settings settings;
        struct cip_error error;
        bool dashes;

        ck_assert_int_eq(parse(WORDS("--value", "a", "b"), &settings, &dashes, &error), 2);
        ck_assert_str_eq(settings.value, "a");
        ck_assert(!dashes);
        ck_assert_int_eq(parse(WORDS("--value=a=b", "--flag"), &settings, &dashes, &error), 2);
        ck_assert_str_eq(settings.value, "a=b");
        ck_assert(settings.flag);
}
END_TEST

START_TEST(an_optional_value_needs_the_equals_sign)
{
        struct settings settings;
        struct cip_error error;
        bool dashes;

        ck_assert_int_eq(parse(WORDS("--optional", "7"), &settings, &dashes, &error), 1);
        ck_assert(settings.optional);
        ck_assert_ptr_null(settings.value);
        ck_assert_int_eq(parse(WORDS("--optional=7"), &settings, &dashes, &error), 1);
        ck_assert_str_eq(settings.value, "7");
}
END_TEST

START_TEST(options_end_at_the_first_word_or_behind_two_dashes)
{
        struct settings settings;
        struct cip_error error;
        bool dashes;

        ck_assert_int_eq(parse(WORDS("skopeo", "--flag"), &settings, &dashes, &error), 0);
        ck_assert(!settings.flag);
        ck_assert_int_eq(parse(WORDS("--", "--flag"), &settings, &dashes, &error), 1);
        ck_assert(dashes);
        ck_assert_int_eq(parse(WORDS("-"), &settings, &dashes, &error), 0);
}
END_TEST

START_TEST(what_is_wrong_is_said_with_the_nearest_name)
{
        static const struct {
                const char *word, *message;
        } wrong[] = {
                {"--flga", "unknown option --flga (did you mean --flag?); --help shows them all"},
                {"--valeu=3", "unknown option --valeu (did you mean --value?); --help shows them all"},
                {"--nothing-like-it", "unknown option --nothing-like-it; --help shows them all"},
                {"--value", "--value needs a value: --value TEXT"},
                {"--flag=1", "--flag takes no value"},
                {"-v", "unknown option -v; --help shows them all"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                struct settings settings;
                struct cip_error error = {0};
                bool dashes;

                ck_assert_errno(parse(WORDS(wrong[i].word), &settings, &dashes, &error), -EINVAL);
                ck_assert_str_eq(error.message, wrong[i].message);
        }
}
END_TEST

START_TEST(numbers_are_decimal_and_within_bounds)
{
        unsigned long number;
        double seconds;

        ck_assert_ok(option_number("10", 1, 10, &number, NULL));
        ck_assert_uint_eq(number, 10);
        ck_assert_errno(option_number("0", 1, 10, &number, NULL), -EINVAL);
        ck_assert_errno(option_number("11", 1, 10, &number, NULL), -EINVAL);
        ck_assert_errno(option_number("-1", 0, 10, &number, NULL), -EINVAL);
        ck_assert_errno(option_number(" 1", 0, 10, &number, NULL), -EINVAL);
        ck_assert_errno(option_number("1x", 0, 10, &number, NULL), -EINVAL);
        ck_assert_errno(option_number("", 0, 10, &number, NULL), -EINVAL);
        ck_assert_errno(option_number("99999999999999999999", 0, ~0UL, &number, NULL), -EINVAL);
        ck_assert_ok(option_seconds("0.5", &seconds, NULL));
        ck_assert_double_eq(seconds, 0.5);
        ck_assert_errno(option_seconds("0", &seconds, NULL), -EINVAL);
        ck_assert_errno(option_seconds("nan", &seconds, NULL), -EINVAL);
        ck_assert_errno(option_seconds("inf", &seconds, NULL), -EINVAL);
        ck_assert_errno(option_seconds("", &seconds, NULL), -EINVAL);
        ck_assert_errno(option_seconds("3s", &seconds, NULL), -EINVAL);
}
END_TEST

START_TEST(the_table_is_the_help)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        options_print(rows, ARRAY_SIZE(rows), out);
        fclose(out);
        ck_assert_str_eq(text, "  --value TEXT            takes a text\n"
                               "  --flag                  takes none\n"
                               "                          and says so in two lines\n"
                               "  --optional[=N]          may take one\n");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("options");
        TCase *cases = testing_case(suite, "options");

        tcase_add_test(cases, a_value_stands_behind_a_blank_or_an_equals_sign);
        tcase_add_test(cases, an_optional_value_needs_the_equals_sign);
        tcase_add_test(cases, options_end_at_the_first_word_or_behind_two_dashes);
        tcase_add_test(cases, what_is_wrong_is_said_with_the_nearest_name);
        tcase_add_test(cases, numbers_are_decimal_and_within_bounds);
        tcase_add_test(cases, the_table_is_the_help);
        return testing_main(suite);
}
