/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks of registries, logins, certificates, mirrors and signatures share: registries of the check's own on
 * loopback, files of the server's world, a server that is started for them, and the registries' logs. Registries serve
 * from threads of the check's process, and go with it.
 */
#ifndef CONFORMANCE_REGISTRIES_H
#define CONFORMANCE_REGISTRIES_H

#include "conformance/check.h"
#include "fakeregistry/registry.h"

/* One listener without TLS, which serves the fixture "layers-1" as "app:latest". */
extern const struct registry_config registries_usual;

/*
 * Starts a fake registry; NULL: registries_usual. What
 * @config borrows stays there to the check's end. Fixtures are served from where check_fixture_path has them.
 * The check is an error where it cannot start.
 */
struct registry *registries_start(struct check_context *c, const struct registry_config *config);

/*
 * The images of @config, with fixtures out of the check's own folder, where they may have been changed. The check's
 * lifetime.
 */
const struct registry_image *registries_images(struct check_context *c, const struct registry_config *config);

/* "docker://HOST:PORT/NAME" of a listener (NULL: the first). @name: "app:latest". With the check's lifetime. */
const char *registries_reference(struct check_context *c, const struct registry *registry, const char *listener,
                                 const char *name);

/*
 * Starts the server for registries: with --tls-verify=false where @flags (NULL-terminated, may be NULL) do not say
 * otherwise by a flag that begins with --tls-verify or --cert-dir, and with @environment as in struct server_start.
 */
void registries_serve(struct check_context *c, const char *const *flags, const char *const *environment);

/*
 * Writes a file of the server's world, for its owner alone, and the folders above it: "home/.docker/config.json". One
 * that is there is replaced. Returns its whole path, with the check's lifetime.
 */
const char *registries_file(struct check_context *c, const char *path, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* A user and a password as HTTP and auth.json have them: "user:password" in base64. With the check's lifetime. */
const char *registries_basic(struct check_context *c, const char *user, const char *password);

/* Makes the folders above @path, which is below the check's folder. */
void registries_folders_above(struct check_context *c, const char *path);

/* The text of an auth.json: one entry, "HOST:PORT" or deeper, with this user and password. */
const char *registries_auth(struct check_context *c, const char *key, const char *user, const char *password);

/*
 * What was asked so far, when all requests have ended. The caller clears. Falls short where one does not end.
 */
void registries_log(struct check_context *c, struct registry *registry, struct registry_log_copy *ret);

/* How many requests fit @when. */
size_t registries_count(struct check_context *c, struct registry *registry, const struct registry_when *when);

/* OpenImage must be refused, and its error text has @words in it (NULL: whatever it is). The answer in @ret. */
void registries_refused(struct check_context *c, const char *reference, const char *words, struct answer *ret);

/* OpenImage, GetManifest, the first layer and the config, each with the digest that the fixture has. CloseImage. */
void registries_pull(struct check_context *c, const char *reference, const char *fixture);

#endif
