/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the built program: every method, what emulations differ in, the command line, the end, and clients that
 * mean no good. The program's path is the only argument.
 */
#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/drive.h"
#include "fakeproxy/emulate.h"
#include "image/digest.h"
#include "protocol/message.h"

static const char *program;

#define OPEN(reference) "{\"method\":\"OpenImage\",\"args\":[\"" reference "\"]}"
#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"
#define PROXY "--insecure-policy experimental-image-proxy"

/* Starts the program as @emulate, and says Initialize. */
static void start_as(struct drive *drive, const char *emulate, const char *flags)
{
        char environment[100];

        snprintf(environment, sizeof(environment), "CIP_FAKEPROXY_EMULATE=%s", emulate);
        drive_start(drive, program, environment, flags);
        ck_assert_ptr_nonnull(strstr(drive_call(drive, CALL("Initialize", "")), "\"success\":true"));
}

static void start(struct drive *drive, const char *emulate)
{
        start_as(drive, emulate, PROXY);
}

/* The last reply holds this text. */
static void want(const struct drive *drive, const char *text)
{
        ck_assert_msg(strstr(drive->packet.data, text) != NULL, "%s instead of %s", drive->packet.data, text);
}

/* Calls, and wants this text in the reply. */
static void want_call(struct drive *drive, const char *request, const char *text)
{
        const char *reply = drive_call(drive, request);

        ck_assert_msg(reply != NULL, "hung up after %s", request);
        want(drive, text);
}

/* Calls for a pipe and takes its whole data, which FinishPipe must find right. The caller frees. */
static char *want_data(struct drive *drive, const char *request, size_t *ret_len)
{
        char *data;

        want_call(drive, request, "\"success\":true");
        data = drive_finish(drive, ret_len);
        want(drive, "\"success\":true");
        return data;
}

/* The manifest of image 1, parsed. */
static struct json_object *get_manifest(struct drive *drive)
{
        size_t len;
        char *text CLEANUP(cleanup_free) = want_data(drive, CALL("GetManifest", "1"), &len);
        struct json_object *manifest;

        ck_assert_ok(json_parse(text, len, 100, &manifest, NULL));
        return manifest;
}

static struct json_object *layer(struct json_object *manifest, size_t i)
{
        return json_object_array_get_idx(json_object_object_get(manifest, "layers"), i);
}

static const char *digest_in(struct json_object *content)
{
        return json_object_get_string(json_object_object_get(content, "digest"));
}

static int64_t size_in(struct json_object *content)
{
        return json_object_get_int64(json_object_object_get(content, "size"));
}

/* ---- every method ---- */

static bool has(const char *emulate, unsigned patch)
{
        struct emulation emulation;
        struct cip_error error;

        ck_assert_ok(emulation_find(emulate, &emulation, &error));
        return emulation.protocol.patch >= patch;
}

START_TEST(test_every_method_of_its_version_works)
{
        const char *name = emulation_names[_i];
        struct drive drive CLEANUP_DRIVE = {0};
        struct json_object *manifest CLEANUP(cleanup_json) = NULL;
        char *data CLEANUP(cleanup_free) = NULL;
        char request[400], actual[DIGEST_TEXT_SIZE];
        size_t len;

        start(&drive, name);
        want_call(&drive, OPEN("fake:blob-65537"), "\"value\":1,");
        manifest = get_manifest(&drive);
        data = want_data(&drive, CALL("GetFullConfig", "1"), &len);
        ck_assert_ptr_nonnull(strstr(data, "\"rootfs\""));
        free(STEAL(data));
        data = want_data(&drive, CALL("GetConfig", "1"), &len);
        ck_assert_ptr_null(strstr(data, "\"rootfs\""));

        free(STEAL(data));
        snprintf(request, sizeof(request), CALL("GetBlob", "1,\"%s\",%lld"), digest_in(layer(manifest, 0)),
                 (long long)size_in(layer(manifest, 0)));
        data = want_data(&drive, request, &len);
        ck_assert_uint_eq(len, 65537);
        ck_assert_ok(digest_of(DIGEST_SHA256, data, len, actual));
        ck_assert_str_eq(actual, digest_in(layer(manifest, 0)));

        want_call(&drive, CALL("OpenImageOptional", "\"fake:blob-1\""),
                  has(name, 4) ? "\"value\":2," : "unknown method: OpenImageOptional");
        want_call(&drive, CALL("GetLayerInfo", "1"),
                  has(name, 5) ? "\"size\":65537" : "unknown method: GetLayerInfo");
        if (has(name, 7)) {
                free(STEAL(data));
                data = want_data(&drive, CALL("GetLayerInfoPiped", "1"), &len);
                ck_assert_ptr_nonnull(strstr(data, "\"size\":65537"));
        } else {
                want_call(&drive, CALL("GetLayerInfoPiped", "1"), "unknown method: GetLayerInfoPiped");
        }
        snprintf(request, sizeof(request), CALL("GetRawBlob", "1,\"%s\""), digest_in(layer(manifest, 0)));
        if (has(name, 8)) {
                want_call(&drive, request, "\"value\":65537,\"pipeid\":0,\"error_code\":\"\"");
                ck_assert_uint_eq(drive.packet.n_fds, 2);
                free(STEAL(data));
                data = drive_read(&drive, 0, &len);
                ck_assert_uint_eq(len, 65537);
                free(STEAL(data));
                free(drive_read(&drive, 1, &len));
                data = NULL;
                ck_assert_uint_eq(len, 0);
        } else {
                want_call(&drive, request, "unknown method: GetRawBlob");
        }
        want_call(&drive, CALL("CloseImage", "1"), "\"success\":true");
        want_call(&drive, CALL("CloseImage", "1"), "no image 1");
        drive_send(&drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(&drive), 0);
        ck_assert_str_eq(drive_stderr(&drive), "");
}
END_TEST

