/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as annotations of GitHub Actions: lines that its runner takes as commands. GitHub shows ten errors
 * and ten warnings of a step and drops the rest without a word, so that the important ones come first, and the
 * tenth says how many more there are. What is known is one notice.
 */
#include <string.h>

#include "base/cleanup.h"
#include "conformance/report-text.h"
#include "conformance/report.h"
#include "conformance/selection.h"

/* Annotations of one kind that GitHub shows of a step. */
#define SHOWN_MAX 10

/* Ids in a line that stands for many. */
#define IDS_MAX 100

/* What the runner unescapes in a command's text, and besides in a property. */
static const struct escape escapes_data[] = {{'%', "%25"}, {'\n', "%0A"}, {0}};
static const struct escape escapes_property[] = {{'%', "%25"}, {':', "%3A"}, {',', "%2C"}, {0}};

/* ---- what is told ---- */

static bool is_changed(const struct result *result)
{
        return result->changed != NULL;
}

static bool is_must_fail(const struct result *result)
{
        return result->status == STATUS_FAIL && result->check->level == LEVEL_MUST;
}

static bool is_other_fail(const struct result *result)
{
        return result->status == STATUS_FAIL && result->check->level != LEVEL_MUST;
}

static bool is_error(const struct result *result)
{
        return result->status == STATUS_ERROR;
}

static bool is_fixed(const struct result *result)
{
        return result->status == STATUS_FIXED;
}

static bool is_known(const struct result *result)
{
        return result->status == STATUS_KNOWN;
}

/* The kinds of what falls short, those of one command in the order of their importance. */
static const struct kind {
        const char *command;
        const char *title;
        bool (*is)(const struct result *result);
} kinds[] = {
        {"error", "falls short", is_must_fail},       {"error", "could not be judged", is_error},
        {"error", "no longer falls short", is_fixed}, {"error", "changed in repeats", is_changed},
        {"warning", "falls short", is_other_fail},
};

/* ---- one command ---- */

static void begin_command(const char *command, const char *server, FILE *out)
{
        fprintf(out, "::%s title=cip-conformance%%3A ", command);
        text_print(server, escapes_property, out);
        fputs(server ? " " : "", out);
}

static void print_name(const char *server, const struct result *result, FILE *out)
{
        text_print(server, escapes_data, out);
        fputs(server ? " " : "", out);
        text_print(result->check->id, escapes_data, out);
}

static void print_line(const char *name, const char *text, FILE *out)
{
        fprintf(out, "%%0A%s: ", name);
        text_print(text, escapes_data, out);
}

static void print_annotation(const struct kind *kind, const struct column *column, const struct result *result,
                             FILE *out)
{
        const struct summary *summary = column->summary;
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);

        begin_command(kind->command, column->name, out);
        text_print(result->check->id, escapes_property, out);
        fprintf(out, " (%s) %s::", check_level_name(result->check->level), kind->title);
        text_print(result->changed                  ? result->changed
                   : result->status == STATUS_FIXED ? result->entry->defect
                                                    : result->message,
                   escapes_data, out);
        print_line("requires", result->check->requires, out);
        if (summary->rerun) {
                print_line("again", summary->rerun, out);
                fputs(" --filter ", out);
                text_print(result->check->id, escapes_data, out);
                fputs(" -- ", out);
                text_print(command, escapes_data, out);
        }
        fputc('\n', out);
}

/* A line that stands for what it counts. */
struct collection {
        size_t n;
        FILE *ids;
};

static void collect(struct collection *collection, const struct column *column, const struct result *result)
{
        if (collection->n < IDS_MAX) {
                fputs(collection->n ? ", " : "", collection->ids);
                print_name(column->name, result, collection->ids);
        } else if (collection->n == IDS_MAX) {
                fputs(", ..", collection->ids);
        }
        collection->n++;
}

/* ---- all of one command ---- */

static size_t count_kind(const struct matrix *matrix, const struct kind *kind)
{
        size_t n = 0;

        for (size_t c = 0; c < matrix->n_columns; c++)
                for (size_t i = 0; matrix->columns[c].summary && i < matrix->columns[c].summary->n_results; i++)
                        n += kind->is(&matrix->columns[c].summary->results[i]);
        return n;
}

