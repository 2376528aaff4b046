/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a session: starting the server, the handshake, its good end, and every bad one. When it breaks,
 * the first reason is kept for all later calls, and the server is killed at once. What happens in between is
 * in exchange.c.
 */
#include "client/session.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "client/options.h"

/*
 * For how long a pipe may be silent before the server is asked whether that was all. Not less: while it is
 * asked, it answers nothing else, and a slow network falls silent for some tenths of a second all the time.
 */
#define SILENCE_MS 1000

/* The largest packet that the server may want to send. */
#define PACKET_ROOM (4 * 1024 * 1024)

/* How long a server that has closed its socket may take to end, so that its status can be told. */
#define END_GRACE_MS 1000

/* How long a server may take to end after Shutdown, if the request deadline is not shorter. */
#define SHUTDOWN_MS 30000

/* As much of the server's stderr as an error message quotes. */
#define QUOTE_MAX 1000

const char *cip_version(void)
{
        return CIP_VERSION;
}

/* ---- start ---- */

/* The oldest protocol that is spoken here, and every later one of the same major and minor version. */
static bool version_fits(struct version version)
{
        struct version oldest = VERSION_OLDEST;

        return version.major == oldest.major && version.minor == oldest.minor && version.patch >= oldest.patch;
}

static int take_version(struct cip_session *session, const struct answer *answer)
{
        CLEANUP(cleanup_json) struct json_object *announced = json_object_get(answer->reply.value);
        const char *text = json_object_get_string(announced);
        struct cip_error error = {0};
        char oldest[VERSION_TEXT_SIZE];
        int r = text ? version_parse(text, &session->version) : -EINVAL;

        if (r < 0 || !version_fits(session->version))
                return session_break(
                        session, CIP_ERROR_PROTOCOL, -EPROTONOSUPPORT,
                        "%s speaks protocol version \"%s\", which does not fit: %s or later of %u.%u "
                        "is needed",
                        session->name, text ? text : "", version_format(VERSION_OLDEST, oldest),
                        VERSION_OLDEST.major, VERSION_OLDEST.minor);
        version_format(session->version, session->version_text);
        r = reply_check(&answer->reply, &methods[METHOD_INITIALIZE], session->version, 0, &error);
        if (r < 0)
                return session_break(session, CIP_ERROR_PROTOCOL, r, "Initialize: %s", error.message);
        return 0;
}

static int handshake(struct cip_session *session, struct cip_error *error)
{
        CLEANUP_ANSWER struct answer answer = ANSWER_NONE;
        int r = session_call(session, "Initialize", NULL, NULL, &answer, error);

        if (r < 0)
                return r;
        r = take_version(session, &answer);
        if (r < 0 && error)
                *error = session->reason;
        return r;
}

static int fill_session(struct cip_session *session, const struct cip_options *options)
{
        int r = 0;

        session->request_timeout_ms = options->request_timeout_ms;
        session->stall_timeout_ms = options->stall_timeout_ms;
        session->silence_ms = SILENCE_MS;
        /* Until it has announced its own, a reply is judged by the rules of the oldest. */
        session->version = VERSION_OLDEST;
        session->name = strdup(options_command_name(options));
        if (!session->name)
                return -ENOMEM;
        if (options->cancel_fd >= 0) {
                session->cancel_fd = dup_fd(options->cancel_fd, 3);
                if (session->cancel_fd < 0)
                        return session->cancel_fd;
        }
        if (options->transcript_fd >= 0) {
                r = dup_fd(options->transcript_fd, 3);
                if (r >= 0)
                        r = transcript_new(r, &session->transcript);
        }
        return r;
}

int session_from_socket(const struct cip_options *options, int take_socket, struct child *take_child,
                        struct cip_session **ret, struct cip_error *error)
{
        CLEANUP(cleanup_session_unref) struct cip_session *session = calloc(1, sizeof(*session));
        int r = -ENOMEM;

        if (session) {
                session->references = 1;
                session->socket = take_socket;
                session->child = take_child;
                session->cancel_fd = -1;
                r = fill_session(session, options);
        } else {
                fd_close(take_socket);
                child_free(take_child);
        }
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot open a session");
        r = handshake(session, error);
        if (r < 0)
                return r;
        *ret = STEAL(session);
        return 0;
}

static int start_session(const struct cip_options *options, struct cip_session **ret, struct cip_error *error)
{
        CLEANUP_FD int ours = -1;
        CLEANUP_FD int theirs = -1;
        struct child *child;
        int ends[2];
        int r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make a socket pair");
        ours = ends[0];
        theirs = ends[1];
        /*
         * GetLayerInfo's reply must fit in one packet, or the server dies of it. As much as the kernel allows.
         */
        setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &(int){PACKET_ROOM}, sizeof(int));
        setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &(int){PACKET_ROOM}, sizeof(int));
        r = options_start(options, theirs, &child, error);
        if (r < 0)
                return r;
        /* Only the server may hold its end, or its death would not be seen here. */
        fd_clear(&theirs);
        return session_from_socket(options, steal_fd(&ours), child, ret, error);
}