/* ---- what emulations differ in ---- */

START_TEST(test_releases_have_quirks_and_versions_have_not)
{
        static const struct {
                const char *request;
                const char *emulate;
                const char *answer;
        } cases[] = {
                {CALL("CloseImage", "0"), "1.9.3", "no image 0"},
                {CALL("CloseImage", "0"), "1.18.0", "Invalid imageid value of zero"},
                {CALL("CloseImage", "0"), "0.2.3", "Invalid imageid value of zero"},
                {CALL("CloseImage", "-1"), "1.9.3", "no image 4294967295"},
                {CALL("CloseImage", "-1"), "1.22.0", "no image 18446744073709551615"},
                {CALL("CloseImage", "-1"), "0.2.8", "expecting an integer of 0 or more"},
                {CALL("CloseImage", "1.5"), "1.9.3", "\"success\":true"},
                {CALL("CloseImage", "1.5"), "0.2.3", "expecting an integer of 0 or more, not 1.5"},
                {CALL("CloseImage", "\"1\""), "1.9.3", "expecting integer imageid, not string"},
                {CALL("CloseImage", "\"1\""), "1.18.0", "expecting numeric, not string"},
                {CALL("CloseImage", "4294967297"), "1.9.3", "\"success\":true"},
                {CALL("CloseImage", "4294967297"), "1.18.0", "no image 4294967297"},
                {CALL("FinishPipe", "4294967299"), "1.22.0", "finishpipe: no active pipe 3"},
                {CALL("FinishPipe", "4294967299"), "0.2.8", "finishpipe: no active pipe 4294967299"},
                {CALL("FinishPipe", "1,2"), "1.22.0", "finishpipe: no active pipe 1"},
                {CALL("FinishPipe", "1,2"), "0.2.8", "expecting one argument"},
                {CALL("FinishPipe", ""), "0.2.3", "expecting one argument"},
                {CALL("FinishPipe", "1e400"), "0.2.8", "cannot unmarshal number 1e400"},
                {OPEN("dir:/nonexistent"), "1.22.0", "\"success\":true"},
                {OPEN("dir:/nonexistent"), "0.2.8", "no such file or directory"},
                {CALL("OpenImageOptional", "\"dir:/nonexistent\""), "0.2.8", "\"value\":0,"},
                {CALL("OpenImageOptional", "\"oci:/nonexistent:x\""), "1.22.0", "no such file or directory"},
                {CALL("OpenImageOptional", "\"oci:/nonexistent:x\""), "0.2.4", "\"value\":0,"},
                {CALL("GetManifest", "99"), "0.2.8", "\"error_code\":\"other\""},
                {CALL("GetManifest", "99"), "0.2.7", "\"pipeid\":0,\"error\":\"no image 99\""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct drive drive CLEANUP_DRIVE = {0};

                start(&drive, cases[i].emulate);
                want_call(&drive, OPEN("fake:blob-1"), "\"success\":true");
                want_call(&drive, cases[i].request, cases[i].answer);
                ck_assert_int_eq(drive_end(&drive), 0);
        }
}
END_TEST

START_TEST(test_finish_pipe_without_arguments_panics_as_a_release)
{
        static const char *const releases[] = {"1.9.3", "1.18.0", "1.22.0"};

        for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
                struct drive drive CLEANUP_DRIVE = {0};

                start(&drive, releases[i]);
                ck_assert_ptr_null(drive_call(&drive, CALL("FinishPipe", "")));
                ck_assert_int_eq(drive_wait(&drive), 2);
                ck_assert_ptr_nonnull(strstr(drive_stderr(&drive),
                                             "panic: runtime error: index out of range [0] with length 0\n\n"
                                             "goroutine 1 [running]:\n"));
        }
}
END_TEST

