/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar archives, by libarchive: read front to back, plain or compressed as a whole, and written the same to the
 * byte everywhere. An archive is hostile: names are compared and never used as paths, links lead nowhere by
 * themselves, and what a header says of sizes counts for nothing, only the data that is really there.
 */
#ifndef IMAGE_TARFILE_H
#define IMAGE_TARFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

/* ---- reading ---- */

struct tarfile_reader;

enum tarfile_kind {
        TARFILE_FILE,      /* a regular file */
        TARFILE_LINK,      /* a symbolic link */
        TARFILE_HARD_LINK, /* which has no data, and leads nowhere here */
        TARFILE_OTHER,     /* a folder, a device, .. */
};

/* An entry of an archive. Borrowed until the next one. */
struct tarfile_item {
        enum tarfile_kind kind;
        const char *name;   /* as it stands there */
        const char *clean;  /* without "./", "//" and "x/.."; never empty */
        const char *target; /* of a symbolic link; else NULL */
};

/*
 * Opens an archive, in gzip, bzip2, xz, zstd or plain. Returns 0, or a negative errno of open(2), -EISDIR or
 * -EINVAL for what is no regular file, -ENOMEM. Whether it is an archive at all comes out with the first entry.
 */
int tarfile_reader_new(const char *path, struct tarfile_reader **ret);
void tarfile_reader_free(struct tarfile_reader *reader);
DEFINE_CLEANUP(struct tarfile_reader *, tarfile_reader_free);

/*
 * Goes to the next entry: 1; 0 at the archive's end; -EBADMSG with @error ("unexpected EOF", "archive/tar:
 * invalid tar header") where it is cut short or is none.
 */
int tarfile_reader_next(struct tarfile_reader *reader, struct tarfile_item *ret, struct cip_error *error);

/*
 * Takes the data of the entry: writes it to @fd (-1: only counts it), with @decompress unpacked where it is
 * compressed. -EBADMSG as above, and for a sparse file, whose holes could be of any size; or write(2)'s errno.
 */
int tarfile_reader_copy(struct tarfile_reader *reader, int fd, bool decompress, uint64_t *ret_size,
                        struct cip_error *error);

/* Reads it whole, at most @max bytes. *@ret is NUL-terminated and the caller's. More is -EFBIG. */
int tarfile_reader_read(struct tarfile_reader *reader, size_t max, char **ret, size_t *ret_len,
                        struct cip_error *error);

/*
 * Unpacks an OCI layout into @folder, which is private and empty: regular files that a layout consists of, and
 * nothing else. -ENOENT: no such file, in the words of servers.
 */
int tarfile_unpack_layout(const char *path, const char *folder, struct cip_error *error);

/* A name without "./", "//", "x/.." and slashes at its ends, as Go's path.Clean has it. The caller frees. NULL: no memory. */
char *tarfile_clean_name(const char *name);

/* A nameless file in TMPDIR, gone when it is closed. Returns the descriptor or a negative errno. */
int tarfile_temporary_file(void);

/* ---- writing ---- */

struct tarfile_writer;

/* Creates or replaces the file @path; with @gzip it is compressed as a whole. */
int tarfile_writer_new(const char *path, bool gzip, struct tarfile_writer **ret, struct cip_error *error);

/* Adds a regular file, from memory or (all of it) from a descriptor; or a symbolic link. */
int tarfile_writer_add(struct tarfile_writer *writer, const char *name, const void *data, size_t len,
                       struct cip_error *error);
int tarfile_writer_add_fd(struct tarfile_writer *writer, const char *name, int fd, struct cip_error *error);
int tarfile_writer_add_link(struct tarfile_writer *writer, const char *name, const char *target,
                            struct cip_error *error);

/* Completes the file. It is free afterwards, also on failure. */
int tarfile_writer_close(struct tarfile_writer *take_writer, struct cip_error *error);

/* Drops it where it is. Takes NULL. */
void tarfile_writer_free(struct tarfile_writer *writer);
DEFINE_CLEANUP(struct tarfile_writer *, tarfile_writer_free);

/* Packs an OCI layout in @folder: oci-layout, index.json, then the blobs by name. */
int tarfile_pack_layout(const char *folder, const char *path, bool gzip, struct cip_error *error);

#endif
