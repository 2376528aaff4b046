/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images to serve. What is done at once and what later, what is verified and what is not, and the sentences of
 * the errors follow real servers: a reference and its tag are judged when it is opened, the manifest when it is
 * asked for, and only the config's digest is compared. A fixture is written once into a temporary folder, which
 * all images of that name in this process share, and which goes away with the last of them. An oci-archive: is
 * unpacked into a folder of its own for as long as it is open, a docker-archive: is read where it is.
 */
#include "image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "image/config.h"
#include "image/digest.h"
#include "image/docker-archive.h"
#include "image/fixture.h"
#include "image/layout.h"
#include "image/local-error.h"
#include "image/schema-1.h"
#include "image/tarfile.h"

struct fake;

struct image {
        char *path;            /* of oci: and dir:, as in the reference */
        struct layout *layout; /* of oci: and fake: */
        char *entry_digest;    /* what index.json says for the tag */
        char *entry_type;      /* its media type */
        bool is_dir;
        struct fake *fake; /* a reference to the shared folder */
        char *unpacked;    /* the temporary folder of an oci-archive:; NULL: none */
        struct docker_archive *archive;
        const struct generated *generated;
        char *architecture, *os, *variant;

        /* Filled in by image_resolve. */
        struct manifest *manifest; /* to which all lists lead; NULL before */
        struct schema_1 *schema_1; /* the same read, where it is of schema 1 */
        char *original; /* the bytes of what is picked out of the first list; NULL after image_load */
        size_t original_len;
        const char *refused; /* its media type, where it is one that is not sent; static */
        bool legacy;         /* and why */
        char digest[DIGEST_TEXT_SIZE];
        char list_digest[DIGEST_TEXT_SIZE];

        /* Filled in by image_load. */
        char *text; /* as OCI; NULL before */
        size_t len;
};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for an image");
}

/* "open PATH: no such file or directory", in the words of servers. */
static int call_failed(const char *call, const char *folder, const char *name, int errnum,
                       struct cip_error *error)
{
        const char *text = strerrordesc_np(-errnum);

        if (!text || !*text)
                text = "Unknown error";
        return local_error(error, errnum, "%s %s%s%s: %c%s", call, folder, *folder && *name ? "/" : "", name,
                           text[0] | 0x20, text + 1);
}

/* ---- fixtures, shared within the process ---- */

struct fake {
        struct fake *next;
        const struct fixture *fixture;
        char *folder;
        size_t n_users;
};

/* A cache cannot be anywhere but here, as image_open has no object that outlives one image. */
static struct {
        pthread_mutex_t mutex;
        struct fake *list;
} fakes = {PTHREAD_MUTEX_INITIALIZER, NULL};

static int fake_new(const struct fixture *fixture, struct fake **ret, struct cip_error *error)
{
        struct fake *fake = calloc(1, sizeof(*fake));
        int r;

        if (!fake)
                return no_memory(error);
        fake->fixture = fixture;
        r = tmpdir_new("cip-fake", &fake->folder, error);
        if (r == 0)
                r = fixture_write_oci(fixture, fake->folder, NULL, error);
        if (r < 0) {
                tmpdir_remove(fake->folder);
                free(fake);
                return r;
        }
        *ret = fake;
        return 0;
}

static int fake_get(const struct fixture *fixture, struct fake **ret, struct cip_error *error)
{
        struct fake *fake;
        int r = 0;

        pthread_mutex_lock(&fakes.mutex);
        for (fake = fakes.list; fake && fake->fixture != fixture;)
                fake = fake->next;
        if (!fake) {
                r = fake_new(fixture, &fake, error);
                if (r == 0) {
                        fake->next = fakes.list;
                        fakes.list = fake;
                }
        }
        if (r == 0) {
                fake->n_users++;
                *ret = fake;
        }
        pthread_mutex_unlock(&fakes.mutex);
        return r;
}

static void fake_put(struct fake *fake)
{
        struct fake **link;

        if (!fake)
                return;
        pthread_mutex_lock(&fakes.mutex);
        if (--fake->n_users == 0) {
                for (link = &fakes.list; *link != fake;)
                        link = &(*link)->next;
                *link = fake->next;
                tmpdir_remove(fake->folder);
                free(fake);
        }
        pthread_mutex_unlock(&fakes.mutex);
}

