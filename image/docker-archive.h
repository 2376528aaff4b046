/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images of `docker save` in one tar file: manifest.json lists them, each with its config, names and layers.
 * Such an image has no manifest; servers make one up, of docker's schema 2, in which each layer has the digest
 * and the size that it has when it is not compressed. Nothing is unpacked: what is asked for is looked up by name.
 */
#ifndef IMAGE_DOCKER_ARCHIVE_H
#define IMAGE_DOCKER_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

struct docker_archive;

/*
 * Opens FILE[:REFERENCE|:@INDEX], and reads manifest.json. -EINVAL: a malformed reference; -ENOENT: no such
 * file; -EBADMSG: not a good archive, or without manifest.json. Which image is meant comes out in
 * docker_archive_load.
 */
int docker_archive_open(const char *text, struct docker_archive **ret, struct cip_error *error);
void docker_archive_free(struct docker_archive *archive);
DEFINE_CLEANUP(struct docker_archive *, docker_archive_free);

/* What released servers get wrong, to be done likewise. */
enum docker_archive_quirk {
        DOCKER_ARCHIVE_EMPTY_LINKS = 1, /* a layer that is stored as a symbolic link counts 0 bytes */
        DOCKER_ARCHIVE_SAYS_GZIP = 2,   /* the manifest says that the layers are in gzip, which they are not */
};

/* Takes on quirks, ORed together. To be called before docker_archive_load. */
void docker_archive_set_quirks(struct docker_archive *archive, unsigned quirks);

/*
 * Picks the image, reads its config, measures its layers, and makes up the manifest; once. *@ret is borrowed.
 * -ENOENT: there is no image of that name; -EBADMSG: something is missing or broken.
 */
int docker_archive_load(struct docker_archive *archive, const char **ret, size_t *ret_len,
                        struct cip_error *error);

/* Opens the config, or a layer by its digest when not compressed. The file at @ret_fd is a copy without a name. */
int docker_archive_open_blob(struct docker_archive *archive, const char *digest, int *ret_fd,
                             uint64_t *ret_size, struct cip_error *error);

/*
 * A docker reference in full ("docker.io/library/busybox:latest"), which the caller frees. -EINVAL with @error
 * for what is malformed, or has a digest in place of a tag.
 */
int docker_reference_normalize(const char *text, char **ret, struct cip_error *error);

#endif
