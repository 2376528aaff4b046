/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what scenarios make the built program do, as a client sees it on the wire, and of the verdict on
 * that client. The program's path is the only argument.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/drive.h"
#include "image/digest.h"
#include "protocol/message.h"

static const char *program;

#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"
#define INITIALIZE CALL("Initialize", "")
#define OPEN CALL("OpenImage", "\"fake:scenario\"")

/* A running scenario, and where its files are. */
struct stage {
        struct drive drive;
        char *folder;
        char scenario[300], verdict[300];
};

static void stage_clear(struct stage *stage)
{
        drive_clear(&stage->drive);
        tmpdir_remove(stage->folder);
}
#define CLEANUP_STAGE CLEANUP(stage_clear)

static void write_scenario(struct stage *stage, const char *members, va_list ap)
        __attribute__((format(printf, 2, 0)));
static void write_scenario(struct stage *stage, const char *members, va_list ap)
{
        struct cip_error error = {0};
        FILE *file;

        ck_assert_ok(tmpdir_new("scenario-run", &stage->folder, &error));
        snprintf(stage->scenario, sizeof(stage->scenario), "%s/s.json", stage->folder);
        snprintf(stage->verdict, sizeof(stage->verdict), "%s/verdict", stage->folder);
        file = fopen(stage->scenario, "w");
        ck_assert_ptr_nonnull(file);
        fputs("{\"scenario\": \"s\", \"about\": \"a\", ", file);
        vfprintf(file, members, ap);
        fputs("}\n", file);
        fclose(file);
}

/* Writes the scenario with these members, and starts it. */
static void begin(struct stage *stage, const char *flags, const char *members, ...)
        __attribute__((format(printf, 3, 4)));
static void begin(struct stage *stage, const char *flags, const char *members, ...)
{
        char words[1000];
        va_list ap;

        va_start(ap, members);
        write_scenario(stage, members, ap);
        va_end(ap);
        snprintf(words, sizeof(words),
                 "--scenario %s --verdict %s --insecure-policy %s experimental-image-proxy", stage->scenario,
                 stage->verdict, flags);
        drive_start(&stage->drive, program, NULL, words);
}

/* The same without a verdict, which would wake the server now and then. */
static void begin_unwatched(struct stage *stage, const char *members, ...)
        __attribute__((format(printf, 2, 3)));
static void begin_unwatched(struct stage *stage, const char *members, ...)
{
        char words[1000];
        va_list ap;

        va_start(ap, members);
        write_scenario(stage, members, ap);
        va_end(ap);
        snprintf(words, sizeof(words), "--scenario %s --insecure-policy experimental-image-proxy",
                 stage->scenario);
        drive_start(&stage->drive, program, NULL, words);
}

/* The same, with rules alone, initialized and with the image open. */
static void begin_open(struct stage *stage, const char *rules)
{
        begin(stage, "", "\"image\": {\"layers\": [{\"size\": 100000}]}, \"rules\": [%s]", rules);
        ck_assert_ptr_nonnull(strstr(drive_call(&stage->drive, INITIALIZE), "0.2.8"));
        ck_assert_ptr_nonnull(strstr(drive_call(&stage->drive, OPEN), "\"value\":1,"));
}

static void want(struct stage *stage, const char *request, const char *text)
{
        const char *reply = drive_call(&stage->drive, request);

        ck_assert_msg(reply && strstr(reply, text), "%s instead of %s", reply ? reply : "nothing", text);
}

static struct json_object *read_verdict(const struct stage *stage)
{
        struct cip_error error = {0};
        struct json_object *json = NULL;
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;

        ck_assert_msg(read_file_at(AT_FDCWD, stage->verdict, 1 << 20, &text, &len, &error) == 0, "%s",
                      error.message);
        ck_assert_msg(json_parse(text, len, 10, &json, NULL) == 0, "%s", text);
        return json;
}

/* A member of the verdict by a path with dots, as text. "(none)": it is not there. */
static const char *member(struct json_object *json, const char *path)
{
        char copy[100], *state = NULL;

        snprintf(copy, sizeof(copy), "%s", path);
        for (char *name = strtok_r(copy, ".", &state); name; name = strtok_r(NULL, ".", &state)) {
                if (json_object_is_type(json, json_type_array))
                        json = json_object_array_get_idx(json, (size_t)atoi(name));
                else if (!json_object_object_get_ex(json, name, &json))
                        return "(none)";
        }
        return json ? json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE) : "null";
}

/* The file follows what happens with a little delay. */
static void wait_for_member(const struct stage *stage, const char *path, const char *text)
{
        struct deadline deadline = deadline_in_ms(60000);

        for (;;) {
                struct json_object *json CLEANUP(cleanup_json) = read_verdict(stage);

                if (!strcmp(member(json, path), text))
                        return;
                ck_assert_msg(!deadline_passed(deadline), "%s stays %s", path, member(json, path));
                (void)poll(NULL, 0, 10);
        }
}

#define want_member(json, path, text) ck_assert_str_eq(member(json, path), text)

/* ---- replies ---- */

#define FAITHFUL \
        "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"no image 9\"}"

