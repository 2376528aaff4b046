/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as JUnit XML, in the form of docs/junit.xsd that Jenkins, GitLab and others read: a test suite for
 * each group, and in a matrix for each group of each server. What is known to fall short is skipped there, with
 * the defect as its reason, as JUnit has no other word for it.
 */
#include <string.h>

#include "base/cleanup.h"
#include "conformance/report-text.h"
#include "conformance/report.h"
#include "conformance/selection.h"

/* One run, and what its suites' names begin with: "" or the server's name in a matrix. */
struct part {
        const struct summary *summary;
        const char *name;
        const char *separator;
};

struct counts {
        size_t tests, failures, errors, skipped;
        double seconds;
};

static void print_xml(const char *text, FILE *out)
{
        text_print(text, escapes_xml, out);
}

static void print_attribute(const char *name, const char *before, const char *text, FILE *out)
{
        fprintf(out, " %s=\"%s", name, before);
        print_xml(text, out);
        fputc('"', out);
}

/* ---- groups and counts ---- */

/* Checks of saved reports may be of no group that the catalogue has: the id says which. */
static size_t group_length(const char *id)
{
        return strcspn(id, "/");
}

static bool is_of_group(const struct result *result, const char *id)
{
        size_t len = group_length(id);

        return group_length(result->check->id) == len && strncmp(result->check->id, id, len) == 0;
}

/* Adds what the group of check @id has, or, for NULL, all. */
static void count(const struct summary *summary, const char *id, struct counts *counts)
{
        for (size_t i = 0; i < summary->n_results; i++) {
                const struct result *result = &summary->results[i];
                enum status status = result->status;

                if (id && !is_of_group(result, id))
                        continue;
                counts->tests++;
                counts->failures += status == STATUS_FAIL || status == STATUS_FIXED;
                counts->errors += status == STATUS_ERROR;
                counts->skipped += status == STATUS_SKIP || status == STATUS_KNOWN;
                counts->seconds += result->seconds;
        }
}

static void print_counts(const struct counts *counts, FILE *out)
{
        fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"",
                counts->tests, counts->failures, counts->errors, counts->skipped, counts->seconds);
}

/* ---- one check ---- */

static void print_transcript(const char *transcript, FILE *out)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        FILE *memory = open_memstream(&text, &len);

        if (!memory)
                return;
        transcript_print(transcript, "", memory);
        if (fclose(memory) == 0 && text)
                text_print_lines(text, "| ", escapes_xml, out);
}

static void print_shortfall(const struct result *result, const char *element, FILE *out)
{
        bool fixed = result->status == STATUS_FIXED;

        fprintf(out, "      <%s", element);
        print_attribute("type", "", status_name(result->status), out);
        print_attribute("message", fixed ? "no longer falls short; remove it from the baseline: " : "",
                        fixed ? result->entry->defect : result->message, out);
        fputs(">requires: ", out);
        print_xml(result->check->requires, out);
        fputc('\n', out);
        if (result->job && result->job->transcript)
                print_transcript(result->job->transcript, out);
        fprintf(out, "</%s>\n", element);
}

static void print_skipped(const struct result *result, FILE *out)
{
        bool known = result->status == STATUS_KNOWN;

        fputs("      <skipped", out);
        print_attribute("message", known ? "known: " : "", known ? result->entry->defect : result->message,
                        out);
        fputs("/>\n", out);
}

/* Lines have something before them: in the log of a CI that prints the file, none is a command. */
static void print_output(const struct result *result, FILE *out)
{
        if (result->value || result->changed) {
                fputs("      <system-out>", out);
                print_xml(result->value, out);
                fputs(result->changed ? " changed in repeats: " : "", out);
                print_xml(result->changed, out);
                fputs("</system-out>\n", out);
        }
        if (result->job && result->job->stderr_text) {
                fputs("      <system-err>", out);
                text_print_lines(result->job->stderr_text, "| ", escapes_xml, out);
                fputs("</system-err>\n", out);
        }
}

/* "group", or in a matrix "server.group": readers take what is before the last point for a package. */
static void print_class(const struct part *part, const char *id, const char *separator, FILE *out)
{
        char group[64];

        snprintf(group, sizeof(group), "%.*s", (int)group_length(id), id);
        print_xml(part->name, out);
        fputs(*part->name ? separator : "", out);
        print_xml(group, out);
}

