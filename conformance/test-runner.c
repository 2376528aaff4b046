/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the runner with checks of their own that crash, hang, say nothing, or print: each is that check's
 * result, and the others run on. None of them starts a server.
 */
#include "conformance/runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "conformance/context.h"

static void pass(struct check_context *c)
{
        check_record(c, "folder %s", access(check_folder(c), W_OK) == 0 ? "there" : "missing");
}

static void fall_short(struct check_context *c)
{
        check_fail(c, "three is not %d\n\033[31m", 4);
}

static void skip(struct check_context *c)
{
        check_skip(c, "not on a %s", "Tuesday");
}

static void give_up(struct check_context *c)
{
        check_error(c, "no idea");
}

static void crash(struct check_context *c)
{
        (void)c;
        fputs("last words\n", stderr);
        raise(SIGKILL);
}

static void say_nothing(struct check_context *c)
{
        (void)c;
        _exit(0);
}

static void never_end(struct check_context *c)
{
        (void)c;
        for (;;)
                pause();
}

static void leave_processes(struct check_context *c)
{
        if (fork() == 0) {
                setsid();
                if (fork() == 0)
                        never_end(c);
                never_end(c);
        }
        check_fail(c, "the child is still there");
}

static void litter(struct check_context *c)
{
        CLEANUP(cleanup_free) char *path = NULL;
        FILE *file;

        ck_assert_int_gt(asprintf(&path, "%s/tmp/litter", check_folder(c)), 0);
        file = fopen(path, "w");
        if (file)
                fclose(file);
}

static const char *const command[] = {"no-such-server", NULL};
static const struct subject subject = {.command = command};

/* Runs @n checks of these functions, two at once. */
static void run(void (*const *functions)(struct check_context *), size_t n, double timeout, struct job *jobs,
                struct check *checks)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_runner_free) struct runner *runner = NULL;
        struct cip_error error = {0};

        ck_assert_ok(tmpdir_new("test-runner", &folder, &error));
        for (size_t i = 0; i < n; i++) {
                checks[i] = (struct check){.id = "test/check", .run = functions[i], .own_start = true};
                jobs[i] = (struct job){.check = &checks[i], .subject = &subject};
        }
        ck_assert_ok(runner_new(&(struct run_options){.jobs = 2, .timeout = timeout, .folder = folder}, &runner,
                                &error));
        ck_assert_ok(runner_run(runner, jobs, n, &error));
        /* All that is left is the folder itself. */
        ck_assert_int_eq(rmdir(folder), 0);
}

/* How many checks have begun, in memory that they share. */
static int *n_begun;

/* Waits until four run at once. */
static void meet(struct check_context *c)
{
        __atomic_add_fetch(n_begun, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(n_begun, __ATOMIC_SEQ_CST) < 4)
                context_wait(c, -1, 0, deadline_in_ms(10));
}

START_TEST(checks_that_wait_run_beside_the_others)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_runner_free) struct runner *runner = NULL;
        struct check check = {.id = "test/check", .run = meet, .own_start = true};
        struct cip_error error = {0};
        struct job jobs[4];

        n_begun = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(n_begun, MAP_FAILED);
        ck_assert_ok(tmpdir_new("test-runner", &folder, &error));
        for (size_t i = 0; i < 4; i++)
                jobs[i] = (struct job){.check = &check, .subject = &subject, .waits = i != 1};
        ck_assert_ok(runner_new(&(struct run_options){.jobs = 1, .waiting = 3, .timeout = 60, .folder = folder},
                                &runner, &error));
        ck_assert_ok(runner_run(runner, jobs, 4, &error));
        for (size_t i = 0; i < 4; i++) {
                ck_assert_int_eq(jobs[i].kind, OUTCOME_PASS);
                job_clear(&jobs[i]);
        }
        munmap(n_begun, sizeof(int));
}
END_TEST

START_TEST(each_verdict_comes_through)
{
        void (*const functions[])(struct check_context *) = {pass, fall_short, skip, give_up};
        struct check checks[4];
        struct job jobs[4];

        run(functions, 4, 60, jobs, checks);
        ck_assert_int_eq(jobs[0].kind, OUTCOME_PASS);
        ck_assert_str_eq(jobs[0].value, "folder there");
        ck_assert_ptr_null(jobs[0].transcript);
        ck_assert_int_eq(jobs[1].kind, OUTCOME_FAIL);
        ck_assert_str_eq(jobs[1].message, "three is not 4 ?[31m");
        ck_assert_uint_eq(jobs[1].closing, 0);
        ck_assert_ptr_nonnull(strstr(jobs[1].transcript, "three is not 4"));
        ck_assert_int_eq(jobs[2].kind, OUTCOME_SKIP);
        ck_assert_str_eq(jobs[2].message, "not on a Tuesday");
        ck_assert_int_eq(jobs[3].kind, OUTCOME_ERROR);
        ck_assert_str_eq(jobs[3].message, "no idea");
        for (size_t i = 0; i < 4; i++)
                job_clear(&jobs[i]);
}
END_TEST

