/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests as JSON text. What a manifest is follows from its mediaType or, without one, from its members; a
 * text that could be two things at once is refused, as servers do. Digests are checked for their form here, so
 * that whoever holds a struct content may use them as file names. Conversion and picking follow what real
 * servers do, which tests compare byte for byte.
 */
#include "image/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "image/config.h"
#include "image/digest.h"
#include "image/local-error.h"
#include "protocol/message.h"

#define MANIFEST_DEPTH 100

#define MEDIA_DOCKER_1 "application/vnd.docker.distribution.manifest.v1+json"
#define MEDIA_DOCKER_1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define REF_NAME "org.opencontainers.image.ref.name"

static const struct {
        const char *media_type;
        enum manifest_kind kind;
} kinds[] = {
        {MEDIA_OCI_MANIFEST, MANIFEST_OCI},       {MEDIA_OCI_INDEX, MANIFEST_OCI_INDEX},
        {MEDIA_DOCKER_MANIFEST, MANIFEST_DOCKER}, {MEDIA_DOCKER_LIST, MANIFEST_DOCKER_LIST},
        {MEDIA_DOCKER_1, MANIFEST_DOCKER_1},      {MEDIA_DOCKER_1_SIGNED, MANIFEST_DOCKER_1},
};

const char *manifest_kind_media_type(enum manifest_kind kind)
{
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                if (kinds[i].kind == kind)
                        return kinds[i].media_type;
        }
        return "";
}

#define broken(error, ...) local_error((error), -EBADMSG, __VA_ARGS__)

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for the manifest");
}

/* ---- members ---- */

