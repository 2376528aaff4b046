/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of owned descriptors, and of the counter that every other test relies on: it must notice a leak.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.h"

START_TEST(counter_notices_a_descriptor_that_is_left_open)
{
        int before = fd_count(0);
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        ck_assert_int_eq(fd_count(0), before + 1);
        fd_close(fd);
        ck_assert_int_eq(fd_count(0), before);
}
END_TEST

/* Leaks on purpose: this case must fail, and the main function below wants it to. */
START_TEST(leaks_on_purpose)
{
        ck_assert_int_ge(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}
END_TEST

START_TEST(counts_those_of_another_process)
{
        int ready[2], go[2];
        char byte;
        pid_t pid;
        int count;

        ck_assert_ok(pipe2(ready, O_CLOEXEC));
        ck_assert_ok(pipe2(go, O_CLOEXEC));
        count = fd_count(0);
        pid = fork();
        if (pid == 0) {
                fd_close(go[1]);
                if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 0)
                        _exit(1);
                _exit(0);
        }
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        ck_assert_int_eq(fd_count(pid), count - 1);
        fd_close(go[1]);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        fd_close(go[0]);
        fd_close(ready[0]);
        fd_close(ready[1]);
}
END_TEST

START_TEST(counting_an_unknown_process_is_an_error)
{
        ck_assert_errno(fd_count(0x7ffffff0), -ENOENT);
}
END_TEST

START_TEST(closing_twice_ends_the_program)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

                dup2(null, 2); /* the assertion's message */
                fd_close(fd);
                fd_close(fd);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        fd_close(fd);
        fd_close(-1);
}
END_TEST

START_TEST(cleanup_closes_and_steal_hands_on)
{
        int before = fd_count(0), stolen;

        {
                CLEANUP_FD int a = dup_fd(0, 10);
                CLEANUP_FD int b = dup_fd(0, 10);

                ck_assert_int_ge(a, 10);
                ck_assert(fcntl(a, F_GETFD) & FD_CLOEXEC);
                stolen = steal_fd(&b);
                ck_assert_int_eq(b, -1);
        }
        ck_assert_int_eq(fd_count(0), before + 1);
        fd_clear(&stolen);
        ck_assert_int_eq(stolen, -1);
        ck_assert_errno(dup_fd(-1, 0), -EBADF);
}
END_TEST

START_TEST(kinds_have_names)
{
        int ends[2], sockets[2];
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        int folder = open("/", O_RDONLY | O_CLOEXEC);
        int device = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int event = eventfd(0, EFD_CLOEXEC);

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets));
        ck_assert_str_eq(fd_kind(ends[0]), "pipe-read");
        ck_assert_str_eq(fd_kind(ends[1]), "pipe-write");
        ck_assert_str_eq(fd_kind(sockets[0]), "socket");
        ck_assert_str_eq(fd_kind(file), "file");
        ck_assert_str_eq(fd_kind(folder), "directory");
        ck_assert_str_eq(fd_kind(device), "device");
        ck_assert_str_eq(fd_kind(event), "other");
        ck_assert_str_eq(fd_kind(-1), "closed");
        ck_assert_ok(fd_set_nonblocking(ends[0], true));
        ck_assert(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
        ck_assert_ok(fd_set_nonblocking(ends[0], false));
        ck_assert(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
        ck_assert_errno(fd_set_nonblocking(-1, true), -EBADF);
        for (int i = 0; i < 2; i++) {
                fd_close(ends[i]);
                fd_close(sockets[i]);
        }
        fd_close(file);
        fd_close(folder);
        fd_close(device);
        fd_close(event);
}
END_TEST

/* Runs the case that leaks in a process that can fail, and wants the fixture to have noticed. */
START_TEST(the_fixture_fails_a_case_that_leaks)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                Suite *suite = suite_create("sanity");
                TCase *tcase = testing_case(suite, "leak");
                SRunner *runner = srunner_create(suite);
                int failed;

                tcase_add_test(tcase, leaks_on_purpose);
                srunner_set_fork_status(runner, CK_NOFORK);
                srunner_run_all(runner, CK_SILENT);
                failed = srunner_ntests_failed(runner);
                srunner_free(runner);
                _exit(failed == 1 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fd");
        TCase *tcase = testing_case(suite, "fd");

        tcase_add_test(tcase, counter_notices_a_descriptor_that_is_left_open);
        tcase_add_test(tcase, counts_those_of_another_process);
        tcase_add_test(tcase, counting_an_unknown_process_is_an_error);
        tcase_add_test(tcase, closing_twice_ends_the_program);
        tcase_add_test(tcase, cleanup_closes_and_steal_hands_on);
        tcase_add_test(tcase, kinds_have_names);
        tcase_add_test(tcase, the_fixture_fails_a_case_that_leaks);
        return testing_main(suite);
}
