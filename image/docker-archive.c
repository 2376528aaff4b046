/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker-archive: images. The archive is read anew for each thing that is asked for, from front to back, so
 * that it costs neither memory nor disk to have it open; a blob is copied into a file without a name, as the
 * pipes of a server want files. The messages are those of servers.
 */
#include "image/docker-archive.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "image/config.h"
#include "image/digest.h"
#include "image/local-error.h"
#include "image/manifest.h"
#include "image/tarfile.h"
#include "protocol/message.h"

#define MANIFEST_JSON "manifest.json"
#define MANIFEST_JSON_MAX ((size_t)1024 * 1024)
#define JSON_DEPTH 100

struct layer {
        char *digest; /* borrowed from the config: of the layer when not compressed */
        char *path;   /* in the archive. Owned */
        uint64_t size;
        bool found;
};

struct docker_archive {
        char *path;
        char *reference; /* in full; NULL: none */
        int64_t index;   /* -1: none */
        struct json_object *items;
        unsigned quirks;

        /* Filled in by docker_archive_load. */
        char *manifest; /* NULL before */
        size_t manifest_len;
        char *config;
        size_t config_len;
        char config_digest[DIGEST_TEXT_SIZE];
        struct json_object *config_json;
        struct layer *layers; /* as many as the config has diff_ids */
        size_t n_layers;
};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for an archive's image");
}

/* ---- references ---- */

static bool is_lower_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Path components of lower case letters and digits, with ".", "_", "__" or dashes within. */
static bool is_repository(const char *text, size_t len)
{
        for (size_t i = 0; i < len;) {
                size_t start;

                if (!is_lower_alnum(text[i]))
                        return false;
                while (i < len && is_lower_alnum(text[i]))
                        i++;
                if (i == len)
                        return true;
                start = i;
                if (text[i] == '/' || text[i] == '.') {
                        i++;
                } else if (text[i] == '-') {
                        while (i < len && text[i] == '-')
                                i++;
                } else {
                        while (i < len && text[i] == '_')
                                i++;
                        if (i == start || i - start > 2)
                                return false;
                }
        }
        return false;
}

static bool is_tag(const char *text)
{
        size_t len = strlen(text);

        if (len == 0 || len > 128 || !(isalnum((unsigned char)*text) || *text == '_'))
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && !strchr("_.-", *text))
                        return false;
        return true;
}

/* Names with dots, and a port. */
static bool is_domain(const char *text, size_t len)
{
        size_t name = 0;

        while (name < len && text[name] != ':')
                name++;
        for (size_t i = 0; i < name; i++)
                if (!isalnum((unsigned char)text[i]) &&
                    (!strchr("-.", text[i]) || i == 0 || i + 1 == name || text[i - 1] == '.'))
                        return false;
        for (size_t i = name + 1; i < len; i++)
                if (!isdigit((unsigned char)text[i]))
                        return false;
        return name > 0 && name + 1 != len;
}

/* The length of the registry's name in front of the first slash; 0: there is none, docker's is meant. */
static size_t domain_length(const char *text)
{
        const char *slash = strchr(text, '/');
        size_t len = slash ? (size_t)(slash - text) : 0;
        bool is_one = len == strlen("localhost") && !strncmp(text, "localhost", len);

        for (size_t i = 0; i < len && !is_one; i++)
                is_one = text[i] == '.' || text[i] == ':';
        return is_one ? len : 0;
}

