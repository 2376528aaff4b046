/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip pull: a whole image into an OCI layout. The order makes it safe to end at any moment: config, layers and
 * manifest each appear whole by rename, and index.json, which makes an image of them, comes last. From the
 * moment that a new layout exists it has an index.json, which names no image until the first pull is through.
 *
 * The manifest is kept as the server sent it, under the digest of just these bytes: where the server converted
 * an image to OCI that is another than the original's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "client/command.h"
#include "client/pull.h"
#include "client/quantity.h"
#include "client/retry.h"
#include "image/layout.h"
#include "image/manifest.h"
#include "image/source.h"
#include "protocol/message.h"

#define CONFIG_DEPTH_MAX 1000

/* Where to, and what came of it. */
struct target {
        char *path, *tag;
        struct layout *layout;
        char manifest_digest[DIGEST_TEXT_SIZE]; /* of the bytes that are kept */
        char first_digest[DIGEST_TEXT_SIZE];    /* that the server gave in the first attempt; "": none yet */
        bool converted;
        struct pulled pulled;
        struct retry retry;
        uint64_t started_ns;
};

static void target_clear(struct target *target)
{
        layout_free(target->layout);
        free(target->path);
        free(target->tag);
}

/* ---- the layout ---- */

/* Whether a folder may become a layout: empty, or begun as one. Hidden files do not count. */
static int judge_folder(const char *path, struct cip_error *error)
{
        DIR *folder = opendir(path);
        struct dirent *entry;
        bool ours = false, others = false;

        if (!folder)
                return errno == ENOENT ? 0
                                       : error_set_errno(error, CIP_ERROR_LOCAL, -errno,
                                                         "cannot use '%s' as a layout", path);
        while ((entry = readdir(folder))) {
                if (!strcmp(entry->d_name, "oci-layout") || !strcmp(entry->d_name, "index.json") ||
                    !strcmp(entry->d_name, "blobs"))
                        ours = true;
                else if (entry->d_name[0] != '.')
                        others = true;
        }
        closedir(folder);
        if (others && !ours)
                return error_set(error, CIP_ERROR_LOCAL, -ENOTEMPTY,
                                 "'%s' is a folder of other things, not an OCI layout: name a new folder",
                                 path);
        return 0;
}

static int parse_target(const char *text, struct target *ret, struct cip_error *error)
{
        int r;

        if (strncmp(text, "oci:", 4) != 0 || !text[4] || text[4] == ':')
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "'%s' is no place to pull to, which is oci:DIR or oci:DIR:TAG", text);
        r = oci_reference_parse(text + 4, &ret->path, &ret->tag, error);
        return r < 0 ? r : judge_folder(ret->path, error);
}

/*
 * Gives a new layout its index.json, which the layout's specification wants from the first moment on. It never
 * takes the place of one that another pull made meanwhile.
 */
static int begin_index(const char *path, struct cip_error *error)
{
        static const char empty[] =
                "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}";
        CLEANUP_FD int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CLEANUP_FD int fd = -1;
        char self[64];
        int r;

        if (folder < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot open '%s'", path);
        if (faccessat(folder, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        fd = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
                return 0; /* such a file system gets its index.json when the image is whole */
        r = fd < 0 ? -errno : write_all(fd, empty, strlen(empty));
        snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && linkat(AT_FDCWD, self, folder, "index.json", AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
                r = -errno;
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write '%s/index.json'", path);
        return 0;
}

/* Makes the folders above the layout, as servers do. */
static int make_parents(const char *path, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *copy = strdup(path);

        if (!copy)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(copy, 0777) < 0 && errno != EEXIST)
                        return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make the folder '%s'",
                                               copy);
                *slash = '/';
        }
        return 0;
}

static int open_target(struct target *target, struct cip_error *error)
{
        int r;

        if (target->layout)
                return 0;
        r = make_parents(target->path, error);
        if (r < 0)
                return r;
        r = layout_create(target->path, &target->layout, error);

        return r < 0 ? r : begin_index(target->path, error);
}

/* ---- the image ---- */

/* Writes @len bytes unless they are there, under the digest that they have. */
static int keep(struct layout *layout, const char *wanted, const char *data, size_t len,
                char ret_digest[DIGEST_TEXT_SIZE], struct cip_error *error)
{
        enum digest_algorithm algorithm = DIGEST_SHA256;
        int r;

        digest_parse(wanted, &algorithm);
        r = digest_of(algorithm, data, len, ret_digest);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot hash");
        if (layout_has_blob(layout, ret_digest, (int64_t)len))
                return 0;
        return layout_write_blob(layout, algorithm, data, len, ret_digest, error);
}

static const char *text_member(struct json_object *object, const char *name)
{
        struct json_object *value;

        if (!json_object_is_type(object, json_type_object) ||
            !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, json_type_string) ||
            !*json_object_get_string(value))
                return NULL;
        return json_object_get_string(value);
}