static void call_blob(struct drive *drive)
{
        struct json_object *manifest CLEANUP(cleanup_json) = get_manifest(drive);
        char request[400];

        snprintf(request, sizeof(request), CALL("GetBlob", "1,\"%s\",%lld"), digest_in(layer(manifest, 0)),
                 (long long)size_in(layer(manifest, 0)));
        want_call(drive, request, "\"success\":true");
}

/* A name that JSON writes as six bytes a character, and that the error has twice. */
START_TEST(test_a_long_name_kills_a_release_and_no_version)
{
        struct drive release CLEANUP_DRIVE = {0}, version CLEANUP_DRIVE = {0};
        char request[30100], name[30001];

        memset(name, '<', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        snprintf(request, sizeof(request), OPEN("docker-archive:/%s"), name);
        start(&release, "1.9.3");
        ck_assert_ptr_null(drive_call(&release, request));
        ck_assert_int_eq(drive_wait(&release), 1);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&release), "sendmsg: message too long"));

        start(&version, "0.2.3");
        want_call(&version, request, "\"error\":\"opening file");
        ck_assert_uint_lt(version.packet.len, 32768);
        ck_assert_int_eq(drive_end(&version), 0);
}
END_TEST

/* Files of the server that are open below a layout's folder of blobs. */
static size_t count_open_blobs(const struct drive *drive)
{
        char path[64], target[4096];
        size_t n = 0;

        for (int fd = 0; fd < 300; fd++) {
                ssize_t len;

                snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)child_pid(drive->child), fd);
                len = readlink(path, target, sizeof(target) - 1);
                target[len > 0 ? len : 0] = '\0';
                n += strstr(target, "/blobs/sha256/") != NULL;
        }
        return n;
}

START_TEST(test_blobs_stay_open_in_1_9_3_for_a_while_and_in_no_version)
{
        static const char *const emulated[] = {"1.9.3", "0.2.3"};
        struct drive drive CLEANUP_DRIVE = {0};
        size_t len;

        start(&drive, emulated[_i]);
        want_call(&drive, OPEN("fake:layers-1"), "\"value\":1,");
        for (int i = 0; i < 100; i++) {
                call_blob(&drive);
                free(drive_finish(&drive, &len));
                if (i == 4)
                        ck_assert_uint_eq(count_open_blobs(&drive), _i == 0 ? 5 : 0);
        }
        ck_assert_uint_le(count_open_blobs(&drive), _i == 0 ? 64 : 0);
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_too_many_layers_kill_a_release_and_no_version)
{
        struct drive release CLEANUP_DRIVE = {0}, version CLEANUP_DRIVE = {0};
        size_t len;

        start(&release, "1.18.0");
        want_call(&release, OPEN("fake:layers-2000"), "\"value\":1,");
        ck_assert_ptr_null(drive_call(&release, CALL("GetLayerInfo", "1")));
        ck_assert_int_eq(drive_wait(&release), 1);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&release), "sendmsg: message too long"));

        start(&version, "0.2.8");
        want_call(&version, OPEN("fake:layers-2000"), "\"value\":1,");
        want_call(&version, CALL("GetLayerInfo", "1"), "too many layers");
        free(want_data(&version, CALL("GetLayerInfoPiped", "1"), &len));
        ck_assert_uint_gt(len, 200000);
        ck_assert_int_eq(drive_end(&version), 0);
}
END_TEST

START_TEST(test_a_list_is_named_by_its_own_digest_or_by_the_platforms)
{
        struct drive release CLEANUP_DRIVE = {0}, version CLEANUP_DRIVE = {0};
        char *picked CLEANUP(cleanup_free) = NULL;
        char text[200], digest[DIGEST_TEXT_SIZE];
        size_t len;

        start(&release, "1.22.0");
        want_call(&release, OPEN("fake:index"), "\"value\":1,");
        want_call(&release, CALL("GetManifest", "1"), "\"success\":true");
        snprintf(text, sizeof(text), "%.150s", release.packet.data);
        picked = drive_finish(&release, &len);
        ck_assert_ok(digest_of(DIGEST_SHA256, picked, len, digest));
        ck_assert_ptr_nonnull(strstr(text, digest));

        start(&version, "0.2.8");
        want_call(&version, OPEN("fake:index"), "\"value\":1,");
        want_call(&version, CALL("GetManifest", "1"), "\"value\":\"sha256:");
        ck_assert_ptr_null(strstr(version.packet.data, digest));
}
END_TEST

