/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lining up the results of several runs by the ids of their checks. Reports from files may have checks that this
 * program does not know, so that ids, and not the checks' addresses, say what belongs together; each column's
 * results are sorted by id once, and looked up.
 */
#include "conformance/matrix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/selection.h"

/* A column's results in the order of their ids. */
struct sorted {
        const struct result **results;
        size_t n;
};

static int compare_ids(const void *a, const void *b)
{
        const struct result *const *left = a, *const *right = b;

        return strcmp((*left)->check->id, (*right)->check->id);
}

static int compare_to_id(const void *id, const void *entry)
{
        const struct result *const *result = entry;

        return strcmp(id, (*result)->check->id);
}

static int sort(const struct column *column, struct sorted *ret)
{
        const struct summary *summary = column->summary;

        *ret = (struct sorted){.n = summary ? summary->n_results : 0};
        ret->results = calloc(ret->n + 1, sizeof(void *));
        if (!ret->results)
                return -ENOMEM;
        for (size_t i = 0; i < ret->n; i++)
                ret->results[i] = &summary->results[i];
        qsort(ret->results, ret->n, sizeof(void *), compare_ids);
        return 0;
}

static const struct result *find(const struct sorted *sorted, const char *id)
{
        const struct result **found = bsearch(id, sorted->results, sorted->n, sizeof(void *), compare_to_id);

        return found ? *found : NULL;
}

static void sorted_free(struct sorted *sorted, size_t n)
{
        for (size_t i = 0; sorted && i < n; i++)
                free(sorted[i].results);
        free(sorted);
}

/* ---- the rows ---- */

static bool is_short(enum status status)
{
        return status == STATUS_FAIL || status == STATUS_KNOWN || status == STATUS_ERROR;
}

static bool same_value(const struct result *a, const struct result *b)
{
        return a->value && b->value ? strcmp(a->value, b->value) == 0 : a->value == b->value;
}

/* Adds a row for an id, unless no column has it. */
static int add_row(struct matrix_rows *rows, const struct matrix *matrix, const struct sorted *sorted,
                   const struct check *check, const char *id)
{
        struct matrix_row *row = &rows->rows[rows->n];
        const struct result *first = NULL;

        *row = (struct matrix_row){.check = check};
        row->results = calloc(matrix->n_columns + 1, sizeof(void *));
        if (!row->results)
                return -ENOMEM;
        for (size_t i = 0; i < matrix->n_columns; i++) {
                const struct result *result = find(&sorted[i], id);

                row->results[i] = result;
                if (!result)
                        continue;
                first = first ? first : result;
                row->short_somewhere =
                        row->short_somewhere || is_short(result->status) || result->status == STATUS_FIXED;
                row->differs = row->differs || result->status != first->status || !same_value(result, first);
        }
        if (!first) {
                free(row->results);
                return 0;
        }
        if (!row->check)
                row->check = first->check;
        rows->n++;
        return 0;
}

static int add_known(struct matrix_rows *rows, const struct matrix *matrix, const struct sorted *sorted)
{
        const struct catalogue *catalogue = matrix->catalogue;

        for (size_t g = 0; g < catalogue->n_groups; g++)
                for (size_t i = 0; i < *catalogue->groups[g].n_checks; i++) {
                        const struct check *check = &catalogue->groups[g].checks[i];
                        int r = add_row(rows, matrix, sorted, check, check->id);

                        if (r < 0)
                                return r;
                }
        return 0;
}

static bool had_before(const struct sorted *sorted, size_t column, const char *id)
{
        for (size_t i = 0; i < column; i++)
                if (find(&sorted[i], id))
                        return true;
        return false;
}

static int add_unknown(struct matrix_rows *rows, const struct matrix *matrix, const struct sorted *sorted)
{
        for (size_t c = 0; c < matrix->n_columns; c++) {
                const struct summary *summary = matrix->columns[c].summary;

                for (size_t i = 0; summary && i < summary->n_results; i++) {
                        const char *id = summary->results[i].check->id;
                        int r;

                        if (had_before(sorted, c, id) || selection_find(matrix->catalogue, id))
                                continue;
                        r = add_row(rows, matrix, sorted, NULL, id);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int matrix_rows_new(const struct matrix *matrix, struct matrix_rows **ret)
{
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = calloc(1, sizeof(*rows));
        struct sorted *sorted = calloc(matrix->n_columns + 1, sizeof(*sorted));
        size_t n = 0;
        int r = rows && sorted ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < matrix->n_columns; i++) {
                r = sort(&matrix->columns[i], &sorted[i]);
                n += sorted[i].n;
        }
        if (r == 0) {
                /* One more: a row that no column has is tried in the place of the next. */
                rows->rows = calloc(n + 1, sizeof(*rows->rows));
                r = rows->rows ? add_known(rows, matrix, sorted) : -ENOMEM;
        }
        if (r == 0)
                r = add_unknown(rows, matrix, sorted);
        sorted_free(sorted, matrix->n_columns);
        if (r < 0)
                return r;
        *ret = STEAL(rows);
        return 0;
}

void matrix_rows_free(struct matrix_rows *rows)
{
        if (!rows)
                return;
        for (size_t i = 0; rows->rows && i < rows->n; i++)
                free(rows->rows[i].results);
        free(rows->rows);
        free(rows);
}

/* ---- two columns ---- */

const char *change_name(enum change change)
{
        static const char *const names[CHANGES] = {
                [CHANGE_NONE] = "same",       [CHANGE_FIXED] = "fixed", [CHANGE_BROKEN] = "broken",
                [CHANGE_CHANGED] = "changed", [CHANGE_NEW] = "new",     [CHANGE_GONE] = "gone",
        };

        return names[change];
}

enum change change_of(const struct result *older, const struct result *newer)
{
        if (!older || !newer)
                return older ? CHANGE_GONE : CHANGE_NEW;
        if (older->status == newer->status)
                return same_value(older, newer) ? CHANGE_NONE : CHANGE_CHANGED;
        if (older->status == STATUS_SKIP || newer->status == STATUS_SKIP ||
            is_short(older->status) == is_short(newer->status))
                return CHANGE_CHANGED;
        return is_short(newer->status) ? CHANGE_BROKEN : CHANGE_FIXED;
}

bool matrix_is_fine(const struct matrix *matrix, bool strict)
{
        for (size_t i = 0; i < matrix->n_columns; i++)
                if (!matrix->columns[i].summary || !summary_is_fine(matrix->columns[i].summary, strict))
                        return false;
        return true;
}
