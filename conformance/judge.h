/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the jobs came to, to results: which checks a version has, what the baseline knows, and whether
 * repeats agree.
 */
#ifndef CONFORMANCE_JUDGE_H
#define CONFORMANCE_JUDGE_H

#include "conformance/report.h"

/* Whether a check holds for a version. Where it does not, the reason goes to @reason of @size bytes. */
bool judge_version(const struct check *check, struct version version, char *reason, size_t size);

/*
 * Fills in summary->results (of n_results entries, for @checks in that order) and the counts, from @n_jobs jobs
 * in any order. What has several jobs gets the worst of them. @baseline may be NULL.
 */
void judge_results(struct summary *summary, const struct check *const *checks, const struct job *jobs,
                   size_t n_jobs, const struct baseline *baseline);

/* Frees what results own. */
void results_clear(struct result *results, size_t n);

#endif
