/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first look at a server, before any check: can it be started, which version of the protocol does it
 * announce, which release of skopeo does it call itself?
 */
#ifndef CONFORMANCE_PROBE_H
#define CONFORMANCE_PROBE_H

#include "conformance/runner.h"

struct probe {
        struct version version;
        char release[32];   /* what `--version` calls it, as "1.9.3"; "" where it says none */
        char message[4096]; /* what is wrong, as one sentence; "" where nothing is */
        char advice[512];   /* and what to do */
        int exit_status;    /* then: 1, the server fell short; 2, it could not be started */
};

/* Returns as runner_run does. */
int probe_server(struct runner *runner, const struct subject *subject, struct probe *ret,
                 struct cip_error *error);

#endif
