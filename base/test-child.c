/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of child processes: what they get, how they end, and that none is left.
 */
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

/* There to end a hang. */
#define PATIENCE deadline_in_ms(60000)

static struct child *start(const struct child_spec *spec)
{
        struct child *child;
        struct cip_error error;

        ck_assert_msg(child_start(spec, &child, &error) == 0, "%s", error.message);
        return child;
}

static int wait_status(struct child *child)
{
        int status;

        ck_assert_ok(child_wait(child, PATIENCE, &status));
        return status;
}

START_TEST(status_and_stderr_are_kept)
{
        struct child *child = start(&(struct child_spec){.argv = SHELL("echo one; echo two >&2; exit 7")});
        int status = wait_status(child);
        size_t len;
        char text[100];

        ck_assert_int_eq(WEXITSTATUS(status), 7);
        ck_assert_int_eq(wait_status(child), status);
        ck_assert_str_eq(child_stderr(child, &len), "two\n");
        ck_assert_uint_eq(len, 4);
        ck_assert_uint_eq(child_stderr_total(child), 4);
        ck_assert_int_eq(child_stderr_fd(child), -1);
        ck_assert_str_eq(child_status_text(status, text, sizeof(text)), "exited with status 7");
        child_free(child);
}
END_TEST

START_TEST(signals_are_told_from_exits)
{
        struct child *child = start(&(struct child_spec){.argv = SHELL("kill -TERM $$")});
        char text[100];

        ck_assert_str_eq(child_status_text(wait_status(child), text, sizeof(text)),
                         "was ended by signal 15 (Terminated)");
        child_free(child);
        ck_assert_ptr_nonnull(strstr(child_status_text(-1, text, sizeof(text)), "somebody else"));
}
END_TEST

START_TEST(only_the_last_64_kib_of_a_flood_are_kept)
{
        struct child *child = start(
                &(struct child_spec){.argv = SHELL("yes 123456789 | head -c 1000000 >&2; echo the end >&2")});
        const char *tail;
        size_t len;

        ck_assert_int_eq(wait_status(child), 0);
        tail = child_stderr(child, &len);
        ck_assert_uint_eq(child_stderr_total(child), 1000008);
        ck_assert_uint_le(len, CHILD_STDERR_TAIL);
        ck_assert_uint_gt(len, CHILD_STDERR_TAIL / 2);
        ck_assert_str_eq(tail + len - 8, "the end\n");
        child_free(child);
}
END_TEST

static const struct {
        const char *command;
        int errnum;
} not_startable[] = {
        {"/nowhere/at-all", -ENOENT},
        {"no-such-command-anywhere", -ENOENT},
        {"", -ENOENT},
        {"/tmp", -EISDIR},
        {"/etc/passwd", -EACCES},
        {"/dev/null/x", -ENOTDIR},
};

START_TEST(a_command_that_cannot_be_started_is_named)
{
        struct child *child;
        struct cip_error error;
        /* Not the user's own PATH, which may have a folder that this user may not look into. */
        struct child_spec spec = {
                .argv = (const char *const[]){not_startable[_i].command, NULL},
                .envp = (const char *const[]){"PATH=/usr/bin:/bin", NULL},
        };

        ck_assert_errno(child_start(&spec, &child, &error), not_startable[_i].errnum);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_ptr_nonnull(strstr(error.message, not_startable[_i].command));
        ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
}
END_TEST

/* Like a shell: a file that may not be run is told only where no other folder has one. */
START_TEST(a_search_goes_on_behind_a_file_that_is_no_program)
{
        char *folder;
        CLEANUP(cleanup_free) char *file = NULL, *both = NULL, *alone = NULL;
        const char *envp[] = {NULL, NULL};
        struct child_spec spec = {.argv = (const char *const[]){"true", NULL}, .envp = envp};
        struct cip_error error;
        struct child *child;

        ck_assert_ok(tmpdir_new("child", &folder, &error));
        ck_assert_int_gt(asprintf(&file, "%s/true", folder), 0);
        ck_assert_int_gt(asprintf(&alone, "PATH=%s", folder), 0);
        ck_assert_int_gt(asprintf(&both, "PATH=%s:/usr/bin:/bin", folder), 0);
        fd_close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        envp[0] = alone;
        ck_assert_errno(child_start(&spec, &child, &error), -EACCES);
        envp[0] = both;
        child = start(&spec);
        ck_assert_int_eq(wait_status(child), 0);
        child_free(child);
        tmpdir_remove(folder);
}
END_TEST

START_TEST(without_a_path_there_is_the_usual_one)
{
        const char *const envp[] = {NULL};
        struct child *child =
                start(&(struct child_spec){.argv = (const char *const[]){"true", NULL}, .envp = envp});

        ck_assert_int_eq(wait_status(child), 0);
        child_free(child);
}
END_TEST

