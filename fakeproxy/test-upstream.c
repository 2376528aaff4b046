/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the interposer: what goes through it is what would go without it, whatever that is, and a scenario beside
 * it changes just what its rules say. The program's path is the only argument; it is its own upstream most of the
 * time.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/drive.h"
#include "protocol/message.h"

static const char *program;
static char last_digest[200]; /* of the blob that want_blob asked for */

#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"
#define OPEN(reference) CALL("OpenImage", "\"" reference "\"")
#define PROXY "--insecure-policy experimental-image-proxy"

/* ---- helpers ---- */

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *text, ...)
{
        va_list ap;
        char *ret;

        va_start(ap, text);
        ck_assert_int_ge(vasprintf(&ret, text, ap), 0);
        va_end(ap);
        return ret;
}

/* The program before an upstream; "" for the program itself. */
static char *before(const char *upstream)
{
        return format("--upstream=%s %s", *upstream ? upstream : program, PROXY);
}

/* A file with this content, in a folder of the test's own. The caller frees the path. */
static char *write_file(const char *folder, const char *name, const char *content, mode_t mode)
{
        char *path = format("%s/%s", folder, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(write_all(fd, content, strlen(content)));
        fd_close(fd);
        return path;
}

static void want(struct drive *drive, const char *request, const char *text)
{
        const char *reply = drive_call(drive, request);

        ck_assert_msg(reply != NULL, "hung up after %s", request);
        ck_assert_msg(strstr(reply, text) != NULL, "%s instead of %s", reply, text);
}

/* Opens a fixture whose only layer is @size bytes, and asks for it. */
static void want_blob(struct drive *drive, const char *reference)
{
        struct json_object *manifest CLEANUP(cleanup_json) = NULL;
        struct json_object *layer;
        char *request CLEANUP(cleanup_free) = NULL, *text CLEANUP(cleanup_free) = NULL;
        size_t len;

        want(drive, CALL("Initialize", ""), "\"success\":true");
        request = format(OPEN("%s"), reference);
        want(drive, request, "\"value\":1,");
        want(drive, CALL("GetManifest", "1"), "\"success\":true");
        text = drive_finish(drive, &len);
        ck_assert_ok(json_parse(text, len, 100, &manifest, NULL));
        layer = json_object_array_get_idx(json_object_object_get(manifest, "layers"), 0);
        snprintf(last_digest, sizeof(last_digest), "%s",
                 json_object_get_string(json_object_object_get(layer, "digest")));
        free(STEAL(request));
        request = format(CALL("GetBlob", "1,\"%s\",%lld"),
                         json_object_get_string(json_object_object_get(layer, "digest")),
                         (long long)json_object_get_int64(json_object_object_get(layer, "size")));
        want(drive, request, "\"success\":true");
}

static char *raw_request(void)
{
        return format(CALL("GetRawBlob", "1,\"%s\""), last_digest);
}

/* What a shell command writes on both outputs, and its exit status. The caller frees. */
static char *run(const char *command, int *ret_status)
{
        FILE *pipe = popen(command, "re");
        char *text = calloc(1, 65536);
        size_t len;

        ck_assert_ptr_nonnull(pipe);
        ck_assert_ptr_nonnull(text);
        len = fread(text, 1, 65535, pipe);
        text[len] = '\0';
        *ret_status = WEXITSTATUS(pclose(pipe));
        return text;
}

/* ---- what goes through ---- */

START_TEST(test_a_session_goes_through)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = before("");
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        drive_start(&drive, program, NULL, flags);
        want_blob(&drive, "fake:blob-65537");
        data = drive_finish(&drive, &len);
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(len, 65537);
        ck_assert_ptr_nonnull(strstr(drive.packet.data, "\"success\":true"));
        drive_send(&drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(&drive), 0);
}
END_TEST

