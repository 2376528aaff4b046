/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive, loaded when an archive is really read or written. It brings a dozen other libraries along, which
 * would more than double the time that each start of a program here takes, and few runs ever see an archive. So
 * nothing links it: its functions are called through the table below.
 */
#ifndef IMAGE_ARCHIVE_LIBRARY_H
#define IMAGE_ARCHIVE_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

#include "base/cip-error.h"

/* All that this room calls. */
#define ARCHIVE_LIBRARY_FUNCTIONS(X)               \
        X(archive_entry_filetype)                  \
        X(archive_entry_free)                      \
        X(archive_entry_hardlink)                  \
        X(archive_entry_new)                       \
        X(archive_entry_pathname)                  \
        X(archive_entry_pathname_utf8)             \
        X(archive_entry_set_filetype)              \
        X(archive_entry_set_mtime)                 \
        X(archive_entry_set_pathname)              \
        X(archive_entry_set_perm)                  \
        X(archive_entry_set_size)                  \
        X(archive_entry_set_symlink)               \
        X(archive_entry_symlink)                   \
        X(archive_entry_symlink_utf8)              \
        X(archive_errno)                           \
        X(archive_error_string)                    \
        X(archive_read_data_block)                 \
        X(archive_read_free)                       \
        X(archive_read_new)                        \
        X(archive_read_next_header2)               \
        X(archive_read_open)                       \
        X(archive_read_open_fd)                    \
        X(archive_read_support_filter_bzip2)       \
        X(archive_read_support_filter_gzip)        \
        X(archive_read_support_filter_xz)          \
        X(archive_read_support_filter_zstd)        \
        X(archive_read_support_format_empty)       \
        X(archive_read_support_format_raw)         \
        X(archive_read_support_format_tar)         \
        X(archive_set_error)                       \
        X(archive_write_add_filter_gzip)           \
        X(archive_write_close)                     \
        X(archive_write_data)                      \
        X(archive_write_free)                      \
        X(archive_write_header)                    \
        X(archive_write_new)                       \
        X(archive_write_open_filename)             \
        X(archive_write_set_bytes_in_last_block)   \
        X(archive_write_set_format_pax_restricted) \
        X(archive_write_set_options)

struct archive_library {
#define ARCHIVE_LIBRARY_MEMBER(name) __typeof__(name) *(name);
        ARCHIVE_LIBRARY_FUNCTIONS(ARCHIVE_LIBRARY_MEMBER)
#undef ARCHIVE_LIBRARY_MEMBER
};

/*
 * Fills in the table. The library stays loaded to the program's end, so that the table holds for ever and is
 * not to be freed; to load it again costs next to nothing. -ELIBACC: it is not there, or not as a whole.
 */
int archive_library_load(struct archive_library *ret, struct cip_error *error);

#endif
