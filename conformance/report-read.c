/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a JSON report. The file may come from anywhere: its size, its depth and the number of its values are
 * bounded before they cost memory, each member is judged by a table, and a message names file and place. What a
 * summary borrows in a run (subject, checks, jobs, the baseline's entries) is made here and owned by the report.
 */
#include "conformance/report-read.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "conformance/selection.h"
#include "protocol/message.h"

#define REPORT_FORMAT 1

/* A transcript's events are the deepest, and a server's packets are texts in them. */
#define DEPTH_MAX 32

/* JSON values of a file. A value costs far more memory than its byte of text. */
#define VALUES_MAX 2000000

#define ID_MAX 200
#define GROUPS_MAX ((size_t)100)
#define SECONDS_MAX 1e9

struct saved_report {
        struct summary summary;
        struct subject subject;
        struct catalogue catalogue; /* of the client suite: made from the ids */
        struct check_group *groups;
        size_t *group_sizes;
        struct check *checks;
        struct result *results;
        struct job *jobs;
        struct baseline_entry *entries;
        const char **command;
        char **texts; /* every text that is owned */
        size_t n_texts, space;
};

/* Where the reader is, for messages: FILE and a JSON pointer. */
struct reader {
        const char *file;
        char place[128];
        struct saved_report *saved;
        struct cip_error *error;
};

static int wrong(const struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(const struct reader *reader, const char *format, ...)
{
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        return error_set(reader->error, CIP_ERROR_LOCAL, -EINVAL, "%s: %s%s%s", reader->file, reader->place,
                         *reader->place ? ": " : "", text);
}

static int no_memory(const struct reader *reader)
{
        return error_set_errno(reader->error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read the report %s",
                               reader->file);
}

/* ---- texts ---- */

/* Keeps @take, which may be NULL. Returns it, or NULL without memory. */
static char *keep(struct saved_report *saved, char *take)
{
        if (take && saved->n_texts == saved->space) {
                size_t space = saved->space ? 2 * saved->space : 64;
                char **texts = realloc(saved->texts, space * sizeof(*texts));

                if (!texts) {
                        free(take);
                        return NULL;
                }
                saved->texts = texts;
                saved->space = space;
        }
        if (take)
                saved->texts[saved->n_texts++] = take;
        return take;
}

/* A JSON string as text that is safe to show. */
static char *keep_safe(struct saved_report *saved, struct json_object *string)
{
        size_t len = (size_t)json_object_get_string_len(string);
        /* A byte becomes one at most; room for the ".." that is not needed. */
        char *text = malloc(len + 8);

        if (text)
                text_make_safe(text, len + 8, json_object_get_string(string), len);
        return keep(saved, text);
}

/* A JSON string as it is, but for NUL. */
static char *keep_hostile(struct saved_report *saved, struct json_object *string)
{
        size_t len = (size_t)json_object_get_string_len(string);
        char *text = malloc(len + 1);

        for (size_t i = 0; text && i <= len; i++) {
                text[i] = json_object_get_string(string)[i];
                if (i < len && !text[i])
                        text[i] = '?';
        }
        return keep(saved, text);
}

/* ---- members ---- */

enum kind {
        KIND_TEXT,
        KIND_HOSTILE, /* a text that is not made safe here */
        KIND_SECONDS,
        KIND_COUNT,
        KIND_TRUE,
        KIND_ARRAY,
        KIND_OBJECT,
};

static const char *const kind_names[] = {
        [KIND_TEXT] = "a text",      [KIND_HOSTILE] = "a text",     [KIND_SECONDS] = "a number of seconds",
        [KIND_COUNT] = "a count",    [KIND_TRUE] = "true or false", [KIND_ARRAY] = "an array",
        [KIND_OBJECT] = "an object",
};

struct member {
        const char *name;
        enum kind kind;
        bool optional;
};

static bool is_kind(struct json_object *value, enum kind kind)
{
        uint64_t count;

        switch (kind) {
        case KIND_TEXT:
        case KIND_HOSTILE:
                return json_object_is_type(value, json_type_string);
        case KIND_SECONDS:
                return (json_object_is_type(value, json_type_double) ||
                        json_object_is_type(value, json_type_int)) &&
                       json_object_get_double(value) >= 0 && json_object_get_double(value) <= SECONDS_MAX;
        case KIND_COUNT:
                return json_object_is_type(value, json_type_int) && json_get_uint(value, UINT32_MAX, &count);
        case KIND_TRUE:
                return json_object_is_type(value, json_type_boolean);
        case KIND_ARRAY:
                return json_object_is_type(value, json_type_array);
        case KIND_OBJECT:
                return json_object_is_type(value, json_type_object);
        }
        return false;
}

/* Whether all that @members name is there, and is what it must be. Other members are of a later version. */
static int judge_members(const struct reader *reader, struct json_object *object, const struct member *members,
                         size_t n)
{
        if (!json_object_is_type(object, json_type_object))
                return wrong(reader, "an object was expected");
        for (size_t i = 0; i < n; i++) {
                struct json_object *value;

                if (!json_object_object_get_ex(object, members[i].name, &value)) {
                        if (members[i].optional)
                                continue;
                        return wrong(reader, "\"%s\" is missing", members[i].name);
                }
                if (!is_kind(value, members[i].kind))
                        return wrong(reader, "\"%s\" is not %s", members[i].name, kind_names[members[i].kind]);
        }
        return 0;
}

/* A member that judge_members has seen; NULL: it is not there. */
static struct json_object *get(struct json_object *object, const char *name)
{
        struct json_object *value;

        return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static uint64_t get_count(struct json_object *object, const char *name)
{
        return json_object_get_uint64(get(object, name));
}

/* Keeps the text of a member, safe to show, in *@ret, which stays as it is where there is none. */
static int take_owned(const struct reader *reader, struct json_object *object, const char *name, char **ret)
{
        struct json_object *string = get(object, name);
        char *text;

        if (!string)
                return 0;
        text = keep_safe(reader->saved, string);
        if (!text)
                return no_memory(reader);
        *ret = text;
        return 0;
}

static int take_text(const struct reader *reader, struct json_object *object, const char *name,
                     const char **ret)
{
        char *text = NULL;
        int r = take_owned(reader, object, name, &text);

        if (text)
                *ret = text;
        return r;
}

/* Which of the words, from 0, a member is. */
static int take_word(const struct reader *reader, struct json_object *object, const char *name,
                     const char *(*word)(int i), int n, int *ret)
{
        const char *text = json_object_get_string(get(object, name));

        for (int i = 0; i < n; i++)
                if (strcmp(word(i), text) == 0) {
                        *ret = i;
                        return 0;
                }
        return wrong(reader, "\"%s\" is \"%.60s\", which this version does not know", name, text);
}

static const char *status_word(int i)
{
        return status_name((enum status)i);
}

static const char *level_word(int i)
{
        return check_level_name((enum check_level)i);
}

/* ---- one check ---- */

static const struct member check_members[] = {
        {"id", KIND_TEXT, false},         {"level", KIND_TEXT, false},    {"status", KIND_TEXT, false},
        {"seconds", KIND_SECONDS, false}, {"message", KIND_TEXT, false},  {"requires", KIND_TEXT, false},
        {"reference", KIND_TEXT, false},  {"value", KIND_TEXT, true},     {"closing", KIND_ARRAY, true},
        {"known", KIND_OBJECT, true},     {"changed", KIND_TEXT, true},   {"again", KIND_TEXT, true},
        {"session", KIND_ARRAY, true},    {"stderr", KIND_HOSTILE, true}, {"log", KIND_HOSTILE, true},
};

static const struct member known_members[] = {
        {"defect", KIND_TEXT, false},    {"effect", KIND_TEXT, true},     {"reproducer", KIND_TEXT, true},
        {"reference", KIND_TEXT, false}, {"transcript", KIND_TEXT, true},
};

/* "pipes/finish-twice": what reports, filters and the names of files rely on. */
static bool is_id(const char *id, size_t len)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        size_t group = strspn(id, allowed);

        return len <= ID_MAX && group && id[0] != '.' && id[group] == '/' && id[group + 1] &&
               id[group + 1] != '.' && group + 1 + strspn(id + group + 1, allowed) == len;
}

/* The check itself: the catalogue's, where it is the same there, else as the report has it. */
static int take_check(struct reader *reader, struct json_object *object, struct check *check,
                      struct result *result)
{
        const struct check *known;
        int level = 0, r;

        if (!is_id(json_object_get_string(get(object, "id")),
                   (size_t)json_object_get_string_len(get(object, "id"))))
                return wrong(reader, "\"id\" is not GROUP/NAME");
        r = take_text(reader, object, "id", &check->id);
        if (r == 0)
                r = take_text(reader, object, "requires", &check->requires);
        if (r == 0)
                r = take_text(reader, object, "reference", &check->reference);
        if (r == 0)
                r = take_word(reader, object, "level", level_word, LEVEL_INFO + 1, &level);
        if (r < 0)
                return r;
        check->level = (enum check_level)level;
        result->check = check;
        if (reader->saved->summary.catalogue != &server_catalogue)
                return 0;
        known = selection_find(&server_catalogue, check->id);
        if (known && known->level == check->level && strcmp(known->requires, check->requires) == 0 &&
            strcmp(known->reference, check->reference) == 0)
                result->check = known;
        return 0;
}

static int take_closing(const struct reader *reader, struct json_object *array, unsigned *ret)
{
        static const char *const names[] = {"exit", "descriptors", "processes", "files", "stderr"};

        for (size_t i = 0; array && i < json_object_array_length(array); i++) {
                struct json_object *item = json_object_array_get_idx(array, i);
                size_t n = 0;

                while (json_object_is_type(item, json_type_string) && n < ARRAY_SIZE(names) &&
                       strcmp(names[n], json_object_get_string(item)) != 0)
                        n++;
                if (!json_object_is_type(item, json_type_string) || n == ARRAY_SIZE(names))
                        return wrong(reader, "\"closing\" has what is no closing question");
                *ret |= 1U << n;
        }
        return 0;
}

static int take_known(struct reader *reader, struct json_object *object, struct baseline_entry *entry,
                      struct result *result)
{
        struct json_object *known = get(object, "known");
        size_t len = strlen(reader->place);
        int r;

        if (!known) {
                if (result->status == STATUS_KNOWN || result->status == STATUS_FIXED)
                        return wrong(reader, "\"known\" is missing, and the status is %s",
                                     status_name(result->status));
                return 0;
        }
        snprintf(reader->place + len, sizeof(reader->place) - len, "/known");
        r = judge_members(reader, known, known_members, ARRAY_SIZE(known_members));
        if (r == 0)
                r = take_owned(reader, known, "defect", &entry->defect);
        if (r == 0)
                r = take_owned(reader, known, "effect", &entry->effect);
        if (r == 0)
                r = take_owned(reader, known, "reproducer", &entry->reproducer);
        if (r == 0)
                r = take_owned(reader, known, "reference", &entry->reference);
        if (r == 0)
                r = take_owned(reader, known, "transcript", &entry->transcript);
        reader->place[len] = '\0';
        entry->check = result->check;
        result->entry = entry;
        return r;
}

/* The transcript as JSON Lines again. */
static int take_session(const struct reader *reader, struct json_object *array, struct job *job)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out;

        if (!array)
                return 0;
        out = open_memstream(&text, &len);
        if (!out)
                return no_memory(reader);
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                struct json_object *event = json_object_array_get_idx(array, i);

                if (!json_object_is_type(event, json_type_object)) {
                        fclose(out);
                        free(text);
                        return wrong(reader, "\"session\" has what is no event");
                }
                fprintf(out, "%s\n",
                        json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
                                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        }
        if (fclose(out) != 0) {
                free(text);
                return no_memory(reader);
        }
        job->transcript = keep(reader->saved, text);
        return job->transcript ? 0 : no_memory(reader);
}

static int take_job(const struct reader *reader, struct json_object *object, struct job *job,
                    struct result *result)
{
        struct json_object *text;
        int r = take_session(reader, get(object, "session"), job);

        if (r == 0 && (text = get(object, "stderr")) && !(job->stderr_text = keep_hostile(reader->saved, text)))
                r = no_memory(reader);
        if (r == 0 && (text = get(object, "log")) && !(job->log = keep_hostile(reader->saved, text)))
                r = no_memory(reader);
        if (r < 0)
                return r;
        job->check = result->check;
        job->subject = &reader->saved->subject;
        if (job->transcript || job->stderr_text || job->log)
                result->job = job;
        return 0;
}

static int take_result(struct reader *reader, struct json_object *object, size_t i)
{
        struct saved_report *saved = reader->saved;
        struct result *result = &saved->results[i];
        int status = 0, r = judge_members(reader, object, check_members, ARRAY_SIZE(check_members));

        if (r == 0)
                r = take_check(reader, object, &saved->checks[i], result);
        if (r == 0)
                r = take_word(reader, object, "status", status_word, STATUSES, &status);
        if (r < 0)
                return r;
        result->status = (enum status)status;
        result->seconds = json_object_get_double(get(object, "seconds"));
        r = take_text(reader, object, "message", &result->message);
        if (r == 0)
                r = take_text(reader, object, "value", &result->value);
        if (r == 0)
                r = take_owned(reader, object, "changed", &result->changed);
        if (r == 0)
                r = take_closing(reader, get(object, "closing"), &result->closing);
        if (r == 0)
                r = take_known(reader, object, &saved->entries[i], result);
        if (r == 0)
                r = take_job(reader, object, &saved->jobs[i], result);
        saved->summary.n_changed += result->changed != NULL;
        saved->summary.counts[status]++;
        return r;
}

/* ---- all checks ---- */

static int compare_ids(const void *a, const void *b)
{
        const char *const *left = a, *const *right = b;

        return strcmp(*left, *right);
}

static int judge_duplicates(const struct reader *reader)
{
        const struct summary *summary = &reader->saved->summary;
        CLEANUP(cleanup_free) const char **ids = calloc(summary->n_results + 1, sizeof(*ids));

        if (!ids)
                return no_memory(reader);
        for (size_t i = 0; i < summary->n_results; i++)
                ids[i] = summary->results[i].check->id;
        qsort(ids, summary->n_results, sizeof(*ids), compare_ids);
        for (size_t i = 1; i < summary->n_results; i++)
                if (strcmp(ids[i - 1], ids[i]) == 0)
                        return wrong(reader, "%s is there twice", ids[i]);
        return 0;
}

/* A group for each that the ids name, in their order, with its checks. A result's check goes to its new place. */
static int make_catalogue(const struct reader *reader)
{
        struct saved_report *saved = reader->saved;
        size_t n = saved->summary.n_results, n_groups = 0, next = 0;
        struct check *checks = calloc(n + 1, sizeof(*checks));

        saved->groups = calloc(n + 1, sizeof(*saved->groups));
        saved->group_sizes = calloc(n + 1, sizeof(*saved->group_sizes));
        if (!checks || !saved->groups || !saved->group_sizes) {
                free(checks);
                return no_memory(reader);
        }
        for (size_t i = 0; i < n; i++) {
                size_t len, first = next;

                if (!saved->checks[i].id)
                        continue;
                if (n_groups == GROUPS_MAX) {
                        free(checks);
                        return wrong(reader, "no suite has more than %zu groups", GROUPS_MAX);
                }
                len = strcspn(saved->checks[i].id, "/") + 1;
                for (size_t j = i; j < n; j++) {
                        struct check *check = &saved->checks[j];

                        if (!check->id || strncmp(check->id, saved->checks[i].id, len) != 0)
                                continue;
                        checks[next] = *check;
                        saved->results[j].check = saved->jobs[j].check = saved->entries[j].check =
                                &checks[next++];
                        if (j > i)
                                check->id = NULL;
                }
                saved->group_sizes[n_groups] = next - first;
                saved->groups[n_groups] = (struct check_group){
                        .name = keep(saved, strndup(checks[first].id, len - 1)),
                        .about = "",
                        .checks = &checks[first],
                        .n_checks = &saved->group_sizes[n_groups],
                };
                if (!saved->groups[n_groups++].name) {
                        free(checks);
                        return no_memory(reader);
                }
        }
        free(saved->checks);
        saved->checks = checks;
        saved->catalogue.groups = saved->groups;
        saved->catalogue.n_groups = n_groups;
        return 0;
}

static int judge_counts(struct reader *reader, struct json_object *counts, const char *base)
{
        for (enum status s = 0; s < STATUSES; s++) {
                struct json_object *count = get(counts, status_name(s));

                snprintf(reader->place, sizeof(reader->place), "%s/counts/%s", base, status_name(s));
                if (!count || !is_kind(count, KIND_COUNT) ||
                    json_object_get_uint64(count) != reader->saved->summary.counts[s])
                        return wrong(reader, "the checks are counted otherwise: %zu",
                                     reader->saved->summary.counts[s]);
        }
        return 0;
}

static int take_checks(struct reader *reader, struct json_object *report, const char *base)
{
        struct saved_report *saved = reader->saved;
        struct json_object *array = get(report, "checks");
        size_t n = json_object_array_length(array);
        int r = 0;

        if (n > REPORT_CHECKS_MAX)
                return wrong(reader, "\"checks\" has %zu entries; more than %zu are not read", n,
                             REPORT_CHECKS_MAX);
        saved->checks = calloc(n + 1, sizeof(*saved->checks));
        saved->results = calloc(n + 1, sizeof(*saved->results));
        saved->jobs = calloc(n + 1, sizeof(*saved->jobs));
        saved->entries = calloc(n + 1, sizeof(*saved->entries));
        if (!saved->checks || !saved->results || !saved->jobs || !saved->entries)
                return no_memory(reader);
        saved->summary.results = saved->results;
        saved->summary.n_results = n;
        for (size_t i = 0; r == 0 && i < n; i++) {
                snprintf(reader->place, sizeof(reader->place), "%s/checks/%zu", base, i);
                r = take_result(reader, json_object_array_get_idx(array, i), i);
        }
        snprintf(reader->place, sizeof(reader->place), "%s/checks", base);
        if (r == 0)
                r = judge_duplicates(reader);
        if (r == 0 && saved->summary.catalogue == &saved->catalogue)
                r = make_catalogue(reader);
        return r;
}

/* ---- the report ---- */

static const struct member report_members[] = {
        {"tool", KIND_TEXT, false},     {"version", KIND_TEXT, false},    {"format", KIND_COUNT, false},
        {"suite", KIND_TEXT, false},    {"command", KIND_ARRAY, false},   {"release", KIND_TEXT, false},
        {"protocol", KIND_TEXT, false}, {"baseline", KIND_TEXT, true},    {"seconds", KIND_SECONDS, false},
        {"counts", KIND_OBJECT, false}, {"repeat", KIND_COUNT, true},     {"changed", KIND_COUNT, true},
        {"seed", KIND_COUNT, true},     {"interrupted", KIND_TRUE, true}, {"checks", KIND_ARRAY, false},
};

static int take_suite(const struct reader *reader, struct json_object *report)
{
        struct saved_report *saved = reader->saved;
        const char *suite = json_object_get_string(get(report, "suite"));

        saved->catalogue = (struct catalogue){
                .noun = "scenario", .subject = "client", .list = "cip-conformance list --client"};
        if (strcmp(suite, server_catalogue.subject) == 0)
                saved->summary.catalogue = &server_catalogue;
        else if (strcmp(suite, saved->catalogue.subject) == 0)
                saved->summary.catalogue = &saved->catalogue;
        else
                return wrong(reader, "\"suite\" is \"%.60s\"; there are server and client", suite);
        return 0;
}

static int take_command(const struct reader *reader, struct json_object *array)
{
        struct saved_report *saved = reader->saved;
        size_t n = json_object_array_length(array);

        saved->command = calloc(n + 1, sizeof(*saved->command));
        if (!saved->command)
                return no_memory(reader);
        for (size_t i = 0; i < n; i++) {
                struct json_object *word = json_object_array_get_idx(array, i);

                if (!json_object_is_type(word, json_type_string))
                        return wrong(reader, "\"command\" has what is no word");
                saved->command[i] = keep_safe(saved, word);
                if (!saved->command[i])
                        return no_memory(reader);
        }
        saved->subject.command = saved->command;
        return 0;
}

static int take_protocol(const struct reader *reader, struct json_object *report)
{
        struct saved_report *saved = reader->saved;
        const char *protocol = json_object_get_string(get(report, "protocol"));

        /* A client has none of its own. */
        if (saved->summary.catalogue != &server_catalogue && !*protocol)
                return 0;
        if (version_parse(protocol, &saved->subject.version) < 0)
                return wrong(reader, "\"protocol\" is \"%.60s\", which is no version such as 0.2.8", protocol);
        return 0;
}

/* The command line up to the filter, out of what repeats some check. */
static int take_rerun(const struct reader *reader, struct json_object *checks)
{
        struct saved_report *saved = reader->saved;
        CLEANUP(cleanup_free) char *command = shell_quote(saved->command);

        saved->summary.rerun = saved->summary.catalogue == &server_catalogue ? "cip-conformance server"
                                                                             : "cip-conformance client";
        for (size_t i = 0; i < json_object_array_length(checks); i++) {
                struct json_object *again = get(json_object_array_get_idx(checks, i), "again");
                CLEANUP(cleanup_free) char *tail = NULL;
                char *text;
                size_t len;

                if (!again)
                        continue;
                text = keep_safe(saved, again);
                if (!command || !text ||
                    asprintf(&tail, " --filter %s -- %s", saved->results[i].check->id, command) < 0) {
                        tail = NULL;
                        return no_memory(reader);
                }
                len = strlen(text);
                if (len <= strlen(tail) || strcmp(text + len - strlen(tail), tail) != 0)
                        continue;
                text[len - strlen(tail)] = '\0';
                saved->summary.rerun = text;
                return 0;
        }
        return 0;
}

static int take_rest(const struct reader *reader, struct json_object *report)
{
        struct summary *summary = &reader->saved->summary;
        int r;

        summary->subject = &reader->saved->subject;
        summary->seconds = json_object_get_double(get(report, "seconds"));
        summary->repeat = get(report, "repeat") ? (unsigned)get_count(report, "repeat") : 1;
        summary->shuffled = get(report, "seed") != NULL;
        summary->seed = summary->shuffled ? get_count(report, "seed") : 0;
        if (json_object_get_boolean(get(report, "interrupted")))
                summary->interrupted = SIGINT;
        if (summary->counts[STATUS_KNOWN] + summary->counts[STATUS_FIXED])
                summary->baseline_name = "the baseline";
        r = take_text(reader, report, "release", &summary->release);
        if (r == 0)
                r = take_text(reader, report, "baseline", &summary->baseline_name);
        return r;
}

/* @base: the JSON pointer of @report in its file. */
static int take_report(struct reader *reader, struct json_object *report, const char *base)
{
        int r;

        snprintf(reader->place, sizeof(reader->place), "%s", base);
        r = judge_members(reader, report, report_members, ARRAY_SIZE(report_members));
        if (r == 0)
                r = take_suite(reader, report);
        if (r == 0)
                r = take_command(reader, get(report, "command"));
        if (r == 0)
                r = take_protocol(reader, report);
        if (r == 0)
                r = take_checks(reader, report, base);
        if (r == 0)
                r = judge_counts(reader, get(report, "counts"), base);
        snprintf(reader->place, sizeof(reader->place), "%s", base);
        if (r == 0 && get_count(report, "changed") != reader->saved->summary.n_changed)
                r = wrong(reader, "\"changed\" counts otherwise than the checks");
        if (r == 0)
                r = take_rest(reader, report);
        if (r == 0)
                r = take_rerun(reader, get(report, "checks"));
        return r;
}

/* ---- a matrix ---- */

static const struct member column_members[] = {
        {"name", KIND_TEXT, false},
        {"report", KIND_OBJECT, true},
        {"verdict", KIND_TEXT, true},
};

/* The column called @name (NULL: none was named, which is an error that lists them). */
static int take_column(struct reader *reader, struct json_object *array, const char *name)
{
        CLEANUP(cleanup_free) char *names = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&names, &len);
        char base[64];
        int r = out ? 0 : no_memory(reader);

        for (size_t i = 0; r == 0 && i < json_object_array_length(array); i++) {
                struct json_object *column = json_object_array_get_idx(array, i);

                snprintf(base, sizeof(base), "/matrix/%zu", i);
                snprintf(reader->place, sizeof(reader->place), "%s", base);
                r = judge_members(reader, column, column_members, ARRAY_SIZE(column_members));
                if (r < 0)
                        break;
                fprintf(out, "%s%.60s", i ? ", " : "", json_object_get_string(get(column, "name")));
                if (!name || strcmp(json_object_get_string(get(column, "name")), name) != 0)
                        continue;
                fclose(out);
                if (!get(column, "report"))
                        return wrong(reader, "%s could not be judged: %.500s", name,
                                     get(column, "verdict") ? json_object_get_string(get(column, "verdict"))
                                                            : "");
                snprintf(base, sizeof(base), "/matrix/%zu/report", i);
                return take_report(reader, get(column, "report"), base);
        }
        if (out && fclose(out) != 0 && r == 0)
                r = no_memory(reader);
        reader->place[0] = '\0';
        if (r < 0)
                return r;
        if (!name)
                return wrong(reader, "this is a matrix; name one of its columns behind the file, FILE#NAME: %s",
                             names);
        return wrong(reader, "the matrix has no column '%s'; it has %s", name, names);
}