START_TEST(test_overrides_pick_another_platform)
{
        struct drive mine CLEANUP_DRIVE = {0}, other CLEANUP_DRIVE = {0}, none CLEANUP_DRIVE = {0};
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        start_as(&other, "0.2.8", "--override-arch s390x " PROXY);
        want_call(&other, OPEN("fake:index"), "\"value\":1,");
        data = want_data(&other, CALL("GetFullConfig", "1"), &len);
        ck_assert_ptr_nonnull(strstr(data, "\"architecture\":\"s390x\""));
        free(STEAL(data));
        start_as(&mine, "0.2.8", "--override-arch arm64 --override-os linux --override-variant v8 " PROXY);
        want_call(&mine, OPEN("fake:index"), "\"value\":1,");
        data = want_data(&mine, CALL("GetFullConfig", "1"), &len);
        ck_assert_ptr_nonnull(strstr(data, "\"architecture\":\"arm64\""));
        start_as(&none, "0.2.8", "--override-arch nosuch " PROXY);
        want_call(&none, OPEN("fake:index"), "no image found in image index");
}
END_TEST

START_TEST(test_the_policy_is_enforced_from_0_2_6_on)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        static const char policy[] = "{\"default\":[{\"type\":\"reject\"}]}";
        struct drive enforces CLEANUP_DRIVE = {0}, ignores CLEANUP_DRIVE = {0}, told CLEANUP_DRIVE = {0};
        struct cip_error error;
        char path[4096], flags[5000];

        ck_assert_ok(tmpdir_new("cip-program", &folder, &error));
        snprintf(path, sizeof(path), "%s/policy.json", folder);
        ck_assert_ok(replace_file_at(AT_FDCWD, path, policy, strlen(policy), &error));
        snprintf(flags, sizeof(flags), "--policy %s experimental-image-proxy", path);
        start_as(&enforces, "1.18.0", flags);
        want_call(&enforces, OPEN("fake:blob-1"), "Running image fake:blob-1 is rejected by policy.");
        start_as(&ignores, "1.9.3", flags);
        want_call(&ignores, OPEN("fake:blob-1"), "\"success\":true");
        snprintf(flags, sizeof(flags), "--policy %s " PROXY, path);
        start_as(&told, "1.18.0", flags);
        want_call(&told, OPEN("fake:blob-1"), "\"success\":true");
}
END_TEST

/* ---- the command line ---- */

