/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker-registry beside the fake registry. Its storage is written as it would write it itself: blobs by their
 * digest, and links to them in each repository. Its log is a file, which inotify watches until the address is
 * there. What the machine does not give ends the check by check_error, docker-registry that is missing by
 * check_skip.
 */
#include "conformance/real-registry.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conformance/context.h"
#include "conformance/descendants.h"
#include "conformance/registries.h"
#include "conformance/sample.h"
#include "image/layout.h"

#define PROGRAM "docker-registry"

/* Where it all is, below the check's folder, and where its storage begins there. */
#define FOLDER "docker-registry"
#define STORAGE "storage/docker/registry/v2"

/* What precedes the address in its log. */
#define ANNOUNCEMENT "listening on "

const char on_real_registry[] = PROGRAM;

struct either_registry {
        struct registry *fake;
        const char *address;
        const struct registry_authority *authority; /* of docker-registry's certificate */
};

/* ---- either of them ---- */

static void start_real(struct check_context *c, const struct registry_config *config,
                       struct either_registry *either);

struct either_registry *either_start(struct check_context *c, const struct registry_config *config)
{
        struct either_registry *either = calloc(1, sizeof(*either));

        if (!either)
                check_error(c, "out of memory");
        if (c->check->detail == on_real_registry) {
                start_real(c, config ? config : &registries_usual, either);
        } else {
                either->fake = registries_start(c, config);
                either->address = registry_address(either->fake, NULL);
        }
        return either;
}

struct registry *either_fake(const struct either_registry *either)
{
        return either->fake;
}

const char *either_address(const struct either_registry *either)
{
        return either->address;
}

const char *either_reference(struct check_context *c, const struct either_registry *either, const char *name)
{
        return check_text(c, "docker://%s/%s", either->address, name);
}

const char *either_certificates(struct check_context *c, const struct either_registry *either)
{
        const struct registry_authority *authority =
                either->fake ? registry_get_authority(either->fake) : either->authority;

        if (!authority)
                check_error(c, "the registry has no certificate");
        registries_file(c, "certificates/ca.crt", "%s", registry_authority_pem(authority));
        return check_text(c, "%s/certificates", check_folder(c));
}

/* ---- docker-registry's files ---- */

static const char *file_of(struct check_context *c, const char *path)
{
        const char *whole = check_text(c, "%s/" FOLDER "/%s", check_folder(c), path);

        registries_folders_above(c, whole);
        return whole;
}

static void write_file(struct check_context *c, const char *path, const char *text)
{
        sample_write_file(c, file_of(c, path), text, strlen(text));
}

/* "sha256/HEX" */
static const char *as_path(struct check_context *c, const char *digest)
{
        const char *colon = strchr(digest, ':');

        if (!colon || strlen(colon) < 3)
                check_error(c, "%s is no digest", digest);
        return check_text(c, "%.*s/%s", (int)(colon - digest), digest, colon + 1);
}

/* A link says that a repository has something: it is a file with the digest. */
static void write_link(struct check_context *c, const char *repository, const char *place, const char *digest)
{
        write_file(c, check_text(c, STORAGE "/repositories/%s/%s/link", repository, place), digest);
}

static void store_blob(struct check_context *c, const char *layout, const char *digest)
{
        const char *name = as_path(c, digest), *hex = strchr(name, '/') + 1;
        const char *from = check_text(c, "%s/blobs/%s", layout, name);
        const char *to =
                file_of(c, check_text(c, STORAGE "/blobs/%.*s%.2s/%s/data", (int)(hex - name), name, hex, hex));

        if (link(from, to) < 0 && errno != EEXIST)
                check_error(c, "cannot link %s to %s: %s", to, from, strerror(errno));
}

/* ---- images ---- */

/* An image that is to be stored, and where it comes from. */
struct storing {
        const char *repository, *path;
        struct layout *layout;
};

static void store_layer(struct check_context *c, const struct storing *storing, const char *digest)
{
        store_blob(c, storing->path, digest);
        write_link(c, storing->repository, check_text(c, "_layers/%s", as_path(c, digest)), digest);
}