START_TEST(test_replies)
{
        static const struct {
                const char *rule;
                const char *packets[4]; /* in the order in which they come; "": an empty one */
        } cases[] = {
                {"", {FAITHFUL}},
                {"\"reply\": {\"error\": \"x\", \"more\": [1]}",
                 {"{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"x\","
                  "\"more\":"
                  "[1]}"}},
                {"\"reply\": {\"value\": 3}, \"remove\": [\"success\", \"error_code\", \"error\"]",
                 {"{\"value\":3,\"pipeid\":0}"}},
                {"\"answer\": {\"b\": null, \"a\": \"<\"}", {"{\"b\":null,\"a\":\"\\u003c\"}"}},
                {"\"fail\": \"why\", \"code\": \"retryable\"",
                 {"{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"retryable\",\"error\":"
                  "\"why\"}"}},
                {"\"raw\": \"no json\"", {"no json"}},
                {"\"raw\": {\"base64\": \"/w==\"}", {"\xff"}},
                {"\"before\": [\"1\", \"2\"], \"after\": [\"3\"]", {"1", "2", FAITHFUL, "3"}},
                {"\"raw\": \"abcdef\", \"split_at\": 2", {"ab", "cdef"}},
                {"\"raw\": \"abcdef\", \"split_at\": 6", {"abcdef"}},
                {"\"raw\": \"abcdef\", \"cut_at\": 4", {"abcd"}},
                {"\"raw\": \"abc\", \"pad_to\": 6", {"abc   "}},
                {"\"raw\": \"abc\", \"pad_to\": 6, \"cut_at\": 5, \"split_at\": 4, \"after\": [\"x\"]",
                 {"abc ", " ", "x"}},
                {"\"no_reply\": true, \"after\": [\"only\"]", {"only"}},
        };
        char rule[400];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};

                snprintf(rule, sizeof(rule), "{\"when\": {\"method\": \"CloseImage\", \"nth\": 1}%s %s}",
                         *cases[i].rule ? "," : "", cases[i].rule);
                begin_open(&stage, rule);
                drive_send(&stage.drive, CALL("CloseImage", "9"));
                for (size_t k = 0; k < 4 && cases[i].packets[k]; k++)
                        ck_assert_str_eq(drive_receive(&stage.drive), cases[i].packets[k]);
                /* Nothing more comes before the answer to the next request, which is faithful again. */
                ck_assert_str_eq(drive_call(&stage.drive, CALL("CloseImage", "9")), FAITHFUL);
                ck_assert_int_eq(drive_end(&stage.drive), 0);
        }
}
END_TEST

START_TEST(test_an_empty_packet_in_place_of_a_reply)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin_open(&stage, "{\"when\": {\"method\": \"CloseImage\", \"nth\": 1}, \"empty\": true}");
        ck_assert_ptr_null(drive_call(&stage.drive, CALL("CloseImage", "1")));
        ck_assert_str_eq(drive_call(&stage.drive, CALL("CloseImage", "9")), FAITHFUL);
}
END_TEST

START_TEST(test_descriptors)
{
        static const struct {
                const char *method, *kind;
                size_t n;
                const char *first; /* what fd_kind says of the first */
        } cases[] = {
                {"GetManifest", "\"none\"", 0, NULL},
                {"GetManifest", "\"one-extra\"", 2, "pipe-read"},
                {"GetManifest", "\"many-extra\"", 201, "pipe-read"},
                {"GetManifest", "\"two\"", 2, "pipe-read"},
                {"GetManifest", "16", 16, "pipe-read"},
                {"GetManifest", "253", 253, "pipe-read"},
                {"GetManifest", "0", 0, NULL},
                {"GetManifest", "\"file\"", 1, "file"},
                {"GetManifest", "\"directory\"", 1, "directory"},
                {"GetManifest", "\"socket\"", 1, "socket"},
                {"GetManifest", "\"write-end\"", 1, "pipe-write"},
                {"GetManifest", "\"closed-pipe\"", 1, "pipe-read"},
                {"GetManifest", "\"device\"", 1, "device"},
                {"GetManifest", "\"own-socket\"", 1, "socket"},
                {"CloseImage", "\"file\"", 1, "file"},
                {"CloseImage", "3", 3, "pipe-read"},
                {"GetRawBlob", "\"first-only\"", 0, NULL},
        };
        char rule[400], request[100];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};

                snprintf(rule, sizeof(rule), "{\"when\": {\"method\": \"%s\"}, \"descriptors\": %s}",
                         cases[i].method, cases[i].kind);
                snprintf(request, sizeof(request), "{\"method\":\"%s\",\"args\":[1]}", cases[i].method);
                begin_open(&stage, rule);
                ck_assert_ptr_nonnull(drive_call(&stage.drive, request));
                ck_assert_uint_eq(stage.drive.packet.n_fds, cases[i].n);
                if (cases[i].first)
                        ck_assert_str_eq(fd_kind(stage.drive.packet.fds[0]), cases[i].first);
        }
}
END_TEST

START_TEST(test_descriptors_of_an_answer_in_place)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin_open(
                &stage,
                "{\"when\": {\"method\": \"GetManifest\"}, \"answer\": {\"pipeid\": 7}, \"descriptors\": 2}");
        want(&stage, CALL("GetManifest", "1"), "{\"pipeid\":7}");
        ck_assert_uint_eq(stage.drive.packet.n_fds, 2);
}
END_TEST

/* ---- data ---- */

/* The manifest as it is sent for a request; FinishPipe's answer is the last reply. The caller frees. */
static char *get_manifest(struct stage *stage, size_t *ret_len)
{
        want(stage, CALL("GetManifest", "1"), "\"success\":true");
        return drive_finish(&stage->drive, ret_len);
}

START_TEST(test_data)
{
        static const struct {
                const char *steps;
                struct part {
                        int from, to; /* of the content; from < 0: the text instead */
                        const char *text;
                } parts[4];
                const char *finish;
        } cases[] = {
                {"{\"send\": 10}, {\"end\": true}", {{0, 10, NULL}}, "\"success\":true"},
                {"{\"send\": \"all\"}, {\"bytes\": \"xyz\"}",
                 {{0, 0, NULL}, {-1, 0, "xyz"}},
                 "\"success\":true"},
                {"{\"skip\": 5}", {{5, 0, NULL}}, "\"success\":true"},
                {"{\"skip\": \"all\"}, {\"bytes\": {\"base64\": \"eHg=\"}}",
                 {{-1, 0, "xx"}},
                 "\"success\":true"},
                {"{\"send\": 10}, {\"repeat\": 4}", {{0, 10, NULL}, {6, 10, NULL}, {10, 0, NULL}}, "true"},
                {"{\"drip\": 3, \"bytes_per_s\": 100000}, {\"wait_ms\": 1}", {{0, 0, NULL}}, "true"},
                {"{\"send\": 2}, {\"fail\": \"it broke\"}", {{0, 2, NULL}}, "\"error\":\"it broke\""},
                {"{\"fail\": \"later\", \"code\": \"retryable\"}",
                 {{-1, 0, ""}},
                 "\"error_code\":\"retryable\""},
                {"{\"send\": 4}, {\"close\": true}", {{0, 4, NULL}}, "\"success\":true"},
        };
        char rule[400];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};
                char *whole CLEANUP(cleanup_free) = NULL;
                char *data CLEANUP(cleanup_free) = NULL;
                size_t len, got, at = 0;

                snprintf(rule, sizeof(rule),
                         "{\"when\": {\"method\": \"GetManifest\", \"nth\": 2}, \"data\": [%s]}",
                         cases[i].steps);
                begin_open(&stage, rule);
                whole = get_manifest(&stage, &len);
                data = get_manifest(&stage, &got);
                for (size_t k = 0; k < 4 && (cases[i].parts[k].text || k == 0 || cases[i].parts[k].from); k++) {
                        const struct part *part = &cases[i].parts[k];
                        size_t to = part->to ? (size_t)part->to : len;
                        size_t n = part->from < 0 ? strlen(part->text) : to - (size_t)part->from;

                        ck_assert_uint_le(at + n, got);
                        ck_assert_mem_eq(data + at, part->from < 0 ? part->text : whole + part->from, n);
                        at += n;
                }
                ck_assert_uint_eq(at, got);
                ck_assert_msg(strstr(stage.drive.packet.data, cases[i].finish) != NULL, "%s",
                              stage.drive.packet.data);
        }
}
END_TEST

