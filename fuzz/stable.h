/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stable of servers that were started ahead, each with a world of its own, so that a sequence of steps finds one that
 * waits for it. For one process; whoever wants several sequences at once forks, and makes a stable in each.
 */
#ifndef FUZZ_STABLE_H
#define FUZZ_STABLE_H

#include <stddef.h>

#include "base/child.h"
#include "base/cip-error.h"
#include "base/cleanup.h"
#include "conformance/subject.h"
#include "conformance/world.h"

struct stable;

struct stable_options {
        const struct subject *subject;
        const char *images; /* folder with the images; servers run in it and must leave it as it is */
        const char *folder; /* a private one that is there, for the servers' own worlds */
        size_t ready;       /* servers that are kept started */
};

/* Subject and images are borrowed until stable_free. */
int stable_new(const struct stable_options *options, struct stable **ret, struct cip_error *error);
void stable_free(struct stable *stable);
DEFINE_CLEANUP(struct stable *, stable_free);

/* A server that runs, and nothing was said to it. */
struct mount {
        struct child *child; /* owned */
        int socket;          /* our end, owned, -1 once it is closed; blocking */
        struct world *world; /* owned */
        char *folder;        /* the world's, owned */
};

/* Takes one out, and starts another. Returns 0 or a negative errno with @error: the command cannot be started. */
int stable_take(struct stable *stable, struct mount *ret, struct cip_error *error);

/* Ends the server if it still runs, and removes its world. */
void mount_clear(struct mount *mount);

#endif
