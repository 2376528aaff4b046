/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the end: Shutdown, the client's end of the socket closed in every state of a session, signals.
 * The exit status after an ordinary end, and what is left behind, is asked after every check of the suite too.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "conformance/check.h"
#include "conformance/groups.h"

#define FIXTURE "layers-1"

/* Its config does not fit a pipe. */
#define LARGE_FIXTURE "config-1m"

static void wants_exit_0(struct check_context *c, const char *when)
{
        int status = check_wait_exit(c);

        check_that(c, !WIFSIGNALED(status), "expected exit status 0 %s, but signal %d ended the server", when,
                   WTERMSIG(status));
        check_that(c, WEXITSTATUS(status) == 0, "expected exit status 0 %s, got %d", when, WEXITSTATUS(status));
}

/* Shutdown, which is not answered. */
static void shut_down(struct check_context *c, const char *when)
{
        check_request(c, "Shutdown", "[]");
        check_that(c, check_is_hung_up(c), "expected no reply to Shutdown, but a packet came");
        wants_exit_0(c, when);
}

/*
 * A pipe that the server cannot fill before somebody reads. Before that a call of a method that does not exist,
 * by which a fault can tell the checks apart.
 */
static void open_large_pipe(struct check_context *c, struct answer *ret, const char *unknown_method)
{
        uint64_t image;

        check_call(c, ret, unknown_method, "[]");
        image = check_open_image(c, check_fixture(c, LARGE_FIXTURE));
        check_call_ok(c, ret, "GetFullConfig", "[%" PRIu64 "]", image);
        if (ret->packet.n_fds != 1)
                check_fail(c, "expected a descriptor with the reply to GetFullConfig, got %zu",
                           ret->packet.n_fds);
        check_that(c, check_is_silent(c), "expected no packet while a pipe is full");
}

static void run_shutdown(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodShutdown", "[]");
        shut_down(c, "after Shutdown");
}

static void run_shutdown_first(struct check_context *c)
{
        check_start(c, &(struct server_start){.no_initialize = true});
        shut_down(c, "after Shutdown as the first request");
}

static void run_shutdown_image_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodShutdownOpen", "[]");
        check_open_image(c, check_fixture(c, FIXTURE));
        shut_down(c, "after Shutdown with an image open");
}

static void run_shutdown_pipe_full(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        open_large_pipe(c, &piped, "NoSuchMethodShutdownFull");
        shut_down(c, "after Shutdown with a full pipe open");
}

static void run_shutdown_after_requests(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        for (int i = 0; i < 5; i++)
                check_request(c, check_text(c, "NoSuchMethodBeforeEnd%d", i), "[]");
        check_request(c, "Shutdown", "[]");
        for (int i = 0; i < 5; i++) {
                check_answer(c, &answer);
                check_that(c, strstr(answer.error, check_text(c, "BeforeEnd%d", i)),
                           "expected the requests before Shutdown to be answered, got: %.300s",
                           answer.packet.data);
        }
        check_that(c, check_is_hung_up(c), "expected no reply to Shutdown, but a packet came");
        wants_exit_0(c, "after requests and Shutdown");
}

static void run_requests_after_shutdown(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodBeforeLate", "[]");
        check_request(c, "Shutdown", "[]");
        /* The server may be gone already, which the harness would take for a shortfall: sent past it. */
        (void)send(check_socket(c), "{\"method\":\"NoSuchMethodLate\"}", 29, MSG_NOSIGNAL | MSG_DONTWAIT);
        check_that(c, check_is_hung_up(c), "expected no reply to what follows Shutdown, but a packet came");
        wants_exit_0(c, "after Shutdown with a request behind it");
}

static void run_hang_up_first(struct check_context *c)
{
        check_start(c, &(struct server_start){.no_initialize = true});
        check_hang_up(c);
        wants_exit_0(c, "when the client hangs up before Initialize");
}

static void run_hang_up_image_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodHangUpOpen", "[]");
        check_open_image(c, check_fixture(c, FIXTURE));
        check_hang_up(c);
        wants_exit_0(c, "when the client hangs up with an image open");
}

static void run_hang_up_pipe_full(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        open_large_pipe(c, &piped, "NoSuchMethodHangUpFull");
        check_hang_up(c);
        wants_exit_0(c, "when the client hangs up with a full pipe open");
}

/* As when a client is killed: nothing is left of it, neither socket nor pipe. */
static void run_client_gone(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        open_large_pipe(c, &piped, "NoSuchMethodGone");
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, check_is_silent(c), "expected FinishPipe of a full pipe to wait for the reader");
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_hang_up(c);
        fd_clear(&piped.packet.fds[0]);
        check_wait_exit(c);
}