START_TEST(environment_folder_and_descriptors_are_as_named)
{
        int a[2], b[2];
        struct child *child;
        char *text;
        size_t len;
        const char *const env[] = {"PATH=/usr/bin:/bin", "WORD=hello", NULL};

        ck_assert_ok(pipe2(a, O_CLOEXEC));
        ck_assert_ok(pipe2(b, O_CLOEXEC));
        ck_assert_ok(write_all(b[1], "input\n", 6));
        /* Each target is the number of the other's source, or would be. */
        const struct child_fd fds[] = {{a[1], b[0]}, {b[0], a[1]}};
        CLEANUP(cleanup_free) char *script = NULL;

        ck_assert_int_gt(asprintf(&script,
                                  "read line <&%d; echo \"$line $WORD $(pwd)\" >&%d; ls /proc/self/fd | tr "
                                  "'\\n' ' ' >&%d",
                                  a[1], b[0], b[0]),
                         0);
        child = start(&(struct child_spec){
                .argv = SHELL(script), .envp = env, .cwd = "/proc", .fds = fds, .n_fds = 2});
        ck_assert_int_eq(wait_status(child), 0);
        child_free(child);
        fd_close(a[1]);
        ck_assert_ok(read_to_end(a[0], 1000, PATIENCE, &text, &len));
        ck_assert_ptr_nonnull(strstr(text, "input hello /proc\n"));
        /* 0, 1, 2, the two that it was given, and the one that ls has open itself. */
        len = 0;
        for (char *at = strchr(text, '\n') + 1; *at; at++)
                len += *at == ' ';
        ck_assert_uint_eq(len, 6);
        free(text);
        fd_close(a[0]);
        fd_close(b[0]);
        fd_close(b[1]);
}
END_TEST

START_TEST(what_the_caller_forgot_to_mark_is_not_inherited)
{
        int fd = dup(0);
        struct child *child;
        CLEANUP(cleanup_free) char *script = NULL;

        ck_assert_int_gt(asprintf(&script, "test ! -e /proc/self/fd/%d", fd), 0);
        child = start(&(struct child_spec){.argv = SHELL(script)});
        ck_assert_int_eq(wait_status(child), 0);
        child_free(child);
        fd_close(fd);
}
END_TEST

START_TEST(stdin_can_be_closed)
{
        struct child *child =
                start(&(struct child_spec){.argv = SHELL("test ! -e /proc/$$/fd/0"), .close_stdin = true});

        ck_assert_int_eq(wait_status(child), 0);
        child_free(child);
}
END_TEST

START_TEST(signals_are_as_new_in_the_child)
{
        const unsigned long ignore[8] = {(unsigned long)SIG_IGN};
        sigset_t set;
        struct child *child;

        signal(SIGPIPE, SIG_IGN);
        /* One that libc keeps to itself. */
        ck_assert_ok(syscall(SYS_rt_sigaction, 33, ignore, NULL, 8));
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        /* Not through a shell, which blocks signals of its own for moments. Status 1: no line matches. */
        child = start(
                &(struct child_spec){.argv = (const char *const[]){"grep", "-E", "^Sig(Blk|Ign):.*[1-9a-f]",
                                                                   "/proc/self/status", NULL}});
        ck_assert_int_eq(WEXITSTATUS(wait_status(child)), 1);
        child_free(child);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        signal(SIGPIPE, SIG_DFL);
}
END_TEST

/* The last process of a group has gone when nobody holds the pipe's write end any more. */
START_TEST(the_whole_group_is_ended)
{
        int ends[2], status;
        struct child *child;
        char byte;

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        child = start(&(struct child_spec){
                .argv = SHELL("(echo x >&3; exec sleep 1000) & wait"),
                .fds = &(struct child_fd){ends[1], 3},
                .n_fds = 1,
        });
        fd_close(ends[1]);
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        ck_assert_errno(child_wait(child, deadline_in_ms(1), &status), -ETIMEDOUT);
        child_free(child);
        ck_assert_int_eq(read(ends[0], &status, 1) == 1 ? read(ends[0], &byte, 1) : 0, 0);
        fd_close(ends[0]);
}
END_TEST

START_TEST(the_child_dies_with_its_parent)
{
        int ends[2], status;
        char byte;
        pid_t pid;

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        pid = fork();
        if (pid == 0) {
                start(&(struct child_spec){
                        .argv = SHELL("echo >&3; exec sleep 1000"),
                        .fds = &(struct child_fd){ends[1], 3},
                        .n_fds = 1,
                });
                fd_close(ends[1]);
                for (;;)
                        pause();
        }
        fd_close(ends[1]);
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(read(ends[0], &byte, 1), 0);
        fd_close(ends[0]);
}
END_TEST

