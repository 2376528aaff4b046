/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at processes: a shell that waits for another stands for a server behind a wrapper. What a look leaves
 * open is replaced by the next, and gone when it is cleared.
 */
#include "conformance/observe.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/testing.h"

/*
 * A shell that has said a word on a socket, which is its stdin and stdout, and waits for one, where it is to.
 */
struct shell {
        struct child *child;
        int socket; /* our end */
};

static void start(const char *script, struct shell *ret)
{
        const char *argv[] = {"sh", "-c", script, NULL};
        int ends[2];
        char word;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        ck_assert_ok(child_start(&(struct child_spec){.argv = argv,
                                                      .fds = (struct child_fd[]){{ends[1], 0}, {ends[1], 1}},
                                                      .n_fds = 2},
                                 &ret->child, NULL));
        fd_close(ends[1]);
        ck_assert_int_eq(read(ends[0], &word, 1), 1);
        ret->socket = ends[0];
}

static void end(struct shell *shell)
{
        child_free(shell->child);
        fd_close(shell->socket);
}

START_TEST(what_a_look_leaves_open_is_replaced_by_the_next)
{
        struct observed observed = {0};
        struct shell shell;
        uint64_t cpu;
        size_t kept;

        start("echo; read word", &shell);
        /* Its stdin, stdout and stderr. */
        ck_assert_uint_eq(observe_fds(child_pid(shell.child), &observed), 3);
        kept = observed.n;
        ck_assert_uint_ge(kept, 1);
        for (int i = 0; i < 10; i++)
                ck_assert_uint_eq(observe_fds(child_pid(shell.child), &observed), 3);
        ck_assert_uint_eq(observed.n, kept);
        observe_sleeps(child_pid(shell.child), &observed, &cpu);
        ck_assert_uint_gt(observed.n, kept);
        observed_clear(&observed);
        ck_assert_uint_eq(observed.n, 0);
        end(&shell);
}
END_TEST

START_TEST(what_a_wrapper_started_counts)
{
        struct observed observed = {0};
        struct shell shell;

        start("sh -c 'echo; read word'; :", &shell);
        ck_assert_uint_eq(observe_fds(child_pid(shell.child), &observed), 6);
        ck_assert_uint_eq(observe_fds(child_pid(shell.child), NULL), 6);
        observed_clear(&observed);
        end(&shell);
}
END_TEST

START_TEST(a_process_that_has_ended_has_nothing)
{
        struct observed observed = {0};
        struct shell shell;
        int status;
        pid_t pid;

        start("echo", &shell);
        pid = child_pid(shell.child);
        ck_assert_ok(child_wait(shell.child, deadline_in_seconds(60), &status));
        child_reap(shell.child);
        ck_assert_uint_eq(observe_fds(pid, &observed), 0);
        ck_assert_uint_eq(observed.n, 0);
        end(&shell);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("observe");
        TCase *cases = testing_case(suite, "observe");

        tcase_add_test(cases, what_a_look_leaves_open_is_replaced_by_the_next);
        tcase_add_test(cases, what_a_wrapper_started_counts);
        tcase_add_test(cases, a_process_that_has_ended_has_nothing);
        return testing_main(suite);
}
