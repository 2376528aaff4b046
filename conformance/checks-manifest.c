/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of manifests and configs: the exact bytes, the digest that goes with them, the conversion of
 * docker's formats, large ones, and ones that are broken.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "conformance/groups.h"
#include "conformance/sample.h"
#include "image/fixture.h"
#include "image/layout.h"

#define NAMED(name) .id = "manifest/" name

/* The value of GetManifest. The pipe is read and finished. */
static const char *manifest_digest(struct check_context *c, uint64_t image, char **ret, size_t *ret_len)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        check_that(c, piped.packet.n_fds == 1, "GetManifest should send one descriptor, %zu came",
                   piped.packet.n_fds);
        check_that(c, json_object_is_type(piped.value, json_type_string),
                   "the value of GetManifest should be a digest, it is: %s",
                   json_object_to_json_string(piped.value));
        check_read_and_finish(c, &piped, &finish, ret, ret_len);
        check_that(c, finish.success, "FinishPipe after GetManifest should succeed, it says: %s", finish.error);
        return check_text(c, "%s", json_object_get_string(piped.value));
}

static void bytes_are_as_stored(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "layers-1", "manifest.bytes-are-as-stored");
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        sample_check_digest(c, data, len, sample_digest(c, "layers-1"), "the manifest, passed on as stored,");
}

static void value_is_the_digest(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "layers-1", "manifest.value-is-the-digest");
        const char *digest;
        size_t len;

        digest = manifest_digest(c, id, &data, &len);
        sample_check_digest(c, data, len, digest, "the manifest, by the value of GetManifest,");
}

static void twice_the_same(struct check_context *c)
{
        CLEANUP(cleanup_free) char *first = NULL;
        CLEANUP(cleanup_free) char *second = NULL;
        uint64_t id = sample_open(c, "layers-1", "manifest.twice-the-same");
        size_t first_len, second_len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &first, &first_len);
        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &second, &second_len);
        check_that(c, first_len == second_len && !memcmp(first, second, first_len),
                   "GetManifest should send the same manifest twice; %zu bytes came, then other %zu", first_len,
                   second_len);
}

static void digest_of_the_list(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        const char *list = sample_digest(c, "index");
        uint64_t id = sample_open(c, "index", "manifest.digest-of-the-list");
        const char *digest;
        size_t len;

        digest = manifest_digest(c, id, &data, &len);
        check_that(c, !strcmp(digest, list),
                   "the value of GetManifest should be the digest of the original manifest, which is the "
                   "list's %s; it is %s",
                   list, digest);
}

static void large_is_whole(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "manifest-1m", "manifest.large-is-whole");
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        sample_check_digest(c, data, len, sample_digest(c, "manifest-1m"), "a manifest of 1 MiB");
}

/* Members of a converted manifest, which must be of the OCI kind. */
static const char *media_type(struct json_object *object)
{
        struct json_object *type = NULL;

        json_object_object_get_ex(object, "mediaType", &type);
        return type ? json_object_get_string(type) : "";
}

static void docker_becomes_oci(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        uint64_t id = check_open_image(c, sample_dir(c, "docker", "manifest.docker-becomes-oci"));
        struct json_object *config = NULL, *layers = NULL;
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        json = sample_json(c, data, len, "the manifest");
        check_that(c, json_object_is_type(json, json_type_object), "the manifest should be an object");
        check_that(c, !*media_type(json) || !strcmp(media_type(json), MEDIA_OCI_MANIFEST),
                   "docker's schema 2 should be converted to an OCI manifest, it is: %s", media_type(json));
        json_object_object_get_ex(json, "config", &config);
        check_that(c, !strcmp(media_type(config), MEDIA_OCI_CONFIG),
                   "the config of a converted manifest should be an OCI one, it is: %s", media_type(config));
        json_object_object_get_ex(json, "layers", &layers);
        check_that(c, json_object_is_type(layers, json_type_array), "a converted manifest should have layers");
        for (size_t i = 0; i < json_object_array_length(layers); i++) {
                const char *type = media_type(json_object_array_get_idx(layers, i));

                check_that(c, !strncmp(type, MEDIA_OCI_LAYER, strlen(MEDIA_OCI_LAYER)),
                           "the layers of a converted manifest should be OCI ones, number %zu is: %s", i + 1,
                           type);
        }
}

