/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interposer: called like skopeo, it starts another server in its place and hands packets and descriptors on
 * in both directions, unaltered. Recordings are made on this way too, of the fake itself as well, which is then
 * its own upstream. docs/recording.md
 */
#ifndef FAKEPROXY_UPSTREAM_H
#define FAKEPROXY_UPSTREAM_H

#include <stdbool.h>

#include "base/cip-error.h"

/* The variables by which interposers know of one another, and which name the upstream. */
#define UPSTREAM_ENVIRONMENT "CIP_FAKEPROXY_UPSTREAM"
#define UPSTREAM_CHAIN_ENVIRONMENT "CIP_FAKEPROXY_CHAIN"

/* What was said of it; strings are argv's or the environment's. */
struct upstream {
        const char *command; /* words with blanks between them; NULL: this program itself */
        const char *record;  /* a file; NULL: nothing is recorded */
        bool record_data;
        const char *scenario, *verdict, *seed; /* only beside a command; else they are the fake's */
};

/*
 * Reads the flags, wherever they stand, and the environment. Returns 1 where there is something to interpose or to
 * record, 0 where there is not, -EINVAL with @error for a wrong use.
 */
int upstream_read(int argc, char *const argv[], struct upstream *ret, struct cip_error *error);

/*
 * Does it to the end, with the flags that are not its own handed on. Returns the exit status; -1 where this program
 * was to be its own upstream and there is no session to be recorded, as with --help. Does not return where the
 * server was ended by a signal, or is started in the place of this process, as there is no socket to stand before.
 */
int upstream_run(const struct upstream *upstream, int argc, char *const argv[]);

#endif
