/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of recording and replaying: what was recorded is said again, byte for byte, to who asks the same; who asks
 * something else is told so; and what is no whole recording is refused. The program's path is the only argument.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/drive.h"
#include "fakeproxy/recording.h"
#include "image/digest.h"
#include "protocol/message.h"

static const char *program;

#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"
#define OPEN(reference) CALL("OpenImage", "\"" reference "\"")
#define PROXY "--insecure-policy experimental-image-proxy"

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

static char *new_folder(void)
{
        struct cip_error error;
        char *folder;

        ck_assert_ok(tmpdir_new("test-record", &folder, &error));
        return folder;
}

static void want(struct drive *drive, const char *request, const char *text)
{
        const char *reply = drive_call(drive, request);

        ck_assert_msg(reply != NULL, "hung up after %s", request);
        ck_assert_msg(strstr(reply, text) != NULL, "%s instead of %s", reply, text);
}

static char *read_text(const char *folder, const char *name, size_t *ret_len)
{
        char *path CLEANUP(cleanup_free) = format("%s/%s", folder, name), *text;
        struct cip_error error;

        ck_assert_msg(read_file_at(AT_FDCWD, path, 100000000, &text, ret_len, &error) == 0, "%s",
                      error.message);
        return text;
}

static void write_text(const char *folder, const char *name, const char *text, size_t len)
{
        char *path CLEANUP(cleanup_free) = format("%s/%s", folder, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(write_all(fd, text, len));
        fd_close(fd);
}

/* Starts the program with flags in which @folder stands for %s. */
static void start(struct drive *drive, const char *folder, const char *flags)
{
        char *all CLEANUP(cleanup_free) = NULL;
        const char *at = strstr(flags, "%s");

        all = at ? format("%.*s%s%s " PROXY, (int)(at - flags), flags, folder, at + 2)
                 : format("%s " PROXY, flags);
        drive_start(drive, program, NULL, all);
}

/* ---- a session that is recorded ---- */

/* What a client that fetches an image gets: manifest, config, blob. The caller frees. */
struct pull {
        char *manifest, *config, *blob;
        size_t manifest_len, config_len, blob_len;
};

static void pull_clear(struct pull *pull)
{
        free(pull->manifest);
        free(pull->config);
        free(pull->blob);
}

static void fetch(struct drive *drive, const char *reference, struct pull *ret)
{
        struct json_object *manifest CLEANUP(cleanup_json) = NULL;
        char *request CLEANUP(cleanup_free) = format(OPEN("%s"), reference);
        struct json_object *layer;

        want(drive, CALL("Initialize", ""), "\"success\":true");
        want(drive, request, "\"value\":1,");
        want(drive, CALL("GetManifest", "1"), "\"success\":true");
        ret->manifest = drive_finish(drive, &ret->manifest_len);
        want(drive, CALL("GetFullConfig", "1"), "\"success\":true");
        ret->config = drive_finish(drive, &ret->config_len);
        ck_assert_ok(json_parse(ret->manifest, ret->manifest_len, 100, &manifest, NULL));
        layer = json_object_array_get_idx(json_object_object_get(manifest, "layers"), 0);
        free(STEAL(request));
        request = format(CALL("GetBlob", "1,\"%s\",%lld"),
                         json_object_get_string(json_object_object_get(layer, "digest")),
                         (long long)json_object_get_int64(json_object_object_get(layer, "size")));
        want(drive, request, "\"success\":true");
        ret->blob = drive_finish(drive, &ret->blob_len);
        want(drive, CALL("NoSuchMethod", ""), "\"success\":false");
        drive_send(drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(drive), 0);
}
#define CLEANUP_PULL CLEANUP(pull_clear)

/* Records a pull into FOLDER/session, with the blob's data where @flags say so. */
static void record(const char *folder, const char *flags, const char *reference, struct pull *ret)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char *all CLEANUP(cleanup_free) = format("--record %%s/session %s", flags);

        start(&drive, folder, all);
        fetch(&drive, reference, ret);
}

static void want_same(const struct pull *a, const struct pull *b)
{
        ck_assert_uint_eq(a->manifest_len, b->manifest_len);
        ck_assert_mem_eq(a->manifest, b->manifest, a->manifest_len);
        ck_assert_uint_eq(a->config_len, b->config_len);
        ck_assert_mem_eq(a->config, b->config, a->config_len);
        ck_assert_uint_eq(a->blob_len, b->blob_len);
        ck_assert_mem_eq(a->blob, b->blob, a->blob_len);
}

