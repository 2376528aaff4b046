/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line. It is written anew in place, and never where stderr is no terminal.
 */
#include "conformance/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/deadline.h"

/* What runs longer is named. */
#define SLOW_NS UINT64_C(1000000000)

static size_t count_done(const struct job *jobs, size_t n)
{
        size_t done = 0;

        for (size_t i = 0; i < n; i++)
                done += jobs[i].done;
        return done;
}

void progress_show(void *data, const struct job *jobs, size_t n, const struct job *const *running,
                   size_t n_running)
{
        struct progress *progress = data;
        uint64_t now = monotonic_ns();
        bool slow;

        /* The first of those that run is the one that runs longest, near enough. */
        if (n_running && running[0] != progress->slowest) {
                progress->slowest = running[0];
                progress->since_ns = now;
        }
        slow = n_running && now - progress->since_ns > SLOW_NS;
        if (progress->plain)
                return;
        if (progress->waits_for) {
                if (slow) {
                        fprintf(stderr, "%s\n", progress->waits_for);
                        progress->waits_for = NULL;
                }
                return;
        }
        fprintf(stderr, "\r\033[K%zu of %zu done, %zu under way", count_done(jobs, n), n, n_running);
        if (slow)
                fprintf(stderr, "; %s takes %llu s", running[0]->check->id,
                        (unsigned long long)((now - progress->since_ns) / 1000000000));
        fflush(stderr);
        progress->shown = true;
}

void progress_end(struct progress *progress)
{
        if (progress->shown)
                fputs("\r\033[K", stderr);
        progress->shown = false;
}
