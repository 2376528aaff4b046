/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as TAP: a known shortfall is a TODO, a skip has its reason. It is valid TAP 14, but calls itself 13,
 * of which it is too: the harnesses that distributions ship refuse a higher number.
 */
#include "conformance/report.h"
#include "conformance/selection.h"

/* In a test line '#' begins a directive and a backslash an escape. */
static void print_escaped(const char *text, FILE *out)
{
        for (; *text; text++) {
                if (*text == '#' || *text == '\\')
                        fputc('\\', out);
                fputc(*text, out);
        }
}

/* A double-quoted text of YAML. Messages have no control characters. */
static void print_yaml(const char *name, const char *text, FILE *out)
{
        fprintf(out, "  %s: \"", name);
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        fputc('\\', out);
                fputc(*text, out);
        }
        fputs("\"\n", out);
}

static void print_result(const struct result *result, size_t number, FILE *out)
{
        enum status status = result->status;
        bool ok = status == STATUS_PASS || status == STATUS_SKIP;

        fprintf(out, "%s %zu - ", ok ? "ok" : "not ok", number);
        print_escaped(result->check->id, out);
        if (status == STATUS_SKIP || status == STATUS_KNOWN) {
                fputs(status == STATUS_SKIP ? " # SKIP " : " # TODO known: ", out);
                print_escaped(status == STATUS_SKIP ? result->message : result->entry->defect, out);
        }
        fputc('\n', out);
        if (status == STATUS_PASS && !result->value && !result->changed)
                return;
        fputs("  ---\n", out);
        print_yaml("status", status_name(status), out);
        print_yaml("level", check_level_name(result->check->level), out);
        print_yaml("requires", result->check->requires, out);
        if (*result->message)
                print_yaml("message", result->message, out);
        if (result->value)
                print_yaml("value", result->value, out);
        if (result->changed)
                print_yaml("changed", result->changed, out);
        fputs("  ...\n", out);
}

void report_tap(const struct summary *summary, FILE *out, bool colour)
{
        (void)colour;
        fprintf(out, "TAP version 13\n1..%zu\n", summary->n_results);
        for (size_t i = 0; i < summary->n_results; i++)
                print_result(&summary->results[i], i + 1, out);
        if (summary->repeat > 1)
                fprintf(out, "# %zu results changed in %u repeats\n", summary->n_changed, summary->repeat);
        if (summary->shuffled)
                fprintf(out, "# shuffled with seed %lu\n", summary->seed);
        if (summary->interrupted)
                fputs("Bail out! Interrupted\n", out);
}
