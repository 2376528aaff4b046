/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running out of memory with images of each kind: the 1st, the 2nd, the 3rd .. allocation fails, of our own
 * code and of what it asks of json-c, until all goes well. Each time it is -ENOMEM, of this machine's making,
 * with a message, and nothing is left behind. The linker puts ours in place of malloc and its kin and of
 * json-c's makers, as in client/test-memory.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/testing.h"
#include "base/text.h"
#include "base/tmpdir.h"
#include "image/config.h"
#include "image/fixture.h"
#include "image/generated.h"
#include "image/layout.h"
#include "image/manifest.h"
#include "image/source.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/transcript.h"

/* How many allocations go well before one fails; negative: all do. */
static long left = -1;
static bool failed;

static bool fails(void)
{
        if (left < 0 || left-- > 0)
                return false;
        failed = true;
        errno = ENOMEM;
        return true;
}

#define WRAP(type, bad, name, declaration, arguments)             \
        type __real_##name declaration;                           \
        type __wrap_##name declaration;                           \
        type __wrap_##name declaration                            \
        {                                                         \
                return fails() ? (bad) : __real_##name arguments; \
        }

WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, realloc, (void *old, size_t size), (old, size))
WRAP(void *, NULL, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, NULL, strdup, (const char *text), (text))
WRAP(char *, NULL, strndup, (const char *text, size_t size), (text, size))
WRAP(FILE *, NULL, open_memstream, (char **text, size_t *len), (text, len))
WRAP(struct json_object *, NULL, json_object_new_object, (void), ())
WRAP(struct json_object *, NULL, json_object_new_array, (void), ())
WRAP(struct json_object *, NULL, json_object_new_int64, (int64_t number), (number))
WRAP(struct json_object *, NULL, json_object_new_string, (const char *text), (text))
WRAP(struct json_object *, NULL, json_object_new_string_len, (const char *text, int len), (text, len))
WRAP(int, -1, json_object_object_add, (struct json_object * object, const char *key, struct json_object *value),
     (object, key, value))
WRAP(int, -1, json_object_array_add, (struct json_object * array, struct json_object *value), (array, value))

int __real_vasprintf(char **ret, const char *format, va_list arguments);
int __wrap_vasprintf(char **ret, const char *format, va_list arguments);
int __wrap_vasprintf(char **ret, const char *format, va_list arguments)
{
        return fails() ? -1 : __real_vasprintf(ret, format, arguments);
}

int __wrap_asprintf(char **ret, const char *format, ...);
int __wrap_asprintf(char **ret, const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = __wrap_vasprintf(ret, format, arguments);
        va_end(arguments);
        return r;
}

/* ---- what is done with little memory ---- */

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char config[] =
        "{\"architecture\":\"arm\",\"variant\":\"v7\",\"os\":\"linux\",\"os.features\":[\"a\",null],"
        "\"created\":\"2020-01-02T03:04:05.6Z\",\"author\":\"me\","
        "\"config\":{\"User\":\"u\",\"ExposedPorts\":{\"80/tcp\":{}},\"Env\":[\"A=b\"],\"Entrypoint\":[\"/x\"],"
        "\"Cmd\":null,\"Volumes\":{\"/v\":{}},\"Labels\":{\"a\":\"b\",\"c\":null}},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST_A "\"]},"
        "\"history\":[{\"created\":\"2020-01-02T03:04:05Z\",\"created_by\":\"x\"},{\"empty_layer\":true}]}";

static const char docker_manifest[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\","
        "\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"digest\":\"" DIGEST_A "\",\"size\":7},"
        "\"layers\":[{\"mediaType\":\"" MEDIA_DOCKER_LAYER_GZIP "\",\"digest\":\"" DIGEST_B
        "\",\"size\":9,\"urls\":[\"https://x.example/y\"]}]}";

static const char oci_index[] =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIGEST_A "\",\"size\":7,"
        "\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"},"
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}";

static char *folder; /* with images */

