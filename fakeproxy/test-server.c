/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what rules and behaviours do to a session: the server runs in a process of its own with a
 * scenario that is made for the test, or with one of those that break a rule of the protocol.
 */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "fakeproxy/drive.h"
#include "fakeproxy/server.h"

#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"

/* For a scenario: .RULES({.when = {..}, .act = {..}}, {..}) */
#define RULES(...)                                  \
        rules = (const struct rule[]){__VA_ARGS__}, \
        .n_rules = sizeof((const struct rule[]){__VA_ARGS__}) / sizeof(struct rule)

/* For a rule: .STEPS({DATA_SEND, 100}, {DATA_CLOSE}) and .ERROR_STEPS(..) */
#define STEPS(...)                        \
        data = (const struct data_step[]) \
        {                                 \
                __VA_ARGS__,              \
                {                         \
                        DATA_REST         \
                }                         \
        }
#define ERROR_STEPS(...)                    \
        errors = (const struct data_step[]) \
        {                                   \
                __VA_ARGS__,                \
                {                           \
                        DATA_REST           \
                }                           \
        }

/* For a rule: .BEFORE(BYTES("{}")) and .AFTER(..) */
#define BEFORE(...)                     \
        before = (const struct bytes[]) \
        {                               \
                __VA_ARGS__,            \
                {                       \
                        NULL, 0         \
                }                       \
        }
#define AFTER(...)                     \
        after = (const struct bytes[]) \
        {                              \
                __VA_ARGS__,           \
                {                      \
                        NULL, 0        \
                }                      \
        }

static const char *broken; /* the folder of scenarios that each break a rule */
static pid_t server_pid;

/*
 * Starts a server with the scenario, of version 0.2.8 unless that says otherwise. Only the socket and the packet of
 * the drive are used.
 */
static void start(struct drive *drive, const struct scenario *scenario)
{
        struct scenario copy = *scenario;
        struct options options = {.scenario = &copy, .seed = scenario->seed, .insecure_policy = true};
        struct cip_error error;
        int sockets[2];

        ck_assert_ok(
                emulation_find(scenario->emulate ? scenario->emulate : "0.2.8", &options.emulation, &error));
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
        fflush(NULL);
        server_pid = fork();
        ck_assert_int_ge(server_pid, 0);
        if (server_pid == 0) {
                int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

                /* libcheck's handlers end the whole group. */
                signal(SIGTERM, SIG_DFL);
                signal(SIGINT, SIG_DFL);
                dup2(quiet, STDERR_FILENO);
                fd_close(quiet);
                fd_close(sockets[0]);
                exit(server_run(&options, sockets[1]));
        }
        fd_close(sockets[1]);
        *drive = (struct drive){.socket = sockets[0]};
}

/* Hangs up and wants this end: a status, or 1000 and a signal. */
static void want_end(struct drive *drive, int end)
{
        int status;

        packet_free(&drive->packet);
        fd_clear(&drive->socket);
        ck_assert_int_eq(waitpid(server_pid, &status, 0), server_pid);
        ck_assert_int_eq(WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), end);
}

static void want_call(struct drive *drive, const char *request, const char *text)
{
        const char *reply = drive_call(drive, request);

        ck_assert_msg(reply && strstr(reply, text), "%s instead of %s", reply ? reply : "(hung up)", text);
}

