/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closed world of a server: an environment that knows nothing of the machine's settings, and the folders
 * that it names, all below the check's own folder.
 */
#ifndef CONFORMANCE_WORLD_H
#define CONFORMANCE_WORLD_H

#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

struct world;

/*
 * Makes the folders below @folder, which exists, and the environment. @more: "NAME=VALUE" texts that are added
 * to it; may be NULL. Returns 0 or a negative errno with @error.
 */
int world_new(const char *folder, const char *const *more, struct world **ret, struct cip_error *error);
void world_free(struct world *world);
DEFINE_CLEANUP(struct world *, world_free);

/* The server's environment, NULL-terminated. Borrowed. */
const char *const *world_environment(const struct world *world);

/*
 * Remembers that the check itself made this file, "home/.docker/config.json", and the folders above it: they are
 * no leftovers. Returns 0 or -ENOMEM.
 */
int world_own(struct world *world, const char *path);

/*
 * Which files there are that the server left: their names below the folder, separated by ", ", as safe text in
 * @ret, and their number as the return value. Negative errno: could not tell. For the world's end: what the
 * world held from its start is gone afterwards, or some of it.
 */
int world_leftovers(const struct world *world, char *ret, size_t size);

#endif