START_TEST(test_packets_over_32_kib_go_through)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = before("");
        char *large CLEANUP(cleanup_free) = malloc(100000);

        drive_start(&drive, program, "CIP_FAKEPROXY_EMULATE=1.18.0", flags);
        ck_assert_ptr_nonnull(large);
        want(&drive, CALL("Initialize", ""), "0.2.6");
        want(&drive, OPEN("fake:layers-300"), "\"value\":1,");
        want(&drive, CALL("GetLayerInfo", "1"), "\"success\":true");
        ck_assert_uint_gt(drive.packet.len, 32768);
        memset(large, ' ', 100000);
        drive_send_bytes(&drive, large, 100000, NULL, 0);
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "invalid request"));
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_descriptors_are_handed_on_and_closed)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = before("");
        int fds[20], n;

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = STDERR_FILENO;
        drive_start(&drive, program, NULL, flags);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        n = fd_count(child_pid(drive.child));
        ck_assert_int_gt(n, 0);
        for (int i = 0; i < 50; i++) {
                drive_send_bytes(&drive, CALL("Nothing", ""), strlen(CALL("Nothing", "")), fds,
                                 ARRAY_SIZE(fds));
                ck_assert_ptr_nonnull(drive_receive(&drive));
        }
        ck_assert_int_eq(fd_count(child_pid(drive.child)), n);
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_253_descriptors_go_through)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        struct drive drive CLEANUP_DRIVE = {0};
        char *path CLEANUP(cleanup_free) = NULL, *script CLEANUP(cleanup_free) = NULL;
        char *text CLEANUP(cleanup_free) = NULL, *flags CLEANUP(cleanup_free) = NULL;
        struct cip_error error;

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        path = write_file(folder, "many.json",
                          "{\"scenario\":\"many\",\"about\":\"Far too many.\",\"rules\":[{\"when\":{\"method\":"
                          "\"Initialize\"},\"descriptors\":253}]}",
                          0600);
        text = format("#!/bin/sh\nexec %s --scenario %s \"$@\"\n", program, path);
        script = write_file(folder, "server", text, 0700);
        flags = before(script);
        drive_start(&drive, program, NULL, flags);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        ck_assert_uint_eq(drive.packet.n_fds, 253);
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_stream_socket_stays_one)
{
        char *flag CLEANUP(cleanup_free) = format("--upstream=%s", program);
        const char *argv[] = {program, flag, "experimental-image-proxy", NULL};
        struct child_fd fd = {.target = 0};
        struct child_spec spec = {.argv = argv, .fds = &fd, .n_fds = 1};
        struct child *child CLEANUP(cleanup_child_free) = NULL;
        char *reply CLEANUP(cleanup_free) = NULL;
        struct cip_error error;
        int ends[2], status;
        size_t len;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        fd.fd = ends[1];
        ck_assert_ok(child_start(&spec, &child, &error));
        fd_close(ends[1]);
        ck_assert_ok(write_all(ends[0], CALL("Initialize", ""), strlen(CALL("Initialize", ""))));
        /* Half a close: the reply still comes. */
        ck_assert_int_ge(wait_fd(ends[0], POLLIN, deadline_in_ms(60000)), 0);
        ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
        ck_assert_ok(read_to_end(ends[0], 10000, deadline_in_ms(60000), &reply, &len));
        ck_assert_ptr_nonnull(strstr(reply, "\"success\":true"));
        ck_assert_ok(child_wait(child, deadline_in_ms(60000), &status));
        ck_assert_int_eq(status, 0);
        fd_close(ends[0]);
}
END_TEST

/* ---- the end ---- */

START_TEST(test_each_end_is_the_servers_end)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = before("");

        drive_start(&drive, program, NULL, flags);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        drive_send_bytes(&drive, "", 0, NULL, 0);
        ck_assert_int_eq(drive_wait(&drive), 0);
        drive_clear(&drive);

        drive_start(&drive, program, NULL, flags);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        ck_assert_int_eq(drive_end(&drive), 0);
        drive_clear(&drive);

        drive_start(&drive, program, NULL, flags);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        ck_assert_int_eq(kill(child_pid(drive.child), SIGTERM), 0);
        ck_assert_int_eq(drive_wait(&drive), 1000 + SIGTERM);
}
END_TEST

/* What the server ends with when its client leaves a reply unread. */
static int leave_unread(const char *flags)
{
        struct drive drive CLEANUP_DRIVE = {0};

        drive_start(&drive, program, NULL, flags);
        drive_send(&drive, CALL("Initialize", ""));
        ck_assert_int_ge(wait_fd(drive.socket, POLLIN, deadline_in_ms(60000)), 0);
        return drive_end(&drive);
}

