/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI layouts. The folder is opened once, by the caller's path; all below it goes by openat without following
 * symbolic links. A writer's temporary files lie in the layout's root and are locked with flock as long as the
 * writer lives: one whose lock can be had is left over from a dead one, and the next writer removes it. The
 * lock file of index.json goes away with its last user.
 */
#include "image/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/local-error.h"
#include "protocol/message.h"

#define LAYOUT_FILE "oci-layout"
#define INDEX_FILE "index.json"
#define LOCK_FILE ".cip-lock"
#define TEMP_PREFIX ".cip-tmp-"
#define TEMP_NAME_SIZE (sizeof(TEMP_PREFIX) + 16)
#define REF_NAME "org.opencontainers.image.ref.name"

static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

/* The largest index.json that is read, in bytes: some ten thousand tags. */
#define INDEX_MAX ((size_t)16 * 1024 * 1024)
#define INDEX_DEPTH 100

/* How long another process may hold the lock of index.json before a writer gives up, in milliseconds. */
#define LOCK_PATIENCE_MS 60000

#define ALGORITHMS 2
static const char *const algorithm_folders[ALGORITHMS] = {
        [DIGEST_SHA256] = "sha256",
        [DIGEST_SHA512] = "sha512",
};

struct layout {
        int fd;
        char *path;                /* as given, for messages */
        int blobs_fds[ALGORITHMS]; /* blobs/ALGORITHM, opened when first needed; -1 before */
        struct manifest *index;    /* of a layout that was opened to read */
        bool sync;
};

/* ---- opening ---- */

/* "open PATH/NAME: no such file or directory", in the words of servers. */
static int open_failed(const struct layout *layout, const char *name, int errnum, struct cip_error *error)
{
        const char *text = strerrordesc_np(-errnum);
        const char *slash = *layout->path ? "/" : "";

        if (!text || !*text)
                text = "Unknown error";
        return local_error(error, errnum, "open %s%s%s: %c%s", layout->path, slash, name, text[0] | 0x20,
                           text + 1);
}

static int failed_in(const struct layout *layout, int errnum, const char *what, struct cip_error *error)
{
        return local_errno(error, errnum, "cannot %s in %s", what, layout->path);
}

static int new_layout(const char *path, struct layout **ret, struct cip_error *error)
{
        struct layout *layout = calloc(1, sizeof(*layout));

        if (!layout)
                return local_error(error, -ENOMEM, "no memory for a layout");
        layout->fd = -1;
        for (size_t i = 0; i < ALGORITHMS; i++)
                layout->blobs_fds[i] = -1;
        layout->path = strdup(path);
        if (!layout->path) {
                layout_free(layout);
                return local_error(error, -ENOMEM, "no memory for a layout");
        }
        *ret = layout;
        return 0;
}

void layout_free(struct layout *layout)
{
        if (!layout)
                return;
        fd_close(layout->fd);
        for (size_t i = 0; i < ALGORITHMS; i++)
                fd_close(layout->blobs_fds[i]);
        manifest_free(layout->index);
        free(layout->path);
        free(layout);
}

static int open_root(struct layout *layout)
{
        layout->fd = open(*layout->path ? layout->path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return layout->fd < 0 ? -errno : 0;
}

/* A regular file below @dir_fd, without following a symbolic link or waiting for a FIFO's writer. */
static int open_regular(int dir_fd, const char *name, int *ret_fd, uint64_t *ret_size)
{
        CLEANUP_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        if (fcntl(fd, F_SETFL, O_RDONLY) < 0)
                return -errno;
        if (ret_size)
                *ret_size = (uint64_t)st.st_size;
        *ret_fd = steal_fd(&fd);
        return 0;
}

static int read_index_text(struct layout *layout, char **ret, size_t *ret_len, struct cip_error *error)
{
        CLEANUP_FD int fd = -1;
        int r = open_regular(layout->fd, INDEX_FILE, &fd, NULL);

        if (r == 0)
                r = read_to_end(fd, INDEX_MAX, DEADLINE_NEVER, ret, ret_len);
        return r < 0 ? open_failed(layout, INDEX_FILE, r, error) : 0;
}

int layout_open(const char *path, struct layout **ret, struct cip_error *error)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        int r = new_layout(path, &layout, error);

        if (r < 0)
                return r;
        r = open_root(layout);
        if (r < 0)
                return open_failed(layout, INDEX_FILE, r, error);
        r = read_index_text(layout, &text, &len, error);
        if (r < 0)
                return r;
        r = manifest_parse(text, len, &layout->index, error);
        if (r == 0 && layout->index->kind != MANIFEST_OCI_INDEX)
                r = local_error(error, -EBADMSG, "it is no index");
        if (r < 0) {
                error_prefix(error, "%s/" INDEX_FILE, path);
                return r;
        }
        *ret = STEAL(layout);
        return 0;
}