int docker_reference_normalize(const char *text, char **ret, struct cip_error *error)
{
        static const char parsing[] = "docker-archive parsing reference";
        size_t domain_len = domain_length(text), len;
        const char *rest = text + domain_len + (domain_len > 0), *domain = text, *library = "", *tag;
        const char *at = strchr(rest, '@');

        if (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64)
                return local_error(
                        error, -EINVAL,
                        "%s: invalid repository name (%s), cannot specify 64-byte hexadecimal strings", parsing,
                        text);
        if (domain_len == 0 || (domain_len == 15 && !strncmp(text, "index.docker.io", 15))) {
                domain = "docker.io";
                domain_len = strlen(domain);
        }
        if (domain_len == 9 && !strncmp(domain, "docker.io", 9) && !strchr(rest, '/'))
                library = "library/";
        len = strcspn(rest, ":@");
        for (size_t i = 0; i < len; i++)
                if (isupper((unsigned char)rest[i]))
                        return local_error(error, -EINVAL,
                                           "%s: invalid reference format: repository name must be lowercase",
                                           parsing);
        tag = rest[len] == ':' ? rest + len + 1 : "latest";
        if (!is_domain(domain, domain_len) || !is_repository(rest, len) ||
            (at ? !digest_parse(at + 1, NULL) : !is_tag(tag)))
                return local_error(error, -EINVAL, "%s: invalid reference format", parsing);
        if (at)
                return local_error(error, -EINVAL, "%s: %.*s/%s%s",
                                   rest + len == at ? "reference does not include a tag"
                                                    : "docker-archive doesn't support digest references",
                                   (int)domain_len, domain, library, rest);
        if (asprintf(ret, "%.*s/%s%.*s:%s", (int)domain_len, domain, library, (int)len, rest, tag) < 0) {
                *ret = NULL;
                return no_memory(error);
        }
        return 0;
}

static int parse_index(struct docker_archive *archive, const char *text, struct cip_error *error)
{
        const char *digits = text + 1 + (text[1] == '-' || text[1] == '+');
        size_t len = strspn(digits, "0123456789");

        if (len == 0 || digits[len])
                return local_error(error, -EINVAL,
                                   "Invalid source index %s: strconv.Atoi: parsing \"%s\": invalid syntax",
                                   text, text + 1);
        if (len > 18)
                return local_error(error, -EINVAL,
                                   "Invalid source index %s: strconv.Atoi: parsing \"%s\": value out of range",
                                   text, text + 1);
        archive->index = strtoll(text + 1, NULL, 10);
        if (archive->index < 0)
                return local_error(error, -EINVAL, "Invalid source index @%" PRId64 ": must not be negative",
                                   archive->index);
        return 0;
}

static int parse_reference(struct docker_archive *archive, const char *text, struct cip_error *error)
{
        size_t len = strcspn(text, ":");

        archive->index = -1;
        if (!*text)
                return local_error(error, -EINVAL,
                                   "docker-archive reference  isn't of the form <path>[:<reference>]");
        archive->path = strndup(text, len);
        if (!archive->path)
                return no_memory(error);
        if (!text[len])
                return 0;
        return text[len + 1] == '@' ? parse_index(archive, text + len + 1, error)
                                    : docker_reference_normalize(text + len + 1, &archive->reference, error);
}

/* ---- looking things up ---- */

static int open_file(const struct docker_archive *archive, struct tarfile_reader **ret, struct cip_error *error)
{
        int r = tarfile_reader_new(archive->path, ret);
        const char *text = r < 0 ? strerrordesc_np(-r) : NULL;

        if (r == -EISDIR)
                return local_error(error, r,
                                   "detecting compression for file \"%s\": detecting compression: read %s: is "
                                   "a directory",
                                   archive->path, archive->path);
        if (r < 0)
                return local_error(error, r, "opening file \"%s\": open %s: %c%s", archive->path, archive->path,
                                   text && *text ? text[0] | 0x20 : 'e', text && *text ? text + 1 : "rror");
        return 0;
}

/* Goes to the first entry of that name. 1; 0: there is none. */
static int find_entry(struct tarfile_reader *reader, const char *clean, struct tarfile_item *ret,
                      struct cip_error *error)
{
        int r;

        while ((r = tarfile_reader_next(reader, ret, error)) == 1)
                if (!strcmp(ret->clean, clean))
                        return 1;
        return r;
}

/*
 * Where a symbolic link in the archive leads to, as a name in the archive. The caller frees. NULL: no memory.
 */