static void docker_keeps_its_blobs(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *converted = NULL;
        const struct manifest *stored = check_fixture_manifest(c, "docker");
        uint64_t id = check_open_image(c, sample_dir(c, "docker", "manifest.docker-keeps-its-blobs"));
        struct cip_error error = {0};
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        if (manifest_parse(data, len, &converted, &error) < 0)
                check_fail(c, "the converted manifest cannot be read: %s", error.message);
        check_that(c, converted->n_entries == stored->n_entries,
                   "a converted manifest should have the same %zu layers, it has %zu", stored->n_entries,
                   converted->n_entries);
        for (size_t i = 0; i < stored->n_entries; i++)
                check_that(c, !strcmp(converted->entries[i].digest, stored->entries[i].digest),
                           "layer %zu of a converted manifest should be %s, it is %s", i + 1,
                           stored->entries[i].digest, converted->entries[i].digest);
}

static void docker_digest_is_the_originals(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *original = NULL;
        const char *reference = sample_dir(c, "docker", "manifest.docker-digest-is-the-originals");
        const char *path = check_text(c, "%s/manifest.json", strchr(reference, ':') + 1);
        size_t len, original_len;
        const char *digest;

        sample_read_file(c, path, &original, &original_len);
        digest = manifest_digest(c, check_open_image(c, reference), &data, &len);
        sample_check_digest(c, original, original_len, digest,
                            "the original manifest, by the value of GetManifest,");
}

static void schema_1_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer manifest = {0};
        uint64_t id;

        check_call(c, &opened, "OpenImage", "[\"%s\"]",
                   sample_dir(c, "broken-schema-1", "manifest.schema-1-is-refused"));
        if (!opened.success)
                return;
        check_that(c, json_get_uint(opened.value, JSON_INTEGER_MAX, &id), "OpenImage gives no image id");
        check_call_refused(c, &manifest, "GetManifest", "[%" PRIu64 "]", id);
}

static void artifact_is_served(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "artifact", "manifest.artifact-is-served");
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        sample_check_digest(c, data, len, sample_digest(c, "artifact"), "the manifest of an artifact");
}

/* An image whose manifest is not the one that index.json names: a blank stands behind it. */
static const char *altered_reference(struct check_context *c, const char *tag)
{
        const char *reference = sample_reference(c, "layers-1", tag);
        const char *path = sample_blob_path(c, "layers-1", sample_digest(c, "layers-1"));
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;

        sample_read_file(c, path, &text, &len);
        sample_write_file(c, path, check_text(c, "%s ", text), len + 1);
        return reference;
}

static void altered_is_noticed(struct check_context *c)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id;
        size_t len;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", altered_reference(c, "manifest.altered-is-noticed"));
        if (!opened.success)
                return;
        check_that(c, json_get_uint(opened.value, JSON_INTEGER_MAX, &id), "OpenImage gives no image id");
        check_call(c, &piped, "GetManifest", "[%" PRIu64 "]", id);
        if (!piped.success)
                return;
        check_that(c, json_object_is_type(piped.value, json_type_string),
                   "the value of GetManifest is no digest");
        check_read_and_finish(c, &piped, &finish, &data, &len);
        if (finish.success)
                sample_check_digest(c, data, len, json_object_get_string(piped.value),
                                    "a manifest that was altered, by the value of GetManifest,");
}

static void altered(struct check_context *c)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id;
        size_t len;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", altered_reference(c, "manifest.altered"));
        if (!opened.success || !json_get_uint(opened.value, JSON_INTEGER_MAX, &id)) {
                check_record(c, "refused by OpenImage");
                return;
        }
        check_call(c, &piped, "GetManifest", "[%" PRIu64 "]", id);
        if (!piped.success || piped.packet.n_fds < 1) {
                check_record(c, "refused by GetManifest");
                return;
        }
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_record(c, finish.success ? "served" : "refused by FinishPipe");
}