/* A server that could not be judged, or not to the end. */
static bool is_odd(const struct column *column)
{
        return !column->summary || column->summary->interrupted;
}

static size_t count_command(const struct matrix *matrix, const char *command)
{
        size_t n = 0;

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
                if (strcmp(kinds[k].command, command) == 0)
                        n += count_kind(matrix, &kinds[k]);
        for (size_t c = 0; strcmp(command, "warning") == 0 && c < matrix->n_columns; c++)
                n += is_odd(&matrix->columns[c]);
        return n;
}

static void print_odd(const struct column *column, FILE *out)
{
        begin_command("warning", column->name, out);
        if (column->summary)
                fprintf(out, "interrupted::SIG%s came: this is what was done so far",
                        sigabbrev_np(column->summary->interrupted));
        else
                fputs("not judged::", out);
        if (!column->summary)
                text_print(column->verdict, escapes_data, out);
        fputc('\n', out);
}

static void print_kind(const struct matrix *matrix, const struct kind *kind, size_t *left,
                       struct collection *rest, FILE *out)
{
        for (size_t c = 0; c < matrix->n_columns; c++) {
                const struct column *column = &matrix->columns[c];

                for (size_t i = 0; column->summary && i < column->summary->n_results; i++) {
                        const struct result *result = &column->summary->results[i];

                        if (!kind->is(result))
                                continue;
                        if (*left > 0) {
                                print_annotation(kind, column, result, out);
                                --*left;
                        } else {
                                collect(rest, column, result);
                        }
                }
        }
}

static void print_command(const struct matrix *matrix, const char *command, FILE *out)
{
        CLEANUP(cleanup_free) char *ids = NULL;
        size_t all = count_command(matrix, command), len, odd = 0;
        size_t left = all > SHOWN_MAX ? SHOWN_MAX - 1 : all;
        struct collection rest = {.ids = open_memstream(&ids, &len)};

        if (!rest.ids)
                return;
        for (size_t c = 0; strcmp(command, "warning") == 0 && c < matrix->n_columns; c++) {
                if (!is_odd(&matrix->columns[c]))
                        continue;
                if (left > 0) {
                        print_odd(&matrix->columns[c], out);
                        left--;
                } else {
                        odd++;
                }
        }
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
                if (strcmp(kinds[k].command, command) == 0)
                        print_kind(matrix, &kinds[k], &left, &rest, out);
        if (fclose(rest.ids) != 0 || rest.n + odd == 0)
                return;
        fprintf(out, "::%s title=cip-conformance%%3A %zu more::%s\n", command, rest.n + odd, ids);
}

static void print_known(const struct matrix *matrix, FILE *out)
{
        const struct kind known = {.is = is_known};
        CLEANUP(cleanup_free) char *ids = NULL;
        size_t len, left = 0;
        struct collection all = {.ids = open_memstream(&ids, &len)};

        if (!all.ids)
                return;
        print_kind(matrix, &known, &left, &all, out);
        if (fclose(all.ids) == 0 && ids && all.n > 0)
                fprintf(out, "::notice title=cip-conformance%%3A %zu known to fall short::%s\n", all.n, ids);
}

/* A line for the log, which is no command. */
static void print_counts(const struct column *column, FILE *out)
{
        const struct summary *summary = column->summary;

        fputs("cip-conformance: ", out);
        text_print(column->name, escapes_none, out);
        fprintf(out, "%s%zu %s%s", column->name ? ": " : "", summary->n_results, summary->catalogue->noun,
                summary->n_results == 1 ? "" : "s");
        for (enum status s = 0; s < STATUSES; s++)
                if (summary->counts[s])
                        fprintf(out, ", %zu %s", summary->counts[s], status_name(s));
        fputc('\n', out);
}

void report_github_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        (void)colour;
        print_command(matrix, "error", out);
        print_command(matrix, "warning", out);
        print_known(matrix, out);
        for (size_t c = 0; c < matrix->n_columns; c++)
                if (matrix->columns[c].summary)
                        print_counts(&matrix->columns[c], out);
}

void report_github(const struct summary *summary, FILE *out, bool colour)
{
        const struct column column = {.summary = summary};

        report_github_matrix(
                &(struct matrix){.catalogue = summary->catalogue, .columns = &column, .n_columns = 1}, out,
                colour);
}
