/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI layout on disk whose index.json and one manifest come from the input, opened and read as a server does. What is
 * refused is refused with a word, an image that is loaded has a digest, and no descriptor stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "fuzz/target.h"
#include "image/digest.h"
#include "image/source.h"

static char *folder;

static void remove_folder(void)
{
        tmpdir_remove(folder);
}

static void put(const char *name, const void *data, size_t size)
{
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        target_that(fd >= 0 && write_all(fd, data, size) == 0, "cannot write %s: %s", path, strerror(errno));
        fd_close(fd);
}

static void make_folder(const char *below)
{
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", folder, below);
        target_that(mkdir(path, 0700) == 0, "cannot make %s: %s", path, strerror(errno));
}

/* The layout but for its index, once. */
static void prepare(void)
{
        struct cip_error error;

        target_that(tmpdir_new("cip-fuzz", &folder, &error) == 0, "%s", error.message);
        atexit(remove_folder);
        make_folder("blobs");
        make_folder("blobs/sha256");
        put("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
}

/* Stores the manifest under its digest; where the index has 64 times '@' behind "sha256:", that is put in its place. */
static void put_index(const uint8_t *index, size_t index_len, const uint8_t *manifest, size_t manifest_len)
{
        char digest[DIGEST_TEXT_SIZE], name[sizeof("blobs/sha256/") + DIGEST_TEXT_SIZE];
        CLEANUP(cleanup_free) char *text = malloc(index_len + 1);
        static const char mark[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
        char *place;

        target_that(text, "no memory");
        memcpy(text, index, index_len);
        text[index_len] = '\0';
        digest_of(DIGEST_SHA256, manifest, manifest_len, digest);
        while ((place = memmem(text, index_len, mark, sizeof(mark) - 1)))
                memcpy(place, digest + strlen("sha256:"), sizeof(mark) - 1);
        snprintf(name, sizeof(name), "blobs/sha256/%s", digest + strlen("sha256:"));
        put(name, manifest, manifest_len);
        put("index.json", text, index_len);
}

static void judge(const char *reference)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *config = NULL;
        CLEANUP_FD int fd = -1;
        struct cip_error error = {0};
        size_t len;

        if (image_open_unread(reference, NULL, &image, NULL, &error) < 0 || image_load(image, &error) < 0) {
                target_that(*error.message, "an image was refused without a word");
                return;
        }
        target_that(digest_parse(image_digest(image), &(enum digest_algorithm){0}),
                    "the image's digest is none");
        image_read_oci_config(image, false, &config, &len, &error);
        image_open_blob(image, image_digest(image), &fd, NULL, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct target_input input = {data, size};
        size_t index_len = input_size(&input, 65535), rest, fds;
        const uint8_t *index = input_bytes(&input, &index_len), *manifest = input_rest(&input, &rest);
        char reference[512];

        if (!folder)
                prepare();
        fds = target_count_fds();
        put_index(index, index_len, manifest, rest);
        for (int tagged = 0; tagged < 2; tagged++) {
                snprintf(reference, sizeof(reference), "oci:%s%s", folder, tagged ? ":latest" : "");
                judge(reference);
        }
        target_that(target_count_fds() == fds, "a descriptor is left open");
        return 0;
}