/* What becomes of an image in the methods that read its manifest. */
static void record_uses(struct check_context *c, const char *reference)
{
        static const char *const names[] = {"GetManifest", "GetFullConfig", "GetLayerInfo"};
        CLEANUP_ANSWER struct answer opened = {0};
        const char *words = "";
        uint64_t id;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", reference);
        if (!opened.success || !json_get_uint(opened.value, JSON_INTEGER_MAX, &id)) {
                check_record(c, "refused by OpenImage");
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                CLEANUP_ANSWER struct answer answer = {0};
                CLEANUP_ANSWER struct answer finish = {0};
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                check_call(c, &answer, names[i], "[%" PRIu64 "]", id);
                if (answer.success && answer.packet.n_fds > 0)
                        check_read_and_finish(c, &answer, &finish, &data, &len);
                words = check_text(c, "%s%s%s by %s", words, *words ? ", " : "",
                                   answer.success ? "served" : "refused", names[i]);
        }
        check_record(c, "%s", words);
}

static void schema_1_elsewhere(struct check_context *c)
{
        record_uses(c, sample_dir(c, "broken-schema-1", "manifest.schema-1-elsewhere"));
}

static void nested_list(struct check_context *c)
{
        record_uses(c, sample_reference(c, "broken-nested", "manifest.nested-list"));
}

/* A list whose manifests are not those that it names: a blank stands behind each of them. */
static void altered_in_list(struct check_context *c)
{
        const char *reference = sample_reference(c, "index", "manifest.altered-in-list");
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_json) struct json_object *list = NULL;
        struct json_object *entries;
        size_t len;

        sample_read_file(c, sample_blob_path(c, "index", sample_digest(c, "index")), &text, &len);
        list = sample_json(c, text, len, "the fixture's list");
        entries = json_object_object_get(list, "manifests");
        for (size_t i = 0; entries && i < json_object_array_length(entries); i++) {
                struct json_object *digest =
                        json_object_object_get(json_object_array_get_idx(entries, i), "digest");
                const char *path = sample_blob_path(c, "index", json_object_get_string(digest));
                CLEANUP(cleanup_free) char *manifest = NULL;

                sample_read_file(c, path, &manifest, &len);
                sample_write_file(c, path, check_text(c, "%s ", manifest), len + 1);
        }
        record_uses(c, reference);
}

/* The fixture's config as it stands on disk. */
static void stored_config(struct check_context *c, const char *fixture, char **ret, size_t *ret_len)
{
        const struct manifest *manifest = check_fixture_manifest(c, fixture);

        sample_read_file(c, sample_blob_path(c, fixture, manifest->config.digest), ret, ret_len);
}

static struct json_object *member(struct json_object *object, const char *name)
{
        struct json_object *value = NULL;

        if (json_object_is_type(object, json_type_object))
                json_object_object_get_ex(object, name, &value);
        return value;
}

/* An empty object and a missing one are the same config. */
static bool same_json(struct json_object *a, struct json_object *b)
{
        if (!a || !b) {
                struct json_object *there = a ? a : b;

                return !there ||
                       (json_object_is_type(there, json_type_object) && !json_object_object_length(there));
        }
        return json_object_equal(a, b);
}

static void config_member_alone(struct check_context *c)
{
        CLEANUP(cleanup_free) char *stored = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *full = NULL;
        CLEANUP(cleanup_json) struct json_object *part = NULL;
        uint64_t id = sample_open(c, "layers-1", "manifest.config-member-alone");
        size_t stored_len, len;

        stored_config(c, "layers-1", &stored, &stored_len);
        full = sample_json(c, stored, stored_len, "the fixture's config");
        sample_fetch_ok(c, "GetConfig", sample_args(c, id), &data, &len);
        part = sample_json(c, data, len, "what GetConfig sends");
        check_that(c, same_json(part, member(full, "config")),
                   "GetConfig should send the member `config` of the config, which is %s; it sends %s",
                   json_object_to_json_string(member(full, "config")), json_object_to_json_string(part));
}