static char *link_target(const struct tarfile_item *item)
{
        const char *slash = strrchr(item->clean, '/');
        char *joined CLEANUP(cleanup_free) = NULL;

        if (asprintf(&joined, "%.*s/%s", slash ? (int)(slash - item->clean) : 0, item->clean, item->target) < 0)
                return NULL;
        return tarfile_clean_name(joined);
}

/*
 * Goes to the data of a name, through one symbolic link at most: servers compare the name that it leads to with
 * those in the archive, and so does this. Opens the archive anew.
 */
static int find_data(const struct docker_archive *archive, const char *name, struct tarfile_reader **ret,
                     struct cip_error *error)
{
        struct tarfile_reader *reader CLEANUP(cleanup_tarfile_reader_free) = NULL;
        char *wanted CLEANUP(cleanup_free) = tarfile_clean_name(name);
        struct tarfile_item item = {.kind = TARFILE_OTHER};
        int r = wanted ? 1 : no_memory(error);

        for (int links = 0; r == 1; links++) {
                tarfile_reader_free(STEAL(reader));
                r = open_file(archive, &reader, error);
                if (r == 0)
                        r = find_entry(reader, wanted, &item, error);
                if (r != 1 || item.kind != TARFILE_LINK || links == 1)
                        break;
                free(wanted);
                wanted = link_target(&item);
                if (!wanted)
                        return no_memory(error);
        }
        if (r == 0)
                return local_error(error, -EBADMSG, "file does not exist");
        if (r < 0)
                return r;
        /* To servers a hard link is an empty file. */
        if (item.kind != TARFILE_FILE && item.kind != TARFILE_HARD_LINK)
                return local_error(error, -EBADMSG,
                                   "Error reading tar archive component \"%s\": not a regular file", item.name);
        *ret = STEAL(reader);
        return 0;
}

static int read_component(const struct docker_archive *archive, const char *name, size_t max, char **ret,
                          size_t *ret_len, struct cip_error *error)
{
        struct tarfile_reader *reader CLEANUP(cleanup_tarfile_reader_free) = NULL;
        int r = find_data(archive, name, &reader, error);

        /* What is wrong with the file itself needs no name of a part. */
        if (r < 0 && r != -EBADMSG)
                return r;
        if (r == 0)
                r = tarfile_reader_read(reader, max, ret, ret_len, error);
        if (r < 0)
                error_prefix(error, "loading tar component \"%s\"", name);
        return r == -EFBIG ? -EBADMSG : r;
}

/* ---- opening ---- */

static int parse_json(const char *text, size_t len, const char *what, struct json_object **ret,
                      struct cip_error *error)
{
        int r = json_parse(text, len, JSON_DEPTH, ret, error);

        if (r < 0 && error) {
                error->error_class = CIP_ERROR_LOCAL;
                error_prefix(error, "decoding tar %s", what);
        }
        return r;
}

static int read_items(struct docker_archive *archive, struct cip_error *error)
{
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;
        int r = read_component(archive, MANIFEST_JSON, MANIFEST_JSON_MAX, &text, &len, error);

        if (r == 0)
                r = parse_json(text, len, MANIFEST_JSON, &archive->items, error);
        if (r == 0 && archive->items && !json_object_is_type(archive->items, json_type_array))
                r = local_error(error, -EBADMSG,
                                "decoding tar manifest.json: json: cannot unmarshal %s into Go value of type "
                                "[]tarfile.ManifestItem",
                                json_type_to_name(json_object_get_type(archive->items)));
        return r;
}

int docker_archive_open(const char *text, struct docker_archive **ret, struct cip_error *error)
{
        struct docker_archive *archive CLEANUP(cleanup_docker_archive_free) = calloc(1, sizeof(*archive));
        int r = archive ? parse_reference(archive, text, error) : no_memory(error);

        if (r == 0)
                r = read_items(archive, error);
        if (r == 0)
                *ret = STEAL(archive);
        return r;
}

void docker_archive_set_quirks(struct docker_archive *archive, unsigned quirks)
{
        archive->quirks = quirks;
}