START_TEST(test_bytes_that_are_not_of_the_content)
{
        struct stage stage CLEANUP_STAGE = {0};
        char *data CLEANUP(cleanup_free) = NULL;
        char *again CLEANUP(cleanup_free) = NULL;
        size_t len, again_len, zeros = 0;

        begin_open(&stage,
                   "{\"when\": {\"method\": \"GetManifest\", \"from\": 1}, \"data\": [{\"zeros\": 70000},"
                   "{\"random\": 70000}, {\"end\": true}]}");
        data = get_manifest(&stage, &len);
        ck_assert_uint_eq(len, 140000);
        while (zeros < len && data[zeros] == 0)
                zeros++;
        ck_assert_uint_ge(zeros, 70000);
        ck_assert_uint_lt(zeros, 70010);
        again = get_manifest(&stage, &again_len);
        ck_assert_int_ne(memcmp(data, again, len), 0); /* another pipe has another stream */
}
END_TEST

START_TEST(test_corrupted_data_is_inverted)
{
        struct stage stage CLEANUP_STAGE = {0};
        char *whole CLEANUP(cleanup_free) = NULL;
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len, got;

        begin_open(&stage, "{\"when\": {\"method\": \"GetManifest\", \"nth\": 2}, \"data\": [{\"send\": 3}, "
                           "{\"corrupt\": 2}]}");
        whole = get_manifest(&stage, &len);
        data = get_manifest(&stage, &got);
        ck_assert_uint_eq(len, got);
        for (size_t i = 0; i < len; i++)
                ck_assert_int_eq(data[i], i == 3 || i == 4 ? (char)~whole[i] : whole[i]);
}
END_TEST

/* The first layer's digest. */
static void find_layer(struct stage *stage, char ret[DIGEST_TEXT_SIZE])
{
        struct json_object *json CLEANUP(cleanup_json) = NULL;
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;

        text = get_manifest(stage, &len);
        ck_assert_ok(json_parse(text, len, 10, &json, NULL));
        snprintf(ret, DIGEST_TEXT_SIZE, "%s",
                 json_object_get_string(json_object_object_get(
                         json_object_array_get_idx(json_object_object_get(json, "layers"), 0), "digest")));
}

static void raw_blob_request(struct stage *stage, char *ret, size_t size)
{
        char digest[DIGEST_TEXT_SIZE];

        find_layer(stage, digest);
        snprintf(ret, size, CALL("GetRawBlob", "1,\"%s\""), digest);
}

START_TEST(test_the_error_pipe)
{
        static const struct {
                const char *steps, *data;
        } cases[] = {
                {"{\"bytes\": \"no json\"}", "no json"},
                {"{\"wait_ms\": 5}, {\"bytes\": \"{}\"}, {\"end\": true}", "{}"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};
                char rule[300], request[300];
                char *errors CLEANUP(cleanup_free) = NULL;
                size_t len;

                snprintf(rule, sizeof(rule), "{\"when\": {\"method\": \"GetRawBlob\"}, \"errors\": [%s]}",
                         cases[i].steps);
                begin_open(&stage, rule);
                raw_blob_request(&stage, request, sizeof(request));
                want(&stage, request, "\"value\":100000");
                free(drive_read(&stage.drive, 0, &len));
                ck_assert_uint_eq(len, 100000);
                errors = drive_read(&stage.drive, 1, &len);
                ck_assert_str_eq(errors, cases[i].data);
        }
}
END_TEST

START_TEST(test_an_endless_pipe_holds_nothing_up)
{
        struct stage stage CLEANUP_STAGE = {0};
        char buffer[65536], *data;
        size_t len;
        int endless;

        begin_open(&stage,
                   "{\"when\": {\"method\": \"GetManifest\", \"nth\": 1}, \"data\": [{\"forever\": true}]}");
        want(&stage, CALL("GetManifest", "1"), "\"success\":true");
        endless = steal_fd(&stage.drive.packet.fds[0]);
        for (int i = 0; i < 100; i++)
                ck_assert_int_gt(read(endless, buffer, sizeof(buffer)), 0);
        data = get_manifest(&stage, &len);
        ck_assert_uint_lt(len, 2000);
        free(data);
        for (int i = 0; i < 100; i++)
                ck_assert_int_gt(read(endless, buffer, sizeof(buffer)), 0);
        fd_close(endless);
        ck_assert_int_eq(drive_end(&stage.drive), 0);
}
END_TEST

/* ---- generated images ---- */

/* Kilobytes of memory that the program has had at most. */
static long most_memory(const struct stage *stage)
{
        char path[100], line[200];
        long ret = -1;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)child_pid(stage->drive.child));
        file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        while (ret < 0 && fgets(line, sizeof(line), file))
                if (!strncmp(line, "VmHWM:", 6))
                        ret = atol(line + 6);
        fclose(file);
        return ret;
}

START_TEST(test_ten_gibibytes_need_no_memory)
{
        struct stage stage CLEANUP_STAGE = {0};
        char digest[DIGEST_TEXT_SIZE], request[300];
        char *buffer CLEANUP(cleanup_free) = malloc(1 << 20);
        long before;
        int fd;

        begin(&stage, "", "\"image\": {\"layers\": [{\"size\": 10737418240, \"content\": \"zero\"}]}");
        want(&stage, INITIALIZE, "0.2.8");
        want(&stage, OPEN, "\"success\":true");
        find_layer(&stage, digest);
        before = most_memory(&stage);
        snprintf(request, sizeof(request), CALL("GetBlob", "1,\"%s\",10737418240"), digest);
        want(&stage, request, "\"value\":10737418240");
        fd = steal_fd(&stage.drive.packet.fds[0]);
        for (size_t got = 0; got < (size_t)64 << 20;) {
                ssize_t n = read(fd, buffer, 1 << 20);

                ck_assert_int_gt(n, 0);
                got += (size_t)n;
        }
        fd_close(fd);
        snprintf(request, sizeof(request), CALL("FinishPipe", "%u"), drive_pipe_id(&stage.drive));
        want(&stage, request, "EPIPE");
        ck_assert_int_lt(most_memory(&stage) - before, 4096);
}
END_TEST