/* ---- the file ---- */

/* Bounds the number of values: each but the first has one of these before it, outside of strings. */
static int judge_text(const struct reader *reader, const char *text, size_t len)
{
        size_t n = 0;
        bool in_string = false;

        for (size_t i = 0; i < len; i++) {
                if (in_string && text[i] == '\\')
                        i++;
                else if (text[i] == '"')
                        in_string = !in_string;
                else if (!in_string && (text[i] == ',' || text[i] == '[' || text[i] == '{' || text[i] == ':'))
                        n++;
        }
        if (n > VALUES_MAX)
                return wrong(reader, "no report has so many values");
        return 0;
}

static int judge_top(const struct reader *reader, struct json_object *json)
{
        struct json_object *tool = get(json, "tool"), *format = get(json, "format");

        if (!json_object_is_type(json, json_type_object) || !json_object_is_type(tool, json_type_string) ||
            strcmp(json_object_get_string(tool), "cip-conformance") != 0)
                return wrong(reader,
                             "this is no report that cip-conformance wrote; --report json:FILE makes one");
        if (!is_kind(format, KIND_COUNT) || json_object_get_uint64(format) != REPORT_FORMAT)
                return wrong(reader, "\"format\" must be %d: this report is of another version, make it again",
                             REPORT_FORMAT);
        if (get(json, "diff"))
                return wrong(reader, "this is what diff wrote, and no report of a run");
        return 0;
}