static void expect_members(struct check_context *c, struct json_object *is, struct json_object *should_be)
{
        static const char *const names[] = {"architecture", "os", "config", "rootfs"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                check_that(c, same_json(member(is, names[i]), member(should_be, names[i])),
                           "GetFullConfig should send the whole config; its member %s should be as stored, it "
                           "is: %.200s",
                           names[i], json_object_to_json_string(member(is, names[i])));
}

static void full_config(struct check_context *c, const char *fixture, const char *tag)
{
        CLEANUP(cleanup_free) char *stored = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *should_be = NULL;
        CLEANUP(cleanup_json) struct json_object *is = NULL;
        uint64_t id = sample_open(c, fixture, tag);
        size_t stored_len, len;

        stored_config(c, fixture, &stored, &stored_len);
        should_be = sample_json(c, stored, stored_len, "the fixture's config");
        sample_fetch_ok(c, "GetFullConfig", sample_args(c, id), &data, &len);
        is = sample_json(c, data, len, "what GetFullConfig sends");
        expect_members(c, is, should_be);
}

static void full_config_is_whole(struct check_context *c)
{
        full_config(c, "layers-1", "manifest.full-config-is-whole");
}

static void large_config_is_whole(struct check_context *c)
{
        full_config(c, "config-1m", "manifest.large-config-is-whole");
}

/* A member that the OCI specification does not know, and white space, as other builders write them. */
static const char foreign_config[] = "{\"architecture\": \"amd64\", \"os\": \"linux\", \"config\": {}, "
                                     "\"rootfs\": {\"type\": \"layers\", \"diff_ids\": [\"sha256:"
                                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]}, "
                                     "\"org.example.builder\": \"1.0\"}";

static uint64_t open_foreign_config(struct check_context *c, const char *tag)
{
        static const struct sample_layer layers[] = {{MEDIA_OCI_LAYER, ""}};

        return check_open_image(c, sample_add_image(c, tag, foreign_config, layers, ARRAY_SIZE(layers)));
}

static void full_config_with_unknown_members(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *should_be = NULL;
        CLEANUP(cleanup_json) struct json_object *is = NULL;
        uint64_t id = open_foreign_config(c, "manifest.full-config-with-unknown-members");
        size_t len;

        sample_fetch_ok(c, "GetFullConfig", sample_args(c, id), &data, &len);
        should_be = sample_json(c, foreign_config, strlen(foreign_config), "the config of this check");
        is = sample_json(c, data, len, "what GetFullConfig sends");
        expect_members(c, is, should_be);
}

static void full_config_bytes(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = open_foreign_config(c, "manifest.full-config-bytes");
        size_t len;

        check_call(c, &piped, "GetFullConfig", "[%" PRIu64 "]", id);
        if (!piped.success || piped.packet.n_fds < 1) {
                check_record(c, "refused");
                return;
        }
        check_read_and_finish(c, &piped, &finish, &data, &len);
        if (len == strlen(foreign_config) && !memcmp(data, foreign_config, len))
                check_record(c, "as stored");
        else
                check_record(c, "written anew, %s",
                             strstr(data, "org.example.builder") ? "all members" : "known members");
}

static void broken_config_is_refused(struct check_context *c)
{
        uint64_t id = sample_open(c, "broken-config", "manifest.broken-config-is-refused");

        sample_must_be_refused(c, "GetFullConfig", sample_args(c, id), "a config that is none");
}

static void missing_config_is_refused(struct check_context *c)
{
        const struct manifest *manifest = check_fixture_manifest(c, "layers-1");
        const char *path = sample_blob_path(c, "layers-1", manifest->config.digest);
        uint64_t id;

        if (unlink(path) < 0)
                check_error(c, "cannot remove %s", path);
        id = sample_open(c, "layers-1", "manifest.missing-config-is-refused");
        sample_must_be_refused(c, "GetFullConfig", sample_args(c, id), "a config that is not there");
}

static void altered_config_is_refused(struct check_context *c)
{
        CLEANUP(cleanup_free) char *text = NULL;
        const struct manifest *manifest = check_fixture_manifest(c, "layers-1");
        const char *path = sample_blob_path(c, "layers-1", manifest->config.digest);
        char *architecture;
        uint64_t id;
        size_t len;

        sample_read_file(c, path, &text, &len);
        architecture = strstr(text, "\"architecture\"");
        if (!architecture)
                check_error(c, "the fixture's config has no architecture");
        architecture[1] = 'A'; /* still a config, of the same size */
        sample_write_file(c, path, text, len);
        id = sample_open(c, "layers-1", "manifest.altered-config-is-refused");
        sample_must_be_refused(c, "GetFullConfig", sample_args(c, id), "a config of another digest");
}

/* ---- every fixture ---- */

/* Good fixtures but the one of 64 MiB, which only its blob is worth the time. */
static bool is_quick(const struct fixture *fixture)
{
        return fixture->good && strcmp(fixture->name, "blob-64m") != 0;
}