static void forget_image(struct docker_archive *archive)
{
        for (size_t i = 0; i < archive->n_layers; i++)
                free(archive->layers[i].path);
        free(STEAL(archive->layers));
        archive->n_layers = 0;
        json_object_put(STEAL(archive->config_json));
        free(STEAL(archive->config));
        free(STEAL(archive->manifest));
}

void docker_archive_free(struct docker_archive *archive)
{
        if (!archive)
                return;
        forget_image(archive);
        json_object_put(archive->items);
        free(archive->reference);
        free(archive->path);
        free(archive);
}

/* ---- picking an image ---- */

static struct json_object *member(struct json_object *object, const char *name, enum json_type type)
{
        struct json_object *value;

        return json_object_is_type(object, json_type_object) &&
                               json_object_object_get_ex(object, name, &value) &&
                               json_object_is_type(value, type)
                       ? value
                       : NULL;
}

static size_t length_of(struct json_object *array)
{
        return array ? json_object_array_length(array) : 0;
}

/* Whether an item has the wanted name. 1, 0, or a negative errno for a name that is none. */
static int has_reference(const struct docker_archive *archive, struct json_object *item, size_t number,
                         struct cip_error *error)
{
        struct json_object *tags = member(item, "RepoTags", json_type_array);

        for (size_t i = 0; i < length_of(tags); i++) {
                const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));
                char *full CLEANUP(cleanup_free) = NULL;
                struct cip_error why = {0};
                const char *behind;
                int r = tag ? docker_reference_normalize(tag, &full, &why) : -EINVAL;

                if (r == -ENOMEM)
                        return no_memory(error);
                if (r < 0) {
                        behind = strstr(why.message, ": ");
                        return local_error(error, -EBADMSG, "Invalid tag \"%s\" in manifest.json item @%zu%s",
                                           tag ? tag : "", number, behind ? behind : "");
                }
                if (!strcmp(full, archive->reference))
                        return 1;
        }
        return 0;
}

static int pick_item(const struct docker_archive *archive, struct json_object **ret, struct cip_error *error)
{
        size_t n = length_of(archive->items), found = 0;
        int r = 0;

        if (archive->reference) {
                for (; found < n && r == 0; found += r == 0)
                        r = has_reference(archive, json_object_array_get_idx(archive->items, found), found,
                                          error);
                if (r == 0)
                        r = local_error(error, -ENOENT, "Tag \"%s\" not found", archive->reference);
        } else if (archive->index >= 0) {
                found = (size_t)archive->index;
                if (found >= n)
                        r = local_error(error, -ENOENT,
                                        "Invalid source index @%zu, only %zu manifest items available", found,
                                        n);
        } else if (n != 1) {
                r = local_error(error, n == 0 ? -EBADMSG : -EINVAL,
                                "Unexpected tar manifest.json: expected 1 item, got %zu", n);
        }
        if (r < 0)
                return r;
        *ret = json_object_array_get_idx(archive->items, found);
        return 0;
}

/* ---- its config and layers ---- */

static int read_config(struct docker_archive *archive, struct json_object *item, struct cip_error *error)
{
        const char *name = json_object_get_string(member(item, "Config", json_type_string));
        char what[256];
        int r;

        if (!name)
                name = "";
        r = read_component(archive, name, MANIFEST_MAX, &archive->config, &archive->config_len, error);
        if (r < 0)
                return r;
        if (digest_of(DIGEST_SHA256, archive->config, archive->config_len, archive->config_digest) < 0)
                return no_memory(error);
        snprintf(what, sizeof(what), "config \"%.200s\"", name);
        r = parse_json(archive->config, archive->config_len, what, &archive->config_json, error);
        if (r == 0 && !json_object_is_type(archive->config_json, json_type_object))
                r = local_error(error, -EBADMSG,
                                "decoding tar %s: json: cannot unmarshal %s into Go value of type "
                                "manifest.Schema2Image",
                                what, json_type_to_name(json_object_get_type(archive->config_json)));
        return r;
}

