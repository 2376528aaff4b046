/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the end: Shutdown, the client's end of the socket closed in every state of a session, signals.
 * The exit status after an ordinary end, and what is left behind, is asked after every check of the suite too.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "conformance/check.h"
#include "conformance/groups.h"
#include "image/manifest.h"

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

/* ---- more states, more signals ---- */

/* A raw blob of 1 MiB that nobody reads. */
static void open_raw_blob(struct check_context *c, struct answer *ret, const char *unknown_method)
{
        const struct content *config = &check_fixture_manifest(c, LARGE_FIXTURE)->config;
        uint64_t image;

        check_call(c, ret, unknown_method, "[]");
        image = check_open_image(c, check_fixture(c, LARGE_FIXTURE));
        check_call_ok(c, ret, "GetRawBlob", "[%" PRIu64 ",\"%s\"]", image, config->digest);
        check_that(c, check_is_silent(c), "expected no packet while a raw blob is open");
}

static void run_shutdown_raw_blob_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        open_raw_blob(c, &raw, "NoSuchMethodShutdownRaw");
        shut_down(c, "after Shutdown with a raw blob open");
}

static void run_hang_up_raw_blob_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        open_raw_blob(c, &raw, "NoSuchMethodHangUpRaw");
        check_hang_up(c);
        wants_exit_0(c, "when the client hangs up with a raw blob open");
}

/* Shutdown waits its turn: behind a FinishPipe that waits for the reader. */
static void run_shutdown_behind_finish(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t size = (uint64_t)check_fixture_manifest(c, LARGE_FIXTURE)->config.size;

        open_large_pipe(c, &piped, "NoSuchMethodShutdownBehind");
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_request(c, "Shutdown", "[]");
        check_that(c, check_is_silent(c), "expected nothing before the pipe is read");
        data = malloc(size);
        if (!data)
                check_error(c, "out of memory");
        check_read(c, piped.packet.fds[0], data, size);
        check_answer(c, &finish);
        check_that(c, finish.success, "expected FinishPipe before Shutdown to be answered, got: %.300s",
                   finish.packet.data);
        check_that(c, check_is_hung_up(c), "expected no reply to Shutdown, but a packet came");
        wants_exit_0(c, "after FinishPipe and Shutdown");
}

static void run_half_close_image_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodOpenHalf", "[]");
        check_open_image(c, check_fixture(c, FIXTURE));
        if (shutdown(check_socket(c), SHUT_WR) < 0)
                check_error(c, "cannot close half of the socket: %s", strerror(errno));
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "when the client sends no more and an image is open");
}

static void run_half_close_first(struct check_context *c)
{
        check_start(c, &(struct server_start){.no_initialize = true});
        if (shutdown(check_socket(c), SHUT_WR) < 0)
                check_error(c, "cannot close half of the socket: %s", strerror(errno));
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "when the client sends nothing at all");
}

/* The client reads what is due, and has nothing to ask any more. */
static void run_half_close_finishing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t size = (uint64_t)check_fixture_manifest(c, LARGE_FIXTURE)->config.size;

        open_large_pipe(c, &piped, "NoSuchMethodFinishingHalf");
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        if (shutdown(check_socket(c), SHUT_WR) < 0)
                check_error(c, "cannot close half of the socket: %s", strerror(errno));
        data = malloc(size);
        if (!data)
                check_error(c, "out of memory");
        check_read(c, piped.packet.fds[0], data, size);
        check_answer(c, &finish);
        check_that(c, finish.success,
                   "expected FinishPipe to be answered after the sending half was closed, got: %.300s",
                   finish.packet.data);
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "when the client sends no more");
}

static void run_empty_packet_image_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodEmptyOpen", "[]");
        check_open_image(c, check_fixture(c, FIXTURE));
        check_send(c, "", 0, NULL, 0);
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "after an empty packet with an image open");
}

static void run_empty_packet_pipe_full(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        open_large_pipe(c, &piped, "NoSuchMethodEmptyFull");
        check_send(c, "", 0, NULL, 0);
        check_that(c, check_is_hung_up(c), "expected the server to close the socket, but a packet came");
        wants_exit_0(c, "after an empty packet with a full pipe open");
}

/*
 * The socket is closed while FinishPipe waits, and the pipe stays open, as when a child of the client has it. A server
 * that only looks at its socket between two requests does not see that.
 */