/* A manifest, and all that it names: a list's manifests, or an image's config and layers. */
static void store_manifest(struct check_context *c, const struct storing *storing, const char *digest)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        struct cip_error error = {0};
        size_t len;
        bool list;

        if (layout_read_blob(storing->layout, digest, MANIFEST_MAX, &data, &len, &error) < 0 ||
            manifest_parse(data, len, &manifest, &error) < 0)
                check_error(c, "%s", error.message);
        store_blob(c, storing->path, digest);
        write_link(c, storing->repository, check_text(c, "_manifests/revisions/%s", as_path(c, digest)),
                   digest);
        list = manifest->kind == MANIFEST_OCI_INDEX || manifest->kind == MANIFEST_DOCKER_LIST;
        for (size_t i = 0; i < manifest->n_entries; i++)
                (list ? store_manifest : store_layer)(c, storing, manifest->entries[i].digest);
        if (!list)
                store_layer(c, storing, manifest->config.digest);
}

static void store_image(struct check_context *c, const struct registry_image *image)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        const char *tag = image->tag ? image->tag : "latest";
        struct storing storing = {image->repository, image->layout, NULL};
        const struct content *content;
        struct cip_error error = {0};
        const char *place;

        if (image->has_recipe || image->listener || !(image->fixture || image->tag))
                check_error(c, PROGRAM " is given images of fixtures, and of layouts by a tag");
        if (image->fixture)
                storing.path = check_fixture_path(c, image->fixture);
        if (layout_open(storing.path, &layout, &error) < 0 ||
            layout_find(layout, image->fixture ? "latest" : image->layout_tag, &content, &error) < 0)
                check_error(c, "%s", error.message);
        storing.layout = layout;
        store_manifest(c, &storing, content->digest);
        place = check_text(c, "_manifests/tags/%s", tag);
        write_link(c, storing.repository, check_text(c, "%s/current", place), content->digest);
        write_link(c, storing.repository, check_text(c, "%s/index/%s", place, as_path(c, content->digest)),
                   content->digest);
}

/* ---- its config ---- */

/* Passwords by bcrypt, the only form that is taken, at the least cost, which is paid for each request. */
static const char *auth_config(struct check_context *c, const struct registry_auth *auth)
{
        struct crypt_data data = {0};
        char setting[CRYPT_GENSALT_OUTPUT_SIZE];
        const char *users = "";

        if (auth->kind == REGISTRY_AUTH_NONE)
                return "";
        if (auth->kind != REGISTRY_AUTH_BASIC || auth->anonymous)
                check_error(c, PROGRAM " is given Basic logins, or none");
        for (size_t i = 0; i < auth->n_users; i++) {
                const struct registry_user *user = &auth->users[i];
                const char *hash;

                if (!user->password || user->repositories)
                        check_error(c, PROGRAM " is given users with a password, who may pull everything");
                if (!crypt_gensalt_rn("$2y$", 4, NULL, 0, setting, sizeof(setting)) ||
                    !(hash = crypt_rn(user->password, setting, &data, sizeof(data))))
                        check_error(c, "cannot hash a password: %s", strerror(errno));
                users = check_text(c, "%s%s:%s\n", users, user->name, hash);
        }
        write_file(c, "htpasswd", users);
        return check_text(c, "auth:\n  htpasswd:\n    realm: " PROGRAM "\n    path: \"%s\"\n",
                          file_of(c, "htpasswd"));
}

static const char *tls_config(struct check_context *c, const struct registry_config *config,
                              struct either_registry *either)
{
        static const char *const hosts[] = {"127.0.0.1", "localhost", NULL};
        CLEANUP(cleanup_registry_certificate) struct registry_certificate certificate = {0};
        const struct registry_listener *listener = config->listeners;
        struct registry_authority *authority = NULL;
        struct cip_error error = {0};

        if (config->n_listeners == 0)
                return "";
        if (config->n_listeners > 1 || listener->address || listener->host || listener->port ||
            listener->certificate || listener->certificate_pem || listener->clients || listener->open ||
            listener->down)
                check_error(c, PROGRAM " is given one listener of 127.0.0.1, with a good certificate or none");
        if (!listener->tls)
                return "";
        either->authority = config->authority;
        if (!either->authority && registry_authority_new("the authority of " PROGRAM, &authority, &error) == 0)
                either->authority = authority;
        if (!either->authority || registry_certificate_server(either->authority, REGISTRY_CERTIFICATE_GOOD,
                                                              hosts, &certificate, &error) < 0)
                check_error(c, "%s", error.message);
        write_file(c, "certificate.pem", certificate.certificate);
        write_file(c, "key.pem", certificate.key);
        return check_text(c, "  tls:\n    certificate: \"%s\"\n    key: \"%s\"\n",
                          file_of(c, "certificate.pem"), file_of(c, "key.pem"));
}