START_TEST(test_generated_members_reach_the_client)
{
        struct stage stage CLEANUP_STAGE = {0};
        char *manifest CLEANUP(cleanup_free) = NULL;
        char *config CLEANUP(cleanup_free) = NULL;
        size_t len;

        begin(&stage, "",
              "\"image\": {\"layers\": [{\"size\": 10, \"entry\": {\"size\": -1, \"mediaType\": null}}],"
              "\"manifest\": {\"schemaVersion\": \"2\"}, \"config\": {\"os\": \"plan9\", \"config\": null}}");
        want(&stage, INITIALIZE, "0.2.8");
        want(&stage, OPEN, "\"success\":true");
        manifest = get_manifest(&stage, &len);
        ck_assert_ptr_nonnull(strstr(manifest, "\"schemaVersion\":\"2\""));
        ck_assert_ptr_nonnull(strstr(manifest, "\"size\":-1}]"));
        ck_assert_ptr_nonnull(strstr(manifest, "\"layers\":[{\"digest\""));
        want(&stage, CALL("GetLayerInfo", "1"), "\"size\":-1,\"media_type\":\"\"");
        want(&stage, CALL("GetFullConfig", "1"), "\"success\":true");
        config = drive_finish(&stage.drive, &len);
        ck_assert_ptr_nonnull(strstr(config, "\"os\":\"plan9\",\"rootfs\""));
}
END_TEST

START_TEST(test_a_blob_under_a_false_digest_is_found_corrupted)
{
        struct stage stage CLEANUP_STAGE = {0};
        char request[300], digest[DIGEST_TEXT_SIZE];
        size_t len;

        memset(digest, 'a', sizeof(digest));
        memcpy(digest, "sha256:", 7);
        digest[71] = '\0';
        begin(&stage, "", "\"image\": {\"layers\": [{\"size\": 10, \"entry\": {\"digest\": \"%s\"}}]}", digest);
        want(&stage, INITIALIZE, "0.2.8");
        want(&stage, OPEN, "\"success\":true");
        snprintf(request, sizeof(request), CALL("GetBlob", "1,\"%s\",10"), digest);
        want(&stage, request, "\"success\":true");
        free(drive_finish(&stage.drive, &len));
        ck_assert_uint_eq(len, 10);
        ck_assert_ptr_nonnull(strstr(stage.drive.packet.data, "corrupted blob"));
}
END_TEST

START_TEST(test_a_fixture_may_be_the_image)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin(&stage, "", "\"image\": \"layers-0\"");
        want(&stage, INITIALIZE, "0.2.8");
        want(&stage, OPEN, "\"success\":true");
        want(&stage, CALL("GetLayerInfo", "1"), "\"value\":[]");
}
END_TEST

START_TEST(test_failures_that_a_server_could_have)
{
        struct stage stage CLEANUP_STAGE = {0};
        size_t len;

        begin_open(&stage,
                   "{\"when\": {\"method\": \"GetManifest\", \"nth\": 1}, \"fail\": \"no manifest\"},"
                   "{\"when\": {\"method\": \"GetManifest\", \"outcome\": \"success\", \"nth\": 1},"
                   "\"fail\": \"not now\"}, {\"when\": {\"method\": \"FinishPipe\"}, \"fail\": \"cut\"}");
        for (int i = 0; i < 2; i++) {
                want(&stage, CALL("GetManifest", "1"),
                     i ? "\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"not now\""
                       : "\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"no manifest\"");
                ck_assert_uint_eq(stage.drive.packet.n_fds, 0);
        }
        free(get_manifest(&stage, &len)); /* the pipe ends all the same */
        ck_assert_uint_gt(len, 0);
        ck_assert_str_eq(stage.drive.packet.data, "{\"success\":false,\"value\":null,\"pipeid\":0,"
                                                  "\"error_code\":\"other\",\"error\":\"cut\"}");
}
END_TEST

/* What random bytes a seed gives. */
static char *random_of(const char *flags, const char *members)
{
        struct stage stage CLEANUP_STAGE = {0};
        size_t len;
        char *data;

        begin(&stage, flags,
              "%s\"rules\": [{\"when\": {\"method\": \"GetManifest\"}, \"data\": [{\"random\": 64},"
              "{\"end\": true}]}]",
              members);
        want(&stage, INITIALIZE, "0.2.8");
        want(&stage, OPEN, "\"success\":true");
        data = get_manifest(&stage, &len);
        ck_assert_uint_eq(len, 64);
        return data;
}

START_TEST(test_the_seed_decides_what_is_random)
{
        char *a CLEANUP(cleanup_free) = random_of("", "\"seed\": 5,");
        char *b CLEANUP(cleanup_free) = random_of("", "\"seed\": 5,");
        char *c CLEANUP(cleanup_free) = random_of("", "\"seed\": 6,");
        char *d CLEANUP(cleanup_free) = random_of("--seed 5", "");

        ck_assert_mem_eq(a, b, 64);
        ck_assert_mem_ne(a, c, 64);
        ck_assert_mem_eq(a, d, 64);
}
END_TEST

/* ---- what is matched ---- */

