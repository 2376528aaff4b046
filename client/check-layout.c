/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test's judge of an OCI layout: what is there must be right. Every file below blobs/ has the digest that is
 * its name, and every image in index.json has its config and all of its layers. What a dead writer left over
 * is counted, but is no fault. Built with the tests, not installed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/digest.h"
#include "image/layout.h"
#include "image/manifest.h"

static int hash_file(int fd, enum digest_algorithm algorithm, char ret[DIGEST_TEXT_SIZE])
{
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        static char buffer[1 << 16];
        ssize_t n;

        if (digest_new(algorithm, &digest) < 0)
                return -ENOMEM;
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                digest_update(digest, buffer, (size_t)n);
        return n < 0 ? -errno : digest_finish(digest, ret);
}

static int check_file(int folder, const char *algorithm, const char *name, struct cip_error *error)
{
        CLEANUP_FD int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char wanted[300], actual[DIGEST_TEXT_SIZE];
        enum digest_algorithm which;
        int r;

        snprintf(wanted, sizeof(wanted), "%s:%s", algorithm, name);
        if (!digest_parse(wanted, &which))
                return error_set(error, CIP_ERROR_LOCAL, -EBADMSG, "blobs/%s/%s is no digest", algorithm, name);
        r = fd < 0 ? -errno : hash_file(fd, which, actual);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read %s", wanted);
        if (strcmp(actual, wanted) != 0)
                return error_set(error, CIP_ERROR_LOCAL, -EBADMSG, "%s has the digest %s", wanted, actual);
        return 0;
}

static int check_folder(const char *path, const char *algorithm, size_t *blobs, struct cip_error *error)
{
        char name[4096];
        DIR *folder;
        struct dirent *entry;
        int r = 0;

        snprintf(name, sizeof(name), "%s/blobs/%s", path, algorithm);
        folder = opendir(name);
        if (!folder)
                return errno == ENOENT
                               ? 0
                               : error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot read %s", name);
        while (r == 0 && (entry = readdir(folder))) {
                if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
                        continue;
                r = check_file(dirfd(folder), algorithm, entry->d_name, error);
                (*blobs)++;
        }
        closedir(folder);
        return r;
}

static int want_blob(struct layout *layout, const struct content *content, struct cip_error *error)
{
        if (layout_has_blob(layout, content->digest, content->size))
                return 0;
        return error_set(error, CIP_ERROR_LOCAL, -ENOENT, "%s of %jd bytes is missing", content->digest,
                         (intmax_t)content->size);
}

static int check_image(struct layout *layout, const struct content *entry, struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        int r = layout_read_blob(layout, entry->digest, MANIFEST_MAX, &text, &len, error);

        if (r == 0 && (int64_t)len != entry->size)
                r = error_set(error, CIP_ERROR_LOCAL, -EBADMSG, "%s has another size", entry->digest);
        if (r == 0)
                r = manifest_parse(text, len, &manifest, error);
        if (r == 0)
                r = want_blob(layout, &manifest->config, error);
        for (size_t i = 0; r == 0 && i < manifest->n_entries; i++)
                r = want_blob(layout, &manifest->entries[i], error);
        return r;
}

static int check_images(const char *path, size_t *images, struct cip_error *error)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *index = NULL;
        char name[4096];
        size_t len;
        int r = layout_open(path, &layout, error);

        snprintf(name, sizeof(name), "%s/index.json", path);
        if (r == 0)
                r = read_file_at(AT_FDCWD, name, 1 << 24, &text, &len, error);
        if (r == 0)
                r = manifest_parse(text, len, &index, error);
        for (size_t i = 0; r == 0 && i < index->n_entries; i++, (*images)++)
                r = check_image(layout, &index->entries[i], error);
        return r;
}

static size_t count_left_over(const char *path)
{
        DIR *folder = opendir(path);
        struct dirent *entry;
        size_t n = 0;

        while (folder && (entry = readdir(folder)))
                n += strncmp(entry->d_name, ".cip-", 5) == 0;
        if (folder)
                closedir(folder);
        return n;
}

int main(int argc, char **argv)
{
        struct cip_error error = {.error_class = CIP_ERROR_NONE};
        size_t blobs = 0, images = 0;

        if (argc != 2) {
                fprintf(stderr, "Usage: check-layout DIR\n");
                return 2;
        }
        if (check_folder(argv[1], "sha256", &blobs, &error) < 0 ||
            check_folder(argv[1], "sha512", &blobs, &error) < 0 || check_images(argv[1], &images, &error) < 0) {
                printf("%s: %s\n", argv[1], error.message);
                return 1;
        }
        printf("images %zu blobs %zu left-over %zu\n", images, blobs, count_left_over(argv[1]));
        return 0;
}