static void run_hang_up_unread(struct check_context *c)
{
        int status;

        check_request(c, "NoSuchMethodUnread", "[]");
        check_that(c, !check_is_hung_up(c), "expected an answer, but the server closed the socket");
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        status = check_stop(c);
        if (WIFSIGNALED(status))
                check_record(c, "signal %d", WTERMSIG(status));
        else
                check_record(c, "exit status %d", WEXITSTATUS(status));
}

static void run_half_close(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodHalfClose", "[]");
        if (shutdown(check_socket(c), SHUT_WR) < 0)
                check_error(c, "cannot close half of the socket: %s", strerror(errno));
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "when the client sends no more");
}

/* Requests that were sent before the end of input are answered before it. */
static void run_half_close_answered(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_request(c, "NoSuchMethodLastWords", "[]");
        if (shutdown(check_socket(c), SHUT_WR) < 0)
                check_error(c, "cannot close half of the socket: %s", strerror(errno));
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "LastWords"),
                   "expected the last request to be answered, got: %.300s", answer.packet.data);
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "when the client sends no more");
}

/* Ends it by a signal; how it takes that is its own business, but it must not stay. */
static void terminate(struct check_context *c, int signal)
{
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        if (kill(check_server_pid(c), signal) < 0)
                check_error(c, "cannot send a signal: %s", strerror(errno));
        check_wait_exit(c);
}

static void run_sigterm(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodTerm", "[]");
        check_still_serves(c);
        terminate(c, SIGTERM);
}

static void run_sigterm_finishing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        open_large_pipe(c, &piped, "NoSuchMethodTermFinishing");
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, check_is_silent(c), "expected FinishPipe of a full pipe to wait for the reader");
        terminate(c, SIGTERM);
}

static void run_sigint(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodInt", "[]");
        check_still_serves(c);
        terminate(c, SIGINT);
}

#define END(name, check_level, text, function, starts)                                                  \
        {                                                                                               \
                .id = "end/" name, .level = (check_level), .since = VERSION_OLDEST, .requires = (text), \
                .reference = "end-of-session", .run = (function), .own_start = (starts)                 \
        }

const struct check checks_end[] = {
        END("shutdown", LEVEL_MUST, "Shutdown ends the server with exit status 0 and without a reply.",
            run_shutdown, false),
        END("shutdown-first", LEVEL_SHOULD, "Shutdown does so before Initialize too.", run_shutdown_first,
            true),
        END("shutdown-image-open", LEVEL_MUST, "Shutdown does so with an image open too.",
            run_shutdown_image_open, false),
        END("shutdown-pipe-full", LEVEL_SHOULD, "Shutdown does so with a pipe open that nobody reads.",
            run_shutdown_pipe_full, false),
        END("shutdown-after-requests", LEVEL_SHOULD,
            "Requests sent before Shutdown are answered before the end.", run_shutdown_after_requests, false),
        END("requests-after-shutdown", LEVEL_SHOULD, "What is sent behind Shutdown is not answered.",
            run_requests_after_shutdown, false),
        END("hang-up-first", LEVEL_SHOULD,
            "A client that hangs up before Initialize ends the server with status 0.", run_hang_up_first, true),
        END("hang-up-image-open", LEVEL_MUST,
            "A client that hangs up with an image open ends it with status 0.", run_hang_up_image_open, false),
        END("hang-up-pipe-full", LEVEL_SHOULD,
            "A client that hangs up with a pipe open that nobody reads ends it with status 0.",
            run_hang_up_pipe_full, false),
        END("client-gone", LEVEL_MUST,
            "A client that is gone while FinishPipe waits for it ends the server, with any status.",
            run_client_gone, false),
        END("hang-up-unread", LEVEL_INFO,
            "Records the server's end when the client hangs up without reading an answer.", run_hang_up_unread,
            false),
        END("half-close", LEVEL_SHOULD,
            "A client that closes its sending half alone ends the server with status 0.", run_half_close,
            false),
        END("half-close-answered", LEVEL_SHOULD,
            "A request that was sent before the sending half was closed is answered.", run_half_close_answered,
            false),
        END("sigterm", LEVEL_SHOULD, "SIGTERM ends the server.", run_sigterm, false),
        END("sigterm-finishing", LEVEL_SHOULD, "SIGTERM ends the server while FinishPipe waits.",
            run_sigterm_finishing, false),
        END("sigint", LEVEL_SHOULD, "SIGINT ends the server.", run_sigint, false),
};
const size_t n_checks_end = ARRAY_SIZE(checks_end);
