/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of temporary folders: private, and gone in every case.
 */
#include "base/tmpdir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/testing.h"

static void put_file(const char *folder, const char *name)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        fd_close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        ck_assert_ok(access(path, F_OK));
}

START_TEST(folder_is_private_and_goes_with_its_content)
{
        char *folder, *other;
        char path[4096];
        struct cip_error error;
        struct stat st;

        ck_assert_ok(tmpdir_new("test", &folder, &error));
        ck_assert_ok(tmpdir_new("test", &other, &error));
        ck_assert_ok(stat(folder, &st));
        ck_assert_uint_eq(st.st_mode & 07777, 0700);
        snprintf(path, sizeof(path), "%s/a", folder);
        ck_assert_ok(mkdir(path, 0700));
        put_file(path, "file");
        ck_assert_ok(chmod(path, 0500));
        snprintf(path, sizeof(path), "%s/link", folder);
        ck_assert_ok(symlink(other, path));
        put_file(other, "kept");
        snprintf(path, sizeof(path), "%s", folder);
        tmpdir_remove(folder);
        ck_assert_int_eq(access(path, F_OK), -1);
        snprintf(path, sizeof(path), "%s/kept", other);
        ck_assert_ok(access(path, F_OK));
        tmpdir_remove(other);
        tmpdir_remove(NULL);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_an_error)
{
        char *folder;
        struct cip_error error;

        setenv("TMPDIR", "/proc", 1);
        ck_assert_int_lt(tmpdir_new("test", &folder, &error), 0);
        ck_assert_ptr_nonnull(strstr(error.message, "cannot make a temporary folder in /proc"));
        setenv("TMPDIR", "not-absolute", 1);
        ck_assert_ok(tmpdir_new("test", &folder, &error));
        ck_assert_int_eq(strncmp(folder, "/tmp/test-", 10), 0);
        tmpdir_remove(folder);
        unsetenv("TMPDIR");
}
END_TEST

static const int deaths[] = {SIGKILL, SIGINT, SIGTERM, 0};

/* A process with two folders, one of them removed, that ends by a signal, or by exit without removing. */
START_TEST(folder_goes_when_its_process_dies)
{
        char *outer, *folder, *gone;
        char path[4096], name[256] = "";
        struct cip_error error;
        int ends[2], notify, status;
        pid_t pid;

        ck_assert_ok(tmpdir_new("outer", &outer, &error));
        setenv("TMPDIR", outer, 1);
        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        pid = fork();
        if (pid == 0) {
                signal(SIGINT, SIG_DFL); /* libcheck has handlers of its own */
                signal(SIGTERM, SIG_DFL);
                if (tmpdir_new("gone", &gone, NULL) < 0 || tmpdir_new("inner", &folder, NULL) < 0)
                        _exit(1);
                tmpdir_remove(gone);
                put_file(folder, "file");
                if (write(ends[1], folder, strlen(folder) + 1) < 0)
                        _exit(1);
                if (!deaths[_i])
                        _exit(0);
                for (;;)
                        pause();
        }
        ck_assert_int_gt(read(ends[0], name, sizeof(name) - 1), 0);
        notify = inotify_init1(IN_CLOEXEC);
        ck_assert_int_ge(inotify_add_watch(notify, outer, IN_DELETE), 0);
        if (deaths[_i])
                kill(pid, deaths[_i]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(WTERMSIG(status), deaths[_i]);
        if (access(name, F_OK) == 0)
                ck_assert_int_gt(read(notify, path, sizeof(path)), 0);
        ck_assert_int_eq(access(name, F_OK), -1);
        fd_close(notify);
        fd_close(ends[0]);
        fd_close(ends[1]);
        unsetenv("TMPDIR");
        tmpdir_remove(outer);
}
END_TEST

/* Built with --wrap=mkdir: a process can die at the moment in which its folder has come to be. */
static bool die_in_mkdir;

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);

int __wrap_mkdir(const char *path, mode_t mode)
{
        int r = __real_mkdir(path, mode);

        if (die_in_mkdir)
                kill(getpid(), SIGKILL);
        return r;
}

START_TEST(folder_goes_when_its_process_is_killed_while_it_makes_it)
{
        char *outer, *folder;
        struct cip_error error;
        struct stat st;
        int status, notify;
        char event[4096];
        pid_t pid;

        ck_assert_ok(tmpdir_new("outer", &outer, &error));
        notify = inotify_init1(IN_CLOEXEC);
        ck_assert_int_ge(inotify_add_watch(notify, outer, IN_DELETE), 0);
        setenv("TMPDIR", outer, 1);
        pid = fork();
        if (pid == 0) {
                die_in_mkdir = true;
                tmpdir_new("inner", &folder, NULL);
                _exit(1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        ck_assert_int_gt(read(notify, event, sizeof(event)), 0);
        ck_assert_ok(stat(outer, &st));
        ck_assert_uint_eq(st.st_nlink, 2); /* no folder in it */
        fd_close(notify);
        unsetenv("TMPDIR");
        tmpdir_remove(outer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("tmpdir");
        TCase *tcase = testing_case(suite, "tmpdir");

        tcase_add_test(tcase, folder_is_private_and_goes_with_its_content);
        tcase_add_test(tcase, a_folder_that_cannot_be_made_is_an_error);
        tcase_add_loop_test(tcase, folder_goes_when_its_process_dies, 0, sizeof(deaths) / sizeof(deaths[0]));
        tcase_add_test(tcase, folder_goes_when_its_process_is_killed_while_it_makes_it);
        return testing_main(suite);
}