static char *path_of(const char *name)
{
        static char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static int convert_config(struct cip_error *error)
{
        char *text = NULL;
        size_t len;
        int r = config_to_oci(config, strlen(config), false, &text, &len, error);

        free(STEAL(text));
        if (r == 0)
                r = config_to_oci(config, strlen(config), true, &text, &len, error);
        free(text);
        return r;
}

static int convert_manifest(struct cip_error *error)
{
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = NULL;
        char *text = NULL;
        size_t len;
        int r = manifest_parse(docker_manifest, strlen(docker_manifest), &manifest, error);

        if (r == 0)
                r = manifest_to_oci(manifest, docker_manifest, strlen(docker_manifest), &text, &len, error);
        free(STEAL(text));
        if (r == 0)
                r = manifest_to_oci_with_config(manifest, docker_manifest, strlen(docker_manifest), config,
                                                strlen(config), &text, &len, error);
        free(text);
        return r;
}

static int read_list(struct cip_error *error)
{
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = NULL;
        const struct content *entry;
        int r = manifest_parse(oci_index, strlen(oci_index), &manifest, error);

        return r < 0 ? r : manifest_pick(manifest, &(struct platform){"arm", "linux", "v7"}, &entry, error);
}

static int make_image(struct cip_error *error)
{
        struct json_object *more CLEANUP(cleanup_json) = NULL;
        struct generated *generated CLEANUP(cleanup_generated_free) = NULL;
        struct image *image CLEANUP(cleanup_image_free) = NULL;
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = NULL;
        struct generated_layer layers[] = {
                {.size = 2000, .count = 2},
                {.size = 100, .compression = GENERATED_GZIP},
                {.size = 100, .compression = GENERATED_ZSTD, .content = GENERATED_SAME},
                {.size = 3, .content = GENERATED_ZERO, .digest = DIGEST_A},
        };
        struct generated_recipe recipe = {.layers = layers, .n_layers = ARRAY_SIZE(layers), .sha512 = true};
        int r = json_parse("{\"a\":{\"b\":null,\"c\":1}}", 22, 10, &more, error);

        if (r < 0)
                return r;
        recipe.manifest = recipe.config = layers[1].entry = more;
        r = generated_new(&recipe, &generated, error);
        if (r < 0)
                return r;
        r = image_open_generated(generated, &image, error);
        if (r < 0)
                return r;
        manifest = generated_parsed_manifest(generated);
        return manifest ? 0 : error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "no memory");
}

static int read_image(const char *reference, struct cip_error *error)
{
        struct image *image CLEANUP(cleanup_image_free) = NULL;
        const struct manifest *manifest;
        char *text = NULL;
        uint64_t size;
        size_t len;
        int r = image_open(reference, NULL, &image, error);

        if (r == 0)
                r = image_read_config(image, &text, &len, error);
        free(STEAL(text));
        if (r == 0)
                r = image_read_oci_config(image, false, &text, &len, error);
        free(text);
        manifest = r == 0 ? image_parsed_manifest(image) : NULL;
        for (size_t i = 0; manifest && i < manifest->n_entries && r == 0; i++) {
                CLEANUP_FD int fd = -1;

                r = image_open_blob(image, manifest->entries[i].digest, &fd, &size, error);
        }
        return r;
}

static int read_named(const char *transport, const char *name, struct cip_error *error)
{
        char reference[4200];

        snprintf(reference, sizeof(reference), "%s:%s", transport, path_of(name));
        return read_image(reference, error);
}

static int read_layout(struct cip_error *error)
{
        return read_named("oci", "layout:v1", error);
}

static int read_folder(struct cip_error *error)
{
        return read_named("dir", "folder", error);
}

static int read_archive(struct cip_error *error)
{
        return read_named("oci-archive", "oci.tar:v1", error);
}

static int read_docker_archive(struct cip_error *error)
{
        return read_named("docker-archive", "docker.tar:a:v1", error);
}

static int read_packed_docker_archive(struct cip_error *error)
{
        return read_named("docker-archive", "docker.tgz:@0", error);
}

static int write_layout(struct cip_error *error)
{
        struct layout *layout CLEANUP(cleanup_layout_free) = NULL;
        struct layout_blob *blob CLEANUP(cleanup_layout_blob_free) = NULL;
        char digest[DIGEST_TEXT_SIZE];
        int r = layout_create_unsynced(path_of("written"), &layout, error);

        if (r == 0)
                r = layout_write_blob(layout, DIGEST_SHA512, "x", 1, digest, error);
        if (r == 0)
                r = layout_blob_new(layout, &blob, error);
        if (r == 0)
                r = layout_blob_commit(STEAL(blob), DIGEST_A, error);
        for (int i = 0; r == 0 && i < 2; i++)
                r = layout_add_manifest(layout, MEDIA_OCI_MANIFEST, i ? DIGEST_A : DIGEST_B, 1, i ? "v1" : NULL,
                                        &(struct platform){"arm", "linux", "v7"}, error);
        return r;
}

static int write_fixtures(struct cip_error *error)
{
        int r = fixture_write_oci(fixture_find("docker-list"), path_of("written"), "v1", error);

        if (r == 0)
                r = fixture_write_oci(fixture_find("zstd"), path_of("written"), NULL, error);
        if (r == 0)
                r = fixture_write_oci(fixture_find("artifact"), path_of("written"), "v2", error);
        if (r == 0)
                r = fixture_write_sparse(path_of("written"), "v3", 5, error);
        return r;
}

static int write_archives(struct cip_error *error)
{
        int r = fixture_write_docker_archive(fixture_find("gzip"), path_of("written.tgz"), "a:v1", true, error);

        if (r == 0)
                r = fixture_write_oci_archive(fixture_find("layers-1"), path_of("written.tar"), "v1", false,
                                              error);
        return r;
}