START_TEST(test_a_recorded_session_is_replayed_byte_for_byte)
{
        static const char *const references[] = {"fake:layers-1", "fake:blob-0", "fake:blob-65537",
                                                 "fake:manifest-1m"};
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull recorded CLEANUP_PULL = {0}, replayed CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};

        record(folder, "--record-data", references[_i], &recorded);
        start(&drive, folder, "--replay %s/session");
        fetch(&drive, references[_i], &replayed);
        want_same(&recorded, &replayed);
}
END_TEST

START_TEST(test_what_goes_through_an_upstream_is_recorded_likewise)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        char *flags CLEANUP(cleanup_free) = format("--record-data --upstream %s", program);
        struct pull recorded CLEANUP_PULL = {0}, replayed CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};

        record(folder, flags, "fake:blob-64m", &recorded);
        start(&drive, folder, "--replay %s/session");
        fetch(&drive, "fake:blob-64m", &replayed);
        want_same(&recorded, &replayed);
}
END_TEST

START_TEST(test_a_changed_session_is_recorded_as_the_client_saw_it)
{
        static const char rules[] =
                "{\"scenario\":\"r\",\"about\":\"A test.\",\"rules\":[{\"when\":{\"method\":"
                "\"OpenImage\"},\"reply\":{\"new\":true}}]}";
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        char *flags CLEANUP(cleanup_free) =
                format("--record-data --upstream %s --scenario %s/r.json", program, folder);
        struct pull recorded CLEANUP_PULL = {0};
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;

        write_text(folder, "r.json", rules, strlen(rules));
        record(folder, flags, "fake:layers-1", &recorded);
        text = read_text(folder, "session", &len);
        ck_assert_ptr_nonnull(strstr(text, "\\\"new\\\":true"));
}
END_TEST

START_TEST(test_a_recording_has_no_secrets)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull recorded CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = format("--record %s/session --record-data " PROXY
                                                   " --creds user:hunter2 --registry-token hunter2",
                                                   folder);
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;

        drive_start(&drive, program, "A_SECRET=hunter2", flags);
        fetch(&drive, "fake:layers-1", &recorded);
        text = read_text(folder, "session", &len);
        ck_assert_ptr_null(strstr(text, "hunter2"));
        ck_assert_ptr_null(strstr(text, "creds"));
}
END_TEST

/* ---- data ---- */

START_TEST(test_data_are_kept_by_their_digest_or_left_out)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull kept CLEANUP_PULL = {0}, left_out CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};
        char digest[DIGEST_TEXT_SIZE];
        char *name CLEANUP(cleanup_free) = NULL, *blob CLEANUP(cleanup_free) = NULL;
        size_t len;

        record(folder, "", "fake:blob-65537", &left_out);
        start(&drive, folder, "--replay %s/session");
        ck_assert_int_eq(drive_wait(&drive), 2);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&drive), "the 65537 bytes of GetBlob"));
        ck_assert_ptr_nonnull(strstr(drive_stderr(&drive), "were not recorded"));

        record(folder, "--record-data", "fake:blob-65537", &kept);
        ck_assert_ok(digest_of(DIGEST_SHA256, kept.blob, kept.blob_len, digest));
        name = format("session.data/sha256-%s", digest_hex(digest));
        blob = read_text(folder, name, &len);
        ck_assert_uint_eq(len, kept.blob_len);
        ck_assert_mem_eq(blob, kept.blob, len);
}
END_TEST

START_TEST(test_data_that_are_gone_or_changed_are_named)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull kept CLEANUP_PULL = {0};
        struct recording recording;
        struct cip_error error = {0};
        char digest[DIGEST_TEXT_SIZE];
        char *name CLEANUP(cleanup_free) = NULL, *path CLEANUP(cleanup_free) = format("%s/session", folder);
        char *data CLEANUP(cleanup_free) = format("%s/session.data", folder);

        record(folder, "--record-data", "fake:blob-65537", &kept);
        ck_assert_ok(digest_of(DIGEST_SHA256, kept.blob, kept.blob_len, digest));
        name = format("session.data/sha256-%s", digest_hex(digest));
        write_text(folder, name, "short", 5);
        ck_assert_errno(recording_read(path, &recording, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "is not a file of the 65537 bytes"));
        recording_clear(&recording);
        ck_assert_ok(remove_tree_at(AT_FDCWD, data));
        ck_assert_errno(recording_read(path, &recording, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "the folder is not there"));
        recording_clear(&recording);
}
END_TEST