static void run_hang_up_finishing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        open_large_pipe(c, &piped, "NoSuchMethodHangUpFinishing");
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_is_silent(c);
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_hang_up(c);
        check_is_silent(c);
        check_record(c, check_has_ended(c) ? "ends" : "stays until the pipe is closed");
        fd_clear(&piped.packet.fds[0]);
        check_wait_exit(c);
}

static void run_sigterm_image_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodTermOpen", "[]");
        check_open_image(c, check_fixture(c, FIXTURE));
        terminate(c, SIGTERM);
}

static void run_sigterm_raw_blob_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        open_raw_blob(c, &raw, "NoSuchMethodTermRaw");
        terminate(c, SIGTERM);
}

static void record_end(struct check_context *c, const char *unknown_method, int signal)
{
        CLEANUP_ANSWER struct answer answer = {0};
        int status;

        check_call(c, &answer, unknown_method, "[]");
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        /* One that ends of itself is left to do so. */
        if (check_is_silent(c) && kill(check_server_pid(c), signal) < 0)
                check_error(c, "cannot send a signal: %s", strerror(errno));
        /* It gets the time that it needs; its end closes the socket. */
        if (check_is_silent(c) && !check_has_ended(c)) {
                check_record(c, "goes on");
                return;
        }
        status = check_wait_exit(c);
        if (WIFSIGNALED(status))
                check_record(c, "ended by signal %d", WTERMSIG(status));
        else
                check_record(c, "exits with status %d", WEXITSTATUS(status));
}

static void run_after_sigterm(struct check_context *c)
{
        record_end(c, "NoSuchMethodRecordTerm", SIGTERM);
}

static void run_after_sighup(struct check_context *c)
{
        record_end(c, "NoSuchMethodRecordHup", SIGHUP);
}

/* Sent from outside; what a write into a closed pipe does is asked by pipes/reader-gone-is-survived. */
static void run_after_sigpipe(struct check_context *c)
{
        record_end(c, "NoSuchMethodRecordPipe", SIGPIPE);
}

#define END_ROW(name, check_level, from, anchor, text, function, starts)                        \
        {                                                                                       \
                .id = "end/" name, .level = (check_level), .since = (from), .requires = (text), \
                .reference = (anchor), .run = (function), .own_start = (starts)                 \
        }

#define END_RULE(name, check_level, text, anchor, function, starts) \
        END_ROW(name, check_level, VERSION_OLDEST, anchor, text, function, starts)