/* What one rule on an unknown method makes of the reply. */
START_TEST(test_a_rule_changes_the_reply)
{
        static const struct {
                struct rule_do act;
                const char *reply;
        } cases[] = {
                {{.reply = BYTES("raw \0 bytes")}, "raw "},
                {{.no_execution = true, .reply = BYTES("[]")}, "[]"},
                {{.merge = "{\"success\":true,\"more\":[1]}"},
                 "{\"success\":true,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"unknown "
                 "method: X\","
                 "\"more\":[1]}"},
                {{.remove = "value error_code pipeid"}, "{\"success\":false,\"error\":\"unknown method: X\"}"},
                {{.cut_at = 10}, "{\"success\""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct rule rule = {.when = {.method = "X"}, .act = cases[i].act};
                const struct scenario scenario = {.rules = &rule, .n_rules = 1};
                struct drive drive CLEANUP_DRIVE = {0};

                start(&drive, &scenario);
                ck_assert_str_eq(drive_call(&drive, CALL("X", "")), cases[i].reply);
                want_call(&drive, CALL("Y", ""), "unknown method: Y");
                want_end(&drive, 0);
        }
}
END_TEST

START_TEST(test_a_rule_sends_more_packets_or_none)
{
        const struct scenario more = {
                .RULES({.when = {.method = "X"},
                        .act = {.BEFORE(BYTES("b1"), BYTES("b2")), .AFTER(BYTES("a1"))}})};
        const struct scenario none = {.RULES({.when = {.method = "X"}, .act = {.no_reply = true}})};
        const struct scenario empty = {.RULES({.when = {.method = "X"}, .act = {.empty_packet = true}})};
        const struct scenario padded = {.RULES({.when = {.method = "X"}, .act = {.pad_to = 100000}})};
        const struct scenario first = {
                .RULES({.when = {.event = EVENT_START}, .act = {.BEFORE(BYTES("hello"))}})};
        struct drive drive CLEANUP_DRIVE = {0};

        start(&drive, &more);
        ck_assert_str_eq(drive_call(&drive, CALL("X", "")), "b1");
        ck_assert_str_eq(drive_receive(&drive), "b2");
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "unknown method: X"));
        ck_assert_str_eq(drive_receive(&drive), "a1");
        want_end(&drive, 0);

        start(&drive, &none);
        drive_send(&drive, CALL("X", ""));
        want_call(&drive, CALL("Y", ""), "unknown method: Y");
        want_end(&drive, 0);

        start(&drive, &empty);
        ck_assert_ptr_null(drive_call(&drive, CALL("X", "")));
        want_end(&drive, 0);

        start(&drive, &padded);
        ck_assert_ptr_nonnull(drive_call(&drive, CALL("X", "")));
        ck_assert_uint_eq(drive.packet.len, 100000);
        want_end(&drive, 0);

        start(&drive, &first);
        ck_assert_str_eq(drive_receive(&drive), "hello");
        want_end(&drive, 0);
}
END_TEST

