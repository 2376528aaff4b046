/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of where images are kept: oci-archive: and docker-archive: beside oci: and dir:, whole and broken.
 * A check's image lies in a file or folder that is named after it, so that a scenario can be about one check.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/context.h"
#include "conformance/groups.h"
#include "conformance/sample.h"
#include "image/fixture.h"
#include "image/tarfile.h"

/* Two layers that are not compressed, so that they have the same digest wherever they are. */
#define FIXTURE "tar"

/* The docker name of a fixture in an archive. */
#define NAME "example.com/fixture:latest"

/* ---- where images are ---- */

/* The check's id with a dot in place of the slash, and @ending. */
static const char *own_name(struct check_context *c, const char *ending)
{
        const char *name = strchr(c->check->id, '/');

        return check_text(c, "transports.%s%s", name ? name + 1 : c->check->id, ending);
}

static const char *own_path(struct check_context *c)
{
        return check_text(c, "%s/%s", check_folder(c), own_name(c, ".tar"));
}

/* A fixture under a name of the check's own: "oci-archive:FOLDER/transports.NAME.tar", "dir:FOLDER/transports.NAME". */
static const char *kept_in(struct check_context *c, const char *transport, const char *fixture)
{
        if (!strcmp(transport, "dir"))
                return sample_dir(c, fixture, own_name(c, ""));
        return check_fixture_archive(c, fixture, transport, own_name(c, ".tar"));
}

/* The check's archive, cut to half of its size. */
static const char *cut_short(struct check_context *c, const char *transport)
{
        const char *reference = kept_in(c, transport, FIXTURE);
        struct stat st;

        if (stat(own_path(c), &st) < 0 || truncate(own_path(c), st.st_size / 2) < 0)
                check_error(c, "cannot cut %s: %s", own_path(c), strerror(errno));
        return reference;
}

static const char *no_archive(struct check_context *c, const char *transport)
{
        char data[4096];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (char)(i * 7 + i / 256);
        sample_write_file(c, own_path(c), data, sizeof(data));
        return check_text(c, "%s:%s", transport, own_path(c));
}

/* ---- what is expected ---- */

/*
 * What a server has open for an image is its own business, and goes with it. Archives that are open at the end may
 * stay in /var/tmp: skopeo before 1.18 leaves them there.
 */
static void close_image(struct check_context *c, uint64_t image)
{
        CLEANUP_ANSWER struct answer closed = {0};

        check_call_ok(c, &closed, "CloseImage", "%s", sample_args(c, image));
}

static void fetch_layer(struct check_context *c, uint64_t image, const struct content *layer)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, image, layer->digest, layer->size), &data, &len);
        sample_check_digest(c, data, len, layer->digest, "the layer");
}

static void expect_layers(struct check_context *c, const char *reference, const char *fixture)
{
        const struct manifest *manifest = check_fixture_manifest(c, fixture);
        uint64_t image = check_open_image(c, reference);

        for (size_t i = 0; i < manifest->n_entries; i++)
                fetch_layer(c, image, &manifest->entries[i]);
        close_image(c, image);
}

static void expect_config(struct check_context *c, const char *reference)
{
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, reference);
        size_t len;

        sample_fetch_ok(c, "GetFullConfig", sample_args(c, image), &data, &len);
        close_image(c, image);
        sample_check_digest(c, data, len, check_fixture_manifest(c, FIXTURE)->config.digest, "the config");
}

/* GetLayerInfo's value must be an array with these layers' digests and sizes. */
static void expect_layer_info(struct check_context *c, const char *reference)
{
        const struct manifest *manifest = check_fixture_manifest(c, FIXTURE);
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, reference);
        size_t n;

        check_call_ok(c, &answer, "GetLayerInfo", "%s", sample_args(c, image));
        close_image(c, image);
        check_that(c, json_object_is_type(answer.value, json_type_array), "the value should be an array");
        n = json_object_array_length(answer.value);
        check_that(c, n == manifest->n_entries, "GetLayerInfo should list %zu layers, it lists %zu",
                   manifest->n_entries, n);
        for (size_t i = 0; i < n; i++) {
                struct json_object *layer = json_object_array_get_idx(answer.value, i);
                const char *digest = json_object_get_string(json_object_object_get(layer, "digest"));
                int64_t size = json_object_get_int64(json_object_object_get(layer, "size"));

                check_that(c, digest && !strcmp(digest, manifest->entries[i].digest),
                           "layer %zu should have the digest %s, it has %s", i, manifest->entries[i].digest,
                           digest ? digest : "none");
                check_that(c, size == manifest->entries[i].size,
                           "layer %zu should have %" PRId64 " bytes, GetLayerInfo says %" PRId64, i,
                           manifest->entries[i].size, size);
        }
}