const struct check checks_end[] = {
        END_RULE("shutdown", LEVEL_MUST, "Shutdown ends the server with exit status 0 and without a reply.",
                 "shutdown-exits end-of-session-status has-shutdown exit-0", run_shutdown, false),
        END_RULE("shutdown-first", LEVEL_SHOULD, "Shutdown does so before Initialize too.", "shutdown-early",
                 run_shutdown_first, true),
        END_RULE("shutdown-image-open", LEVEL_MUST, "Shutdown does so with an image open too.",
                 "shutdown-exits", run_shutdown_image_open, false),
        END_RULE("shutdown-pipe-full", LEVEL_SHOULD, "Shutdown does so with a pipe open that nobody reads.",
                 "end-with-pipes", run_shutdown_pipe_full, false),
        END_RULE("shutdown-after-requests", LEVEL_SHOULD,
                 "Requests sent before Shutdown are answered before the end.", "end-answers-first",
                 run_shutdown_after_requests, false),
        END_RULE("requests-after-shutdown", LEVEL_SHOULD, "What is sent behind Shutdown is not answered.",
                 "shutdown-last", run_requests_after_shutdown, false),
        END_RULE("hang-up-first", LEVEL_SHOULD,
                 "A client that hangs up before Initialize ends the server with status 0.",
                 "end-of-session-status", run_hang_up_first, true),
        END_RULE("hang-up-image-open", LEVEL_MUST,
                 "A client that hangs up with an image open ends it with status 0.", "end-of-session-status",
                 run_hang_up_image_open, false),
        END_RULE("hang-up-pipe-full", LEVEL_SHOULD,
                 "A client that hangs up with a pipe open that nobody reads ends it with status 0.",
                 "end-with-pipes", run_hang_up_pipe_full, false),
        END_RULE("client-gone", LEVEL_MUST,
                 "A client that is gone while FinishPipe waits for it ends the server, with any status.",
                 "client-dies reply-unsent", run_client_gone, false),
        END_RULE("hang-up-unread", LEVEL_INFO,
                 "Records the server's end when the client hangs up without reading an answer.", "reply-unsent",
                 run_hang_up_unread, false),
        END_RULE("half-close", LEVEL_SHOULD,
                 "A client that closes its sending half alone ends the server with status 0.",
                 "end-of-session-status", run_half_close, false),
        END_RULE("half-close-answered", LEVEL_SHOULD,
                 "A request that was sent before the sending half was closed is answered.", "end-answers-first",
                 run_half_close_answered, false),
        END_RULE("sigterm", LEVEL_SHOULD, "SIGTERM ends the server.", "signals", run_sigterm, false),
        END_RULE("sigterm-finishing", LEVEL_SHOULD, "SIGTERM ends the server while FinishPipe waits.",
                 "signals", run_sigterm_finishing, false),
        END_RULE("sigint", LEVEL_SHOULD, "SIGINT ends the server.", "signals", run_sigint, false),
        END_ROW("shutdown-raw-blob-open", LEVEL_SHOULD, VERSION(0, 2, 8), "end-with-pipes",
                "Shutdown ends the server with status 0 with a raw blob open that nobody reads.",
                run_shutdown_raw_blob_open, false),
        END_ROW("shutdown-behind-finish", LEVEL_SHOULD, VERSION_OLDEST, "end-answers-first served-in-order",
                "Shutdown behind a FinishPipe that waits ends the server after that.",
                run_shutdown_behind_finish, false),
        END_ROW("hang-up-raw-blob-open", LEVEL_SHOULD, VERSION(0, 2, 8), "end-with-pipes",
                "A client that hangs up with a raw blob open that nobody reads ends the server with status 0.",
                run_hang_up_raw_blob_open, false),
        END_ROW("hang-up-finishing", LEVEL_INFO, VERSION_OLDEST, "hang-up-while-finishing client-dies",
                "Records whether the server ends when the socket is closed while FinishPipe waits and the pipe "
                "is still open.",
                run_hang_up_finishing, false),
        END_ROW("half-close-first", LEVEL_SHOULD, VERSION_OLDEST, "end-of-session-status",
                "A client that closes its sending half before Initialize ends the server with status 0.",
                run_half_close_first, true),
        END_ROW("half-close-image-open", LEVEL_SHOULD, VERSION_OLDEST, "end-of-session-status",
                "A client that closes its sending half with an image open ends the server with status 0.",
                run_half_close_image_open, false),
        END_ROW("half-close-finishing", LEVEL_SHOULD, VERSION_OLDEST, "end-answers-first",
                "FinishPipe that waits is answered after the client closed its sending half.",
                run_half_close_finishing, false),
        END_ROW("empty-packet-image-open", LEVEL_MUST, VERSION_OLDEST, "empty-packet",
                "An empty packet with an image open ends the server with status 0.",
                run_empty_packet_image_open, false),
        END_ROW("empty-packet-pipe-full", LEVEL_SHOULD, VERSION_OLDEST, "empty-packet end-with-pipes",
                "An empty packet with a pipe open that nobody reads ends the server with status 0.",
                run_empty_packet_pipe_full, false),
        END_ROW("sigterm-image-open", LEVEL_SHOULD, VERSION_OLDEST, "signals",
                "SIGTERM ends the server with an image open.", run_sigterm_image_open, false),
        END_ROW("sigterm-raw-blob-open", LEVEL_SHOULD, VERSION(0, 2, 8), "signals",
                "SIGTERM ends the server with a raw blob open.", run_sigterm_raw_blob_open, false),
        END_ROW("after-sigterm", LEVEL_INFO, VERSION_OLDEST, "signals",
                "Records how the server ends after SIGTERM.", run_after_sigterm, false),
        END_ROW("after-sighup", LEVEL_INFO, VERSION_OLDEST, "other-signals",
                "Records what SIGHUP does to the server.", run_after_sighup, false),
        END_ROW("after-sigpipe", LEVEL_INFO, VERSION_OLDEST, "other-signals",
                "Records what a SIGPIPE from outside does to the server.", run_after_sigpipe, false),
};
const size_t n_checks_end = ARRAY_SIZE(checks_end);