int cip_session_open(const struct cip_options *options, struct cip_session **ret, struct cip_error *error)
{
        struct cip_options *defaults = NULL;
        int r;

        if (!options) {
                r = cip_options_new(&defaults);
                if (r < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot open a session");
        }
        r = start_session(options ? options : defaults, ret, error);
        cip_options_free(defaults);
        return r;
}

/* ---- end ---- */

struct cip_session *session_ref(struct cip_session *session)
{
        session->references++;
        return session;
}

static void forget_calls(struct cip_session *session)
{
        while (session->first) {
                struct call *call = session->first;

                session->first = call->next;
                call_free(call);
        }
        session->last = NULL;
}

static void end_child(struct cip_session *session)
{
        if (!session->child)
                return;
        free(session->stderr_copy);
        session->stderr_copy = strdup(child_stderr(session->child, NULL));
        child_free(session->child);
        session->child = NULL;
}

void session_unref(struct cip_session *session)
{
        if (--session->references > 0)
                return;
        forget_calls(session);
        fd_close(session->socket);
        child_free(session->child);
        fd_close(session->cancel_fd);
        transcript_free(session->transcript);
        packet_free(&session->packet);
        free(session->pollfds);
        free(session->name);
        free(session->stderr_copy);
        free(session);
}

int session_check(const struct cip_session *session, struct cip_error *error)
{
        if (!session->broken)
                return 0;
        if (error) {
                *error = session->reason;
                error->errnum = -ENOTCONN;
        }
        return -ENOTCONN;
}

int session_break(struct cip_session *session, enum cip_error_class error_class, int errnum, const char *format,
                  ...)
{
        CLEANUP(cleanup_free) char *text = NULL;
        va_list arguments;

        if (session->broken)
                return -ENOTCONN;
        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        va_end(arguments);
        session->broken = true;
        error_set(&session->reason, error_class, errnum, "%s", text ? text : "out of memory");
        SESSION_LOG(session, transcript_note, "%s", session->reason.message);
        forget_calls(session);
        fd_clear(&session->socket);
        end_child(session);
        return errnum;
}

/*
 * What of a server's last words goes into a message: from a Go panic's first line, as what follows that is only
 * where it happened; else the last lines.
 */
static const char *quote_stderr(const char *text, size_t len)
{
        const char *start = len > QUOTE_MAX ? text + len - QUOTE_MAX : text;
        const char *panic = strstr(text, "panic: ");
        const char *line;

        if (panic)
                return panic;
        if (start == text)
                return text;
        line = strchr(start, '\n');
        return line && line[1] ? line + 1 : start;
}

/* Waits a moment for the status, so that the message can tell it. */
static void learn_end(struct cip_session *session, char *ret, size_t size)
{
        int status;

        if (session->child && child_wait(session->child, deadline_in_ms(END_GRACE_MS), &status) == 0) {
                SESSION_LOG(session, transcript_exit, status);
                child_status_text(status, ret, size);
        } else {
                snprintf(ret, size, "closed its socket");
        }
}

int session_break_ended(struct cip_session *session)
{
        char how[128];
        char quote[QUOTE_MAX + 4] = "";
        const char *words = "";
        size_t len = 0;

        if (session->broken)
                return -ENOTCONN;
        learn_end(session, how, sizeof(how));
        if (session->child) {
                words = child_stderr(session->child, &len);
                while (len > 0 && (words[len - 1] == '\n' || words[len - 1] == ' '))
                        len--;
        }
        if (len > 0) {
                const char *start = quote_stderr(words, len);

                text_make_safe(quote, sizeof(quote), start, len - (size_t)(start - words));
        }
        return session_break(session, CIP_ERROR_TRANSPORT, -ECONNRESET, "%s %s%s%s", session->name, how,
                             *quote ? ": " : "", quote);
}

static int wait_for_end(struct cip_session *session, struct deadline deadline, struct cip_error *error)
{
        struct wait wait = {.for_answer = true, .until = deadline, .fd = -1};
        int status;

        while (!session->server_ended && !deadline_passed(deadline)) {
                int r = session_wait(session, &wait, error);

                if (r < 0)
                        return r;
        }
        if (!session->child)
                return 0;
        if (child_wait(session->child, deadline, &status) < 0) {
                session_break(session, CIP_ERROR_TRANSPORT, -ETIMEDOUT, "%s did not end after Shutdown",
                              session->name);
                if (error)
                        *error = session->reason;
                return -ETIMEDOUT;
        }
        /* -1: the caller has SIGCHLD ignored, or reaps every child, and the status went elsewhere. */
        if (status != 0 && status != -1) {
                int r = session_break_ended(session);

                if (error)
                        *error = session->reason;
                return r;
        }
        SESSION_LOG(session, transcript_exit, status);
        return 0;
}

int session_shutdown(struct cip_session *session, struct cip_error *error)
{
        uint64_t ms = session->request_timeout_ms;
        int r;

        if (ms == 0 || ms > SHUTDOWN_MS)
                ms = SHUTDOWN_MS;
        r = session_submit(session, "Shutdown", NULL, NULL, NULL, error);
        if (r == 0)
                r = wait_for_end(session, deadline_in_ms(ms), error);
        if (r == 0)
                session_break(session, CIP_ERROR_LOCAL, -ENOTCONN, "the session was closed");
        return r;
}

int cip_session_close(struct cip_session *session, struct cip_error *error)
{
        int r;

        if (!session)
                return 0;
        r = session_check(session, error);
        if (r == 0)
                r = session_shutdown(session, error);
        cip_session_free(session);
        return r;
}

void cip_session_free(struct cip_session *session)
{
        if (!session)
                return;
        session_break(session, CIP_ERROR_LOCAL, -ENOTCONN, "the session was closed");
        session_unref(session);
}

/* ---- what it tells ---- */

const char *cip_session_version(const struct cip_session *session)
{
        return session->version_text;
}

const char *cip_session_stderr(struct cip_session *session, size_t *ret_len)
{
        const char *text = session->stderr_copy ? session->stderr_copy : "";

        if (session->child) {
                child_read_stderr(session->child);
                return child_stderr(session->child, ret_len);
        }
        if (ret_len)
                *ret_len = strlen(text);
        return text;
}
