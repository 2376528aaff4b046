/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `diff`: two saved reports of one suite, the older and the newer, and what is fixed, broken, changed, new and
 * gone. It prints lines for people, an object for programs, or both columns as a page.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/commands.h"
#include "conformance/matrix.h"
#include "conformance/options.h"
#include "conformance/report-read.h"
#include "conformance/selection.h"
#include "conformance/suite.h"
#include "protocol/message.h"

#define DIFF_FORMAT 1

/* What is shown first. */
static const enum change order[] = {CHANGE_BROKEN, CHANGE_FIXED, CHANGE_CHANGED, CHANGE_NEW, CHANGE_GONE};

/* Two columns, the older first. */
struct diff {
        const struct matrix *matrix;
        const struct matrix_rows *rows;
        size_t counts[CHANGES];
};

static enum change change_of_row(const struct matrix_row *row)
{
        return change_of(row->results[0], row->results[1]);
}

/* ---- for people ---- */

static const char *const colours[CHANGES] = {
        [CHANGE_NONE] = "",
        [CHANGE_FIXED] = "\033[32m",
        [CHANGE_BROKEN] = "\033[1;31m",
        [CHANGE_CHANGED] = "\033[33m",
        [CHANGE_NEW] = "\033[36m",
        [CHANGE_GONE] = "\033[2m",
};

/* "skopeo 1.9.3, protocol 0.2.3, 2 checks" behind the file's name. */
static void print_column(const char *title, const struct column *column, FILE *out)
{
        const struct summary *summary = column->summary;
        bool of_server = summary->catalogue == &server_catalogue;
        char version[VERSION_TEXT_SIZE], name[256];

        text_make_safe(name, sizeof(name), column->name, strlen(column->name));
        fprintf(out, "%s  %s: ", title, name);
        if (*summary->release)
                fprintf(out, "%s%s, ", of_server ? "skopeo " : "release ", summary->release);
        if (of_server)
                fprintf(out, "protocol %s, ", version_format(summary->subject->version, version));
        fprintf(out, "%zu %s%s%s\n", summary->n_results, summary->catalogue->noun,
                summary->n_results == 1 ? "" : "s", summary->interrupted ? ", interrupted" : "");
}

/* "fail", or the status and the value where the values differ. */
static void print_side(const struct result *result, bool with_value, FILE *out)
{
        fputs(status_name(result->status), out);
        if (with_value && result->value)
                fprintf(out, " (%s)", result->value);
}

static void print_row(const struct matrix_row *row, enum change change, FILE *out, bool colour)
{
        const struct result *older = row->results[0], *newer = row->results[1];
        bool values = older && newer &&
                      strcmp(older->value ? older->value : "", newer->value ? newer->value : "") != 0;

        fprintf(out, "%s%-7s%s  %s (%s)  ", colour ? colours[change] : "", change_name(change),
                colour ? "\033[0m" : "", row->check->id, check_level_name(row->check->level));
        if (older)
                print_side(older, values, out);
        if (older && newer)
                fputs(" -> ", out);
        if (newer)
                print_side(newer, values, out);
        if (newer && older && newer->status != older->status && *newer->message)
                fprintf(out, ": %s", newer->message);
        fputc('\n', out);
}

static void print_human(const struct diff *diff, FILE *out, bool colour)
{
        print_column("old", &diff->matrix->columns[0], out);
        print_column("new", &diff->matrix->columns[1], out);
        for (size_t o = 0; o < ARRAY_SIZE(order); o++) {
                if (diff->counts[order[o]])
                        fputc('\n', out);
                for (size_t i = 0; i < diff->rows->n; i++)
                        if (change_of_row(&diff->rows->rows[i]) == order[o])
                                print_row(&diff->rows->rows[i], order[o], out, colour);
        }
        fputc('\n', out);
        for (size_t o = 0; o < ARRAY_SIZE(order); o++)
                fprintf(out, "%zu %s, ", diff->counts[order[o]], change_name(order[o]));
        fprintf(out, "%zu the same.\n", diff->counts[CHANGE_NONE]);
}

/* ---- for programs ---- */

static struct json_object *side_object(const struct result *result)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "status", json_object_new_string(status_name(result->status)));
        json_add_member(object, "message", json_object_new_string(result->message));
        if (result->value)
                json_add_member(object, "value", json_object_new_string(result->value));
        return object;
}