static int parse(struct reader *reader, const char *text, size_t len, const char *name)
{
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        struct cip_error why = {0};
        int r = judge_text(reader, text, len);

        if (r < 0)
                return r;
        r = json_parse(text, len, DEPTH_MAX, &json, &why);
        if (r == -ENOMEM)
                return no_memory(reader);
        if (r < 0)
                return wrong(reader, "a report is JSON, and this is none: %s", why.message);
        r = judge_top(reader, json);
        if (r < 0)
                return r;
        if (!get(json, "matrix")) {
                if (name)
                        return wrong(reader, "this is no matrix, and has no column '%s'", name);
                return take_report(reader, json, "");
        }
        if (!is_kind(get(json, "matrix"), KIND_ARRAY))
                return wrong(reader, "\"matrix\" is not an array");
        return take_column(reader, get(json, "matrix"), name);
}

int report_read(const char *path, struct saved_report **ret, struct cip_error *error)
{
        CLEANUP(cleanup_saved_report_free) struct saved_report *saved = calloc(1, sizeof(*saved));
        CLEANUP(cleanup_free) char *file = strdup(path), *text = NULL;
        const char *name = NULL;
        struct reader reader = {.file = file, .saved = saved, .error = error};
        size_t len;
        int r;

        if (!saved || !file)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read the report %s", path);
        if (access(file, F_OK) < 0 && strrchr(file, '#')) {
                char *hash = strrchr(file, '#');

                *hash = '\0';
                name = hash + 1;
        }
        r = read_file_at(AT_FDCWD, file, REPORT_SIZE_MAX, &text, &len, error);
        if (r < 0) {
                error_prefix(error, "the report");
                return r;
        }
        r = parse(&reader, text, len, name);
        if (r < 0)
                return r;
        *ret = STEAL(saved);
        return 0;
}

size_t saved_report_filter(struct saved_report *saved, const char *const *filters, size_t n)
{
        struct summary *summary = &saved->summary;
        size_t kept = 0;

        memset(summary->counts, 0, sizeof(summary->counts));
        summary->n_changed = 0;
        for (size_t i = 0; i < summary->n_results; i++) {
                struct result result = summary->results[i];
                bool fits = n == 0;

                for (size_t j = 0; j < n && !fits; j++)
                        fits = selection_fits(filters[j], result.check->id);
                if (!fits)
                        continue;
                summary->counts[result.status]++;
                summary->n_changed += result.changed != NULL;
                summary->results[kept++] = result;
        }
        summary->n_results = kept;
        return kept;
}

const struct summary *saved_report_summary(const struct saved_report *saved)
{
        return &saved->summary;
}

void saved_report_free(struct saved_report *saved)
{
        if (!saved)
                return;
        for (size_t i = 0; i < saved->n_texts; i++)
                free(saved->texts[i]);
        free(saved->texts);
        free(saved->command);
        free(saved->groups);
        free(saved->group_sizes);
        free(saved->checks);
        free(saved->results);
        free(saved->jobs);
        free(saved->entries);
        free(saved);
}
