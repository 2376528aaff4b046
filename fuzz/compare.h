/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two runs of the same sequence, compared packet by packet, pipe by pipe, end by end. What may differ is a table, with
 * reasons.
 */
#ifndef FUZZ_COMPARE_H
#define FUZZ_COMPARE_H

#include "fuzz/drive.h"
#include "fuzz/oracle.h"
#include "fuzz/step.h"

/* What may differ, for docs and --help. */
struct allowance {
        const char *what;
        const char *reason;
};
extern const struct allowance allowances[];
extern const size_t n_allowances;

/* True with the first difference in @ret. */
bool runs_differ(const struct sequence *sequence, const struct run *a, const struct run *b, struct fault *ret);

#endif