/* OpenImage must refuse it, or else GetManifest. */
static void expect_refused(struct check_context *c, const char *reference)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP_ANSWER struct answer manifest = {0};
        uint64_t image;

        check_call(c, &answer, "OpenImage", "[\"%s\"]", reference);
        if (!answer.success)
                return;
        check_that(c, json_get_uint(answer.value, JSON_INTEGER_MAX, &image),
                   "OpenImage succeeds without an image id: %s", json_object_to_json_string(answer.value));
        check_call_refused(c, &manifest, "GetManifest", "[%" PRIu64 "]", image);
        close_image(c, image);
}

/* OpenImage and GetManifest in one; parsed. */
static struct manifest *get_manifest(struct check_context *c, const char *reference)
{
        CLEANUP(cleanup_free) char *data = NULL;
        struct manifest *manifest = NULL;
        struct cip_error error = {0};
        uint64_t image = check_open_image(c, reference);
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        close_image(c, image);
        if (manifest_parse(data, len, &manifest, &error) < 0)
                check_fail(c, "GetManifest should send a manifest: %s", error.message);
        return manifest;
}

static void expect_config_digest(struct check_context *c, const char *reference, const char *fixture)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = get_manifest(c, reference);
        const char *wanted = check_fixture_manifest(c, fixture)->config.digest;

        check_that(c, !strcmp(manifest->config.digest, wanted),
                   "the image should be the one with the config %s, it has %s", wanted,
                   manifest->config.digest);
}

/* A blob that is larger than its pipe outlives its image. */
static void expect_blob_survives_close(struct check_context *c, const char *reference)
{
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        CLEANUP_ANSWER struct answer piped = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, reference);
        size_t len;

        sample_get_blob(c, image, layer, &piped);
        close_image(c, image);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success, "FinishPipe should succeed, it says: %s", finish.error);
        sample_check_digest(c, data, len, layer->digest, "the layer");
}

static void expect_two_images(struct check_context *c, const char *reference)
{
        const struct content *layer = sample_layer_of(c, FIXTURE, 0);
        uint64_t first = check_open_image(c, reference), second = check_open_image(c, reference);

        check_that(c, first != second, "the image that is opened twice should have two ids, both are %" PRIu64,
                   first);
        close_image(c, second);
        fetch_layer(c, first, layer);
        close_image(c, first);
}

/* What OpenImageOptional makes of it, as a value of an INFO check. */
static void record_optional(struct check_context *c, const char *reference)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image;

        check_call(c, &answer, "OpenImageOptional", "[\"%s\"]", reference);
        if (!answer.success)
                check_record(c, "refused");
        else if (json_get_uint(answer.value, JSON_INTEGER_MAX, &image) && image == 0)
                check_record(c, "0");
        else
                check_record(c, "opened");
}

static const char *start_with_tmpdir(struct check_context *c);
static void expect_empty(struct check_context *c, const char *folder, const char *when);

/* ---- oci-archive: ---- */

static void oci_archive_manifest(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP_ANSWER struct answer piped = {0}, finish = {0};
        const char *digest = sample_digest(c, FIXTURE), *value;
        uint64_t image = check_open_image(c, check_text(c, "%s:latest", kept_in(c, "oci-archive", FIXTURE)));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "%s", sample_args(c, image));
        sample_check_pipes(c, &piped, 1);
        value = check_text(c, "%s", json_object_get_string(piped.value));
        check_read_and_finish(c, &piped, &finish, &data, &len);
        close_image(c, image);
        sample_check_digest(c, data, len, digest, "the manifest");
        check_that(c, !strcmp(value, digest), "the value should be the digest %s, it is %s", digest, value);
}

static void oci_archive_layers(struct check_context *c)
{
        expect_layers(c, kept_in(c, "oci-archive", FIXTURE), FIXTURE);
}

static void oci_archive_config(struct check_context *c)
{
        expect_config(c, kept_in(c, "oci-archive", FIXTURE));
}

static void oci_archive_layer_info(struct check_context *c)
{
        expect_layer_info(c, kept_in(c, "oci-archive", FIXTURE));
}

static void oci_archive_in_gzip(struct check_context *c)
{
        expect_layers(c, check_fixture_archive(c, FIXTURE, "oci-archive", own_name(c, ".tar.gz")), FIXTURE);
}

static void oci_archive_missing_file(struct check_context *c)
{
        start_with_tmpdir(c);
        expect_refused(c, check_text(c, "oci-archive:%s", own_path(c)));
}

static void oci_archive_not_an_archive(struct check_context *c)
{
        expect_refused(c, no_archive(c, "oci-archive"));
}

static void oci_archive_cut_short(struct check_context *c)
{
        expect_refused(c, cut_short(c, "oci-archive"));
}

