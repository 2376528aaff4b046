/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for programs, of one run or of several. docs/report.schema.json is its form, and what is not in it
 * does not come out of here. Text is kept as it came, so that a reader sees all of it, but nothing that harms a
 * terminal is written as itself: JSON has an escape for each character.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "conformance/report-transcript.h"
#include "conformance/report.h"
#include "conformance/selection.h"
#include "protocol/message.h"

/* The number of the form. A change that a reader must know of counts it up. */
#define FORMAT 1

static struct json_object *text(const char *value)
{
        return json_object_new_string(value ? value : "");
}

static void add_text(struct json_object *object, const char *name, const char *value)
{
        if (value)
                json_add_member(object, name, text(value));
}

/* A number with three places behind the point. */
static struct json_object *seconds(double value)
{
        char number[32];

        snprintf(number, sizeof(number), "%.3f", value);
        return json_object_new_double_s(value, number);
}

/* ---- one check ---- */

static struct json_object *closing_names(unsigned closing)
{
        static const char *const names[] = {"exit", "descriptors", "processes", "files", "stderr"};
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (closing & (1U << i))
                        json_add_item(array, text(names[i]));
        return array;
}

static struct json_object *known_object(const struct baseline_entry *entry)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "defect", text(entry->defect));
        add_text(object, "effect", entry->effect);
        add_text(object, "reproducer", entry->reproducer);
        json_add_member(object, "reference", text(entry->reference));
        add_text(object, "transcript", entry->transcript);
        return object;
}

/* An event of a transcript; what is no JSON object, such as a line that a crash has cut, is a note. */
static void add_event(void *data, struct json_object *event, const char *line, size_t len)
{
        struct json_object *array = data;

        if (event && transcript_member(event, "event")) {
                json_add_item(array, json_object_get(event));
                return;
        }
        event = json_object_new_object();
        json_add_member(event, "event", text("note"));
        json_add_member(event, "text", json_object_new_string_len(line, (int)len));
        json_add_item(array, event);
}

static struct json_object *session_array(const char *transcript)
{
        struct json_object *array = json_object_new_array();

        /* All of it: what the runner takes of a transcript is bounded. */
        transcript_walk(transcript,
                        &(struct transcript_walk){.first = SIZE_MAX / 2, .event = add_event, .data = array});
        return array;
}

/* The command line that runs a check again, or NULL where that is not known. The caller frees. */
static char *again(const struct summary *summary, const struct check *check)
{
        const char *words[] = {check->id, NULL};
        CLEANUP(cleanup_free) char *id = shell_quote(words);
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);
        char *line = NULL;

        if (!summary->rerun || !id || !command ||
            asprintf(&line, "%s --filter %s -- %s", summary->rerun, id, command) < 0)
                return NULL;
        return line;
}

static struct json_object *result_object(const struct summary *summary, const struct result *result)
{
        CLEANUP(cleanup_free) char *line = again(summary, result->check);
        struct json_object *object = json_object_new_object();
        const struct job *job = result->job;

        json_add_member(object, "id", text(result->check->id));
        json_add_member(object, "level", text(check_level_name(result->check->level)));
        json_add_member(object, "status", text(status_name(result->status)));
        json_add_member(object, "seconds", seconds(result->seconds));
        json_add_member(object, "message", text(result->message));
        json_add_member(object, "requires", text(result->check->requires));
        json_add_member(object, "reference", text(result->check->reference));
        add_text(object, "value", result->value);
        if (result->closing)
                json_add_member(object, "closing", closing_names(result->closing));
        if (result->entry)
                json_add_member(object, "known", known_object(result->entry));
        add_text(object, "changed", result->changed);
        add_text(object, "again", line);
        if (job && job->transcript)
                json_add_member(object, "session", session_array(job->transcript));
        add_text(object, "stderr", job ? job->stderr_text : NULL);
        add_text(object, "log", job ? job->log : NULL);
        return object;
}

/* ---- the whole ---- */

