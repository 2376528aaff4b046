/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a JSON report, as `--report json` wrote it, back into a summary: for `diff`, and for a matrix of runs that
 * were made at other places. docs/report.schema.json says what is accepted.
 */
#ifndef CONFORMANCE_REPORT_READ_H
#define CONFORMANCE_REPORT_READ_H

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "conformance/report.h"

/* A summary with all that it refers to. */
struct saved_report;

/*
 * Reads @path. A report of another tool, of another version of the format, damaged or cut is -EINVAL with
 * @error, which names the file and the place. Checks that this version does not have are kept.
 */
int report_read(const char *path, struct saved_report **ret, struct cip_error *error);

/* Borrowed from @saved. */
const struct summary *saved_report_summary(const struct saved_report *saved);

void saved_report_free(struct saved_report *saved);
DEFINE_CLEANUP(struct saved_report *, saved_report_free);

#endif