/* Runs the program by the name @argv0 to its end; what it printed is in @out. Returns the status. */
static int run(const char *argv0, const char *emulate, const char *argument, char *out, size_t size)
{
        char command[8192];
        FILE *from;
        size_t n;
        int status;

        snprintf(command, sizeof(command), "CIP_FAKEPROXY_EMULATE=%s exec '%s' %s 2>&1 </dev/null", emulate,
                 argv0, argument);
        from = popen(command, "re"); /* NOLINT: a test's own command */
        ck_assert_ptr_nonnull(from);
        n = fread(out, 1, size - 1, from);
        out[n] = '\0';
        status = pclose(from);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

/* The program under the name skopeo, in a folder that goes away. */
static char *link_as_skopeo(char path[4096])
{
        struct cip_error error;
        char *folder, *real = realpath(program, NULL);

        ck_assert_ptr_nonnull(real);
        ck_assert_ok(tmpdir_new("cip-program", &folder, &error));
        snprintf(path, 4096, "%s/skopeo", folder);
        ck_assert_int_eq(symlink(real, path), 0);
        free(real);
        return folder;
}

START_TEST(test_called_skopeo_it_answers_as_the_release)
{
        char path[4096], out[8192];
        char *folder = link_as_skopeo(path);

        ck_assert_int_eq(run(path, "1.9.3", "--version", out, sizeof(out)), 0);
        ck_assert_str_eq(out, "skopeo version 1.9.3\n");
        ck_assert_int_eq(run(path, "1.22.0", "--help", out, sizeof(out)), 0);
        ck_assert_ptr_nonnull(strstr(out, "--user-agent-prefix"));
        ck_assert_int_eq(run(path, "1.18.0", "--help", out, sizeof(out)), 0);
        ck_assert_ptr_null(strstr(out, "--user-agent-prefix"));
        ck_assert_ptr_nonnull(strstr(out, "generate-sigstore-key"));
        ck_assert_int_eq(run(path, "1.9.3", "experimental-image-proxy --help", out, sizeof(out)), 0);
        ck_assert_ptr_nonnull(strstr(out, "--sockfd int"));
        ck_assert_int_eq(run(path, "1.9.3", "", out, sizeof(out)), 1);
        ck_assert_ptr_nonnull(
                strstr(out, "level=fatal msg=\"Missing command 'skopeo COMMAND'\\nTry 'skopeo --help' for "
                            "more information\"\n"));
        ck_assert_int_eq(run(path, "1.9.3", "quirks", out, sizeof(out)), 1);
        tmpdir_remove(folder);
}
END_TEST

START_TEST(test_called_by_its_own_name_it_speaks_of_itself)
{
        char out[65536];

        ck_assert_int_eq(run(program, "0.2.8", "--help", out, sizeof(out)), 0);
        ck_assert_ptr_nonnull(strstr(out, "--emulate"));
        ck_assert_ptr_nonnull(strstr(out, "--user-agent-prefix"));
        ck_assert_int_eq(run(program, "0.2.8", "--version", out, sizeof(out)), 0);
        ck_assert_str_eq(out,
                         "cip-fakeproxy version " CIP_VERSION " (as skopeo version 1.22.0, protocol 0.2.8)\n");
        ck_assert_int_eq(run(program, "1.22.0", "quirks", out, sizeof(out)), 0);
        ck_assert_ptr_nonnull(strstr(out, "panic"));
}
END_TEST

/* So that the baseline of that release holds for it: cip-conformance asks for the version. */
START_TEST(test_asked_for_a_release_it_answers_as_that_release_by_any_name)
{
        char out[65536];

        ck_assert_int_eq(run(program, "1.9.3", "--version", out, sizeof(out)), 0);
        ck_assert_str_eq(out, "skopeo version 1.9.3\n");
        ck_assert_int_eq(run(program, "1.18.0", "--help", out, sizeof(out)), 0);
        ck_assert_ptr_null(strstr(out, "--emulate"));
        ck_assert_ptr_nonnull(strstr(out, "Use \"skopeo [command] --help\""));
}
END_TEST

START_TEST(test_wrong_use_has_its_status_and_a_sentence)
{
        static const struct {
                const char *arguments;
                int status;
                const char *text;
        } cases[] = {
                {"--nonsense experimental-image-proxy", 1, "level=fatal msg=\"unknown flag: --nonsense\""},
                {"experimental-image-proxy --sockfd 77", 1, "file file+net sock: fcntl: bad file descriptor"},
                {"experimental-image-proxy --sockfd 99999999999", 1, "bad file descriptor"},
                {"experimental-image-proxy", 1, "getsockopt: socket operation on non-socket"},
                {"experimental-image-proxy --sockfd -1", 2, "panic: runtime error: invalid memory address"},
                {"--emulate 0.2.8 experimental-image-proxy --sockfd -1", 1, "bad file descriptor"},
                {"--tls-verify=false experimental-image-proxy", 1,
                 "level=warning msg=\"'--tls-verify' is deprecated"},
                {"--emulate nonsense experimental-image-proxy", 2,
                 "cip-fakeproxy: cannot emulate \"nonsense\""},
                {"--seed nonsense experimental-image-proxy", 2, "cip-fakeproxy: --seed \"nonsense\": expected"},
        };
        char out[8192];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_int_eq(run(program, "1.9.3", cases[i].arguments, out, sizeof(out)), cases[i].status);
                ck_assert_msg(strstr(out, cases[i].text) != NULL, "%s: %s", cases[i].arguments, out);
        }
}
END_TEST

START_TEST(test_the_environment_names_a_recording_too)
{
        char out[8192];

        ck_assert_int_eq(setenv("CIP_FAKEPROXY_REPLAY", "/nowhere", 1), 0);
        ck_assert_int_eq(setenv("CIP_FAKEPROXY_REPLAY_ANY_ORDER", "true", 1), 0);
        ck_assert_int_eq(run(program, "1.9.3", "experimental-image-proxy", out, sizeof(out)), 2);
        ck_assert_str_eq(out, "cip-fakeproxy: cannot open /nowhere: No such file or directory\n");
        ck_assert_int_eq(unsetenv("CIP_FAKEPROXY_REPLAY"), 0);
        ck_assert_int_eq(unsetenv("CIP_FAKEPROXY_REPLAY_ANY_ORDER"), 0);
}
END_TEST

