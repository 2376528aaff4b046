/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of transcripts: what each line holds.
 */
#include "protocol/transcript.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"

/* What a line says without its time. */
static void expect_line(char **text, const char *expected)
{
        char *end = strchr(*text, '\n');
        struct json_object *object;

        ck_assert_ptr_nonnull(end);
        *end = '\0';
        object = json_tokener_parse(*text);
        ck_assert_ptr_nonnull(json_object_object_get(object, "t"));
        json_object_object_del(object, "t");
        ck_assert_str_eq(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), expected);
        json_object_put(object);
        *text = end + 1;
}

START_TEST(each_event_is_one_line)
{
        struct transcript *transcript;
        int ends[2], fds[2];
        char *text, *at;
        size_t len;

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_ok(transcript_new(ends[1], &transcript));
        fds[0] = ends[0];
        fds[1] = ends[1];
        transcript_packet(transcript, ">", "{\"a\":\"\n\"}", 9, NULL, 0);
        transcript_packet(transcript, "<", "\xff\0x", 3, fds, 2);
        transcript_pipe(transcript, "4", 10, NULL, "eof");
        transcript_pipe(transcript, "4", 10, "sha256:aa", "closed");
        transcript_exit(transcript, 2 << 8);
        transcript_exit(transcript, SIGKILL);
        transcript_exit(transcript, -1);
        transcript_note(transcript, "n %d", 5);
        transcript_note(transcript, "\xff");
        ck_assert_ok(transcript_status(transcript));
        transcript_free(transcript);
        ck_assert_ok(read_to_end(ends[0], 10000, DEADLINE_NEVER, &text, &len));
        at = text;
        expect_line(&at, "{\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"a\\\":\\\"\\n\\\"}\"}");
        expect_line(&at, "{\"event\":\"packet\",\"dir\":\"<\",\"base64\":\"\\/"
                         "wB4\",\"fds\":[\"pipe-read\",\"pipe-write\"]}");
        expect_line(&at, "{\"event\":\"pipe\",\"name\":\"4\",\"bytes\":10,\"end\":\"eof\"}");
        expect_line(
                &at,
                "{\"event\":\"pipe\",\"name\":\"4\",\"bytes\":10,\"digest\":\"sha256:aa\",\"end\":\"closed\"}");
        expect_line(&at, "{\"event\":\"exit\",\"status\":2}");
        expect_line(&at, "{\"event\":\"exit\",\"signal\":9}");
        expect_line(&at, "{\"event\":\"exit\"}");
        expect_line(&at, "{\"event\":\"note\",\"text\":\"n 5\"}");
        expect_line(&at, "{\"event\":\"note\",\"base64\":\"\\/w==\"}");
        ck_assert_str_eq(at, "");
        free(text);
        fd_close(ends[0]);
}
END_TEST

START_TEST(a_recording_tells_what_went_through_which_pipe)
{
        struct transcript *transcript;
        int ends[2];
        const unsigned pipes[] = {3, 0};
        struct transcript_content content = {.pipe = 3,
                                             .name = "GetManifest",
                                             .bytes = 2,
                                             .digest = "sha256:aa",
                                             .end = "eof",
                                             .finished = true};
        char *text, *at;
        size_t len;

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_ok(transcript_new(ends[1], &transcript));
        transcript_session(transcript, "a 1", "seqpacket");
        transcript_packet_with_pipes(transcript, "<", "{}", 2, ends, pipes, 2);
        content.data = "{}";
        transcript_pipe_content(transcript, &content);
        content.data = "\xff\xfe";
        transcript_pipe_content(transcript, &content);
        content.data = NULL;
        content.file = "sha256-aa";
        transcript_pipe_content(transcript, &content);
        transcript_end(transcript, ">");
        transcript_free(transcript);
        ck_assert_ok(read_to_end(ends[0], 10000, DEADLINE_NEVER, &text, &len));
        at = text;
        expect_line(&at, "{\"event\":\"session\",\"version\":1,\"tool\":\"a 1\",\"socket\":\"seqpacket\"}");
        expect_line(&at, "{\"event\":\"packet\",\"dir\":\"<\",\"text\":\"{}\",\"fds\":[\"pipe-read\",\"pipe-"
                         "write\"],\"pipes\":[3,0]}");
#define PIPE                                                                                                 \
        "{\"event\":\"pipe\",\"name\":\"GetManifest\",\"bytes\":2,\"digest\":\"sha256:aa\",\"end\":\"eof\"," \
        "\"pipe\":3,\"finished\":true,"
        expect_line(&at, PIPE "\"data\":\"{}\"}");
        expect_line(&at, PIPE "\"data_base64\":\"\\/\\/4=\"}");
        expect_line(&at, PIPE "\"file\":\"sha256-aa\"}");
        expect_line(&at, "{\"event\":\"end\",\"dir\":\">\"}");
        ck_assert_str_eq(at, "");
        free(text);
        fd_close(ends[0]);
}
END_TEST

START_TEST(a_full_disk_is_remembered)
{
        struct transcript *transcript;

        ck_assert_ok(transcript_new(open("/dev/full", O_WRONLY | O_CLOEXEC), &transcript));
        transcript_note(transcript, "x");
        ck_assert_errno(transcript_status(transcript), -ENOSPC);
        transcript_free(transcript);
        transcript_note(NULL, "x");
        transcript_packet(NULL, "<", "", 0, NULL, 0);
        transcript_pipe(NULL, "", 0, NULL, "");
        transcript_exit(NULL, 0);
        transcript_session(NULL, "", "");
        transcript_packet_with_pipes(NULL, "<", "", 0, NULL, NULL, 0);
        transcript_pipe_content(NULL, &(struct transcript_content){0});
        transcript_end(NULL, ">");
        ck_assert_ok(transcript_status(NULL));
        transcript_free(NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("transcript");
        TCase *tcase = testing_case(suite, "transcript");

        tcase_add_test(tcase, each_event_is_one_line);
        tcase_add_test(tcase, a_recording_tells_what_went_through_which_pipe);
        tcase_add_test(tcase, a_full_disk_is_remembered);
        return testing_main(suite);
}
