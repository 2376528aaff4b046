/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made smaller becomes the least that still has the fault, with faults that are known exactly.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fuzz/minimise.h"

static struct sequence *make(size_t n)
{
        struct sequence *sequence = calloc(1, sizeof(*sequence));

        sequence->steps = calloc(n, sizeof(*sequence->steps));
        for (; sequence->n_steps < n; sequence->n_steps++) {
                struct step *step = &sequence->steps[sequence->n_steps];

                step->len = (size_t)asprintf(&step->text, "{ \"method\": \"M%zu\", \"args\": [1, \"two\", 3]}",
                                             sequence->n_steps);
                step->n_fds = 3;
                step->fds = calloc(3, sizeof(*step->fds));
                step->pipelined = step->leave = true;
        }
        return sequence;
}

static bool has(const struct sequence *sequence, const char *text)
{
        for (size_t i = 0; i < sequence->n_steps; i++)
                if (memmem(sequence->steps[i].text, sequence->steps[i].len, text, strlen(text)))
                        return true;
        return false;
}

static int needs_two(void *data, const struct sequence *sequence)
{
        (void)data;
        return has(sequence, "M3") && has(sequence, "M17");
}

START_TEST(test_only_what_is_needed_stays)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(30);
        size_t tries;

        ck_assert_ok(minimise(&sequence, needs_two, NULL, DEADLINE_NEVER, &tries));
        ck_assert_uint_eq(sequence->n_steps, 2);
        for (size_t i = 0; i < 2; i++) {
                const struct step *step = &sequence->steps[i];

                ck_assert_str_eq(step->text, i == 0 ? "{\"method\":\"M3\",\"args\":[]}"
                                                    : "{\"method\":\"M17\",\"args\":[]}");
                ck_assert_uint_eq(step->n_fds, 0);
                ck_assert(!step->pipelined && !step->leave);
        }
        ck_assert_uint_lt(tries, 400);
}
END_TEST

static int needs_second_argument(void *data, const struct sequence *sequence)
{
        (void)data;
        return has(sequence, "M5") && has(sequence, "\"two\"");
}

START_TEST(test_arguments_that_are_needed_stay)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(8);

        ck_assert_ok(minimise(&sequence, needs_second_argument, NULL, DEADLINE_NEVER, NULL));
        ck_assert_uint_eq(sequence->n_steps, 1);
        ck_assert_str_eq(sequence->steps[0].text, "{\"method\":\"M5\",\"args\":[1,\"two\"]}");
}
END_TEST

static int needs_bytes(void *data, const struct sequence *sequence)
{
        (void)data;
        return has(sequence, "\xff");
}

START_TEST(test_bytes_that_are_no_request_get_fewer)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(3);

        free(sequence->steps[1].text);
        sequence->steps[1].text = strdup("many bytes \xff and more");
        sequence->steps[1].len = strlen(sequence->steps[1].text);
        ck_assert_ok(minimise(&sequence, needs_bytes, NULL, DEADLINE_NEVER, NULL));
        ck_assert_uint_eq(sequence->n_steps, 1);
        ck_assert_str_eq(sequence->steps[0].text, "\xff");
}
END_TEST

static int fails(void *data, const struct sequence *sequence)
{
        size_t *left = data;

        (void)sequence;
        return (*left)-- > 0 ? 1 : -EIO;
}

START_TEST(test_a_test_that_cannot_tell_ends_it)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(16);
        size_t left = 1;

        ck_assert_errno(minimise(&sequence, fails, &left, DEADLINE_NEVER, NULL), -EIO);
        ck_assert_uint_eq(sequence->n_steps, 8); /* what the last yes was about */
}
END_TEST

START_TEST(test_a_deadline_ends_it)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(16);
        size_t tries;

        ck_assert_ok(minimise(&sequence, needs_two, NULL, deadline_in_ms(0), &tries));
        ck_assert_uint_eq(tries, 0);
        ck_assert_uint_eq(sequence->n_steps, 16);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("minimise");
        TCase *tcase = testing_case(suite, "minimise");

        tcase_add_test(tcase, test_only_what_is_needed_stays);
        tcase_add_test(tcase, test_arguments_that_are_needed_stay);
        tcase_add_test(tcase, test_bytes_that_are_no_request_get_fewer);
        tcase_add_test(tcase, test_a_test_that_cannot_tell_ends_it);
        tcase_add_test(tcase, test_a_deadline_ends_it);
        return testing_main(suite);
}