START_TEST(test_credentials_are_judged_by_initialize)
{
        struct drive drive CLEANUP_DRIVE = {0};

        drive_start(&drive, program, NULL, PROXY " --creds a:b --no-creds");
        want_call(&drive, CALL("Initialize", ""), "creds and no-creds cannot be specified at the same time");
        want_call(&drive, OPEN("fake:blob-1"), "must invoke Initialize");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

/* ---- pipes ---- */

START_TEST(test_ten_pipes_are_finished_in_reverse_order)
{
        struct drive drive CLEANUP_DRIVE = {0};
        int fds[10];
        unsigned ids[10];

        start(&drive, "0.2.8");
        want_call(&drive, OPEN("fake:blob-1"), "\"value\":1,");
        for (size_t i = 0; i < 10; i++) {
                want_call(&drive, CALL("GetManifest", "1"), "\"success\":true");
                ids[i] = drive_pipe_id(&drive);
                fds[i] = steal_fd(&drive.packet.fds[0]);
        }
        for (size_t i = 10; i-- > 0;) {
                char request[80];
                char *data;
                size_t len;

                snprintf(request, sizeof(request), CALL("FinishPipe", "%u"), ids[i]);
                want_call(&drive, request, "\"success\":true");
                ck_assert_ok(read_to_end(fds[i], 1 << 20, deadline_in_ms(60000), &data, &len));
                ck_assert_uint_gt(len, 100);
                free(data);
                fd_close(fds[i]);
                want_call(&drive, request, "no active pipe");
        }
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

/* Asks for image 1's first layer, and leaves the reply. */
START_TEST(test_finish_pipe_waits_and_holds_up_requests_but_not_data)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char request[80];
        char *data CLEANUP(cleanup_free) = NULL;
        int fd CLEANUP_FD = -1;
        size_t len;

        start(&drive, "0.2.8");
        want_call(&drive, OPEN("fake:blob-65537"), "\"value\":1,");
        call_blob(&drive);
        snprintf(request, sizeof(request), CALL("FinishPipe", "%u"), drive_pipe_id(&drive));
        fd = steal_fd(&drive.packet.fds[0]);
        drive_send(&drive, request);
        drive_send(&drive, CALL("NoSuchMethod", ""));
        ck_assert(drive_is_silent(&drive));
        ck_assert_ok(read_to_end(fd, DRIVE_DATA_MAX, deadline_in_ms(120000), &data, &len));
        ck_assert_uint_eq(len, 65537);
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "\"success\":true"));
        ck_assert_ptr_nonnull(strstr(drive_receive(&drive), "NoSuchMethod"));
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_reader_that_leaves_is_reported_with_its_code)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char request[80];

        start(&drive, "0.2.8");
        want_call(&drive, OPEN("fake:blob-65537"), "\"value\":1,");
        call_blob(&drive);
        snprintf(request, sizeof(request), CALL("FinishPipe", "%u"), drive_pipe_id(&drive));
        packet_clear(&drive.packet);
        want_call(&drive, request, "\"error_code\":\"EPIPE\",\"error\":\"write |1: broken pipe\"");
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_broken_blobs_are_found_out)
{
        static const char *const cases[][2] = {{"fake:broken-digest", "corrupted blob, expecting sha256:"},
                                               {"fake:broken-size", "expected 2049 bytes in blob, got 2048"}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct drive drive CLEANUP_DRIVE = {0};
                char request[200];
                size_t len;

                start(&drive, "0.2.6");
                snprintf(request, sizeof(request), CALL("OpenImage", "\"%s\""), cases[i][0]);
                want_call(&drive, request, "\"value\":1,");
                call_blob(&drive);
                free(drive_finish(&drive, &len));
                want(&drive, cases[i][1]);
        }
}
END_TEST

/* ---- the end, and hostile clients ---- */

START_TEST(test_each_end_of_input_has_status_0)
{
        struct drive hang_up CLEANUP_DRIVE = {0}, empty CLEANUP_DRIVE = {0}, half CLEANUP_DRIVE = {0},
                             full CLEANUP_DRIVE = {0};

        start(&hang_up, "0.2.8");
        ck_assert_int_eq(drive_end(&hang_up), 0);
        start(&empty, "0.2.8");
        drive_send_bytes(&empty, "", 0, NULL, 0);
        ck_assert_int_eq(drive_wait(&empty), 0);
        start(&half, "0.2.8");
        ck_assert_int_eq(shutdown(half.socket, SHUT_WR), 0);
        ck_assert_int_eq(drive_wait(&half), 0);
        start(&full, "0.2.8");
        want_call(&full, OPEN("fake:blob-65537"), "\"value\":1,");
        call_blob(&full);
        fd_clear(&full.socket);
        ck_assert_int_eq(drive_wait(&full), 0);
}
END_TEST

