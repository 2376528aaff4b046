/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs checks, each in a process of its own, several at once. A check's process that crashes or hangs is that
 * check's result. Whatever ends this process ends theirs and their servers'.
 */
#ifndef CONFORMANCE_RUNNER_H
#define CONFORMANCE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "conformance/check.h"
#include "conformance/outcome.h"
#include "conformance/subject.h"

/* One run of one check. The caller fills in the first five, the runner the rest. */
struct job {
        const struct check *check;
        const struct subject *subject;
        unsigned repeat; /* from 0; for the names of kept files */
        bool waits;      /* mostly waits: runs in a slot for such jobs */
        double timeout;  /* seconds; 0: as long as the run's options say */

        bool done;
        enum outcome_kind kind;
        unsigned closing;
        uint64_t started_ns;   /* on the monotonic clock */
        char *message, *value; /* safe text; value is NULL where there is none */
        char *transcript;      /* JSON Lines; NULL for what passed */
        char *stderr_text;     /* hostile text, the end of the server's stderr; NULL for what passed */
        char *log;             /* hostile text, what the check's own process printed; NULL for what passed */
        double seconds;
};

void job_clear(struct job *job);

struct run_options {
        unsigned jobs;      /* processes at once .. */
        unsigned waiting;   /* .. and beside them so many of those that mostly wait */
        double timeout;     /* of one check, seconds */
        const char *keep;   /* folder for transcripts and logs; NULL: none are kept */
        const char *folder; /* a temporary one for the checks' folders */

        /* Called when a job was started, when one ended, and now and then between. May be NULL. */
        void (*progress)(void *data, const struct job *jobs, size_t n, const struct job *const *running,
                         size_t n_running);
        void *progress_data;
};

struct runner;

/*
 * Blocks the signals that ask a program to end: from now on the runner takes them. With one runner in a
 * program. Returns 0 or a negative errno with @error.
 */
int runner_new(const struct run_options *options, struct runner **ret, struct cip_error *error);

/* Ends all that runs. Takes NULL. */
void runner_free(struct runner *runner);
DEFINE_CLEANUP(struct runner *, runner_free);

/*
 * Runs @jobs, started in this order, and fills them in. Returns 0, the number of the signal that asked us to
 * end (then jobs without @done did not run to their end, and nothing runs any more), or a negative errno.
 */
int runner_run(struct runner *runner, struct job *jobs, size_t n, struct cip_error *error);

#endif
