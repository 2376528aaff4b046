/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing layouts. Blobs are named by their digests, so that a manifest which is the same byte by byte, and files
 * that are what they are called, make the same image. The layout is a client's: nothing in it is taken on trust.
 */
#include "conformance/result-layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/layout.h"
#include "image/source.h"

/* Larger files are judged by their size alone. */
#define HASHED_MAX ((off_t)1 << 30)

struct expected_image {
        char *manifest;
        size_t manifest_len;
        struct manifest *parsed;
};

/* ---- what is expected ---- */

static int take_fixture(const char *name, struct expected_image *image, struct cip_error *error)
{
        CLEANUP(cleanup_image_free) struct image *fixture = NULL;
        char reference[256];
        const char *text;
        int r;

        snprintf(reference, sizeof(reference), "fake:%s", name);
        r = image_open(reference, NULL, &fixture, error);
        if (r < 0)
                return r;
        text = image_manifest(fixture, &image->manifest_len);
        image->manifest = text ? strndup(text, image->manifest_len) : NULL;
        return image->manifest ? 0 : error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot know the image");
}

static int take_generated(const struct generated_recipe *recipe, struct expected_image *image,
                          struct cip_error *error)
{
        CLEANUP(cleanup_generated_free) struct generated *generated = NULL;
        const char *text;
        int r = generated_new(recipe, &generated, error);

        if (r < 0)
                return r;
        text = generated_manifest(generated, &image->manifest_len);
        image->manifest = strndup(text, image->manifest_len);
        return image->manifest ? 0 : error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot know the image");
}

int expected_image_new(const struct scenario *scenario, struct expected_image **ret, struct cip_error *error)
{
        CLEANUP(cleanup_expected_image_free) struct expected_image *image = calloc(1, sizeof(*image));
        int r;

        if (!image)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot know the image");
        r = scenario->fixture ? take_fixture(scenario->fixture, image, error)
                              : take_generated(&scenario->image, image, error);
        if (r == 0)
                r = manifest_parse(image->manifest, image->manifest_len, &image->parsed, error);
        if (r < 0)
                return r;
        *ret = STEAL(image);
        return 0;
}

void expected_image_free(struct expected_image *image)
{
        if (!image)
                return;
        manifest_free(image->parsed);
        free(image->manifest);
        free(image);
}

size_t expected_image_layers(const struct expected_image *image)
{
        const struct manifest *manifest = image->parsed;
        size_t n = 0;

        for (size_t i = 0; i < manifest->n_entries; i++) {
                bool seen = false;

                /* Images of thousands of layers are all different; those that repeat are few. */
                for (size_t j = 0; j < i && !seen; j++)
                        seen = strcmp(manifest->entries[i].digest, manifest->entries[j].digest) == 0;
                n += !seen;
        }
        return n;
}

/* ---- what is there ---- */

