/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run tells on stderr while it lasts. On a terminal that can wipe a line, one line that is written anew: how
 * much is done, what runs and for how long, and what is left. Elsewhere (a pipe, a file, a dumb terminal, with
 * NO_COLOR) a line now and then, and nothing of a short run.
 */
#ifndef CONFORMANCE_PROGRESS_H
#define CONFORMANCE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conformance/runner.h"

struct progress {
        const char *title; /* of which server; may be NULL. The caller's */
        const char
                *waits_for; /* what a long wait is for, as a sentence; said once. NULL: nothing. The caller's */

        FILE *out;
        bool plain;        /* lines now and then, in place of one that is written anew */
        bool shown;        /* a line stands on the terminal */
        uint64_t every_ns; /* so often */
        uint64_t start_ns; /* of the run; 0: not yet */
        uint64_t shown_ns; /* when something was shown last */
};

/* Judges what @out (borrowed) can show. Keeps what is the caller's. */
void progress_start(struct progress *progress, FILE *out);

/* For struct run_options: @data is a struct progress. */
void progress_show(void *data, const struct job *jobs, size_t n, const struct job *const *running,
                   size_t n_running);

/* Wipes the line. */
void progress_end(struct progress *progress);

#endif
