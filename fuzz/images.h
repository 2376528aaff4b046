/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of images that the fuzzers ask servers for: the small fixtures in every transport, some of them damaged
 * on purpose, and what is true of each: manifest, config, blobs by digest.
 */
#ifndef FUZZ_IMAGES_H
#define FUZZ_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

struct fuzz_blob {
        const char *digest; /* "sha256:.." */
        uint64_t size;
        bool damaged; /* what is stored under it is something else, or shorter, or nothing */
};

struct fuzz_image {
        const char *reference; /* "oci:plain:latest", relative to the folder */
        bool opens;            /* OpenImage succeeds with a good server */
        const char *manifest;  /* digest of GetManifest's bytes; NULL: nobody knows, or it is refused */
        const struct fuzz_blob *blobs;
        size_t n_blobs;
};

struct fuzz_images {
        const struct fuzz_image *images;
        size_t n_images;
};

/* Makes them in @folder, which exists. The images are the same each time. 0 or a negative errno with @error. */
int fuzz_images_make(const char *folder, struct fuzz_images **ret, struct cip_error *error);
void fuzz_images_free(struct fuzz_images *images);
DEFINE_CLEANUP(struct fuzz_images *, fuzz_images_free);

#endif