START_TEST(test_a_reply_that_nobody_read_is_told_to_the_server)
{
        char *flags CLEANUP(cleanup_free) = before("");

        ck_assert_int_eq(leave_unread(flags), leave_unread(PROXY));
}
END_TEST

static const struct {
        const char *script;
        int status;
} ends[] = {
        {"#!/bin/sh\necho the reason >&2\nexit 7\n", 7},
        {"#!/bin/sh\necho the reason >&2\nkill -9 $$\n", 1000 + SIGKILL},
        {"#!/bin/sh\necho the reason >&2\nkill -6 $$\n", 1000 + SIGABRT},
};

START_TEST(test_exit_status_signal_and_stderr_are_the_servers)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        struct drive drive CLEANUP_DRIVE = {0};
        char *script CLEANUP(cleanup_free) = NULL, *flags CLEANUP(cleanup_free) = NULL;
        struct cip_error error;

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        script = write_file(folder, "server", ends[_i].script, 0700);
        flags = before(script);
        drive_start(&drive, program, NULL, flags);
        ck_assert_ptr_null(drive_receive(&drive));
        ck_assert_int_eq(drive_wait(&drive), ends[_i].status);
        ck_assert_str_eq(drive_stderr(&drive), "the reason\n");
}
END_TEST

START_TEST(test_a_server_that_dies_in_mid_blob_is_passed_on)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        struct drive drive CLEANUP_DRIVE = {0};
        char *path CLEANUP(cleanup_free) = NULL, *script CLEANUP(cleanup_free) = NULL;
        char *text CLEANUP(cleanup_free) = NULL, *flags CLEANUP(cleanup_free) = NULL;
        char *data CLEANUP(cleanup_free) = NULL;
        struct cip_error error;
        size_t len;

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        path = write_file(folder, "dies.json",
                          "{\"scenario\":\"dies\",\"about\":\"Dies.\",\"rules\":[{\"when\":{\"method\":"
                          "\"GetBlob\"},\"data\":[{\"send\":4096},{\"exit\":3}]}]}",
                          0600);
        text = format("#!/bin/sh\nexec %s --scenario %s \"$@\"\n", program, path);
        script = write_file(folder, "server", text, 0700);
        flags = before(script);
        drive_start(&drive, program, NULL, flags);
        want_blob(&drive, "fake:blob-65537");
        data = drive_read(&drive, 0, &len);
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(len, 4096);
        ck_assert_int_eq(drive_wait(&drive), 3);
}
END_TEST

/* ---- what starts no session ---- */

START_TEST(test_help_version_and_refusals_are_the_servers_own)
{
        static const char *const arguments[] = {
                "--help",
                "--version",
                "",
                "experimental-image-proxy --help",
                "--no-such-flag",
                "experimental-image-proxy --sockfd x",
                "experimental-image-proxy --sockfd 99",
                "experimental-image-proxy --sockfd -1",
                "experimental-image-proxy",
                "copy a b",
        };
        int direct, through;

        for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
                char *a CLEANUP(cleanup_free) =
                        format("%s %s 2>&1 </dev/null | sed 's/^time=[^ ]*//'", program, arguments[i]);
                char *b CLEANUP(cleanup_free) =
                        format("%s --upstream %s %s 2>&1 </dev/null | sed 's/^time=[^ ]*//'", program, program,
                               arguments[i]);
                char *c CLEANUP(cleanup_free) =
                        format("%s %s >/dev/null 2>&1 </dev/null", program, arguments[i]);
                char *d CLEANUP(cleanup_free) = format("%s --upstream %s %s >/dev/null 2>&1 </dev/null",
                                                       program, program, arguments[i]);
                char *said CLEANUP(cleanup_free) = run(a, &direct);
                char *said_through CLEANUP(cleanup_free) = run(b, &through);

                ck_assert_str_eq(said_through, said);
                free(run(c, &direct));
                free(run(d, &through));
                ck_assert_msg(direct == through, "%s: %d, through the interposer %d", arguments[i], direct,
                              through);
        }
}
END_TEST

