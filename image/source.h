/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image opened for serving, wherever it is kept: oci:DIR[:TAG], oci-archive:FILE[:TAG], dir:DIR,
 * docker-archive:FILE[:NAME|:@INDEX], fake:NAME (a fixture, made in a temporary folder). One interface over
 * them, as a server of the protocol needs it.
 */
#ifndef IMAGE_SOURCE_H
#define IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "image/generated.h"
#include "image/manifest.h"

struct image;

/*
 * Opens @reference, picking @platform (NULL: this machine's) out of a list, as skopeo's OpenImage does: the
 * manifest is read and parsed now, the config later. Errors are class `local`, with a message close to
 * skopeo's: -ENOENT where the image or its tag does not exist (OpenImageOptional answers 0), -EINVAL for a
 * reference that is malformed or of an unknown transport, -EBADMSG for a broken image.
 */
int image_open(const char *reference, const struct platform *platform, struct image **ret,
               struct cip_error *error);

/*
 * Does only that part of image_open which servers do in OpenImage: judges the reference, for oci: and
 * oci-archive: finds the tag in index.json, for docker-archive: reads manifest.json. A missing dir: folder, a
 * manifest that is missing or broken, a name that a docker-archive: lacks, a list without the platform: all
 * that comes out later, in image_load, which servers do in GetManifest and GetFullConfig. *@ret_no_tag (may be
 * NULL) tells -ENOENT for a tag that index.json lacks, which is where servers answer 0 to OpenImageOptional,
 * from the other -ENOENTs, where they do not.
 */
int image_open_unread(const char *reference, const struct platform *platform, struct image **ret,
                      bool *ret_no_tag, struct cip_error *error);

/*
 * Reads and parses the manifest, through lists and lists in them, as servers do for each method; what they pick
 * out of a list must have the digest that the list says. Does nothing where that was done. The errors are
 * image_open's.
 */
int image_resolve(struct image *image, struct cip_error *error);

/*
 * Has the manifest ready to be sent, as GetManifest does: image_resolve, and -ENOTSUP for docker's schema 1 and
 * for a list in a list, which servers refuse to send; and docker's schema 2 converted, for which its config is
 * read. image_open is image_open_unread and image_load.
 */
int image_load(struct image *image, struct cip_error *error);

/*
 * Takes the part of oci:DIR[:TAG] behind "oci:" apart, as servers do: the first colon ends the folder.
 * *@ret_tag is NULL where there is none or it is empty. Both are the caller's to free. -EINVAL for what is no
 * tag.
 */
int oci_reference_parse(const char *text, char **ret_path, char **ret_tag, struct cip_error *error);

/* Lets a docker-archive: image have quirks (enum docker_archive_quirk, ORed together). Before image_load. */
void image_set_archive_quirks(struct image *image, unsigned quirks);

void image_free(struct image *image);
DEFINE_CLEANUP(struct image *, image_free);

/*
 * The manifest as OCI (docker's schema 2 converted, which rewrites the config too), NULL before image_load; and
 * the original one in parsed form, NULL before image_resolve. Borrowed.
 */
const char *image_manifest(const struct image *image, size_t *ret_len);
const struct manifest *image_parsed_manifest(const struct image *image);

/*
 * The layers that GetLayerInfo tells, bottom first, after image_resolve. Those of schema 1 have neither size
 * nor media type, and digests of any form. Borrowed.
 */
const struct content *image_layers(const struct image *image, size_t *ret_n);

/*
 * The sha256 digest of the original manifest of the picked platform, and that of the list it was picked from
 * (the same where there is no list), both of the bytes as they are on disk, like servers tell it. Borrowed.
 */
const char *image_digest(const struct image *image);
const char *image_list_digest(const struct image *image);

/* The media type that index.json gives the image; NULL where there is no index.json. Borrowed. */
const char *image_entry_type(const struct image *image);

/*
 * Reads the config as it stands, or, of schema 1, makes it up. Size and digest are checked. The caller frees.
 */
int image_read_config(struct image *image, char **ret, size_t *ret_len, struct cip_error *error);

/*
 * The config as GetFullConfig sends it: parsed, and written anew with what OCI knows (config_to_oci). With
 * @member_only its `config` alone, as GetConfig sends it. -ENOTSUP for an artifact, which has none. Resolves
 * the image if need be.
 */
int image_read_oci_config(struct image *image, bool member_only, char **ret, size_t *ret_len,
                          struct cip_error *error);

/*
 * An image over a generated one, which is borrowed until image_free. Its manifest and config are served as they
 * are, whatever is in them. Returns 0 or -ENOMEM with @error.
 */
int image_open_generated(const struct generated *generated, struct image **ret, struct cip_error *error);

/* The generated one that an image is over; NULL: it is kept elsewhere. */
const struct generated *image_generated(const struct image *image);

/*
 * Opens any blob by its digest. The descriptor is a regular file at its start. -ENOTSUP for a generated image,
 * see generated_find.
 */
int image_open_blob(struct image *image, const char *digest, int *ret_fd, uint64_t *ret_size,
                    struct cip_error *error);

#endif
