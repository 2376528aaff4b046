/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first look at a server, before any check: can it be started, which version of the protocol does it
 * announce, which release of skopeo does it call itself, does it fetch from registries?
 */
#ifndef CONFORMANCE_PROBE_H
#define CONFORMANCE_PROBE_H

#include "conformance/runner.h"

struct probe {
        struct version version;
        bool has_docker;          /* it connects to a registry when an image of docker:// is opened */
        char docker_problem[256]; /* why that cannot be told here; "" where it can */
        char release[32];         /* what `--version` calls it, as "1.9.3"; "" where it says none */
        char message[4096];       /* what is wrong, as one sentence; "" where nothing is */
        char advice[512];         /* and what to do */
        int exit_status;          /* then: 1, the server fell short; 2, it could not be started */
};

/* @docker: whether it has a docker transport is asked too. Returns as runner_run does. */
int probe_server(struct runner *runner, const struct subject *subject, bool docker, struct probe *ret,
                 struct cip_error *error);

#endif
