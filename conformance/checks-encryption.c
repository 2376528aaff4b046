/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of images whose layers are encrypted (encrypted.h): a server without a key sends them as they are, whole
 * and verified, and says so; manifest and config are no secret. What --decryption-key does is recorded.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "conformance/context.h"
#include "conformance/encrypted.h"
#include "conformance/groups.h"
#include "conformance/registries.h"
#include "conformance/sample.h"
#include "image/layout.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Two layers in gzip, bottom first; the check's own image is tagged so in its layout. */
#define FIXTURE "gzip"
#define TAG "encrypted"

/* ---- the image ---- */

/* What is there, with the check's lifetime. */
struct encrypted_image {
        const char *reference; /* in a registry */
        const char *digest;    /* of the manifest */
        struct manifest *manifest;
        struct registry *registry;
};

static void write_key(struct check_context *c, const char *path, const struct encrypted_key *key)
{
        const char *pem = encrypted_key_pem(key);

        sample_write_file(c, path, pem, strlen(pem));
}

static struct encrypted_key *key_new(struct check_context *c)
{
        struct encrypted_key *key = NULL;
        struct cip_error error = {0};

        context_doing(c, "making a key");
        if (encrypted_key_new(&key, &error) < 0)
                check_error(c, "%s", error.message);
        return key;
}

/* Reads what was written: the judgement is by the bytes on disk. */
static void read_back(struct check_context *c, struct encrypted_image *image)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *content;
        struct cip_error error = {0};
        size_t len;

        if (layout_open(check_fixture_path(c, FIXTURE), &layout, &error) < 0 ||
            layout_find(layout, TAG, &content, &error) < 0 ||
            layout_read_blob(layout, content->digest, MANIFEST_MAX, &text, &len, &error) < 0 ||
            manifest_parse(text, len, &image->manifest, &error) < 0)
                check_error(c, "%s", error.message);
        image->digest = check_text(c, "%s", content->digest);
}

/* A registry with an image whose layers from @from on are encrypted, for the key in "right.pem". */
static struct encrypted_image image_new(struct check_context *c, size_t from)
{
        CLEANUP(cleanup_encrypted_key_free) struct encrypted_key *key = key_new(c);
        struct registry_image served = {.repository = "app", .layout = check_fixture_path(c, FIXTURE)};
        struct encrypted_image image = {0};
        struct cip_error error = {0};

        write_key(c, check_text(c, "%s/right.pem", check_folder(c)), key);
        if (encrypted_add_image(served.layout, "latest", TAG, from, key, &error) < 0)
                check_error(c, "%s", error.message);
        read_back(c, &image);
        image.registry = registries_start(c, &(struct registry_config){.images = &served, .n_images = 1});
        image.reference = registries_reference(c, image.registry, NULL, "app:" TAG);
        return image;
}

static uint64_t open_encrypted(struct check_context *c, const struct encrypted_image *image)
{
        registries_serve(c, NULL, NULL);
        return check_open_image(c, image->reference);
}

/* ---- as they are ---- */

static void run_manifest(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, open_encrypted(c, &image)), &data, &len);
        sample_check_digest(c, data, len, image.digest, "the manifest of an image with encrypted layers");
}

static void run_config(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetFullConfig", sample_args(c, open_encrypted(c, &image)), &data, &len);
        sample_check_digest(c, data, len, image.manifest->config.digest,
                            "the config of an image with encrypted layers");
}

static void must_be_sent(struct check_context *c, uint64_t id, const struct content *layer, const char *what)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size), &data, &len);
        sample_check_digest(c, data, len, layer->digest, what);
}

static void run_blob(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        uint64_t id = open_encrypted(c, &image);

        for (size_t i = 0; i < image.manifest->n_entries; i++)
                must_be_sent(c, id, &image.manifest->entries[i], "an encrypted layer");
}

static void run_blob_of_layout(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        uint64_t id;

        registries_serve(c, NULL, NULL);
        id = check_open_image(c, check_text(c, "oci:%s:" TAG, check_fixture_path(c, FIXTURE)));
        must_be_sent(c, id, &image.manifest->entries[0], "an encrypted layer of a layout");
}

