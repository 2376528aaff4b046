/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: the handshake, every way in which a server can fall short of the protocol, die or be silent, and
 * that nothing is left behind after any of it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/testing.h"
#include "client/session.h"
#include "client/test-server.h"

/* ---- the servers ---- */

static bool is(const char *method, const char *name)
{
        return strcmp(method, name) == 0;
}

static bool die_at_once(struct server *server, const char *method)
{
        (void)server;
        (void)method;
        server_die("first line\nlast words\n", 2);
}

static bool panic_at_image(struct server *server, const char *method)
{
        (void)server;
        if (is(method, "OpenImage"))
                server_die("time=now level=info\npanic: runtime error: index out of range\n\ngoroutine 1 "
                           "[running]:\n"
                           "main.main()\n",
                           2);
        return false;
}

static bool killed_at_image(struct server *server, const char *method)
{
        (void)server;
        if (is(method, "OpenImage"))
                raise(SIGKILL);
        return false;
}

static bool answer_and_die(struct server *server, const char *method)
{
        if (!is(method, "OpenImage"))
                return false;
        server_reply(server, "7", 0, NULL, 0);
        server_die("", 1);
}

static bool close_at_image(struct server *server, const char *method)
{
        (void)server;
        if (!is(method, "OpenImage"))
                return false;
        close(0);
        server_hang();
}

static bool hang_at_start(struct server *server, const char *method)
{
        (void)server;
        (void)method;
        server_hang();
}

static bool hang_at_image(struct server *server, const char *method)
{
        (void)server;
        if (is(method, "OpenImage"))
                server_hang();
        return false;
}

static bool ignore_shutdown(struct server *server, const char *method)
{
        (void)server;
        return is(method, "Shutdown");
}

static bool close_at_shutdown(struct server *server, const char *method)
{
        (void)server;
        if (!is(method, "Shutdown"))
                return false;
        close(0);
        server_hang();
}

static bool fail_shutdown(struct server *server, const char *method)
{
        (void)server;
        if (is(method, "Shutdown"))
                server_die("cannot clean up\n", 4);
        return false;
}

static bool answer_shutdown(struct server *server, const char *method)
{
        if (is(method, "Shutdown")) {
                server_reply(server, "null", 0, NULL, 0);
                return true;
        }
        return false;
}

/* Replies that are none, one for each reference. */
static bool malformed(struct server *server, const char *method)
{
        const char *text;

        if (!is(method, "OpenImage"))
                return false;
        text = json_object_get_string(json_object_array_get_idx(server->request.args, 0));
        server_send(text, NULL, 0);
        return true;
}

/* A failure with a code of a protocol that is not written yet. */
static bool unknown_code(struct server *server, const char *method)
{
        (void)server;
        if (!is(method, "OpenImage"))
                return false;
        server_send("{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"ratelimited\","
                    "\"error\":\"slow down\"}",
                    NULL, 0);
        return true;
}

static bool twice(struct server *server, const char *method)
{
        if (!is(method, "OpenImage"))
                return false;
        server_reply(server, "1", 0, NULL, 0);
        server_reply(server, "2", 0, NULL, 0);
        return true;
}

static bool empty_packet(struct server *server, const char *method)
{
        (void)server;
        if (!is(method, "OpenImage"))
                return false;
        packet_send(0, "", 0, NULL, 0);
        server_hang();
}

static bool flood_stderr(struct server *server, const char *method)
{
        (void)server;
        if (is(method, "OpenImage"))
                for (int i = 0; i < 20000; i++)
                        fprintf(stderr, "line %d of very many lines of a talkative server\n", i);
        return false;
}

/* Descriptors that are not what they should be, one for each reference. */
static bool odd_fds(struct server *server, const char *method)
{
        static const char success[] =
                "{\"success\":true,\"value\":1,\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}";
        static const char refusal[] =
                "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"no\"}";
        int ends[2];
        int r = pipe(ends);

        (void)r;
        if (is(method, "OpenImage")) {
                const char *reference =
                        json_object_get_string(json_object_array_get_idx(server->request.args, 0));

                server_send(is(reference, "refused") ? refusal : success, ends, 2);
        } else if (is(method, "GetManifest")) {
                server_reply(server, "\"sha256:ab\"", 5, &ends[1], 1);
        } else {
                close(ends[0]);
                close(ends[1]);
                return false;
        }
        close(ends[0]);
        close(ends[1]);
        return true;
}

