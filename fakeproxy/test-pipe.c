/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pipes that are filled without waiting.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/testing.h"
#include "fakeproxy/pipe.h"

static char scratch[PIPE_CHUNK];

/* A pipe whose content is a file of @size bytes, the byte at i being i * 7. */
static struct pipe *file_pipe(size_t size, int *ret_read_fd)
{
        struct pipe *pipe;
        char *data = malloc(size + 1);
        int fd = memfd_create("content", MFD_CLOEXEC);

        ck_assert_ptr_nonnull(data);
        for (size_t i = 0; i < size; i++)
                data[i] = (char)(i * 7);
        ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
        free(data);
        ck_assert_ok(pipe_new(size, &pipe, ret_read_fd));
        pipe->source_fd = fd;
        pipe->size = size;
        pipe->id = 5;
        return pipe;
}

/* Pumps and reads until the pipe is done, and empty. Returns how many bytes came, the first of them in @ret. */
static size_t drain(struct pipe *pipe, int fd, char *ret, size_t size)
{
        struct deadline deadline = deadline_in_ms(60000);
        size_t n = 0;

        ck_assert_ok(fd_set_nonblocking(fd, true));
        for (;;) {
                char byte[4096];
                ssize_t got;

                (void)pipe_pump(pipe, scratch);
                got = read(fd, byte, sizeof(byte));
                if (got > 0 && n < size)
                        memcpy(ret + n, byte, (size_t)got < size - n ? (size_t)got : size - n);
                if (got > 0)
                        n += (size_t)got;
                if (got <= 0 && pipe->done)
                        return n;
                ck_assert(!deadline_passed(deadline));
        }
}

/* Content that is sent by steps: what arrives. */
static size_t run_steps(const struct data_step *steps, const char *content, char *ret, size_t size)
{
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = NULL;
        int fd CLEANUP_FD = -1;

        ck_assert_ok(pipe_new(0, &pipe, &fd));
        ck_assert_ok(pipe_set_memory(pipe, content, strlen(content)));
        pipe->step = steps;
        return drain(pipe, fd, ret, size);
}

START_TEST(test_a_file_larger_than_the_pipe_goes_through_whole)
{
        enum { SIZE = 300001 };
        int fd CLEANUP_FD = -1;
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = file_pipe(SIZE, &fd);
        char *data CLEANUP(cleanup_free) = malloc(SIZE);

        pipe->verify_size = true;
        pipe->expected_size = SIZE;
        ck_assert_uint_eq(drain(pipe, fd, data, SIZE), SIZE);
        for (size_t i = 0; i < SIZE; i++)
                ck_assert_int_eq(data[i], (char)(i * 7));
        ck_assert_ptr_null(pipe->error);
        ck_assert_int_ge(pipe->write_fd, 0);
}
END_TEST

START_TEST(test_a_pipe_that_is_full_does_not_wait)
{
        int fd CLEANUP_FD = -1;
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = file_pipe(200000, &fd);

        ck_assert(pipe_pump(pipe, scratch));
        ck_assert(!pipe->done);
        ck_assert(!pipe_pump(pipe, scratch));
        ck_assert(pipe_wants_room(pipe, 0));
}
END_TEST

START_TEST(test_digest_and_size_are_judged_at_the_end)
{
        static const struct {
                uint64_t size;
                bool wrong_digest;
                const char *error;
        } cases[] = {{100000, false, NULL},
                     {99999, false, "expected 99999 bytes in blob, got 100000"},
                     {100000, true, "corrupted blob, expecting sha256:00"},
                     {1, true, "corrupted blob"}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int fd CLEANUP_FD = -1;
                struct pipe *pipe CLEANUP(cleanup_pipe_free) = file_pipe(100000, &fd);
                char *data CLEANUP(cleanup_free) = malloc(100000);

                for (size_t j = 0; j < 100000; j++)
                        data[j] = (char)(j * 7);
                ck_assert_ok(digest_of(DIGEST_SHA256, data, 100000, pipe->expected_digest));
                if (cases[i].wrong_digest)
                        memset(pipe->expected_digest + 7, '0', 64);
                ck_assert_ok(digest_new(DIGEST_SHA256, &pipe->digest));
                pipe->verify_size = true;
                pipe->expected_size = cases[i].size;
                ck_assert_uint_eq(drain(pipe, fd, data, 0), 100000);
                if (!cases[i].error)
                        ck_assert_ptr_null(pipe->error);
                else
                        ck_assert_ptr_nonnull(strstr(pipe->error, cases[i].error));
        }
}
END_TEST

START_TEST(test_a_reader_that_leaves_is_reported)
{
        int fd = -1;
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = file_pipe(200000, &fd);

        signal(SIGPIPE, SIG_IGN);
        (void)pipe_pump(pipe, scratch);
        fd_clear(&fd);
        (void)pipe_pump(pipe, scratch);
        ck_assert(pipe->done);
        ck_assert_int_eq(pipe->code, ERROR_CODE_EPIPE);
        ck_assert_str_eq(pipe->error, "write |1: broken pipe");
}
END_TEST

