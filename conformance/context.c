/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A check under way: from the fork, which is the runner's, to the verdict, which ends the process. Also the one
 * wait that everything in a check goes through: it ends at the check's deadline, and takes in the server's
 * stderr meanwhile.
 */
#include "conformance/context.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/tmpdir.h"
#include "conformance/catalogue.h"
#include "conformance/descendants.h"
#include "conformance/selection.h"
#include "fakeregistry/registry.h"

/* How long a server may take to be gone, once it has begun to go, before a message says that it still runs. */
#define END_GRACE_MS 2000

const char *check_text(struct check_context *c, const char *format, ...)
{
        char *text = NULL;
        va_list args;

        va_start(args, format);
        if (vasprintf(&text, format, args) < 0)
                text = NULL;
        va_end(args);
        if (!text)
                check_error(c, "out of memory");
        return text;
}

/* ---- the verdict ---- */

static void keep_stderr_tail(struct check_context *c)
{
        size_t len, skip;
        const char *text;

        if (!c->child)
                return;
        child_read_stderr(c->child);
        text = child_stderr(c->child, &len);
        skip = len < OUTCOME_STDERR_SIZE ? 0 : len - OUTCOME_STDERR_SIZE + 1;
        memcpy(c->outcome->stderr_tail, text + skip, len - skip);
        c->outcome->stderr_tail[len - skip] = '\0';
}

/* Ends the server, leaves the verdict, ends the process. */
static _Noreturn void conclude(struct check_context *c, enum outcome_kind kind)
{
        keep_stderr_tail(c);
        child_free(c->child);
        c->outcome->server = 0;
        descendants_end_all();
        transcript_free(c->transcript);
        remove_tree_at(AT_FDCWD, c->folder);
        c->outcome->kind = kind;
        _exit(0);
}

__attribute__((format(printf, 3, 0))) static _Noreturn void
conclude_with(struct check_context *c, enum outcome_kind kind, const char *format, va_list args)
{
        char text[CIP_ERROR_MESSAGE_SIZE];

        vsnprintf(text, sizeof(text), format, args);
        text_make_safe(c->outcome->message, sizeof(c->outcome->message), text, strlen(text));
        transcript_note(c->transcript, "%s", c->outcome->message);
        conclude(c, kind);
}

void check_fail(struct check_context *c, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        conclude_with(c, OUTCOME_FAIL, format, args);
        va_end(args);
}

void check_error(struct check_context *c, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        conclude_with(c, OUTCOME_ERROR, format, args);
        va_end(args);
}

void check_skip(struct check_context *c, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        conclude_with(c, OUTCOME_SKIP, format, args);
        va_end(args);
}