/* To a method that the protocol does not know. */
static bool three_fds(struct server *server, const char *method)
{
        int ends[2], fds[3], r;

        if (!is(method, "Novelty"))
                return false;
        r = pipe(ends);
        (void)r;
        fds[0] = fds[1] = fds[2] = ends[0];
        server_reply(server, "1", 5, fds, 3);
        close(ends[0]);
        close(ends[1]);
        return true;
}

static bool not_a_pipe(struct server *server, const char *method)
{
        int fds[2] = {memfd_create("x", 0), -1};

        if (!is(method, "GetRawBlob")) {
                close(fds[0]);
                return false;
        }
        fds[1] = dup(fds[0]);
        server_reply(server, "12", 0, fds, 2);
        close(fds[0]);
        close(fds[1]);
        return true;
}

static const struct script scripts[] = {
        {.name = "plain"},
        {.name = "plain-0.2.3", .version = "0.2.3"},
        {.name = "newer", .version = "0.2.99"},
        {.name = "too-old", .version = "0.2.2"},
        {.name = "other-minor", .version = "0.3.0"},
        {.name = "other-major", .version = "1.2.8"},
        {.name = "no-version", .version = "tomorrow"},
        {.name = "die-at-once", .hook = die_at_once},
        {.name = "panic-at-image", .hook = panic_at_image},
        {.name = "killed-at-image", .hook = killed_at_image},
        {.name = "answer-and-die", .hook = answer_and_die},
        {.name = "close-at-image", .hook = close_at_image},
        {.name = "hang-at-start", .hook = hang_at_start},
        {.name = "hang-at-image", .hook = hang_at_image},
        {.name = "ignore-shutdown", .hook = ignore_shutdown},
        {.name = "close-at-shutdown", .hook = close_at_shutdown},
        {.name = "fail-shutdown", .hook = fail_shutdown},
        {.name = "answer-shutdown", .hook = answer_shutdown},
        {.name = "malformed", .hook = malformed},
        {.name = "unknown-code", .version = "0.2.9", .hook = unknown_code},
        {.name = "twice", .hook = twice},
        {.name = "empty-packet", .hook = empty_packet},
        {.name = "flood-stderr", .hook = flood_stderr},
        {.name = "odd-fds", .hook = odd_fds},
        {.name = "three-fds", .hook = three_fds},
        {.name = "not-a-pipe", .hook = not_a_pipe},
};

/* ---- helpers ---- */

#define ck_assert_error(error, class_, word)                                                                 \
        do {                                                                                                 \
                ck_assert_msg((error).error_class == (class_), "class %d: %s", (error).error_class,          \
                              (error).message);                                                              \
                ck_assert_msg(strstr((error).message, (word)), "no \"%s\" in: %s", (word), (error).message); \
        } while (0)

/* Opens a session that must fail so. */
static void fails_to_open(struct cip_options *options, int errnum, enum cip_error_class class, const char *word)
{
        struct cip_session *session = NULL;
        struct cip_error error = {0};

        ck_assert_errno(cip_session_open(options, &session, &error), errnum);
        ck_assert_error(error, class, word);
        ck_assert_int_eq(error.errnum, errnum);
        ck_assert_ptr_null(session);
        cip_options_free(options);
        test_no_children();
}

/* Opens an image of a script that must fail so, and then everything else must fail for the same reason. */
static void image_breaks(const char *script, const char *reference, int errnum, enum cip_error_class class,
                         const char *word)
{
        struct cip_session *session = test_session(script);
        struct cip_image *image = NULL;
        struct cip_error error = {0};

        ck_assert_errno(cip_image_open(session, reference, &image, &error), errnum);
        ck_assert_error(error, class, word);
        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -ENOTCONN);
        ck_assert_error(error, class, word);
        ck_assert_int_eq(error.errnum, -ENOTCONN);
        ck_assert_errno(cip_session_close(session, &error), -ENOTCONN);
        ck_assert_error(error, class, word);
        test_no_children();
}

