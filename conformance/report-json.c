/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for programs. docs/design.md has its shape; "closing" names the closing questions that fell short,
 * "defect" is the baseline's word, "changed" how repeats differ.
 */
#include <json-c/json.h>

#include "base/cleanup.h"
#include "conformance/report.h"
#include "conformance/selection.h"

static struct json_object *text(const char *value)
{
        return json_object_new_string(value ? value : "");
}

/* A number with three places behind the point. */
static struct json_object *seconds(double value)
{
        char number[32];

        snprintf(number, sizeof(number), "%.3f", value);
        return json_object_new_double_s(value, number);
}

static struct json_object *closing_names(unsigned closing)
{
        static const char *const names[] = {"exit", "descriptors", "processes", "files", "stderr"};
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (closing & (1U << i))
                        json_object_array_add(array, text(names[i]));
        return array;
}

static struct json_object *result_object(const struct result *result)
{
        struct json_object *object = json_object_new_object();

        json_object_object_add(object, "id", text(result->check->id));
        json_object_object_add(object, "level", text(check_level_name(result->check->level)));
        json_object_object_add(object, "status", text(status_name(result->status)));
        json_object_object_add(object, "seconds", seconds(result->seconds));
        json_object_object_add(object, "message", text(result->message));
        if (result->value)
                json_object_object_add(object, "value", text(result->value));
        if (result->closing)
                json_object_object_add(object, "closing", closing_names(result->closing));
        if (result->entry) {
                json_object_object_add(object, "defect", text(result->entry->defect));
                json_object_object_add(object, "reference", text(result->entry->reference));
                if (result->entry->transcript)
                        json_object_object_add(object, "transcript", text(result->entry->transcript));
        }
        if (result->changed)
                json_object_object_add(object, "changed", text(result->changed));
        return object;
}

void report_json(const struct summary *summary, FILE *out, bool colour)
{
        struct json_object *report = json_object_new_object(), *counts = json_object_new_object();
        struct json_object *checks = json_object_new_array(), *command = json_object_new_array();
        char version[VERSION_TEXT_SIZE];

        (void)colour;
        for (size_t i = 0; summary->subject->command[i]; i++)
                json_object_array_add(command, text(summary->subject->command[i]));
        for (enum status s = 0; s < STATUSES; s++)
                json_object_object_add(counts, status_name(s), json_object_new_uint64(summary->counts[s]));
        for (size_t i = 0; i < summary->n_results; i++)
                json_object_array_add(checks, result_object(&summary->results[i]));
        json_object_object_add(report, "tool", text("cip-conformance"));
        json_object_object_add(report, "version", text(CIP_VERSION));
        json_object_object_add(report, "command", command);
        json_object_object_add(report, "release", text(summary->release));
        json_object_object_add(report, "suite", text(summary->catalogue->subject));
        /* A client has none of its own. */
        json_object_object_add(report, "protocol",
                               text(summary->catalogue == &server_catalogue
                                            ? version_format(summary->subject->version, version)
                                            : ""));
        json_object_object_add(report, "seconds", seconds(summary->seconds));
        json_object_object_add(report, "counts", counts);
        if (summary->repeat > 1) {
                json_object_object_add(report, "repeat", json_object_new_uint64(summary->repeat));
                json_object_object_add(report, "changed", json_object_new_uint64(summary->n_changed));
        }
        if (summary->shuffled)
                json_object_object_add(report, "seed", json_object_new_uint64(summary->seed));
        if (summary->interrupted)
                json_object_object_add(report, "interrupted", json_object_new_boolean(1));
        json_object_object_add(report, "checks", checks);
        fprintf(out, "%s\n",
                json_object_to_json_string_ext(report,
                                               JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(report);
}