/* A member that is a string; *@ret is NULL where it is missing or null. A NUL within it is refused. */
static int get_string(struct json_object *object, const char *key, char **ret, struct cip_error *error)
{
        struct json_object *value = json_object_object_get(object, key);

        *ret = NULL;
        if (!value)
                return 0;
        if (!json_object_is_type(value, json_type_string))
                return broken(error, "the manifest's %s is not a string", key);
        if (strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
                return broken(error, "the manifest's %s contains a NUL", key);
        *ret = strdup(json_object_get_string(value));
        return *ret ? 0 : no_memory(error);
}

static int get_object(struct json_object *object, const char *key, struct json_object **ret,
                      struct cip_error *error)
{
        *ret = json_object_object_get(object, key);
        if (*ret && !json_object_is_type(*ret, json_type_object))
                return broken(error, "the manifest's %s is not an object", key);
        return 0;
}

static void content_clear(struct content *content)
{
        free(content->media_type);
        free(content->digest);
        free(content->architecture);
        free(content->os);
        free(content->variant);
        free(content->ref_name);
}

static int parse_platform(struct json_object *json, struct content *ret, struct cip_error *error)
{
        struct json_object *platform;
        int r = get_object(json, "platform", &platform, error);

        if (r < 0 || !platform)
                return r;
        r = get_string(platform, "architecture", &ret->architecture, error);
        if (r == 0)
                r = get_string(platform, "os", &ret->os, error);
        if (r == 0)
                r = get_string(platform, "variant", &ret->variant, error);
        return r;
}

/* @ret is zero-initialised, and the caller's to content_clear on failure too. */
static int parse_content(struct json_object *json, const char *where, struct content *ret,
                         struct cip_error *error)
{
        struct json_object *annotations;
        uint64_t size;
        int r;

        if (!json_object_is_type(json, json_type_object))
                return broken(error, "the manifest's %s is not an object", where);
        r = get_string(json, "mediaType", &ret->media_type, error);
        if (r == 0)
                r = get_string(json, "digest", &ret->digest, error);
        if (r == 0)
                r = parse_platform(json, ret, error);
        if (r == 0)
                r = get_object(json, "annotations", &annotations, error);
        if (r == 0 && annotations)
                r = get_string(annotations, REF_NAME, &ret->ref_name, error);
        if (r < 0)
                return r;
        if (!ret->media_type || !ret->digest)
                return broken(error, "the manifest's %s has no %s", where,
                              ret->digest ? "mediaType" : "digest");
        if (!digest_parse(ret->digest, NULL))
                return broken(error, "unexpected digest reference %s: %s", ret->digest,
                              digest_problem(ret->digest));
        if (!json_get_uint(json_object_object_get(json, "size"), JSON_INTEGER_MAX, &size))
                return broken(error, "the manifest's %s has no size, or one that is no size", where);
        ret->size = (int64_t)size;
        return 0;
}

static int parse_entries(struct manifest *manifest, const char *key, struct cip_error *error)
{
        struct json_object *array = json_object_object_get(manifest->json, key);

        if (!array)
                return 0; /* null is an empty array to Go, and so is no member */
        if (!json_object_is_type(array, json_type_array))
                return broken(error, "the manifest's %s is not an array", key);
        manifest->entries = calloc(json_object_array_length(array) + 1, sizeof(*manifest->entries));
        if (!manifest->entries)
                return no_memory(error);
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                char where[64];
                int r;

                snprintf(where, sizeof(where), "%s[%zu]", key, i);
                r = parse_content(json_object_array_get_idx(array, i), where,
                                  &manifest->entries[manifest->n_entries++], error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- telling kinds apart ---- */

static bool has(const struct manifest *manifest, const char *key)
{
        return json_object_object_get_ex(manifest->json, key, NULL);
}

/* Without a mediaType, as OCI allows. */
static int guess_kind(const struct manifest *manifest, uint64_t schema, enum manifest_kind *ret,
                      struct cip_error *error)
{
        struct json_object *config = json_object_object_get(manifest->json, "config"), *type = NULL;

        if (schema == 1) {
                *ret = MANIFEST_DOCKER_1;
        } else if (has(manifest, "manifests")) {
                *ret = MANIFEST_OCI_INDEX;
        } else if (json_object_is_type(config, json_type_object)) {
                type = json_object_object_get(config, "mediaType");
                *ret = json_object_is_type(type, json_type_string) &&
                                       strcmp(json_object_get_string(type), MEDIA_DOCKER_CONFIG) == 0
                               ? MANIFEST_DOCKER
                               : MANIFEST_OCI;
        } else {
                return broken(error,
                              "neither a manifest nor a list of manifests: it has no config and no manifests");
        }
        return 0;
}

static int find_kind(const struct manifest *manifest, enum manifest_kind *ret, struct cip_error *error)
{
        struct json_object *schema_json = json_object_object_get(manifest->json, "schemaVersion");
        CLEANUP(cleanup_free) char *media_type = NULL;
        uint64_t schema;
        int r = get_string(manifest->json, "mediaType", &media_type, error);

        if (r < 0)
                return r;
        if (!json_get_uint(schema_json, 2, &schema) || schema == 0)
                return broken(error, "the manifest's schemaVersion is neither 1 nor 2");
        if (!media_type || !*media_type)
                return guess_kind(manifest, schema, ret, error);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                if (strcmp(kinds[i].media_type, media_type) == 0) {
                        *ret = kinds[i].kind;
                        return 0;
                }
        }
        return broken(error, "unsupported manifest MIME type: %s", media_type);
}

static bool is_list(const struct manifest *manifest)
{
        return manifest->kind == MANIFEST_OCI_INDEX || manifest->kind == MANIFEST_DOCKER_LIST;
}

/* A text that another reader might take for something else could make two readers see two images. */
static int refuse_ambiguous(const struct manifest *manifest, struct cip_error *error)
{
        static const char *const image_members[] = {"config", "layers", "fsLayers", "history", NULL};
        static const char *const list_members[] = {"manifests", "fsLayers", "history", NULL};
        const char *const *unwanted = is_list(manifest) ? image_members : list_members;

        for (; *unwanted; unwanted++) {
                if (has(manifest, *unwanted))
                        return broken(error, "rejecting ambiguous manifest, unexpected field: %s", *unwanted);
        }
        return 0;
}

static int parse_members(struct manifest *manifest, struct cip_error *error)
{
        int r = find_kind(manifest, &manifest->kind, error);

        if (r < 0 || manifest->kind == MANIFEST_DOCKER_1)
                return r;
        r = refuse_ambiguous(manifest, error);
        if (r < 0)
                return r;
        if (is_list(manifest))
                return parse_entries(manifest, "manifests", error);
        r = parse_content(json_object_object_get(manifest->json, "config"), "config", &manifest->config, error);
        return r < 0 ? r : parse_entries(manifest, "layers", error);
}

int manifest_parse(const char *data, size_t len, struct manifest **ret, struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = calloc(1, sizeof(*manifest));
        int r;

        if (!manifest)
                return no_memory(error);
        r = json_parse(data, len, MANIFEST_DEPTH, &manifest->json, error);
        if (r == -EBADMSG && error)
                error->error_class = CIP_ERROR_LOCAL;
        if (r < 0)
                return r;
        if (!json_object_is_type(manifest->json, json_type_object))
                return broken(error, "the manifest is not a JSON object");
        r = parse_members(manifest, error);
        if (r < 0)
                return r;
        *ret = STEAL(manifest);
        return 0;
}

void manifest_free(struct manifest *manifest)
{
        if (!manifest)
                return;
        for (size_t i = 0; i < manifest->n_entries; i++)
                content_clear(&manifest->entries[i]);
        free(manifest->entries);
        content_clear(&manifest->config);
        json_object_put(manifest->json);
        free(manifest);
}

/* ---- docker's schema 2 as OCI ---- */

/* What has no row cannot be converted. */
static const struct {
        const char *docker, *oci;
} layer_types[] = {
        {MEDIA_DOCKER_LAYER, MEDIA_OCI_LAYER},
        {MEDIA_DOCKER_LAYER_GZIP, MEDIA_OCI_LAYER_GZIP},
        {MEDIA_DOCKER_LAYER ".zstd", MEDIA_OCI_LAYER_ZSTD}, /* skopeo before 1.19 refuses it */
        {"application/vnd.docker.image.rootfs.foreign.diff.tar",
         "application/vnd.oci.image.layer.nondistributable.v1.tar"},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
};

static int add_string(struct json_object *object, const char *key, const char *text)
{
        struct json_object *value = json_object_new_string(text);

        if (!value || json_object_object_add(object, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int add_object(struct json_object *object, const char *key, struct json_object *take_value)
{
        if (!take_value || json_object_object_add(object, key, take_value) < 0) {
                json_object_put(take_value);
                return -ENOMEM;
        }
        return 0;
}

static struct json_object *format_content(const char *media_type, const char *digest, int64_t size)
{
        CLEANUP(cleanup_json) struct json_object *json = json_object_new_object();

        if (!json || add_string(json, "mediaType", media_type) < 0 || add_string(json, "digest", digest) < 0 ||
            add_object(json, "size", json_object_new_int64(size)) < 0)
                return NULL;
        return STEAL(json);
}

/* The one member of docker's descriptors that is carried over. */
static int copy_urls(const struct manifest *manifest, size_t i, struct json_object *layer,
                     struct cip_error *error)
{
        struct json_object *layers = json_object_object_get(manifest->json, "layers");
        struct json_object *urls = json_object_object_get(json_object_array_get_idx(layers, i), "urls");

        if (!urls)
                return 0;
        if (!json_object_is_type(urls, json_type_array))
                return broken(error, "the manifest's urls of layer %zu are not an array", i);
        for (size_t u = 0; u < json_object_array_length(urls); u++) {
                if (!json_object_is_type(json_object_array_get_idx(urls, u), json_type_string))
                        return broken(error, "the manifest's urls of layer %zu are not all strings", i);
        }
        if (json_object_array_length(urls) == 0)
                return 0;
        return add_object(layer, "urls", json_object_get(urls)) < 0 ? no_memory(error) : 0;
}

static int convert_layer(const struct manifest *manifest, size_t i, struct json_object *layers,
                         struct cip_error *error)
{
        const struct content *from = &manifest->entries[i];
        CLEANUP(cleanup_json) struct json_object *layer = NULL;
        const char *type = NULL;
        int r;

        for (size_t t = 0; t < ARRAY_SIZE(layer_types); t++) {
                if (strcmp(layer_types[t].docker, from->media_type) == 0)
                        type = layer_types[t].oci;
        }
        if (!type)
                return local_error(error, -ENOTSUP, "unsupported docker v2s2 media type: \"%s\"",
                                   from->media_type);
        layer = format_content(type, from->digest, from->size);
        if (!layer)
                return no_memory(error);
        r = copy_urls(manifest, i, layer, error);
        if (r < 0)
                return r;
        if (json_object_array_add(layers, layer) < 0)
                return no_memory(error);
        (void)STEAL(layer);
        return 0;
}

static int convert_docker(const struct manifest *manifest, const char *config_digest, int64_t config_size,
                          char **ret, size_t *ret_len, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *json = json_object_new_object();
        CLEANUP(cleanup_json) struct json_object *layers = json_object_new_array();

        if (!json || !layers || add_object(json, "schemaVersion", json_object_new_int(2)) < 0 ||
            add_string(json, "mediaType", MEDIA_OCI_MANIFEST) < 0 ||
            add_object(json, "config", format_content(MEDIA_OCI_CONFIG, config_digest, config_size)) < 0)
                return no_memory(error);
        for (size_t i = 0; i < manifest->n_entries; i++) {
                int r = convert_layer(manifest, i, layers, error);

                if (r < 0)
                        return r;
        }
        if (add_object(json, "layers", STEAL(layers)) < 0 || json_format_go(json, ret, ret_len) < 0)
                return no_memory(error);
        return 0;
}

int manifest_to_oci_with_config(const struct manifest *manifest, const char *data, size_t len,
                                const char *config, size_t config_len, char **ret, size_t *ret_len,
                                struct cip_error *error)
{
        CLEANUP(cleanup_free) char *converted = NULL;
        char digest[DIGEST_TEXT_SIZE];
        size_t converted_len;
        int r;

        switch (manifest->kind) {
        case MANIFEST_OCI:
                *ret = malloc(len + 1);
                if (!*ret)
                        return no_memory(error);
                memcpy(*ret, data, len);
                (*ret)[len] = '\0';
                *ret_len = len;
                return 0;
        case MANIFEST_DOCKER:
                break;
        default:
                return local_error(error, -ENOTSUP, "unsupported %smanifest MIME type: %s",
                                   manifest->kind == MANIFEST_DOCKER_1 ? "legacy " : "",
                                   manifest_kind_media_type(manifest->kind));
        }
        if (!config)
                return convert_docker(manifest, manifest->config.digest, manifest->config.size, ret, ret_len,
                                      error);
        r = config_to_oci(config, config_len, false, &converted, &converted_len, error);
        if (r < 0)
                return r;
        if (digest_of(DIGEST_SHA256, converted, converted_len, digest) < 0)
                return no_memory(error);
        return convert_docker(manifest, digest, (int64_t)converted_len, ret, ret_len, error);
}

int manifest_to_oci(const struct manifest *manifest, const char *data, size_t len, char **ret, size_t *ret_len,
                    struct cip_error *error)
{
        return manifest_to_oci_with_config(manifest, data, len, NULL, 0, ret, ret_len, error);
}

/* ---- picking a platform ---- */

/* This machine's, as Go names it when it is compiled for it. */
static const char machine_architecture[] =
#if defined(__x86_64__)
        "amd64";
#elif defined(__aarch64__)
        "arm64";
#elif defined(__i386__)
        "386";
#elif defined(__arm__)
        "arm";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
        "ppc64le";
#elif defined(__powerpc64__)
        "ppc64";
#elif defined(__s390x__)
        "s390x";
#elif defined(__riscv)
        "riscv64";
#elif defined(__loongarch__)
        "loong64";
#elif defined(__mips64)
        "mips64le";
#else
        "unknown";
#endif

/* The variants of an architecture, best first: each also runs what is for those behind it. */
static const struct {
        const char *architecture;
        const char *variants[5];
} compatibility[] = {
        {"arm", {"v8", "v7", "v6", "v5"}},
        {"arm64", {"v8"}},
};

/* What this machine is, where architectures have variants. */
static const char *machine_variant(void)
{
        struct utsname name;

        if (strcmp(machine_architecture, "arm64") == 0)
                return "v8";
        if (strcmp(machine_architecture, "arm") != 0 || uname(&name) < 0)
                return "";
        return strncmp(name.machine, "armv6", 5) == 0   ? "v6"
               : strncmp(name.machine, "armv5", 5) == 0 ? "v5"
               : strncmp(name.machine, "armv7", 5) == 0 ? "v7"
                                                        : "v8";
}

static const char *const *compatible_variants(const char *architecture)
{
        static const char *const none[] = {NULL};

        for (size_t i = 0; i < ARRAY_SIZE(compatibility); i++) {
                if (strcmp(compatibility[i].architecture, architecture) == 0)
                        return compatibility[i].variants;
        }
        return none;
}

#define WANTED_MAX 8

/* The variants that will do, best first. Returns how many. */
static size_t wanted_variants(const char *architecture, const char *variant, const char *ret[WANTED_MAX])
{
        const char *const *known = compatible_variants(architecture);
        size_t n = 0;

        if (!*variant) {
                ret[n++] = "";
        } else {
                while (*known && strcmp(*known, variant) != 0)
                        known++;
                if (!*known)
                        ret[n++] = variant;
        }
        while (*known)
                ret[n++] = *known++;
        if (*variant)
                ret[n++] = "";
        return n;
}

static bool matches(const struct content *entry, const char *architecture, const char *os, const char *variant)
{
        return entry->architecture && entry->os && strcmp(entry->architecture, architecture) == 0 &&
               strcmp(entry->os, os) == 0 && strcmp(entry->variant ? entry->variant : "", variant) == 0;
}

int manifest_pick(const struct manifest *list, const struct platform *platform, const struct content **ret,
                  struct cip_error *error)
{
        const char *architecture = platform ? platform->architecture : NULL;
        const char *os = platform && platform->os ? platform->os : "linux";
        const char *variant = platform ? platform->variant : NULL;
        const char *wanted[WANTED_MAX];
        size_t n;

        if (!variant)
                variant = architecture ? "" : machine_variant();
        if (!architecture)
                architecture = machine_architecture;
        n = wanted_variants(architecture, variant, wanted);
        for (size_t w = 0; w < n; w++) {
                for (size_t i = 0; i < list->n_entries; i++) {
                        if (matches(&list->entries[i], architecture, os, wanted[w])) {
                                *ret = &list->entries[i];
                                return 0;
                        }
                }
        }
        /* An index may leave platforms out; a docker list may not. */
        for (size_t i = 0; list->kind == MANIFEST_OCI_INDEX && i < list->n_entries; i++) {
                if (!list->entries[i].architecture && !list->entries[i].os) {
                        *ret = &list->entries[i];
                        return 0;
                }
        }
        return local_error(
                error, -ENOENT, "no image found in %s for architecture \"%s\", variant \"%s\", OS \"%s\"",
                list->kind == MANIFEST_OCI_INDEX ? "image index" : "manifest list", architecture, variant, os);
}
