/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of report formats, and how a report gets to its place: made in memory, written beside its file,
 * renamed.
 */
#include "conformance/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "conformance/nearest.h"

const struct report_format report_formats[] = {
        {"human", "a summary by group and each shortfall, for people", report_human, report_human_matrix},
        {"tap", "TAP 14, with YAML diagnostics", report_tap, report_tap_matrix},
        {"tap13", "the same as TAP 13, for readers that refuse 14", report_tap13, report_tap13_matrix},
        {"junit", "JUnit XML", report_junit, report_junit_matrix},
        {"json", "everything, for programs", report_json, report_json_matrix},
        {"html", "one page to read, to filter and to print", report_html, report_html_matrix},
        {"github", "annotations of GitHub Actions, into the log of a step", report_github,
         report_github_matrix},
        {"markdown", "tables and lists, for the summary of a job", report_markdown, report_markdown_matrix},
};
const size_t n_report_formats = ARRAY_SIZE(report_formats);

void report_print_formats(FILE *out)
{
        fputs("\nForms of reports:\n", out);
        for (size_t i = 0; i < n_report_formats; i++)
                fprintf(out, "  %-10s %s\n", report_formats[i].name, report_formats[i].about);
}

const char *status_name(enum status status)
{
        static const char *const names[] = {
                [STATUS_PASS] = "pass",   [STATUS_FAIL] = "fail", [STATUS_KNOWN] = "known",
                [STATUS_FIXED] = "fixed", [STATUS_SKIP] = "skip", [STATUS_ERROR] = "error",
        };

        return names[status];
}

bool summary_is_fine(const struct summary *summary, bool strict)
{
        const size_t *counts = summary->counts;

        return counts[STATUS_FAIL] + counts[STATUS_FIXED] + counts[STATUS_ERROR] + summary->n_changed == 0 &&
               (!strict || counts[STATUS_KNOWN] == 0);
}

bool wants_colour(FILE *out)
{
        const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(fileno(out)) && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

/* ---- where it goes ---- */

int report_parse(const char *text, struct report *ret, struct cip_error *error)
{
        size_t len = strcspn(text, ":");
        char name[64], hint[128];
        struct nearest nearest = {.name = name};

        snprintf(name, sizeof(name), "%.*s", (int)len, text);
        if (text[len] && !text[len + 1])
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' names no file behind the colon", text);
        for (size_t i = 0; i < n_report_formats; i++) {
                if (strcmp(report_formats[i].name, name) == 0) {
                        *ret = (struct report){&report_formats[i], text[len] ? text + len + 1 : NULL};
                        return 0;
                }
                text_nearest(&nearest, report_formats[i].name);
        }
        error_set(error, CIP_ERROR_LOCAL, -EINVAL, "there is no report format '%s'%s; there are", name,
                  nearest_hint(&nearest, hint, sizeof(hint)));
        for (size_t i = 0; i < n_report_formats; i++)
                error_append(error, "%s %s", i ? "," : "", report_formats[i].name);
        return -EINVAL;
}

/* A file that is there and is no regular one (a FIFO, /dev/fd/3) is written to as it is. */
static bool is_special(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int fail_path(const struct report *report, int r, struct cip_error *error)
{
        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write the report %s", report->path);
}

int report_judge_path(const struct report *report, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *trial = NULL;
        struct stat st;
        int fd;

        if (!report->path)
                return 0;
        if (is_special(report->path))
                return access(report->path, W_OK) < 0 ? fail_path(report, -errno, error) : 0;
        if (stat(report->path, &st) == 0 && S_ISDIR(st.st_mode))
                return fail_path(report, -EISDIR, error);
        /* Just what is done later: a new file beside it. */
        if (asprintf(&trial, "%s.XXXXXX", report->path) < 0) {
                trial = NULL;
                return fail_path(report, -ENOMEM, error);
        }
        fd = mkostemp(trial, O_CLOEXEC);
        if (fd < 0)
                return fail_path(report, -errno, error);
        fd_close(fd);
        unlink(trial);
        return 0;
}

static int write_special(const char *path, const char *data, size_t len)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : write_all(fd, data, len);
}

int report_write_by(const struct report *report, report_printer *print, const void *data_to_print,
                    struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len = 0;
        FILE *memory = open_memstream(&data, &len);
        int r = 0;

        if (!memory)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a report");
        print(data_to_print, report, memory, !report->path && wants_colour(stdout));
        /* No form of a report is empty but one that had no room. */
        if (fclose(memory) != 0 || !data || len == 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a report");
        if (!report->path)
                r = fwrite(data, 1, len, stdout) == len && fflush(stdout) == 0 ? 0 : -errno;
        else if (is_special(report->path))
                r = write_special(report->path, data, len);
        else
                return replace_file_at(AT_FDCWD, report->path, data, len, error);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write the report to %s",
                                       report->path ? report->path : "stdout");
        return 0;
}

static void print_summary(const void *data, const struct report *report, FILE *out, bool colour)
{
        report->format->write(data, out, colour);
}

int report_write(const struct report *report, const struct summary *summary, struct cip_error *error)
{
        return report_write_by(report, print_summary, summary, error);
}

static void print_matrix(const void *data, const struct report *report, FILE *out, bool colour)
{
        report->format->write_matrix(data, out, colour);
}

int report_write_matrix(const struct report *report, const struct matrix *matrix, struct cip_error *error)
{
        return report_write_by(report, print_matrix, matrix, error);
}

/* ---- shared by the formats ---- */

static bool is_plain_word(const char *word)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";

        return *word && strspn(word, plain) == strlen(word);
}

char *shell_quote(const char *const *words)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        if (!out)
                return NULL;
        for (size_t i = 0; words[i]; i++) {
                if (i)
                        fputc(' ', out);
                if (is_plain_word(words[i])) {
                        fputs(words[i], out);
                        continue;
                }
                fputc('\'', out);
                for (const char *p = words[i]; *p; p++) {
                        if (*p == '\'')
                                fputs("'\\''", out);
                        else
                                fputc(*p, out);
                }
                fputc('\'', out);
        }
        return memstream_close(out, &text);
}