START_TEST(test_a_place_that_cannot_be_written_is_named)
{
        struct drive drive CLEANUP_DRIVE = {0};

        start(&drive, "", "--record /no/such/folder/session");
        ck_assert_int_eq(drive_wait(&drive), 2);
        ck_assert_ptr_nonnull(
                strstr(drive_stderr(&drive), "cannot record into /no/such/folder/session: No such"));
        drive_clear(&drive);
        start(&drive, "", "--record /dev/full");
        ck_assert_int_eq(drive_wait(&drive), 2);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&drive), "No space left"));
}
END_TEST

/* ---- other requests ---- */

START_TEST(test_another_request_is_named_with_the_recorded_one)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull recorded CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};
        const char *said;

        record(folder, "--record-data", "fake:layers-1", &recorded);
        start(&drive, folder, "--replay %s/session");
        /* The same as JSON, in other words. */
        want(&drive, "{ \"args\" : null , \"method\" : \"Initialize\" }", "\"success\":true");
        ck_assert_ptr_null(drive_call(&drive, OPEN("fake:other")));
        ck_assert_int_eq(drive_wait(&drive), 1);
        said = drive_stderr(&drive);
        ck_assert_msg(strstr(said, "request 2 is not the one in the recording") != NULL, "%s", said);
        ck_assert_ptr_nonnull(strstr(said, "recorded: " OPEN("fake:layers-1")));
        ck_assert_ptr_nonnull(strstr(said, OPEN("fake:other")));
        drive_clear(&drive);

        start(&drive, folder, "--replay %s/session");
        want(&drive, CALL("Initialize", ""), "\"success\":true");
        ck_assert_int_eq(drive_end(&drive), 1);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&drive), "the client has ended the session"));
}
END_TEST

START_TEST(test_in_any_order_each_request_finds_its_answer)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull recorded CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};
        char *config CLEANUP(cleanup_free) = NULL, *manifest CLEANUP(cleanup_free) = NULL;
        size_t len;

        record(folder, "--record-data", "fake:layers-1", &recorded);
        start(&drive, folder, "--replay-any-order --replay %s/session");
        want(&drive, CALL("GetFullConfig", "1"), "\"success\":true");
        config = drive_finish(&drive, &len);
        ck_assert_uint_eq(len, recorded.config_len);
        ck_assert_mem_eq(config, recorded.config, len);
        for (int i = 0; i < 3; i++) {
                want(&drive, CALL("Initialize", ""), "\"success\":true");
                want(&drive, CALL("GetManifest", "1"), "\"success\":true");
                free(STEAL(manifest));
                manifest = drive_finish(&drive, &len);
                ck_assert_uint_eq(len, recorded.manifest_len);
                ck_assert_mem_eq(manifest, recorded.manifest, len);
        }
        drive_send(&drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(&drive), 0);
        drive_clear(&drive);

        start(&drive, folder, "--replay-any-order --replay %s/session");
        ck_assert_ptr_null(drive_call(&drive, CALL("GetManifest", "2")));
        ck_assert_int_eq(drive_wait(&drive), 1);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&drive), "request 1 is not in the recording"));
        ck_assert_ptr_nonnull(strstr(drive_stderr(&drive), CALL("GetManifest", "1")));
}
END_TEST

/* ---- servers that end by themselves ---- */

static const struct {
        const char *rule;
        int status;
} deaths[] = {
        {"{\"when\":{\"method\":\"OpenImage\"},\"no_reply\":true,\"exit\":7}", 7},
        {"{\"when\":{\"method\":\"OpenImage\"},\"no_reply\":true,\"signal\":\"SEGV\"}", 1000 + SIGSEGV},
};