void check_record(struct check_context *c, const char *format, ...)
{
        char text[OUTCOME_VALUE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_safe(c->outcome->value, sizeof(c->outcome->value), text, strlen(text));
}

/* ---- waiting ---- */

void context_doing(struct check_context *c, const char *format, ...)
{
        char text[OUTCOME_DOING_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_safe(c->outcome->doing, sizeof(c->outcome->doing), text, strlen(text));
}

short context_wait(struct check_context *c, int fd, short events, struct deadline limit)
{
        limit = deadline_min(limit, c->deadline);
        for (;;) {
                struct pollfd fds[] = {
                        {.fd = fd, .events = events},
                        {.fd = c->child ? child_stderr_fd(c->child) : -1, .events = POLLIN},
                };
                int r = poll(fds, ARRAY_SIZE(fds), deadline_poll_ms(limit));

                if (r < 0 && errno != EINTR)
                        check_error(c, "cannot wait: %s", strerror(errno));
                if (r > 0 && fds[1].revents)
                        child_read_stderr(c->child);
                if (r > 0 && fds[0].revents)
                        return fds[0].revents;
                if (deadline_passed(limit))
                        return 0;
        }
}

/* ---- what became of the server ---- */

const char *context_stderr_line(struct check_context *c)
{
        static const char *const telling[] = {"panic: ",     "fatal error: ",           "WARNING: DATA RACE",
                                              "level=fatal", "ERROR: AddressSanitizer", "runtime error: "};
        const char *text, *line = NULL;
        size_t len;
        char *safe;

        if (!c->child)
                return "";
        child_read_stderr(c->child);
        text = child_stderr(c->child, &len);
        while (len && strchr("\n\r ", text[len - 1]))
                len--;
        for (size_t i = 0; i < ARRAY_SIZE(telling) && !line; i++) {
                line = memmem(text, len, telling[i], strlen(telling[i]));
                while (line && line > text && line[-1] != '\n')
                        line--;
        }
        if (!line) {
                line = memrchr(text, '\n', len);
                line = line ? line + 1 : text;
        }
        len -= (size_t)(line - text);
        if (memchr(line, '\n', len))
                len = (size_t)((const char *)memchr(line, '\n', len) - line);
        safe = malloc(512);
        if (!safe)
                return "";
        text_make_safe(safe, 512, line, len);
        return safe;
}

const char *context_server_state(struct check_context *c)
{
        char status[96];
        const char *line;

        if (!c->child)
                return "was not started";
        if (!c->ended &&
            child_wait(c->child, deadline_min(deadline_in_ms(END_GRACE_MS), c->deadline), &c->status) == 0)
                c->ended = true;
        if (!c->ended)
                return "still runs";
        line = context_stderr_line(c);
        return check_text(c, "%s%s%s%s", child_status_text(c->status, status, sizeof(status)),
                          *line ? " (stderr: " : "", line, *line ? ")" : "");
}

/* ---- from the fork to the end ---- */

/* The server's process group, for the signal handler. */
static volatile pid_t *server_group;

/* The runner is gone, or wants us to go: nothing of ours may stay. */
static void end_at_once(int signal_number)
{
        if (*server_group > 0)
                kill(-*server_group, SIGKILL);
        descendants_end_all();
        _exit(128 + signal_number);
}

static void prepare_process(struct outcome *outcome)
{
        struct sigaction end = {.sa_handler = end_at_once}, ignore = {.sa_handler = SIG_IGN};
        struct rlimit no_core = {0, 0};
        sigset_t none;

        server_group = &outcome->server;
        sigaction(SIGTERM, &end, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
        sigaction(SIGINT, &ignore, NULL);
        /* What the server leaves behind becomes our child, where the closing questions find it. */
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        setrlimit(RLIMIT_CORE, &no_core);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static void open_transcript(struct check_context *c, const char *path)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        if (fd < 0 || transcript_new(steal_fd(&fd), &c->transcript) < 0)
                check_error(c, "cannot write the transcript %s: %s", path, strerror(errno));
}

static bool needs_docker(const struct check *check)
{
        const struct check_group *group = selection_group(&server_catalogue, check);

        return group && group->needs_docker;
}

static _Noreturn void skip_without_docker(struct check_context *c)
{
        const char *problem = c->subject->docker_problem;

        if (problem && *problem)
                check_skip(c, "no registry can be had here: %s", problem);
        check_skip(c, "the server has no docker transport: it connects to no registry");
}

int context_prepare(const struct check *check, const struct subject *subject, struct cip_error *error)
{
        return needs_docker(check) && subject->has_docker ? registry_prepare(error) : 0;
}

_Noreturn void context_run(const struct assignment *assignment)
{
        struct check_context c = {
                .check = assignment->check,
                .subject = assignment->subject,
                .folder = assignment->folder,
                .transcript_path = assignment->transcript,
                .timeout = assignment->timeout,
                .outcome = assignment->outcome,
                .deadline = deadline_in_seconds(assignment->timeout),
                .socket = -1,
                .asked = "",
        };
        struct cip_error error = {0};

        prepare_process(c.outcome);
        if (mkdir(c.folder, 0700) < 0)
                check_error(&c, "cannot make the folder %s: %s", c.folder, strerror(errno));
        open_transcript(&c, assignment->transcript);
        if (world_new(c.folder, c.subject->environment, &c.world, &error) < 0)
                check_error(&c, "%s", error.message);
        if (needs_docker(c.check) && !c.subject->has_docker)
                skip_without_docker(&c);
        if (!c.check->own_start)
                check_start(&c, NULL);
        c.check->run(&c);
        if (c.child)
                closing_session(&c);
        closing_world(&c);
        if (c.closing_text)
                check_fail(&c, "%s", c.closing_text);
        conclude(&c, OUTCOME_PASS);
}

double check_timeout(struct check_context *c)
{
        return c->timeout;
}

void check_end_transcript(struct check_context *c)
{
        transcript_note(c->transcript, "what follows is not written down");
        transcript_free(STEAL(c->transcript));
}

const char *check_folder(struct check_context *c)
{
        return c->folder;
}
