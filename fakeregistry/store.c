/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images of a registry. Each image of the config is a source (a layout on disk or a generated image) and a
 * few rows, one for each manifest that is reached from it: by its tags, by the lists among them, or by their
 * subject.
 */
#include "fakeregistry/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "image/fixture.h"
#include "image/layout.h"
#include "image/local-error.h"
#include "protocol/message.h"

/* Manifests in all: a layout that has more is a mistake or an attack. */
#define MANIFESTS_MAX 100000
#define INDEX_MAX ((size_t)16 * 1024 * 1024)

struct source {
        const struct registry_image *image;
        const char *folder; /* of the layout */
        char *temporary;    /* the same, if it is ours */
        struct layout *layout;
        struct generated *generated;
};

struct registry_store {
        pthread_mutex_t mutex; /* over the layouts, which open their folders when first needed */
        struct source *sources;
        size_t n_sources;
        struct registry_manifest *manifests;
        size_t n_manifests, allocated;
};

/* ---- content ---- */

void registry_content_clear(struct registry_content *content)
{
        free(content->text);
        fd_close(content->fd);
        *content = (struct registry_content){.fd = -1};
}

ssize_t registry_content_read(const struct registry_content *content, uint64_t offset, void *to, size_t len)
{
        ssize_t n = 0;

        if (content->text) {
                memcpy(to, content->text + offset, len);
                return (ssize_t)len;
        }
        if (content->blob)
                n = (ssize_t)generated_read(content->blob, offset, to, len);
        else if (content->fd >= 0)
                n = pread(content->fd, to, len, (off_t)offset);
        if (n < 0)
                return -errno;
        if (n == 0)
                memset(to, 0, len);
        return n ? n : (ssize_t)len;
}

/* ---- names ---- */

/* Letters, digits, and single separators between them: ".", "_", "__" and dashes. */
static bool component_is_good(const char *text, size_t len)
{
        bool after_letter = false;

        for (size_t i = 0; i < len; i++) {
                bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');

                if (!letter && (!after_letter || !strchr("._-", text[i])) &&
                    !(i > 0 && text[i] == text[i - 1] && strchr("_-", text[i])))
                        return false;
                after_letter = letter;
        }
        return after_letter;
}

bool registry_repository_is_good(const char *name)
{
        if (strlen(name) > 255)
                return false;
        for (;;) {
                size_t len = strcspn(name, "/");

                if (!component_is_good(name, len))
                        return false;
                if (!name[len])
                        return true;
                name += len + 1;
        }
}

bool registry_tag_is_good(const char *tag)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
        size_t len = strlen(tag);

        if (len < 1 || len > 128 || !strchr(letters, *tag))
                return false;
        for (size_t i = 1; i < len; i++)
                if (!strchr(letters, tag[i]) && tag[i] != '.' && tag[i] != '-')
                        return false;
        return true;
}

/* ---- looking for ---- */

static bool is_at(const char *own, const char *listener)
{
        return !own || !strcmp(own, listener);
}

static bool is_in(const struct registry_manifest *manifest, const char *repository, const char *listener)
{
        return !strcmp(manifest->repository, repository) && is_at(manifest->listener, listener);
}

bool registry_store_has(const struct registry_store *store, const char *repository, const char *listener)
{
        for (size_t i = 0; i < store->n_sources; i++)
                if (!strcmp(store->sources[i].image->repository, repository) &&
                    is_at(store->sources[i].image->listener, listener))
                        return true;
        return false;
}

const struct registry_manifest *registry_store_find(const struct registry_store *store, const char *repository,
                                                    const char *listener, const char *reference)
{
        bool by_digest = strchr(reference, ':') != NULL;

        for (size_t i = 0; i < store->n_manifests; i++) {
                const struct registry_manifest *manifest = &store->manifests[i];
                const char *name = by_digest ? manifest->digest : manifest->tag;

                if (name && !strcmp(name, reference) && is_in(manifest, repository, listener))
                        return manifest;
        }
        return NULL;
}

static int open_layout_blob(struct registry_store *store, const struct source *source, const char *digest,
                            struct registry_content *ret)
{
        struct registry_content content = {.fd = -1};
        int r;

        pthread_mutex_lock(&store->mutex);
        r = layout_open_blob(source->layout, digest, &content.fd, &content.size, NULL);
        pthread_mutex_unlock(&store->mutex);
        if (r == 0)
                *ret = content;
        return r;
}

