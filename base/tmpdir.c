/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Temporary folders and their janitor: a forked process that holds one end of a socket, is told each folder's
 * path, and removes those that are left when every other end is closed, that is, when this process and all that
 * it forked without exec are gone. A forked process that makes folders of its own starts a janitor of its own.
 */
#include "base/tmpdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"

/* This process's janitor. Programs have one thread that makes folders; libcip makes none. */
static struct {
        pid_t owner; /* whose it is: a forked process finds its parent's here */
        pid_t pid;
        int socket;
        size_t n_folders;
        bool has_more; /* a folder could not be removed here, for want of descriptors say */
} janitor = {.socket = -1};

/* ---- removing ---- */

static int remove_folder(int dir_fd, const char *path);

static int remove_folder_content(int fd)
{
        DIR *directory = fdopendir(fd);
        struct dirent *entry;
        int result = 0;

        if (!directory) {
                result = -errno;
                fd_close(fd);
                return result;
        }
        while ((entry = readdir(directory))) {
                int r;

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                r = entry->d_type == DT_DIR ? remove_folder(dirfd(directory), entry->d_name)
                                            : remove_tree_at(dirfd(directory), entry->d_name);
                if (r < 0 && result == 0)
                        result = r;
        }
        closedir(directory);
        return result;
}

static int remove_folder(int dir_fd, const char *path)
{
        int fd, r;

        /* Many are empty. */
        if (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == EACCES && fchmodat(dir_fd, path, 0700, 0) == 0)
                fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        fchmod(fd, 0700);
        r = remove_folder_content(fd);
        if (unlinkat(dir_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT && r == 0)
                r = -errno;
        return r;
}

int remove_tree_at(int dir_fd, const char *path)
{
        if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
                return 0;
        /* Linux says EISDIR, others EPERM; without write permission on @dir_fd it is EACCES as well. */
        return errno == EISDIR || errno == EPERM ? remove_folder(dir_fd, path) : -errno;
}

/* ---- the janitor's process ---- */

/* Reads "+PATH" and "-PATH", each NUL-terminated, and keeps those that are there. Then removes them. */
static _Noreturn void run_janitor(int end)
{
        CLEANUP(cleanup_free) char *said = NULL;
        size_t len = 0;
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        setpgid(0, 0);
        prctl(PR_SET_NAME, "cip-janitor");
        /* Nobody who reads our stdout or stderr to its end shall wait for this process. */
        if (end > 0)
                syscall(SYS_close_range, 0U, (unsigned)end - 1, 0U);
        syscall(SYS_close_range, (unsigned)end + 1, ~0U, 0U);
        if (read_to_end(end, SIZE_MAX, DEADLINE_NEVER, &said, &len) < 0)
                _exit(1);
        for (char *word = said; word < said + len; word += strlen(word) + 1) {
                if (*word != '-')
                        continue;
                for (char *other = said; other < word; other += strlen(other) + 1)
                        if (*other == '+' && strcmp(other + 1, word + 1) == 0)
                                *other = ' ';
        }
        for (char *word = said; word < said + len; word += strlen(word) + 1)
                if (*word == '+')
                        remove_tree_at(AT_FDCWD, word + 1);
        _exit(0);
}

static int start_janitor(void)
{
        int ends[2];

        if (janitor.owner == getpid() && janitor.socket >= 0)
                return 0;
        fd_clear(&janitor.socket);
        janitor.n_folders = 0;
        janitor.has_more = false;
        /* No pipe: that would end us with SIGPIPE where the janitor is gone. */
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        janitor.pid = fork();
        if (janitor.pid == 0)
                run_janitor(ends[0]);
        /* Here too, and not only there: before there is a folder, it is out of reach of what ends our group. */
        setpgid(janitor.pid, janitor.pid);
        fd_close(ends[0]);
        if (janitor.pid < 0) {
                int r = -errno;

                fd_close(ends[1]);
                return r;
        }
        janitor.socket = ends[1];
        janitor.owner = getpid();
        return 0;
}

/* With the last folder gone there is nothing for it to do. What could not be removed here it removes. */
static void stop_janitor(void)
{
        if (!janitor.has_more) {
                kill(janitor.pid, SIGKILL);
                while (waitpid(janitor.pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        janitor.has_more = false;
        fd_clear(&janitor.socket);
}

static int tell_janitor(char sign, const char *path)
{
        char word[PATH_MAX + 2];
        int len = snprintf(word, sizeof(word), "%c%s", sign, path);

        if (len < 0 || (size_t)len >= sizeof(word))
                return -ENAMETOOLONG;
        for (size_t done = 0; done < (size_t)len + 1;) {
                ssize_t n = send(janitor.socket, word + done, (size_t)len + 1 - done, MSG_NOSIGNAL);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n < 0 ? 0 : (size_t)n;
        }
        return 0;
}

/* ---- folders ---- */

/*
 * The janitor hears of the folder before there is one: who is killed between the two leaves nothing behind. So
 * the name is chosen here, and so long that nobody else has it.
 */
static int make_folder(const char *path)
{
        int r = tell_janitor('+', path);

        if (r < 0)
                return r;
        if (mkdir(path, 0700) == 0)
                return 0;
        r = -errno;
        tell_janitor('-', path);
        return r;
}

static int make_named(const char *parent, const char *prefix, char **ret_path)
{
        CLEANUP(cleanup_free) char *path = NULL;
        uint64_t number;
        int r;

        do
                r = (int)getrandom(&number, sizeof(number), 0);
        while (r < 0 && errno == EINTR);
        if (r != (int)sizeof(number))
                return -EIO;
        if (asprintf(&path, "%s/%s-%016" PRIx64, parent, prefix, number) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = make_folder(path);
        if (r < 0)
                return r;
        *ret_path = STEAL(path);
        return 0;
}

int tmpdir_new(const char *prefix, char **ret_path, struct cip_error *error)
{
        const char *parent = getenv("TMPDIR");
        int r;

        if (!parent || parent[0] != '/')
                parent = "/tmp";
        r = start_janitor();
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r,
                                       "cannot start the temporary folders' janitor");
        r = make_named(parent, prefix, ret_path);
        if (r == 0)
                janitor.n_folders++;
        else if (janitor.n_folders == 0)
                stop_janitor();
        return r < 0 ? error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot make a temporary folder in %s",
                                       parent)
                     : 0;
}

void tmpdir_remove(char *take_path)
{
        int r;

        if (!take_path)
                return;
        r = remove_tree_at(AT_FDCWD, take_path);
        if (janitor.owner == getpid() && janitor.socket >= 0) {
                if (r == 0)
                        tell_janitor('-', take_path);
                else
                        janitor.has_more = true;
                if (--janitor.n_folders == 0)
                        stop_janitor();
        }
        free(take_path);
}
