/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image layouts on disk. Reading takes nothing on trust but the folder itself: names come from digests
 * whose form was checked, and no symbolic link is followed below it. Writing is safe against a crash, a full
 * disk and a second writer at any moment: blobs appear by rename when they are whole, index.json last, by
 * rename, under a lock.
 */
#ifndef IMAGE_LAYOUT_H
#define IMAGE_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "image/digest.h"
#include "image/manifest.h"

struct layout;

/* Opens a layout to read. -ENOENT: no such folder or no index.json; -EBADMSG: it is none. Fills in @error. */
int layout_open(const char *path, struct layout **ret, struct cip_error *error);

/*
 * Opens a layout to write; makes the folder, oci-layout and blobs/ where they are missing, but no index.json
 * yet. Removes temporary files that no living writer holds.
 */
int layout_create(const char *path, struct layout **ret, struct cip_error *error);

void layout_free(struct layout *layout);
DEFINE_CLEANUP(struct layout *, layout_free);

/*
 * The same, but nothing that is written gets synced to the disk. For a layout that need not outlive the
 * machine's next crash, such as a test's, which is written much faster so.
 */
int layout_create_unsynced(const char *path, struct layout **ret, struct cip_error *error);

/*
 * Finds the manifest that is tagged @tag in index.json (NULL: the only one there). *@ret is the layout's own.
 * -ENOENT where no such tag is, -EINVAL where NULL fits several; @error names the tags that there are.
 */
int layout_find(struct layout *layout, const char *tag, const struct content **ret, struct cip_error *error);

/* Opens a blob to read. Returns the descriptor in *@ret_fd, its size in bytes in *@ret_size (may be NULL). */
int layout_open_blob(struct layout *layout, const char *digest, int *ret_fd, uint64_t *ret_size,
                     struct cip_error *error);

/* Reads a blob of at most @max bytes whole, and checks its digest. The caller frees. */
int layout_read_blob(struct layout *layout, const char *digest, size_t max, char **ret, size_t *ret_len,
                     struct cip_error *error);

/* Whether a whole file of that name is there, of @size bytes where that is not negative. Not hashed. */
bool layout_has_blob(struct layout *layout, const char *digest, int64_t size);

/* A blob being written: a temporary file in the layout, locked, gone when it is not committed. */
struct layout_blob;

int layout_blob_new(struct layout *layout, struct layout_blob **ret, struct cip_error *error);

/* Where to write to. Borrowed. */
int layout_blob_fd(const struct layout_blob *blob);

/*
 * Gives the file its name; layout_add_manifest syncs it. That the content has this @digest is the caller's word. Frees @blob,
 * also on failure (then the file is gone).
 */
int layout_blob_commit(struct layout_blob *blob, const char *digest, struct cip_error *error);

/* Drops it. Takes NULL. */
void layout_blob_free(struct layout_blob *blob);
DEFINE_CLEANUP(struct layout_blob *, layout_blob_free);

/* Writes a small blob whole, named by its own digest, which is returned in @ret_digest. */
int layout_write_blob(struct layout *layout, enum digest_algorithm algorithm, const void *data, size_t len,
                      char ret_digest[DIGEST_TEXT_SIZE], struct cip_error *error);

/*
 * Syncs the blobs and puts a manifest into index.json, which is replaced by rename under the layout's lock. An
 * older entry of the same @tag goes, and so does one of the same digest without a tag; @tag NULL adds nothing
 * where the digest is there with a tag. @platform's strings may be NULL, or the whole of it. -ETIMEDOUT: another
 * process holds the lock for a minute.
 */
int layout_add_manifest(struct layout *layout, const char *media_type, const char *digest, int64_t size,
                        const char *tag, const struct platform *platform, struct cip_error *error);

#endif
