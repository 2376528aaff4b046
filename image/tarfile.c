/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading archives, on libarchive, which is loaded for the first entry. The messages are those of servers,
 * which are Go's. Unpacking makes files of names that were built anew from what was recognized, never of a name
 * out of the archive.
 */
#include "image/tarfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "image/archive-library.h"
#include "image/digest.h"
#include "image/local-error.h"

#define BLOCK ((size_t)64 * 1024)

struct tarfile_reader {
        int fd;
        bool is_short; /* less than one header */
        struct archive_library library;
        struct archive *archive;     /* NULL before the first entry */
        struct archive_entry *entry; /* ours: libarchive does not look whether it got memory for its own */
        char *name, *clean, *target;
};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for an archive");
}

char *tarfile_clean_name(const char *name)
{
        char *clean = malloc(strlen(name) + 2), *to = clean;

        if (!clean)
                return NULL;
        while (*name) {
                size_t len = strcspn(name, "/");

                if (len == 2 && !strncmp(name, "..", 2) && to > clean) {
                        while (to > clean && *--to != '/')
                                ;
                } else if (len > 0 && !(len == 1 && *name == '.') && !(len == 2 && !strncmp(name, "..", 2))) {
                        if (to > clean)
                                *to++ = '/';
                        memcpy(to, name, len);
                        to += len;
                }
                name += len + strspn(name + len, "/");
        }
        if (to == clean)
                *to++ = '.';
        *to = '\0';
        return clean;
}

/* ---- reading ---- */

static void support_filters(const struct archive_library *library, struct archive *archive)
{
        library->archive_read_support_filter_gzip(archive);
        library->archive_read_support_filter_bzip2(archive);
        library->archive_read_support_filter_xz(archive);
        library->archive_read_support_filter_zstd(archive);
}

/* The archive of the file: libarchive reads it from the descriptor, which stays ours. */
static int open_archive(struct tarfile_reader *reader, struct cip_error *error)
{
        const struct archive_library *library = &reader->library;
        int r = archive_library_load(&reader->library, error);

        if (r < 0)
                return r;
        if (!reader->entry)
                reader->entry = library->archive_entry_new();
        if (reader->entry)
                reader->archive = library->archive_read_new();
        if (!reader->archive)
                return no_memory(error);
        support_filters(library, reader->archive);
        library->archive_read_support_format_tar(reader->archive);
        library->archive_read_support_format_empty(reader->archive);
        /* What fails here fails again, with a message, where the first entry is read. */
        return library->archive_read_open_fd(reader->archive, reader->fd, BLOCK) == ARCHIVE_FATAL &&
                               library->archive_errno(reader->archive) == ENOMEM
                       ? no_memory(error)
                       : 0;
}

int tarfile_reader_new(const char *path, struct tarfile_reader **ret)
{
        CLEANUP(cleanup_tarfile_reader_free) struct tarfile_reader *reader = calloc(1, sizeof(*reader));
        struct stat st;

        if (!reader)
                return -ENOMEM;
        reader->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (reader->fd < 0 || fstat(reader->fd, &st) < 0)
                return errno > 0 ? -errno : -EIO;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        reader->is_short = st.st_size > 0 && st.st_size < 512;
        *ret = STEAL(reader);
        return 0;
}

void tarfile_reader_free(struct tarfile_reader *reader)
{
        if (!reader)
                return;
        if (reader->entry)
                reader->library.archive_entry_free(reader->entry);
        if (reader->archive)
                reader->library.archive_read_free(reader->archive);
        fd_close(reader->fd);
        free(reader->name);
        free(reader->clean);
        free(reader->target);
        free(reader);
}

/* What is wrong with an archive, in Go's words. */
static int archive_failed(const struct tarfile_reader *reader, struct archive *archive, struct cip_error *error)
{
        const char *text = reader->library.archive_error_string(archive);

        if (reader->library.archive_errno(archive) == ENOMEM)
                return no_memory(error);
        if (reader->is_short || (text && (strstr(text, "runcated") || strstr(text, "nexpected end"))))
                return local_error(error, -EBADMSG, "unexpected EOF");
        return local_error(error, -EBADMSG, "archive/tar: invalid tar header");
}

static int set_text(char **to, const char *text)
{
        free(*to);
        *to = text ? strdup(text) : NULL;
        return text && !*to ? -ENOMEM : 0;
}

static enum tarfile_kind kind_of(const struct archive_library *library, struct archive_entry *entry)
{
        if (library->archive_entry_hardlink(entry))
                return TARFILE_HARD_LINK;
        switch (library->archive_entry_filetype(entry)) {
        case AE_IFREG:
                return TARFILE_FILE;
        case AE_IFLNK:
                return TARFILE_LINK;
        default:
                return TARFILE_OTHER;
        }
}