/* ---- references ---- */

/* Servers resolve the path first, which needs all but its last component to be there. */
static int check_parent(const char *path, struct cip_error *error)
{
        char missing[PATH_MAX];
        CLEANUP(cleanup_free) char *parent = strdup(path);
        struct stat st;
        char *slash;

        if (!parent)
                return no_memory(error);
        slash = strrchr(parent, '/');
        if (!slash || slash == parent || lstat(path, &st) == 0)
                return 0;
        *slash = '\0';
        if (realpath(parent, missing) || errno != ENOENT)
                return 0;
        return call_failed("lstat", missing, "", -ENOENT, error);
}

static int open_layout(struct image *image, const char *path, const char *tag, bool *ret_no_tag,
                       struct cip_error *error)
{
        const struct content *entry;
        int r = layout_open(path, &image->layout, error);

        if (r < 0)
                return r;
        r = layout_find(image->layout, tag, &entry, error);
        if (r < 0 && tag) {
                *ret_no_tag = true;
                return local_error(error, r, "no descriptor found for reference \"%s\"", tag);
        }
        if (r < 0)
                return local_error(error, r, "more than one image in oci, choose an image");
        image->entry_digest = strdup(entry->digest);
        image->entry_type = strdup(entry->media_type);
        return image->entry_digest && image->entry_type ? 0 : no_memory(error);
}

static int open_oci(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *tag = NULL;
        int r = oci_reference_parse(text, &image->path, &tag, error);

        if (r == 0)
                r = check_parent(image->path, error);
        return r < 0 ? r : open_layout(image, image->path, tag, ret_no_tag, error);
}

static int open_dir(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error)
{
        (void)ret_no_tag;
        image->is_dir = true;
        image->path = strdup(text);
        return image->path ? check_parent(text, error) : no_memory(error);
}

static int open_oci_archive(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *tag = NULL;
        int r = oci_reference_parse(text, &image->path, &tag, error);

        if (r == 0)
                r = check_parent(image->path, error);
        if (r == 0)
                r = tmpdir_new("container_images_oci", &image->unpacked, error);
        if (r == 0)
                r = tarfile_unpack_layout(image->path, image->unpacked, error);
        if (r < 0)
                return r;
        r = open_layout(image, image->unpacked, tag, ret_no_tag, error);
        /* The archive is there, so that what it lacks is no missing image. */
        return r == -ENOENT && !*ret_no_tag ? -EBADMSG : r;
}

static int open_docker_archive(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error)
{
        (void)ret_no_tag;
        return docker_archive_open(text, &image->archive, error);
}

static int open_fake(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error)
{
        const struct fixture *fixture = fixture_find(text);
        int r;

        if (!fixture) {
                *ret_no_tag = true;
                return local_error(error, -ENOENT,
                                   "there is no fixture named \"%s\" (cip-fixture list names them)", text);
        }
        r = fake_get(fixture, &image->fake, error);
        return r < 0 ? r : open_layout(image, image->fake->folder, NULL, ret_no_tag, error);
}

static int open_elsewhere(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error)
{
        (void)image;
        (void)text;
        (void)ret_no_tag;
        return local_error(
                error, -EINVAL,
                "this transport is not served here: use oci:DIR[:TAG], oci-archive:FILE[:TAG], dir:DIR, "
                "docker-archive:FILE[:NAME] or fake:NAME");
}

static const struct {
        const char *name;
        int (*open)(struct image *image, const char *text, bool *ret_no_tag, struct cip_error *error);
} transports[] = {
        {"oci", open_oci},
        {"oci-archive", open_oci_archive},
        {"dir", open_dir},
        {"docker-archive", open_docker_archive},
        {"fake", open_fake},
        {"atomic", open_elsewhere},
        {"containers-storage", open_elsewhere},
        {"docker", open_elsewhere},
        {"docker-daemon", open_elsewhere},
        {"ostree", open_elsewhere},
        {"sif", open_elsewhere},
        {"tarball", open_elsewhere},
};