/* Each case: rules, then requests with what their replies must have. */
START_TEST(test_conditions)
{
        static const struct {
                const char *rules;
                const char *talk[8];
        } cases[] = {
                {"{\"when\": {\"image\": \"fake:scenario\", \"method\": \"GetLayerInfo\"}, \"reply\": {\"a\": "
                 "1}}",
                 {CALL("GetLayerInfo", "1"), "\"a\":1", CALL("OpenImage", "\"fake:layers-0\""), "\"value\":2",
                  CALL("GetLayerInfo", "2"), "\"value\":[]"}},
                {"{\"when\": {\"image\": 2}, \"reply\": {\"a\": 1}}",
                 {CALL("CloseImage", "1"), "\"error\":\"\"}", CALL("CloseImage", "2"), "\"a\":1"}},
                {"{\"when\": {\"digest\": \"x\"}, \"reply\": {\"a\": 1}}",
                 {CALL("GetBlob", "1,\"y\",3"), "\"}", CALL("GetBlob", "1,\"x\",3"), "\"a\":1"}},
                {"{\"name\": \"n\", \"when\": {\"method\": \"CloseImage\"}}, {\"when\": {\"after_rule\": "
                 "\"n\"},"
                 "\"reply\": {\"a\": 1}}",
                 {CALL("Nothing", ""), "\"}", CALL("CloseImage", "9"), "\"}", CALL("Nothing", ""), "\"a\":1"}},
                {"{\"name\": \"n\", \"when\": {\"before_rule\": \"n\", \"outcome\": \"failure\"}, \"reply\": "
                 "{\"a\": 1}}",
                 {CALL("GetLayerInfo", "1"), "\"error\":\"\"}", CALL("Nothing", ""), "\"a\":1",
                  CALL("Nothing", ""), "\"}"}},
                {"{\"when\": {\"argument\": {\"index\": 1, \"is\": 77}}, \"reply\": {\"a\": 1}}",
                 {CALL("CloseImage", "76"), "\"}", CALL("CloseImage", "77"), "\"a\":1"}},
                {"{\"when\": {\"earlier\": \"Secret\", \"nth\": 2}, \"reply\": {\"a\": 1}}",
                 {CALL("Secret", ""), "\"}", CALL("CloseImage", "9"), "\"}", CALL("CloseImage", "9"),
                  "\"a\":1"}},
                {"{\"when\": {\"arguments_at_least\": 3, \"length_at_least\": 40}, \"reply\": {\"a\": 1}}",
                 {CALL("X", "1,2,3"), "\"}", CALL("XXXXXXXXXXXX", "1,2,3"), "\"a\":1"}},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};

                begin_open(&stage, cases[i].rules);
                for (size_t k = 0; k + 1 < 8 && cases[i].talk[k]; k += 2)
                        want(&stage, cases[i].talk[k], cases[i].talk[k + 1]);
        }
}
END_TEST

START_TEST(test_a_pipe_is_known_by_its_number)
{
        struct stage stage CLEANUP_STAGE = {0};
        char requests[2][100];

        begin_open(&stage, "{\"when\": {\"pipe\": 2}, \"reply\": {\"a\": 1}}");
        for (int i = 0; i < 2; i++) {
                want(&stage, CALL("GetManifest", "1"), "\"success\":true");
                snprintf(requests[i], sizeof(requests[i]), CALL("FinishPipe", "%u"),
                         drive_pipe_id(&stage.drive));
        }
        want(&stage, requests[1], "\"a\":1");
        want(&stage, requests[0], "\"error\":\"\"}");
}
END_TEST

/* A rule on FinishPipe acts on the answer, which comes when the writer is done, and knows its outcome. */
START_TEST(test_a_rule_on_a_finish_that_waits)
{
        struct stage stage CLEANUP_STAGE = {0};
        char request[300], digest[DIGEST_TEXT_SIZE];
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        begin_open(&stage,
                   "{\"name\": \"waits\", \"when\": {\"event\": \"finish-wait\", \"pipe\": 2}, \"before\": "
                   "[\"wait\"]},"
                   "{\"when\": {\"method\": \"FinishPipe\", \"outcome\": \"failure\"}, \"reply\": {\"a\": 1}}");
        find_layer(&stage, digest);
        snprintf(request, sizeof(request), CALL("GetBlob", "1,\"%s\",99999"), digest);
        want(&stage, request, "\"success\":true");
        snprintf(request, sizeof(request), CALL("FinishPipe", "%u"), drive_pipe_id(&stage.drive));
        int fd CLEANUP_FD = steal_fd(&stage.drive.packet.fds[0]);
        want(&stage, request, "wait");
        ck_assert(drive_is_silent(&stage.drive));
        ck_assert_ok(read_to_end(fd, 1 << 20, deadline_in_ms(60000), &data, &len));
        ck_assert_uint_eq(len, 100000);
        ck_assert_ptr_nonnull(strstr(drive_receive(&stage.drive), "expected 99999 bytes in blob, got 100000"));
        ck_assert_ptr_nonnull(strstr(stage.drive.packet.data, "\"a\":1"));
}
END_TEST

/* ---- time ---- */

START_TEST(test_delays)
{
        struct stage stage CLEANUP_STAGE = {0};
        uint64_t start;

        begin_open(&stage, "{\"when\": {\"method\": \"CloseImage\", \"nth\": 1}, \"delay_ms\": 60},"
                           "{\"when\": {\"method\": \"CloseImage\", \"nth\": 2}, \"delay_after_ms\": 60}");
        start = monotonic_ns();
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        ck_assert_uint_ge(monotonic_ns() - start, 60000000);
        start = monotonic_ns();
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        ck_assert_uint_ge(monotonic_ns() - start, 60000000);
}
END_TEST

START_TEST(test_a_drip_has_its_rate)
{
        struct stage stage CLEANUP_STAGE = {0};
        uint64_t start;
        size_t len;

        begin_open(
                &stage,
                "{\"when\": {\"method\": \"GetManifest\"}, \"data\": [{\"drip\": 21, \"bytes_per_s\": 200}]}");
        start = monotonic_ns();
        free(get_manifest(&stage, &len));
        ck_assert_uint_ge(monotonic_ns() - start, 100000000); /* twenty pauses of 5 ms */
}
END_TEST

/* ---- the end ---- */