/* Starts with these settings, and wants status 2 and a text in what is said. */
static void want_refused(const char *environment, const char *flags, const char *text)
{
        struct drive drive CLEANUP_DRIVE = {0};

        drive_start(&drive, program, environment, flags);
        ck_assert_int_eq(drive_wait(&drive), 2);
        ck_assert_msg(strstr(drive_stderr(&drive), text) != NULL, "%s instead of %s", drive_stderr(&drive),
                      text);
}

START_TEST(test_an_upstream_that_cannot_be_started_is_named)
{
        want_refused(NULL, "--upstream no-such-server " PROXY,
                     "the upstream: cannot start no-such-server: No such file or directory");
        want_refused(NULL, "--upstream /etc " PROXY, "cannot start /etc: Is a directory");
        want_refused(NULL, "--upstream /etc/passwd " PROXY, "cannot start /etc/passwd: Permission denied");
        want_refused("CIP_FAKEPROXY_UPSTREAM=  ", PROXY, "--upstream needs a command");
        want_refused(NULL, PROXY " --upstream", "--upstream needs a value");
        want_refused(NULL, "--upstream x --replay y " PROXY, "--replay answers out of a recording");
        want_refused(NULL, "--upstream x --record-data=perhaps " PROXY, "--record-data is true or false");
}
END_TEST

START_TEST(test_an_upstream_that_is_the_interposer_again_is_refused)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        char *environment CLEANUP(cleanup_free) = format("CIP_FAKEPROXY_UPSTREAM=%s", program);
        char *script CLEANUP(cleanup_free) = NULL, *text CLEANUP(cleanup_free) = NULL;
        char *flags CLEANUP(cleanup_free) = NULL, *path CLEANUP(cleanup_free) = NULL;
        char *link CLEANUP(cleanup_free) = NULL;
        struct cip_error error;

        want_refused(environment, PROXY, "is cip-fakeproxy again");

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        path = format("%s/server", folder);
        text = format("#!/bin/sh\nexec %s --upstream %s \"$@\"\n", program, path);
        script = write_file(folder, "server", text, 0700);
        flags = before(script);
        want_refused(NULL, flags, "is cip-fakeproxy again");

        /* The real one was meant, and PATH leads to the drop-in. */
        link = format("%s/skopeo", folder);
        ck_assert_int_eq(symlink(program, link), 0);
        free(STEAL(text));
        text = format("PATH=%s:/usr/bin:/bin", folder);
        setenv("PATH", text + 5, 1);
        want_refused(NULL, "--upstream skopeo " PROXY, "the upstream \"skopeo\" is cip-fakeproxy again");
}
END_TEST

/* ---- a scenario beside it ---- */

/* Starts the interposer before the faithful fake with these rules. */
static char *start_with_rules(struct drive *drive, const char *rules)
{
        struct cip_error error;
        char *folder, *path CLEANUP(cleanup_free) = NULL, *text CLEANUP(cleanup_free) = NULL;
        char *flags CLEANUP(cleanup_free) = NULL;

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        text = format("{\"scenario\":\"rules\",\"about\":\"A test.\",\"rules\":[%s]}", rules);
        path = write_file(folder, "rules.json", text, 0600);
        flags = format("--scenario %s --upstream %s %s --verdict %s/verdict", path, program, PROXY, folder);
        drive_start(drive, program, NULL, flags);
        return folder;
}

