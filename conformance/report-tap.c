/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as TAP 14 or 13: a point for each check, in a matrix for each check of each server. A known shortfall
 * is a TODO, a skip has its reason. Both versions say the same but for their first line: readers older than TAP 14,
 * Test::Harness before 3.48 among them, refuse its number.
 */
#include <string.h>

#include "conformance/report-text.h"
#include "conformance/report.h"
#include "conformance/selection.h"

/* In a test line '#' begins a directive and a backslash an escape. */
static const struct escape escapes_line[] = {{'#', "\\#"}, {'\\', "\\\\"}, {0}};

/* In a text of YAML in double quotes. */
static const struct escape escapes_yaml[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {0}};

static void print_yaml(const char *name, const char *text, FILE *out)
{
        if (!text || !*text)
                return;
        fprintf(out, "  %s: \"", name);
        text_print(text, escapes_yaml, out);
        fputs("\"\n", out);
}

static void print_result(const char *server, const struct result *result, size_t number, FILE *out)
{
        const struct job *job = result->job;
        enum status status = result->status;
        bool ok = status == STATUS_PASS || status == STATUS_SKIP;

        fprintf(out, "%s %zu - ", ok ? "ok" : "not ok", number);
        text_print(server, escapes_line, out);
        fputs(server ? " " : "", out);
        text_print(result->check->id, escapes_line, out);
        if (status == STATUS_SKIP || status == STATUS_KNOWN) {
                fputs(status == STATUS_SKIP ? " # SKIP " : " # TODO known: ", out);
                text_print(status == STATUS_SKIP ? result->message : result->entry->defect, escapes_line, out);
        }
        fputc('\n', out);
        if (status == STATUS_PASS && !result->value && !result->changed)
                return;
        fputs("  ---\n", out);
        print_yaml("status", status_name(status), out);
        print_yaml("level", check_level_name(result->check->level), out);
        print_yaml("requires", result->check->requires, out);
        print_yaml("message", result->message, out);
        print_yaml("known", result->entry ? result->entry->defect : NULL, out);
        print_yaml("value", result->value, out);
        print_yaml("changed", result->changed, out);
        print_yaml("stderr", job ? job->stderr_text : NULL, out);
        fputs("  ...\n", out);
}

static void print_run(const char *server, const struct summary *summary, size_t *number, FILE *out)
{
        for (size_t i = 0; i < summary->n_results; i++)
                print_result(server, &summary->results[i], ++*number, out);
}

/* What is told of the run itself, as comments. */
static void print_remarks(const struct summary *summary, FILE *out)
{
        if (summary->repeat > 1)
                fprintf(out, "# %zu results changed in %u repeats\n", summary->n_changed, summary->repeat);
        if (summary->shuffled)
                fprintf(out, "# shuffled with seed %lu\n", summary->seed);
}

static void print_bail_out(const struct summary *summary, FILE *out)
{
        const char *name = sigabbrev_np(summary->interrupted);

        fprintf(out, "Bail out! Interrupted by SIG%s\n", name ? name : "?");
}

static void print_summary(int version, const struct summary *summary, FILE *out)
{
        size_t number = 0;

        fprintf(out, "TAP version %d\n1..%zu\n", version, summary->n_results);
        print_run(NULL, summary, &number, out);
        print_remarks(summary, out);
        if (summary->interrupted)
                print_bail_out(summary, out);
}

/* A server that could not be judged: a point that is skipped, as no check of it ran. */
static void print_verdict(const struct column *column, size_t number, FILE *out)
{
        fprintf(out, "ok %zu - ", number);
        text_print(column->name, escapes_line, out);
        fputs(" # SKIP ", out);
        text_print(column->verdict, escapes_line, out);
        fputc('\n', out);
}

static void print_matrix(int version, const struct matrix *matrix, FILE *out)
{
        const struct summary *interrupted = NULL;
        size_t n = 0, number = 0;

        for (size_t i = 0; i < matrix->n_columns; i++)
                n += matrix->columns[i].summary ? matrix->columns[i].summary->n_results : 1;
        fprintf(out, "TAP version %d\n1..%zu\n", version, n);
        for (size_t i = 0; i < matrix->n_columns; i++) {
                const struct column *column = &matrix->columns[i];

                if (!column->summary) {
                        print_verdict(column, ++number, out);
                        continue;
                }
                print_run(column->name, column->summary, &number, out);
                print_remarks(column->summary, out);
                if (column->summary->interrupted)
                        interrupted = column->summary;
        }
        if (interrupted)
                print_bail_out(interrupted, out);
}

void report_tap(const struct summary *summary, FILE *out, bool colour)
{
        (void)colour;
        print_summary(14, summary, out);
}

void report_tap13(const struct summary *summary, FILE *out, bool colour)
{
        (void)colour;
        print_summary(13, summary, out);
}

void report_tap_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        (void)colour;
        print_matrix(14, matrix, out);
}

void report_tap13_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        (void)colour;
        print_matrix(13, matrix, out);
}