static struct json_object *change_object(const struct matrix_row *row)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "id", json_object_new_string(row->check->id));
        json_add_member(object, "level", json_object_new_string(check_level_name(row->check->level)));
        json_add_member(object, "change", json_object_new_string(change_name(change_of_row(row))));
        if (row->results[0])
                json_add_member(object, "old", side_object(row->results[0]));
        if (row->results[1])
                json_add_member(object, "new", side_object(row->results[1]));
        return object;
}

static struct json_object *column_object(const struct column *column)
{
        const struct summary *summary = column->summary;
        struct json_object *object = json_object_new_object();
        char version[VERSION_TEXT_SIZE], name[4096];

        text_make_safe(name, sizeof(name), column->name, strlen(column->name));
        json_add_member(object, "file", json_object_new_string(name));
        json_add_member(object, "release", json_object_new_string(summary->release));
        json_add_member(object, "protocol",
                        json_object_new_string(summary->catalogue == &server_catalogue
                                                       ? version_format(summary->subject->version, version)
                                                       : ""));
        return object;
}

static void print_json(const struct diff *diff, FILE *out, bool colour)
{
        struct json_object *object = json_object_new_object(), *counts = json_object_new_object();
        struct json_object *changes = json_object_new_array(), *columns = json_object_new_object();
        const char *text;

        (void)colour;
        for (size_t o = 0; o < ARRAY_SIZE(order); o++) {
                json_add_member(counts, change_name(order[o]), json_object_new_uint64(diff->counts[order[o]]));
                for (size_t i = 0; i < diff->rows->n; i++)
                        if (change_of_row(&diff->rows->rows[i]) == order[o])
                                json_add_item(changes, change_object(&diff->rows->rows[i]));
        }
        json_add_member(counts, change_name(CHANGE_NONE), json_object_new_uint64(diff->counts[CHANGE_NONE]));
        json_add_member(columns, "old", column_object(&diff->matrix->columns[0]));
        json_add_member(columns, "new", column_object(&diff->matrix->columns[1]));
        json_add_member(object, "tool", json_object_new_string("cip-conformance"));
        json_add_member(object, "version", json_object_new_string(CIP_VERSION));
        json_add_member(object, "format", json_object_new_int(DIFF_FORMAT));
        json_add_member(object, "suite", json_object_new_string(diff->matrix->catalogue->subject));
        json_add_member(object, "diff", columns);
        json_add_member(object, "counts", counts);
        json_add_member(object, "changes", changes);
        text = json_text(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        if (text) /* nothing at all is told from a report */
                fprintf(out, "%s\n", text);
        json_object_put(object);
}

/* ---- forms ---- */

static void print_html(const struct diff *diff, FILE *out, bool colour)
{
        report_html_matrix(diff->matrix, out, colour);
}

/* The forms of reports that a diff has too. */
static const struct {
        const char *name;
        void (*print)(const struct diff *diff, FILE *out, bool colour);
} forms[] = {
        {"human", print_human},
        {"json", print_json},
        {"html", print_html},
};

static void write_form(const void *data, const struct report *report, FILE *out, bool colour)
{
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
                if (strcmp(forms[i].name, report->format->name) == 0)
                        forms[i].print(data, out, colour);
}

static int take_report(void *data, const char *value, struct cip_error *error)
{
        struct suite_settings *settings = data;
        int r = suite_take_report(data, value, error);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
                if (strcmp(forms[i].name, settings->reports[settings->n_reports - 1].format->name) == 0)
                        return 0;
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                         "a diff has no format '%s'; there are human, json, html",
                         settings->reports[settings->n_reports - 1].format->name);
}

static const struct option_row rows[] = {
        {"report", "FORMAT[:FILE]", "human, json or html, to FILE or to stdout (many; default: human)",
         take_report},
        {"help", NULL, "print this", suite_take_help},
};

const struct option_table diff_options = {rows, ARRAY_SIZE(rows)};