START_TEST(test_ends)
{
        static const struct {
                const char *rule;
                int status; /* 1000 and a signal */
                const char *ended, *verdict_status;
        } cases[] = {
                {"\"exit\": 0", 0, "\"exit\"", "0"},
                {"\"exit\": 7", 7, "\"exit\"", "7"},
                {"\"exit\": 7, \"delay_ms\": 20, \"delay_after_ms\": 20", 7, "\"exit\"", "7"},
                {"\"signal\": \"KILL\"", 1000 + SIGKILL, "\"signal\"", "137"},
                {"\"signal\": \"SEGV\"", 1000 + SIGSEGV, "\"signal\"", "139"},
                {"\"signal\": \"TERM\"", 1000 + SIGTERM, "\"signal\"", "143"},
                {"\"panic\": true", 2, "\"exit\"", "2"},
                {"\"exit\": 3, \"stderr_flood\": 100000", 3, "\"exit\"", "3"},
        };
        char rule[300];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};
                struct json_object *verdict CLEANUP(cleanup_json) = NULL;

                snprintf(rule, sizeof(rule), "{\"when\": {\"method\": \"CloseImage\"}, %s}", cases[i].rule);
                begin_open(&stage, rule);
                want(&stage, CALL("CloseImage", "9"), "no image 9"); /* the answer comes first */
                ck_assert_int_eq(drive_wait(&stage.drive), cases[i].status);
                verdict = read_verdict(&stage);
                want_member(verdict, "ended", cases[i].ended);
                want_member(verdict, "status", cases[i].verdict_status);
        }
}
END_TEST

START_TEST(test_ends_at_events)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin(&stage, "",
              "\"rules\": [{\"when\": {\"event\": \"start\"}, \"stderr\": \"no proxy today\\n\", \"exit\": "
              "1}]");
        ck_assert_int_eq(drive_wait(&stage.drive), 1);
        ck_assert_str_eq(drive_stderr(&stage.drive), "no proxy today\n");
        stage_clear(&stage);

        stage = (struct stage){0};
        begin_open(&stage, "{\"when\": {\"event\": \"end-of-input\"}, \"delay_ms\": 30, \"exit\": 5}");
        ck_assert_int_eq(drive_end(&stage.drive), 5);
        stage_clear(&stage);

        stage = (struct stage){0};
        begin_open(&stage, "{\"when\": {\"method\": \"Shutdown\"}, \"delay_ms\": 30, \"exit\": 6}");
        drive_send(&stage.drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(&stage.drive), 6);
        stage_clear(&stage);

        stage = (struct stage){0};
        begin_open(&stage,
                   "{\"when\": {\"method\": \"GetManifest\"}, \"data\": [{\"send\": 9}, {\"exit\": 4}]}");
        want(&stage, CALL("GetManifest", "1"), "\"success\":true");
        ck_assert_int_eq(drive_wait(&stage.drive), 4);
        ck_assert_uint_eq(stage.drive.packet.n_fds, 1);
        size_t len;
        free(drive_read(&stage.drive, 0, &len));
        ck_assert_uint_eq(len, 9);
}
END_TEST

/*
 * Nothing else happens behind the delay: no other event wakes the server, and nobody writes down what it does.
 */
START_TEST(test_a_delayed_shutdown_ends_the_server)
{
        static const char rules[] = "\"rules\": [{\"when\": {\"method\": \"Shutdown\"}, \"%s\": 300}]";
        static const char *const delays[] = {"delay_ms", "delay_after_ms"};

        for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
                struct stage stage CLEANUP_STAGE = {0};

                begin_unwatched(&stage, rules, delays[i]);
                want(&stage, INITIALIZE, "0.2.8");
                drive_send(&stage.drive, CALL("Shutdown", ""));
                ck_assert_int_eq(drive_wait(&stage.drive), 0);
        }
}
END_TEST

START_TEST(test_the_socket_is_closed_and_the_process_lives)
{
        struct stage stage CLEANUP_STAGE = {0};
        char *data CLEANUP(cleanup_free) = NULL;
        size_t len;

        begin_open(&stage, "{\"when\": {\"method\": \"GetManifest\"}, \"close_socket\": true, \"data\":"
                           "[{\"send\": 9}, {\"wait_ms\": 50}, {\"send\": 9}, {\"end\": true}]}");
        want(&stage, CALL("GetManifest", "1"), "\"success\":true");
        int fd CLEANUP_FD = steal_fd(&stage.drive.packet.fds[0]);
        ck_assert_ptr_null(drive_receive(&stage.drive));
        ck_assert_ok(read_to_end(fd, 1 << 20, deadline_in_ms(60000), &data, &len));
        ck_assert_uint_eq(len, 18);
        ck_assert_int_eq(drive_wait(&stage.drive), 0);
}
END_TEST

START_TEST(test_what_is_not_read_is_not_answered)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin_open(&stage, "{\"when\": {\"method\": \"CloseImage\"}, \"stop_reading\": true}");
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        drive_send(&stage.drive, CALL("CloseImage", "9"));
        ck_assert(drive_is_silent(&stage.drive));
        ck_assert_int_eq(drive_end(&stage.drive), 0);
}
END_TEST

START_TEST(test_ends_that_are_ignored)
{
        struct stage stage CLEANUP_STAGE = {0};
        struct json_object *verdict CLEANUP(cleanup_json) = NULL;
        struct pollfd pidfd;

        begin_open(&stage,
                   "{\"when\": {\"method\": \"CloseImage\"}, \"ignore_sigterm\": true, \"ignore_end\": true}");
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        child_signal(stage.drive.child, SIGTERM);
        drive_send(&stage.drive, CALL("Shutdown", ""));
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        fd_clear(&stage.drive.socket);
        pidfd = (struct pollfd){.fd = child_pidfd(stage.drive.child), .events = POLLIN};
        ck_assert_int_eq(poll(&pidfd, 1, 200), 0);
        wait_for_member(&stage, "calls.3.method", "\"Shutdown\"");
        child_signal(stage.drive.child, SIGKILL);
        ck_assert_int_eq(drive_wait(&stage.drive), 1000 + SIGKILL);
        verdict = read_verdict(&stage);
        want_member(verdict, "ended", "(none)");
        want_member(verdict, "calls.3.method", "\"Shutdown\"");
        want_member(verdict, "calls.3.success", "null");
}
END_TEST

START_TEST(test_a_child_holds_the_pipe)
{
        struct stage stage CLEANUP_STAGE = {0};
        struct deadline deadline = deadline_in_ms(60000);
        struct pollfd poll_fd = {.events = POLLIN};
        char buffer[200000];
        pid_t group;

        begin_open(&stage,
                   "{\"when\": {\"method\": \"GetManifest\"}, \"child_holds_pipe\": true, \"exit\": 1}");
        group = child_pid(stage.drive.child);
        want(&stage, CALL("GetManifest", "1"), "\"success\":true");
        ck_assert_int_eq(drive_wait(&stage.drive), 1);
        child_reap(stage.drive.child);
        ck_assert_int_eq(kill(-group, 0), 0);
        poll_fd.fd = stage.drive.packet.fds[0];
        ck_assert_int_gt(read(poll_fd.fd, buffer, sizeof(buffer)), 0);
        ck_assert_int_eq(poll(&poll_fd, 1, 100), 0); /* no end */
        packet_clear(&stage.drive.packet);
        while (kill(-group, 0) == 0) {
                ck_assert(!deadline_passed(deadline));
                usleep(1000);
        }
}
END_TEST

