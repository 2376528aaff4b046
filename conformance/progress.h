/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on stderr, on a terminal alone, that says what is done, what is left, and what takes long.
 */
#ifndef CONFORMANCE_PROGRESS_H
#define CONFORMANCE_PROGRESS_H

#include "conformance/runner.h"

struct progress {
        bool shown;                /* a line stands on the terminal */
        bool plain;                /* no terminal: say nothing */
        const char *waits_for;     /* what a long wait is for, as a sentence; said once. NULL: nothing */
        const struct job *slowest; /* with the time of its start as we saw it */
        uint64_t since_ns;
};

/* For struct run_options: @data is a struct progress. */
void progress_show(void *data, const struct job *jobs, size_t n, const struct job *const *running,
                   size_t n_running);

/* Wipes the line. */
void progress_end(struct progress *progress);

#endif