START_TEST(test_a_rule_sends_descriptors_of_every_kind)
{
        static const struct {
                enum rule_descriptors descriptors;
                size_t n;
                const char *kind;
        } cases[] = {
                {DESCRIPTORS_FAITHFUL, 1, "pipe-read"},   {DESCRIPTORS_NONE, 0, NULL},
                {DESCRIPTORS_ONE_EXTRA, 2, "pipe-read"},  {DESCRIPTORS_MANY_EXTRA, 201, "pipe-read"},
                {DESCRIPTORS_FIRST_ONLY, 1, "pipe-read"}, {DESCRIPTORS_FILE, 1, "file"},
                {DESCRIPTORS_DIRECTORY, 1, "directory"},  {DESCRIPTORS_SOCKET, 1, "socket"},
                {DESCRIPTORS_WRITE_END, 1, "pipe-write"}, {DESCRIPTORS_CLOSED_PIPE, 1, "pipe-read"},
                {DESCRIPTORS_DEVICE, 1, "device"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct rule rule = {.when = {.method = "GetManifest"},
                                          .act = {.descriptors = cases[i].descriptors}};
                const struct scenario scenario = {.rules = &rule, .n_rules = 1};
                struct drive drive CLEANUP_DRIVE = {0};

                start(&drive, &scenario);
                want_call(&drive, CALL("Initialize", ""), "true");
                want_call(&drive, CALL("OpenImage", "\"fake:blob-1\""), "\"value\":1,");
                want_call(&drive, CALL("GetManifest", "1"), "\"success\":true");
                ck_assert_uint_eq(drive.packet.n_fds, cases[i].n);
                if (cases[i].kind)
                        ck_assert_str_eq(fd_kind(drive.packet.fds[0]), cases[i].kind);
                want_end(&drive, 0);
        }
}
END_TEST

START_TEST(test_a_rule_ends_the_server)
{
        static const struct behaviours nine = {.exit_status = 9};
        static const struct {
                struct rule_do act;
                int end;
        } cases[] = {
                {{.exit = true, .exit_status = 7}, 7}, {{.panic = true}, 2},
                {{.signal = SIGKILL}, 1000 + SIGKILL}, {{.close_socket = true}, 0},
                {{.stop_reading = true}, 0},           {{.become = &nine}, 9},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct rule rule = {.when = {.method = "X"}, .act = cases[i].act};
                const struct scenario scenario = {.rules = &rule, .n_rules = 1};
                struct drive drive CLEANUP_DRIVE = {0};

                start(&drive, &scenario);
                want_call(&drive, CALL("X", ""), "unknown method: X");
                want_end(&drive, cases[i].end);
        }
}
END_TEST

START_TEST(test_a_delay_holds_up_the_reply)
{
        const struct scenario scenario = {.RULES({.when = {.method = "X"}, .act = {.delay_ms = 50}})};
        struct drive drive CLEANUP_DRIVE = {0};
        uint64_t began = monotonic_ns();

        start(&drive, &scenario);
        want_call(&drive, CALL("X", ""), "unknown method: X");
        ck_assert_uint_ge(monotonic_ns() - began, UINT64_C(50) * 1000000);
        want_end(&drive, 0);
}
END_TEST

START_TEST(test_steps_change_what_the_pipe_carries)
{
        const struct scenario scenario = {
                .RULES({.when = {.method = "GetManifest", .nth = 1},
                        .act = {.STEPS({DATA_BYTES, .bytes = BYTES("xy")}, {DATA_END})}},
                       {.when = {.method = "GetManifest", .nth = 2},
                        .act = {.STEPS({DATA_FAIL, .bytes = BYTES("it broke")})}})};
        struct drive drive CLEANUP_DRIVE = {0};
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        start(&drive, &scenario);
        want_call(&drive, CALL("Initialize", ""), "true");
        want_call(&drive, CALL("OpenImage", "\"fake:blob-1\""), "\"value\":1,");
        want_call(&drive, CALL("GetManifest", "1"), "\"success\":true");
        data = drive_finish(&drive, &len);
        ck_assert_str_eq(data, "xy");
        ck_assert_ptr_nonnull(strstr(drive.packet.data, "\"success\":true"));
        free(STEAL(data));
        want_call(&drive, CALL("GetManifest", "1"), "\"success\":true");
        free(drive_finish(&drive, &len));
        ck_assert_uint_eq(len, 0);
        ck_assert_ptr_nonnull(strstr(drive.packet.data, "\"error\":\"it broke\""));
        want_call(&drive, CALL("GetManifest", "1"), "\"success\":true");
        free(drive_finish(&drive, &len));
        ck_assert_uint_gt(len, 100);
        want_end(&drive, 0);
}
END_TEST

START_TEST(test_error_steps_fill_the_error_pipe)
{
        const struct scenario scenario = {
                .RULES({.when = {.method = "GetRawBlob"},
                        .act = {.ERROR_STEPS({DATA_BYTES, .bytes = BYTES("{\"code\":\"retryable\"}")})}})};
        static const char digest[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        struct drive drive CLEANUP_DRIVE = {0};
        char request[300];
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        start(&drive, &scenario);
        want_call(&drive, CALL("Initialize", ""), "true");
        want_call(&drive, CALL("OpenImage", "\"fake:blob-0\""), "\"value\":1,");
        snprintf(request, sizeof(request), CALL("GetRawBlob", "1,\"%s\""), digest);
        want_call(&drive, request, "\"value\":0,");
        data = drive_read(&drive, 1, &len);
        ck_assert_str_eq(data, "{\"code\":\"retryable\"}");
        want_end(&drive, 0);
}
END_TEST

START_TEST(test_pipelined_requests_are_lost_or_turned_round_by_behaviours)
{
        static const struct scenario drops = {.with.drops_pipelined_requests = true};
        static const struct scenario turns = {.with.answers_out_of_order = true};
        struct drive drive CLEANUP_DRIVE = {0};

        start(&drive, &turns);
        /* The server is held up by its first reply's order only where the second packet is there already. */
        kill(server_pid, SIGSTOP);
        drive_send(&drive, CALL("X", ""));
        drive_send(&drive, CALL("Y", ""));
        kill(server_pid, SIGCONT);
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "unknown method: Y"));
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "unknown method: X"));
        want_end(&drive, 0);

        start(&drive, &drops);
        kill(server_pid, SIGSTOP);
        drive_send(&drive, CALL("X", ""));
        drive_send(&drive, CALL("Y", ""));
        kill(server_pid, SIGCONT);
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "unknown method: X"));
        want_call(&drive, CALL("Z", ""), "unknown method: Z");
        want_end(&drive, 0);
}
END_TEST