/* Nothing in the background, nobody is told of anything, and the port is the one that the kernel gives. */
static const char *write_config(struct check_context *c, const struct registry_config *config,
                                struct either_registry *either)
{
        const char *tls = tls_config(c, config, either), *auth = auth_config(c, &config->auth);

        if (config->n_rules)
                check_error(c, PROGRAM " has no rules to misbehave by");
        write_file(c, "config.yml",
                   check_text(c,
                              "version: 0.1\n"
                              "log:\n  level: info\n  formatter: text\n  accesslog:\n    disabled: true\n"
                              "storage:\n  filesystem:\n    rootdirectory: \"%s\"\n"
                              "  maintenance:\n    uploadpurging:\n      enabled: false\n"
                              "    readonly:\n      enabled: true\n"
                              "health:\n  storagedriver:\n    enabled: false\n"
                              "http:\n  addr: 127.0.0.1:0\n  secret: none\n  http2:\n    disabled: true\n%s%s",
                              file_of(c, "storage"), tls, auth));
        return file_of(c, "config.yml");
}

/* ---- its process ---- */

static struct child *start_process(struct check_context *c, const char *config, const char *log)
{
        /* More of the environment could be settings. Newer releases send telemetry if not told otherwise. */
        const char *const environment[] = {
                check_text(c, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin"),
                "OTEL_TRACES_EXPORTER=none", NULL};
        const char *const command[] = {PROGRAM, "serve", config, NULL};
        CLEANUP_FD int fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
        const struct child_fd fds[] = {{fd, STDERR_FILENO}};
        struct child *child = NULL;
        struct cip_error error = {0};
        int r;

        if (fd < 0)
                check_error(c, "cannot open %s: %s", log, strerror(errno));
        r = child_start(
                &(struct child_spec){
                        .argv = command, .envp = environment, .fds = fds, .n_fds = ARRAY_SIZE(fds)},
                &child, &error);
        if (r == -ENOENT)
                check_skip(c, "needs " PROGRAM ", which is not installed");
        if (r < 0)
                check_error(c, "%s", error.message);
        descendants_spare(child_pid(child));
        return child;
}

/* What the log has behind the announcement, or NULL. */
static const char *announced(struct check_context *c, const char *log)
{
        const char *address;
        char *text;
        size_t len;

        sample_read_file(c, log, &text, &len);
        address = strstr(text, ANNOUNCEMENT);
        if (!address)
                return NULL;
        address += strlen(ANNOUNCEMENT);
        len = strspn(address, "0123456789.:");
        /* The line may be written only in part. */
        return address[len] ? check_text(c, "%.*s", (int)len, address) : NULL;
}

static const char *last_line(struct check_context *c, const char *log)
{
        char *text, *line;
        size_t len;

        sample_read_file(c, log, &text, &len);
        while (len && text[len - 1] == '\n')
                text[--len] = '\0';
        line = strrchr(text, '\n');
        return line ? line + 1 : text;
}

/* Waits until the log is written to. Falls over where the process ends. */
static void wait_for_more(struct check_context *c, int watch, const struct child *child, const char *log)
{
        struct pollfd fds[] = {{.fd = watch, .events = POLLIN}, {.fd = child_pidfd(child), .events = POLLIN}};
        char events[4096];
        int r = poll(fds, ARRAY_SIZE(fds), deadline_poll_ms(c->deadline));

        if (r < 0 && errno != EINTR)
                check_error(c, "cannot wait: %s", strerror(errno));
        if (r > 0 && fds[1].revents)
                check_error(c, PROGRAM " ended: %s", last_line(c, log));
        if (deadline_passed(c->deadline))
                check_error(c, PROGRAM " does not get ready: %s", last_line(c, log));
        if (r > 0 && read(watch, events, sizeof(events)) < 0 && errno != EAGAIN)
                check_error(c, "cannot read what happens to %s: %s", log, strerror(errno));
}

static void start_real(struct check_context *c, const struct registry_config *config,
                       struct either_registry *either)
{
        const char *log = file_of(c, "log"), *file;
        CLEANUP_FD int watch = -1;
        struct child *child;

        context_doing(c, "starting " PROGRAM);
        for (size_t i = 0; i < config->n_images; i++)
                store_image(c, &config->images[i]);
        file = write_config(c, config, either);
        write_file(c, "log", "");
        watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (watch < 0 || inotify_add_watch(watch, log, IN_MODIFY) < 0)
                check_error(c, "cannot watch %s: %s", log, strerror(errno));
        child = start_process(c, file, log);
        while (!(either->address = announced(c, log)))
                wait_for_more(c, watch, child, log);
}