static int open_transport(struct image *image, const char *reference, bool *ret_no_tag, struct cip_error *error)
{
        size_t len = strcspn(reference, ":");

        if (reference[len] == '\0')
                return local_error(error, -EINVAL,
                                   "Invalid image name \"%s\", expected colon-separated transport:reference",
                                   reference);
        for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
                if (strlen(transports[i].name) == len && strncmp(transports[i].name, reference, len) == 0)
                        return transports[i].open(image, reference + len + 1, ret_no_tag, error);
        }
        return local_error(error, -EINVAL, "Invalid image name \"%s\", unknown transport \"%.*s\"", reference,
                           (int)len, reference);
}

static int copy_text(const char *text, char **ret)
{
        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? -ENOMEM : 0;
}

int image_open_unread(const char *reference, const struct platform *platform, struct image **ret,
                      bool *ret_no_tag, struct cip_error *error)
{
        CLEANUP(cleanup_image_free) struct image *image = calloc(1, sizeof(*image));
        bool no_tag = false;
        int r;

        if (!image || (platform && (copy_text(platform->architecture, &image->architecture) < 0 ||
                                    copy_text(platform->os, &image->os) < 0 ||
                                    copy_text(platform->variant, &image->variant) < 0)))
                return no_memory(error);
        r = open_transport(image, reference, &no_tag, error);
        if (ret_no_tag)
                *ret_no_tag = r == -ENOENT && no_tag;
        if (r < 0)
                return r;
        *ret = STEAL(image);
        return 0;
}

void image_set_archive_quirks(struct image *image, unsigned quirks)
{
        if (image->archive)
                docker_archive_set_quirks(image->archive, quirks);
}

int image_open_generated(const struct generated *generated, struct image **ret, struct cip_error *error)
{
        CLEANUP(cleanup_image_free) struct image *image = calloc(1, sizeof(*image));
        const char *text = generated_manifest(generated, &(size_t){0});

        if (!image)
                return no_memory(error);
        image->generated = generated;
        image->manifest = generated_parsed_manifest(generated);
        image->text = strdup(text);
        if (!image->manifest || !image->text)
                return no_memory(error);
        image->len = strlen(text);
        snprintf(image->digest, sizeof(image->digest), "%s", generated_manifest_digest(generated));
        memcpy(image->list_digest, image->digest, sizeof(image->list_digest));
        *ret = STEAL(image);
        return 0;
}

const struct generated *image_generated(const struct image *image)
{
        return image->generated;
}

int image_open(const char *reference, const struct platform *platform, struct image **ret,
               struct cip_error *error)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        int r = image_open_unread(reference, platform, &image, NULL, error);

        if (r == 0)
                r = image_load(image, error);
        if (r == 0)
                *ret = STEAL(image);
        return r;
}

void image_free(struct image *image)
{
        if (!image)
                return;
        layout_free(image->layout);
        fake_put(image->fake);
        tmpdir_remove(image->unpacked);
        docker_archive_free(image->archive);
        manifest_free(image->manifest);
        schema_1_free(image->schema_1);
        free(image->original);
        free(image->path);
        free(image->entry_digest);
        free(image->entry_type);
        free(image->architecture);
        free(image->os);
        free(image->variant);
        free(image->text);
        free(image);
}

/* ---- reading ---- */

static int open_in_dir(const struct image *image, const char *name, int *ret_fd, uint64_t *ret_size,
                       struct cip_error *error)
{
        CLEANUP_FD int folder = open(*image->path ? image->path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CLEANUP_FD int fd = -1;
        struct stat st;

        if (folder >= 0)
                fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return call_failed("open", image->path, name, -errno, error);
        if (!S_ISREG(st.st_mode))
                return call_failed("open", image->path, name, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL, error);
        if (fcntl(fd, F_SETFL, O_RDONLY) < 0)
                return call_failed("open", image->path, name, -errno, error);
        if (ret_size)
                *ret_size = (uint64_t)st.st_size;
        *ret_fd = steal_fd(&fd);
        return 0;
}

int image_open_blob(struct image *image, const char *digest, int *ret_fd, uint64_t *ret_size,
                    struct cip_error *error)
{
        if (!digest_parse(digest, NULL))
                return local_error(error, -EINVAL, "%s", digest_problem(digest));
        if (image->generated)
                return local_error(error, -ENOTSUP, "a generated image has no files");
        if (image->archive)
                return docker_archive_open_blob(image->archive, digest, ret_fd, ret_size, error);
        if (image->is_dir)
                return open_in_dir(image, digest_hex(digest), ret_fd, ret_size, error);
        return layout_open_blob(image->layout, digest, ret_fd, ret_size, error);
}

/* Bytes of a manifest on disk, on which servers set no limit, as they do on configs. */
#define LOCAL_MANIFEST_MAX ((size_t)64 * 1024 * 1024)

/* A manifest that was read. */
struct loaded {
        struct manifest *manifest;
        char *text;
        size_t len;
        char digest[DIGEST_TEXT_SIZE]; /* sha256 of the text */
};

static void loaded_clear(struct loaded *loaded)
{
        manifest_free(loaded->manifest);
        free(loaded->text);
        *loaded = (struct loaded){0};
}

static void loaded_swap(struct loaded *a, struct loaded *b)
{
        struct loaded kept = *a;

        *a = *b;
        *b = kept;
}

static int read_whole(int fd, const char *what, size_t max, char **ret, size_t *ret_len,
                      struct cip_error *error)
{
        int r = read_to_end(fd, max, DEADLINE_NEVER, ret, ret_len);