static struct cip_options *short_options(const char *script)
{
        struct cip_options *options = test_options(script);

        cip_options_set_request_timeout(options, 300);
        return options;
}

/* ---- handshake ---- */

START_TEST(a_session_opens_and_closes)
{
        struct cip_session *session = test_session("plain");
        struct cip_error error = {0};

        ck_assert_str_eq(cip_session_version(session), "0.2.8");
        ck_assert_str_eq(cip_session_stderr(session, NULL), "");
        ck_assert_ok(cip_session_close(session, &error));
        test_no_children();
}
END_TEST

START_TEST(the_oldest_and_newer_versions_fit)
{
        struct cip_session *session = test_session("plain-0.2.3");

        ck_assert_str_eq(cip_session_version(session), "0.2.3");
        ck_assert_ok(cip_session_close(session, NULL));
        session = test_session("newer");
        ck_assert_str_eq(cip_session_version(session), "0.2.99");
        ck_assert_ok(cip_session_close(session, NULL));
}
END_TEST

START_TEST(a_version_that_does_not_fit_is_named)
{
        fails_to_open(test_options("too-old"), -EPROTONOSUPPORT, CIP_ERROR_PROTOCOL, "\"0.2.2\"");
        fails_to_open(test_options("too-old"), -EPROTONOSUPPORT, CIP_ERROR_PROTOCOL, "0.2.3 or later");
        fails_to_open(test_options("other-minor"), -EPROTONOSUPPORT, CIP_ERROR_PROTOCOL, "\"0.3.0\"");
        fails_to_open(test_options("other-major"), -EPROTONOSUPPORT, CIP_ERROR_PROTOCOL, "\"1.2.8\"");
        fails_to_open(test_options("no-version"), -EBADMSG, CIP_ERROR_PROTOCOL, "\"tomorrow\"");
}
END_TEST

/* ---- commands that are no server ---- */

static struct cip_options *command_options(const char *line)
{
        struct cip_options *options;

        ck_assert_ok(cip_options_new(&options));
        ck_assert_ok(cip_options_set_command_line(options, line));
        cip_options_set_request_timeout(options, 300);
        return options;
}

START_TEST(a_command_that_cannot_be_started_is_a_local_error)
{
        fails_to_open(command_options("/nowhere/skopeo"), -ENOENT, CIP_ERROR_LOCAL, "/nowhere/skopeo");
        fails_to_open(command_options("no-such-skopeo"), -ENOENT, CIP_ERROR_LOCAL, "no-such-skopeo");
        fails_to_open(command_options("/tmp"), -EISDIR, CIP_ERROR_LOCAL, "/tmp");
        fails_to_open(command_options("/etc/passwd"), -EACCES, CIP_ERROR_LOCAL, "/etc/passwd");
}
END_TEST

START_TEST(without_options_the_command_is_skopeo)
{
        const char *before = getenv("PATH");
        char *path = strdup(before ? before : "");

        ck_assert_int_eq(setenv("PATH", "/nowhere", 1), 0);
        fails_to_open(NULL, -ENOENT, CIP_ERROR_LOCAL, "skopeo");
        ck_assert_int_eq(setenv("PATH", path, 1), 0);
        free(path);
}
END_TEST

START_TEST(a_command_that_is_no_server_is_told_so)
{
        struct cip_options *options;

        fails_to_open(command_options("true"), -ECONNRESET, CIP_ERROR_TRANSPORT, "true exited with status 0");
        fails_to_open(command_options("sh -c echo"), -ECONNRESET, CIP_ERROR_TRANSPORT,
                      "sh exited with status 0");
        fails_to_open(command_options("sleep"), -ECONNRESET, CIP_ERROR_TRANSPORT, "sleep exited with status 1");
        options = command_options("sh");
        ck_assert_ok(
                cip_options_set_command(options, (const char *const[]){"sh", "-c", "exec sleep 1000", NULL}));
        fails_to_open(options, -ETIMEDOUT, CIP_ERROR_TRANSPORT, "no answer came for 0.3");
}
END_TEST

/* ---- death ---- */

