/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fake saw of a client, from the verdict files that it leaves: one a session. docs/scenarios.md#verdict
 */
#ifndef CONFORMANCE_VERDICT_H
#define CONFORMANCE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

/* One session; all texts are the verdict's own. */
struct session_seen {
        const char *ended;      /* "shutdown", "end-of-input", ..; "" where the fake was killed */
        const char *last_call;  /* the latest request's method; "" before the first */
        const char *unfinished; /* method of a pipe that FinishPipe was not called for; NULL: none */
        size_t n_calls;
        size_t n_opened, n_manifests, n_blobs; /* calls of these kinds that succeeded */
        size_t n_finishes;                     /* calls of FinishPipe */
        size_t n_fired;                        /* rules that acted, with repeats */
        size_t descriptors;                    /* that the client sent */
};

struct verdicts {
        struct session_seen *sessions;
        size_t n;
        struct json_object **files; /* parsed, one a session */
};

/* Reads every verdict in @folder. One that is no JSON is passed over. Returns 0 or a negative errno with @error. */
int verdicts_read(const char *folder, struct verdicts *ret, struct cip_error *error);
void verdicts_clear(struct verdicts *verdicts);

#endif
