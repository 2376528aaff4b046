/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run came to, and the forms in which it is told: a table of formats, each a function that writes a
 * summary to a stream.
 */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cip-error.h"
#include "conformance/baseline.h"
#include "conformance/catalogue.h"
#include "conformance/check.h"
#include "conformance/runner.h"

enum status {
        STATUS_PASS,
        STATUS_FAIL,
        STATUS_KNOWN, /* falls short as the baseline says */
        STATUS_FIXED, /* the baseline says that it falls short, and it does not */
        STATUS_SKIP,
        STATUS_ERROR,
        STATUSES,
};

/* "pass", "fail", "known", "fixed", "skip", "error". */
const char *status_name(enum status status);

/* One check's result. The texts are the jobs' or borrowed from elsewhere, as in struct job. */
struct result {
        const struct check *check;
        enum status status;
        const char *message; /* one sentence; "" for pass */
        const char *value;   /* of LEVEL_INFO, or NULL */
        double seconds;
        unsigned closing;
        const struct baseline_entry *entry; /* of known and fixed */
        const struct job *job;              /* its transcript and logs; NULL: it did not run */
        char *reason;                       /* what the message is, where it is nobody else's; owned */
        char *changed;                      /* how repeats differ, or NULL */
};

struct summary {
        const struct catalogue *catalogue;
        const struct subject *subject;
        const char *release;       /* of skopeo, or of the client; or "" */
        const char *baseline_name; /* or NULL */
        const char *rerun;         /* the command line up to the filter, for "again" */
        struct result *results;    /* in the order of the table */
        size_t n_results;
        size_t counts[STATUSES];
        size_t n_changed;
        double seconds;
        unsigned repeat;
        bool shuffled;
        unsigned long seed;
        int interrupted;          /* signal number, or 0 */
        const char *const *files; /* where other reports are, NULL-terminated */
};

/* Whether a status or a change makes the run fall short. */
bool summary_is_fine(const struct summary *summary, bool strict);

/* One subject of a matrix. */
struct column {
        const char *name;              /* as the user called it: "1.18.0" */
        const struct summary *summary; /* NULL: it could not be judged, */
        const char *verdict;           /* and this sentence says why. May be hostile text */
};

/* Several runs of one suite, side by side. conformance/matrix.h walks over its rows. */
struct matrix {
        const struct catalogue *catalogue;
        const struct column *columns;
        size_t n_columns;
        const char *const *files; /* where other reports are, NULL-terminated; may be NULL */
};

struct report_format {
        const char *name;
        const char *about;
        void (*write)(const struct summary *summary, FILE *out, bool colour);
        void (*write_matrix)(const struct matrix *matrix, FILE *out, bool colour);
};

extern const struct report_format report_formats[];
extern const size_t n_report_formats;

/* For --help: the table's names. */
#define REPORT_HELP                                                   \
        "human, tap, tap13, junit, json, html, github or markdown,\n" \
        "to FILE or to stdout (many; default: human)"

/* The table as lines of --help. */
void report_print_formats(FILE *out);

/* A report to be written. */
struct report {
        const struct report_format *format;
        const char *path; /* borrowed; NULL: stdout */
};

/* Reads FORMAT[:FILE]. Returns 0 or -EINVAL with @error. */
int report_parse(const char *text, struct report *ret, struct cip_error *error);

/* Whether the report's file can be written, before anything else is done. 0 or a negative errno with @error. */
int report_judge_path(const struct report *report, struct cip_error *error);

/* Writes it: a file by rename. 0 or a negative errno with @error. */
int report_write(const struct report *report, const struct summary *summary, struct cip_error *error);

/* Likewise, of several runs, and what another function prints. */
typedef void report_printer(const void *data, const struct report *report, FILE *out, bool colour);
int report_write_matrix(const struct report *report, const struct matrix *matrix, struct cip_error *error);
int report_write_by(const struct report *report, report_printer *print, const void *data,
                    struct cip_error *error);

/* The command's words as a shell would read them. The caller frees; NULL without memory. */
char *shell_quote(const char *const *words);

/* A transcript in JSON Lines as readable, short lines, each behind @indent. */
void transcript_print(const char *transcript, const char *indent, FILE *out);

/* Whether colour may go to @out. */
bool wants_colour(FILE *out);

void report_human(const struct summary *summary, FILE *out, bool colour);
void report_tap(const struct summary *summary, FILE *out, bool colour);
void report_tap13(const struct summary *summary, FILE *out, bool colour);
void report_junit(const struct summary *summary, FILE *out, bool colour);
void report_json(const struct summary *summary, FILE *out, bool colour);
void report_html(const struct summary *summary, FILE *out, bool colour);
void report_github(const struct summary *summary, FILE *out, bool colour);
void report_markdown(const struct summary *summary, FILE *out, bool colour);

void report_human_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_tap_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_tap13_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_junit_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_json_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_html_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_github_matrix(const struct matrix *matrix, FILE *out, bool colour);
void report_markdown_matrix(const struct matrix *matrix, FILE *out, bool colour);

#endif
