/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzers' images are fixtures, and what is true of them is what image/ reads of them: an oracle's mistake would be
 * that room's mistake, which its own tests against the real skopeo look for.
 */
#include "fuzz/images.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/digest.h"
#include "image/fixture.h"
#include "image/source.h"

/* More than the largest of their blobs. */
#define BLOB_MAX ((size_t)8 * 1024 * 1024)

/* What is asked for: the fixture, and the transport in which it lies there. */
static const struct {
        const char *fixture, *transport;
} kept[] = {
        {"layers-1", "oci"},      {"layers-0", "oci"},        {"tar", "oci"},
        {"gzip", "oci"},          {"layers-300", "oci"},      {"docker", "oci"},
        {"docker", "dir"},        {"layers-1", "dir"},        {"index", "oci"},
        {"docker-list", "oci"},   {"index-nested", "oci"},    {"artifact", "oci"},
        {"sha512", "oci"},        {"blob-0", "oci"},          {"blob-65536", "oci"},
        {"blob-65537", "oci"},    {"manifest-1m", "oci"},     {"broken-missing-blob", "oci"},
        {"broken-size", "oci"},   {"broken-digest", "oci"},   {"broken-manifest", "oci"},
        {"broken-config", "oci"}, {"broken-schema-1", "oci"},
};

/* And what is not there. */
static const char *const missing[] = {
        "oci:nowhere:latest", "oci:layers-1:nothing", "dir:nowhere", "nowhere", "unknown:layers-1", "oci:", ""};

void fuzz_images_free(struct fuzz_images *images)
{
        if (!images)
                return;
        for (size_t i = 0; i < images->n_images; i++) {
                const struct fuzz_image *image = &images->images[i];

                for (size_t j = 0; j < image->n_blobs; j++)
                        free((char *)(uintptr_t)image->blobs[j].digest);
                free((void *)(uintptr_t)image->blobs);
                free((char *)(uintptr_t)image->manifest);
                free((char *)(uintptr_t)image->reference);
        }
        free((void *)(uintptr_t)images->images);
        free(images);
}

/* Whether what is stored under the digest is what it says. */
static bool is_whole(struct image *image, const struct content *content)
{
        enum digest_algorithm algorithm;
        CLEANUP(cleanup_free) char *data = NULL;
        char digest[DIGEST_TEXT_SIZE];
        CLEANUP_FD int fd = -1;
        size_t len;

        return digest_parse(content->digest, &algorithm) &&
               image_open_blob(image, content->digest, &fd, NULL, NULL) == 0 &&
               read_to_end(fd, BLOB_MAX, DEADLINE_NEVER, &data, &len) == 0 && len == (uint64_t)content->size &&
               digest_of(algorithm, data, len, digest) == 0 && strcmp(digest, content->digest) == 0;
}

static int add_blob(struct fuzz_image *ret, struct fuzz_blob *blobs, const struct content *content,
                    struct image *image)
{
        char *digest = strdup(content->digest);

        if (!digest)
                return -ENOMEM;
        blobs[ret->n_blobs++] = (struct fuzz_blob){digest, content->size < 0 ? 0 : (uint64_t)content->size,
                                                   !is_whole(image, content)};
        return 0;
}

/* What is true of it, where it can be read; of one that cannot nothing is known but its reference. */
static int describe(const char *path, struct fuzz_image *ret)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        char digest[DIGEST_TEXT_SIZE];
        const struct manifest *manifest;
        struct fuzz_blob *blobs;
        const char *text;
        size_t len;
        int r = 0;

        if (image_open_unread(path, NULL, &image, NULL, NULL) < 0)
                return 0;
        ret->opens = true;
        if (image_load(image, NULL) < 0)
                return 0;
        text = image_manifest(image, &len);
        digest_of(DIGEST_SHA256, text, len, digest);
        ret->manifest = strdup(digest);
        manifest = image_parsed_manifest(image);
        ret->blobs = blobs = calloc(manifest->n_entries + 1, sizeof(*blobs));
        if (!ret->manifest || !blobs)
                return -ENOMEM;
        for (size_t i = 0; i < manifest->n_entries && r == 0; i++)
                r = add_blob(ret, blobs, &manifest->entries[i], image);
        if (r == 0 && manifest->config.digest)
                r = add_blob(ret, blobs, &manifest->config, image);
        return r;
}

static int write_fixture(const char *folder, size_t i, char reference[256], struct cip_error *error)
{
        const struct fixture *fixture = fixture_find(kept[i].fixture);
        bool is_oci = strcmp(kept[i].transport, "oci") == 0;
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s%s", folder, fixture->name, is_oci ? "" : ".dir");
        /* Skopeo before 1.19 does not see the tag of docker's manifests. */
        snprintf(reference, 256, "%s:%s%s%s", kept[i].transport, fixture->name, is_oci ? "" : ".dir",
                 is_oci && !fixture->docker ? ":latest" : "");
        return is_oci ? fixture_write_oci(fixture, path, "latest", error)
                      : fixture_write_dir(fixture, path, error);
}

static int make_one(const char *folder, size_t i, struct fuzz_image *ret, struct cip_error *error)
{
        char reference[256], path[PATH_MAX + 256];
        const char *colon;
        int r = 0;

        if (i < ARRAY_SIZE(kept))
                r = write_fixture(folder, i, reference, error);
        else
                snprintf(reference, sizeof(reference), "%s", missing[i - ARRAY_SIZE(kept)]);
        if (r < 0)
                return r;
        ret->reference = strdup(reference);
        colon = strchr(reference, ':');
        if (i < ARRAY_SIZE(kept) && colon) {
                snprintf(path, sizeof(path), "%.*s:%s/%s", (int)(colon - reference), reference, folder,
                         colon + 1);
                r = describe(path, ret);
        }
        if (r < 0 || !ret->reference)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make the images");
        return 0;
}

int fuzz_images_make(const char *folder, struct fuzz_images **ret, struct cip_error *error)
{
        CLEANUP(cleanup_fuzz_images_free) struct fuzz_images *images = calloc(1, sizeof(*images));
        size_t n = ARRAY_SIZE(kept) + ARRAY_SIZE(missing);
        struct fuzz_image *list = images ? calloc(n, sizeof(*list)) : NULL;
        int r = 0;

        if (!list)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make the images");
        images->images = list;
        for (; images->n_images < n && r == 0; images->n_images++)
                r = make_one(folder, images->n_images, &list[images->n_images], error);
        if (r < 0)
                return r;
        *ret = STEAL(images);
        return 0;
}
