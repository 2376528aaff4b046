/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of whole reads and writes, with their bounds.
 */
#include "base/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/testing.h"
#include "base/tmpdir.h"

#define BIG ((size_t)300000)

static void *write_big(void *data)
{
        int fd = *(int *)data;
        char *big = malloc(BIG);

        memset(big, 'b', BIG);
        if (write_all(fd, big, BIG) < 0)
                abort();
        free(big);
        fd_close(fd);
        return NULL;
}

/* More than a pipe holds goes through whole, with a writer that may not block too. */
START_TEST(big_data_arrive_whole)
{
        int ends[2];
        char *data;
        size_t len;
        pthread_t thread;

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_ok(fd_set_nonblocking(ends[1], _i));
        ck_assert_ok(fd_set_nonblocking(ends[0], _i));
        pthread_create(&thread, NULL, write_big, &ends[1]);
        ck_assert_ok(read_to_end(ends[0], BIG, DEADLINE_NEVER, &data, &len));
        pthread_join(thread, NULL);
        ck_assert_uint_eq(len, BIG);
        ck_assert_int_eq(data[BIG - 1], 'b');
        ck_assert_int_eq(data[BIG], '\0');
        free(data);
        fd_close(ends[0]);
}
END_TEST

START_TEST(too_much_and_too_late_are_errors)
{
        int ends[2];
        char *data;
        size_t len;

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_ok(write_all(ends[1], "12345", 5));
        ck_assert_errno(read_to_end(ends[0], 4, DEADLINE_NEVER, &data, &len), -EFBIG);
        ck_assert_errno(read_to_end(ends[0], 4, deadline_in_ms(10), &data, &len), -ETIMEDOUT);
        fd_close(ends[1]);
        ck_assert_ok(read_to_end(ends[0], 0, DEADLINE_NEVER, &data, &len));
        ck_assert_uint_eq(len, 0);
        free(data);
        fd_close(ends[0]);
        ck_assert_errno(read_to_end(ends[0], 0, DEADLINE_NEVER, &data, &len), -EBADF);
        ck_assert_errno(write_all(ends[0], "x", 1), -EBADF);
}
END_TEST

START_TEST(files_are_read_and_replaced_whole)
{
        char *folder, *data;
        struct cip_error error;
        size_t len;
        int fd;

        ck_assert_ok(tmpdir_new("test-io", &folder, &error));
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_errno(read_file_at(fd, "none", 10, &data, &len, &error), -ENOENT);
        ck_assert_str_eq(error.message, "cannot open none: No such file or directory");
        ck_assert_ok(replace_file_at(fd, "file", "first", 5, &error));
        ck_assert_ok(replace_file_at(fd, "file", "second", 6, &error));
        ck_assert_ok(read_file_at(fd, "file", 6, &data, &len, &error));
        ck_assert_str_eq(data, "second");
        free(data);
        ck_assert_errno(read_file_at(fd, "file", 5, &data, &len, &error), -EFBIG);
        ck_assert_errno(read_file_at(fd, ".", 5, &data, &len, &error), -EISDIR);
        ck_assert_ok(mkfifoat(fd, "fifo", 0600));
        ck_assert_errno(read_file_at(fd, "fifo", 5, &data, &len, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "no regular file"));
        ck_assert_errno(replace_file_at(fd, "none/file", "x", 1, &error), -ENOENT);
        ck_assert_ok(mkdirat(fd, "folder", 0700));
        ck_assert_errno(replace_file_at(fd, "folder", "x", 1, &error), -EISDIR);
        fd_close(fd);
        tmpdir_remove(folder);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("io");
        TCase *tcase = testing_case(suite, "io");

        tcase_add_loop_test(tcase, big_data_arrive_whole, 0, 2);
        tcase_add_test(tcase, too_much_and_too_late_are_errors);
        tcase_add_test(tcase, files_are_read_and_replaced_whole);
        return testing_main(suite);
}