START_TEST(test_a_flood_holds_nothing_up)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin_open(&stage, "{\"when\": {\"method\": \"CloseImage\"}, \"stderr_flood\": 3000000}");
        for (int i = 0; i < 5; i++)
                want(&stage, CALL("CloseImage", "9"), "no image 9");
        while (child_stderr_total(stage.drive.child) < 3000000) {
                ck_assert_int_ge(wait_fd(child_stderr_fd(stage.drive.child), POLLIN, deadline_in_ms(60000)), 0);
                child_read_stderr(stage.drive.child);
        }
        ck_assert_int_eq(drive_end(&stage.drive), 0);
}
END_TEST

START_TEST(test_behaviours_from_then_on)
{
        struct stage stage CLEANUP_STAGE = {0};

        begin_open(&stage,
                   "{\"when\": {\"method\": \"CloseImage\", \"nth\": 1}, \"become\": {\"close-twice-succeeds\":"
                   "true}}, {\"when\": {\"method\": \"GetLayerInfo\"}, \"become_first\":"
                   "{\"drops-last-layer\": true}}");
        want(&stage, CALL("CloseImage", "9"), "no image 9");
        want(&stage, CALL("CloseImage", "9"), "\"success\":true");
        want(&stage, CALL("GetLayerInfo", "1"), "\"value\":[]");
}
END_TEST

/* ---- the verdict ---- */

START_TEST(test_the_verdict)
{
        struct stage stage CLEANUP_STAGE = {0};
        struct json_object *verdict CLEANUP(cleanup_json) = NULL;
        char request[300], digest[DIGEST_TEXT_SIZE];
        int fds[2];

        begin(&stage, "--seed 9",
              "\"image\": {\"layers\": [{\"size\": 300000}]}, \"rules\": [{\"name\": \"fires\", \"when\":"
              "{\"method\": \"CloseImage\"}}, {\"when\": {\"method\": \"GetConfig\"}}]");
        want(&stage, INITIALIZE, "0.2.8");
        verdict = read_verdict(&stage); /* it is there while the session goes on */
        want_member(verdict, "scenario", "\"s\"");
        want_member(verdict, "ended", "(none)");
        json_object_put(verdict);
        verdict = NULL;
        want(&stage, OPEN, "\"success\":true");
        find_layer(&stage, digest);
        snprintf(request, sizeof(request), CALL("GetBlob", "1,\"%s\",300000"), digest);
        want(&stage, request, "\"success\":true");
        packet_clear(&stage.drive.packet);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        drive_send_bytes(&stage.drive, CALL("CloseImage", "9"), strlen(CALL("CloseImage", "9")), fds, 2);
        fd_close(fds[0]);
        fd_close(fds[1]);
        ck_assert_ptr_nonnull(drive_receive(&stage.drive));
        drive_send(&stage.drive, "no request");
        ck_assert_ptr_nonnull(drive_receive(&stage.drive));
        drive_send(&stage.drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(&stage.drive), 0);

        verdict = read_verdict(&stage);
        want_member(verdict, "emulate", "\"0.2.8\"");
        want_member(verdict, "seed", "9");
        want_member(verdict, "calls.0.method", "\"Initialize\"");
        want_member(verdict, "calls.0.success", "true");
        want_member(verdict, "calls.3.method", "\"FinishPipe\"");
        want_member(verdict, "calls.5.method", "\"CloseImage\"");
        want_member(verdict, "calls.5.success", "false");
        want_member(verdict, "calls.6.method", "\"\"");
        want_member(verdict, "calls.7.method", "\"Shutdown\"");
        want_member(verdict, "calls.7.success", "null");
        want_member(verdict, "pipes.0.method", "\"GetManifest\"");
        want_member(verdict, "pipes.0.finished", "true");
        want_member(verdict, "pipes.0.reader_gone", "false");
        want_member(verdict, "pipes.1.method", "\"GetBlob\"");
        want_member(verdict, "pipes.1.finished", "false");
        want_member(verdict, "pipes.1.reader_gone", "true");
        want_member(verdict, "rules.0.name", "\"fires\"");
        want_member(verdict, "rules.0.fired", "1");
        want_member(verdict, "rules.1.name", "\"/rules/1\"");
        want_member(verdict, "rules.1.fired", "0");
        want_member(verdict, "descriptors_received", "2");
        want_member(verdict, "images_open", "1");
        want_member(verdict, "ended", "\"shutdown\"");
        want_member(verdict, "status", "0");
}
END_TEST

START_TEST(test_a_client_that_kills_at_once_is_seen)
{
        struct stage stage CLEANUP_STAGE = {0};
        struct json_object *verdict CLEANUP(cleanup_json) = NULL;

        begin_open(&stage, "{\"when\": {\"method\": \"CloseImage\"}, \"fail\": \"no\"}");
        want(&stage, CALL("CloseImage", "1"), "no");
        child_signal(stage.drive.child, SIGKILL);
        ck_assert_int_eq(drive_wait(&stage.drive), 1000 + SIGKILL);
        verdict = read_verdict(&stage);
        want_member(verdict, "calls.2.method", "\"CloseImage\"");
        want_member(verdict, "calls.2.success", "false");
        want_member(verdict, "rules.0.fired", "1");
        want_member(verdict, "images_open", "1");
        want_member(verdict, "ended", "(none)");
}
END_TEST

START_TEST(test_how_a_session_ended)
{
        static const struct {
                const char *how, *ended;
                int status;
        } cases[] = {
                {"close", "\"end-of-input\"", 0},
                {"empty", "\"empty-packet\"", 0},
                {"term", "\"signal\"", 1000 + SIGTERM},
                {"int", "\"signal\"", 1000 + SIGINT},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct stage stage CLEANUP_STAGE = {0};
                struct json_object *verdict CLEANUP(cleanup_json) = NULL;

                begin_open(&stage, "");
                if (*cases[i].how == 'c')
                        fd_clear(&stage.drive.socket);
                else if (*cases[i].how == 'e')
                        drive_send_bytes(&stage.drive, "", 0, NULL, 0);
                else
                        child_signal(stage.drive.child, *cases[i].how == 't' ? SIGTERM : SIGINT);
                ck_assert_int_eq(drive_wait(&stage.drive), cases[i].status);
                verdict = read_verdict(&stage);
                want_member(verdict, "ended", cases[i].ended);
                want_member(verdict, "calls.1.method", "\"OpenImage\"");
        }
}
END_TEST