START_TEST(test_requests_are_read_as_behaviours_will_have_it)
{
        static const struct {
                struct behaviours with;
                const char *request;
                const char *answer;
        } cases[] = {
                {{.accepts_trailing_text = true}, "{\"method\":\"X\"} behind", "unknown method: X"},
                {{.first_key_wins = true}, "{\"method\":\"X\",\"method\":\"Y\"}", "unknown method: X"},
                {{.matches_keys_exactly = true}, "{\"Method\":\"X\"}", "invalid request"},
                {{.refuses_unknown_keys = true}, "{\"method\":\"X\",\"other\":1}", "invalid request"},
                {{.refuses_invalid_utf8 = true}, "{\"method\":\"X\xff\"}", "invalid request"},
                {{.refuses_missing_args = true}, "{\"method\":\"X\"}", "invalid request"},
                {{.nesting_at_most = 5}, "{\"method\":\"X\",\"args\":[[[[[[[]]]]]]]}", "invalid request"},
                {{.request_buffer = 5}, "{\"method\":\"X\"}", "invalid request"},
                {{.matches_methods_loosely = true}, "{\"method\":\"iNITIALIZE\"}", "0.2.8"},
                {{.accepts_unknown_methods = true}, "{\"method\":\"X\"}", "\"success\":true"},
                {{.announces = "9.9.9"}, "{\"method\":\"Initialize\"}", "\"9.9.9\""},
                {{.omits_error_code = true}, "{\"method\":\"X\"}", "\"pipeid\":0,\"error\":"},
                {{.fails_without_text = true}, "{\"method\":\"X\"}", "\"error\":\"\""},
                {{.succeeds_on_failure = true}, "{\"method\":\"X\"}", "\"success\":true"},
                {{.omits_null_members = true}, "{\"method\":\"X\"}", "{\"error_code\":\"other\",\"error\":"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct scenario scenario = {.with = cases[i].with};
                struct drive drive CLEANUP_DRIVE = {0};

                start(&drive, &scenario);
                want_call(&drive, cases[i].request, cases[i].answer);
                want_end(&drive, 0);
        }
}
END_TEST

/* Goes through a session, whatever comes of it. The server must not crash. */
static void run_session(const char *path, const struct scenario *scenario)
{
        static const char *const requests[] = {
                CALL("Initialize", ""),         CALL("OpenImage", "\"fake:blob-1\""),
                CALL("GetManifest", "1"),       CALL("GetFullConfig", "1"),
                CALL("GetLayerInfoPiped", "1"), CALL("GetLayerInfo", "1"),
                CALL("FinishPipe", "9"),        CALL("CloseImage", "1"),
                CALL("Shutdown", ""),
        };
        struct drive drive CLEANUP_DRIVE = {0};
        int status, patience = 100;

        start(&drive, scenario);
        for (size_t r = 0; r < ARRAY_SIZE(requests); r++) {
                struct pollfd answered = {.fd = drive.socket, .events = POLLIN};

                if (packet_send(drive.socket, requests[r], strlen(requests[r]), NULL, 0) < 0)
                        break;
                if (poll(&answered, 1, patience) == 1)
                        (void)packet_receive(drive.socket, &drive.packet, NULL);
                else
                        patience = 0; /* one answer that does not come is enough */
        }
        /* Most end by themselves now, and may crash at that: their end of the socket goes then. */
        shutdown(drive.socket, SHUT_WR);
        (void)wait_fd(drive.socket, 0, deadline_in_ms(200));
        kill(server_pid, SIGKILL);
        ck_assert_int_eq(waitpid(server_pid, &status, 0), server_pid);
        ck_assert_msg(!WIFSIGNALED(status) || WTERMSIG(status) == SIGKILL, "%s: signal %d", path,
                      WTERMSIG(status));
}

START_TEST(test_it_runs_every_broken_server_without_a_crash)
{
        char pattern[4096];
        glob_t files;

        snprintf(pattern, sizeof(pattern), "%s/*.json", broken);
        ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                struct problems problems CLEANUP(cleanup_problems) = {0};
                struct scenario *scenario CLEANUP(cleanup_scenario_free) = NULL;

                ck_assert_ok(scenario_read(files.gl_pathv[i], &scenario, &problems));
                /* Those outlive their tests on purpose, or are for a real server. */
                if (!scenario->with.leaves_child && !scenario->with.leaves_file &&
                    !scenario_needs_upstream(scenario))
                        run_session(files.gl_pathv[i], scenario);
        }
        globfree(&files);
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("server");
        TCase *tcase = testing_case(suite, "rules");

        if (argc != 2) {
                fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
                return 2;
        }
        broken = argv[1];
        tcase_add_test(tcase, test_a_rule_changes_the_reply);
        tcase_add_test(tcase, test_a_rule_sends_more_packets_or_none);
        tcase_add_test(tcase, test_a_rule_sends_descriptors_of_every_kind);
        tcase_add_test(tcase, test_a_rule_ends_the_server);
        tcase_add_test(tcase, test_a_delay_holds_up_the_reply);
        tcase_add_test(tcase, test_steps_change_what_the_pipe_carries);
        tcase_add_test(tcase, test_error_steps_fill_the_error_pipe);
        tcase = testing_case(suite, "behaviours");
        tcase_add_test(tcase, test_pipelined_requests_are_lost_or_turned_round_by_behaviours);
        tcase_add_test(tcase, test_requests_are_read_as_behaviours_will_have_it);
        tcase_add_test(tcase, test_it_runs_every_broken_server_without_a_crash);
        return testing_main(suite);
}