START_TEST(test_steps_change_what_is_sent)
{
        static const struct data_step cut[] = {{DATA_SEND, 3}, {DATA_END}, {DATA_REST}};
        static const struct data_step flip[] = {{DATA_SEND, 1}, {DATA_FLIP, 1}, {DATA_REST}};
        static const struct data_step skip[] = {{DATA_SKIP, 2}, {DATA_REST}};
        static const struct data_step more[] = {
                {DATA_SEND, DATA_ALL}, {DATA_BYTES, .bytes = BYTES("xyz")}, {DATA_REST}};
        static const struct data_step zeros[] = {{DATA_ZEROS, 100000}, {DATA_END}, {DATA_REST}};
        static const struct data_step drip[] = {{DATA_DRIP, 3}, {DATA_WAIT, 2}, {DATA_REST}};
        char got[64] = {0};

        ck_assert_uint_eq(run_steps(cut, "abcdef", got, sizeof(got)), 3);
        ck_assert_int_eq(memcmp(got, "abc", 3), 0);
        ck_assert_uint_eq(run_steps(flip, "abc", got, sizeof(got)), 3);
        ck_assert_int_eq(memcmp(got,
                                "a\x9d"
                                "c",
                                3),
                         0);
        ck_assert_uint_eq(run_steps(skip, "abc", got, sizeof(got)), 1);
        ck_assert_int_eq(got[0], 'c');
        ck_assert_uint_eq(run_steps(more, "abc", got, sizeof(got)), 6);
        ck_assert_int_eq(memcmp(got, "abcxyz", 6), 0);
        ck_assert_uint_eq(run_steps(zeros, "abc", got, sizeof(got)), 100000);
        ck_assert_int_eq(got[63], 0);
        ck_assert_uint_eq(run_steps(drip, "abcdef", got, sizeof(got)), 6);
        ck_assert_int_eq(memcmp(got, "abcdef", 6), 0);
}
END_TEST

START_TEST(test_a_stalled_pipe_is_never_done_and_a_failed_one_says_so)
{
        static const struct data_step stall[] = {{DATA_SEND, 1}, {DATA_STALL}, {DATA_REST}};
        static const struct data_step fail[] = {{DATA_FAIL, .bytes = BYTES("it broke")}, {DATA_REST}};
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = NULL, *broken CLEANUP(cleanup_pipe_free) = NULL;
        int fd CLEANUP_FD = -1, broken_fd CLEANUP_FD = -1;

        ck_assert_ok(pipe_new(0, &pipe, &fd));
        ck_assert_ok(pipe_set_memory(pipe, "abc", 3));
        pipe->step = stall;
        (void)pipe_pump(pipe, scratch);
        ck_assert(!pipe->done && !pipe_wants_room(pipe, UINT64_MAX));

        ck_assert_ok(pipe_new(0, &broken, &broken_fd));
        broken->step = fail;
        (void)pipe_pump(broken, scratch);
        ck_assert(broken->done);
        ck_assert_str_eq(broken->error, "it broke");
}
END_TEST

START_TEST(test_a_closing_step_ends_the_pipe_for_its_reader)
{
        static const struct data_step close_early[] = {{DATA_SEND, DATA_ALL}, {DATA_CLOSE}, {DATA_REST}};
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = NULL;
        int fd CLEANUP_FD = -1;
        char got[8];

        ck_assert_ok(pipe_new(0, &pipe, &fd));
        ck_assert_ok(pipe_set_memory(pipe, "abc", 3));
        pipe->id = 5;
        pipe->step = close_early;
        (void)pipe_pump(pipe, scratch);
        ck_assert_int_eq(read(fd, got, sizeof(got)), 3);
        ck_assert_int_eq(read(fd, got, sizeof(got)), 0);
}
END_TEST

START_TEST(test_an_error_pipe_learns_what_went_wrong)
{
        int fd = -1, error_fd CLEANUP_FD = -1;
        struct pipe *pipe CLEANUP(cleanup_pipe_free) = file_pipe(200000, &fd);
        struct pipe *errors CLEANUP(cleanup_pipe_free) = NULL;
        char got[200] = {0};

        signal(SIGPIPE, SIG_IGN);
        ck_assert_ok(pipe_new(0, &errors, &error_fd));
        errors->held = errors->closes_when_done = true;
        pipe->error_pipe = errors;
        ck_assert(!pipe_wants_room(errors, 0));
        fd_clear(&fd);
        (void)pipe_pump(pipe, scratch);
        ck_assert_uint_gt(drain(errors, error_fd, got, sizeof(got) - 1), 0);
        ck_assert_str_eq(got, "{\"code\":\"EPIPE\",\"message\":\"write |1: broken pipe\"}");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pipe");
        TCase *tcase = testing_case(suite, "pipe");

        tcase_add_test(tcase, test_a_file_larger_than_the_pipe_goes_through_whole);
        tcase_add_test(tcase, test_a_pipe_that_is_full_does_not_wait);
        tcase_add_test(tcase, test_digest_and_size_are_judged_at_the_end);
        tcase_add_test(tcase, test_a_reader_that_leaves_is_reported);
        tcase_add_test(tcase, test_steps_change_what_is_sent);
        tcase_add_test(tcase, test_a_stalled_pipe_is_never_done_and_a_failed_one_says_so);
        tcase_add_test(tcase, test_a_closing_step_ends_the_pipe_for_its_reader);
        tcase_add_test(tcase, test_an_error_pipe_learns_what_went_wrong);
        return testing_main(suite);
}