/* The tags that there are, for a message. */
static int list_tags(struct layout *layout, struct cip_error *error)
{
        size_t n = 0;

        for (size_t i = 0; error && i < layout->index->n_entries; i++) {
                const char *name = layout->index->entries[i].ref_name;

                if (name && n++ < 20)
                        error_append(error, "%s%s", n == 1 ? "; the tags there: " : ", ", name);
        }
        if (error && n == 0)
                error_append(error, "; there are no tags");
        else if (error && n > 20)
                error_append(error, " and %zu more", n - 20);
        return 0;
}

int layout_find(struct layout *layout, const char *tag, const struct content **ret, struct cip_error *error)
{
        int r;

        if (!layout->index)
                return local_error(error, -EINVAL, "%s was opened to write", layout->path);
        if (!tag && layout->index->n_entries == 1) {
                *ret = &layout->index->entries[0];
                return 0;
        }
        for (size_t i = 0; tag && i < layout->index->n_entries; i++) {
                const char *name = layout->index->entries[i].ref_name;

                if (name && strcmp(name, tag) == 0) {
                        *ret = &layout->index->entries[i];
                        return 0;
                }
        }
        if (tag)
                r = local_error(error, -ENOENT, "%s has no image tagged \"%s\"", layout->path, tag);
        else if (layout->index->n_entries == 0)
                r = local_error(error, -ENOENT, "%s has no image", layout->path);
        else
                r = local_error(error, -EINVAL, "%s has %zu images, and no tag says which is meant",
                                layout->path, layout->index->n_entries);
        list_tags(layout, error);
        return r;
}

/* ---- reading blobs ---- */

