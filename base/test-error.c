/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of error records.
 */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/testing.h"

START_TEST(records_class_number_and_sentence)
{
        struct cip_error error = {.code = 7};

        ck_assert_errno(error_set(&error, CIP_ERROR_REMOTE, -EREMOTEIO, "no image %d", 5), -EREMOTEIO);
        ck_assert_int_eq(error.error_class, CIP_ERROR_REMOTE);
        ck_assert_int_eq(error.errnum, -EREMOTEIO);
        ck_assert_int_eq(error.code, 0);
        ck_assert_str_eq(error.message, "no image 5");
        ck_assert_errno(error_set(NULL, CIP_ERROR_LOCAL, -EIO, "x"), -EIO);
        ck_assert_errno(error_set_errno(&error, CIP_ERROR_LOCAL, -ENOENT, "cannot open %s", "a"), -ENOENT);
        ck_assert_str_eq(error.message, "cannot open a: No such file or directory");
        ck_assert_errno(error_prefix(&error, "layer %d", 3), -ENOENT);
        ck_assert_errno(error_append(&error, " (%s)", "b"), -ENOENT);
        ck_assert_str_eq(error.message, "layer 3: cannot open a: No such file or directory (b)");
        ck_assert_str_eq(error_class_name(error.error_class), "local");
        ck_assert_str_eq(error_class_name(CIP_ERROR_TRANSPORT), "transport");
        ck_assert_str_eq(error_class_name(CIP_ERROR_PROTOCOL), "protocol");
        ck_assert_str_eq(error_class_name(CIP_ERROR_REMOTE), "remote");
        ck_assert_errno(error_prefix(NULL, "x"), 0);
        ck_assert_errno(error_append(NULL, "x"), 0);
        ck_assert_str_eq(error_class_name(CIP_ERROR_NONE), "none");
}
END_TEST

START_TEST(messages_of_any_length_are_whole)
{
        char text[700], want[720];
        struct cip_error error;

        for (size_t len = 0; len < sizeof(text); len++) {
                memset(text, 'x', len);
                text[len] = '\0';
                error_set(&error, CIP_ERROR_LOCAL, -EIO, "%s", text);
                ck_assert_str_eq(error.message, text);
                error_prefix(&error, "layer");
                error_append(&error, "!");
                snprintf(want, sizeof(want), "layer: %s!", text);
                ck_assert_str_eq(error.message, want);
        }
}
END_TEST

START_TEST(long_messages_are_cut)
{
        char *big = malloc(100000);
        struct cip_error error;

        memset(big, 'x', 99999);
        big[99999] = '\0';
        error_set(&error, CIP_ERROR_LOCAL, -EIO, "%s", big);
        ck_assert_uint_eq(strlen(error.message), CIP_ERROR_MESSAGE_SIZE - 1);
        ck_assert_str_eq(error.message + CIP_ERROR_MESSAGE_SIZE - 3, "..");
        free(big);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("error");
        TCase *tcase = testing_case(suite, "error");

        tcase_add_test(tcase, records_class_number_and_sentence);
        tcase_add_test(tcase, messages_of_any_length_are_whole);
        tcase_add_test(tcase, long_messages_are_cut);
        return testing_main(suite);
}
