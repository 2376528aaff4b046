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

const struct check checks_manifest[] = {
        {
                NAMED("bytes-are-as-stored"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetManifest passes the bytes of an OCI manifest on as they are stored.",
                .reference = "getmanifest",
                .run = bytes_are_as_stored,
        },
        {
                NAMED("value-is-the-digest"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The value of GetManifest is the digest of an OCI manifest's bytes.",
                .reference = "getmanifest",
                .run = value_is_the_digest,
        },
        {
                NAMED("twice-the-same"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetManifest of the same image sends the same bytes each time.",
                .reference = "getmanifest",
                .run = twice_the_same,
        },
        {
                NAMED("digest-of-the-list"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "For an image picked out of a list the value of GetManifest is the list's digest.",
                .reference = "getmanifest",
                .run = digest_of_the_list,
        },
        {
                NAMED("large-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest of 1 MiB arrives whole.",
                .reference = "getmanifest",
                .run = large_is_whole,
        },
        {
                NAMED("docker-becomes-oci"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest of docker's schema 2 is sent as an OCI one.",
                .reference = "getmanifest",
                .run = docker_becomes_oci,
        },
        {
                NAMED("docker-keeps-its-blobs"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A converted manifest names the layers of the original, in their order.",
                .reference = "getmanifest",
                .run = docker_keeps_its_blobs,
        },
        {
                NAMED("docker-digest-is-the-originals"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The value of GetManifest is the digest of the manifest before its conversion.",
                .reference = "getmanifest",
                .run = docker_digest_is_the_originals,
        },
        {
                NAMED("schema-1-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetManifest refuses docker's schema 1.",
                .reference = "getmanifest",
                .run = schema_1_is_refused,
        },
        {
                NAMED("artifact-is-served"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The manifest of an artifact with an empty config is served.",
                .reference = "getmanifest",
                .run = artifact_is_served,
        },
        {
                NAMED("altered-is-noticed"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest whose bytes do not have the digest in index.json is refused, or the "
                            "value of "
                            "GetManifest is the digest of what comes, so that the client can notice.",
                .reference = "getmanifest",
                .run = altered_is_noticed,
        },
        {
                NAMED("altered"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires =
                        "Records what becomes of a manifest whose bytes do not have the digest in index.json.",
                .reference = "getmanifest",
                .run = altered,
        },
        {
                NAMED("config-member-alone"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetConfig sends the member `config` of the config alone.",
                .reference = "getconfig",
                .run = config_member_alone,
        },
        {
                NAMED("full-config-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetFullConfig sends the config with all members that the OCI specification knows.",
                .reference = "getfullconfig",
                .run = full_config_is_whole,
        },
        {
                NAMED("large-config-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config of 1 MiB arrives whole.",
                .reference = "getfullconfig",
                .run = large_config_is_whole,
        },
        {
                NAMED("full-config-with-unknown-members"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config with members that the OCI specification does not know is sent.",
                .reference = "getfullconfig",
                .run = full_config_with_unknown_members,
        },
        {
                NAMED("full-config-bytes"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires =
                        "Records whether GetFullConfig passes the bytes of a config on or writes them anew.",
                .reference = "getfullconfig",
                .run = full_config_bytes,
        },
        {
                NAMED("broken-config-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config that is not of the config's form is refused.",
                .reference = "getfullconfig",
                .run = broken_config_is_refused,
        },
        {
                NAMED("missing-config-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config that is not there is refused.",
                .reference = "getfullconfig",
                .run = missing_config_is_refused,
        },
        {
                NAMED("altered-config-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config whose bytes do not have the digest in the manifest is refused.",
                .reference = "getfullconfig",
                .run = altered_config_is_refused,
        },
};
const size_t n_checks_manifest = ARRAY_SIZE(checks_manifest);