START_TEST(death_in_the_handshake_is_told_with_the_last_words)
{
        fails_to_open(test_options("die-at-once"), -ECONNRESET, CIP_ERROR_TRANSPORT,
                      "exited with status 2: first line last words");
}
END_TEST

START_TEST(a_panic_is_told_from_its_first_line)
{
        image_breaks("panic-at-image", "ref", -ECONNRESET, CIP_ERROR_TRANSPORT,
                     "exited with status 2: panic: runtime error: index out of range");
}
END_TEST

START_TEST(death_by_a_signal_is_told)
{
        image_breaks("killed-at-image", "ref", -ECONNRESET, CIP_ERROR_TRANSPORT, "signal 9");
}
END_TEST

START_TEST(a_reply_before_death_counts)
{
        struct cip_session *session = test_session("answer-and-die");
        struct cip_image *image = test_image(session);
        struct cip_error error = {0};
        const char *text;
        int r = cip_image_manifest(image, &text, NULL, NULL, &error);

        ck_assert_errno(r, -ECONNRESET);
        ck_assert_error(error, CIP_ERROR_TRANSPORT, "exited with status 1");
        ck_assert_ok(cip_image_close(image, &error));
        ck_assert_errno(cip_session_close(session, &error), -ENOTCONN);
        test_no_children();
}
END_TEST

START_TEST(a_closed_socket_is_the_end)
{
        image_breaks("close-at-image", "ref", -ECONNRESET, CIP_ERROR_TRANSPORT, "closed its socket");
        image_breaks("empty-packet", "ref", -ECONNRESET, CIP_ERROR_TRANSPORT, "closed its socket");
}
END_TEST

START_TEST(a_caller_that_ignores_sigchld_is_served_as_well)
{
        struct cip_session *session;
        struct cip_error error = {0};

        signal(SIGCHLD, SIG_IGN);
        session = test_session("plain");
        ck_assert_ok(cip_session_close(session, &error));
        fails_to_open(test_options("die-at-once"), -ECONNRESET, CIP_ERROR_TRANSPORT, "last words");
        signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(other_children_are_left_alone)
{
        pid_t pid = fork();
        struct cip_session *session;
        int status;

        if (pid == 0)
                _exit(42);
        session = test_session("plain");
        ck_assert_ok(cip_session_close(session, NULL));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(WEXITSTATUS(status), 42);
        test_no_children();
}
END_TEST

/* ---- silence, and cancelling ---- */

START_TEST(silence_ends_at_the_request_deadline)
{
        struct cip_options *options = test_options("hang-at-image");
        struct cip_session *session;
        struct cip_image *image;
        struct cip_error error = {0};

        fails_to_open(short_options("hang-at-start"), -ETIMEDOUT, CIP_ERROR_TRANSPORT, "Initialize");
        ck_assert_ok(cip_session_open(options, &session, &error));
        session->request_timeout_ms = 50;
        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -ETIMEDOUT);
        ck_assert_error(error, CIP_ERROR_TRANSPORT, "OpenImage ref: no answer came for 0.05 seconds");
        /* The server is gone at once, not only when the session is freed. */
        test_no_children();
        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -ENOTCONN);
        cip_session_free(session);
        cip_options_free(options);
}
END_TEST

static void *write_event(void *data)
{
        uint64_t one = 1;

        ck_assert_int_eq(write(*(int *)data, &one, sizeof(one)), sizeof(one));
        return NULL;
}

START_TEST(another_thread_cancels)
{
        struct cip_options *options = test_options("hang-at-image");
        int event = eventfd(0, EFD_CLOEXEC);
        struct cip_session *session;
        struct cip_image *image;
        struct cip_error error = {0};
        pthread_t thread;

        ck_assert_ok(cip_options_set_cancel_fd(options, event));
        ck_assert_ok(cip_session_open(options, &session, &error));
        cip_options_free(options);
        ck_assert_int_eq(pthread_create(&thread, NULL, write_event, &event), 0);
        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -ECANCELED);
        ck_assert_error(error, CIP_ERROR_LOCAL, "cancelled");
        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -ENOTCONN);
        pthread_join(thread, NULL);
        cip_session_free(session);
        close(event);
        test_no_children();
}
END_TEST