/* An archive whose index.json is broken. */
static void oci_archive_wrong_json(struct check_context *c)
{
        CLEANUP(cleanup_tarfile_writer_free) struct tarfile_writer *writer = NULL;
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}", index[] = "{\"manifests\":[{";
        struct cip_error error = {0};

        if (tarfile_writer_new(own_path(c), false, &writer, &error) < 0 ||
            tarfile_writer_add(writer, "oci-layout", layout, strlen(layout), &error) < 0 ||
            tarfile_writer_add(writer, "index.json", index, strlen(index), &error) < 0 ||
            tarfile_writer_close(STEAL(writer), &error) < 0)
                check_error(c, "%s", error.message);
        expect_refused(c, check_text(c, "oci-archive:%s", own_path(c)));
}

static void oci_archive_missing_blob(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "broken-missing-blob", 0);
        uint64_t image = check_open_image(c, kept_in(c, "oci-archive", "broken-missing-blob"));

        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, image, layer->digest, layer->size),
                               "a blob that the archive lacks");
        close_image(c, image);
}

/* Two images, tagged latest and other, in one archive. */
static const char *two_in_oci_archive(struct check_context *c)
{
        const char *layout = check_fixture_path(c, FIXTURE);
        struct cip_error error = {0};

        if (fixture_write_oci(fixture_find("gzip"), layout, "other", &error) < 0 ||
            tarfile_pack_layout(layout, own_path(c), false, &error) < 0)
                check_error(c, "%s", error.message);
        return check_text(c, "oci-archive:%s", own_path(c));
}

static void oci_archive_by_tag(struct check_context *c)
{
        const char *reference = two_in_oci_archive(c);

        expect_config_digest(c, check_text(c, "%s:other", reference), "gzip");
        expect_config_digest(c, check_text(c, "%s:latest", reference), FIXTURE);
}

static void oci_archive_several_without_tag(struct check_context *c)
{
        expect_refused(c, two_in_oci_archive(c));
}

static void oci_archive_missing_tag(struct check_context *c)
{
        expect_refused(c, check_text(c, "%s:missing-tag", kept_in(c, "oci-archive", FIXTURE)));
}

static void oci_archive_twice(struct check_context *c)
{
        expect_two_images(c, kept_in(c, "oci-archive", FIXTURE));
}

static void oci_archive_closed_while_read(struct check_context *c)
{
        expect_blob_survives_close(c, kept_in(c, "oci-archive", "blob-65537"));
}

static void oci_archive_optional_missing_tag(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image;

        check_call(c, &answer, "OpenImageOptional", "[\"%s:missing-tag\"]", kept_in(c, "oci-archive", FIXTURE));
        check_that(c, answer.success, "OpenImageOptional of a missing tag should succeed with 0, it says: %s",
                   answer.error);
        check_that(c, json_get_uint(answer.value, JSON_INTEGER_MAX, &image) && image == 0,
                   "OpenImageOptional of a missing tag should answer 0, it answers %s",
                   json_object_to_json_string(answer.value));
}

static void oci_archive_optional_missing_file(struct check_context *c)
{
        record_optional(c, check_text(c, "oci-archive:%s", own_path(c)));
}

/* ---- docker-archive: ---- */

/* Adds a blob of a fixture's layout. */
static void add_blob(struct check_context *c, struct tarfile_writer *writer, const char *name,
                     const char *fixture, const char *digest)
{
        CLEANUP(cleanup_free) char *data = NULL;
        struct cip_error error = {0};
        size_t len;

        sample_read_file(c, sample_blob_path(c, fixture, digest), &data, &len);
        if (tarfile_writer_add(writer, name, data, len, &error) < 0)
                check_error(c, "%s", error.message);
}

/* Adds config and layers of a fixture as FIXTURE.json, FIXTURE-0.tar, ..; its item of manifest.json. */
static const char *add_image(struct check_context *c, struct tarfile_writer *writer, const char *fixture)
{
        const struct manifest *manifest = check_fixture_manifest(c, fixture);
        const char *layers = "";

        add_blob(c, writer, check_text(c, "%s.json", fixture), fixture, manifest->config.digest);
        for (size_t i = 0; i < manifest->n_entries; i++) {
                add_blob(c, writer, check_text(c, "%s-%zu.tar", fixture, i), fixture,
                         manifest->entries[i].digest);
                layers = check_text(c, "%s%s\"%s-%zu.tar\"", layers, *layers ? "," : "", fixture, i);
        }
        return check_text(c, "{\"Config\":\"%s.json\",\"RepoTags\":[\"example.com/%s:v1\"],\"Layers\":[%s]}",
                          fixture, fixture, layers);
}

/* Completes an archive with manifest.json (NULL: none). */
static const char *finish_archive(struct check_context *c, struct tarfile_writer *writer, const char *items)
{
        struct cip_error error = {0};

        if ((items && tarfile_writer_add(writer, "manifest.json", items, strlen(items), &error) < 0) ||
            tarfile_writer_close(writer, &error) < 0)
                check_error(c, "%s", error.message);
        return check_text(c, "docker-archive:%s", own_path(c));
}

