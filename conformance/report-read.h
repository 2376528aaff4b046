/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a JSON report, as `--report json` wrote it, back into a summary: for `diff`, and for a matrix of runs that
 * were made at other places. docs/report.schema.json says what is accepted.
 */
#ifndef CONFORMANCE_REPORT_READ_H
#define CONFORMANCE_REPORT_READ_H

#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "conformance/report.h"

/* Bytes of a file, and checks in it, that are read. */
#define REPORT_SIZE_MAX ((size_t)64 * 1024 * 1024)
#define REPORT_CHECKS_MAX ((size_t)10000)

/* A summary with all that it refers to. */
struct saved_report;

/*
 * Reads @path, or the column NAME of a matrix: FILE#NAME. A report of another tool, of another version of the
 * format, damaged or cut is -EINVAL with @error, which names the file and the place; so is a matrix without a NAME,
 * and a column that could not be judged. Checks that this version does not have are kept. Texts are made safe to
 * show, but for those that are hostile in a run too (struct job).
 */
int report_read(const char *path, struct saved_report **ret, struct cip_error *error);

/* Keeps what one of @n filters fits, and counts anew. Returns how many results are left. */
size_t saved_report_filter(struct saved_report *saved, const char *const *filters, size_t n);

/* Borrowed from @saved. */
const struct summary *saved_report_summary(const struct saved_report *saved);

void saved_report_free(struct saved_report *saved);
DEFINE_CLEANUP(struct saved_report *, saved_report_free);

#endif