/* The texts of a generated image. @text is copied. */
static int text_content(const char *text, size_t len, struct registry_content *ret)
{
        char *copy = malloc(len + 1);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, text, len);
        copy[len] = '\0';
        *ret = (struct registry_content){.text = copy, .fd = -1, .size = len};
        return 0;
}

int registry_store_open_manifest(struct registry_store *store, const struct registry_manifest *manifest,
                                 struct registry_content *ret)
{
        const struct source *source = &store->sources[manifest->source];
        const char *text;
        size_t len;

        if (source->layout)
                return open_layout_blob(store, source, manifest->digest, ret);
        text = generated_manifest(source->generated, &len);
        return text_content(text, len, ret);
}

static int open_generated_blob(const struct source *source, const char *digest, struct registry_content *ret)
{
        bool is_so;
        const struct generated_blob *blob = generated_find(source->generated, digest, &is_so);

        if (!blob)
                return -ENOENT;
        *ret = (struct registry_content){.fd = -1, .blob = blob, .size = generated_blob_size(blob)};
        return 0;
}

int registry_store_open_blob(struct registry_store *store, const char *repository, const char *listener,
                             const char *digest, struct registry_content *ret)
{
        if (!digest_parse(digest, NULL) || registry_store_find(store, repository, listener, digest))
                return -ENOENT;
        for (size_t i = 0; i < store->n_sources; i++) {
                const struct source *source = &store->sources[i];
                int r;

                if (strcmp(source->image->repository, repository) != 0 ||
                    !is_at(source->image->listener, listener))
                        continue;
                r = source->layout ? open_layout_blob(store, source, digest, ret)
                                   : open_generated_blob(source, digest, ret);
                if (r != -ENOENT)
                        return r;
        }
        return -ENOENT;
}

static int compare_texts(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int registry_store_tags(const struct registry_store *store, const char *repository, const char *listener,
                        const char *const **ret, size_t *ret_n)
{
        const char **tags = calloc(store->n_manifests + 1, sizeof(*tags));
        size_t n = 0, kept = 0;

        if (!tags)
                return -ENOMEM;
        for (size_t i = 0; i < store->n_manifests; i++)
                if (store->manifests[i].tag && is_in(&store->manifests[i], repository, listener))
                        tags[n++] = store->manifests[i].tag;
        qsort(tags, n, sizeof(*tags), compare_texts);
        for (size_t i = 0; i < n; i++)
                if (kept == 0 || strcmp(tags[kept - 1], tags[i]) != 0)
                        tags[kept++] = tags[i];
        *ret = tags;
        *ret_n = kept;
        return 0;
}

static struct json_object *descriptor_of(const struct registry_manifest *manifest)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "mediaType", json_object_new_string(manifest->media_type));
        json_add_member(object, "digest", json_object_new_string(manifest->digest));
        json_add_member(object, "size", json_object_new_int64(manifest->size));
        if (manifest->artifact_type)
                json_add_member(object, "artifactType", json_object_new_string(manifest->artifact_type));
        if (manifest->annotations)
                json_add_member(object, "annotations", json_object_get(manifest->annotations));
        return object;
}

struct json_object *registry_store_referrers(const struct registry_store *store, const char *repository,
                                             const char *listener, const char *digest,
                                             const char *artifact_type, size_t *ret_n)
{
        struct json_object *index = json_object_new_object(), *array = json_object_new_array();

        for (size_t i = 0; i < store->n_manifests; i++) {
                const struct registry_manifest *manifest = &store->manifests[i];

                if (!manifest->subject || strcmp(manifest->subject, digest) != 0 ||
                    !is_in(manifest, repository, listener) ||
                    registry_store_find(store, repository, listener, manifest->digest) != manifest)
                        continue;
                if (!artifact_type ||
                    (manifest->artifact_type && !strcmp(manifest->artifact_type, artifact_type)))
                        json_add_item(array, descriptor_of(manifest));
        }
        *ret_n = array ? json_object_array_length(array) : 0;
        json_add_member(index, "schemaVersion", json_object_new_int(2));
        json_add_member(index, "mediaType", json_object_new_string(MEDIA_OCI_INDEX));
        json_add_member(index, "manifests", array);
        return index;
}

/* ---- taking in ---- */

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for an image");
}

static void manifest_row_clear(struct registry_manifest *row)
{
        free(row->tag);
        free(row->digest);
        free(row->media_type);
        free(row->subject);
        free(row->artifact_type);
        json_object_put(row->annotations);
}

