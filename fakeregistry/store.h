/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fake registry serves: repositories with their manifests and tags, over layouts, fixtures and generated
 * images. What an image's manifests say of each other is read once; blobs are looked for when they are asked
 * for, so that broken images are served as they are.
 */
#ifndef FAKEREGISTRY_STORE_H
#define FAKEREGISTRY_STORE_H

#include <json-c/json.h>

#include "fakeregistry/registry.h"
#include "image/digest.h"

/* The bytes of an answer: text, a file, or a generated blob. */
struct registry_content {
        char *text;
        int fd; /* -1: none */
        const struct generated_blob *blob;
        uint64_t size;
};

void registry_content_clear(struct registry_content *content);

/*
 * Reads up to @len bytes at @offset, which lie in it. Returns how many, or a negative errno. Zeros stand behind
 * the end.
 */
ssize_t registry_content_read(const struct registry_content *content, uint64_t offset, void *to, size_t len);

struct registry_manifest {
        const char *repository, *listener; /* the config's */
        size_t source;
        char *tag; /* NULL: by its digest alone */
        char *digest, *media_type;
        int64_t size;
        char *subject, *artifact_type; /* NULL: it has none */
        struct json_object *annotations;
};

struct registry_store;

/* Takes in all images. Returns 0 or a negative errno with @error, which names the image. */
int registry_store_new(const struct registry_image *images, size_t n, struct registry_store **ret,
                       struct cip_error *error);
void registry_store_free(struct registry_store *store);
DEFINE_CLEANUP(struct registry_store *, registry_store_free);

/* Whether there is such a repository at this listener. */
bool registry_store_has(const struct registry_store *store, const char *repository, const char *listener);

/* A manifest by its tag or digest, or NULL. */
const struct registry_manifest *registry_store_find(const struct registry_store *store, const char *repository,
                                                    const char *listener, const char *reference);

/* Opens its bytes. -ENOENT where the layout lacks them. Threads may call it at once, as the one below. */
int registry_store_open_manifest(struct registry_store *store, const struct registry_manifest *manifest,
                                 struct registry_content *ret);

/* Opens a blob. -ENOENT, also for a manifest. */
int registry_store_open_blob(struct registry_store *store, const char *repository, const char *listener,
                             const char *digest, struct registry_content *ret);

/*
 * The tags of the repository, each once, in the order of their names; the array is the caller's. Returns 0 or
 * -ENOMEM.
 */
int registry_store_tags(const struct registry_store *store, const char *repository, const char *listener,
                        const char *const **ret, size_t *ret_n);

/* The index of what refers to @digest; @artifact_type NULL: all. NULL: no memory. */
struct json_object *registry_store_referrers(const struct registry_store *store, const char *repository,
                                             const char *listener, const char *digest,
                                             const char *artifact_type, size_t *ret_n);

/* Whether a name is one that the distribution API allows. */
bool registry_repository_is_good(const char *name);
bool registry_tag_is_good(const char *tag);

#endif