START_TEST(test_a_server_that_died_dies_there_again)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct drive drive CLEANUP_DRIVE = {0};
        char *rules CLEANUP(cleanup_free) =
                format("{\"scenario\":\"r\",\"about\":\"A test.\",\"rules\":[%s]}", deaths[_i].rule);
        char *flags CLEANUP(cleanup_free) = format("--record %s/session --scenario %s/r.json", folder, folder);

        write_text(folder, "r.json", rules, strlen(rules));
        start(&drive, folder, flags);
        for (int i = 0; i < 2; i++) {
                want(&drive, CALL("Initialize", ""), "\"success\":true");
                ck_assert_ptr_null(drive_call(&drive, OPEN("fake:layers-1")));
                ck_assert_int_eq(drive_wait(&drive), deaths[_i].status);
                drive_clear(&drive);
                if (i == 0)
                        start(&drive, folder, "--replay %s/session");
        }
}
END_TEST

START_TEST(test_a_blob_that_was_cut_short_is_cut_short_again)
{
        static const char rules[] =
                "{\"scenario\":\"r\",\"about\":\"A test.\",\"rules\":[{\"when\":{\"method\":"
                "\"GetBlob\"},\"data\":[{\"send\":4096},{\"fail\":\"gone\"}]}]}";
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        struct pull recorded CLEANUP_PULL = {0}, replayed CLEANUP_PULL = {0};
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = format("--record-data --scenario %s/r.json", folder);

        write_text(folder, "r.json", rules, strlen(rules));
        record(folder, flags, "fake:blob-65537", &recorded);
        ck_assert_uint_eq(recorded.blob_len, 4096);
        start(&drive, folder, "--replay %s/session");
        fetch(&drive, "fake:blob-65537", &replayed);
        want_same(&recorded, &replayed);
}
END_TEST

/* ---- what is no recording ---- */

#define SESSION "{\"t\":0,\"event\":\"session\",\"version\":1,\"tool\":\"x\",\"socket\":\"seqpacket\"}\n"
#define ASKED "{\"t\":1,\"event\":\"packet\",\"dir\":\">\",\"text\":\"{}\"}\n"
#define EXIT "{\"t\":2,\"event\":\"exit\",\"status\":0}\n"

static const struct {
        const char *text;
        const char *said;
} bad[] = {
        {"", "is empty, and no recording"},
        {"hello\n", "line 1: this is no transcript"},
        {"[]\n", "line 1: this is no transcript: an object with an event is expected"},
        {ASKED, "line 1: this was not written by --record: the first event is \"packet\""},
        {"{\"event\":\"session\"}\n", "line 1: the session has no version"},
        {"{\"event\":\"session\",\"version\":2}\n" EXIT, "line 1: this is version 2 of the form"},
        {SESSION, "line 1: the recording is cut off behind this line"},
        {SESSION ASKED, "line 2: the recording is cut off behind this line"},
        {SESSION "{\"t\":1,\"event\":\"pack", "line 2: the recording is cut off in the middle of this line"},
        {SESSION EXIT ASKED, "line 3: something stands behind the session's end"},
        {SESSION "{\"event\":\"packet\",\"dir\":\">\"}\n" EXIT, "line 2: a packet has neither text nor base64"},
        {SESSION "{\"event\":\"packet\",\"dir\":\"?\",\"text\":\"\"}\n" EXIT, "or no dir of > or <"},
        {SESSION "{\"event\":\"packet\",\"dir\":\"<\",\"base64\":\"a\"}\n" EXIT, "base64 is not base64"},
        {SESSION
         "{\"event\":\"packet\",\"dir\":\"<\",\"text\":\"\",\"fds\":[\"pipe-read\"],\"pipes\":[5]}\n" EXIT,
         "does not tell what went through pipe 5"},
        {SESSION
         "{\"event\":\"packet\",\"dir\":\"<\",\"text\":\"\",\"fds\":[\"pipe-read\"],\"pipes\":[]}\n" EXIT,
         "line 2: pipes does not have a number for each of fds"},
        {SESSION "{\"event\":\"packet\",\"dir\":\"<\",\"text\":\"\",\"fds\":7}\n" EXIT,
         "line 2: fds and pipes are"},
        {SESSION "{\"event\":\"pipe\",\"name\":\"x\",\"bytes\":0,\"end\":\"eof\"}\n" EXIT,
         "line 2: a pipe has no number"},
        {SESSION "{\"event\":\"pipe\",\"pipe\":1,\"bytes\":3,\"end\":\"eof\",\"data\":\"ab\"}\n" EXIT,
         "line 2: the data of a pipe are 2 bytes, not the 3"},
        {SESSION "{\"event\":\"pipe\",\"pipe\":1,\"bytes\":3,\"end\":\"eof\"}\n" EXIT,
         "record the session again"},
        {SESSION "{\"event\":\"pipe\",\"pipe\":1,\"bytes\":3,\"end\":\"eof\",\"file\":\"../x\"}\n" EXIT,
         "line 2: \"../x\" is no name of a file"},
        {SESSION "{\"event\":\"pipe\",\"pipe\":1,\"bytes\":0,\"end\":\"eof\"}\n"
                 "{\"event\":\"pipe\",\"pipe\":1,\"bytes\":0,\"end\":\"eof\"}\n" EXIT,
         "line 3: pipe 1 ends a second time"},
};