/* ---- the program ---- */

/* Runs it, and returns the status; what it says is the drive's stderr. */
static int run(struct drive *drive, const char *environment, const char *words)
{
        drive_start(drive, program, environment, words);
        return drive_wait(drive);
}

START_TEST(test_what_cannot_be_used)
{
        struct stage stage CLEANUP_STAGE = {0};
        static const struct {
                const char *words, *said;
        } cases[] = {
                {"--scenario /nonexistent/x.json experimental-image-proxy", "/nonexistent/x.json: "},
                {"--scenario /dev/zero experimental-image-proxy", "/dev/zero"},
                {"--seed x experimental-image-proxy", "--seed \"x\": expected an integer"},
                {"--verdict /nonexistent/v experimental-image-proxy",
                 "cannot write the verdict /nonexistent/v"},
                {"check", "name at least one file"},
                {"schema more", "takes no arguments"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct drive drive CLEANUP_DRIVE = {0};

                ck_assert_int_eq(run(&drive, NULL, cases[i].words), 2);
                ck_assert_msg(strstr(drive_stderr(&drive), cases[i].said) != NULL, "%s", drive_stderr(&drive));
        }
        begin(&stage, "", "\"seeed\": 1, \"rules\": [{\"exit\": -1}]");
        ck_assert_int_eq(drive_wait(&stage.drive), 2);
        ck_assert_ptr_nonnull(
                strstr(drive_stderr(&stage.drive), "s.json: /seeed: unknown key; did you mean \"seed\"?\n"));
        ck_assert_ptr_nonnull(strstr(drive_stderr(&stage.drive), "s.json: /rules/0/exit: expected an integer"));
}
END_TEST

START_TEST(test_the_environment_chooses_too)
{
        struct stage stage CLEANUP_STAGE = {0};
        struct drive drive CLEANUP_DRIVE = {0};
        char environment[400];

        begin_open(&stage, "");
        snprintf(environment, sizeof(environment), "CIP_FAKEPROXY_SCENARIO=%s", stage.scenario);
        drive_start(&drive, program, environment, "--insecure-policy experimental-image-proxy");
        ck_assert_ptr_nonnull(drive_call(&drive, INITIALIZE));
        ck_assert_ptr_nonnull(strstr(drive_call(&drive, OPEN), "\"success\":true"));
}
END_TEST

START_TEST(test_scenarios_are_checked)
{
        struct stage good CLEANUP_STAGE = {0}, bad CLEANUP_STAGE = {0};
        struct drive drive CLEANUP_DRIVE = {0}, both CLEANUP_DRIVE = {0};
        char words[700];

        begin_open(&good, "");
        begin(&bad, "", "\"x\": 1");
        snprintf(words, sizeof(words), "check %s", good.scenario);
        ck_assert_int_eq(run(&drive, NULL, words), 0);
        ck_assert_str_eq(drive_stderr(&drive), "");
        snprintf(words, sizeof(words), "check %s %s", bad.scenario, good.scenario);
        ck_assert_int_eq(run(&both, NULL, words), 2);
        ck_assert_ptr_nonnull(strstr(drive_stderr(&both), "s.json: /x: unknown key\n"));
        (void)drive_wait(&bad.drive);
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("scenario-run");
        TCase *tcase = testing_case(suite, "run");

        if (argc != 2) {
                fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
                return 2;
        }
        program = argv[1];
        tcase_set_timeout(tcase, 120);
        tcase_add_test(tcase, test_replies);
        tcase_add_test(tcase, test_an_empty_packet_in_place_of_a_reply);
        tcase_add_test(tcase, test_descriptors);
        tcase_add_test(tcase, test_descriptors_of_an_answer_in_place);
        tcase_add_test(tcase, test_data);
        tcase_add_test(tcase, test_bytes_that_are_not_of_the_content);
        tcase_add_test(tcase, test_corrupted_data_is_inverted);
        tcase_add_test(tcase, test_the_error_pipe);
        tcase_add_test(tcase, test_an_endless_pipe_holds_nothing_up);
        tcase_add_test(tcase, test_ten_gibibytes_need_no_memory);
        tcase_add_test(tcase, test_generated_members_reach_the_client);
        tcase_add_test(tcase, test_a_blob_under_a_false_digest_is_found_corrupted);
        tcase_add_test(tcase, test_a_fixture_may_be_the_image);
        tcase_add_test(tcase, test_failures_that_a_server_could_have);
        tcase_add_test(tcase, test_the_seed_decides_what_is_random);
        tcase_add_test(tcase, test_conditions);
        tcase_add_test(tcase, test_a_pipe_is_known_by_its_number);
        tcase_add_test(tcase, test_a_rule_on_a_finish_that_waits);
        tcase_add_test(tcase, test_delays);
        tcase_add_test(tcase, test_a_drip_has_its_rate);
        tcase_add_test(tcase, test_ends);
        tcase_add_test(tcase, test_ends_at_events);
        tcase_add_test(tcase, test_a_delayed_shutdown_ends_the_server);
        tcase_add_test(tcase, test_the_socket_is_closed_and_the_process_lives);
        tcase_add_test(tcase, test_what_is_not_read_is_not_answered);
        tcase_add_test(tcase, test_ends_that_are_ignored);
        tcase_add_test(tcase, test_a_child_holds_the_pipe);
        tcase_add_test(tcase, test_a_flood_holds_nothing_up);
        tcase_add_test(tcase, test_behaviours_from_then_on);
        tcase_add_test(tcase, test_the_verdict);
        tcase_add_test(tcase, test_a_client_that_kills_at_once_is_seen);
        tcase_add_test(tcase, test_how_a_session_ended);
        tcase_add_test(tcase, test_what_cannot_be_used);
        tcase_add_test(tcase, test_the_environment_chooses_too);
        tcase_add_test(tcase, test_scenarios_are_checked);
        return testing_main(suite);
}