/* An entry whose name cannot be told in this locale has none that anybody looks for. */
static const char *or_nothing(const char *text, const char *utf8)
{
        return text ? text : utf8 ? utf8 : "";
}

/* Takes over the name of the entry, and where it leads to. */
static int take_names(struct tarfile_reader *reader, enum tarfile_kind kind)
{
        const struct archive_library *library = &reader->library;
        struct archive_entry *entry = reader->entry;
        const char *name =
                or_nothing(library->archive_entry_pathname(entry), library->archive_entry_pathname_utf8(entry));
        const char *target = NULL;
        int r = set_text(&reader->name, name);

        if (kind == TARFILE_LINK)
                target = or_nothing(library->archive_entry_symlink(entry),
                                    library->archive_entry_symlink_utf8(entry));
        return r < 0 ? r : set_text(&reader->target, target);
}

int tarfile_reader_next(struct tarfile_reader *reader, struct tarfile_item *ret, struct cip_error *error)
{
        int r = reader->archive ? 0 : open_archive(reader, error);

        if (r < 0)
                return r;
        r = reader->library.archive_read_next_header2(reader->archive, reader->entry);
        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return archive_failed(reader, reader->archive, error);
        ret->kind = kind_of(&reader->library, reader->entry);
        if (take_names(reader, ret->kind) < 0)
                return no_memory(error);
        free(reader->clean);
        reader->clean = tarfile_clean_name(reader->name);
        if (!reader->clean)
                return no_memory(error);
        ret->name = reader->name;
        ret->clean = reader->clean;
        ret->target = reader->target;
        return 1;
}

/* One block of data of @archive. 1; 0 at the end; a negative errno. */
static int read_block(const struct tarfile_reader *reader, struct archive *archive, uint64_t offset,
                      const void **ret, size_t *ret_len, struct cip_error *error)
{
        la_int64_t at;
        int r = reader->library.archive_read_data_block(archive, ret, ret_len, &at);

        if (r == ARCHIVE_EOF) {
                /* A hole at the end. */
                if ((uint64_t)at > offset && archive == reader->archive)
                        return local_error(error, -EBADMSG, "a sparse file is not read");
                return 0;
        }
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return archive_failed(reader, archive, error);
        if ((uint64_t)at != offset)
                return local_error(error, -EBADMSG, "a sparse file is not read");
        return 1;
}

/* The data of an entry as the input of another archive, which decompresses it. */
struct inner {
        struct tarfile_reader *reader;
        uint64_t offset;
        struct cip_error error;
        int failed; /* a negative errno, with `error` */
};

static la_ssize_t read_inner(struct archive *archive, void *data, const void **ret)
{
        struct inner *inner = data;
        size_t len = 0;
        int r;

        do
                r = read_block(inner->reader, inner->reader->archive, inner->offset, ret, &len, &inner->error);
        while (r == 1 && len == 0);
        if (r < 0) {
                inner->failed = r;
                inner->reader->library.archive_set_error(archive, EIO, "the archive around it");
                return -1;
        }
        inner->offset += len;
        return r == 0 ? 0 : (la_ssize_t)len;
}

static int copy_data(const struct tarfile_reader *reader, struct archive *archive, int fd, uint64_t *ret_size,
                     struct cip_error *error)
{
        uint64_t size = 0;
        const void *data;
        size_t len;
        int r;

        while ((r = read_block(reader, archive, size, &data, &len, error)) == 1) {
                int w = fd < 0 ? 0 : write_all(fd, data, len);

                if (w < 0)
                        return local_errno(error, w, "cannot write a temporary file");
                size += len;
        }
        if (r == 0)
                *ret_size = size;
        return r;
}

static int copy_decompressed(struct tarfile_reader *reader, int fd, uint64_t *ret_size, struct cip_error *error)
{
        const struct archive_library *library = &reader->library;
        struct inner inner = {.reader = reader};
        struct archive *raw = library->archive_read_new();
        struct archive_entry *entry = library->archive_entry_new();
        int r;

        if (!raw || !entry) {
                library->archive_entry_free(entry);
                library->archive_read_free(raw);
                return no_memory(error);
        }
        support_filters(library, raw);
        library->archive_read_support_format_raw(raw);
        library->archive_read_support_format_empty(raw);
        r = library->archive_read_open(raw, &inner, NULL, read_inner, NULL);
        if (r == ARCHIVE_OK)
                r = library->archive_read_next_header2(raw, entry);
        if (r == ARCHIVE_EOF) {
                *ret_size = 0;
                r = 0;
        } else if (r == ARCHIVE_OK || r == ARCHIVE_WARN) {
                r = copy_data(reader, raw, fd, ret_size, error);
        } else {
                r = archive_failed(reader, raw, error);
        }
        library->archive_entry_free(entry);
        library->archive_read_free(raw);
        if (inner.failed && error)
                *error = inner.error;
        return inner.failed ? inner.failed : r;
}