START_TEST(test_a_rule_changes_one_reply_of_a_real_server)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) = start_with_rules(
                &drive,
                "{\"when\":{\"method\":\"OpenImage\",\"nth\":2},\"reply\":{\"value\":77,\"new\":true},"
                "\"remove\":[\"error\"]},"
                "{\"when\":{\"method\":\"CloseImage\"},\"answer\":{\"success\":false,\"error\":\"no\"}}");

        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        want(&drive, OPEN("fake:layers-1"), "\"value\":1,");
        want(&drive, OPEN("fake:layers-1"), "\"value\":77,");
        ck_assert_ptr_nonnull(strstr(drive.packet.data, "\"new\":true"));
        ck_assert_ptr_null(strstr(drive.packet.data, "\"error\""));
        want(&drive, OPEN("fake:layers-1"), "\"value\":3,");
        want(&drive, CALL("CloseImage", "1"), "\"error\":\"no\"");
        want(&drive, CALL("GetManifest", "1"), "\"success\":true");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_rule_refuses_what_a_real_server_has_answered)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) =
                start_with_rules(&drive, "{\"when\":{\"method\":\"GetManifest\",\"nth\":1},\"fail\":\"not "
                                         "today\",\"code\":\"retryable\"}");

        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        want(&drive, OPEN("fake:layers-1"), "\"value\":1,");
        ck_assert_str_eq(drive_call(&drive, CALL("GetManifest", "1")),
                         "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"retryable\","
                         "\"error\":\"not today\"}");
        ck_assert_uint_eq(drive.packet.n_fds, 0);
        want(&drive, CALL("GetManifest", "1"), "\"success\":true");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_rule_cuts_one_blob_of_a_real_server)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) = start_with_rules(
                &drive,
                "{\"name\":\"cut\",\"when\":{\"method\":\"GetBlob\"},\"data\":[{\"send\":100000},{\"bytes\":"
                "\"abc\"},{\"fail\":\"the registry has gone\"}]}");
        char *verdict CLEANUP(cleanup_free) = NULL, *path CLEANUP(cleanup_free) = NULL;
        char *data CLEANUP(cleanup_free) = NULL;
        struct cip_error error;
        size_t len;

        want_blob(&drive, "fake:blob-64m");
        data = drive_finish(&drive, &len);
        ck_assert_uint_eq(len, 100003);
        ck_assert_str_eq(data + 100000, "abc");
        ck_assert_msg(strstr(drive.packet.data, "the registry has gone") != NULL, "%s", drive.packet.data);
        drive_send(&drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(&drive), 0);
        path = format("%s/verdict", folder);
        ck_assert_ok(read_file_at(AT_FDCWD, path, 100000, &verdict, &len, &error));
        ck_assert_ptr_nonnull(strstr(verdict, "\"shutdown\""));
        ck_assert_ptr_nonnull(strstr(verdict, "100003"));
}
END_TEST

START_TEST(test_a_rule_fails_a_raw_blob_of_a_real_server)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) = start_with_rules(
                &drive, "{\"when\":{\"method\":\"GetRawBlob\",\"nth\":1},\"data\":[{\"send\":4096},{\"fail\":"
                        "\"the registry has gone\"}]}");
        char *request CLEANUP(cleanup_free) = NULL, *data CLEANUP(cleanup_free) = NULL;
        char *error CLEANUP(cleanup_free) = NULL, *finished CLEANUP(cleanup_free) = NULL;
        size_t len;

        ck_assert_ptr_nonnull(folder);
        want_blob(&drive, "fake:blob-65537");
        finished = drive_finish(&drive, &len);
        request = raw_request();
        want(&drive, request, "\"success\":true");
        ck_assert_uint_eq(drive.packet.n_fds, 2);
        data = drive_read(&drive, 0, &len);
        ck_assert_uint_eq(len, 4096);
        ck_assert_mem_eq(data, finished, len);
        error = drive_read(&drive, 1, &len);
        ck_assert_msg(strstr(error, "the registry has gone") != NULL, "%s", error);
        free(STEAL(data));
        free(STEAL(error));

        want(&drive, request, "\"success\":true");
        data = drive_read(&drive, 0, &len);
        ck_assert_uint_eq(len, 65537);
        ck_assert_mem_eq(data, finished, len);
        error = drive_read(&drive, 1, &len);
        ck_assert_str_eq(error, "");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_rule_leaves_the_rest_of_a_large_blob_as_it_is)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) = start_with_rules(
                &drive, "{\"when\":{\"method\":\"GetBlob\"},\"data\":[{\"send\":5000},{\"skip\":70000000},"
                        "{\"corrupt\":1}]}");
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        want_blob(&drive, "fake:blob-64m");
        data = drive_finish(&drive, &len);
        ck_assert_uint_eq(len, 5000);
        ck_assert_ptr_nonnull(strstr(drive.packet.data, "\"success\":true"));
        drive_clear(&drive);
        tmpdir_remove(STEAL(folder));
        free(STEAL(data));

        folder = start_with_rules(
                &drive, "{\"when\":{\"method\":\"GetBlob\"},\"data\":[{\"send\":5000},{\"corrupt\":1}]}");
        ck_assert_ptr_nonnull(folder);
        want_blob(&drive, "fake:blob-64m");
        data = drive_finish(&drive, &len);
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(len, UINT64_C(64) * 1024 * 1024);
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_rule_ends_the_session_as_it_says)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) = start_with_rules(
                &drive,
                "{\"when\":{\"method\":\"OpenImage\"},\"no_reply\":true,\"stderr\":\"why\\n\",\"exit\":9}");

        want(&drive, CALL("Initialize", ""), "\"success\":true");
        ck_assert_ptr_null(drive_call(&drive, OPEN("fake:layers-1")));
        ck_assert_int_eq(drive_wait(&drive), 9);
        ck_assert_str_eq(drive_stderr(&drive), "why\n");
        drive_clear(&drive);
        tmpdir_remove(STEAL(folder));

        folder = start_with_rules(&drive, "{\"when\":{\"method\":\"OpenImage\"},\"signal\":\"KILL\"}");
        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        want(&drive, OPEN("fake:layers-1"), "\"value\":1");
        ck_assert_int_eq(drive_wait(&drive), 1000 + SIGKILL);
}
END_TEST

