/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading /proc. A process that ends meanwhile counts as one that has nothing and does nothing.
 */
#include "conformance/observe.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"

/* Pipes, sockets and files count; what a language's runtime keeps open for itself does not. */
static bool is_counted(int folder, const char *name)
{
        char target[64];
        struct stat st;
        ssize_t n;

        if (fstatat(folder, name, &st, 0) < 0)
                return false;
        if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
                return true;
        if (!S_ISREG(st.st_mode))
                return false;
        n = readlinkat(folder, name, target, sizeof(target) - 1);
        if (n < 0)
                return false;
        target[n] = '\0';
        return strncmp(target, "/sys/", 5) != 0 && strncmp(target, "/proc/", 6) != 0;
}

void observed_clear(struct observed *observed)
{
        while (observed->n > 0)
                fd_close(observed->fds[--observed->n]);
}

/* Reads a file of /proc and leaves it open in @observed, where that is wanted and there is room. */
static bool read_kept(int folder, const char *path, struct observed *observed, char **ret)
{
        CLEANUP_FD int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
        size_t len;

        if (fd < 0 || read_to_end(fd, 65536, DEADLINE_NEVER, ret, &len) < 0)
                return false;
        if (observed && observed->n < ARRAY_SIZE(observed->fds))
                observed->fds[observed->n++] = steal_fd(&fd);
        return true;
}

/* What @observed has; it is empty then. */
static struct observed take_kept(struct observed *observed)
{
        struct observed before = {0};

        if (observed) {
                before = *observed;
                observed->n = 0;
        }
        return before;
}

/*
 * Calls @visit for the process and all that it started and has not lost: a server may be a wrapper that waits
 * for the one that does the work. A kernel that does not tell of children leaves it at the process.
 */
static void visit_processes(pid_t pid, struct observed *observed, void (*visit)(pid_t pid, void *data),
                            void *data)
{
        CLEANUP(cleanup_free) char *children = NULL;
        char path[64], *at, *end;
        struct dirent *entry;
        DIR *dir;

        visit(pid, data);
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        dir = opendir(path);
        while (dir && (entry = readdir(dir))) {
                snprintf(path, sizeof(path), "%.20s/children", entry->d_name);
                if (entry->d_name[0] == '.' || !read_kept(dirfd(dir), path, observed, &children))
                        continue;
                for (at = children;; at = end) {
                        pid_t child = (pid_t)strtol(at, &end, 10);

                        if (end == at)
                                break;
                        visit_processes(child, observed, visit, data);
                }
                free(STEAL(children));
        }
        if (dir)
                closedir(dir);
}

static void count_fds(pid_t pid, void *data)
{
        size_t *n = data;
        char path[64];
        struct dirent *entry;
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        dir = opendir(path);
        while (dir && (entry = readdir(dir)))
                *n += entry->d_name[0] != '.' && is_counted(dirfd(dir), entry->d_name);
        if (dir)
                closedir(dir);
}

size_t observe_fds(pid_t pid, struct observed *observed)
{
        struct observed before = take_kept(observed);
        size_t n = 0;

        visit_processes(pid, observed, count_fds, &n);
        observed_clear(&before);
        return n;
}

/* The sum of a status file's lines, "RssAnon:      148 kB", that begin with one of @names. */
static size_t sum_kib(const char *status, const char *const *names, size_t n_names)
{
        size_t sum = 0;

        for (size_t i = 0; i < n_names; i++) {
                const char *line = strstr(status, names[i]);

                sum += line ? strtoull(line + strlen(names[i]), NULL, 10) : 0;
        }
        return sum;
}

static void add_use(pid_t pid, void *data)
{
        static const char *const own[] = {"\nRssAnon:", "\nRssShmem:"}, *const threads[] = {"\nThreads:"};
        CLEANUP(cleanup_free) char *status = NULL;
        struct process_use *use = data;
        char path[64];
        size_t len;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        if (read_file_at(AT_FDCWD, path, 65536, &status, &len, NULL) < 0)
                return;
        use->memory_kib += sum_kib(status, own, ARRAY_SIZE(own));
        use->threads += sum_kib(status, threads, ARRAY_SIZE(threads));
}

void observe_use(pid_t pid, struct process_use *ret)
{
        *ret = (struct process_use){.fds = observe_fds(pid, NULL)};
        visit_processes(pid, NULL, add_use, ret);
}

struct activity {
        bool asleep;
        uint64_t cpu_ns;
        struct observed *observed;
};

/* One thread's state and CPU time so far. */
static void look_at_thread(int folder, const char *tid, struct activity *activity)
{
        CLEANUP(cleanup_free) char *stat_text = NULL, *times = NULL;
        char path[64];
        const char *state;

        snprintf(path, sizeof(path), "%.20s/schedstat", tid);
        if (read_kept(folder, path, activity->observed, &times))
                activity->cpu_ns += strtoull(times, NULL, 10);
        snprintf(path, sizeof(path), "%.20s/stat", tid);
        if (!read_kept(folder, path, activity->observed, &stat_text))
                return; /* the thread has ended */
        state = strrchr(stat_text, ')');
        if (!state || !state[1] || !strchr("SIZX", state[2]))
                activity->asleep = false;
}

static void look_at_process(pid_t pid, void *data)
{
        struct activity *activity = data;
        struct dirent *entry;
        char path[64];
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        dir = opendir(path);
        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        look_at_thread(dirfd(dir), entry->d_name, activity);
        if (dir)
                closedir(dir);
}

bool observe_sleeps(pid_t pid, struct observed *observed, uint64_t *ret_cpu_ns)
{
        struct observed before = take_kept(observed);
        struct activity activity = {.asleep = true, .observed = observed};

        visit_processes(pid, observed, look_at_process, &activity);
        observed_clear(&before);
        *ret_cpu_ns = activity.cpu_ns;
        return activity.asleep;
}