static bool say(char reason[RESULT_TEXT_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills in a phrase; false, as the caller wants to return. */
static bool say(char reason[RESULT_TEXT_SIZE], const char *format, ...)
{
        char text[RESULT_TEXT_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_safe(reason, RESULT_TEXT_SIZE, text, strlen(text));
        return false;
}

/* Whether the file that @fd is has this digest. */
static bool has_digest(int fd, enum digest_algorithm algorithm, const char *wanted)
{
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        char found[DIGEST_TEXT_SIZE];
        char buffer[1 << 16];
        ssize_t n;

        if (digest_new(algorithm, &digest) < 0)
                return false;
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                if (digest_update(digest, buffer, (size_t)n) < 0)
                        return false;
        return n == 0 && digest_finish(digest, found) == 0 && strcmp(found, wanted) == 0;
}

/* A blob's file: NULL where it is what its name says, else what is wrong with it. */
static const char *judge_blob(int folder, const char *digest, int64_t size)
{
        enum digest_algorithm algorithm;
        char path[sizeof("blobs/sha512/") + DIGEST_TEXT_SIZE];
        CLEANUP_FD int fd = -1;
        struct stat st;

        if (!digest_parse(digest, &algorithm))
                return "has no proper digest";
        snprintf(path, sizeof(path), "blobs/%s/%s", algorithm == DIGEST_SHA256 ? "sha256" : "sha512",
                 digest_hex(digest));
        fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return "is missing";
        if (size >= 0 && st.st_size != size)
                return "has another size";
        if (st.st_size <= HASHED_MAX && !has_digest(fd, algorithm, digest))
                return "has other content than its name says";
        return NULL;
}

static bool judge_content(int folder, const char *what, const struct content *content,
                          char reason[RESULT_TEXT_SIZE])
{
        const char *wrong = judge_blob(folder, content->digest, content->size);

        return !wrong || say(reason, "its %s %s %s", what, content->digest, wrong);
}

/* Whether all that a manifest names is there. */
static bool is_whole(int folder, const struct manifest *manifest, char reason[RESULT_TEXT_SIZE])
{
        if (!judge_content(folder, "config", &manifest->config, reason))
                return false;
        for (size_t i = 0; i < manifest->n_entries; i++)
                if (!judge_content(folder, "layer", &manifest->entries[i], reason))
                        return false;
        return true;
}

bool result_is_image(const char *path, const struct expected_image *image, char reason[RESULT_TEXT_SIZE])
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP_FD int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct content *content;
        struct cip_error error = {0};
        size_t len;

        if (folder < 0)
                return say(reason, "is not there");
        if (layout_open(path, &layout, &error) < 0 || layout_find(layout, NULL, &content, &error) < 0 ||
            layout_read_blob(layout, content->digest, MANIFEST_MAX, &text, &len, &error) < 0)
                return say(reason, "is no layout of the image: %s", error.message);
        if (len != image->manifest_len || memcmp(text, image->manifest, len) != 0)
                return say(reason, "has another manifest, %s, than the server sent", content->digest);
        return is_whole(folder, image->parsed, reason);
}

/* ---- what a failure left ---- */

/* Whether index.json names an image. */
static bool names_image(const char *path)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        const struct content *content;
        struct cip_error error = {0};
        int r;

        if (layout_open(path, &layout, &error) < 0)
                return false;
        r = layout_find(layout, NULL, &content, &error);
        /* Several are some too. */
        return r == 0 || r == -EINVAL;
}

/* Blobs under their final names. */
static bool judge_blobs(int folder, const char *algorithm, char reason[RESULT_TEXT_SIZE])
{
        char below[32], digest[NAME_MAX + 16];
        struct dirent *entry;
        bool good = true;
        int fd;
        DIR *dir;

        snprintf(below, sizeof(below), "blobs/%s", algorithm);
        fd = openat(folder, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd < 0 ? NULL : fdopendir(fd);
        while (dir && good && (entry = readdir(dir))) {
                const char *wrong;

                if (entry->d_name[0] == '.')
                        continue;
                snprintf(digest, sizeof(digest), "%s:%s", algorithm, entry->d_name);
                if (!digest_parse(digest, NULL))
                        good = say(reason, "has a temporary file, %s/%s", below, entry->d_name);
                else if ((wrong = judge_blob(folder, digest, -1)))
                        good = say(reason, "has %s/%s, which %s", below, entry->d_name, wrong);
        }
        if (dir)
                closedir(dir);
        return good;
}

/* What stands in the layout's root beside what a layout has. */
static bool judge_root(int folder, char reason[RESULT_TEXT_SIZE])
{
        int fd = dup_fd(folder, 0);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        bool good = true;

        while (dir && good && (entry = readdir(dir))) {
                static const char *const usual[] = {".", "..", "oci-layout", "index.json", "blobs"};
                bool is_usual = false;

                for (size_t i = 0; i < ARRAY_SIZE(usual) && !is_usual; i++)
                        is_usual = strcmp(entry->d_name, usual[i]) == 0;
                if (!is_usual)
                        good = say(reason, "has a temporary file, %s", entry->d_name);
        }
        if (dir)
                closedir(dir);
        return good;
}

bool result_misleads(const char *path, const struct expected_image *image, char reason[RESULT_TEXT_SIZE])
{
        CLEANUP_FD int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char why[RESULT_TEXT_SIZE] = "";

        if (folder < 0)
                return false;
        if (names_image(path) && !(image && result_is_image(path, image, why))) {
                say(reason, "has an image in its index.json%s%s", *why ? ", and " : "", why);
                return true;
        }
        return !judge_blobs(folder, "sha256", reason) || !judge_blobs(folder, "sha512", reason) ||
               !judge_root(folder, reason);
}
