/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes each form of a report, of one run and of several, that has hostile text wherever a text may be hostile:
 * test-hostile-report FOLDER makes FOLDER/FORMAT.run and FOLDER/FORMAT.matrix for each row of the table of formats.
 * For test-reports, which has them read.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "conformance/report.h"
#include "conformance/test-hostile.h"

#define N_RESULTS ((size_t)STATUSES * N_HOSTILE_TEXTS)

/* What the program keeps as safe text, and what as it came. */
static char safe[N_HOSTILE_TEXTS][4096];
static char *transcripts[N_HOSTILE_TEXTS];
static struct check checks[N_RESULTS];
static char ids[N_RESULTS][64];
static struct job jobs[N_RESULTS];
static struct baseline_entry entries[N_RESULTS];
static struct result results[N_RESULTS];

/* A transcript with the text in an event, and in a line that is none. */
static char *make_transcript(const char *text)
{
        struct json_object *event = json_object_new_object();
        char *transcript;

        json_object_object_add(event, "t", json_object_new_double_s(0.5, "0.5"));
        json_object_object_add(event, "event", json_object_new_string("packet"));
        json_object_object_add(event, "dir", json_object_new_string(text));
        json_object_object_add(event, "text", json_object_new_string(text));
        if (asprintf(&transcript, "%s\n%s", json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN),
                     text) < 0)
                exit(2);
        json_object_put(event);
        return transcript;
}

static void make_result(size_t i)
{
        const char *text = safe[i % N_HOSTILE_TEXTS];
        enum status status = (enum status)(i / N_HOSTILE_TEXTS);
        bool by_entry = status == STATUS_KNOWN || status == STATUS_FIXED;
        bool passed = status == STATUS_PASS || status == STATUS_FIXED;

        snprintf(ids[i], sizeof(ids[i]), "group%zu/check-%zu", i % 3, i);
        checks[i] = (struct check){.id = ids[i],
                                   .level = (enum check_level)(i % 3),
                                   .requires = "It does no harm.",
                                   .reference = "packet-limit"};
        jobs[i] = (struct job){.check = &checks[i], .transcript = transcripts[i % N_HOSTILE_TEXTS]};
        /* These two are not written to. */
        jobs[i].stderr_text = strdup(hostile_texts[i % N_HOSTILE_TEXTS]);
        jobs[i].log = strdup(hostile_texts[i % N_HOSTILE_TEXTS]);
        entries[i] = (struct baseline_entry){.check = &checks[i],
                                             .defect = safe[i % N_HOSTILE_TEXTS],
                                             .reference = safe[i % N_HOSTILE_TEXTS]};
        results[i] = (struct result){
                .check = &checks[i],
                .status = status,
                .message = passed ? "" : text,
                .value = checks[i].level == LEVEL_INFO ? text : NULL,
                .seconds = 0.25,
                .closing = status == STATUS_FAIL ? CLOSING_STDERR : 0,
                .entry = by_entry ? &entries[i] : NULL,
                .job = passed ? NULL : &jobs[i],
                .changed = i % 7 == 0 ? safe[i % N_HOSTILE_TEXTS] : NULL,
        };
}

static void write_report(const char *folder, const struct report_format *format, const struct summary *summary,
                         const struct matrix *matrix)
{
        CLEANUP(cleanup_free) char *path = NULL;
        FILE *out;

        if (asprintf(&path, "%s/%s.%s", folder, format->name, summary ? "run" : "matrix") < 0)
                exit(2);
        out = fopen(path, "we");
        if (!out)
                exit(2);
        if (summary)
                format->write(summary, out, false);
        else
                format->write_matrix(matrix, out, false);
        if (fclose(out) != 0)
                exit(2);
}

int main(int argc, char **argv)
{
        const char *const command[] = {"skopeo", "it's `x` | \"y\"", NULL};
        struct subject subject = {.command = command, .version = {0, 2, 8}};
        struct summary summary = {.catalogue = &server_catalogue,
                                  .subject = &subject,
                                  .release = safe[2],
                                  .baseline_name = "known.json",
                                  .rerun = "cip-conformance server",
                                  .results = results,
                                  .n_results = N_RESULTS,
                                  .seconds = 1.5,
                                  .repeat = 2,
                                  .shuffled = true,
                                  .seed = 7,
                                  .interrupted = SIGINT};
        /* Names are the user's own, and one each. */
        static char names[N_HOSTILE_TEXTS][64];
        struct column columns[N_HOSTILE_TEXTS + 2];

        if (argc != 2)
                return 2;
        for (size_t i = 0; i < N_HOSTILE_TEXTS; i++) {
                const char *text = strcmp(hostile_texts[i], " ") ? hostile_texts[i] : "blank";

                text_make_safe(safe[i], sizeof(safe[i]), text, strlen(text));
                transcripts[i] = make_transcript(text);
                snprintf(names[i], sizeof(names[i]), "a|b, c: 5%% <d> #%zu \\", i);
                columns[i] = (struct column){.name = names[i], .verdict = text};
        }
        for (size_t i = 0; i < N_RESULTS; i++) {
                make_result(i);
                summary.counts[results[i].status]++;
                summary.n_changed += results[i].changed != NULL;
        }
        columns[N_HOSTILE_TEXTS] = (struct column){.name = "first", .summary = &summary};
        columns[N_HOSTILE_TEXTS + 1] = (struct column){.name = "seco|nd", .summary = &summary};
        for (size_t i = 0; i < n_report_formats; i++) {
                write_report(argv[1], &report_formats[i], &summary, NULL);
                if (report_formats[i].write_matrix)
                        write_report(argv[1], &report_formats[i], NULL,
                                     &(struct matrix){.catalogue = &server_catalogue,
                                                      .columns = columns,
                                                      .n_columns = ARRAY_SIZE(columns)});
        }
        for (size_t i = 0; i < N_RESULTS; i++) {
                free(jobs[i].stderr_text);
                free(jobs[i].log);
        }
        for (size_t i = 0; i < N_HOSTILE_TEXTS; i++)
                free(transcripts[i]);
        return 0;
}