static const char *text_member(struct json_object *object, const char *key)
{
        struct json_object *value =
                json_object_is_type(object, json_type_object) ? json_object_object_get(object, key) : NULL;

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* What a manifest says of itself for the referrers API. */
static bool read_own_words(struct registry_manifest *row, const struct manifest *manifest)
{
        struct json_object *annotations = json_object_object_get(manifest->json, "annotations");
        const char *subject = text_member(json_object_object_get(manifest->json, "subject"), "digest");
        const char *type = text_member(manifest->json, "artifactType");

        if (!type)
                type = manifest->config.media_type;
        if (subject)
                row->subject = strdup(subject);
        if (type)
                row->artifact_type = strdup(type);
        if (json_object_is_type(annotations, json_type_object))
                row->annotations = json_object_get(annotations);
        return (!subject || row->subject) && (!type || row->artifact_type);
}

/* Adds a row; the strings are copied. */
static int add_row(struct registry_store *store, size_t source, const struct content *entry, const char *tag,
                   const struct manifest *manifest, struct cip_error *error)
{
        const struct registry_image *image = store->sources[source].image;
        struct registry_manifest row = {
                .repository = image->repository,
                .listener = image->listener,
                .source = source,
                .tag = tag ? strdup(tag) : NULL,
                .digest = strdup(entry->digest),
                .media_type = strdup(entry->media_type ? entry->media_type : MEDIA_OCI_MANIFEST),
                .size = entry->size,
        };

        if (store->n_manifests == store->allocated) {
                size_t wanted = store->allocated ? 2 * store->allocated : 16;
                struct registry_manifest *grown = reallocarray(store->manifests, wanted, sizeof(*grown));

                if (grown) {
                        store->manifests = grown;
                        store->allocated = wanted;
                }
        }
        if (store->n_manifests == store->allocated || (tag && !row.tag) || !row.digest || !row.media_type ||
            (manifest && !read_own_words(&row, manifest))) {
                manifest_row_clear(&row);
                return no_memory(error);
        }
        store->manifests[store->n_manifests++] = row;
        return 0;
}

/* The parsed manifest; NULL where it is missing or broken, which is served as it is. */
static struct manifest *read_manifest(struct registry_store *store, const struct source *source,
                                      const char *digest)
{
        struct registry_content content = {.fd = -1};
        CLEANUP(cleanup_free) char *text = NULL;
        struct manifest *manifest = NULL;
        size_t len;

        if (open_layout_blob(store, source, digest, &content) < 0)
                return NULL;
        if (read_to_end(content.fd, MANIFEST_MAX, DEADLINE_NEVER, &text, &len) == 0)
                (void)manifest_parse(text, len, &manifest, NULL);
        registry_content_clear(&content);
        return manifest;
}

/* Adds a manifest, and those of a list below it. */
static int add_manifest(struct registry_store *store, size_t source, const struct content *entry,
                        const char *tag, int depth, struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        bool is_list;
        int r;

        if (store->n_manifests >= MANIFESTS_MAX)
                return local_error(error, -E2BIG, "there are more than %d manifests", MANIFESTS_MAX);
        if (!entry->digest || !digest_parse(entry->digest, NULL))
                return 0;
        manifest = read_manifest(store, &store->sources[source], entry->digest);
        r = add_row(store, source, entry, tag, manifest, error);
        is_list = manifest && (manifest->kind == MANIFEST_OCI_INDEX || manifest->kind == MANIFEST_DOCKER_LIST);
        for (size_t i = 0; r == 0 && is_list && depth > 0 && i < manifest->n_entries; i++)
                r = add_manifest(store, source, &manifest->entries[i], NULL, depth - 1, error);
        return r;
}

#define LIST_DEPTH 4

/* All of index.json. What has no tag is there by its digest, or as "latest" where it is all there is. */
static int add_all(struct registry_store *store, size_t source, struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *index = NULL;
        CLEANUP(cleanup_free) char *path = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        int r;

        if (asprintf(&path, "%s/index.json", store->sources[source].folder) < 0) {
                path = NULL;
                return no_memory(error);
        }
        r = read_file_at(AT_FDCWD, path, INDEX_MAX, &text, &len, error);
        if (r == 0)
                r = manifest_parse(text, len, &index, error);
        for (size_t i = 0; r == 0 && i < index->n_entries; i++) {
                const char *tag = index->entries[i].ref_name;

                /* Names that are no tags are those of docker's own tools. */
                if (tag && !registry_tag_is_good(tag))
                        tag = NULL;
                if (index->n_entries == 1 && !tag)
                        tag = "latest";
                r = add_manifest(store, source, &index->entries[i], tag, LIST_DEPTH, error);
        }
        return r;
}

static int add_layout(struct registry_store *store, size_t at, const char *folder, struct cip_error *error)
{
        struct source *source = &store->sources[at];
        const struct registry_image *image = source->image;
        const struct content *entry;
        int r;

        source->folder = folder;
        r = layout_open(folder, &source->layout, error);
        if (r < 0)
                return r;
        if (!image->tag && !image->layout_tag)
                return add_all(store, at, error);
        r = layout_find(source->layout, image->layout_tag, &entry, error);
        return r < 0 ? r
                     : add_manifest(store, at, entry, image->tag ? image->tag : image->layout_tag, LIST_DEPTH,
                                    error);
}

static int add_fixture(struct registry_store *store, size_t at, struct cip_error *error)
{
        const struct registry_image *image = store->sources[at].image;
        const struct fixture *fixture = fixture_find(image->fixture);
        int r;

        if (!fixture)
                return local_error(error, -ENOENT, "there is no fixture named \"%s\"", image->fixture);
        r = tmpdir_new("cip-fakeregistry-", &store->sources[at].temporary, error);
        if (r == 0)
                r = fixture_write_oci(fixture, store->sources[at].temporary, image->tag ? image->tag : "latest",
                                      error);
        return r < 0 ? r : add_layout(store, at, store->sources[at].temporary, error);
}

static int add_generated(struct registry_store *store, size_t at, struct cip_error *error)
{
        struct source *source = &store->sources[at];
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        char digest[DIGEST_TEXT_SIZE], media_type[] = MEDIA_OCI_MANIFEST;
        struct content entry = {.media_type = media_type, .digest = digest};
        int r = generated_new(&source->image->recipe, &source->generated, error);
        size_t len;

        if (r < 0)
                return r;
        snprintf(digest, sizeof(digest), "%s", generated_manifest_digest(source->generated));
        (void)generated_manifest(source->generated, &len);
        entry.size = (int64_t)len;
        manifest = generated_parsed_manifest(source->generated);
        if (!manifest)
                return no_memory(error);
        return add_row(store, at, &entry, source->image->tag ? source->image->tag : "latest", manifest, error);
}

static int judge_image(const struct registry_image *image, struct cip_error *error)
{
        int n = (image->layout != NULL) + (image->fixture != NULL) + image->has_recipe;

        if (!image->repository || !registry_repository_is_good(image->repository))
                return local_error(error, -EINVAL, "\"%s\" is no name of a repository",
                                   image->repository ? image->repository : "");
        if (image->tag && !registry_tag_is_good(image->tag))
                return local_error(error, -EINVAL, "\"%s\" is no tag", image->tag);
        if (n != 1)
                return local_error(error, -EINVAL, "an image is a layout, a fixture or a recipe");
        return 0;
}

static int add_image(struct registry_store *store, const struct registry_image *image, struct cip_error *error)
{
        size_t at = store->n_sources;
        int r = judge_image(image, error);

        if (r < 0)
                return r;
        store->sources[store->n_sources++].image = image;
        r = image->layout    ? add_layout(store, at, image->layout, error)
            : image->fixture ? add_fixture(store, at, error)
                             : add_generated(store, at, error);
        if (r < 0)
                error_prefix(error, "%s%s%s", image->repository, image->tag ? ":" : "",
                             image->tag ? image->tag : "");
        return r;
}

int registry_store_new(const struct registry_image *images, size_t n, struct registry_store **ret,
                       struct cip_error *error)
{
        CLEANUP(cleanup_registry_store_free) struct registry_store *store = calloc(1, sizeof(*store));
        int r = 0;

        if (!store)
                return no_memory(error);
        pthread_mutex_init(&store->mutex, NULL);
        store->sources = calloc(n + 1, sizeof(*store->sources));
        if (!store->sources)
                return no_memory(error);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_image(store, &images[i], error);
        if (r < 0)
                return r;
        *ret = STEAL(store);
        return 0;
}

void registry_store_free(struct registry_store *store)
{
        if (!store)
                return;
        for (size_t i = 0; i < store->n_manifests; i++)
                manifest_row_clear(&store->manifests[i]);
        free(store->manifests);
        for (size_t i = 0; i < store->n_sources; i++) {
                layout_free(store->sources[i].layout);
                generated_free(store->sources[i].generated);
                tmpdir_remove(store->sources[i].temporary);
        }
        free(store->sources);
        pthread_mutex_destroy(&store->mutex);
        free(store);
}
