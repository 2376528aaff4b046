/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks of images and their data share: a fixture opened under a name of the check's own, a piped
 * value fetched whole, a blob of the fixture on disk. The name of its own (a tag, or the folder of a dir:
 * image) stands in the request, so that a fault of the fake can be about one check alone.
 */
#ifndef CONFORMANCE_SAMPLE_H
#define CONFORMANCE_SAMPLE_H

#include "base/cleanup.h"
#include "conformance/check.h"
#include "image/digest.h"
#include "image/manifest.h"

/* The fixture as "oci:DIR:@tag". Valid to the check's end. */
const char *sample_reference(struct check_context *c, const char *fixture, const char *tag);

/* Opens that. The image's id. */
uint64_t sample_open(struct check_context *c, const char *fixture, const char *tag);

/* Writes the fixture as a dir: image into the folder @name of the check's folder: "dir:FOLDER/NAME". */
const char *sample_dir(struct check_context *c, const char *fixture, const char *name);

/* The digest of what is tagged "latest" in the fixture's layout: of its manifest, or of its list. */
const char *sample_digest(struct check_context *c, const char *fixture);

/* The path of a blob of the fixture. */
const char *sample_blob_path(struct check_context *c, const char *fixture, const char *digest);

/* Reads a whole file. *@ret is NUL-terminated, with the check's lifetime. */
void sample_read_file(struct check_context *c, const char *path, char **ret, size_t *ret_len);

/* Replaces a file's content. */
void sample_write_file(struct check_context *c, const char *path, const void *data, size_t len);

/* The text as JSON; falls short where it is none. The caller puts. */
struct json_object *sample_json(struct check_context *c, const char *data, size_t len, const char *what);

/* A call that must succeed with one descriptor; the whole value, and the answer to FinishPipe. */
void sample_fetch(struct check_context *c, const char *method, const char *args, char **ret, size_t *ret_len,
                  struct answer *ret_finish);

/* The same, where FinishPipe must succeed. */
void sample_fetch_ok(struct check_context *c, const char *method, const char *args, char **ret,
                     size_t *ret_len);

/* Text with the check's lifetime: the arguments "[ID]", and "[ID, DIGEST, SIZE]" of GetBlob. */
const char *sample_args(struct check_context *c, uint64_t image);
const char *sample_blob_args(struct check_context *c, uint64_t image, const char *digest, int64_t size);

/* GetBlob of @content, not read yet. */
void sample_get_blob(struct check_context *c, uint64_t image, const struct content *content,
                     struct answer *ret);

/* The piped value that the call begins must be refused: by the call, or else by FinishPipe. */
void sample_must_be_refused(struct check_context *c, const char *method, const char *args, const char *what);

/* Falls short unless @data has this digest. */
void sample_check_digest(struct check_context *c, const char *data, size_t len, const char *digest,
                         const char *what);

/* Falls short unless @answer came with @n descriptors, each the read end of a pipe. */
void sample_check_pipes(struct check_context *c, const struct answer *answer, size_t n);

/* A layer to write. */
struct sample_layer {
        const char *media_type;
        const char *data;
};

/* Adds an image to the layout of the fixture "layers-1", with @config (NULL: the fixture's). "oci:DIR:@tag". */
const char *sample_add_image(struct check_context *c, const char *tag, const char *config,
                             const struct sample_layer *layers, size_t n_layers);

/*
 * The same, with so many layers that differ in digest and size: layer number N has N bytes and the digest
 * sha256:N. Their blobs are not there: a list of them needs none.
 */
const char *sample_add_layers(struct check_context *c, const char *tag, size_t n_layers);

/* A manifest's layer, by its number from the bottom; the check is an error where there is none. */
const struct content *sample_layer_of(struct check_context *c, const char *fixture, size_t n);

#endif