/* Where a server finds it: docker's in a dir: folder, for oci: is not for them. NULL: nowhere. */
static const char *reference_of(struct check_context *c, const struct fixture *fixture, const char *tag)
{
        if (!fixture->docker)
                return sample_reference(c, fixture->name, tag);
        return fixture->list ? NULL : sample_dir(c, fixture->name, check_text(c, "%s.%s", tag, fixture->name));
}

/* The image that is picked: its manifest's digest. A list without this machine is left out by NULL. */
static const char *picked_digest(struct check_context *c, const struct fixture *fixture)
{
        const struct content *entry;

        if (!fixture->list)
                return sample_digest(c, fixture->name);
        return manifest_pick(check_fixture_manifest(c, fixture->name), NULL, &entry, NULL) < 0 ? NULL
                                                                                               : entry->digest;
}

static void of_each_fixture(struct check_context *c)
{
        for (size_t i = 0; i < n_fixtures; i++) {
                CLEANUP(cleanup_free) char *data = NULL;
                const char *reference, *digest;
                size_t len;

                if (!is_quick(&fixtures[i]) || fixtures[i].docker)
                        continue;
                reference = reference_of(c, &fixtures[i], "manifest.of-each-fixture");
                digest = picked_digest(c, &fixtures[i]);
                if (!digest)
                        continue;
                sample_fetch_ok(c, "GetManifest", sample_args(c, check_open_image(c, reference)), &data, &len);
                sample_check_digest(c, data, len, digest,
                                    check_text(c, "the manifest of the fixture %s", fixtures[i].name));
        }
}

/* The config that the manifest with @digest names, as stored in the fixture's layout. */
static void stored_config_of(struct check_context *c, const char *fixture, const char *digest, char **ret,
                             size_t *ret_len)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        size_t len;

        sample_read_file(c, sample_blob_path(c, fixture, digest), &text, &len);
        if (manifest_parse(text, len, &manifest, &error) < 0)
                check_error(c, "the fixture %s: %s", fixture, error.message);
        sample_read_file(c, sample_blob_path(c, fixture, manifest->config.digest), ret, ret_len);
}

static void config_of_each_fixture(struct check_context *c)
{
        for (size_t i = 0; i < n_fixtures; i++) {
                CLEANUP(cleanup_free) char *stored = NULL;
                CLEANUP(cleanup_free) char *data = NULL;
                CLEANUP(cleanup_json) struct json_object *should_be = NULL;
                CLEANUP(cleanup_json) struct json_object *is = NULL;
                const char *reference, *digest, *what;
                size_t stored_len, len;

                if (!is_quick(&fixtures[i]) || fixtures[i].artifact || !strcmp(fixtures[i].name, "layers-2000"))
                        continue;
                reference = reference_of(c, &fixtures[i], "manifest.config-of-each-fixture");
                digest = picked_digest(c, &fixtures[i]);
                if (!reference || !digest)
                        continue;
                what = check_text(c, "the config of the fixture %s", fixtures[i].name);
                stored_config_of(c, fixtures[i].name, digest, &stored, &stored_len);
                should_be = sample_json(c, stored, stored_len, what);
                sample_fetch_ok(c, "GetFullConfig", sample_args(c, check_open_image(c, reference)), &data,
                                &len);
                is = sample_json(c, data, len, what);
                expect_members(c, is, should_be);
        }
}

/* ---- bytes as they are ---- */

/*
 * Adds a manifest of these very bytes, for the config and layer of "layers-1". %s: the config, then the layer.
 */
static const char *add_bytes(struct check_context *c, const char *tag, const char *format,
                             char ret[DIGEST_TEXT_SIZE])
{
        const struct manifest *own = check_fixture_manifest(c, "layers-1");
        const char *path = check_fixture_path(c, "layers-1"), *parts[2], *text = "", *rest = format, *at;
        const struct content *contents[] = {&own->config, sample_layer_of(c, "layers-1", 0)};
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        struct cip_error error = {0};

        for (size_t i = 0; i < 2; i++)
                parts[i] = check_text(c, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%" PRId64 "}",
                                      contents[i]->media_type, contents[i]->digest, contents[i]->size);
        for (size_t i = 0; i < 2 && (at = strchr(rest, '@')); i++, rest = at + 1)
                text = check_text(c, "%s%.*s%s", text, (int)(at - rest), rest, parts[i]);
        text = check_text(c, "%s%s", text, rest);
        if (layout_create(path, &layout, &error) < 0 ||
            layout_write_blob(layout, DIGEST_SHA256, text, strlen(text), ret, &error) < 0 ||
            layout_add_manifest(layout, MEDIA_OCI_MANIFEST, ret, (int64_t)strlen(text), tag, NULL, &error) < 0)
                check_error(c, "cannot write a manifest: %s", error.message);
        return check_text(c, "oci:%s:%s", path, tag);
}