static struct layer *layer_of(const struct docker_archive *archive, size_t n, const char *digest)
{
        for (size_t i = 0; i < n; i++)
                if (!strcmp(archive->layers[i].digest, digest))
                        return &archive->layers[i];
        return NULL;
}

static int add_layer(struct docker_archive *archive, struct json_object *digest, struct json_object *path,
                     struct cip_error *error)
{
        char *text = (char *)(uintptr_t)json_object_get_string(digest);
        struct layer *layer = &archive->layers[archive->n_layers];
        struct layer *same;

        if (!json_object_is_type(digest, json_type_string) || !digest_parse(text, NULL) ||
            !json_object_is_type(path, json_type_string))
                return local_error(error, -EBADMSG, "a layer's digest or path is none");
        layer->digest = text;
        layer->path = tarfile_clean_name(json_object_get_string(path));
        if (!layer->path)
                return no_memory(error);
        same = layer_of(archive, archive->n_layers, text);
        for (size_t i = 0; i < archive->n_layers && !same; i++) {
                if (strcmp(archive->layers[i].path, layer->path) != 0)
                        continue;
                local_error(error, -EBADMSG, "Layer tarfile \"%s\" used for two different DiffID values",
                            layer->path);
                free(STEAL(layer->path));
                return -EBADMSG;
        }
        archive->n_layers++;
        return 0;
}

static int list_layers(struct docker_archive *archive, struct json_object *item, struct cip_error *error)
{
        struct json_object *rootfs = member(archive->config_json, "rootfs", json_type_object);
        struct json_object *digests = member(rootfs, "diff_ids", json_type_array);
        struct json_object *paths = member(item, "Layers", json_type_array);
        size_t n = length_of(digests);
        int r = 0;

        if (length_of(paths) != n)
                return local_error(error, -EBADMSG, "Inconsistent layer count: %zu in manifest, %zu in config",
                                   length_of(paths), n);
        archive->layers = calloc(n + 1, sizeof(*archive->layers));
        if (!archive->layers)
                return no_memory(error);
        for (size_t i = 0; i < n && r == 0; i++)
                r = add_layer(archive, json_object_array_get_idx(digests, i),
                              json_object_array_get_idx(paths, i), error);
        return r;
}

/* The layer that a file of the archive is, and that is not measured yet. Of equal layers the first counts. */
static struct layer *unmeasured(const struct docker_archive *archive, const char *path)
{
        for (size_t i = 0; i < archive->n_layers; i++) {
                struct layer *layer = &archive->layers[i];

                if (!layer->found && layer->path && !strcmp(layer->path, path) &&
                    layer_of(archive, i, layer->digest) == NULL)
                        return layer;
        }
        return NULL;
}

static int measure_link(const struct docker_archive *archive, struct layer *layer, struct cip_error *error)
{
        struct tarfile_reader *reader CLEANUP(cleanup_tarfile_reader_free) = NULL;
        bool empty = archive->quirks & DOCKER_ARCHIVE_EMPTY_LINKS;
        int r = empty ? 0 : find_data(archive, layer->path, &reader, error);

        return r < 0 || !reader ? r : tarfile_reader_copy(reader, -1, true, &layer->size, error);
}

static int measure_layers(struct docker_archive *archive, struct cip_error *error)
{
        struct tarfile_reader *reader CLEANUP(cleanup_tarfile_reader_free) = NULL;
        struct tarfile_item item;
        int r = open_file(archive, &reader, error);

        if (r < 0)
                return r;
        while ((r = tarfile_reader_next(reader, &item, error)) == 1) {
                struct layer *layer = unmeasured(archive, item.clean);

                if (!layer)
                        continue;
                layer->found = true;
                r = item.kind == TARFILE_FILE   ? tarfile_reader_copy(reader, -1, true, &layer->size, error)
                    : item.kind == TARFILE_LINK ? measure_link(archive, layer, error)
                                                : 0;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < archive->n_layers && r == 0; i++)
                if (!layer_of(archive, archive->n_layers, archive->layers[i].digest)->found)
                        r = local_error(error, -EBADMSG, "Some layer tarfiles are missing in the tarball");
        return r;
}

