/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that exist in a recipe only: the bytes of a layer are computed when they are asked for, at any offset,
 * so that a blob of 10 GiB needs no memory and no disk. Manifest and config are real text, in which a recipe may
 * replace members, also by what no server should send. The same recipe and seed give the same bytes everywhere.
 */
#ifndef IMAGE_GENERATED_H
#define IMAGE_GENERATED_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "image/digest.h"
#include "image/manifest.h"

enum generated_content {
        GENERATED_DEFAULT = 0, /* a tar where there is room for one, else random bytes */
        GENERATED_TAR,         /* a tar of one file, filled up with zeros to just the size */
        GENERATED_RANDOM,
        GENERATED_ZERO,
        GENERATED_SAME, /* random bytes, the same ones in every layer of this content and size */
};

enum generated_compression {
        GENERATED_PLAIN = 0,
        GENERATED_GZIP, /* stored blocks: the size grows a little */
        GENERATED_ZSTD, /* raw blocks, likewise */
};

/* Layers of one kind. Strings and objects are borrowed for as long as the image is there. */
struct generated_layer {
        uint64_t size;  /* bytes, before compression */
        uint64_t count; /* so many layers; 0 is one */
        enum generated_compression compression;
        enum generated_content content;
        const char *media_type;    /* NULL: what fits */
        const char *digest;        /* taken on trust, where computing it would take too long; NULL: computed */
        struct json_object *entry; /* merged into the layer's entry of the manifest; NULL: nothing */
};

struct generated_recipe {
        const struct generated_layer *layers;
        size_t n_layers;
        struct json_object *manifest,
                *config; /* merged (RFC 7396: null removes) into the text; NULL: nothing */
        bool sha512;     /* of the layers; manifest and config have sha256 */
        uint64_t seed;
};

/* The least size of a tar, the largest of a compressed layer, the largest that is hashed, the most layers. */
#define GENERATED_TAR_MIN UINT64_C(1536)
#define GENERATED_COMPRESSED_MAX ((uint64_t)64 * 1024 * 1024)
#define GENERATED_HASHED_MAX ((uint64_t)1024 * 1024 * 1024)
#define GENERATED_SIZE_MAX (UINT64_C(1) << 50)
#define GENERATED_LAYERS_MAX 10000

/* What is wrong with a layer, as a sentence's end behind its member's name; NULL: nothing. Static text. */
const char *generated_layer_problem(const struct generated_layer *layer, bool sha512, const char **ret_member);

struct generated;

/*
 * Makes the image, which hashes every layer whose digest is not known: up to 1 GiB a layer. Zero blobs of 1 MiB,
 * 1 GiB and 10 GiB are known. Returns 0, -EINVAL with @error for a recipe that generated_layer_problem refuses,
 * or another negative errno.
 */
int generated_new(const struct generated_recipe *recipe, struct generated **ret, struct cip_error *error);
void generated_free(struct generated *generated);
DEFINE_CLEANUP(struct generated *, generated_free);

/* The texts and their sha256 digests. Borrowed. */
const char *generated_manifest(const struct generated *generated, size_t *ret_len);
const char *generated_manifest_digest(const struct generated *generated);
const char *generated_config(const struct generated *generated, size_t *ret_len);

/*
 * The manifest in parsed form, read without judging: what is missing or of another type is "" or -1. It is the
 * caller's to manifest_free. NULL: no memory.
 */
struct manifest *generated_parsed_manifest(const struct generated *generated);

struct generated_blob;

/*
 * The blob that has this digest, or that the manifest says has it. *@ret_is_so tells whether its bytes do have it.
 * NULL: there is none. Borrowed from @generated.
 */
const struct generated_blob *generated_find(const struct generated *generated, const char *digest,
                                            bool *ret_is_so);
uint64_t generated_blob_size(const struct generated_blob *blob);

/* Computes up to @len bytes of a blob at @offset. Returns how many; 0 at its end. */
size_t generated_read(const struct generated_blob *blob, uint64_t offset, void *to, size_t len);

/* Random bytes of a stream that @seed determines, at @offset of it. */
void generated_random(uint64_t seed, uint64_t offset, void *to, size_t len);

/* A JSON merge patch (RFC 7396): members of @patch replace those of @object, null removes, objects are merged. */
void json_merge_patch(struct json_object *object, struct json_object *patch);

#endif