/* Every thread has a session of its own. Assertions are the main thread's. */
static void *use_session(void *data)
{
        struct cip_options *options = data;
        struct cip_session *session;
        struct cip_image *image;
        const char *text;
        int r = cip_session_open(options, &session, NULL);

        if (r < 0)
                return strdup("open");
        if (cip_image_open(session, "ref", &image, NULL) < 0)
                return strdup("image");
        if (cip_image_manifest(image, &text, NULL, NULL, NULL) < 0)
                return strdup("manifest");
        if (cip_image_close(image, NULL) < 0 || cip_session_close(session, NULL) < 0)
                return strdup("close");
        return NULL;
}

START_TEST(threads_have_sessions_side_by_side)
{
        struct cip_options *options = test_options("plain");
        pthread_t threads[8];

        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, use_session, options), 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                void *failure;

                ck_assert_int_eq(pthread_join(threads[i], &failure), 0);
                ck_assert_msg(!failure, "%s", (const char *)failure);
        }
        cip_options_free(options);
        test_no_children();
}
END_TEST

START_TEST(what_was_cancelled_before_does_not_open)
{
        struct cip_options *options = test_options("plain");
        int event = eventfd(1, EFD_CLOEXEC);

        ck_assert_ok(cip_options_set_cancel_fd(options, event));
        close(event);
        fails_to_open(options, -ECANCELED, CIP_ERROR_LOCAL, "cancelled");
}
END_TEST

/* ---- replies ---- */

