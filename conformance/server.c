/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and ending the server of a check, and what can be seen of its process from outside: descriptors by
 * /proc/PID/fd, idleness by its threads' states and their use of CPU time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "conformance/context.h"

/* A server is asleep that slept at so many looks in a row, so far apart, and used less CPU time than this. */
#define IDLE_LOOKS 4
#define IDLE_LOOK_MS 10
#define IDLE_CPU_NS UINT64_C(2000000)

static const struct server_start usual_start;

/* ---- start ---- */

/* The two ends of what the server gets as its socket; ours is -1 for SERVER_NOTHING. */
static void make_socket(struct check_context *c, enum server_socket kind, int *ret_theirs)
{
        int ends[2];

        if (kind == SERVER_NOTHING) {
                *ret_theirs = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (*ret_theirs < 0)
                        check_error(c, "cannot open /dev/null: %s", strerror(errno));
                return;
        }
        if (socketpair(AF_UNIX, (kind == SERVER_STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0,
                       ends) < 0)
                check_error(c, "cannot make a socket: %s", strerror(errno));
        c->socket = ends[0];
        *ret_theirs = ends[1];
}

static void start_process(struct check_context *c, const struct server_start *start)
{
        int theirs = -1, target = 0;
        const char **argv = subject_argv(c->subject, start, &target);
        struct cip_error error = {0};
        int r;

        if (!argv)
                check_error(c, "out of memory");
        make_socket(c, start->socket, &theirs);
        r = child_start(
                &(struct child_spec){
                        .argv = argv,
                        .envp = world_environment(c->world),
                        .fds = &(struct child_fd){theirs, target},
                        .n_fds = 1,
                },
                &c->child, &error);
        fd_close(theirs);
        free(argv);
        if (r < 0)
                check_error(c, "%s", error.message);
        c->outcome->server = child_pid(c->child);
}

static void initialize(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text;

        check_call_ok(c, &answer, "Initialize", "[]");
        text = json_object_get_string(answer.value);
        if (!json_object_is_type(answer.value, json_type_string) || version_parse(text, &c->version) < 0)
                check_fail(c, "Initialize announced %s, which is no version of the protocol",
                           json_object_to_json_string(answer.value));
        if (version_compare(c->subject->version, (struct version){0}) != 0 &&
            version_compare(c->subject->version, c->version) != 0)
                check_fail(c, "Initialize announced %s, and another version before", text);
        c->fds_at_start = check_server_fds(c);
        c->counted = true;
}

void check_start(struct check_context *c, const struct server_start *start)
{
        if (!start)
                start = &usual_start;
        if (!subject_can_start(c->subject, start))
                check_skip(c, "needs the command line of skopeo, and the profile is bare");
        if (c->child)
                closing_session(c);
        c->version = (struct version){0};
        c->asked = "";
        c->counted = false;
        context_doing(c, "starting the server");
        start_process(c, start);
        if (!start->no_initialize && start->socket != SERVER_NOTHING)
                initialize(c);
}

/* ---- end ---- */

void check_hang_up(struct check_context *c)
{
        c->end_is_due = true;
        fd_clear(&c->socket);
}

int check_wait_exit(struct check_context *c)
{
        if (!c->child)
                check_error(c, "the check waits for a server that it did not start");
        context_doing(c, "waiting for the server's end");
        c->end_is_due = true;
        if (!c->ended && child_wait(c->child, c->deadline, &c->status) < 0)
                check_fail(c, "the server did not end within %g s%s%s", c->timeout,
                           *c->asked ? "; it was asked last: " : "", c->asked);
        if (!c->ended)
                transcript_exit(c->transcript, c->status);
        c->ended = true;
        return c->status;
}

int check_stop(struct check_context *c)
{
        check_hang_up(c);
        return check_wait_exit(c);
}

void check_expect_exit(struct check_context *c, int status)
{
        c->expect_exit = status;
        c->end_is_due = true;
}

void check_expect_open(struct check_context *c)
{
        c->expect_open = true;
}

void check_expect_stderr(struct check_context *c)
{
        c->expect_stderr = true;
}

/* ---- looking at it ---- */

pid_t check_server_pid(struct check_context *c)
{
        return c->child ? child_pid(c->child) : 0;
}

int check_socket(struct check_context *c)
{
        return c->socket;
}

struct version check_version(struct check_context *c)
{
        return c->version;
}

const char *check_stderr(struct check_context *c)
{
        if (!c->child)
                return "";
        child_read_stderr(c->child);
        return child_stderr(c->child, NULL);
}

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

/*
 * Calls @visit for the process and all that it started and has not lost: a server may be a wrapper that waits for
 * the one that does the work. A kernel that does not tell of children leaves it at the process.
 */
static void visit_processes(pid_t pid, void (*visit)(pid_t pid, void *data), void *data)
{
        CLEANUP(cleanup_free) char *children = NULL;
        char path[64], *at, *end;
        struct dirent *entry;
        size_t len;
        DIR *dir;

        visit(pid, data);
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        dir = opendir(path);
        while (dir && (entry = readdir(dir))) {
                snprintf(path, sizeof(path), "%.20s/children", entry->d_name);
                if (entry->d_name[0] == '.' || read_file_at(dirfd(dir), path, 65536, &children, &len, NULL) < 0)
                        continue;
                for (at = children;; at = end) {
                        pid_t child = (pid_t)strtol(at, &end, 10);

                        if (end == at)
                                break;
                        visit_processes(child, visit, data);
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

size_t check_server_fds(struct check_context *c)
{
        size_t n = 0;

        visit_processes(check_server_pid(c), count_fds, &n);
        if (n == 0)
                check_error(c, "cannot see the server's descriptors in /proc/%d/fd: %s",
                            (int)check_server_pid(c), strerror(errno));
        return n;
}

/* One thread's state and CPU time so far. False: it is not asleep. */
static bool thread_sleeps(int folder, const char *tid, uint64_t *cpu_ns)
{
        CLEANUP(cleanup_free) char *stat_text = NULL, *times = NULL;
        char path[64];
        const char *state;
        size_t len;

        snprintf(path, sizeof(path), "%.20s/schedstat", tid);
        if (read_file_at(folder, path, 4096, &times, &len, NULL) == 0)
                *cpu_ns += strtoull(times, NULL, 10);
        snprintf(path, sizeof(path), "%.20s/stat", tid);
        if (read_file_at(folder, path, 4096, &stat_text, &len, NULL) < 0)
                return true; /* the thread has ended */
        state = strrchr(stat_text, ')');
        return state && state[1] && strchr("SIZX", state[2]);
}

struct activity {
        bool asleep;
        uint64_t cpu_ns;
};

static void look_at_process(pid_t pid, void *data)
{
        struct activity *activity = data;
        struct dirent *entry;
        char path[64];
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        dir = opendir(path);
        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && !thread_sleeps(dirfd(dir), entry->d_name, &activity->cpu_ns))
                        activity->asleep = false;
        if (dir)
                closedir(dir);
}

static bool server_sleeps(struct check_context *c, uint64_t *ret_cpu_ns)
{
        struct activity activity = {.asleep = true};

        visit_processes(check_server_pid(c), look_at_process, &activity);
        *ret_cpu_ns = activity.cpu_ns;
        return activity.asleep;
}

bool context_server_sleeps(struct check_context *c, struct deadline limit, int stop_fd)
{
        uint64_t cpu_at_first = 0, cpu;
        unsigned looks = 0;

        limit = deadline_min(limit, c->deadline);
        while (!deadline_passed(limit)) {
                if (!server_sleeps(c, &cpu)) {
                        looks = 0;
                } else if (looks == 0 || cpu - cpu_at_first > IDLE_CPU_NS) {
                        looks = 1;
                        cpu_at_first = cpu;
                } else if (++looks >= IDLE_LOOKS) {
                        return true;
                }
                if (context_wait(c, stop_fd, POLLIN, deadline_in_ms(IDLE_LOOK_MS)) != 0)
                        return false;
        }
        return false;
}
