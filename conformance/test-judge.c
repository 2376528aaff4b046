/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of judging: which checks a version has, the worst of several repeats, and what changed.
 */
#include "conformance/judge.h"

#include "base/testing.h"

static void no_run(struct check_context *c)
{
        (void)c;
}

static const struct check since_seven = {
        .id = "group/since-seven", .since = {0, 2, 7}, .requires = "It holds.", .run = no_run};
static const struct check until_six = {.id = "group/until-six",
                                       .since = {0, 2, 3},
                                       .until = {0, 2, 6},
                                       .requires = "It holds.",
                                       .run = no_run};

static char text_pass[] = "", text_fail[] = "it fell short", text_skip[] = "not here";
static char value_one[] = "one", value_two[] = "two";

static struct job job(const struct check *check, enum outcome_kind kind, char *message)
{
        return (struct job){.check = check, .done = true, .kind = kind, .message = message};
}

static struct summary judge(struct job *jobs, size_t n_jobs, unsigned repeat, struct result *results,
                            const struct check *const *checks, size_t n_checks)
{
        static const struct subject subject = {.version = {0, 2, 7}};
        struct summary summary = {.subject = &subject,
                                  .release = "",
                                  .repeat = repeat,
                                  .results = results,
                                  .n_results = n_checks};

        judge_results(&summary, checks, jobs, n_jobs, NULL);
        return summary;
}

START_TEST(a_version_has_the_checks_from_since_to_before_until)
{
        char reason[128];

        ck_assert(judge_version(&since_seven, VERSION(0, 2, 7), NULL, 0));
        ck_assert(judge_version(&since_seven, VERSION(0, 3, 0), NULL, 0));
        ck_assert(!judge_version(&since_seven, VERSION(0, 2, 3), reason, sizeof(reason)));
        ck_assert_str_eq(reason, "needs 0.2.7, the server speaks 0.2.3");
        ck_assert(judge_version(&until_six, VERSION(0, 2, 5), NULL, 0));
        ck_assert(!judge_version(&until_six, VERSION(0, 2, 6), reason, sizeof(reason)));
        ck_assert_str_eq(reason, "holds before 0.2.6, the server speaks 0.2.6");
}
END_TEST

START_TEST(a_skip_always_has_its_reason)
{
        const struct check *checks[] = {&until_six, &since_seven};
        struct result results[2];
        struct job jobs[] = {job(&since_seven, OUTCOME_SKIP, text_skip)};
        struct summary summary = judge(jobs, 1, 1, results, checks, 2);

        ck_assert_uint_eq(summary.counts[STATUS_SKIP], 2);
        ck_assert_str_eq(results[0].message, "holds before 0.2.6, the server speaks 0.2.7");
        ck_assert_str_eq(results[1].message, "not here");
        results_clear(results, 2);
}
END_TEST

START_TEST(what_was_not_run_to_its_end_is_a_skip)
{
        const struct check *checks[] = {&since_seven};
        struct result results[1];
        struct job jobs[] = {{.check = &since_seven}};
        struct summary summary = judge(jobs, 1, 1, results, checks, 1);

        ck_assert_uint_eq(summary.counts[STATUS_SKIP], 1);
        ck_assert_str_eq(results[0].message, "not run: interrupted");
}
END_TEST

START_TEST(the_worst_of_several_repeats_counts)
{
        const struct check *checks[] = {&since_seven};
        struct result results[1];
        struct job jobs[] = {
                job(&since_seven, OUTCOME_PASS, text_pass),
                job(&since_seven, OUTCOME_FAIL, text_fail),
                job(&since_seven, OUTCOME_PASS, text_pass),
        };
        struct summary summary = judge(jobs, 3, 3, results, checks, 1);

        ck_assert_int_eq(results[0].status, STATUS_FAIL);
        ck_assert_str_eq(results[0].message, "it fell short");
        ck_assert_str_eq(results[0].changed, "pass, fail, pass");
        ck_assert_uint_eq(summary.n_changed, 1);
        ck_assert(!summary_is_fine(&summary, false));
        results_clear(results, 1);
}
END_TEST

START_TEST(repeats_that_agree_have_not_changed)
{
        const struct check *checks[] = {&since_seven};
        struct result results[1];
        struct job jobs[] = {
                job(&since_seven, OUTCOME_PASS, text_pass),
                job(&since_seven, OUTCOME_PASS, text_pass),
        };
        struct summary summary = judge(jobs, 2, 2, results, checks, 1);

        ck_assert_ptr_null(results[0].changed);
        ck_assert(summary_is_fine(&summary, true));
}
END_TEST

START_TEST(another_value_is_a_change)
{
        const struct check *checks[] = {&since_seven};
        struct result results[1];
        struct job jobs[] = {
                job(&since_seven, OUTCOME_PASS, text_pass),
                job(&since_seven, OUTCOME_PASS, text_pass),
        };
        struct summary summary;

        jobs[0].value = value_one;
        jobs[1].value = value_two;
        summary = judge(jobs, 2, 2, results, checks, 1);
        ck_assert_str_eq(results[0].changed, "pass (one), pass (two)");
        ck_assert(!summary_is_fine(&summary, false));
        results_clear(results, 1);
}
END_TEST

START_TEST(error_and_nothing_are_errors)
{
        const struct check *checks[] = {&since_seven};
        struct result results[1];
        struct job jobs[] = {job(&since_seven, OUTCOME_ERROR, text_fail)};
        struct summary summary = judge(jobs, 1, 1, results, checks, 1);

        ck_assert_uint_eq(summary.counts[STATUS_ERROR], 1);
        ck_assert(!summary_is_fine(&summary, false));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("judge");
        TCase *cases = testing_case(suite, "judge");

        tcase_add_test(cases, a_version_has_the_checks_from_since_to_before_until);
        tcase_add_test(cases, a_skip_always_has_its_reason);
        tcase_add_test(cases, what_was_not_run_to_its_end_is_a_skip);
        tcase_add_test(cases, the_worst_of_several_repeats_counts);
        tcase_add_test(cases, repeats_that_agree_have_not_changed);
        tcase_add_test(cases, another_value_is_a_change);
        tcase_add_test(cases, error_and_nothing_are_errors);
        return testing_main(suite);
}