static void print_result(const struct part *part, const struct result *result, FILE *out)
{
        fputs("    <testcase classname=\"", out);
        print_class(part, result->check->id, ".", out);
        fputc('"', out);
        print_attribute("name", "", result->check->id, out);
        fprintf(out, " time=\"%.3f\">\n", result->seconds);
        switch (result->status) {
        case STATUS_FAIL:
        case STATUS_FIXED:
                print_shortfall(result, "failure", out);
                break;
        case STATUS_ERROR:
                print_shortfall(result, "error", out);
                break;
        case STATUS_SKIP:
        case STATUS_KNOWN:
                print_skipped(result, out);
                break;
        default:
                break;
        }
        print_output(result, out);
        fputs("    </testcase>\n", out);
}

/* ---- suites ---- */

static void print_property(const char *name, const char *value, FILE *out)
{
        if (!value || !*value)
                return;
        fprintf(out, "      <property name=\"%s\"", name);
        print_attribute("value", "", value, out);
        fputs("/>\n", out);
}

static void print_properties(const struct summary *summary, FILE *out)
{
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);
        char version[VERSION_TEXT_SIZE], seed[32] = "";

        if (summary->shuffled)
                snprintf(seed, sizeof(seed), "%lu", summary->seed);
        fputs("    <properties>\n", out);
        print_property("cip.version", CIP_VERSION, out);
        print_property("cip.suite", summary->catalogue->subject, out);
        print_property("cip.command", command, out);
        print_property("cip.release", summary->release, out);
        if (summary->catalogue == &server_catalogue)
                print_property("cip.protocol", version_format(summary->subject->version, version), out);
        print_property("cip.baseline", summary->baseline_name, out);
        print_property("cip.seed", seed, out);
        print_property("cip.interrupted", summary->interrupted ? "true" : "", out);
        fputs("    </properties>\n", out);
}

static void print_group(const struct part *part, const char *id, FILE *out)
{
        const struct summary *summary = part->summary;
        struct counts counts = {0};

        count(summary, id, &counts);
        fputs("  <testsuite name=\"", out);
        print_class(part, id, part->separator, out);
        fputc('"', out);
        print_counts(&counts, out);
        fputs(">\n", out);
        print_properties(summary, out);
        for (size_t i = 0; i < summary->n_results; i++)
                if (is_of_group(&summary->results[i], id))
                        print_result(part, &summary->results[i], out);
        fputs("  </testsuite>\n", out);
}

static void print_part(const struct part *part, FILE *out)
{
        const struct result *results = part->summary->results;

        for (size_t i = 0; i < part->summary->n_results; i++) {
                bool first = true;

                for (size_t j = 0; j < i && first; j++)
                        first = !is_of_group(&results[j], results[i].check->id);
                if (first)
                        print_group(part, results[i].check->id, out);
        }
}

/* A server that could not be judged: no test of it ran, and this is why. */
static void print_verdict(const struct column *column, FILE *out)
{
        fputs("  <testsuite", out);
        print_attribute("name", "", column->name, out);
        print_counts(&(struct counts){.tests = 1, .skipped = 1}, out);
        fputs(">\n    <testcase", out);
        print_attribute("classname", "", column->name, out);
        fputs(" name=\"judged\" time=\"0.000\">\n      <skipped", out);
        print_attribute("message", "", column->verdict, out);
        fputs("/>\n    </testcase>\n  </testsuite>\n", out);
}

static void print_start(const struct counts *counts, FILE *out)
{
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cip-conformance\"", out);
        print_counts(counts, out);
        fputs(">\n", out);
}

void report_junit(const struct summary *summary, FILE *out, bool colour)
{
        struct counts counts = {0};

        (void)colour;
        count(summary, NULL, &counts);
        print_start(&counts, out);
        print_part(&(struct part){summary, "", ""}, out);
        fputs("</testsuites>\n", out);
}

void report_junit_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        struct counts counts = {0};

        (void)colour;
        for (size_t i = 0; i < matrix->n_columns; i++) {
                if (matrix->columns[i].summary) {
                        count(matrix->columns[i].summary, NULL, &counts);
                } else {
                        counts.tests++;
                        counts.skipped++;
                }
        }
        print_start(&counts, out);
        for (size_t i = 0; i < matrix->n_columns; i++) {
                const struct column *column = &matrix->columns[i];

                if (column->summary)
                        print_part(&(struct part){column->summary, column->name, "/"}, out);
                else
                        print_verdict(column, out);
        }
        fputs("</testsuites>\n", out);
}
