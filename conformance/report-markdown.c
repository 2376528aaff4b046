/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as Markdown in GitHub's form, for the summary of a job or the text of an issue: counts, what falls
 * short, and for several servers a table of what differs. Text of a server stands in code alone, where nothing
 * has a meaning.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "conformance/matrix.h"
#include "conformance/report-text.h"
#include "conformance/report.h"
#include "conformance/selection.h"

/* Bytes of a text: a summary of a job has a limit for the whole. */
#define SHOWN_MAX 400

/* Code ends at a backtick. In a table a bar and a backslash have a meaning even there. */
static const struct escape escapes_code[] = {{'`', "'"}, {0}};
static const struct escape escapes_cell[] = {{'`', "'"}, {'|', "/"}, {'\\', "/"}, {0}};

static void print_code(const char *text, const struct escape *escapes, FILE *out)
{
        char safe[SHOWN_MAX];

        if (!text || !*text)
                return;
        text_make_safe(safe, sizeof(safe), text, strlen(text));
        /* Code of nothing but blanks is none. */
        fputs(safe[strspn(safe, " ")] ? "`" : "(blank)", out);
        if (safe[strspn(safe, " ")]) {
                text_print(safe, escapes, out);
                fputc('`', out);
        }
}

/* ---- one run ---- */

static bool is_short(enum status status)
{
        return status == STATUS_FAIL || status == STATUS_FIXED || status == STATUS_ERROR;
}

static void print_subject(const struct summary *summary, FILE *out)
{
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);
        char version[VERSION_TEXT_SIZE];

        print_code(command, escapes_code, out);
        if (*summary->release) {
                fputs(", release ", out);
                print_code(summary->release, escapes_code, out);
        }
        if (summary->catalogue == &server_catalogue)
                fprintf(out, ", protocol %s", version_format(summary->subject->version, version));
        if (summary->interrupted)
                fputs(". **Interrupted**: this is what was done so far", out);
        fputs(".\n", out);
}

static void print_counts_row(const char *name, const size_t counts[STATUSES], FILE *out)
{
        fputs("| ", out);
        print_code(name, escapes_cell, out);
        for (enum status s = 0; s < STATUSES; s++)
                fprintf(out, " | %zu", counts[s]);
        fputs(" |\n", out);
}

static void print_counts_head(FILE *out)
{
        fputs("\n| |", out);
        for (enum status s = 0; s < STATUSES; s++)
                fprintf(out, " %s |", status_name(s));
        fputs("\n|---|", out);
        for (enum status s = 0; s < STATUSES; s++)
                fputs("---:|", out);
        fputc('\n', out);
}

static void print_groups(const struct summary *summary, FILE *out)
{
        const struct catalogue *catalogue = summary->catalogue;

        print_counts_head(out);
        for (size_t g = 0; g < catalogue->n_groups; g++) {
                size_t counts[STATUSES] = {0}, n = 0;

                for (size_t i = 0; i < summary->n_results; i++) {
                        if (selection_group(catalogue, summary->results[i].check) != &catalogue->groups[g])
                                continue;
                        counts[summary->results[i].status]++;
                        n++;
                }
                if (n)
                        print_counts_row(catalogue->groups[g].name, counts, out);
        }
        print_counts_row("all", summary->counts, out);
}

static void print_item(const struct result *result, FILE *out)
{
        bool by_entry = result->entry && (result->status == STATUS_KNOWN || result->status == STATUS_FIXED);

        fprintf(out, "- **%s** ", status_name(result->status));
        print_code(result->check->id, escapes_code, out);
        fprintf(out, " (%s)%s ", check_level_name(result->check->level),
                result->status == STATUS_FIXED ? ", no longer so:" : ":");
        print_code(by_entry ? result->entry->defect : result->message, escapes_code, out);
        if (result->changed) {
                fputs(" changed in repeats: ", out);
                print_code(result->changed, escapes_code, out);
        }
        fputc('\n', out);
}

/* Those that @is chooses, below a heading. */
static void print_items(const struct summary *summary, const char *heading,
                        bool (*is)(const struct result *result), FILE *out)
{
        bool first = true;

        for (size_t i = 0; i < summary->n_results; i++) {
                if (!is(&summary->results[i]))
                        continue;
                if (first)
                        fprintf(out, "\n%s\n\n", heading);
                first = false;
                print_item(&summary->results[i], out);
        }
}

static bool is_new(const struct result *result)
{
        return is_short(result->status) || result->changed;
}

