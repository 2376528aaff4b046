/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several runs of one suite laid side by side: a row for each check that any of them has, in the order of the
 * catalogue, and what is unlike in it.
 */
#ifndef CONFORMANCE_MATRIX_H
#define CONFORMANCE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "conformance/report.h"

/* One check, and what came of it in each column. */
struct matrix_row {
        const struct check *check;
        const struct result **results; /* one for each column; NULL where the column does not have it */
        bool short_somewhere;          /* fail, fixed or error in some column, or known */
        bool differs;                  /* in status, or in the recorded value, between columns that have it */
};

struct matrix_rows {
        struct matrix_row *rows;
        size_t n;
};

/*
 * The rows of @matrix, which borrow from it: checks of the catalogue in its order, then those that only a report
 * from a file knows. Returns 0 or -ENOMEM.
 */
int matrix_rows_new(const struct matrix *matrix, struct matrix_rows **ret);
void matrix_rows_free(struct matrix_rows *rows);
DEFINE_CLEANUP(struct matrix_rows *, matrix_rows_free);

/* How a check came out in the newer of two reports. A skip is neither good nor bad: from or to it is "changed". */
enum change {
        CHANGE_NONE,
        CHANGE_FIXED,   /* fell short, and does no more */
        CHANGE_BROKEN,  /* did not fall short, and does now */
        CHANGE_CHANGED, /* another status or value otherwise */
        CHANGE_NEW,     /* only the newer has the check */
        CHANGE_GONE,    /* only the older has it */
        CHANGES,
};

/* "same", "fixed", "broken", "changed", "new", "gone". */
const char *change_name(enum change change);

/* At least one of both is not NULL. */
enum change change_of(const struct result *older, const struct result *newer);

/* Whether every column was judged and is fine (summary_is_fine). A column without a summary is as its caller says. */
bool matrix_is_fine(const struct matrix *matrix, bool strict);

#endif
