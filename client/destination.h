/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes of a manifest, a config or a blob go: standard output, or a file that gets its name when it
 * is whole.
 */
#ifndef CLIENT_DESTINATION_H
#define CLIENT_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"

/* Begin with DESTINATION_NONE. */
struct destination {
        int fd;          /* where to write to */
        char *path;      /* the file's name, links followed; NULL: there is nothing to rename */
        char *temporary; /* its name until then; NULL: it has none */
};

#define DESTINATION_NONE ((struct destination){.fd = -1})

/*
 * Opens @path to be written; NULL and "-" are standard output. A file that exists and is not a regular one (a
 * pipe, a device) is written as it is. What is wrong with the path is found here. @binary: standard output
 * must not be a terminal.
 */
int destination_open(const char *path, bool binary, struct destination *ret, struct cip_error *error);

/* Gives the file its name, whole and synced. */
int destination_commit(struct destination *destination, struct cip_error *error);

/* Closes it, and removes what was not committed. */
void destination_clear(struct destination *destination);

#endif