/* @format has @ in the place of the config, and of the layer. */
static void expect_bytes(struct check_context *c, const char *tag, const char *format, const char *what)
{
        CLEANUP(cleanup_free) char *data = NULL;
        char digest[DIGEST_TEXT_SIZE];
        const char *reference = add_bytes(c, tag, format, digest), *value;
        size_t len;

        value = manifest_digest(c, check_open_image(c, reference), &data, &len);
        sample_check_digest(c, data, len, digest, what);
        check_that(c, !strcmp(value, digest),
                   "the value of GetManifest should be the digest %s of %s, it is %s", digest, what, value);
}

static void white_space_is_kept(struct check_context *c)
{
        expect_bytes(c, "manifest.white-space-is-kept",
                     "{\n\t\"mediaType\" : \"" MEDIA_OCI_MANIFEST
                     "\" ,\r\n \"layers\" : [ @ ] ,\n\"config\":@ , \"schemaVersion\" : 2 }\n",
                     "a manifest with white space and an order of its own");
}

static void unknown_members_are_kept(struct check_context *c)
{
        expect_bytes(c, "manifest.unknown-members-are-kept",
                     "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
                     "\",\"config\":@,\"layers\":[@],\"subject\":null,\"org.example\":{\"a\":[1,\"\\u00e4<\"]},"
                     "\"annotations\":{\"note\":\"x\"}}",
                     "a manifest with members that are not OCI's");
}

static void without_media_type_is_served(struct check_context *c)
{
        expect_bytes(c, "manifest.without-media-type-is-served",
                     "{\"schemaVersion\":2,\"config\":@,\"layers\":[@]}",
                     "a manifest that does not name its own type");
}

/* ---- what the manifest may be ---- */

/* How far GetManifest or GetFullConfig of a fixture's image comes: "served", "refused by ..". */
static void record_piped(struct check_context *c, const char *method, const char *reference)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id;
        size_t len;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", reference);
        if (!opened.success || !json_get_uint(opened.value, JSON_INTEGER_MAX, &id)) {
                check_record(c, "refused by OpenImage");
                return;
        }
        check_call(c, &piped, method, "[%" PRIu64 "]", id);
        if (!piped.success || piped.packet.n_fds < 1) {
                check_record(c, "refused by %s", method);
                return;
        }
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_record(c, finish.success ? "served" : "refused by FinishPipe");
}

#define MIB ((size_t)1024 * 1024)

/* A JSON text of @size bytes: @format with a text for @ that fills it up. */
static char *filled_up(struct check_context *c, const char *before, const char *behind, size_t size)
{
        size_t fill = size - strlen(before) - strlen(behind);
        char *text = malloc(size + 1);

        if (!text)
                check_error(c, "out of memory");
        memcpy(text, before, strlen(before));
        memset(text + strlen(before), 'x', fill);
        memcpy(text + strlen(before) + fill, behind, strlen(behind));
        text[size] = '\0';
        return text;
}

static void manifest_of_5_mib(struct check_context *c)
{
        CLEANUP(cleanup_free)
        char *format = filled_up(c,
                                 "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
                                 "\",\"config\":@,\"layers\":[@],\"annotations\":{\"padding\":\"",
                                 "\"}}", 5 * MIB);
        char digest[DIGEST_TEXT_SIZE];

        record_piped(c, "GetManifest", add_bytes(c, "manifest.of-5-mib", format, digest));
}

static void config_of_5_mib(struct check_context *c)
{
        CLEANUP(cleanup_free)
        char *config = filled_up(c,
                                 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
                                 "\"diff_ids\":[]},\"config\":{\"Labels\":{\"padding\":\"",
                                 "\"}}}", 5 * MIB);

        record_piped(c, "GetFullConfig", sample_add_image(c, "manifest.config-of-5-mib", config, NULL, 0));
}

