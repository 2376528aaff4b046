/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine ends when it should, also when a worker dies or a signal comes, and tells each fault just once,
 * with its time; its progress does not wait for the caller.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/testing.h"
#include "fuzz/engine.h"

#define PIECES_MAX 4096

/* What the pieces do, by the test. */
struct work {
        enum { COUNT, DIE, FAIL, WAIT, FAULTS } kind;
        unsigned seen[PIECES_MAX]; /* faults by number */
        size_t n_found;
        bool whole;              /* every key was as it was written */
        double earliest, latest; /* of the faults' times */
        int progress;            /* a read end: what is written on stderr meanwhile, or 0 */
};

static int begin(void *data, size_t worker, void **ret_state, struct cip_error *error)
{
        (void)worker;
        (void)error;
        *ret_state = data;
        return 0;
}

static void end(void *state)
{
        (void)state;
}

static void fill(struct fault *fault, uint64_t number)
{
        snprintf(fault->key, sizeof(fault->key), "key %llu", (unsigned long long)number);
        memset(fault->sentence, 'x', sizeof(fault->sentence) - 1);
}

static int run(void *state, uint64_t number, int stop_fd, struct piece *ret, struct cip_error *error)
{
        struct work *work = state;
        struct pollfd stop = {stop_fd, POLLIN, 0};

        ret->steps = 1;
        switch (work->kind) {
        case DIE:
                raise(SIGKILL);
                break;
        case FAIL:
                return error_set(error, CIP_ERROR_LOCAL, -EIO, "no pumpkin");
        case WAIT:
                poll(&stop, 1, 60000);
                return error_set(error, CIP_ERROR_LOCAL, -EINTR, "interrupted");
        case FAULTS:
                ret->n_faults = 1;
                fill(&ret->faults[0], number);
                break;
        case COUNT:
        default:
                break;
        }
        return 0;
}

/* As a caller who takes his time, and is seen to. */
static void wait_for_progress(struct work *work)
{
        struct deadline deadline = deadline_in_seconds(60);
        char text[4096] = "";
        size_t len = 0;

        engine_doing("looking at %s", "it");
        while (!strstr(text, "; looking at it")) {
                struct pollfd fd = {work->progress, POLLIN, 0};
                ssize_t n;

                ck_assert_int_eq(poll(&fd, 1, deadline_poll_ms(deadline)), 1);
                n = read(work->progress, text + len, sizeof(text) - 1 - len);
                ck_assert_int_gt(n, 0);
                len += (size_t)n;
                text[len] = '\0';
        }
        engine_doing(NULL);
}

static void found(void *data, uint64_t number, const struct fault *fault)
{
        struct work *work = data;
        struct fault want = {0};

        fill(&want, number);
        work->whole &= strcmp(want.key, fault->key) == 0 && strcmp(want.sentence, fault->sentence) == 0;
        if (number < PIECES_MAX)
                work->seen[number]++;
        work->earliest = work->n_found == 0 || fault->after < work->earliest ? fault->after : work->earliest;
        work->latest = fault->after > work->latest ? fault->after : work->latest;
        work->n_found++;
        if (work->progress && work->n_found == 1)
                wait_for_progress(work);
}

static int run_engine(struct work *work, const struct engine_options *options, struct engine_result *ret,
                      struct cip_error *error)
{
        const struct engine_job job = {begin, run, end, found, work};

        work->whole = true;
        return engine_run(options, &job, ret, error);
}

START_TEST(test_steps_end_it)
{
        struct work work = {.kind = COUNT};
        struct engine_result result;
        struct cip_error error = {0};

        ck_assert_ok(run_engine(&work, &(struct engine_options){.what = "pieces", .jobs = 2, .steps = 500},
                                &result, &error));
        ck_assert_uint_ge(result.steps, 500);
        ck_assert_uint_le(result.steps, 502);
        ck_assert_int_eq(result.interrupted, 0);
}
END_TEST