START_TEST(test_a_flood_holds_up_no_real_server)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) =
                start_with_rules(&drive, "{\"when\":{\"method\":\"OpenImage\"},\"stderr_flood\":300000}");

        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        for (int i = 0; i < 3; i++)
                want(&drive, OPEN("fake:layers-1"), "\"success\":true");
        while (child_stderr_total(drive.child) < 900000) {
                ck_assert_int_ge(wait_fd(child_stderr_fd(drive.child), POLLIN, deadline_in_ms(60000)), 0);
                child_read_stderr(drive.child);
        }
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_rule_ends_the_process_in_mid_pipe)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) =
                start_with_rules(&drive, "{\"when\":{\"method\":\"GetManifest\"},"
                                         "\"data\":[{\"send\":9},{\"wait_ms\":30},{\"exit\":4}]}");
        size_t len;

        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        want(&drive, OPEN("fake:layers-1"), "\"success\":true");
        want(&drive, CALL("GetManifest", "1"), "\"success\":true");
        ck_assert_int_eq(drive_wait(&drive), 4);
        free(drive_read(&drive, 0, &len));
        ck_assert_uint_eq(len, 9);
}
END_TEST

START_TEST(test_a_rule_speaks_when_the_client_has_gone)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) =
                start_with_rules(&drive, "{\"when\":{\"event\":\"end-of-input\"},\"stderr\":\"gone\\n\"}");

        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        ck_assert_int_eq(drive_end(&drive), 0);
        ck_assert_str_eq(drive_stderr(&drive), "gone\n");
}
END_TEST

/* ---- how the upstream is started ---- */

/* Prints its arguments and two variables, and serves nothing. */
static const char show[] = "#!/bin/sh\nfor a; do echo \"arg $a\"; done\n"
                           "echo \"SET ${SET-none}\"\necho \"UNSET ${UNSET-none}\"\n";

/* What the upstream finds when the interposer is started with @arguments and a scenario of @rest. */
static char *start_edited(const char *rest, const char *arguments, int want_status)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        char *path CLEANUP(cleanup_free) = NULL, *text CLEANUP(cleanup_free) = NULL;
        char *script CLEANUP(cleanup_free) = NULL, *command CLEANUP(cleanup_free) = NULL;
        struct cip_error error;
        char *said;
        int status;

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        text = format("{\"scenario\":\"edits\",\"about\":\"A test.\",%s}", rest);
        path = write_file(folder, "edits.json", text, 0600);
        script = write_file(folder, "show", show, 0700);
        command = format(
                "PLACE=/of/mine UNSET=there %s --upstream '%s own --word' --scenario %s %s 2>&1 </dev/null",
                program, script, path, arguments);
        said = run(command, &status);
        ck_assert_msg(status == want_status, "%d: %s", status, said);
        return said;
}