static int add_to_index(struct target *target, const struct manifest *manifest, size_t manifest_len,
                        const char *config, size_t config_len, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        struct platform platform;
        const char *media_type = text_member(manifest->json, "mediaType");

        if (json_parse(config, config_len, CONFIG_DEPTH_MAX, &json, NULL) < 0)
                json = NULL;
        platform = (struct platform){
                .architecture = text_member(json, "architecture"),
                .os = text_member(json, "os"),
                .variant = text_member(json, "variant"),
        };
        return layout_add_manifest(target->layout, media_type ? media_type : MEDIA_OCI_MANIFEST,
                                   target->manifest_digest, (int64_t)manifest_len, target->tag,
                                   platform.architecture && platform.os ? &platform : NULL, error);
}

/* All attempts are for the same image: what a tag stands for may change between them. */
static int judge_same(struct target *target, const char *reference, const char *digest, struct cip_error *error)
{
        if (!*target->first_digest)
                snprintf(target->first_digest, sizeof(target->first_digest), "%s", digest);
        if (!strcmp(target->first_digest, digest))
                return 0;
        return error_set(
                error, CIP_ERROR_REMOTE, -ESTALE,
                "'%s' is another image than in the first attempt: it was %s, and now is %s; pull again to "
                "have that one",
                reference, target->first_digest, digest);
}

static int pull_image(struct context *context, struct cip_image *image, struct target *target,
                      struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        const char *text, *digest, *config;
        char config_digest[DIGEST_TEXT_SIZE];
        size_t len, config_len;
        int r = cip_image_manifest(image, &text, &len, &digest, error);

        if (r < 0)
                return r;
        r = judge_same(target, context->arguments->operands[0], digest, error);
        if (r < 0)
                return r;
        target->converted = !cip_image_manifest_verified(image);
        r = manifest_parse(text, len, &manifest, error);
        if (r == 0 && manifest->kind != MANIFEST_OCI)
                r = error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                              "the server's manifest is no OCI image manifest");
        if (r == -EBADMSG && error)
                error->error_class = CIP_ERROR_PROTOCOL;
        if (r == 0)
                r = cip_image_config(image, &config, &config_len, error);
        if (r == 0)
                r = open_target(target, error);
        if (r == 0)
                r = keep(target->layout, manifest->config.digest, config, config_len, config_digest, error);
        if (r == 0)
                r = pull_layers(image, manifest, target->layout, context->arguments->jobs, &target->retry,
                                &target->pulled, error);
        if (r == 0)
                r = keep(target->layout, digest, text, len, target->manifest_digest, error);
        if (r == 0)
                r = add_to_index(target, manifest, len, config, config_len, error);
        return r;
}

/* ---- the end ---- */

/* Whether the same command, given later, may get over a failure. */
static bool may_pass(const struct cip_error *error)
{
        return error->error_class == CIP_ERROR_LOCAL || cip_error_retry(error) == CIP_RETRY_LATER;
}

/* How often it was tried, and what helps after a failure that another attempt may get over. */
static void add_hint(const struct context *context, const struct target *target, int r, struct cip_error *error)
{
        bool full = r == -ENOSPC || r == -EDQUOT || r == -EFBIG;
        bool by_itself = cip_error_retry(error) == CIP_RETRY_LATER && target->retry.attempts == 1;

        if (target->retry.attempt > 1 && r != -ECANCELED)
                error_append(error, "; %" PRIu64 " attempts were made", target->retry.attempt);
        if (target->layout && may_pass(error))
                error_append(error,
                             "; the layers that are whole are kept: %sthe same command goes on from there",
                             full ? "make room, and " : "");
        if (by_itself && !context->session_failed)
                error_append(error, "; --retry N tries again by itself");
}