static struct tarfile_writer *begin_archive(struct check_context *c)
{
        struct tarfile_writer *writer = NULL;
        struct cip_error error = {0};

        if (tarfile_writer_new(own_path(c), false, &writer, &error) < 0)
                check_error(c, "%s", error.message);
        return writer;
}

static const char *two_in_docker_archive(struct check_context *c)
{
        struct tarfile_writer *writer = begin_archive(c);
        const char *first = add_image(c, writer, FIXTURE), *second = add_image(c, writer, "gzip");

        return finish_archive(c, writer, check_text(c, "[%s,%s]", first, second));
}

static void docker_archive_manifest(struct check_context *c)
{
        const struct manifest *wanted = check_fixture_manifest(c, FIXTURE);
        CLEANUP(cleanup_manifest_free)
        struct manifest *manifest = get_manifest(c, kept_in(c, "docker-archive", FIXTURE));

        check_that(c, manifest->kind == MANIFEST_OCI, "the manifest should be OCI's");
        check_that(c, !strcmp(manifest->config.digest, wanted->config.digest),
                   "the manifest should name the config %s, it names %s", wanted->config.digest,
                   manifest->config.digest);
        check_that(c, manifest->n_entries == wanted->n_entries,
                   "the manifest should have %zu layers, it has %zu", wanted->n_entries, manifest->n_entries);
        for (size_t i = 0; i < wanted->n_entries; i++)
                check_that(c,
                           !strcmp(manifest->entries[i].digest, wanted->entries[i].digest) &&
                                   manifest->entries[i].size == wanted->entries[i].size,
                           "layer %zu should be %s of %" PRId64 " bytes, it is %s of %" PRId64, i,
                           wanted->entries[i].digest, wanted->entries[i].size, manifest->entries[i].digest,
                           manifest->entries[i].size);
}

static void docker_archive_layers(struct check_context *c)
{
        expect_layers(c, kept_in(c, "docker-archive", FIXTURE), FIXTURE);
}

static void docker_archive_config(struct check_context *c)
{
        expect_config(c, kept_in(c, "docker-archive", FIXTURE));
}

static void docker_archive_config_is_a_blob(struct check_context *c)
{
        fetch_layer(c, check_open_image(c, kept_in(c, "docker-archive", FIXTURE)),
                    &check_fixture_manifest(c, FIXTURE)->config);
}

static void docker_archive_layer_info(struct check_context *c)
{
        expect_layer_info(c, kept_in(c, "docker-archive", FIXTURE));
}

/* Each layer that the manifest names, by digest and size, where the archive has them in gzip. */
static void docker_archive_unpacks_layers(struct check_context *c)
{
        const char *reference = kept_in(c, "docker-archive", "gzip");
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = get_manifest(c, reference);
        uint64_t image = check_open_image(c, reference);

        check_that(c, manifest->n_entries == check_fixture_manifest(c, "gzip")->n_entries,
                   "the manifest should have all layers, it has %zu", manifest->n_entries);
        for (size_t i = 0; i < manifest->n_entries; i++)
                fetch_layer(c, image, &manifest->entries[i]);
}

static void docker_archive_media_types(struct check_context *c)
{
        CLEANUP(cleanup_manifest_free)
        struct manifest *manifest = get_manifest(c, kept_in(c, "docker-archive", FIXTURE));

        for (size_t i = 0; i < manifest->n_entries; i++)
                check_that(c, !strcmp(manifest->entries[i].media_type, MEDIA_OCI_LAYER),
                           "layer %zu is sent as it is when not compressed, and should be said to be "
                           "%s, the manifest says %s",
                           i, MEDIA_OCI_LAYER, manifest->entries[i].media_type);
}

static void docker_archive_linked_layer(struct check_context *c)
{
        const struct manifest *wanted = check_fixture_manifest(c, "layers-1");
        struct tarfile_writer *writer = begin_archive(c);
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        struct cip_error error = {0};

        add_image(c, writer, "layers-1");
        if (tarfile_writer_add_link(writer, "other/layer.tar", "../layers-1-0.tar", &error) < 0)
                check_error(c, "%s", error.message);
        manifest = get_manifest(c, finish_archive(c, writer,
                                                  "[{\"Config\":\"layers-1.json\",\"RepoTags\":null,"
                                                  "\"Layers\":[\"other/layer.tar\"]}]"));
        check_that(c, manifest->n_entries == 1 && manifest->entries[0].size == wanted->entries[0].size,
                   "the layer that a link leads to should have %" PRId64 " bytes, the manifest says %" PRId64,
                   wanted->entries[0].size, manifest->n_entries ? manifest->entries[0].size : -1);
}

