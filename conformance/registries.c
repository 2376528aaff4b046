/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registries of a check's own, and the server that is started for them. What a check needs and does not get ends it:
 * by check_error where the machine fails, by check_fail where the server does.
 */
#include "conformance/registries.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/io.h"
#include "conformance/context.h"
#include "conformance/sample.h"

/* How long a registry may be busy with a request after the server's answer. */
#define LOG_GRACE_S 10

static const struct registry_image usual_image = {.repository = "app", .tag = "latest", .fixture = "layers-1"};
const struct registry_config registries_usual = {.images = &usual_image, .n_images = 1};

const struct registry_image *registries_images(struct check_context *c, const struct registry_config *config)
{
        struct registry_image *images = calloc(config->n_images + 1, sizeof(*images));

        if (!images)
                check_error(c, "out of memory");
        for (size_t i = 0; i < config->n_images; i++) {
                images[i] = config->images[i];
                if (!images[i].fixture)
                        continue;
                images[i].layout = check_fixture_path(c, images[i].fixture);
                images[i].layout_tag = "latest";
                images[i].tag = images[i].tag ? images[i].tag : "latest";
                images[i].fixture = NULL;
        }
        return images;
}

struct registry *registries_start(struct check_context *c, const struct registry_config *config)
{
        struct registry_config own = config ? *config : registries_usual;
        struct registry *registry = NULL;
        struct cip_error error = {0};

        context_doing(c, "starting a registry");
        own.images = registries_images(c, &own);
        if (registry_start(&own, &registry, &error) < 0)
                check_error(c, "%s", error.message);
        return registry;
}

const char *registries_reference(struct check_context *c, const struct registry *registry, const char *listener,
                                 const char *name)
{
        const char *address = registry_address(registry, listener);

        if (!address)
                check_error(c, "the registry has no listener %s", listener);
        return check_text(c, "docker://%s/%s", address, name);
}

static bool says_how(const char *const *flags)
{
        for (size_t i = 0; flags && flags[i]; i++)
                if (!strncmp(flags[i], "--tls-verify", 12) || !strncmp(flags[i], "--cert-dir", 10))
                        return true;
        return false;
}

void registries_serve(struct check_context *c, const char *const *flags, const char *const *environment)
{
        CLEANUP(cleanup_free) const char **all = NULL;
        size_t n = 0;

        while (flags && flags[n])
                n++;
        all = calloc(n + 2, sizeof(*all));
        if (!all)
                check_error(c, "out of memory");
        if (n)
                memcpy(all, flags, n * sizeof(*all));
        if (!says_how(flags))
                all[n] = "--tls-verify=false";
        check_start(c, &(struct server_start){.flags = all, .environment = environment});
        /* Connections to a registry stay open for the next request. */
        check_expect_open(c);
}

void registries_folders_above(struct check_context *c, const char *path)
{
        const char *end = path + strlen(check_folder(c)) + 1;

        while ((end = strchr(end, '/'))) {
                const char *folder = check_text(c, "%.*s", (int)(end++ - path), path);

                if (mkdir(folder, 0700) < 0 && errno != EEXIST)
                        check_error(c, "cannot make the folder %s: %s", folder, strerror(errno));
        }
}

const char *registries_file(struct check_context *c, const char *path, const char *format, ...)
{
        const char *whole = check_text(c, "%s/%s", check_folder(c), path);
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        va_list args;
        int len;

        va_start(args, format);
        len = vasprintf(&text, format, args);
        va_end(args);
        if (len < 0) {
                text = NULL;
                check_error(c, "out of memory");
        }
        if (world_own(c->world, path) < 0)
                check_error(c, "out of memory");
        registries_folders_above(c, whole);
        if (replace_file_at(AT_FDCWD, whole, text, (size_t)len, &error) < 0)
                check_error(c, "%s", error.message);
        return whole;
}

const char *registries_basic(struct check_context *c, const char *user, const char *password)
{
        const char *plain = check_text(c, "%s:%s", user, password);
        unsigned char encoded[1024];

        if (strlen(plain) > sizeof(encoded) / 4 * 3 - 4)
                check_error(c, "the password is too long");
        EVP_EncodeBlock(encoded, (const unsigned char *)plain, (int)strlen(plain));
        return check_text(c, "%s", (const char *)encoded);
}

const char *registries_auth(struct check_context *c, const char *key, const char *user, const char *password)
{
        return check_text(c, "{\"auths\": {\"%s\": {\"auth\": \"%s\"}}}\n", key,
                          registries_basic(c, user, password));
}

void registries_log(struct check_context *c, struct registry *registry, struct registry_log_copy *ret)
{
        context_doing(c, "waiting for the registry's requests to end");
        if (registry_wait(registry, 0, deadline_min(deadline_in_seconds(LOG_GRACE_S), c->deadline)) < 0)
                check_fail(c, "a request to the registry should end, and one is still under way");
        if (registry_read_log(registry, ret) < 0)
                check_error(c, "out of memory");
}

size_t registries_count(struct check_context *c, struct registry *registry, const struct registry_when *when)
{
        struct registry_log_copy log = {0};
        size_t n;

        registries_log(c, registry, &log);
        n = registry_log_count(&log, when);
        registry_log_copy_clear(&log);
        return n;
}

void registries_refused(struct check_context *c, const char *reference, const char *words, struct answer *ret)
{
        check_call_refused(c, ret, "OpenImage", "[\"%s\"]", reference);
        check_that(c, !words || strstr(ret->error, words), "the error should say '%s', it says: %s", words,
                   ret->error);
}

void registries_pull(struct check_context *c, const char *reference, const char *fixture)
{
        const struct manifest *manifest = check_fixture_manifest(c, fixture);
        const struct content *layer = sample_layer_of(c, fixture, 0);
        CLEANUP_ANSWER struct answer closed = {0};
        uint64_t image = check_open_image(c, reference);
        const char *args = sample_args(c, image);
        struct {
                const char *method, *args, *digest, *what;
        } const steps[] = {
                {"GetManifest", args, sample_digest(c, fixture), "the manifest"},
                {"GetFullConfig", args, manifest->config.digest, "the config"},
                {"GetBlob", sample_blob_args(c, image, layer->digest, layer->size), layer->digest, "the layer"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                sample_fetch_ok(c, steps[i].method, steps[i].args, &data, &len);
                sample_check_digest(c, data, len, steps[i].digest, steps[i].what);
        }
        check_call_ok(c, &closed, "CloseImage", "%s", args);
}