START_TEST(test_flags_of_the_client_are_left_out_with_their_values)
{
        char *said CLEANUP(cleanup_free) =
                start_edited("\"upstream\":{\"without\":[\"--authfile\",\"--policy\",\"--debug\",\"--word\"]}",
                             "--policy p --debug --tmpdir --policy experimental-image-proxy --authfile a "
                             "--authfile=b --no-creds --creds --authfile -- --authfile",
                             2);

        ck_assert_msg(strstr(said, "/upstream/without/3: skopeo has no such flag") != NULL, "%s", said);
        free(STEAL(said));
        said = start_edited("\"upstream\":{\"without\":[\"--authfile\",\"--policy\",\"--debug\"]}",
                            "--policy p --debug --tmpdir --policy experimental-image-proxy --authfile a "
                            "--authfile=b --no-creds --creds --authfile -- --authfile",
                            0);
        ck_assert_str_eq(said, "arg own\narg --word\narg --tmpdir\narg --policy\narg experimental-image-proxy\n"
                               "arg --no-creds\narg --creds\narg --authfile\narg --\narg --authfile\n"
                               "SET none\nUNSET there\n");
}
END_TEST

START_TEST(test_words_and_variables_are_added_where_they_belong)
{
        char *said CLEANUP(cleanup_free) = start_edited(
                "\"upstream\":{\"with\":[\"--tls-verify=false\"],\"with_global\":[\"--policy\","
                "\"{PLACE}/policy.json\"],\"environment\":{\"SET\":\"{PLACE}{}{1}{A\",\"UNSET\":null}}",
                "experimental-image-proxy --no-creds", 0);

        ck_assert_str_eq(said, "arg own\narg --word\narg --policy\narg /of/mine/policy.json\n"
                               "arg experimental-image-proxy\narg --no-creds\narg --tls-verify=false\n"
                               "SET /of/mine{}{1}{A\nUNSET none\n");
}
END_TEST

START_TEST(test_a_variable_that_is_not_set_is_named)
{
        char *said CLEANUP(cleanup_free) = start_edited(
                "\"upstream\":{\"with\":[\"--authfile={NO_SUCH}/auth.json\"]}", "experimental-image-proxy", 2);

        ck_assert_str_eq(
                said, "cip-fakeproxy: the scenario's upstream: {NO_SUCH} names a variable that is not set\n");
}
END_TEST

START_TEST(test_an_upstreams_edits_hold_in_a_session)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        struct drive drive CLEANUP_DRIVE = {0};
        char *path CLEANUP(cleanup_free) = NULL, *flags CLEANUP(cleanup_free) = NULL;
        struct cip_error error;

        ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
        path = write_file(
                folder, "edits.json",
                "{\"scenario\":\"edits\",\"about\":\"A test.\",\"upstream\":{\"without\":[\"--policy\"],"
                "\"with_global\":[\"--insecure-policy\"],\"environment\":{\"CIP_FAKEPROXY_EMULATE\":"
                "\"1.18.0\"}}}",
                0600);
        flags = format("--policy /no/such/policy --scenario %s --upstream %s experimental-image-proxy", path,
                       program);
        drive_start(&drive, program, NULL, flags);
        want(&drive, CALL("Initialize", ""), "0.2.6");
        want(&drive, OPEN("fake:layers-1"), "\"value\":1,");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_request_is_handed_on_with_another_text)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *folder CLEANUP(cleanup_tmpdir_remove) =
                start_with_rules(&drive, "{\"when\":{\"method\":\"OpenImage\",\"contains\":\"fake:no\",\"nth\":"
                                         "1},\"forward\":{\"replace\":"
                                         "\"no-such\",\"by\":\"layers-1\"}}");

        ck_assert_ptr_nonnull(folder);
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        want(&drive, OPEN("fake:no-such"), "\"value\":1,");
        want(&drive, CALL("GetManifest", "1"), "\"success\":true");
        want(&drive, OPEN("fake:no-such"), "\"success\":false");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_what_is_about_an_upstream_is_refused_where_there_is_none)
{
        static const char *const parts[] = {
                "\"upstream\":{}",
                "\"registry\":{}",
                "\"rules\":[{\"forward\":{\"replace\":\"a\",\"by\":\"b\"}}]",
        };
        struct cip_error error;

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
                char *path CLEANUP(cleanup_free) = NULL, *flags CLEANUP(cleanup_free) = NULL;
                char *text CLEANUP(cleanup_free) =
                        format("{\"scenario\":\"edits\",\"about\":\"A test.\",%s}", parts[i]);

                ck_assert_ok(tmpdir_new("test-upstream", &folder, &error));
                path = write_file(folder, "edits.json", text, 0600);
                flags = format("--scenario %s " PROXY, path);
                want_refused(NULL, flags, "it holds only beside --upstream");
        }
}
END_TEST