static void docker_archive_in_gzip(struct check_context *c)
{
        expect_layers(c, check_fixture_archive(c, FIXTURE, "docker-archive", own_name(c, ".tar.gz")), FIXTURE);
}

static void docker_archive_missing_file(struct check_context *c)
{
        expect_refused(c, check_text(c, "docker-archive:%s", own_path(c)));
}

static void docker_archive_not_an_archive(struct check_context *c)
{
        expect_refused(c, no_archive(c, "docker-archive"));
}

static void docker_archive_cut_short(struct check_context *c)
{
        expect_refused(c, cut_short(c, "docker-archive"));
}

static void docker_archive_no_manifest_json(struct check_context *c)
{
        struct tarfile_writer *writer = begin_archive(c);

        add_image(c, writer, "layers-1");
        expect_refused(c, finish_archive(c, writer, NULL));
}

static void docker_archive_wrong_json(struct check_context *c)
{
        struct tarfile_writer *writer = begin_archive(c);

        add_image(c, writer, "layers-1");
        expect_refused(c, finish_archive(c, writer, "[{\"Config\":"));
}

static void docker_archive_missing_layer(struct check_context *c)
{
        const struct manifest *manifest = check_fixture_manifest(c, "layers-1");
        struct tarfile_writer *writer = begin_archive(c);

        add_blob(c, writer, "c.json", "layers-1", manifest->config.digest);
        expect_refused(c, finish_archive(c, writer,
                                         "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"l.tar\"]}]"));
}

/* The layer is another one than the config says. */
static void docker_archive_wrong_layer(struct check_context *c)
{
        const struct manifest *manifest = check_fixture_manifest(c, "layers-1");
        const struct content *layer = &manifest->entries[0];
        struct tarfile_writer *writer = begin_archive(c);
        const char *reference;

        add_blob(c, writer, "c.json", "layers-1", manifest->config.digest);
        add_blob(c, writer, "l.tar", FIXTURE, check_fixture_manifest(c, FIXTURE)->entries[0].digest);
        reference =
                finish_archive(c, writer, "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"l.tar\"]}]");
        sample_must_be_refused(c, "GetBlob",
                               sample_blob_args(c, check_open_image(c, reference), layer->digest,
                                                check_fixture_manifest(c, FIXTURE)->entries[0].size),
                               "a layer that is not the one of its digest");
}

static void docker_archive_unknown_name(struct check_context *c)
{
        expect_refused(c, check_text(c, "%s:example.com/other:v9", kept_in(c, "docker-archive", FIXTURE)));
}

static void docker_archive_by_name(struct check_context *c)
{
        const char *reference = two_in_docker_archive(c);

        expect_config_digest(c, check_text(c, "%s:example.com/gzip:v1", reference), "gzip");
        expect_config_digest(c, check_text(c, "%s:example.com/" FIXTURE ":v1", reference), FIXTURE);
}

static void docker_archive_by_index(struct check_context *c)
{
        const char *reference = two_in_docker_archive(c);

        expect_config_digest(c, check_text(c, "%s:@1", reference), "gzip");
        expect_config_digest(c, check_text(c, "%s:@0", reference), FIXTURE);
}

static void docker_archive_several_without_name(struct check_context *c)
{
        expect_refused(c, two_in_docker_archive(c));
}

static void docker_archive_twice(struct check_context *c)
{
        expect_two_images(c, check_text(c, "%s:" NAME, kept_in(c, "docker-archive", FIXTURE)));
}

static void docker_archive_closed_while_read(struct check_context *c)
{
        expect_blob_survives_close(c, kept_in(c, "docker-archive", "blob-65537"));
}

static void docker_archive_optional_missing_file(struct check_context *c)
{
        record_optional(c, check_text(c, "docker-archive:%s", own_path(c)));
}

static void docker_archive_optional_unknown_name(struct check_context *c)
{
        record_optional(c, check_text(c, "%s:example.com/other:v9", kept_in(c, "docker-archive", FIXTURE)));
}

/* ---- temporary files ---- */

/* Starts the server with a temporary folder of its own. */
static const char *start_with_tmpdir(struct check_context *c)
{
        const char *folder = check_text(c, "%s/%s", check_folder(c), own_name(c, ".tmp"));
        const char *flags[] = {"--tmpdir", folder, NULL};

        if (mkdir(folder, 0700) < 0)
                check_error(c, "cannot make %s: %s", folder, strerror(errno));
        check_start(c, &(struct server_start){.global_flags = flags});
        return folder;
}