static bool is_known(const struct result *result)
{
        return result->status == STATUS_KNOWN && !result->changed;
}

static bool is_skipped(const struct result *result)
{
        return result->status == STATUS_SKIP && !result->changed;
}

void report_markdown(const struct summary *summary, FILE *out, bool colour)
{
        (void)colour;
        fprintf(out, "## cip-conformance: a %s\n\n", summary->catalogue->subject);
        print_subject(summary, out);
        print_groups(summary, out);
        print_items(summary, "### Falls short", is_new, out);
        print_items(summary, "### Known", is_known, out);
        print_items(summary, "### Skipped", is_skipped, out);
}

/* ---- several ---- */

static void print_columns(const struct matrix *matrix, FILE *out)
{
        print_counts_head(out);
        for (size_t c = 0; c < matrix->n_columns; c++)
                if (matrix->columns[c].summary)
                        print_counts_row(matrix->columns[c].name, matrix->columns[c].summary->counts, out);
        for (size_t c = 0; c < matrix->n_columns; c++) {
                const struct column *column = &matrix->columns[c];

                fputs(c ? "- " : "\n- ", out);
                print_code(column->name, escapes_code, out);
                fputs(column->summary ? ": " : " was not judged: ", out);
                if (column->summary)
                        print_subject(column->summary, out);
                else
                        print_code(column->verdict, escapes_code, out);
                fputs(column->summary ? "" : "\n", out);
        }
}

static void print_differences(const struct matrix *matrix, const struct matrix_rows *rows, FILE *out)
{
        fputs("\n### Where they fall short, or differ\n\n| |", out);
        for (size_t c = 0; c < matrix->n_columns; c++) {
                fputc(' ', out);
                print_code(matrix->columns[c].name, escapes_cell, out);
                fputs(" |", out);
        }
        fputs("\n|---|", out);
        for (size_t c = 0; c < matrix->n_columns; c++)
                fputs("---|", out);
        fputc('\n', out);
        for (size_t i = 0; i < rows->n; i++) {
                const struct matrix_row *row = &rows->rows[i];

                if (!row->short_somewhere && !row->differs)
                        continue;
                fputs("| ", out);
                print_code(row->check->id, escapes_cell, out);
                for (size_t c = 0; c < matrix->n_columns; c++) {
                        const struct result *result = row->results[c];
                        const char *bold = result && is_short(result->status) ? "**" : "";

                        fprintf(out, " | %s%s%s", bold, result ? status_name(result->status) : "", bold);
                }
                fputs(" |\n", out);
        }
}

static bool has_values(const struct matrix *matrix, const struct matrix_row *row)
{
        for (size_t c = 0; c < matrix->n_columns; c++)
                if (row->results[c] && row->results[c]->value)
                        return true;
        return false;
}

static void print_values(const struct matrix *matrix, const struct matrix_rows *rows, FILE *out)
{
        bool first = true;

        for (size_t i = 0; i < rows->n; i++) {
                const struct matrix_row *row = &rows->rows[i];
                const char *separator = ": ";

                if (!row->differs || !has_values(matrix, row))
                        continue;
                fputs(first ? "\n### What was recorded\n\n- " : "- ", out);
                first = false;
                print_code(row->check->id, escapes_code, out);
                for (size_t c = 0; c < matrix->n_columns; c++) {
                        if (!row->results[c] || !row->results[c]->value)
                                continue;
                        fputs(separator, out);
                        print_code(matrix->columns[c].name, escapes_code, out);
                        fputs(" has ", out);
                        print_code(row->results[c]->value, escapes_code, out);
                        separator = ", ";
                }
                fputc('\n', out);
        }
}

void report_markdown_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = NULL;

        (void)colour;
        if (matrix_rows_new(matrix, &rows) < 0)
                return;
        fprintf(out, "## cip-conformance: %zu %ss\n", matrix->n_columns, matrix->catalogue->subject);
        print_columns(matrix, out);
        print_differences(matrix, rows, out);
        print_values(matrix, rows, out);
        for (size_t c = 0; c < matrix->n_columns; c++) {
                if (!matrix->columns[c].summary)
                        continue;
                fputs("\n### ", out);
                print_code(matrix->columns[c].name, escapes_code, out);
                fputc('\n', out);
                print_items(matrix->columns[c].summary, "Falls short:", is_new, out);
                print_items(matrix->columns[c].summary, "Known:", is_known, out);
        }
}