static struct json_object *report_object(const struct catalogue *catalogue)
{
        struct json_object *report = json_object_new_object();

        json_add_member(report, "tool", text("cip-conformance"));
        json_add_member(report, "version", text(CIP_VERSION));
        json_add_member(report, "format", json_object_new_int(FORMAT));
        json_add_member(report, "suite", text(catalogue->subject));
        return report;
}

static struct json_object *counts_object(const struct summary *summary)
{
        struct json_object *counts = json_object_new_object();

        for (enum status s = 0; s < STATUSES; s++)
                json_add_member(counts, status_name(s), json_object_new_uint64(summary->counts[s]));
        return counts;
}

static struct json_object *summary_object(const struct summary *summary)
{
        struct json_object *report = report_object(summary->catalogue);
        struct json_object *checks = json_object_new_array(), *command = json_object_new_array();
        char version[VERSION_TEXT_SIZE];

        for (size_t i = 0; summary->subject->command[i]; i++)
                json_add_item(command, text(summary->subject->command[i]));
        for (size_t i = 0; i < summary->n_results; i++)
                json_add_item(checks, result_object(summary, &summary->results[i]));
        json_add_member(report, "command", command);
        json_add_member(report, "release", text(summary->release));
        /* A client has none of its own. */
        json_add_member(report, "protocol",
                        text(summary->catalogue == &server_catalogue
                                     ? version_format(summary->subject->version, version)
                                     : ""));
        add_text(report, "baseline", summary->baseline_name);
        json_add_member(report, "seconds", seconds(summary->seconds));
        json_add_member(report, "counts", counts_object(summary));
        if (summary->repeat > 1) {
                json_add_member(report, "repeat", json_object_new_uint64(summary->repeat));
                json_add_member(report, "changed", json_object_new_uint64(summary->n_changed));
        }
        if (summary->shuffled)
                json_add_member(report, "seed", json_object_new_uint64(summary->seed));
        if (summary->interrupted)
                json_add_member(report, "interrupted", json_object_new_boolean(1));
        json_add_member(report, "checks", checks);
        return report;
}

static struct json_object *column_object(const struct column *column)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "name", text(column->name));
        if (column->summary)
                json_add_member(object, "report", summary_object(column->summary));
        else
                json_add_member(object, "verdict", text(column->verdict));
        return object;
}

/* ---- writing it ---- */

static void print_escape(uint32_t code, FILE *out)
{
        if (code >= 0x10000)
                fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
        else
                fprintf(out, "\\u%04x", code);
}

/*
 * json-c has escaped the control characters of ASCII but DEL. What else is harmful, and bytes that are no
 * UTF-8, can stand in strings alone.
 */
static void print_json(struct json_object *take_report, FILE *out)
{
        size_t len = 0;
        const char *json =
                json_text(take_report, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

        if (!json) { /* nothing at all is told from a report */
                json_object_put(take_report);
                return;
        }
        for (size_t n; len > 0; json += n, len -= n) {
                uint32_t code = 0;

                n = utf8_character(json, len, &code);
                /*
                 * What stands for such bytes is written alike, so that a report that was read is the same
                 * again.
                 */
                if (n == 0 || code == 0xfffd)
                        print_escape(0xfffd, out);
                else if (code >= 0x7f && text_is_harmful(code))
                        print_escape(code, out);
                else
                        fwrite(json, 1, n, out);
                n = n ? n : 1;
        }
        fputc('\n', out);
        json_object_put(take_report);
}

void report_json(const struct summary *summary, FILE *out, bool colour)
{
        (void)colour;
        print_json(summary_object(summary), out);
}

void report_json_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        struct json_object *report = report_object(matrix->catalogue), *columns = json_object_new_array();

        (void)colour;
        for (size_t i = 0; i < matrix->n_columns; i++)
                json_add_item(columns, column_object(&matrix->columns[i]));
        json_add_member(report, "matrix", columns);
        print_json(report, out);
}