static int open_folder(int dir_fd, const char *name, bool make)
{
        int fd;

        if (make && mkdirat(dir_fd, name, 0777) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* blobs/ALGORITHM; borrowed. With @make it is made if missing. Returns a descriptor or a negative errno. */
static int blobs_folder(struct layout *layout, enum digest_algorithm algorithm, bool make)
{
        CLEANUP_FD int blobs = -1;
        int fd;

        if (layout->blobs_fds[algorithm] >= 0)
                return layout->blobs_fds[algorithm];
        blobs = open_folder(layout->fd, "blobs", make);
        if (blobs < 0)
                return blobs;
        fd = open_folder(blobs, algorithm_folders[algorithm], make);
        if (fd < 0)
                return fd;
        layout->blobs_fds[algorithm] = fd;
        return fd;
}

static int bad_digest(const char *digest, struct cip_error *error)
{
        return local_error(error, -EINVAL, "unexpected digest reference %s: %s", digest,
                           digest_problem(digest));
}

int layout_open_blob(struct layout *layout, const char *digest, int *ret_fd, uint64_t *ret_size,
                     struct cip_error *error)
{
        char name[sizeof("blobs/sha512/") + DIGEST_TEXT_SIZE];
        enum digest_algorithm algorithm;
        int r;

        if (!digest_parse(digest, &algorithm))
                return bad_digest(digest, error);
        r = blobs_folder(layout, algorithm, false);
        if (r >= 0)
                r = open_regular(r, digest_hex(digest), ret_fd, ret_size);
        snprintf(name, sizeof(name), "blobs/%s/%s", algorithm_folders[algorithm], digest_hex(digest));
        return r < 0 ? open_failed(layout, name, r, error) : 0;
}

int layout_read_blob(struct layout *layout, const char *digest, size_t max, char **ret, size_t *ret_len,
                     struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP_FD int fd = -1;
        enum digest_algorithm algorithm = DIGEST_SHA256;
        char actual[DIGEST_TEXT_SIZE];
        size_t len = 0;
        int r = layout_open_blob(layout, digest, &fd, NULL, error);

        if (r < 0)
                return r;
        digest_parse(digest, &algorithm);
        r = read_to_end(fd, max, DEADLINE_NEVER, &data, &len);
        if (r == 0)
                r = digest_of(algorithm, data, len, actual);
        if (r < 0)
                return local_errno(error, r, "cannot read blob %s in %s", digest, layout->path);
        if (strcmp(actual, digest) != 0)
                return local_error(error, -EBADMSG, "blob %s in %s has the digest %s", digest, layout->path,
                                   actual);
        *ret = STEAL(data);
        *ret_len = len;
        return 0;
}

bool layout_has_blob(struct layout *layout, const char *digest, int64_t size)
{
        enum digest_algorithm algorithm;
        struct stat st;
        int fd;

        if (!digest_parse(digest, &algorithm))
                return false;
        fd = blobs_folder(layout, algorithm, false);
        return fd >= 0 && fstatat(fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(st.st_mode) && (size < 0 || st.st_size == size);
}

/* ---- temporary files ---- */

/* Whether @name below @dir_fd is still the file that @fd is. */
static bool is_linked(int dir_fd, const char *name, int fd)
{
        struct stat by_fd, by_name;

        return fstat(fd, &by_fd) == 0 && fstatat(dir_fd, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
               by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

/*
 * A new file in the layout's root, locked. A cleaner may come between its making and its locking, and remove
 * it: then another is made.
 */
static int new_temp(struct layout *layout, char ret_name[TEMP_NAME_SIZE], int *ret_fd)
{
        for (int tries = 0; tries < 100; tries++) {
                CLEANUP_FD int fd = -1;
                uint64_t random;
                int r;

                if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                        random = monotonic_ns() ^ ((uint64_t)getpid() << 40);
                snprintf(ret_name, TEMP_NAME_SIZE, TEMP_PREFIX "%016" PRIx64, random);
                fd = openat(layout->fd, ret_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
                if (fd < 0 && errno == EEXIST)
                        continue;
                if (fd < 0)
                        return -errno;
                r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
                if (r == 0 && is_linked(layout->fd, ret_name, fd)) {
                        *ret_fd = steal_fd(&fd);
                        return 0;
                }
                /* Nobody else makes a file of this name, so that it is ours or gone. */
                unlinkat(layout->fd, ret_name, 0);
                if (r < 0 && r != -EWOULDBLOCK && r != -EINTR)
                        return r;
        }
        return -EBUSY;
}

static void remove_if_stale(struct layout *layout, const char *name)
{
        CLEANUP_FD int fd = openat(layout->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        /* Unlinked under the lock, and only while it is the very file that was locked. */
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_linked(layout->fd, name, fd))
                unlinkat(layout->fd, name, 0);
}

static int remove_stale_temps(struct layout *layout)
{
        int fd = openat(layout->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!directory) {
                int r = -errno;

                fd_close(fd);
                return r;
        }
        while ((entry = readdir(directory))) {
                if (strncmp(entry->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0)
                        remove_if_stale(layout, entry->d_name);
        }
        closedir(directory);
        return 0;
}

/* ---- writing blobs ---- */

struct layout_blob {
        struct layout *layout;
        int fd;
        char temp[TEMP_NAME_SIZE]; /* "" once it has its name */
};

int layout_blob_new(struct layout *layout, struct layout_blob **ret, struct cip_error *error)
{
        struct layout_blob *blob = calloc(1, sizeof(*blob));
        int r = blob ? new_temp(layout, blob->temp, &blob->fd) : -ENOMEM;

        if (r < 0) {
                free(blob);
                return failed_in(layout, r, "make a temporary file", error);
        }
        blob->layout = layout;
        *ret = blob;
        return 0;
}

int layout_blob_fd(const struct layout_blob *blob)
{
        return blob->fd;
}

void layout_blob_free(struct layout_blob *blob)
{
        if (!blob)
                return;
        /* Removed before the lock goes with the descriptor: nobody else touches a locked one. */
        if (*blob->temp)
                unlinkat(blob->layout->fd, blob->temp, 0);
        fd_close(blob->fd);
        free(blob);
}

int layout_blob_commit(struct layout_blob *blob, const char *digest, struct cip_error *error)
{
        CLEANUP(cleanup_layout_blob_free) struct layout_blob *owned = blob;
        enum digest_algorithm algorithm;
        int r;

        if (!digest_parse(digest, &algorithm))
                return bad_digest(digest, error);
        r = blobs_folder(owned->layout, algorithm, true);
        if (r >= 0)
                r = renameat(owned->layout->fd, owned->temp, r, digest_hex(digest)) < 0 ? -errno : 0;
        if (r < 0)
                return local_errno(error, r, "cannot write blob %s in %s", digest, owned->layout->path);
        owned->temp[0] = '\0';
        return 0;
}

int layout_write_blob(struct layout *layout, enum digest_algorithm algorithm, const void *data, size_t len,
                      char ret_digest[DIGEST_TEXT_SIZE], struct cip_error *error)
{
        CLEANUP(cleanup_layout_blob_free) struct layout_blob *blob = NULL;
        int r = digest_of(algorithm, data, len, ret_digest);

        if (r < 0)
                return local_errno(error, r, "cannot hash a blob");
        r = layout_blob_new(layout, &blob, error);
        if (r < 0)
                return r;
        r = write_all(blob->fd, data, len);
        if (r < 0)
                return local_errno(error, r, "cannot write blob %s in %s", ret_digest, layout->path);
        return layout_blob_commit(STEAL(blob), ret_digest, error);
}

/* ---- the layout's own files ---- */

/* A file of the root appears or is replaced whole. */
static int replace_file(struct layout *layout, const char *name, const char *text, size_t len)
{
        char temp[TEMP_NAME_SIZE];
        CLEANUP_FD int fd = -1;
        int r = new_temp(layout, temp, &fd);

        if (r < 0)
                return r;
        r = write_all(fd, text, len);
        if (r == 0 && layout->sync && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && renameat(layout->fd, temp, layout->fd, name) < 0)
                r = -errno;
        if (r == 0 && layout->sync && fsync(layout->fd) < 0)
                return -errno;
        if (r < 0)
                unlinkat(layout->fd, temp, 0);
        return r;
}

/* What is in oci-layout must be a version that this code knows how to write. */
static int check_layout_file(struct layout *layout, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP_FD int fd = -1;
        struct json_object *version;
        size_t len = 0;
        int r = open_regular(layout->fd, LAYOUT_FILE, &fd, NULL);

        if (r == -ENOENT) {
                r = replace_file(layout, LAYOUT_FILE, layout_text, strlen(layout_text));
                return r < 0 ? failed_in(layout, r, "write " LAYOUT_FILE, error) : 0;
        }
        if (r == 0)
                r = read_to_end(fd, 4096, DEADLINE_NEVER, &text, &len);
        if (r < 0)
                return open_failed(layout, LAYOUT_FILE, r, error);
        r = json_parse(text, len, 10, &json, NULL);
        if (r == -ENOMEM)
                return failed_in(layout, r, "read " LAYOUT_FILE, error);
        if (r == 0 && json_object_is_type(json, json_type_object)) {
                version = json_object_object_get(json, "imageLayoutVersion");
                if (json_object_is_type(version, json_type_string) &&
                    strcmp(json_object_get_string(version), "1.0.0") == 0)
                        return 0;
        }
        return local_error(error, -EBADMSG, "%s/" LAYOUT_FILE " is not of version 1.0.0", layout->path);
}

static int create(const char *path, bool sync, struct layout **ret, struct cip_error *error)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP_FD int blobs = -1;
        int r = new_layout(path, &layout, error);

        if (r < 0)
                return r;
        layout->sync = sync;
        if (*path && mkdir(path, 0777) < 0 && errno != EEXIST)
                return local_errno(error, -errno, "cannot make the folder %s", path);
        r = open_root(layout);
        if (r < 0)
                return local_errno(error, r, "cannot open the folder %s", path);
        r = remove_stale_temps(layout);
        if (r < 0)
                return failed_in(layout, r, "look for left-over files", error);
        r = check_layout_file(layout, error);
        if (r < 0)
                return r;
        blobs = open_folder(layout->fd, "blobs", true);
        if (blobs < 0)
                return failed_in(layout, blobs, "make the folder blobs", error);
        *ret = STEAL(layout);
        return 0;
}

int layout_create(const char *path, struct layout **ret, struct cip_error *error)
{
        return create(path, true, ret, error);
}

int layout_create_unsynced(const char *path, struct layout **ret, struct cip_error *error)
{
        return create(path, false, ret, error);
}

/* ---- index.json ---- */

/*
 * Takes the lock. A file that its last user removed meanwhile is not the lock any more. The attempts are spaced
 * out because flock itself knows no deadline, and a stopped process must not stop all others for good.
 */
static int lock_index(struct layout *layout, int *ret_fd)
{
        struct deadline deadline = deadline_in_ms(LOCK_PATIENCE_MS);
        struct timespec pause = {.tv_nsec = 500000};

        for (;;) {
                CLEANUP_FD int fd =
                        openat(layout->fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);

                if (fd < 0)
                        return -errno;
                if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
                        if (is_linked(layout->fd, LOCK_FILE, fd)) {
                                *ret_fd = steal_fd(&fd);
                                return 0;
                        }
                } else if (errno != EWOULDBLOCK && errno != EINTR) {
                        return -errno;
                } else {
                        nanosleep(&pause, NULL);
                        if (pause.tv_nsec < 10000000)
                                pause.tv_nsec *= 2;
                }
                if (deadline_passed(deadline))
                        return -ETIMEDOUT;
        }
}

static void unlock_index(struct layout *layout, int *fd)
{
        unlinkat(layout->fd, LOCK_FILE, 0);
        fd_clear(fd);
}

/* index.json as it is now, judged; a new one where there is none. Unknown members stay in it. */
static int load_index(struct layout *layout, struct manifest **ret, struct cip_error *error)
{
        static const char empty[] =
                "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}";
        CLEANUP(cleanup_manifest_free) struct manifest *index = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        int r = read_index_text(layout, &text, &len, error);

        if (r < 0 && r != -ENOENT)
                return r;
        r = r == -ENOENT ? manifest_parse(empty, strlen(empty), &index, error)
                         : manifest_parse(text, len, &index, error);
        if (r == 0 && index->kind != MANIFEST_OCI_INDEX)
                r = local_error(error, -EBADMSG, "it is no index");
        if (r < 0) {
                error_prefix(error, "%s/" INDEX_FILE, layout->path);
                return r;
        }
        *ret = STEAL(index);
        return 0;
}

static int add_member(struct json_object *object, const char *key, struct json_object *take_value)
{
        if (!take_value || json_object_object_add(object, key, take_value) < 0) {
                json_object_put(take_value);
                return -ENOMEM;
        }
        return 0;
}

static int add_text(struct json_object *object, const char *key, const char *text)
{
        return text ? add_member(object, key, json_object_new_string(text)) : 0;
}

static int add_platform(struct json_object *entry, const struct platform *platform)
{
        struct json_object *json = json_object_new_object();

        if (!json || add_text(json, "architecture", platform->architecture) < 0 ||
            add_text(json, "os", platform->os) < 0 || add_text(json, "variant", platform->variant) < 0) {
                json_object_put(json);
                return -ENOMEM;
        }
        return add_member(entry, "platform", json);
}

static struct json_object *new_entry(const struct content *content, const struct platform *platform)
{
        CLEANUP(cleanup_json) struct json_object *entry = json_object_new_object();
        struct json_object *annotations = NULL;

        if (!entry || add_text(entry, "mediaType", content->media_type) < 0 ||
            add_text(entry, "digest", content->digest) < 0 ||
            add_member(entry, "size", json_object_new_int64(content->size)) < 0)
                return NULL;
        if (platform && (platform->architecture || platform->os) && add_platform(entry, platform) < 0)
                return NULL;
        if (!content->ref_name)
                return STEAL(entry);
        annotations = json_object_new_object();
        if (!annotations || add_text(annotations, REF_NAME, content->ref_name) < 0) {
                json_object_put(annotations);
                return NULL;
        }
        return add_member(entry, "annotations", annotations) < 0 ? NULL : STEAL(entry);
}

/* Whether an entry gives way to the new one. */
static bool is_superseded(const struct content *old, const struct content *new)
{
        if (!old->ref_name)
                return strcmp(old->digest, new->digest) == 0;
        return new->ref_name &&strcmp(old->ref_name, new->ref_name) == 0;
}

static bool is_there_tagged(const struct manifest *index, const char *digest)
{
        for (size_t i = 0; i < index->n_entries; i++) {
                if (index->entries[i].ref_name && strcmp(index->entries[i].digest, digest) == 0)
                        return true;
        }
        return false;
}

/* The new array of manifests, in the old order, the new one last. */
static int merge_entries(struct manifest *index, const struct content *content, const struct platform *platform)
{
        struct json_object *old = json_object_object_get(index->json, "manifests"), *entry;
        struct json_object *merged = json_object_new_array();

        if (!merged)
                return -ENOMEM;
        for (size_t i = 0; i < index->n_entries; i++) {
                if (is_superseded(&index->entries[i], content))
                        continue;
                entry = json_object_get(json_object_array_get_idx(old, i));
                if (json_object_array_add(merged, entry) < 0) {
                        json_object_put(entry);
                        json_object_put(merged);
                        return -ENOMEM;
                }
        }
        entry = new_entry(content, platform);
        if (!entry || json_object_array_add(merged, entry) < 0) {
                json_object_put(entry);
                json_object_put(merged);
                return -ENOMEM;
        }
        return add_member(index->json, "manifests", merged);
}

static int update_index(struct layout *layout, const struct content *content, const struct platform *platform,
                        struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *index = NULL;
        const char *text;
        size_t len = 0;
        int r = load_index(layout, &index, error);

        if (r < 0)
                return r;
        if (!content->ref_name && is_there_tagged(index, content->digest))
                return 0;
        r = merge_entries(index, content, platform);
        text = r < 0 ? NULL
                     : json_text(index->json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
        r = text ? replace_file(layout, INDEX_FILE, text, len) : -ENOMEM;
        return r < 0 ? failed_in(layout, r, "write " INDEX_FILE, error) : 0;
}

int layout_add_manifest(struct layout *layout, const char *media_type, const char *digest, int64_t size,
                        const char *tag, const struct platform *platform, struct cip_error *error)
{
        CLEANUP_FD int lock = -1;
        int r;

        if (!digest_parse(digest, NULL))
                return bad_digest(digest, error);
        /* All blobs at once: to sync each of some thousand small ones takes far longer. */
        if (layout->sync && syncfs(layout->fd) < 0)
                return failed_in(layout, -errno, "sync the blobs", error);
        r = lock_index(layout, &lock);
        if (r == -ETIMEDOUT)
                return local_error(error, r,
                                   "another process has held the lock %s/" LOCK_FILE " for a minute; end it",
                                   layout->path);
        if (r < 0)
                return failed_in(layout, r, "lock " INDEX_FILE, error);
        {
                /* The structure wants char *; nothing writes through it. */
                CLEANUP(cleanup_free) char *type_copy = strdup(media_type);
                CLEANUP(cleanup_free) char *digest_copy = strdup(digest);
                CLEANUP(cleanup_free) char *tag_copy = tag ? strdup(tag) : NULL;
                struct content content = {type_copy, digest_copy, size, .ref_name = tag_copy};

                r = type_copy && digest_copy && (tag_copy || !tag)
                            ? update_index(layout, &content, platform, error)
                            : failed_in(layout, -ENOMEM, "write " INDEX_FILE, error);
        }
        unlock_index(layout, &lock);
        return r;
}