static void artifact_config(struct check_context *c)
{
        record_piped(c, "GetFullConfig", sample_reference(c, "artifact", "manifest.artifact-config"));
}

/* ---- docker ---- */

static void docker_config_is_whole(struct check_context *c)
{
        CLEANUP(cleanup_free) char *stored = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *should_be = NULL;
        CLEANUP(cleanup_json) struct json_object *is = NULL;
        uint64_t id = check_open_image(c, sample_dir(c, "docker", "manifest.docker-config-is-whole"));
        size_t stored_len, len;

        stored_config(c, "docker", &stored, &stored_len);
        should_be = sample_json(c, stored, stored_len, "the fixture's config");
        sample_fetch_ok(c, "GetFullConfig", sample_args(c, id), &data, &len);
        is = sample_json(c, data, len, "what GetFullConfig sends");
        expect_members(c, is, should_be);
}

/* A client that fetches what the manifest names must get it. */
static void docker_config_is_a_blob(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *config = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *converted = NULL;
        uint64_t id = check_open_image(c, sample_dir(c, "docker", "manifest.docker-config-is-a-blob"));
        struct cip_error error = {0};
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        if (manifest_parse(data, len, &converted, &error) < 0)
                check_fail(c, "the converted manifest cannot be read: %s", error.message);
        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, converted->config.digest, converted->config.size),
                        &config, &len);
        sample_check_digest(c, config, len, converted->config.digest,
                            "the config that a converted manifest names");
}

static void config_of_the_picked_platform(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *is = NULL;
        const char *reference = sample_reference(c, "index", "manifest.config-of-the-picked-platform");
        static const char *const flags[] = {"--override-os", "linux", "--override-arch", "s390x", NULL};
        size_t len;

        check_start(c, &(struct server_start){.global_flags = flags});
        sample_fetch_ok(c, "GetFullConfig", sample_args(c, check_open_image(c, reference)), &data, &len);
        is = sample_json(c, data, len, "what GetFullConfig sends");
        check_that(c,
                   member(is, "architecture") &&
                           !strcmp(json_object_get_string(member(is, "architecture")), "s390x"),
                   "GetFullConfig should send the config of the platform that was picked, s390x; it sends that "
                   "of: %s",
                   json_object_to_json_string(member(is, "architecture")));
}