START_TEST(a_malformed_reply_names_what_is_wrong)
{
        static const char *const rows[][2] = {
                {"nonsense", ""},
                {"[]", ""},
                {"{\"success\":true,\"value\":1,\"pipeid\":0,\"error_code\":\"\"}", "error"},
                {"{\"success\":1,\"value\":1,\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}", "success"},
                {"{\"success\":true,\"value\":1,\"pipeid\":-1,\"error_code\":\"\",\"error\":\"\"}", "pipeid"},
                {"{\"success\":true,\"value\":1,\"pipeid\":0,\"error\":\"\"}", "error_code"},
                {"{\"success\":true,\"value\":0,\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}", "value"},
                {"{\"success\":true,\"value\":1.5,\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}", "value"},
                {"{\"success\":true,\"value\":\"1\",\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}", "value"},
                {"{\"success\":true,\"value\":1,\"pipeid\":3,\"error_code\":\"\",\"error\":\"\"}", "pipeid"},
                {"{\"success\":false,\"value\":1,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"slow "
                 "down\"}",
                 "\"value\" is not null; the server says: slow down"},
                {"{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"\"}",
                 "error"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                image_breaks("malformed", rows[i][0], -EBADMSG, CIP_ERROR_PROTOCOL, rows[i][1]);
}
END_TEST

START_TEST(an_unknown_error_code_hides_no_words)
{
        struct cip_session *session = test_session("unknown-code");
        struct cip_error error = {0};
        struct cip_image *image = NULL;

        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -EBADMSG);
        ck_assert_error(error, CIP_ERROR_PROTOCOL,
                        "\"error_code\" is unknown: ratelimited; the server says: slow down");
        cip_session_free(session);
        test_no_children();
}
END_TEST

START_TEST(a_reply_that_nothing_asked_for_is_refused)
{
        struct cip_session *session = test_session("twice");
        struct cip_error error = {0};
        struct cip_image *image = NULL;
        int r = cip_image_open(session, "ref", &image, &error);

        /* Whether it has come by the end of the first call is the scheduler's choice. */
        if (r == 0)
                r = cip_session_close(session, &error);
        else
                cip_session_free(session);
        ck_assert_errno(r, -EBADMSG);
        ck_assert_error(error, CIP_ERROR_PROTOCOL, "nothing asked for");
        ck_assert_ok(cip_image_close(image, NULL));
        test_no_children();
}
END_TEST

START_TEST(descriptors_that_do_not_belong_are_closed)
{
        struct cip_session *session = test_session("odd-fds");
        struct cip_image *image = NULL;
        struct cip_error error = {0};
        int before = fd_count(0);

        ck_assert_errno(cip_image_open(session, "ref", &image, &error), -EBADMSG);
        ck_assert_error(error, CIP_ERROR_PROTOCOL, "descriptors");
        ck_assert_int_lt(fd_count(0), before);
        cip_session_free(session);
        image_breaks("odd-fds", "refused", -EBADMSG, CIP_ERROR_PROTOCOL, "descriptors");
}
END_TEST

START_TEST(more_than_two_descriptors_are_closed)
{
        struct cip_session *session = test_session("three-fds");
        struct cip_error error = {0};

        ck_assert_errno(cip_call(session, "Novelty", NULL, NULL, NULL, &error), -EBADMSG);
        ck_assert_error(error, CIP_ERROR_PROTOCOL, "Novelty: 3 descriptors came with the reply");
        cip_session_free(session);
        test_no_children();
}
END_TEST

START_TEST(only_read_ends_of_pipes_are_taken)
{
        struct cip_session *session = test_session("not-a-pipe");
        struct cip_image *image = test_image(session);
        struct cip_blob *blob;
        struct cip_error error = {0};
        int r = cip_blob_open(image, served("small")->digest, 12, 0, &blob, &error);

        ck_assert_errno(r, -EBADMSG);
        ck_assert_error(error, CIP_ERROR_PROTOCOL, "not the read end of a pipe (file)");
        ck_assert_ok(cip_image_close(image, NULL));
        cip_session_free(session);
}
END_TEST

/* ---- the end ---- */

START_TEST(a_server_that_does_not_end_is_killed)
{
        struct cip_session *session = test_session("ignore-shutdown");
        struct cip_error error = {0};

        session->request_timeout_ms = 50;
        ck_assert_errno(cip_session_close(session, &error), -ETIMEDOUT);
        ck_assert_error(error, CIP_ERROR_TRANSPORT, "Shutdown");
        test_no_children();
}
END_TEST

START_TEST(a_server_that_hangs_up_and_stays_is_killed)
{
        struct cip_session *session = test_session("close-at-shutdown");
        struct cip_error error = {0};

        session->request_timeout_ms = 300;
        ck_assert_errno(cip_session_close(session, &error), -ETIMEDOUT);
        ck_assert_error(error, CIP_ERROR_TRANSPORT, "did not end after Shutdown");
        test_no_children();
}
END_TEST

START_TEST(the_last_words_are_kept_when_the_server_is_gone)
{
        struct cip_session *session = test_session("panic-at-image");
        struct cip_image *image = NULL;
        const char *words;
        size_t len = 0;

        ck_assert_errno(cip_image_open(session, "ref", &image, NULL), -ECONNRESET);
        words = cip_session_stderr(session, &len);
        ck_assert_ptr_nonnull(strstr(words, "goroutine 1"));
        ck_assert_uint_eq(len, strlen(words));
        ck_assert_str_eq(cip_session_stderr(session, NULL), words);
        cip_session_free(session);
        test_no_children();
}
END_TEST

START_TEST(a_bad_end_is_reported)
{
        struct cip_error error = {0};

        ck_assert_errno(cip_session_close(test_session("fail-shutdown"), &error), -ECONNRESET);
        ck_assert_error(error, CIP_ERROR_TRANSPORT, "exited with status 4: cannot clean up");
        ck_assert_errno(cip_session_close(test_session("answer-shutdown"), &error), -EBADMSG);
        ck_assert_error(error, CIP_ERROR_PROTOCOL, "nothing asked for");
        test_no_children();
}
END_TEST

START_TEST(what_is_open_outlives_the_session_to_be_closed)
{
        struct cip_session *session = test_session("plain");
        struct cip_image *image = test_image(session);
        struct cip_blob *blob;
        struct cip_error error = {0};
        char byte;

        ck_assert_ok(cip_blob_open(image, served("large")->digest, -1, 0, &blob, &error));
        cip_session_free(session);
        test_no_children();
        ck_assert_int_eq(cip_blob_read(blob, &byte, 1, &error), -ENOTCONN);
        ck_assert_error(error, CIP_ERROR_LOCAL, "closed");
        cip_blob_close(blob);
        ck_assert_ok(cip_image_close(image, &error));
        cip_session_free(NULL);
        ck_assert_ok(cip_session_close(NULL, NULL));
}
END_TEST

START_TEST(a_talkative_server_is_no_obstacle)
{
        struct cip_session *session = test_session("flood-stderr");
        struct cip_image *image = test_image(session);
        size_t len;

        ck_assert_ptr_nonnull(strstr(cip_session_stderr(session, &len), "line 19999 of"));
        ck_assert_int_le(len, 65536);
        ck_assert_ok(cip_image_close(image, NULL));
        ck_assert_ok(cip_session_close(session, NULL));
}
END_TEST

/* ---- calls ---- */

START_TEST(a_call_gives_the_reply_as_it_came)
{
        struct cip_session *session = test_session("plain");
        struct cip_blob *data = NULL;
        struct cip_error error = {0};
        char *text = NULL;
        char buffer[4096];

        ck_assert_ok(cip_call(session, "OpenImage", "[\"ref\"]", &text, &data, &error));
        ck_assert_ptr_nonnull(strstr(text, "\"value\":1"));
        ck_assert_ptr_null(data);
        free(text);
        ck_assert_ok(cip_call(session, "GetManifest", " [1] ", &text, &data, &error));
        ck_assert_ptr_nonnull(strstr(text, served("manifest")->digest));
        free(text);
        ck_assert_int_eq(cip_blob_read(data, buffer, sizeof(buffer), &error), served("manifest")->len);
        ck_assert_int_eq(cip_blob_read(data, buffer, sizeof(buffer), &error), 0);
        cip_blob_close(data);
        /* What nobody wants to have is cleaned up after. */
        ck_assert_ok(cip_call(session, "GetFullConfig", "[1]", NULL, NULL, &error));
        ck_assert_ok(cip_call(session, "Shutdown", NULL, &text, &data, &error));
        ck_assert_str_eq(text, "");
        free(text);
        ck_assert_errno(cip_session_close(session, &error), -ENOTCONN);
        test_no_children();
}
END_TEST

START_TEST(a_refused_call_gives_the_reply_too)
{
        struct cip_session *session = test_session("plain");
        struct cip_error error = {0};
        char *text = NULL;

        ck_assert_errno(cip_call(session, "Nonsense", NULL, &text, NULL, &error), -EREMOTEIO);
        ck_assert_error(error, CIP_ERROR_REMOTE, "Nonsense: unknown method");
        ck_assert_int_eq(error.code, CIP_CODE_OTHER);
        ck_assert_ptr_nonnull(strstr(text, "unknown method"));
        free(text);
        ck_assert_ok(cip_session_close(session, NULL));
}
END_TEST

START_TEST(wrong_arguments_are_not_sent)
{
        struct cip_session *session = test_session("plain");
        struct cip_error error = {0};
        char *large = malloc(40000);
        char *text;

        ck_assert_errno(cip_call(session, "OpenImage", "{}", &text, NULL, &error), -EINVAL);
        ck_assert_error(error, CIP_ERROR_LOCAL, "array");
        ck_assert_errno(cip_call(session, "OpenImage", "[", &text, NULL, &error), -EINVAL);
        ck_assert_error(error, CIP_ERROR_LOCAL, "JSON");
        memset(large, 'x', 39999);
        large[39999] = '\0';
        memcpy(large, "[\"", 2);
        memcpy(large + 39997, "\"]", 2);
        ck_assert_errno(cip_call(session, "OpenImage", large, &text, NULL, &error), -EMSGSIZE);
        ck_assert_error(error, CIP_ERROR_LOCAL, "32768");
        free(large);
        ck_assert_ok(cip_session_close(session, NULL));
}
END_TEST

/* ---- transcripts ---- */

START_TEST(the_transcript_has_the_whole_session)
{
        static const char *const words[] = {"Initialize", "0.2.8", "Shutdown", "exit"};
        int fd = memfd_create("transcript", MFD_CLOEXEC);
        struct cip_options *options = test_options("plain");
        struct cip_session *session;
        char text[8192];
        ssize_t n;

        ck_assert_ok(cip_options_set_transcript_fd(options, fd));
        ck_assert_ok(cip_session_open(options, &session, NULL));
        cip_options_free(options);
        ck_assert_ok(cip_session_close(session, NULL));
        n = pread(fd, text, sizeof(text) - 1, 0);
        ck_assert_int_gt(n, 0);
        text[n] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                ck_assert_msg(strstr(text, words[i]) != NULL, "no %s in %s", words[i], text);
        close(fd);
}
END_TEST

START_TEST(a_transcript_without_a_reader_raises_no_signal)
{
        struct cip_options *options = test_options("plain");
        struct cip_session *session;
        int ends[2];

        signal(SIGPIPE, SIG_DFL);
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_ok(cip_options_set_transcript_fd(options, ends[1]));
        close(ends[0]);
        close(ends[1]);
        ck_assert_ok(cip_session_open(options, &session, NULL));
        cip_options_free(options);
        ck_assert_ok(cip_session_close(session, NULL));
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("client/session");
        TCase *tcase;

        if (argc > 2 && strcmp(argv[1], "server") == 0)
                return server_main(argc, argv, scripts, ARRAY_SIZE(scripts));
        tcase = testing_case(suite, "handshake");
        tcase_add_test(tcase, a_session_opens_and_closes);
        tcase_add_test(tcase, the_oldest_and_newer_versions_fit);
        tcase_add_test(tcase, a_version_that_does_not_fit_is_named);
        tcase_add_test(tcase, a_command_that_cannot_be_started_is_a_local_error);
        tcase_add_test(tcase, without_options_the_command_is_skopeo);
        tcase_add_test(tcase, a_command_that_is_no_server_is_told_so);
        tcase = testing_case(suite, "death");
        tcase_add_test(tcase, death_in_the_handshake_is_told_with_the_last_words);
        tcase_add_test(tcase, a_panic_is_told_from_its_first_line);
        tcase_add_test(tcase, death_by_a_signal_is_told);
        tcase_add_test(tcase, a_reply_before_death_counts);
        tcase_add_test(tcase, a_closed_socket_is_the_end);
        tcase_add_test(tcase, a_caller_that_ignores_sigchld_is_served_as_well);
        tcase_add_test(tcase, other_children_are_left_alone);
        tcase = testing_case(suite, "waiting");
        tcase_add_test(tcase, silence_ends_at_the_request_deadline);
        tcase_add_test(tcase, another_thread_cancels);
        tcase_add_test(tcase, what_was_cancelled_before_does_not_open);
        tcase_add_test(tcase, threads_have_sessions_side_by_side);
        tcase = testing_case(suite, "replies");
        tcase_add_test(tcase, a_malformed_reply_names_what_is_wrong);
        tcase_add_test(tcase, an_unknown_error_code_hides_no_words);
        tcase_add_test(tcase, a_reply_that_nothing_asked_for_is_refused);
        tcase_add_test(tcase, descriptors_that_do_not_belong_are_closed);
        tcase_add_test(tcase, more_than_two_descriptors_are_closed);
        tcase_add_test(tcase, only_read_ends_of_pipes_are_taken);
        tcase = testing_case(suite, "end");
        tcase_add_test(tcase, a_server_that_does_not_end_is_killed);
        tcase_add_test(tcase, a_server_that_hangs_up_and_stays_is_killed);
        tcase_add_test(tcase, the_last_words_are_kept_when_the_server_is_gone);
        tcase_add_test(tcase, a_bad_end_is_reported);
        tcase_add_test(tcase, what_is_open_outlives_the_session_to_be_closed);
        tcase_add_test(tcase, a_talkative_server_is_no_obstacle);
        tcase = testing_case(suite, "calls");
        tcase_add_test(tcase, a_call_gives_the_reply_as_it_came);
        tcase_add_test(tcase, a_refused_call_gives_the_reply_too);
        tcase_add_test(tcase, wrong_arguments_are_not_sent);
        tcase = testing_case(suite, "transcript");
        tcase_add_test(tcase, the_transcript_has_the_whole_session);
        tcase_add_test(tcase, a_transcript_without_a_reader_raises_no_signal);
        return testing_main(suite);
}
