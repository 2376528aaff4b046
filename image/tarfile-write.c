/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing archives, on libarchive: ustar, or pax where a name is too long for it, with no time, no owner and no
 * name of this machine, so that the same content gives the same bytes everywhere.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/archive-library.h"
#include "image/local-error.h"
#include "image/tarfile.h"

#define BLOCK ((size_t)64 * 1024)

struct tarfile_writer {
        struct archive_library library;
        struct archive *archive;
        char *path; /* for messages */
};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory to write an archive");
}

static int write_failed(const struct tarfile_writer *writer, struct cip_error *error)
{
        int number = writer->library.archive_errno(writer->archive);
        int errnum = number > 0 && number < 4096 ? -number : -EIO;
        const char *text = writer->library.archive_error_string(writer->archive);

        return local_error(error, errnum, "cannot write %s: %s", writer->path, text ? text : "it failed");
}

/* What an archive is like, and where it goes. The rest is as libarchive has it. */
static bool open_archive(const struct tarfile_writer *writer, bool gzip)
{
        const struct archive_library *library = &writer->library;

        return library->archive_write_set_format_pax_restricted(writer->archive) == ARCHIVE_OK &&
               (!gzip ||
                (library->archive_write_add_filter_gzip(writer->archive) == ARCHIVE_OK &&
                 library->archive_write_set_options(writer->archive, "gzip:!timestamp") == ARCHIVE_OK)) &&
               library->archive_write_set_bytes_in_last_block(writer->archive, 1) == ARCHIVE_OK &&
               library->archive_write_open_filename(writer->archive, writer->path) == ARCHIVE_OK;
}

int tarfile_writer_new(const char *path, bool gzip, struct tarfile_writer **ret, struct cip_error *error)
{
        CLEANUP(cleanup_tarfile_writer_free) struct tarfile_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer)
                return no_memory(error);
        r = archive_library_load(&writer->library, error);
        if (r < 0)
                return r;
        writer->path = strdup(path);
        writer->archive = writer->library.archive_write_new();
        if (!writer->path || !writer->archive)
                return no_memory(error);
        if (!open_archive(writer, gzip)) {
                r = write_failed(writer, error);
                return r < 0 ? r : -EIO;
        }
        *ret = STEAL(writer);
        return 0;
}

void tarfile_writer_free(struct tarfile_writer *writer)
{
        if (!writer)
                return;
        if (writer->archive)
                writer->library.archive_write_free(writer->archive);
        free(writer->path);
        free(writer);
}

int tarfile_writer_close(struct tarfile_writer *take_writer, struct cip_error *error)
{
        CLEANUP(cleanup_tarfile_writer_free) struct tarfile_writer *writer = take_writer;

        return writer->library.archive_write_close(writer->archive) == ARCHIVE_OK ? 0
                                                                                  : write_failed(writer, error);
}

/* Begins an entry. @target NULL: a regular file of @size bytes, or a folder where @name ends in a slash. */
static int begin(struct tarfile_writer *writer, const char *name, uint64_t size, const char *target,
                 struct cip_error *error)
{
        const struct archive_library *library = &writer->library;
        struct archive_entry *entry = library->archive_entry_new();
        bool is_folder = name[strlen(name) - 1] == '/';
        int r;

        if (!entry)
                return no_memory(error);
        library->archive_entry_set_pathname(entry, name);
        library->archive_entry_set_filetype(entry, target ? AE_IFLNK : is_folder ? AE_IFDIR : AE_IFREG);
        library->archive_entry_set_perm(entry, target ? 0777 : is_folder ? 0755 : 0644);
        library->archive_entry_set_mtime(entry, 0, 0);
        library->archive_entry_set_size(entry, target ? 0 : (la_int64_t)size);
        if (target)
                library->archive_entry_set_symlink(entry, target);
        r = library->archive_write_header(writer->archive, entry);
        library->archive_entry_free(entry);
        return r == ARCHIVE_OK ? 0 : write_failed(writer, error);
}

int tarfile_writer_add_link(struct tarfile_writer *writer, const char *name, const char *target,
                            struct cip_error *error)
{
        return begin(writer, name, 0, target, error);
}

static int put(struct tarfile_writer *writer, const void *data, size_t len, struct cip_error *error)
{
        return writer->library.archive_write_data(writer->archive, data, len) == (la_ssize_t)len
                       ? 0
                       : write_failed(writer, error);
}

int tarfile_writer_add(struct tarfile_writer *writer, const char *name, const void *data, size_t len,
                       struct cip_error *error)
{
        int r = begin(writer, name, len, NULL, error);

        return r < 0 ? r : put(writer, data, len, error);
}

int tarfile_writer_add_fd(struct tarfile_writer *writer, const char *name, int fd, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *block = malloc(BLOCK);
        uint64_t offset = 0, size;
        struct stat st;
        int r;

        if (!block)
                return no_memory(error);
        if (fstat(fd, &st) < 0)
                return local_errno(error, -errno, "cannot read what is to be %s", name);
        size = (uint64_t)st.st_size;
        r = begin(writer, name, size, NULL, error);
        while (r == 0 && offset < size) {
                ssize_t n = pread(fd, block, BLOCK, (off_t)offset);

                if (n <= 0)
                        return local_errno(error, n < 0 ? -errno : -EIO, "cannot read what is to be %s", name);
                r = put(writer, block, (size_t)n, error);
                offset += (uint64_t)n;
        }
        return r;
}

/* ---- a layout ---- */

static int pack_file(struct tarfile_writer *writer, int folder_fd, const char *name, struct cip_error *error)
{
        CLEANUP_FD int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return local_errno(error, -errno, "cannot open %s", name);
        return tarfile_writer_add_fd(writer, name, fd, error);
}

static int is_blob(const struct dirent *entry)
{
        return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int pack_blobs(struct tarfile_writer *writer, int folder_fd, const char *blobs, struct cip_error *error)
{
        struct dirent **entries = NULL;
        char name[64 + NAME_MAX];
        int n = scandirat(folder_fd, blobs, &entries, is_blob, by_bytes), r = 0;

        if (n < 0)
                return errno == ENOENT ? 0 : local_errno(error, -errno, "cannot read %s", blobs);
        /* skopeo 1.9.3 makes a folder that has no entry as root's, which an ordinary user may not. */
        snprintf(name, sizeof(name), "%s/", blobs);
        r = begin(writer, name, 0, NULL, error);
        for (int i = 0; i < n; i++) {
                snprintf(name, sizeof(name), "%s/%s", blobs, entries[i]->d_name);
                if (r == 0)
                        r = pack_file(writer, folder_fd, name, error);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int tarfile_pack_layout(const char *folder, const char *path, bool gzip, struct cip_error *error)
{
        CLEANUP(cleanup_tarfile_writer_free) struct tarfile_writer *writer = NULL;
        CLEANUP_FD int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (folder_fd < 0)
                return local_errno(error, -errno, "cannot open %s", folder);
        r = tarfile_writer_new(path, gzip, &writer, error);
        if (r == 0)
                r = pack_file(writer, folder_fd, "oci-layout", error);
        if (r == 0)
                r = pack_file(writer, folder_fd, "index.json", error);
        if (r == 0)
                r = begin(writer, "blobs/", 0, NULL, error);
        if (r == 0)
                r = pack_blobs(writer, folder_fd, "blobs/sha256", error);
        if (r == 0)
                r = pack_blobs(writer, folder_fd, "blobs/sha512", error);
        return r == 0 ? tarfile_writer_close(STEAL(writer), error) : r;
}