START_TEST(test_what_is_no_whole_recording_is_refused_in_one_sentence)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        char *path CLEANUP(cleanup_free) = format("%s/session", folder);
        struct recording recording;
        struct cip_error error = {0};

        write_text(folder, "session", bad[_i].text, strlen(bad[_i].text));
        ck_assert_errno(recording_read(path, &recording, &error), -EINVAL);
        ck_assert_msg(strstr(error.message, bad[_i].said) != NULL, "%s", error.message);
        ck_assert_ptr_nonnull(strstr(error.message, path));
        recording_clear(&recording);
}
END_TEST

START_TEST(test_a_recording_may_be_cut_anywhere)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = new_folder();
        char *path CLEANUP(cleanup_free) = format("%s/cut", folder);
        struct pull recorded CLEANUP_PULL = {0};
        struct recording recording;
        struct cip_error error = {0};
        char *text CLEANUP(cleanup_free) = NULL, *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        record(folder, "--record-data", "fake:layers-1", &recorded);
        text = read_text(folder, "session", &len);
        /* Data are looked for beside the transcript. */
        data = format("%s/cut.data", folder);
        ck_assert_int_eq(symlink("session.data", data), 0);
        for (size_t at = 0; at + 1 < len; at += at + 200 < len ? 37 : 1) {
                write_text(folder, "cut", text, at);
                ck_assert_errno(recording_read(path, &recording, &error), -EINVAL);
                recording_clear(&recording);
        }
}
END_TEST

START_TEST(test_what_is_no_file_is_refused_with_status_2)
{
        static const char *const paths[] = {"/no/such/file", "/", "/dev/zero", "/dev/stdin"};
        struct drive drive CLEANUP_DRIVE = {0};
        char *flags CLEANUP(cleanup_free) = format("--replay %s", paths[_i]);

        start(&drive, "", flags);
        ck_assert_int_eq(drive_wait(&drive), 2);
        ck_assert_msg(strstr(drive_stderr(&drive), paths[_i]) != NULL, "%s", drive_stderr(&drive));
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("record");
        TCase *sessions = testing_case(suite, "sessions"), *files = testing_case(suite, "files");

        program = argc > 1 ? argv[1] : "cip-fakeproxy";
        tcase_add_loop_test(sessions, test_a_recorded_session_is_replayed_byte_for_byte, 0, 4);
        tcase_add_test(sessions, test_what_goes_through_an_upstream_is_recorded_likewise);
        tcase_add_test(sessions, test_a_changed_session_is_recorded_as_the_client_saw_it);
        tcase_add_test(sessions, test_a_recording_has_no_secrets);
        tcase_add_test(sessions, test_data_are_kept_by_their_digest_or_left_out);
        tcase_add_test(sessions, test_data_that_are_gone_or_changed_are_named);
        tcase_add_test(sessions, test_a_place_that_cannot_be_written_is_named);
        tcase_add_test(sessions, test_another_request_is_named_with_the_recorded_one);
        tcase_add_test(sessions, test_in_any_order_each_request_finds_its_answer);
        tcase_add_loop_test(sessions, test_a_server_that_died_dies_there_again, 0, ARRAY_SIZE(deaths));
        tcase_add_test(sessions, test_a_blob_that_was_cut_short_is_cut_short_again);
        tcase_add_loop_test(files, test_what_is_no_whole_recording_is_refused_in_one_sentence, 0,
                            ARRAY_SIZE(bad));
        tcase_add_test(files, test_a_recording_may_be_cut_anywhere);
        tcase_add_loop_test(files, test_what_is_no_file_is_refused_with_status_2, 0, 4);
        tcase_set_timeout(sessions, 120);
        tcase_set_timeout(files, 120);
        return testing_main(suite);
}
