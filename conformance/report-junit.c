/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as JUnit XML: a test suite for each group. Text of servers is hostile: only characters that XML 1.0
 * has get through.
 */
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/report.h"
#include "conformance/selection.h"

/* Escapes valid UTF-8 without control characters. U+FFFE and U+FFFF are no characters of XML. */
static void print_escaped(const char *text, FILE *out)
{
        for (; *text; text++) {
                switch (*text) {
                case '<':
                        fputs("&lt;", out);
                        break;
                case '>':
                        fputs("&gt;", out);
                        break;
                case '&':
                        fputs("&amp;", out);
                        break;
                case '"':
                        fputs("&quot;", out);
                        break;
                default:
                        if (memcmp(text, "\xef\xbf\xbe", strnlen(text, 3)) == 0 ||
                            memcmp(text, "\xef\xbf\xbf", strnlen(text, 3)) == 0) {
                                fputc('?', out);
                                text += 2;
                        } else {
                                fputc(*text, out);
                        }
                }
        }
}

/* Hostile text with lines: each line made safe by itself. */
static void print_lines(const char *text, FILE *out)
{
        while (*text) {
                size_t len = strcspn(text, "\n");
                char safe[1024];

                text_make_safe(safe, sizeof(safe), text, len);
                print_escaped(safe, out);
                fputc('\n', out);
                text += len + (text[len] == '\n');
        }
}

static void print_shortfall(const struct result *result, const char *element, FILE *out)
{
        fprintf(out, "      <%s type=\"%s\" message=\"", element, status_name(result->status));
        if (result->status == STATUS_FIXED)
                print_escaped("no longer falls short; remove it from the baseline: ", out);
        print_escaped(result->status == STATUS_FIXED ? result->entry->defect : result->message, out);
        fputs("\">requires: ", out);
        print_escaped(result->check->requires, out);
        fputc('\n', out);
        if (result->job && result->job->transcript) {
                CLEANUP(cleanup_free) char *text = NULL;
                size_t len = 0;
                FILE *memory = open_memstream(&text, &len);

                if (memory) {
                        transcript_print(result->job->transcript, "", memory);
                        fclose(memory);
                        print_lines(text, out);
                }
        }
        fprintf(out, "</%s>\n", element);
}

static void print_result(const struct result *result, const char *group, FILE *out)
{
        fputs("    <testcase classname=\"", out);
        print_escaped(group, out);
        fputs("\" name=\"", out);
        print_escaped(result->check->id, out);
        fprintf(out, "\" time=\"%.3f\">\n", result->seconds);
        if (result->status == STATUS_FAIL || result->status == STATUS_FIXED)
                print_shortfall(result, "failure", out);
        if (result->status == STATUS_ERROR)
                print_shortfall(result, "error", out);
        if (result->status == STATUS_SKIP || result->status == STATUS_KNOWN) {
                fputs("      <skipped message=\"", out);
                print_escaped(result->status == STATUS_KNOWN ? "known: " : "", out);
                print_escaped(result->status == STATUS_KNOWN ? result->entry->defect : result->message, out);
                fputs("\"/>\n", out);
        }
        if (result->value || result->changed) {
                fputs("      <system-out>", out);
                print_escaped(result->value ? result->value : "", out);
                print_escaped(result->changed ? " changed in repeats: " : "", out);
                print_escaped(result->changed ? result->changed : "", out);
                fputs("</system-out>\n", out);
        }
        if (result->job && result->job->stderr_text) {
                fputs("      <system-err>", out);
                print_lines(result->job->stderr_text, out);
                fputs("</system-err>\n", out);
        }
        fputs("    </testcase>\n", out);
}

/* Of the whole run, or of one group. */
static void print_counts(const struct summary *summary, const struct check_group *group, FILE *out)
{
        const struct result *results = summary->results;
        size_t counts[STATUSES] = {0}, all = 0;
        double seconds = 0;

        for (size_t i = 0; i < summary->n_results; i++) {
                if (group && selection_group(summary->catalogue, results[i].check) != group)
                        continue;
                counts[results[i].status]++;
                all++;
                seconds += results[i].seconds;
        }
        fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"", all,
                counts[STATUS_FAIL] + counts[STATUS_FIXED], counts[STATUS_ERROR],
                counts[STATUS_SKIP] + counts[STATUS_KNOWN], seconds);
}

void report_junit(const struct summary *summary, FILE *out, bool colour)
{
        const struct catalogue *catalogue = summary->catalogue;

        (void)colour;
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cip-conformance\"", out);
        print_counts(summary, NULL, out);
        fputs(">\n", out);
        for (size_t g = 0; g < catalogue->n_groups; g++) {
                bool opened = false;

                for (size_t i = 0; i < summary->n_results; i++) {
                        if (selection_group(catalogue, summary->results[i].check) != &catalogue->groups[g])
                                continue;
                        if (!opened) {
                                fprintf(out, "  <testsuite name=\"%s\"", catalogue->groups[g].name);
                                print_counts(summary, &catalogue->groups[g], out);
                                fputs(">\n", out);
                        }
                        opened = true;
                        print_result(&summary->results[i], catalogue->groups[g].name, out);
                }
                if (opened)
                        fputs("  </testsuite>\n", out);
        }
        fputs("</testsuites>\n", out);
}