int tarfile_reader_copy(struct tarfile_reader *reader, int fd, bool decompress, uint64_t *ret_size,
                        struct cip_error *error)
{
        return decompress ? copy_decompressed(reader, fd, ret_size, error)
                          : copy_data(reader, reader->archive, fd, ret_size, error);
}

int tarfile_reader_read(struct tarfile_reader *reader, size_t max, char **ret, size_t *ret_len,
                        struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        const void *data;
        size_t len = 0, n;
        int r;

        while ((r = read_block(reader, reader->archive, len, &data, &n, error)) == 1) {
                char *grown;

                if (n > max - len)
                        return local_error(error, -EFBIG, "exceeded maximum allowed size of %zu bytes", max);
                grown = realloc(text, len + n + 1);
                if (!grown)
                        return no_memory(error);
                text = grown;
                if (n > 0)
                        memcpy(text + len, data, n);
                len += n;
        }
        if (r < 0)
                return r;
        if (!text)
                text = malloc(1);
        if (!text)
                return no_memory(error);
        text[len] = '\0';
        *ret = STEAL(text);
        *ret_len = len;
        return 0;
}

int tarfile_temporary_file(void)
{
        const char *folder = getenv("TMPDIR");
        int fd = open(folder && *folder == '/' ? folder : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

        /* Not every file system has nameless files; memory has. */
        if (fd < 0)
                fd = memfd_create("cip-archive", MFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* ---- unpacking a layout ---- */

#define LAYOUT_NAME_SIZE (sizeof("blobs/sha512/") + DIGEST_TEXT_SIZE)

/*
 * The file of a layout that an entry is, in @ret: oci-layout, index.json, or blobs/ALGORITHM/HEX. False: none
 * of them.
 */
static bool layout_name(const char *clean, char ret[LAYOUT_NAME_SIZE])
{
        char digest[DIGEST_TEXT_SIZE];
        const char *hex;

        if (!strcmp(clean, "oci-layout") || !strcmp(clean, "index.json")) {
                snprintf(ret, LAYOUT_NAME_SIZE, "%s", clean);
                return true;
        }
        if (strncmp(clean, "blobs/", 6) != 0)
                return false;
        clean += 6;
        hex = strchr(clean, '/');
        if (!hex ||
            snprintf(digest, sizeof(digest), "%.*s:%s", (int)(hex - clean), clean, hex + 1) >=
                    (int)sizeof(digest) ||
            !digest_parse(digest, NULL))
                return false;
        snprintf(ret, LAYOUT_NAME_SIZE, "blobs/%.6s/%s", digest, digest_hex(digest));
        return true;
}

static int unpack_file(struct tarfile_reader *reader, int folder_fd, const char *name, struct cip_error *error)
{
        CLEANUP_FD int fd = -1;
        uint64_t size;

        /* Of two entries of one name the last counts. */
        if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT)
                return local_errno(error, -errno, "cannot replace %s", name);
        fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return local_errno(error, -errno, "cannot make %s", name);
        return tarfile_reader_copy(reader, fd, false, &size, error);
}

static int unpack_all(struct tarfile_reader *reader, int folder_fd, struct cip_error *error)
{
        char name[LAYOUT_NAME_SIZE];
        static const char *const folders[] = {"blobs", "blobs/sha256", "blobs/sha512"};
        struct tarfile_item item;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
                if (mkdirat(folder_fd, folders[i], 0700) < 0 && errno != EEXIST)
                        return local_errno(error, -errno, "cannot make %s", folders[i]);
        while ((r = tarfile_reader_next(reader, &item, error)) == 1) {
                if (item.kind == TARFILE_FILE && layout_name(item.clean, name))
                        r = unpack_file(reader, folder_fd, name, error);
                if (r < 0)
                        return r;
        }
        return r;
}

int tarfile_unpack_layout(const char *path, const char *folder, struct cip_error *error)
{
        CLEANUP(cleanup_tarfile_reader_free) struct tarfile_reader *reader = NULL;
        CLEANUP_FD int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (folder_fd < 0)
                return local_errno(error, -errno, "cannot open %s", folder);
        r = tarfile_reader_new(*path ? path : ".", &reader);
        if (r == -ENOENT)
                return local_error(error, r, "creating temp directory: archive file not found: \"%s\"", path);
        if (r == -EISDIR)
                return local_error(error, r,
                                   "creating temp directory: untarring file \"%s\": read %s: is a directory",
                                   folder, path);
        if (r < 0)
                return local_errno(error, r, "creating temp directory: open %s", path);
        r = unpack_all(reader, folder_fd, error);
        if (r < 0)
                error_prefix(error, "creating temp directory: untarring file \"%s\"", folder);
        return r;
}