const struct check checks_manifest[] = {
        {
                NAMED("bytes-are-as-stored"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetManifest passes the bytes of an OCI manifest on as they are stored.",
                .reference = "manifest-bytes",
                .run = bytes_are_as_stored,
        },
        {
                NAMED("value-is-the-digest"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The value of GetManifest is the digest of an OCI manifest's bytes.",
                .reference = "manifest-digest",
                .run = value_is_the_digest,
        },
        {
                NAMED("twice-the-same"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetManifest of the same image sends the same bytes each time.",
                .reference = "manifest-bytes",
                .run = twice_the_same,
        },
        {
                NAMED("digest-of-the-list"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "For an image picked out of a list the value of GetManifest is the list's digest.",
                .reference = "manifest-list-digest",
                .run = digest_of_the_list,
        },
        {
                NAMED("large-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest of 1 MiB arrives whole.",
                .reference = "get-manifest manifest-bytes",
                .run = large_is_whole,
        },
        {
                NAMED("docker-becomes-oci"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest of docker's schema 2 is sent as an OCI one.",
                .reference = "manifest-converted",
                .run = docker_becomes_oci,
        },
        {
                NAMED("docker-keeps-its-blobs"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A converted manifest names the layers of the original, in their order.",
                .reference = "manifest-converted",
                .run = docker_keeps_its_blobs,
        },
        {
                NAMED("docker-digest-is-the-originals"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The value of GetManifest is the digest of the manifest before its conversion.",
                .reference = "manifest-digest",
                .run = docker_digest_is_the_originals,
        },
        {
                NAMED("schema-1-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetManifest refuses docker's schema 1.",
                .reference = "manifest-schema-1",
                .run = schema_1_is_refused,
        },
        {
                NAMED("schema-1-elsewhere"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records whether an image of docker's schema 1 has a config and layers.",
                .reference = "schema-1-config",
                .run = schema_1_elsewhere,
        },
        {
                NAMED("nested-list"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records what becomes of a list whose entry for the platform is a list again.",
                .reference = "platform-nested",
                .run = nested_list,
        },
        {
                NAMED("altered-in-list"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records what becomes of a manifest that is not the one which its list names.",
                .reference = "platform-verified",
                .run = altered_in_list,
        },
        {
                NAMED("artifact-is-served"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The manifest of an artifact with an empty config is served.",
                .reference = "manifest-artifact",
                .run = artifact_is_served,
        },
        {
                NAMED("altered-is-noticed"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest whose bytes do not have the digest in index.json is refused, or the "
                            "value of "
                            "GetManifest is the digest of what comes, so that the client can notice.",
                .reference = "manifest-unverified",
                .run = altered_is_noticed,
        },
        {
                NAMED("altered"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires =
                        "Records what becomes of a manifest whose bytes do not have the digest in index.json.",
                .reference = "manifest-unverified",
                .run = altered,
        },
        {
                NAMED("config-member-alone"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetConfig sends the member `config` of the config alone.",
                .reference = "get-config",
                .run = config_member_alone,
        },
        {
                NAMED("full-config-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetFullConfig sends the config with all members that the OCI specification knows.",
                .reference = "get-full-config",
                .run = full_config_is_whole,
        },
        {
                NAMED("large-config-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config of 1 MiB arrives whole.",
                .reference = "get-full-config",
                .run = large_config_is_whole,
        },
        {
                NAMED("full-config-with-unknown-members"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config with members that the OCI specification does not know is sent.",
                .reference = "config-unknown-members",
                .run = full_config_with_unknown_members,
        },
        {
                NAMED("full-config-bytes"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires =
                        "Records whether GetFullConfig passes the bytes of a config on or writes them anew.",
                .reference = "config-bytes",
                .run = full_config_bytes,
        },
        {
                NAMED("broken-config-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config that is not of the config's form is refused.",
                .reference = "config-refused",
                .run = broken_config_is_refused,
        },
        {
                NAMED("missing-config-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config that is not there is refused.",
                .reference = "config-refused",
                .run = missing_config_is_refused,
        },
        {
                NAMED("altered-config-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config whose bytes do not have the digest in the manifest is refused.",
                .reference = "config-refused",
                .run = altered_config_is_refused,
        },
        {
                NAMED("of-each-fixture"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The manifest of each OCI fixture comes byte by byte.",
                .reference = "manifest-bytes",
                .run = of_each_fixture,
        },
        {
                NAMED("config-of-each-fixture"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The config of each fixture comes whole.",
                .reference = "get-full-config",
                .run = config_of_each_fixture,
        },
        {
                NAMED("white-space-is-kept"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "White space and the order of members of an OCI manifest are passed on.",
                .reference = "manifest-bytes manifest-digest",
                .run = white_space_is_kept,
        },
        {
                NAMED("unknown-members-are-kept"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Members of a manifest that OCI does not know are passed on.",
                .reference = "manifest-bytes manifest-digest",
                .run = unknown_members_are_kept,
        },
        {
                NAMED("without-media-type-is-served"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An OCI manifest without a mediaType is passed on.",
                .reference = "manifest-bytes",
                .run = without_media_type_is_served,
        },
        {
                NAMED("of-5-mib"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records what becomes of a manifest of 5 MiB.",
                .reference = "config-largest manifest-bytes",
                .run = manifest_of_5_mib,
        },
        {
                NAMED("config-of-5-mib"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records what becomes of a config of 5 MiB.",
                .reference = "config-largest",
                .run = config_of_5_mib,
        },
        {
                NAMED("artifact-config"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records what GetFullConfig makes of an artifact's empty config.",
                .reference = "manifest-artifact config-refused",
                .run = artifact_config,
        },
        {
                NAMED("docker-config-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The config of a docker image comes whole, in OCI's form.",
                .reference = "get-full-config manifest-converted",
                .run = docker_config_is_whole,
        },
        {
                NAMED("docker-config-is-a-blob"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "The config that a converted manifest names can be fetched by GetBlob.",
                .reference = "manifest-converted blob-of-any-kind",
                .run = docker_config_is_a_blob,
        },
        {
                NAMED("config-of-the-picked-platform"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetFullConfig of a list sends the config of the platform that was picked.",
                .reference = "get-full-config manifest-platform",
                .run = config_of_the_picked_platform,
                .own_start = true,
        },
};
const size_t n_checks_manifest = ARRAY_SIZE(checks_manifest);