static void run_raw_blob(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        const struct content *layer = &image.manifest->entries[0];
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        check_call_ok(c, &raw, "GetRawBlob", "[%" PRIu64 ", \"%s\"]", open_encrypted(c, &image), layer->digest);
        sample_check_pipes(c, &raw, 2);
        check_read_to_end(c, raw.packet.fds[0], &data, &len);
        sample_check_digest(c, data, len, layer->digest, "an encrypted layer");
}

static void run_plain_below(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 1);
        uint64_t id = open_encrypted(c, &image);

        if (strcmp(image.manifest->entries[0].digest, sample_layer_of(c, FIXTURE, 0)->digest) != 0)
                check_error(c, "the lowest layer is encrypted too");
        must_be_sent(c, id, &image.manifest->entries[0], "a plain layer below encrypted ones");
        must_be_sent(c, id, &image.manifest->entries[1], "an encrypted layer above plain ones");
}

static void run_changed(struct check_context *c)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_BLOB},
                .act = {.corrupt_at = REGISTRY_NUMBER(0)},
        };
        struct encrypted_image image = image_new(c, 0);
        const struct content *layer = &image.manifest->entries[0];
        uint64_t id = open_encrypted(c, &image);

        if (registry_set_rules(image.registry, &rule, 1) < 0)
                check_error(c, "out of memory");
        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size),
                               "an encrypted layer of which a byte was changed");
}

/* ---- the list of layers ---- */

static void must_be_listed(struct check_context *c, const struct encrypted_image *image,
                           struct json_object *layers)
{
        size_t n = json_object_is_type(layers, json_type_array) ? json_object_array_length(layers) : 0;

        check_that(c, n == image->manifest->n_entries, "the list should have %zu layers, it is: %s",
                   image->manifest->n_entries, json_object_to_json_string(layers));
        for (size_t i = 0; i < n; i++) {
                const struct content *layer = &image->manifest->entries[i];
                struct json_object *entry = json_object_array_get_idx(layers, i), *digest = NULL, *type = NULL;

                json_object_object_get_ex(entry, "digest", &digest);
                json_object_object_get_ex(entry, "media_type", &type);
                check_that(c,
                           digest && !strcmp(json_object_get_string(digest), layer->digest) && type &&
                                   !strcmp(json_object_get_string(type), layer->media_type),
                           "layer %zu should have the digest %s and the media type %s, it is: %s", i,
                           layer->digest, layer->media_type, json_object_to_json_string(entry));
        }
}

static void run_layer_info(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_ok(c, &answer, "GetLayerInfo", "%s", sample_args(c, open_encrypted(c, &image)));
        must_be_listed(c, &image, answer.value);
}

static void run_layer_info_piped(struct check_context *c)
{
        struct encrypted_image image = image_new(c, 0);
        CLEANUP(cleanup_free) char *data = NULL;
        struct json_object *layers;
        size_t len;

        sample_fetch_ok(c, "GetLayerInfoPiped", sample_args(c, open_encrypted(c, &image)), &data, &len);
        layers = sample_json(c, data, len, "the list of layers");
        must_be_listed(c, &image, layers);
        json_object_put(layers);
}

/* ---- --decryption-key ---- */

/* Whether a session begins with the key in the file. */
static bool starts_with_key(struct check_context *c, const char *path)
{
        static const char request[] = "{\"method\":\"Initialize\",\"args\":[]}";
        CLEANUP_ANSWER struct answer answer = {0};

        check_expect_open(c);
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_start(c, &(struct server_start){
                               .flags = FLAGS("--tls-verify=false", "--decryption-key", path),
                               .no_initialize = true,
                       });
        (void)send(check_socket(c), request, strlen(request), MSG_NOSIGNAL);
        if (check_is_hung_up(c))
                return false;
        check_answer(c, &answer);
        return answer.success;
}