static int report(struct context *context, const struct target *target, struct cip_error *error)
{
        const struct arguments *arguments = context->arguments;
        const struct pulled *pulled = &target->pulled;
        double seconds = (double)(monotonic_ns() - target->started_ns) / 1e9;
        char fetched[QUANTITY_TEXT_SIZE], all[QUANTITY_TEXT_SIZE], took[QUANTITY_TEXT_SIZE];
        char attempts[40] = "";
        CLEANUP(cleanup_free) char *line = NULL;
        int len;

        if (arguments->json) {
                struct json_object *json = json_object_new_object();
                char digits[32];

                snprintf(digits, sizeof(digits), "%.3f", seconds);
                json_add_text(json, "reference", arguments->operands[0]);
                json_add_text(json, "layout", target->path);
                json_add_text(json, "tag", target->tag);
                json_add_text(json, "digest", target->manifest_digest);
                json_add_member(json, "converted", json_object_new_boolean(target->converted));
                json_add_member(json, "layers", json_object_new_int64((int64_t)pulled->layers));
                json_add_member(json, "layers_fetched", json_object_new_int64((int64_t)pulled->fetched));
                json_add_member(json, "bytes", json_object_new_int64((int64_t)pulled->bytes));
                json_add_member(json, "bytes_fetched", json_object_new_int64((int64_t)pulled->bytes_fetched));
                json_add_member(json, "attempts", json_object_new_int64((int64_t)target->retry.attempt));
                json_add_member(json, "seconds", json_object_new_double_s(seconds, digits));
                return output_json(context, json, error);
        }
        if (target->retry.attempt > 1)
                snprintf(attempts, sizeof(attempts), " and %" PRIu64 " attempts", target->retry.attempt);
        len = asprintf(&line, "%s\n%zu layers, %s; fetched %zu of them, %s, in %s%s%s\n",
                       target->manifest_digest, pulled->layers, size_text((int64_t)pulled->bytes, all),
                       pulled->fetched, size_text((int64_t)pulled->bytes_fetched, fetched),
                       duration_text(seconds, took), attempts,
                       target->converted ? "; the server converted the image to OCI" : "");
        if (len < 0) {
                line = NULL;
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        }
        return output_write(context, line, (size_t)len, error);
}

/* ---- attempts ---- */

static int attempt(struct context *context, struct target *target, struct opened *opened,
                   struct cip_error *error)
{
        int r = opened_open(context, context->arguments->operands[0], opened, error);

        return r < 0 ? r : pull_image(context, opened->image, target, error);
}

/*
 * Attempts, until one brings the image or there is no sense in another one. A server that only said no goes on,
 * and keeps the image open; after everything else there is a new one.
 */
static int pull(struct context *context, struct target *target, struct opened *opened, struct cip_error *error)
{
        for (;;) {
                int r = attempt(context, target, opened, error);

                if (r == 0 || context->session_failed || !retry_takes(&target->retry, error))
                        return r;
                if (error->error_class != CIP_ERROR_REMOTE)
                        opened_clear(opened);
                r = retry_wait(&target->retry, context->cancel_fd, is_lively(STDERR_FILENO), error);
                if (r < 0)
                        return r;
        }
}

int command_pull(struct context *context, struct cip_error *error)
{
        CLEANUP(target_clear)
        struct target target = {
                .started_ns = monotonic_ns(),
                .retry = {.attempts = context->arguments->retries + 1, .attempt = 1},
        };
        CLEANUP(opened_clear) struct opened opened = {0};
        int r = parse_target(context->arguments->operands[1], &target, error);

        if (r < 0)
                return r;
        r = pull(context, &target, &opened, error);
        if (r < 0) {
                add_hint(context, &target, r, error);
                return r;
        }
        r = opened_close(&opened, error);
        if (r < 0) {
                error_prefix(error, "the image is whole in '%s', but the server did not end well", target.path);
                return r;
        }
        return report(context, &target, error);
}