        if (r == -EFBIG)
                return local_error(error, -EBADMSG, "%s: exceeded maximum allowed size of %zu bytes", what,
                                   max);
        return r < 0 ? local_errno(error, r, "cannot read %s", what) : 0;
}

static int copy_archive_manifest(struct image *image, char **ret, size_t *ret_len, struct cip_error *error)
{
        const char *text;
        int r = docker_archive_load(image->archive, &text, ret_len, error);

        if (r < 0)
                return r;
        *ret = strdup(text);
        return *ret ? 0 : no_memory(error);
}

/* A manifest by its digest; @digest NULL: dir:'s or docker-archive:'s own. */
static int read_manifest(struct image *image, const char *digest, char **ret, size_t *ret_len,
                         struct cip_error *error)
{
        char name[DIGEST_TEXT_SIZE + sizeof(".manifest.json")] = "manifest.json";
        CLEANUP_FD int fd = -1;
        int r;

        if (image->archive)
                return copy_archive_manifest(image, ret, ret_len, error);
        if (image->is_dir) {
                if (digest)
                        snprintf(name, sizeof(name), "%s.manifest.json", digest_hex(digest));
                r = open_in_dir(image, name, &fd, NULL, error);
        } else {
                r = image_open_blob(image, digest, &fd, NULL, error);
        }
        return r < 0 ? r : read_whole(fd, "the manifest", LOCAL_MANIFEST_MAX, ret, ret_len, error);
}

/* Reads @digest's manifest, parses it, and computes its real digest. */
static int load_manifest(struct image *image, const char *digest, struct loaded *ret, struct cip_error *error)
{
        int r = read_manifest(image, digest, &ret->text, &ret->len, error);

        if (r < 0)
                return r;
        if (digest_of(DIGEST_SHA256, ret->text, ret->len, ret->digest) < 0)
                return no_memory(error);
        return manifest_parse(ret->text, ret->len, &ret->manifest, error);
}

static bool is_list(const struct manifest *manifest)
{
        return manifest->kind == MANIFEST_OCI_INDEX || manifest->kind == MANIFEST_DOCKER_LIST;
}

static int read_config_of(struct image *image, const struct content *config, char **ret, size_t *ret_len,
                          struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP_FD int fd = -1;
        enum digest_algorithm algorithm = DIGEST_SHA256;
        char actual[DIGEST_TEXT_SIZE];
        size_t len = 0;
        int r = image_open_blob(image, config->digest, &fd, NULL, error);

        if (r == 0)
                r = read_whole(fd, "the config", MANIFEST_MAX, &data, &len, error);
        if (r < 0)
                return r;
        digest_parse(config->digest, &algorithm);
        if (digest_of(algorithm, data, len, actual) < 0)
                return no_memory(error);
        if (strcmp(actual, config->digest) != 0)
                return local_error(error, -EBADMSG, "Download config.json digest %s does not match expected %s",
                                   actual, config->digest);
        *ret = STEAL(data);
        *ret_len = len;
        return 0;
}

/* ---- through lists to a manifest ---- */

/* Puts words in front of what @error says. */
static int failed_while(int r, const char *words, struct cip_error *error)
{
        struct cip_error inner;

        if (!error)
                return r;
        inner = *error;
        return local_error(error, r, "%s%s", words, inner.message);
}

/* What an error is about that happened below the first list. */
static const char *selecting(const struct manifest *list)
{
        return list->kind == MANIFEST_DOCKER_LIST
                       ? "fetching target platform image selected from manifest list: "
                       : "fetching target platform image selected from image index: ";
}

/* Replaces @loaded, a list, by the entry for the platform. @nested: it stands in a list itself. */
static int follow_list(struct image *image, bool nested, struct loaded *loaded, struct cip_error *error)
{
        const struct platform platform = {image->architecture, image->os, image->variant};
        CLEANUP(loaded_clear) struct loaded next = {0};
        const struct content *entry = NULL;
        int r = manifest_pick(loaded->manifest, &platform, &entry, error);

        if (r < 0)
                return nested ? failed_while(r, "choosing image instance: ", error) : r;
        r = read_manifest(image, entry->digest, &next.text, &next.len, error);
        if (r < 0)
                return nested ? failed_while(r, selecting(loaded->manifest), error) : r;
        if (digest_of(DIGEST_SHA256, next.text, next.len, next.digest) < 0)
                return no_memory(error);
        if (strcmp(next.digest, entry->digest) != 0)
                return local_error(error, -EBADMSG,
                                   nested ? "Image manifest does not match selected manifest digest %s"
                                          : "Manifest does not match provided manifest digest %s",
                                   entry->digest);
        r = manifest_parse(next.text, next.len, &next.manifest, error);
        if (r < 0)
                return r;
        loaded_swap(loaded, &next);
        return 0;
}

/* Of schema 1, index.json's word counts where there is one; elsewhere whether it is signed. */
static const char *schema_1_type(const struct image *image, const struct manifest *manifest, bool picked)
{
        static const char plain[] = "application/vnd.docker.distribution.manifest.v1+json",
                          is_signed[] = "application/vnd.docker.distribution.manifest.v1+prettyjws";

        if (!picked && image->entry_type && strcmp(image->entry_type, plain) == 0)
                return plain;
        return json_object_object_get(manifest->json, "signatures") ? is_signed : plain;
}

/* Whether servers would send it; they find out after they have read all that it leads to. */
static void judge_original(struct image *image, const struct manifest *manifest, bool picked)
{
        image->legacy = manifest->kind == MANIFEST_DOCKER_1;
        if (image->legacy)
                image->refused = schema_1_type(image, manifest, picked);
        else if (is_list(manifest))
                image->refused = manifest_kind_media_type(manifest->kind);
}

/* Lists that lead to one another; no digest can be in its own list, so that there is an end. */
static int resolve(struct image *image, struct loaded *loaded, struct cip_error *error)
{
        bool picked;
        int r = load_manifest(image, image->entry_digest, loaded, error);

        if (r < 0)
                return r;
        memcpy(image->list_digest, loaded->digest, sizeof(image->list_digest));
        picked = is_list(loaded->manifest);
        if (picked)
                r = follow_list(image, false, loaded, error);
        if (r < 0)
                return r;
        memcpy(image->digest, loaded->digest, sizeof(image->digest));
        judge_original(image, loaded->manifest, picked);
        while (r == 0 && is_list(loaded->manifest))
                r = follow_list(image, true, loaded, error);
        if (r == 0 && loaded->manifest->kind == MANIFEST_DOCKER_1)
                r = schema_1_read(loaded->manifest->json, &image->schema_1, error);
        return r;
}

int image_resolve(struct image *image, struct cip_error *error)
{
        CLEANUP(loaded_clear) struct loaded loaded = {0};
        int r;

        if (image->manifest)
                return 0;
        image->refused = NULL;
        r = resolve(image, &loaded, error);
        if (r < 0)
                return r;
        if (!image->refused) {
                image->original = STEAL(loaded.text);
                image->original_len = loaded.len;
        }
        image->manifest = STEAL(loaded.manifest);
        return 0;
}

/* Servers convert docker's config along with the manifest, which names the result. */
static int convert(struct image *image, struct cip_error *error)
{
        const struct manifest *manifest = image->manifest;
        CLEANUP(cleanup_free) char *config = NULL;
        size_t config_len = 0;
        int r;

        if (manifest->kind == MANIFEST_OCI) {
                image->text = STEAL(image->original);
                image->len = image->original_len;
                return 0;
        }
        r = read_config_of(image, &manifest->config, &config, &config_len, error);
        if (r == 0)
                r = manifest_to_oci_with_config(manifest, image->original, image->original_len, config,
                                                config_len, &image->text, &image->len, error);
        return r;
}

int image_load(struct image *image, struct cip_error *error)
{
        int r = image->text ? 0 : image_resolve(image, error);

        if (r < 0 || image->text)
                return r;
        if (image->refused)
                return local_error(error, -ENOTSUP, "unsupported %smanifest MIME type: %s",
                                   image->legacy ? "legacy " : "", image->refused);
        return convert(image, error);
}

const char *image_manifest(const struct image *image, size_t *ret_len)
{
        *ret_len = image->len;
        return image->text;
}

const struct manifest *image_parsed_manifest(const struct image *image)
{
        return image->manifest;
}

const struct content *image_layers(const struct image *image, size_t *ret_n)
{
        if (image->schema_1)
                return schema_1_layers(image->schema_1, ret_n);
        *ret_n = image->manifest->n_entries;
        return image->manifest->entries;
}

const char *image_digest(const struct image *image)
{
        return image->digest;
}

const char *image_entry_type(const struct image *image)
{
        return image->entry_type;
}

const char *image_list_digest(const struct image *image)
{
        return image->list_digest;
}

/* A generated config is in the form that servers write, or is meant to be out of form. */
static int read_generated_config(const struct generated *generated, bool member_only, char **ret,
                                 size_t *ret_len, struct cip_error *error)
{
        const char *text = generated_config(generated, ret_len);

        if (member_only)
                return config_to_oci(text, *ret_len, true, ret, ret_len, error);
        *ret = strdup(text);
        return *ret ? 0 : no_memory(error);
}

int image_read_config(struct image *image, char **ret, size_t *ret_len, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len = 0;
        int r = image_resolve(image, error);

        if (image->generated)
                return read_generated_config(image->generated, false, ret, ret_len, error);
        if (r == 0 && image->schema_1)
                return schema_1_config(image->schema_1, ret, ret_len, error);
        if (r == 0)
                r = read_config_of(image, &image->manifest->config, &data, &len, error);
        if (r < 0)
                return r;
        if ((int64_t)len != image->manifest->config.size)
                return local_error(error, -EBADMSG, "the config has %zu bytes, and its manifest says %lld", len,
                                   (long long)image->manifest->config.size);
        *ret = STEAL(data);
        *ret_len = len;
        return 0;
}

/* What an artifact is, in a server's eyes: an OCI manifest whose config is not an image's. */
static int refuse_artifact(const struct manifest *manifest, struct cip_error *error)
{
        struct json_object *type = json_object_object_get(manifest->json, "artifactType");
        const char *name = manifest->config.media_type;

        if (manifest->kind != MANIFEST_OCI || strcmp(name, MEDIA_OCI_CONFIG) == 0)
                return 0;
        if (json_object_is_type(type, json_type_string) && json_object_get_string_len(type) > 0)
                name = json_object_get_string(type);
        return local_error(error, -ENOTSUP, "unsupported image-specific operation on artifact with type \"%s\"",
                           name);
}

/* A config that is made up of a history, which is judged as a config first. */
static int read_schema_1_config(const struct image *image, bool member_only, char **ret, size_t *ret_len,
                                struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len = 0;
        int r = schema_1_config(image->schema_1, &data, &len, error);

        if (r == 0)
                r = config_to_oci(data, len, member_only, ret, ret_len, error);
        return r == -EBADMSG ? failed_while(r, "decoding configuration: ", error) : r;
}

int image_read_oci_config(struct image *image, bool member_only, char **ret, size_t *ret_len,
                          struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len = 0;
        int r = image_resolve(image, error);

        if (image->generated)
                return read_generated_config(image->generated, member_only, ret, ret_len, error);
        if (r == 0 && image->schema_1)
                return read_schema_1_config(image, member_only, ret, ret_len, error);
        if (r == 0)
                r = refuse_artifact(image->manifest, error);
        if (r == 0)
                r = read_config_of(image, &image->manifest->config, &data, &len, error);
        return r < 0 ? r : config_to_oci(data, len, member_only, ret, ret_len, error);
}