START_TEST(test_every_fault_comes_whole_and_once)
{
        struct work work = {.kind = FAULTS};
        struct engine_result result;
        struct cip_error error = {0};

        ck_assert_ok(run_engine(&work, &(struct engine_options){.what = "pieces", .jobs = 4, .steps = 2000},
                                &result, &error));
        ck_assert_uint_eq(work.n_found, result.pieces);
        ck_assert(work.whole);
        for (size_t i = 0; i < PIECES_MAX; i++)
                ck_assert_uint_le(work.seen[i], 1);
        for (size_t i = 0; i < 400; i++)
                ck_assert_uint_eq(work.seen[i], 1);
}
END_TEST

START_TEST(test_a_fault_comes_with_its_time)
{
        struct work work = {.kind = FAULTS};
        struct engine_result result;
        struct cip_error error = {0};

        ck_assert_ok(run_engine(&work,
                                &(struct engine_options){.what = "pieces",
                                                         .jobs = 2,
                                                         .steps = 100,
                                                         .start = monotonic_ns() - UINT64_C(1000000000)},
                                &result, &error));
        ck_assert(work.earliest >= 1 && work.latest <= 1 + result.seconds);
}
END_TEST

START_TEST(test_progress_goes_on_while_a_fault_is_looked_at)
{
        struct work work = {.kind = FAULTS};
        struct engine_result result;
        struct cip_error error = {0};
        int ends[2], kept = dup_fd(STDERR_FILENO, 3);

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
        work.progress = ends[0];
        ck_assert_ok(run_engine(
                &work, &(struct engine_options){.what = "pieces", .jobs = 1, .steps = 3, .progress = true},
                &result, &error));
        ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
        fd_close(kept);
        fd_close(ends[0]);
        fd_close(ends[1]);
        ck_assert_uint_eq(work.n_found, 3);
}
END_TEST

START_TEST(test_time_ends_it)
{
        struct work work = {.kind = WAIT};
        struct engine_result result;
        struct cip_error error = {0};

        ck_assert_ok(run_engine(&work, &(struct engine_options){.what = "pieces", .jobs = 2, .seconds = 0.2},
                                &result, &error));
        ck_assert(result.seconds >= 0.2 && result.seconds < 30);
}
END_TEST

START_TEST(test_a_worker_that_dies_is_an_error)
{
        struct work work = {.kind = DIE};
        struct engine_result result;
        struct cip_error error = {0};

        ck_assert_errno(
                run_engine(&work, &(struct engine_options){.what = "pieces", .jobs = 2}, &result, &error),
                -ECHILD);
        ck_assert_ptr_nonnull(strstr(error.message, "signal 9"));
}
END_TEST

START_TEST(test_a_piece_that_cannot_be_run_is_an_error)
{
        struct work work = {.kind = FAIL};
        struct engine_result result;
        struct cip_error error = {0};

        ck_assert_errno(
                run_engine(&work, &(struct engine_options){.what = "pieces", .jobs = 2}, &result, &error),
                -EIO);
        ck_assert_str_eq(error.message, "no pumpkin");
}
END_TEST

START_TEST(test_a_signal_ends_it_at_once)
{
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                struct work work = {.kind = WAIT};
                struct engine_result result;
                struct cip_error error = {0};
                pid_t parent = getpid(), pid = fork();

                if (pid == 0) {
                        poll(NULL, 0, 200);
                        kill(parent, signals[i]);
                        _exit(0);
                }
                /* Where it came before the engine blocked it, it would end the test, and be noticed. */
                ck_assert_ok(run_engine(&work,
                                        &(struct engine_options){.what = "pieces", .jobs = 2, .seconds = 60},
                                        &result, &error));
                ck_assert_int_eq(result.interrupted, signals[i]);
                ck_assert(result.seconds < 30);
                (void)pid;
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("engine");
        TCase *tcase = testing_case(suite, "engine");

        tcase_add_test(tcase, test_steps_end_it);
        tcase_add_test(tcase, test_every_fault_comes_whole_and_once);
        tcase_add_test(tcase, test_a_fault_comes_with_its_time);
        tcase_add_test(tcase, test_progress_goes_on_while_a_fault_is_looked_at);
        tcase_add_test(tcase, test_time_ends_it);
        tcase_add_test(tcase, test_a_worker_that_dies_is_an_error);
        tcase_add_test(tcase, test_a_piece_that_cannot_be_run_is_an_error);
        tcase_add_test(tcase, test_a_signal_ends_it_at_once);
        return testing_main(suite);
}