START_TEST(test_it_ends_when_the_client_goes_while_finish_pipe_waits)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char request[80];
        int fd CLEANUP_FD = -1;

        start(&drive, "0.2.8");
        want_call(&drive, OPEN("fake:blob-65537"), "\"value\":1,");
        call_blob(&drive);
        snprintf(request, sizeof(request), CALL("FinishPipe", "%u"), drive_pipe_id(&drive));
        fd = steal_fd(&drive.packet.fds[0]);
        drive_send(&drive, request);
        /* As the released servers it does not look at the socket then: the pipe wakes it. */
        fd_clear(&drive.socket);
        fd_clear(&fd);
        ck_assert_int_eq(drive_wait(&drive), 1);
}
END_TEST

START_TEST(test_garbage_is_answered_and_survived)
{
        static const char *const packets[] = {
                "",
                "{",
                "}",
                "[]",
                "null",
                "\"\"",
                "0",
                "{}",
                "hello",
                "\xff\xfe",
                "{\"method\":[]}",
                "{\"method\":\"GetBlob\",\"args\":[[],{},null]}",
                "{\"method\":\"GetBlob\",\"args\":[1,\"\",1e300]}",
                "{\"method\":\"FinishPipe\",\"args\":[-1e300]}",
                "{\"method\":\"OpenImage\",\"args\":[\"oci:\\u0000\"]}",
                "{\"method\":\"OpenImage\",\"args\":[\"fake:../../etc/passwd\"]}",
                "{\"method\":\"OpenImage\",\"args\":[\"oci:/proc/self/fd/0:x\"]}",
                "{\"method\":\"GetBlob\",\"args\":[1,\"sha256:../../etc/passwd\",1]}"};
        struct drive drive CLEANUP_DRIVE = {0};
        char *deep CLEANUP(cleanup_free) = malloc(150001);

        start(&drive, "0.2.8");
        want_call(&drive, OPEN("fake:blob-1"), "\"value\":1,");
        for (size_t i = 1; i < ARRAY_SIZE(packets); i++)
                want_call(&drive, packets[i], "\"success\":false,\"value\":null,\"pipeid\":0");
        memset(deep, '[', 150000);
        deep[150000] = '\0';
        want_call(&drive, deep, "\"success\":false");
        memset(deep, ' ', 150000);
        want_call(&drive, deep, "\"success\":false");
        ck_assert_int_eq(drive_end(&drive), 0);
        ck_assert_str_eq(drive_stderr(&drive), "");
}
END_TEST

START_TEST(test_a_packet_is_cut_at_32768_bytes)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *text CLEANUP(cleanup_free) = malloc(32770);
        static const char head[] = "{\"method\":\"";

        start(&drive, "0.2.8");
        for (size_t len = 32768; len <= 32769; len++) {
                memset(text, 'x', len);
                memcpy(text, head, strlen(head));
                text[len - 2] = '"';
                text[len - 1] = '}';
                text[len] = '\0';
                want_call(&drive, text, len == 32768 ? "unknown method: xxx" : "invalid request: ");
        }
}
END_TEST