static void expect_empty(struct check_context *c, const char *folder, const char *when)
{
        DIR *directory = opendir(folder);
        const char *found = NULL;
        struct dirent *entry;

        if (!directory)
                check_error(c, "cannot read %s: %s", folder, strerror(errno));
        while ((entry = readdir(directory)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        found = check_text(c, "%s", entry->d_name);
        closedir(directory);
        check_that(c, !found, "the temporary folder should be empty %s, there is %s", when, found ? found : "");
}

static void close_removes_temporary_files(struct check_context *c)
{
        const char *folder = start_with_tmpdir(c);

        close_image(c, check_open_image(c, kept_in(c, "oci-archive", FIXTURE)));
        expect_empty(c, folder, "after CloseImage");
}

static void end_removes_temporary_files(struct check_context *c)
{
        const char *folder = start_with_tmpdir(c);

        check_open_image(c, kept_in(c, "oci-archive", FIXTURE));
        check_stop(c);
        expect_empty(c, folder, "after the server's end");
}

static void refusal_leaves_no_temporary_files(struct check_context *c)
{
        const char *folder = start_with_tmpdir(c);

        expect_refused(c, cut_short(c, "oci-archive"));
        expect_empty(c, folder, "after a refused OpenImage");
}

static void missing_file_leaves_no_temporary_files(struct check_context *c)
{
        const char *folder = start_with_tmpdir(c);

        expect_refused(c, check_text(c, "oci-archive:%s", own_path(c)));
        expect_empty(c, folder, "after OpenImage of a file that is not there");
}

/* ---- dir:, containers-storage: ---- */

static void dir_config(struct check_context *c)
{
        expect_config(c, kept_in(c, "dir", FIXTURE));
}

static void dir_layer_info(struct check_context *c)
{
        expect_layer_info(c, kept_in(c, "dir", FIXTURE));
}

static void dir_missing_blob(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "broken-missing-blob", 0);
        uint64_t image = check_open_image(c, kept_in(c, "dir", "broken-missing-blob"));

        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, image, layer->digest, layer->size),
                               "a blob that the folder lacks");
}

static void dir_broken_manifest(struct check_context *c)
{
        expect_refused(c, kept_in(c, "dir", "broken-manifest"));
}

/* With a storage of the check's own, so that nobody's is touched. */
static void storage_missing(struct check_context *c)
{
        const char *folder = check_folder(c);

        check_expect_stderr(c);
        expect_refused(c, check_text(c, "containers-storage:[vfs@%s/storage+%s/storage-run]localhost/%s",
                                     folder, folder, own_name(c, "")));
}

#define ROW(name, level_, since_, reference_, run_, requires_)                                           \
        {                                                                                                \
                .id = "transports/" name, .level = (level_), .since = (since_), .requires = (requires_), \
                .reference = (reference_), .run = (run_)                                                 \
        }
#define ALWAYS VERSION_OLDEST
#define SINCE(patch) VERSION(0, 2, patch)

