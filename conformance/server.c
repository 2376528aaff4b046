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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "conformance/context.h"
#include "conformance/observe.h"

/* A server is asleep that slept at so many looks in a row, so far apart, and used less CPU time than this. */
#define IDLE_LOOKS 4
#define IDLE_LOOK_MS 10
#define IDLE_CPU_NS UINT64_C(2000000)

static const struct server_start usual_start;

/* ---- start ---- */

/* What stands in the socket's place and is none that a server can use. -1 with errno. */
static int make_odd_socket(struct check_context *c, enum server_socket kind)
{
        int ends[2];

        switch (kind) {
        case SERVER_FILE:
                return open(check_text(c, "%s/no-socket", check_folder(c)), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        case SERVER_FOLDER:
                return open(check_folder(c), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        case SERVER_PIPE:
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -1;
                fd_close(ends[1]);
                return ends[0];
        case SERVER_TERMINAL:
                /* The other end stays open with this process. */
                ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
                if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0)
                        return -1;
                return open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
        case SERVER_DATAGRAM:
                return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        case SERVER_UNCONNECTED:
                return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        default:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        }
}

static bool is_odd(enum server_socket kind)
{
        return kind != SERVER_SEQPACKET && kind != SERVER_STREAM;
}

/* The two ends of what the server gets as its socket; ours is -1 where it is no socket that can be used. */
static void make_socket(struct check_context *c, enum server_socket kind, int *ret_theirs)
{
        int ends[2];

        if (is_odd(kind)) {
                *ret_theirs = make_odd_socket(c, kind);
                if (*ret_theirs < 0)
                        check_error(c, "cannot make what stands in the socket's place: %s", strerror(errno));
                return;
        }
        if (socketpair(AF_UNIX, (kind == SERVER_STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0,
                       ends) < 0)
                check_error(c, "cannot make a socket: %s", strerror(errno));
        c->socket = ends[0];
        *ret_theirs = ends[1];
}

/* Whether a variable is one of those that @changes names. */
static bool is_changed(const char *variable, const char *const *changes)
{
        size_t len = strcspn(variable, "=");

        for (size_t i = 0; changes && changes[i]; i++)
                if (strncmp(changes[i], variable, len) == 0 && strchr("=", changes[i][len]))
                        return true;
        return false;
}

/*
 * The world's environment with what @changes says. An array for the caller to free; the strings are borrowed.
 */
static const char **environment(struct check_context *c, const char *const *changes)
{
        const char *const *world = world_environment(c->world);
        const char **changed;
        size_t n = 0;

        for (size_t i = 0; world[i]; i++)
                n++;
        for (size_t i = 0; changes && changes[i]; i++)
                n++;
        changed = calloc(n + 1, sizeof(*changed));
        if (!changed)
                check_error(c, "out of memory");
        n = 0;
        for (size_t i = 0; world[i]; i++)
                if (!is_changed(world[i], changes))
                        changed[n++] = world[i];
        for (size_t i = 0; changes && changes[i]; i++)
                if (strchr(changes[i], '='))
                        changed[n++] = changes[i];
        return changed;
}

static void start_process(struct check_context *c, const struct server_start *start)
{
        const char **envp = environment(c, start->environment);
        int theirs = -1, target = 0;
        const char **argv = subject_argv(c->subject, start, &target);
        struct cip_error error = {0};
        struct child_fd fds[3];
        size_t n_fds = 0;
        int r;

        if (!argv)
                check_error(c, "out of memory");
        make_socket(c, start->socket, &theirs);
        if (start->socket != SERVER_CLOSED)
                fds[n_fds++] = (struct child_fd){theirs, target};
        if (start->stdout_fd)
                fds[n_fds++] = (struct child_fd){start->stdout_fd, 1};
        if (start->more_fd)
                fds[n_fds++] = (struct child_fd){start->more_fd, start->more_target};
        r = child_start(
                &(struct child_spec){
                        .argv = argv,
                        .envp = envp,
                        .fds = fds,
                        .n_fds = n_fds,
                        .close_stdin = start->socket == SERVER_CLOSED,
                },
                &c->child, &error);
        fd_close(theirs);
        free(argv);
        free(envp);
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
        if (!start->no_initialize && !is_odd(start->socket))
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

bool check_has_ended(struct check_context *c)
{
        if (c->child && !c->ended && child_wait(c->child, deadline_in_ms(0), &c->status) == 0) {
                transcript_exit(c->transcript, c->status);
                c->ended = true;
        }
        return c->ended;
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

size_t check_server_fds(struct check_context *c)
{
        size_t n = observe_fds(check_server_pid(c), &c->seen_fds);

        if (n == 0)
                check_error(c, "cannot see the server's descriptors in /proc/%d/fd: %s",
                            (int)check_server_pid(c), strerror(errno));
        return n;
}

void check_server_use(struct check_context *c, struct process_use *ret)
{
        observe_use(check_server_pid(c), ret);
        if (!ret->fds || !ret->memory_kib || !ret->threads)
                check_error(c, "cannot see the server's descriptors, memory and threads in /proc/%d",
                            (int)check_server_pid(c));
}

bool context_server_sleeps(struct check_context *c, struct deadline limit, int stop_fd)
{
        uint64_t cpu_at_first = 0, cpu;
        unsigned looks = 0;

        limit = deadline_min(limit, c->deadline);
        while (!deadline_passed(limit)) {
                if (!observe_sleeps(check_server_pid(c), &c->seen_threads, &cpu)) {
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