static void print_help(void)
{
        puts("Usage: cip-conformance diff [options] OLD.json NEW.json\n\n"
             "Compares two reports that --report json wrote: of two releases, or of one before and after a "
             "change.\n"
             "FILE#NAME is a column of a matrix's report.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        puts("\nfixed: it fell short, and does no more. broken: it fell short not, and does now. changed: "
             "another\n"
             "status or value otherwise; to or from a skip too. new, gone: only one of both has the check.\n\n"
             "Exit status: 0 nothing is broken; 1 something is; 2 wrong use, or a file that is no report.\n\n"
             "  cip-conformance diff before.json after.json\n"
             "  cip-conformance diff --report html:diff.html matrix.json#bookworm matrix.json#trixie");
}

/* ---- the command ---- */

/* Prints the forms to their files, then what goes to stdout. */
static int write_reports(const struct suite_settings *settings, const struct diff *diff)
{
        struct cip_error error = {0};
        int status = EXIT_FINE;

        for (int to_stdout = 0; to_stdout < 2; to_stdout++)
                for (size_t i = 0; i < settings->n_reports; i++)
                        if ((settings->reports[i].path == NULL) == (to_stdout == 1) &&
                            report_write_by(&settings->reports[i], write_form, diff, &error) < 0)
                                status = fail_usage("diff: %s", error.message);
        return status;
}

static int compare(const struct suite_settings *settings, const struct matrix *matrix, struct cip_error *error)
{
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *lines = NULL;
        struct diff diff = {.matrix = matrix};
        int r = matrix_rows_new(matrix, &lines);

        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot compare the reports");
        diff.rows = lines;
        for (size_t i = 0; i < lines->n; i++)
                diff.counts[change_of_row(&lines->rows[i])]++;
        if (write_reports(settings, &diff) != EXIT_FINE)
                return EXIT_USAGE;
        return diff.counts[CHANGE_BROKEN] ? EXIT_SHORT : EXIT_FINE;
}

/* Returns the exit status, or a negative errno with @error. */
static int run(struct suite_settings *settings, const char *const *files, struct cip_error *error)
{
        CLEANUP(cleanup_saved_report_free) struct saved_report *older = NULL;
        CLEANUP(cleanup_saved_report_free) struct saved_report *newer = NULL;
        struct column columns[2] = {{.name = files[0]}, {.name = files[1]}};
        struct matrix matrix = {.columns = columns, .n_columns = ARRAY_SIZE(columns)};
        int r = suite_add_default_report(settings, error);

        for (size_t i = 0; r == 0 && i < settings->n_reports; i++)
                r = report_judge_path(&settings->reports[i], error);
        if (r == 0)
                r = report_read(files[0], &older, error);
        if (r == 0)
                r = report_read(files[1], &newer, error);
        if (r < 0)
                return r;
        columns[0].summary = saved_report_summary(older);
        columns[1].summary = saved_report_summary(newer);
        matrix.catalogue = columns[1].summary->catalogue;
        if (strcmp(columns[0].summary->catalogue->subject, matrix.catalogue->subject) != 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "%s is of a %s, and %s of a %s: they have nothing in common", files[0],
                                 columns[0].summary->catalogue->subject, files[1], matrix.catalogue->subject);
        return compare(settings, &matrix, error);
}

/* Options stand before the two files or behind them. Returns 0 or -EINVAL with @error. */
static int parse(const char *const *argv, struct suite_settings *settings, const char *const **ret_files,
                 struct cip_error *error)
{
        const char *const *files;
        const char *third;
        bool dashes;
        int r = options_parse(rows, ARRAY_SIZE(rows), argv, settings, &dashes, error);

        if (r < 0 || settings->help)
                return r < 0 ? r : 0;
        files = argv + r;
        if (!files[0] || !files[1])
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "which reports? For example: cip-conformance diff OLD.json NEW.json");
        r = dashes ? 0 : options_parse(rows, ARRAY_SIZE(rows), files + 2, settings, &dashes, error);
        if (r < 0)
                return r;
        third = files[2 + r];
        if (third && !settings->help)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "takes two reports, and '%s' is a third",
                                 third);
        *ret_files = files;
        return 0;
}

int command_diff(const char *const *argv)
{
        struct suite_settings settings = {0};
        struct cip_error error = {0};
        const char *const *files = NULL;
        int r = parse(argv, &settings, &files, &error);

        if (r == 0 && settings.help)
                print_help();
        else if (r == 0)
                r = run(&settings, files, &error);
        if (r < 0)
                r = fail_usage("diff: %s", error.message);
        free(settings.reports);
        return r;
}