START_TEST(test_a_scenario_that_is_none_is_refused_beside_an_upstream)
{
        char *flags CLEANUP(cleanup_free) =
                format("--scenario /no/such/file.json --upstream %s %s", program, PROXY);

        want_refused(NULL, flags, "/no/such/file.json");
}
END_TEST

int main(int argc, char *argv[])
{
        static char path[PATH_MAX];
        Suite *suite = suite_create("upstream");
        TCase *through = testing_case(suite, "through"), *end = testing_case(suite, "end");
        TCase *start_up = testing_case(suite, "start"), *rules = testing_case(suite, "rules");
        TCase *edits = testing_case(suite, "edits");

        /* By its whole path: a test puts a link to it into a folder. */
        program = argc > 1 && realpath(argv[1], path) ? path : "cip-fakeproxy";
        tcase_add_test(through, test_a_session_goes_through);
        tcase_add_test(through, test_packets_over_32_kib_go_through);
        tcase_add_test(through, test_descriptors_are_handed_on_and_closed);
        tcase_add_test(through, test_253_descriptors_go_through);
        tcase_add_test(through, test_a_stream_socket_stays_one);
        tcase_add_test(end, test_each_end_is_the_servers_end);
        tcase_add_test(end, test_a_reply_that_nobody_read_is_told_to_the_server);
        tcase_add_loop_test(end, test_exit_status_signal_and_stderr_are_the_servers, 0, ARRAY_SIZE(ends));
        tcase_add_test(end, test_a_server_that_dies_in_mid_blob_is_passed_on);
        tcase_add_test(start_up, test_help_version_and_refusals_are_the_servers_own);
        tcase_add_test(start_up, test_an_upstream_that_cannot_be_started_is_named);
        tcase_add_test(start_up, test_an_upstream_that_is_the_interposer_again_is_refused);
        tcase_add_test(rules, test_a_rule_changes_one_reply_of_a_real_server);
        tcase_add_test(rules, test_a_rule_refuses_what_a_real_server_has_answered);
        tcase_add_test(rules, test_a_rule_cuts_one_blob_of_a_real_server);
        tcase_add_test(rules, test_a_rule_fails_a_raw_blob_of_a_real_server);
        tcase_add_test(rules, test_a_rule_leaves_the_rest_of_a_large_blob_as_it_is);
        tcase_add_test(rules, test_a_rule_ends_the_session_as_it_says);
        tcase_add_test(rules, test_a_flood_holds_up_no_real_server);
        tcase_add_test(rules, test_a_rule_ends_the_process_in_mid_pipe);
        tcase_add_test(rules, test_a_rule_speaks_when_the_client_has_gone);
        tcase_add_test(edits, test_flags_of_the_client_are_left_out_with_their_values);
        tcase_add_test(edits, test_words_and_variables_are_added_where_they_belong);
        tcase_add_test(edits, test_a_variable_that_is_not_set_is_named);
        tcase_add_test(edits, test_an_upstreams_edits_hold_in_a_session);
        tcase_add_test(edits, test_what_is_about_an_upstream_is_refused_where_there_is_none);
        tcase_add_test(rules, test_a_request_is_handed_on_with_another_text);
        tcase_add_test(rules, test_a_scenario_that_is_none_is_refused_beside_an_upstream);
        for (size_t i = 0; i < 5; i++)
                tcase_set_timeout((TCase *[]){through, end, start_up, rules, edits}[i], 120);
        return testing_main(suite);
}
