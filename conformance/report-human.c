/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for people: a table by group, each shortfall with what was expected, what came, the transcript and
 * the command that runs it again, and what to type next.
 */
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/report.h"
#include "conformance/rules.h"
#include "conformance/selection.h"

/* Bytes of a server's stderr, or of a check's own output, that are shown. */
#define LOG_SHOWN 2000

static const struct {
        const char *colour;
} looks[STATUSES] = {
        [STATUS_PASS] = {"\033[32m"},  [STATUS_FAIL] = {"\033[1;31m"}, [STATUS_KNOWN] = {"\033[33m"},
        [STATUS_FIXED] = {"\033[36m"}, [STATUS_SKIP] = {"\033[2m"},    [STATUS_ERROR] = {"\033[1;35m"},
};

static bool is_of_client(const struct summary *summary)
{
        return summary->catalogue != &server_catalogue;
}

static void print_coloured(FILE *out, bool colour, enum status status, const char *text)
{
        fprintf(out, "%s%s%s", colour ? looks[status].colour : "", text, colour ? "\033[0m" : "");
}

/* ---- the table ---- */

static void print_row(const struct summary *summary, const char *name, const size_t counts[STATUSES], FILE *out,
                      bool colour)
{
        fprintf(out, "  %-10s", name);
        for (enum status s = 0; s < STATUSES; s++) {
                char number[24];

                if (summary->counts[s] == 0 && s != STATUS_PASS && s != STATUS_FAIL)
                        continue;
                if (counts[s])
                        snprintf(number, sizeof(number), "%7zu", counts[s]);
                else
                        snprintf(number, sizeof(number), "%7s", "-");
                if (counts[s])
                        print_coloured(out, colour, s, number);
                else
                        fputs(number, out);
        }
        fputc('\n', out);
}

static void print_table(const struct summary *summary, FILE *out, bool colour)
{
        const struct catalogue *catalogue = summary->catalogue;

        fprintf(out, "  %-10s", "");
        for (enum status s = 0; s < STATUSES; s++)
                if (summary->counts[s] || s == STATUS_PASS || s == STATUS_FAIL)
                        fprintf(out, "%7s", status_name(s));
        fputc('\n', out);
        for (size_t g = 0; g < catalogue->n_groups; g++) {
                size_t counts[STATUSES] = {0}, n = 0;

                for (size_t i = 0; i < summary->n_results; i++) {
                        if (selection_group(catalogue, summary->results[i].check) != &catalogue->groups[g])
                                continue;
                        counts[summary->results[i].status]++;
                        n++;
                }
                if (n)
                        print_row(summary, catalogue->groups[g].name, counts, out, colour);
        }
        print_row(summary, "all", summary->counts, out, colour);
}

/* ---- one result ---- */

static void print_text(const char *title, const char *text, FILE *out)
{
        size_t len = strlen(text), skipped = len > LOG_SHOWN ? len - LOG_SHOWN : 0;

        fprintf(out, "    %s%s\n", title, skipped ? " (its end)" : "");
        for (text += skipped; *text;) {
                size_t line = strcspn(text, "\n");
                char safe[256];

                text_make_safe(safe, sizeof(safe), text, line);
                fprintf(out, "      | %s\n", safe);
                text += line + (text[line] == '\n');
        }
}

static void print_references(const struct check *check, FILE *out)
{
        size_t len;

        fputs("    reference ", out);
        for (const char *at = check->reference; (len = reference_next(&at)) > 0; at += len)
                fprintf(out, " docs/protocol.md#%.*s", (int)len, at);
        fputc('\n', out);
}

static void print_details(const struct summary *summary, const struct result *result, FILE *out)
{
        const char *words[] = {result->check->id, NULL};
        CLEANUP(cleanup_free) char *id = shell_quote(words);
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);

        fprintf(out, "    %s   %s\n", is_of_client(summary) ? "scenario" : "requires", result->check->requires);
        fprintf(out, "    came       %s\n", result->message);
        if (result->job && result->job->transcript) {
                fputs("    transcript\n", out);
                transcript_print(result->job->transcript, "      ", out);
        }
        if (result->job && result->job->stderr_text)
                print_text(is_of_client(summary) ? "output of the client" : "stderr of the server",
                           result->job->stderr_text, out);
        if (result->job && result->job->log)
                print_text("output of the harness", result->job->log, out);
        print_references(result->check, out);
        fprintf(out, "    again      %s --filter %s -- %s\n", summary->rerun, id ? id : "",
                command ? command : "");
}

static void print_result(const struct summary *summary, const struct result *result, FILE *out, bool colour)
{
        fputs("  ", out);
        print_coloured(out, colour, result->status, status_name(result->status));
        fprintf(out, " %s (%s)\n", result->check->id, check_level_name(result->check->level));
        switch (result->status) {
        case STATUS_KNOWN:
                fprintf(out, "    defect     %s\n", result->entry->defect);
                if (result->entry->effect)
                        fprintf(out, "    effect     %s\n", result->entry->effect);
                if (result->entry->reproducer)
                        fprintf(out, "    shown by   %s\n", result->entry->reproducer);
                if (result->entry->transcript)
                        fprintf(out, "    transcript %s\n", result->entry->transcript);
                break;
        case STATUS_FIXED:
                fprintf(out, "    no longer so: %s\n    Remove the entry of this release from %s.\n",
                        result->entry->defect, summary->baseline_name);
                break;
        default:
                print_details(summary, result, out);
        }
}

