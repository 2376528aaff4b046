/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixtures as the checks of images, manifests, layers, pipes and blobs need them. Everything here either
 * succeeds or ends the check: where the machine fails by check_error, where the server does by check_fail.
 */
#include "conformance/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/fixture.h"
#include "image/layout.h"

/*
 * The file of a blob may stay open in the server until its garbage collector finds it. One check asks for that,
 * blobs/leave-no-descriptor: a server that leaks falls short there, and not wherever a blob is fetched.
 */
static void leave_to_one_check(struct check_context *c, const char *method)
{
        if (!strcmp(method, "GetBlob"))
                check_expect_open(c);
}

/* The largest file of a fixture that a check reads: more than its largest manifest. */
#define FILE_MAX ((size_t)8 * 1024 * 1024)

const char *sample_reference(struct check_context *c, const char *fixture, const char *tag)
{
        CLEANUP(cleanup_layout_free) struct layout *reader = NULL;
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL;
        const char *path = check_fixture_path(c, fixture);
        const struct content *content;
        struct cip_error error = {0};

        if (layout_open(path, &reader, &error) < 0 || layout_find(reader, "latest", &content, &error) < 0 ||
            layout_create(path, &writer, &error) < 0 ||
            layout_add_manifest(writer, content->media_type, content->digest, content->size, tag, NULL,
                                &error) < 0)
                check_error(c, "cannot tag the fixture %s: %s", fixture, error.message);
        return check_text(c, "oci:%s:%s", path, tag);
}

uint64_t sample_open(struct check_context *c, const char *fixture, const char *tag)
{
        return check_open_image(c, sample_reference(c, fixture, tag));
}

const char *sample_dir(struct check_context *c, const char *fixture, const char *name)
{
        const char *path = check_text(c, "%s/%s", check_folder(c), name);
        const struct fixture *found = fixture_find(fixture);
        struct cip_error error = {0};

        if (!found)
                check_error(c, "there is no fixture %s", fixture);
        if (fixture_write_dir(found, path, &error) < 0)
                check_error(c, "cannot write the fixture %s: %s", fixture, error.message);
        return check_text(c, "dir:%s", path);
}

const char *sample_digest(struct check_context *c, const char *fixture)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        const struct content *content;
        struct cip_error error = {0};

        if (layout_open(check_fixture_path(c, fixture), &layout, &error) < 0 ||
            layout_find(layout, "latest", &content, &error) < 0)
                check_error(c, "cannot read the fixture %s: %s", fixture, error.message);
        return check_text(c, "%s", content->digest);
}

const char *sample_blob_path(struct check_context *c, const char *fixture, const char *digest)
{
        const char *colon = strchr(digest, ':');

        if (!colon)
                check_error(c, "%s is no digest", digest);
        return check_text(c, "%s/blobs/%.*s/%s", check_fixture_path(c, fixture), (int)(colon - digest), digest,
                          colon + 1);
}

void sample_read_file(struct check_context *c, const char *path, char **ret, size_t *ret_len)
{
        struct cip_error error = {0};

        if (read_file_at(AT_FDCWD, path, FILE_MAX, ret, ret_len, &error) < 0)
                check_error(c, "%s", error.message);
}

void sample_write_file(struct check_context *c, const char *path, const void *data, size_t len)
{
        CLEANUP_FD int fd = -1;
        int r;

        /* A new file: the old one may be linked from elsewhere. */
        unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                check_error(c, "cannot write %s: %s", path, strerror(errno));
        r = write_all(fd, data, len);
        if (r < 0)
                check_error(c, "cannot write %s: %s", path, strerror(-r));
}

struct json_object *sample_json(struct check_context *c, const char *data, size_t len, const char *what)
{
        struct json_object *json = NULL;
        struct cip_error error = {0};

        if (json_parse(data, len, 1000, &json, &error) < 0)
                check_fail(c, "%s should be JSON: %s", what, error.message);
        return json;
}

void sample_fetch(struct check_context *c, const char *method, const char *args, char **ret, size_t *ret_len,
                  struct answer *ret_finish)
{
        CLEANUP_ANSWER struct answer piped = {0};

        leave_to_one_check(c, method);
        check_call_ok(c, &piped, method, "%s", args);
        check_that(c, piped.packet.n_fds == 1, "%s should send one descriptor, %zu came", method,
                   piped.packet.n_fds);
        check_read_and_finish(c, &piped, ret_finish, ret, ret_len);
}

void sample_fetch_ok(struct check_context *c, const char *method, const char *args, char **ret, size_t *ret_len)
{
        CLEANUP_ANSWER struct answer finish = {0};

        sample_fetch(c, method, args, ret, ret_len, &finish);
        check_that(c, finish.success, "FinishPipe after %s should succeed, it says: %s", method, finish.error);
}

const char *sample_args(struct check_context *c, uint64_t image)
{
        return check_text(c, "[%" PRIu64 "]", image);
}

const char *sample_blob_args(struct check_context *c, uint64_t image, const char *digest, int64_t size)
{
        return check_text(c, "[%" PRIu64 ", \"%s\", %" PRId64 "]", image, digest, size);
}

void sample_get_blob(struct check_context *c, uint64_t image, const struct content *content, struct answer *ret)
{
        leave_to_one_check(c, "GetBlob");
        check_call_ok(c, ret, "GetBlob", "%s", sample_blob_args(c, image, content->digest, content->size));
        check_that(c, ret->packet.n_fds == 1, "GetBlob should send one descriptor, %zu came",
                   ret->packet.n_fds);
}