/* What GetBlob of an encrypted layer sends, in a few words. */
static const char *sends(struct check_context *c, const struct encrypted_image *image)
{
        const struct content *layer = &image->manifest->entries[0];
        CLEANUP_ANSWER struct answer opened = {0}, piped = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        char digest[DIGEST_TEXT_SIZE];
        uint64_t id;
        size_t len;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", image->reference);
        if (!opened.success || !json_get_uint(opened.value, JSON_INTEGER_MAX, &id))
                return "the image is refused";
        check_call(c, &piped, "GetBlob", "%s", sample_blob_args(c, id, layer->digest, layer->size));
        if (!piped.success)
                return "the layer is refused";
        check_read_and_finish(c, &piped, &finish, &data, &len);
        if (!finish.success)
                return "the layer is refused at its end";
        if (digest_of(DIGEST_SHA256, data, len, digest) < 0)
                check_error(c, "cannot hash a layer");
        return !strcmp(digest, layer->digest)                            ? "encrypted"
               : !strcmp(digest, sample_layer_of(c, FIXTURE, 0)->digest) ? "decrypted"
                                                                         : "something else";
}

static void record_key(struct check_context *c, const char *name)
{
        struct encrypted_image image = image_new(c, 0);

        check_record(c, "%s",
                     starts_with_key(c, check_text(c, "%s/%s.pem", check_folder(c), name))
                             ? sends(c, &image)
                             : "the server does not start");
}

static void run_right_key(struct check_context *c)
{
        record_key(c, "right");
}

static void run_wrong_key(struct check_context *c)
{
        CLEANUP(cleanup_encrypted_key_free) struct encrypted_key *key = key_new(c);

        write_key(c, check_text(c, "%s/wrong.pem", check_folder(c)), key);
        record_key(c, "wrong");
}

static void run_missing_key(struct check_context *c)
{
        record_key(c, "missing");
}

#define ENCRYPTION(name_, level_, since_, requires_, reference_, run_)                                    \
        {                                                                                                 \
                .id = "encryption/" name_, .level = (level_), .since = (since_), .requires = (requires_), \
                .reference = (reference_), .run = (run_), .own_start = true                               \
        }

const struct check checks_encryption[] = {
        ENCRYPTION("manifest", LEVEL_MUST, VERSION_OLDEST,
                   "The manifest of an image with encrypted layers is sent as it is.", "encrypted-manifest",
                   run_manifest),
        ENCRYPTION("config", LEVEL_MUST, VERSION_OLDEST,
                   "The config of an image with encrypted layers is sent as it is.", "encrypted-manifest",
                   run_config),
        ENCRYPTION("blob", LEVEL_MUST, VERSION_OLDEST,
                   "GetBlob sends an encrypted layer as it is, and it has the digest of the manifest.",
                   "encrypted-blob", run_blob),
        ENCRYPTION("blob-of-layout", LEVEL_MUST, VERSION_OLDEST,
                   "An encrypted layer of an oci: layout is sent as it is.", "encrypted-blob",
                   run_blob_of_layout),
        ENCRYPTION("raw-blob", LEVEL_MUST, VERSION(0, 2, 8), "GetRawBlob sends an encrypted layer as it is.",
                   "encrypted-blob", run_raw_blob),
        ENCRYPTION("plain-below", LEVEL_MUST, VERSION_OLDEST,
                   "Layers that are not encrypted are sent as ever beside others that are.", "encrypted-blob",
                   run_plain_below),
        ENCRYPTION("changed", LEVEL_MUST, VERSION_OLDEST,
                   "An encrypted layer that has not the digest of the manifest is refused.",
                   "encrypted-verified", run_changed),
        ENCRYPTION("layer-info", LEVEL_MUST, VERSION(0, 2, 5),
                   "GetLayerInfo tells digests and media types of encrypted layers as the manifest has them.",
                   "encrypted-media-type", run_layer_info),
        ENCRYPTION(
                "layer-info-piped", LEVEL_MUST, VERSION(0, 2, 7),
                "GetLayerInfoPiped tells digests and media types of encrypted layers as the manifest has them.",
                "encrypted-media-type", run_layer_info_piped),
        ENCRYPTION("right-key", LEVEL_INFO, VERSION_OLDEST,
                   "Records what GetBlob sends with the right --decryption-key.", "encrypted-key",
                   run_right_key),
        ENCRYPTION("wrong-key", LEVEL_INFO, VERSION_OLDEST,
                   "Records what GetBlob sends with another --decryption-key.", "encrypted-key", run_wrong_key),
        ENCRYPTION("missing-key", LEVEL_INFO, VERSION_OLDEST,
                   "Records what GetBlob sends with a --decryption-key that is not there.", "encrypted-key",
                   run_missing_key),
};
const size_t n_checks_encryption = ARRAY_SIZE(checks_encryption);