/* ---- the manifest ---- */

/* In the order of members that servers have. */
static void print_content(FILE *to, const char *type, uint64_t size, const char *digest)
{
        fprintf(to, "{\"mediaType\":\"%s\",\"size\":%" PRIu64 ",\"digest\":\"%s\"}", type, size, digest);
}

static int make_manifest(struct docker_archive *archive, struct cip_error *error)
{
        const char *type =
                archive->quirks & DOCKER_ARCHIVE_SAYS_GZIP ? MEDIA_DOCKER_LAYER_GZIP : MEDIA_DOCKER_LAYER;
        char *text = NULL;
        FILE *to = open_memstream(&text, &archive->manifest_len);

        if (!to)
                return no_memory(error);
        fprintf(to, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":", MEDIA_DOCKER_MANIFEST);
        print_content(to, MEDIA_DOCKER_CONFIG, archive->config_len, archive->config_digest);
        fputs(",\"layers\":[", to);
        for (size_t i = 0; i < archive->n_layers; i++) {
                const struct layer *layer = layer_of(archive, archive->n_layers, archive->layers[i].digest);

                fputs(i ? "," : "", to);
                print_content(to, type, layer->size, layer->digest);
        }
        fputs("]}", to);
        if (fclose(to) != 0 || !text) {
                free(text);
                return no_memory(error);
        }
        archive->manifest = text;
        return 0;
}

int docker_archive_load(struct docker_archive *archive, const char **ret, size_t *ret_len,
                        struct cip_error *error)
{
        struct json_object *item = NULL;
        int r = 0;

        if (!archive->manifest) {
                r = pick_item(archive, &item, error);
                if (r == 0)
                        r = read_config(archive, item, error);
                if (r == 0)
                        r = list_layers(archive, item, error);
                if (r == 0)
                        r = measure_layers(archive, error);
                if (r == 0)
                        r = make_manifest(archive, error);
                if (r < 0)
                        forget_image(archive);
        }
        if (r < 0)
                return r;
        *ret = archive->manifest;
        *ret_len = archive->manifest_len;
        return 0;
}

/* ---- blobs ---- */

static int copy_layer(const struct docker_archive *archive, const struct layer *layer, int fd,
                      struct cip_error *error)
{
        struct tarfile_reader *reader CLEANUP(cleanup_tarfile_reader_free) = NULL;
        uint64_t size;
        int r = find_data(archive, layer->path, &reader, error);

        return r < 0 ? r : tarfile_reader_copy(reader, fd, true, &size, error);
}

int docker_archive_open_blob(struct docker_archive *archive, const char *digest, int *ret_fd,
                             uint64_t *ret_size, struct cip_error *error)
{
        CLEANUP_FD int fd = -1;
        const struct layer *layer;
        const char *text;
        size_t len;
        int r = docker_archive_load(archive, &text, &len, error);
        bool is_config = r == 0 && !strcmp(digest, archive->config_digest);

        if (r < 0)
                return r;
        layer = layer_of(archive, archive->n_layers, digest);
        if (!layer && !is_config)
                return local_error(error, -ENOENT, "Unknown blob %s", digest);
        fd = tarfile_temporary_file();
        if (fd < 0)
                return local_errno(error, fd, "cannot make a temporary file");
        if (is_config) {
                r = write_all(fd, archive->config, archive->config_len);
                if (r < 0)
                        return local_errno(error, r, "cannot write a temporary file");
        } else {
                r = copy_layer(archive, layer, fd, error);
        }
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return local_errno(error, -errno, "cannot read a temporary file");
        if (ret_size)
                *ret_size = is_config ? archive->config_len : layer->size;
        *ret_fd = steal_fd(&fd);
        return 0;
}
