/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real skopeo behind the interposer, and a registry behind that, for the client suite's scenarios that have
 * `registry`. The registry serves from threads of the check's process, and goes with it.
 */
#ifndef CONFORMANCE_CLIENT_REGISTRY_H
#define CONFORMANCE_CLIENT_REGISTRY_H

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "fakeproxy/scenario.h"
#include "fakeregistry/scenario.h"
#include "protocol/version.h"

struct visit;

/* What a scenario says of them; the scenario's texts are borrowed. */
struct client_registry {
        struct registry_scenario *registry;
        struct registry_image *images; /* the scenario's, and the registry's own */
        struct version since;          /* all zero: any release will do */
};

/*
 * Judges what @scenario says. Returns 0, with *@ret NULL where it has no registry; -EINVAL, and @problems has all
 * that is wrong; -ENOMEM.
 */
int client_registry_read(const struct scenario *scenario, struct client_registry **ret,
                         struct problems *problems);
void client_registry_free(struct client_registry *registry);
DEFINE_CLEANUP(struct client_registry *, client_registry_free);

/* Starts the registry of @visit, writes its files, and sets the visit's reference and server. Skips without skopeo. */
void client_registry_start(struct visit *visit);

/*
 * Looks for `skopeo` on PATH, which must not be @fake. Returns 0 with the absolute path, or with NULL and in
 * *@ret_reason, which is static, why there is none; -ENOMEM.
 */
int client_find_skopeo(const char *fake, char **ret, const char **ret_reason);

#endif