static void print_results(const struct summary *summary, enum status status, FILE *out, bool colour)
{
        if (summary->counts[status] == 0)
                return;
        fputc('\n', out);
        for (size_t i = 0; i < summary->n_results; i++)
                if (summary->results[i].status == status)
                        print_result(summary, &summary->results[i], out, colour);
}

/* Skips by reason: many checks share one. */
static void print_skips(const struct summary *summary, FILE *out)
{
        const struct result *results = summary->results;

        if (summary->counts[STATUS_SKIP])
                fputc('\n', out);
        for (size_t i = 0; i < summary->n_results; i++) {
                size_t n = 0, before = 0;

                if (results[i].status != STATUS_SKIP)
                        continue;
                for (size_t j = 0; j < summary->n_results; j++) {
                        if (results[j].status != STATUS_SKIP ||
                            strcmp(results[j].message, results[i].message) != 0)
                                continue;
                        n++;
                        before += j < i;
                }
                if (before == 0)
                        fprintf(out, "  skip: %s (%zu %s%s)\n", results[i].message, n, summary->catalogue->noun,
                                n == 1 ? "" : "s");
        }
}

static void print_values(const struct summary *summary, FILE *out)
{
        bool first = true;

        for (size_t i = 0; i < summary->n_results; i++) {
                if (!summary->results[i].value || summary->results[i].check->level != LEVEL_INFO)
                        continue;
                if (first)
                        fprintf(out, "\nWhat this %s does where nothing says what is right:\n",
                                summary->catalogue->subject);
                fprintf(out, "  %s: %s\n", summary->results[i].check->id, summary->results[i].value);
                first = false;
        }
}

static void print_changed(const struct summary *summary, FILE *out)
{
        if (summary->repeat < 2)
                return;
        fprintf(out, "\n%zu result%s changed in %u repeats", summary->n_changed,
                summary->n_changed == 1 ? "" : "s", summary->repeat);
        fputs(summary->n_changed ? ":\n" : ".\n", out);
        for (size_t i = 0; i < summary->n_results; i++)
                if (summary->results[i].changed)
                        fprintf(out, "  %s: %s\n", summary->results[i].check->id, summary->results[i].changed);
}

/* ---- the end ---- */

static void print_verdict(const struct summary *summary, FILE *out, bool colour)
{
        const char *separator = "";

        fprintf(out, "\n%zu %s%s in %.1f s: ", summary->n_results, summary->catalogue->noun,
                summary->n_results == 1 ? "" : "s", summary->seconds);
        for (enum status s = 0; s < STATUSES; s++) {
                char text[64];

                if (summary->counts[s] == 0)
                        continue;
                snprintf(text, sizeof(text), "%zu %s", summary->counts[s], status_name(s));
                fputs(separator, out);
                print_coloured(out, colour, s, text);
                separator = ", ";
        }
        fputs(".\n", out);
        if (summary->interrupted)
                fprintf(out, "Interrupted (%s): this is what was done so far.\n",
                        strsignal(summary->interrupted));
        if (summary->shuffled)
                fprintf(out, "Shuffled; the same order again: --shuffle=%lu\n", summary->seed);
}

static void print_next(const struct summary *summary, FILE *out)
{
        static const enum status worth[] = {STATUS_ERROR, STATUS_FAIL, STATUS_FIXED, STATUS_KNOWN};
        const struct check *check = NULL;

        for (size_t w = 0; w < ARRAY_SIZE(worth) && !check; w++)
                for (size_t i = 0; i < summary->n_results && !check; i++)
                        if (summary->results[i].status == worth[w])
                                check = summary->results[i].check;
        for (size_t i = 0; summary->files && summary->files[i]; i++)
                fprintf(out, "Report: %s\n", summary->files[i]);
        if (check)
                fprintf(out, "What a %s wants: cip-conformance explain %s\n", summary->catalogue->noun,
                        check->id);
        else
                fprintf(out, "What was checked: %s\n", summary->catalogue->list);
        if (!summary->files || !summary->files[0])
                fputs("For programs: --report json:FILE, also junit and tap\n", out);
}

void report_human(const struct summary *summary, FILE *out, bool colour)
{
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);
        char version[VERSION_TEXT_SIZE];

        fprintf(out, "%s%s%s%s%s", command ? command : "", *summary->release ? " (" : "",
                *summary->release && !is_of_client(summary) ? "skopeo " : "", summary->release,
                *summary->release ? ")" : "");
        if (!is_of_client(summary))
                fprintf(out, ", protocol %s", version_format(summary->subject->version, version));
        fputs("\n\n", out);
        print_table(summary, out, colour);
        print_skips(summary, out);
        print_values(summary, out);
        if (summary->counts[STATUS_KNOWN])
                fprintf(out, "\nKnown, as %s says of this release:", summary->baseline_name);
        print_results(summary, STATUS_KNOWN, out, colour);
        print_results(summary, STATUS_FIXED, out, colour);
        print_results(summary, STATUS_FAIL, out, colour);
        print_results(summary, STATUS_ERROR, out, colour);
        print_changed(summary, out);
        print_verdict(summary, out, colour);
        print_next(summary, out);
}