static void *start_sleeper(void *unused)
{
        (void)unused;
        return start(&(struct child_spec){.argv = SHELL("exec sleep 1000")});
}

START_TEST(the_child_outlives_the_thread_that_started_it)
{
        pthread_t thread;
        void *child;
        int status;

        pthread_create(&thread, NULL, start_sleeper, NULL);
        pthread_join(thread, &child);
        ck_assert_errno(child_wait(child, deadline_in_ms(50), &status), -ETIMEDOUT);
        child_signal(child, SIGTERM);
        ck_assert_int_eq(WTERMSIG(wait_status(child)), SIGTERM);
        child_free(child);
}
END_TEST

START_TEST(a_failed_start_in_a_thread_leaves_nothing)
{
        struct child *child;

        ck_assert_errno(child_start(&(struct child_spec){.argv = (const char *const[]){"/nowhere", NULL}},
                                    &child, NULL),
                        -ENOENT);
        ck_assert_errno(
                child_start(&(struct child_spec){.argv = SHELL("true"), .cwd = "/nowhere"}, &child, NULL),
                -ENOENT);
        child_free(NULL);
}
END_TEST

static void *failed_start(void *unused)
{
        struct child *child;

        (void)unused;
        ck_assert_errno(
                child_start(&(struct child_spec){.argv = SHELL("true"), .cwd = "/nowhere"}, &child, NULL),
                -ENOENT);
        return NULL;
}

START_TEST(a_failed_start_off_the_main_thread_leaves_nothing)
{
        pthread_t thread;

        pthread_create(&thread, NULL, failed_start, NULL);
        pthread_join(thread, NULL);
        ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
}
END_TEST

/* The caller lets the kernel reap its children: the status is lost, the end is not. */
START_TEST(a_caller_that_ignores_sigchld_still_sees_the_end)
{
        struct child *child;

        signal(SIGCHLD, SIG_IGN);
        child = start(&(struct child_spec){.argv = SHELL("exit 3")});
        ck_assert_int_eq(wait_status(child), -1);
        child_signal(child, SIGTERM);
        child_free(child);
        signal(SIGCHLD, SIG_DFL);
}
END_TEST

/* The caller's own wait for any child takes ours: noticed, and nobody else is signalled. */
START_TEST(a_caller_that_reaps_everything_is_survived)
{
        struct child *child = start(&(struct child_spec){.argv = SHELL("exit 3")});
        int status;

        ck_assert_int_eq(waitpid(-1, &status, 0), child_pid(child));
        ck_assert_int_eq(wait_status(child), -1);
        child_free(child);
}
END_TEST

START_TEST(other_children_of_the_caller_are_left_to_it)
{
        pid_t pid = fork();
        struct child *child;
        int status;

        if (pid == 0)
                _exit(5);
        child = start(&(struct child_spec){.argv = SHELL("true")});
        wait_status(child);
        child_free(child);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(WEXITSTATUS(status), 5);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("child");
        TCase *tcase = testing_case(suite, "child");

        tcase_add_test(tcase, status_and_stderr_are_kept);
        tcase_add_test(tcase, signals_are_told_from_exits);
        tcase_add_test(tcase, only_the_last_64_kib_of_a_flood_are_kept);
        tcase_add_loop_test(tcase, a_command_that_cannot_be_started_is_named, 0,
                            sizeof(not_startable) / sizeof(not_startable[0]));
        tcase_add_test(tcase, a_search_goes_on_behind_a_file_that_is_no_program);
        tcase_add_test(tcase, without_a_path_there_is_the_usual_one);
        tcase_add_test(tcase, environment_folder_and_descriptors_are_as_named);
        tcase_add_test(tcase, what_the_caller_forgot_to_mark_is_not_inherited);
        tcase_add_test(tcase, stdin_can_be_closed);
        tcase_add_test(tcase, signals_are_as_new_in_the_child);
        tcase_add_test(tcase, the_whole_group_is_ended);
        tcase_add_test(tcase, the_child_dies_with_its_parent);
        tcase_add_test(tcase, the_child_outlives_the_thread_that_started_it);
        tcase_add_test(tcase, a_failed_start_in_a_thread_leaves_nothing);
        tcase_add_test(tcase, a_failed_start_off_the_main_thread_leaves_nothing);
        tcase_add_test(tcase, a_caller_that_ignores_sigchld_still_sees_the_end);
        tcase_add_test(tcase, a_caller_that_reaps_everything_is_survived);
        tcase_add_test(tcase, other_children_of_the_caller_are_left_to_it);
        return testing_main(suite);
}