void sample_must_be_refused(struct check_context *c, const char *method, const char *args, const char *what)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        leave_to_one_check(c, method);
        check_call(c, &piped, method, "%s", args);
        if (!piped.success) {
                check_that(c, *piped.error, "%s of %s is refused without an error text", method, what);
                return;
        }
        check_that(c, piped.packet.n_fds == 1,
                   "%s of %s should be refused, or send one descriptor; it succeeds with %zu", method, what,
                   piped.packet.n_fds);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, !finish.success,
                   "%s of %s should be refused, by its answer or by FinishPipe; both succeed (%zu bytes came)",
                   method, what, len);
}

void sample_check_digest(struct check_context *c, const char *data, size_t len, const char *digest,
                         const char *what)
{
        char is[DIGEST_TEXT_SIZE];
        enum digest_algorithm algorithm;

        check_that(c, digest_parse(digest, &algorithm), "%s: '%s' is no digest", what, digest);
        if (digest_of(algorithm, data, len, is) < 0)
                check_error(c, "cannot hash %zu bytes", len);
        check_that(c, !strcmp(is, digest), "%s should have the digest %s; the %zu bytes that came have %s",
                   what, digest, len, is);
}

void sample_check_pipes(struct check_context *c, const struct answer *answer, size_t n)
{
        check_that(c, answer->packet.n_fds == n, "%zu descriptor(s) should come along, %zu did", n,
                   answer->packet.n_fds);
        for (size_t i = 0; i < n; i++) {
                const char *kind = fd_kind(answer->packet.fds[i]);

                check_that(c, !strcmp(kind, "pipe-read"),
                           "descriptor %zu should be the read end of a pipe, it is: %s", i + 1, kind);
        }
}

/* "digest":..,"size":.. of a blob that this writes. */
static const char *write_blob(struct check_context *c, struct layout *layout, const char *data)
{
        char digest[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};

        if (layout_write_blob(layout, DIGEST_SHA256, data, strlen(data), digest, &error) < 0)
                check_error(c, "cannot write a blob: %s", error.message);
        return check_text(c, "\"digest\":\"%s\",\"size\":%zu", digest, strlen(data));
}

/* Adds the image manifest of @config and @layers, JSON texts, to the layout of the fixture "layers-1". */
static const char *add_manifest(struct check_context *c, struct layout *layout, const char *tag,
                                const char *config, const char *layers)
{
        char digest[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};
        const char *text =
                check_text(c,
                           "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":\"%s\",%s},"
                           "\"layers\":[%s]}",
                           MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG, config, layers);

        if (layout_write_blob(layout, DIGEST_SHA256, text, strlen(text), digest, &error) < 0 ||
            layout_add_manifest(layout, MEDIA_OCI_MANIFEST, digest, (int64_t)strlen(text), tag, NULL, &error) <
                    0)
                check_error(c, "cannot write a manifest: %s", error.message);
        return check_text(c, "oci:%s:%s", check_fixture_path(c, "layers-1"), tag);
}

static struct layout *open_to_write(struct check_context *c)
{
        const char *path = check_fixture_path(c, "layers-1");
        struct layout *layout;
        struct cip_error error = {0};

        if (layout_create(path, &layout, &error) < 0)
                check_error(c, "cannot write into %s: %s", path, error.message);
        return layout;
}

static const char *own_config(struct check_context *c)
{
        const struct content *own = &check_fixture_manifest(c, "layers-1")->config;

        return check_text(c, "\"digest\":\"%s\",\"size\":%" PRId64, own->digest, own->size);
}

const char *sample_add_image(struct check_context *c, const char *tag, const char *config,
                             const struct sample_layer *layers, size_t n_layers)
{
        const char *config_text = own_config(c), *list = "";
        CLEANUP(cleanup_layout_free) struct layout *layout = open_to_write(c);

        if (config)
                config_text = write_blob(c, layout, config);
        for (size_t i = 0; i < n_layers; i++)
                list = check_text(c, "%s%s{\"mediaType\":\"%s\",%s}", list, i ? "," : "", layers[i].media_type,
                                  write_blob(c, layout, layers[i].data));
        return add_manifest(c, layout, tag, config_text, list);
}

const char *sample_add_layers(struct check_context *c, const char *tag, size_t n_layers)
{
        static const char form[] = "{\"mediaType\":\"%s\",\"digest\":\"sha256:%064zx\",\"size\":%zu}";
        size_t allocated = n_layers * 256 + 1, len = 0;
        const char *config_text = own_config(c);
        CLEANUP(cleanup_layout_free) struct layout *layout = open_to_write(c);
        CLEANUP(cleanup_free) char *list = malloc(allocated);

        if (!list)
                check_error(c, "out of memory");
        for (size_t i = 0; i < n_layers; i++) {
                if (i)
                        list[len++] = ',';
                len += (size_t)snprintf(list + len, allocated - len, form, MEDIA_OCI_LAYER_GZIP, i + 1, i + 1);
        }
        list[len] = '\0';
        return add_manifest(c, layout, tag, config_text, list);
}

const struct content *sample_layer_of(struct check_context *c, const char *fixture, size_t n)
{
        const struct manifest *manifest = check_fixture_manifest(c, fixture);

        if (n >= manifest->n_entries)
                check_error(c, "the fixture %s has %zu layers, number %zu was asked for", fixture,
                            manifest->n_entries, n);
        return &manifest->entries[n];
}
