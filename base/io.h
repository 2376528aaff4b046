/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reads and writes: what read(2) and write(2) do in pieces, and files of bounded size taken whole.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cip-error.h"
#include "base/deadline.h"

/* Writes all @len bytes to @fd. Returns 0 or a negative errno. On a non-blocking @fd it waits. */
int write_all(int fd, const void *data, size_t len);

/*
 * Closes a stream of open_memstream(3) that writes to *@text. Returns the text, the caller's to free, or NULL when
 * memory ran out: glibc then says that all went well, and gives none.
 */
char *memstream_close(FILE *take_stream, char **text);

/*
 * Reads @fd to its end, at most @max bytes; more is -EFBIG. *@ret_data is NUL-terminated behind its *@ret_len
 * bytes and the caller's to free. Returns 0, -ETIMEDOUT at @deadline, or another negative errno.
 */
int read_to_end(int fd, size_t max, struct deadline deadline, char **ret_data, size_t *ret_len);

/*
 * Reads the file @path below the directory @dir_fd (AT_FDCWD: the current one) as read_to_end does. A
 * directory, a FIFO or a device is refused. Fills in @error, which names @path.
 */
int read_file_at(int dir_fd, const char *path, size_t max, char **ret_data, size_t *ret_len,
                 struct cip_error *error);

/*
 * Replaces the file @path below @dir_fd: writes a temporary file beside it, syncs, renames. Readers see the
 * old content or the new one, never a part. Fills in @error.
 */
int replace_file_at(int dir_fd, const char *path, const void *data, size_t len, struct cip_error *error);

#endif