START_TEST(a_crash_is_the_checks_error_and_stops_nobody)
{
        void (*const functions[])(struct check_context *) = {crash, say_nothing, pass};
        struct check checks[3];
        struct job jobs[3];

        run(functions, 3, 60, jobs, checks);
        ck_assert_int_eq(jobs[0].kind, OUTCOME_ERROR);
        ck_assert_ptr_nonnull(strstr(jobs[0].message, "was ended by signal 9"));
        ck_assert_str_eq(jobs[0].log, "last words\n");
        ck_assert_int_eq(jobs[1].kind, OUTCOME_ERROR);
        ck_assert_ptr_nonnull(strstr(jobs[1].message, "exited with status 0"));
        ck_assert_int_eq(jobs[2].kind, OUTCOME_PASS);
        for (size_t i = 0; i < 3; i++)
                job_clear(&jobs[i]);
}
END_TEST

START_TEST(a_check_that_never_ends_is_ended)
{
        void (*const functions[])(struct check_context *) = {never_end, pass};
        struct check checks[2];
        struct job jobs[2];

        run(functions, 2, 0.5, jobs, checks);
        ck_assert_int_eq(jobs[0].kind, OUTCOME_FAIL);
        ck_assert_ptr_nonnull(strstr(jobs[0].message, "still under way"));
        ck_assert(jobs[0].seconds >= 0.5);
        ck_assert_int_ne(jobs[1].kind, OUTCOME_NONE);
        for (size_t i = 0; i < 2; i++)
                job_clear(&jobs[i]);
}
END_TEST

static void tell_time_limit(struct check_context *c)
{
        check_record(c, "%g s", check_timeout(c));
}

START_TEST(a_jobs_own_time_limit_goes_before_the_runs)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_runner_free) struct runner *runner = NULL;
        struct check check = {.id = "test/check", .run = tell_time_limit, .own_start = true};
        struct job jobs[] = {{.check = &check, .subject = &subject},
                             {.check = &check, .subject = &subject, .timeout = 90}};
        struct cip_error error = {0};

        ck_assert_ok(tmpdir_new("test-runner", &folder, &error));
        ck_assert_ok(
                runner_new(&(struct run_options){.jobs = 2, .timeout = 60, .folder = folder}, &runner, &error));
        ck_assert_ok(runner_run(runner, jobs, ARRAY_SIZE(jobs), &error));
        ck_assert_str_eq(jobs[0].value, "60 s");
        ck_assert_str_eq(jobs[1].value, "90 s");
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
                job_clear(&jobs[i]);
}
END_TEST

START_TEST(what_a_check_leaves_running_goes_with_it)
{
        void (*const functions[])(struct check_context *) = {leave_processes};
        struct check checks[1];
        struct job jobs[1];

        run(functions, 1, 60, jobs, checks);
        ck_assert_str_eq(jobs[0].message, "the child is still there");
        job_clear(&jobs[0]);
}
END_TEST

START_TEST(files_left_in_the_world_fall_short)
{
        void (*const functions[])(struct check_context *) = {litter};
        struct check checks[1];
        struct job jobs[1];

        run(functions, 1, 60, jobs, checks);
        ck_assert_int_eq(jobs[0].kind, OUTCOME_FAIL);
        ck_assert_uint_eq(jobs[0].closing, CLOSING_FILES);
        ck_assert_str_eq(jobs[0].message, "the server left 1 file behind: tmp/litter");
        job_clear(&jobs[0]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("runner");
        TCase *cases = testing_case(suite, "runner");

        tcase_set_timeout(cases, 120);
        tcase_add_test(cases, each_verdict_comes_through);
        tcase_add_test(cases, checks_that_wait_run_beside_the_others);
        tcase_add_test(cases, a_crash_is_the_checks_error_and_stops_nobody);
        tcase_add_test(cases, a_check_that_never_ends_is_ended);
        tcase_add_test(cases, a_jobs_own_time_limit_goes_before_the_runs);
        tcase_add_test(cases, what_a_check_leaves_running_goes_with_it);
        tcase_add_test(cases, files_left_in_the_world_fall_short);
        return testing_main(suite);
}