const struct check checks_transports[] = {
        ROW("oci-archive-manifest", LEVEL_MUST, ALWAYS, "oci-archive", oci_archive_manifest,
            "An oci-archive: image has the manifest, to the byte, and the digest that its layout says."),
        ROW("oci-archive-config", LEVEL_MUST, ALWAYS, "oci-archive", oci_archive_config,
            "GetFullConfig sends the config of an oci-archive: image."),
        ROW("oci-archive-layers", LEVEL_MUST, ALWAYS, "oci-archive", oci_archive_layers,
            "GetBlob sends each layer of an oci-archive: image."),
        ROW("oci-archive-layer-info", LEVEL_MUST, SINCE(5), "oci-archive", oci_archive_layer_info,
            "GetLayerInfo lists the layers of an oci-archive: image."),
        ROW("oci-archive-in-gzip", LEVEL_SHOULD, ALWAYS, "archive-compressed", oci_archive_in_gzip,
            "An oci-archive: file in gzip is served."),
        {
                .id = "transports/oci-archive-missing-file",
                .level = LEVEL_MUST,
                .since = ALWAYS,
                .requires = "An oci-archive: file that does not exist is refused, by OpenImage or by "
                            "GetManifest.",
                .reference = "archive-broken",
                .run = oci_archive_missing_file,
                .own_start = true,
        },
        ROW("oci-archive-not-an-archive", LEVEL_MUST, ALWAYS, "archive-broken", oci_archive_not_an_archive,
            "A file that is no archive is refused as an oci-archive:, by OpenImage or by GetManifest."),
        ROW("oci-archive-cut-short", LEVEL_MUST, ALWAYS, "archive-broken", oci_archive_cut_short,
            "An oci-archive: file that is cut short is refused, by OpenImage or by GetManifest."),
        ROW("oci-archive-wrong-json", LEVEL_MUST, ALWAYS, "archive-broken", oci_archive_wrong_json,
            "An oci-archive: whose index.json is no JSON is refused, by OpenImage or by GetManifest."),
        ROW("oci-archive-missing-blob", LEVEL_MUST, ALWAYS, "archive-lacks-blob", oci_archive_missing_blob,
            "A blob that an oci-archive: lacks is refused, by GetBlob or by FinishPipe."),
        ROW("oci-archive-by-tag", LEVEL_MUST, ALWAYS, "archive-tag", oci_archive_by_tag,
            "Of several images in an oci-archive: the tag picks one."),
        ROW("oci-archive-missing-tag", LEVEL_MUST, ALWAYS, "archive-tag", oci_archive_missing_tag,
            "A tag that an oci-archive: does not have is refused, by OpenImage or by GetManifest."),
        ROW("oci-archive-several-without-tag", LEVEL_SHOULD, ALWAYS, "archive-several",
            oci_archive_several_without_tag,
            "Of several images in an oci-archive: none is taken where no tag says which."),
        ROW("oci-archive-twice", LEVEL_MUST, ALWAYS, "archive-twice", oci_archive_twice,
            "An oci-archive: that is open twice is still served when one of the two images is closed."),
        ROW("oci-archive-closed-while-read", LEVEL_MUST, ALWAYS, "archive-closed",
            oci_archive_closed_while_read,
            "A blob of an oci-archive: is sent to its end when the image is closed meanwhile."),
        ROW("oci-archive-optional-missing-tag", LEVEL_SHOULD, SINCE(4), "archive-optional-tag",
            oci_archive_optional_missing_tag,
            "OpenImageOptional of a tag that an oci-archive: does not have succeeds with the value 0."),
        ROW("oci-archive-optional-missing-file", LEVEL_INFO, SINCE(4), "optional-no-file",
            oci_archive_optional_missing_file,
            "What OpenImageOptional makes of an oci-archive: file that does not exist."),
        ROW("docker-archive-manifest", LEVEL_MUST, ALWAYS, "docker-archive-manifest", docker_archive_manifest,
            "The manifest of a docker-archive: image is OCI's, and names its config, and its layers as they "
            "are "
            "when not compressed."),
        ROW("docker-archive-config", LEVEL_MUST, ALWAYS, "docker-archive-config", docker_archive_config,
            "GetFullConfig sends the config of a docker-archive: image."),
        ROW("docker-archive-config-is-a-blob", LEVEL_MUST, ALWAYS, "docker-archive-config",
            docker_archive_config_is_a_blob, "GetBlob sends the config of a docker-archive: image."),
        ROW("docker-archive-layers", LEVEL_MUST, ALWAYS, "docker-archive-layers", docker_archive_layers,
            "GetBlob sends each layer of a docker-archive: image."),
        ROW("docker-archive-layer-info", LEVEL_MUST, SINCE(5), "docker-archive-layers",
            docker_archive_layer_info, "GetLayerInfo lists the layers of a docker-archive: image."),
        ROW("docker-archive-unpacks-layers", LEVEL_MUST, ALWAYS, "docker-archive-unpacks",
            docker_archive_unpacks_layers,
            "A layer that is compressed in a docker-archive: is sent as the manifest names it."),
        ROW("docker-archive-media-types", LEVEL_SHOULD, ALWAYS, "docker-archive-media-types",
            docker_archive_media_types,
            "The manifest of a docker-archive: does not say of layers that they are compressed, as they are "
            "not when they are sent."),
        ROW("docker-archive-linked-layer", LEVEL_SHOULD, ALWAYS, "docker-archive-links",
            docker_archive_linked_layer,
            "A layer that is a symbolic link in a docker-archive: has the size of what it leads to."),
        ROW("docker-archive-in-gzip", LEVEL_SHOULD, ALWAYS, "archive-compressed", docker_archive_in_gzip,
            "A docker-archive: file in gzip is served."),
        ROW("docker-archive-missing-file", LEVEL_MUST, ALWAYS, "archive-broken", docker_archive_missing_file,
            "A docker-archive: file that does not exist is refused, by OpenImage or by GetManifest."),
        ROW("docker-archive-not-an-archive", LEVEL_MUST, ALWAYS, "archive-broken",
            docker_archive_not_an_archive,
            "A file that is no archive is refused as a docker-archive:, by OpenImage or by GetManifest."),
        ROW("docker-archive-cut-short", LEVEL_MUST, ALWAYS, "archive-broken", docker_archive_cut_short,
            "A docker-archive: file that is cut short is refused, by OpenImage or by GetManifest."),
        ROW("docker-archive-no-manifest-json", LEVEL_MUST, ALWAYS, "archive-broken",
            docker_archive_no_manifest_json,
            "A docker-archive: without manifest.json is refused, by OpenImage or by GetManifest."),
        ROW("docker-archive-wrong-json", LEVEL_MUST, ALWAYS, "archive-broken", docker_archive_wrong_json,
            "A docker-archive: whose manifest.json is no JSON is refused, by OpenImage or by GetManifest."),
        ROW("docker-archive-missing-layer", LEVEL_MUST, ALWAYS, "docker-archive-lacks-layer",
            docker_archive_missing_layer,
            "A docker-archive: image that lacks a layer is refused, by OpenImage or by GetManifest."),
        ROW("docker-archive-wrong-layer", LEVEL_MUST, ALWAYS, "docker-archive-layers",
            docker_archive_wrong_layer,
            "A layer of a docker-archive: that is not what the config says is refused, by GetBlob or by "
            "FinishPipe."),
        ROW("docker-archive-by-name", LEVEL_MUST, ALWAYS, "docker-archive-name", docker_archive_by_name,
            "Of several images in a docker-archive: the name picks one."),
        ROW("docker-archive-by-index", LEVEL_SHOULD, ALWAYS, "docker-archive-index", docker_archive_by_index,
            "Of several images in a docker-archive: @N picks one, from 0 on."),
        ROW("docker-archive-unknown-name", LEVEL_MUST, ALWAYS, "docker-archive-name",
            docker_archive_unknown_name,
            "A name that a docker-archive: does not have is refused, by OpenImage or by GetManifest."),
        ROW("docker-archive-several-without-name", LEVEL_SHOULD, ALWAYS, "archive-several",
            docker_archive_several_without_name,
            "Of several images in a docker-archive: none is taken where no name says which."),
        ROW("docker-archive-twice", LEVEL_MUST, ALWAYS, "archive-twice", docker_archive_twice,
            "A docker-archive: that is open twice is still served when one of the two images is closed."),
        ROW("docker-archive-closed-while-read", LEVEL_MUST, ALWAYS, "archive-closed",
            docker_archive_closed_while_read,
            "A layer of a docker-archive: is sent to its end when the image is closed meanwhile."),
        ROW("docker-archive-optional-missing-file", LEVEL_INFO, SINCE(4), "optional-no-file",
            docker_archive_optional_missing_file,
            "What OpenImageOptional makes of a docker-archive: file that does not exist."),
        ROW("docker-archive-optional-unknown-name", LEVEL_INFO, SINCE(4), "optional-no-name",
            docker_archive_optional_unknown_name,
            "What OpenImageOptional makes of a name that a docker-archive: does not have."),
        {
                .id = "transports/close-removes-temporary-files",
                .level = LEVEL_SHOULD,
                .since = ALWAYS,
                .requires = "CloseImage leaves no temporary file of an oci-archive: in the folder of --tmpdir.",
                .reference = "archive-temporary-close",
                .run = close_removes_temporary_files,
                .own_start = true,
        },
        {
                .id = "transports/end-removes-temporary-files",
                .level = LEVEL_SHOULD,
                .since = ALWAYS,
                .requires =
                        "A server that ends with an oci-archive: open leaves no temporary file of it in the "
                        "folder of --tmpdir.",
                .reference = "archive-temporary-end",
                .run = end_removes_temporary_files,
                .own_start = true,
        },
        {
                .id = "transports/refusal-leaves-no-temporary-files",
                .level = LEVEL_SHOULD,
                .since = ALWAYS,
                .requires =
                        "An oci-archive: that is refused leaves no temporary file in the folder of --tmpdir.",
                .reference = "archive-temporary-refused",
                .run = refusal_leaves_no_temporary_files,
                .own_start = true,
        },
        {
                .id = "transports/missing-file-leaves-no-temporary-files",
                .level = LEVEL_SHOULD,
                .since = ALWAYS,
                .requires = "An oci-archive: that does not exist leaves no temporary file in the folder of "
                            "--tmpdir.",
                .reference = "archive-temporary-refused",
                .run = missing_file_leaves_no_temporary_files,
                .own_start = true,
        },
        ROW("dir-config", LEVEL_MUST, ALWAYS, "dir-image", dir_config,
            "GetFullConfig sends the config of a dir: image."),
        ROW("dir-layer-info", LEVEL_MUST, SINCE(5), "dir-image", dir_layer_info,
            "GetLayerInfo lists the layers of a dir: image."),
        ROW("dir-missing-blob", LEVEL_MUST, ALWAYS, "dir-broken", dir_missing_blob,
            "A blob that a dir: folder lacks is refused, by GetBlob or by FinishPipe."),
        ROW("dir-broken-manifest", LEVEL_MUST, ALWAYS, "dir-broken", dir_broken_manifest,
            "A dir: image whose manifest is cut short is refused, by OpenImage or by GetManifest."),
        ROW("storage-missing", LEVEL_MUST, ALWAYS, "storage-missing", storage_missing,
            "An image that is not in containers-storage: is refused, by OpenImage or by GetManifest."),
};
const size_t n_checks_transports = ARRAY_SIZE(checks_transports);