static int speak(struct cip_error *error)
{
        struct json_object *args CLEANUP(cleanup_json) = NULL;
        struct request request = {0};
        char *text = NULL;
        size_t len;
        int r = json_parse("[1,\"x\"]", 7, 10, &args, error);

        if (r == 0)
                r = request_format("GetBlob", args, &text, &len);
        if (r == 0)
                r = request_parse(text, len, &request, error);
        request_clear(&request);
        free(STEAL(text));
        if (r == 0)
                r = pipe_error_format(ERROR_CODE_OTHER, "words", &text, &len);
        free(text);
        return r;
}

static int listen_to(struct cip_error *error)
{
        static const char text[] =
                "{\"success\":true,\"value\":[{\"digest\":\"" DIGEST_A
                "\",\"size\":1,\"media_type\":\"a\"}],\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}";
        static const char trouble[] = "{\"code\":\"retryable\",\"message\":\"words\"}";
        struct reply reply = {0};
        struct pipe_error pipe_error = {0};
        struct layer_info *layers = NULL;
        char *written = NULL;
        size_t n = 0;
        int r = reply_parse(text, strlen(text), &reply, error);

        if (r == 0)
                r = layer_infos_parse(reply.value, &layers, &n, error);
        layer_infos_free(layers, n);
        if (r == 0 && reply_format(&reply, &written, &n) < 0)
                r = -ENOMEM;
        free(written);
        reply_clear(&reply);
        if (r == 0)
                r = pipe_error_parse(trouble, strlen(trouble), &pipe_error, error);
        free(pipe_error.message);
        return r;
}

/* A transcript goes on as well as it can, and tells at its end. */
static int write_down(struct cip_error *error)
{
        struct transcript *transcript CLEANUP(cleanup_transcript_free) = NULL;
        int r = transcript_new(open("/dev/null", O_WRONLY | O_CLOEXEC), &transcript);

        if (r == 0) {
                transcript_packet(transcript, ">", "{\"a\":1}", 7, NULL, 0);
                transcript_packet(transcript, "<", "\xff\xfe", 2, NULL, 0);
                transcript_pipe(transcript, "data", 1, DIGEST_A, "eof");
                transcript_note(transcript, "words %d", 1);
                transcript_exit(transcript, 0);
                r = transcript_status(transcript);
        }
        (void)error;
        return r;
}

static const struct {
        const char *name;
        int (*run)(struct cip_error *error);
        bool silent; /* -ENOMEM says it all: there is no message */
} cases[] = {
        {"convert a config", convert_config},
        {"convert a manifest", convert_manifest},
        {"read a list", read_list},
        {"make an image", make_image},
        {"read a layout", read_layout},
        {"read a dir:", read_folder},
        {"read an archive", read_archive},
        {"read docker's archive", read_docker_archive},
        {"read docker's archive in gzip", read_packed_docker_archive},
        {"write a layout", write_layout},
        {"write fixtures", write_fixtures},
        {"write archives", write_archives},
        {"send", speak, true},
        {"receive", listen_to, true},
        {"write down", write_down, true},
};

/* ---- the tests ---- */

static void make_images(void)
{
        struct cip_error error = {0};

        ck_assert_ok(tmpdir_new("memory", &folder, &error));
        ck_assert_ok(fixture_write_oci(fixture_find("index"), path_of("layout"), "v1", &error));
        ck_assert_ok(fixture_write_dir(fixture_find("docker"), path_of("folder"), &error));
        ck_assert_ok(fixture_write_oci_archive(fixture_find("tar"), path_of("oci.tar"), "v1", false, &error));
        ck_assert_ok(fixture_write_docker_archive(fixture_find("tar"), path_of("docker.tar"), "a:v1", false,
                                                  &error));
        ck_assert_ok(fixture_write_docker_archive(fixture_find("gzip"), path_of("docker.tgz"), "a:v1", true,
                                                  &error));
}

START_TEST(running_out_of_memory_is_an_error_and_leaves_nothing)
{
        struct cip_error error = {0};
        long n = 0;
        int fds;

        make_images();
        fds = fd_count(0);
        do {
                int r;

                error = (struct cip_error){0};
                failed = false;
                left = n++;
                r = cases[_i].run(&error);
                left = -1;
                /* Where it was only for a better message, all goes well. */
                ck_assert_msg(r == 0 || (failed && r == -ENOMEM), "%s, %ld: %d %s", cases[_i].name, n - 1, r,
                              error.message);
                ck_assert_msg(r == 0 || cases[_i].silent ||
                                      (error.error_class == CIP_ERROR_LOCAL && *error.message),
                              "%s, %ld: no message", cases[_i].name, n - 1);
                ck_assert_int_eq(fd_count(0), fds);
        } while (failed);
        ck_assert_int_gt(n, 2);
        tmpdir_remove(folder);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("image/memory");
        TCase *tcase = testing_case(suite, "memory");

        tcase_add_loop_test(tcase, running_out_of_memory_is_an_error_and_leaves_nothing, 0, ARRAY_SIZE(cases));
        return testing_main(suite);
}