START_TEST(test_descriptors_sent_in_bulk_are_closed)
{
        struct drive drive CLEANUP_DRIVE = {0};
        int fds[PACKET_FDS_MAX], before;

        start(&drive, "0.2.8");
        before = fd_count(child_pid(drive.child));
        for (size_t i = 0; i < PACKET_FDS_MAX; i++)
                fds[i] = drive.socket;
        for (size_t i = 0; i < 20; i++) {
                drive_send_bytes(&drive, "{}", 2, fds, PACKET_FDS_MAX);
                ck_assert_ptr_nonnull(drive_receive(&drive));
        }
        ck_assert_int_eq(fd_count(child_pid(drive.child)), before);
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_nothing_stays_open_after_many_images_and_pipes)
{
        struct drive drive CLEANUP_DRIVE = {0};
        int before;

        start(&drive, "0.2.8");
        want_call(&drive, OPEN("fake:blob-1"), "\"value\":1,");
        before = fd_count(child_pid(drive.child));
        for (unsigned i = 2; i < 102; i++) {
                char *data;
                char request[80];
                size_t len;

                want_call(&drive, OPEN("fake:blob-1"), "\"success\":true");
                data = want_data(&drive, CALL("GetManifest", "1"), &len);
                free(data);
                snprintf(request, sizeof(request), CALL("CloseImage", "%u"), i);
                want_call(&drive, request, "\"success\":true");
        }
        ck_assert_int_eq(fd_count(child_pid(drive.child)), before);
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

START_TEST(test_a_client_that_never_reads_ends_it_by_going)
{
        struct drive drive CLEANUP_DRIVE = {0};
        int r;

        start(&drive, "0.2.8");
        do
                r = packet_send(drive.socket, "{}", 2, NULL, 0);
        while (r == 0);
        ck_assert_int_eq(r, -EAGAIN);
        r = drive_end(&drive);
        ck_assert_msg(r == 0 || r == 1, "status %d", r);
}
END_TEST

START_TEST(test_pipelined_requests_are_answered_in_order)
{
        struct drive drive CLEANUP_DRIVE = {0};

        start(&drive, "0.2.8");
        for (unsigned i = 0; i < 50; i++) {
                char request[80];

                snprintf(request, sizeof(request), CALL("Method%u", ""), i);
                drive_send(&drive, request);
        }
        for (unsigned i = 0; i < 50; i++) {
                char answer[80];

                snprintf(answer, sizeof(answer), "unknown method: Method%u\"", i);
                ck_assert_ptr_nonnull(strstr(drive_receive(&drive), answer));
        }
        ck_assert_int_eq(drive_end(&drive), 0);
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("program");
        TCase *tcase = testing_case(suite, "methods");
        int n = 0;

        if (argc != 2) {
                fprintf(stderr, "usage: %s CIP-FAKEPROXY\n", argv[0]);
                return 2;
        }
        program = argv[1];
        unsetenv("CIP_FAKEPROXY_SCENARIO");
        while (emulation_names[n])
                n++;
        tcase_add_loop_test(tcase, test_every_method_of_its_version_works, 0, n);
        tcase = testing_case(suite, "emulations");
        tcase_add_test(tcase, test_releases_have_quirks_and_versions_have_not);
        tcase_add_test(tcase, test_finish_pipe_without_arguments_panics_as_a_release);
        tcase_add_test(tcase, test_a_long_name_kills_a_release_and_no_version);
        tcase_add_loop_test(tcase, test_blobs_stay_open_in_1_9_3_for_a_while_and_in_no_version, 0, 2);
        tcase_add_test(tcase, test_too_many_layers_kill_a_release_and_no_version);
        tcase_add_test(tcase, test_a_list_is_named_by_its_own_digest_or_by_the_platforms);
        tcase_add_test(tcase, test_overrides_pick_another_platform);
        tcase_add_test(tcase, test_the_policy_is_enforced_from_0_2_6_on);
        tcase = testing_case(suite, "command line");
        tcase_add_test(tcase, test_called_skopeo_it_answers_as_the_release);
        tcase_add_test(tcase, test_called_by_its_own_name_it_speaks_of_itself);
        tcase_add_test(tcase, test_asked_for_a_release_it_answers_as_that_release_by_any_name);
        tcase_add_test(tcase, test_wrong_use_has_its_status_and_a_sentence);
        tcase_add_test(tcase, test_the_environment_names_a_recording_too);
        tcase_add_test(tcase, test_credentials_are_judged_by_initialize);
        tcase = testing_case(suite, "pipes");
        tcase_add_test(tcase, test_ten_pipes_are_finished_in_reverse_order);
        tcase_add_test(tcase, test_finish_pipe_waits_and_holds_up_requests_but_not_data);
        tcase_add_test(tcase, test_a_reader_that_leaves_is_reported_with_its_code);
        tcase_add_test(tcase, test_broken_blobs_are_found_out);
        tcase = testing_case(suite, "end");
        tcase_add_test(tcase, test_each_end_of_input_has_status_0);
        tcase_add_test(tcase, test_it_ends_when_the_client_goes_while_finish_pipe_waits);
        tcase_add_test(tcase, test_garbage_is_answered_and_survived);
        tcase_add_test(tcase, test_a_packet_is_cut_at_32768_bytes);
        tcase_add_test(tcase, test_descriptors_sent_in_bulk_are_closed);
        tcase_add_test(tcase, test_nothing_stays_open_after_many_images_and_pipes);
        tcase_add_test(tcase, test_a_client_that_never_reads_ends_it_by_going);
        tcase_add_test(tcase, test_pipelined_requests_are_answered_in_order);
        return testing_main(suite);
}
