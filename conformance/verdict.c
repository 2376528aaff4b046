/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading verdicts. They are the fake's own and were written at any moment before its end: what is missing counts
 * as not seen.
 */
#include "conformance/verdict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "protocol/message.h"
#include "protocol/method.h"

#define VERDICT_MAX ((size_t)64 * 1024 * 1024)
#define VERDICT_DEPTH 16

static struct json_object *array_of(struct json_object *json, const char *name)
{
        struct json_object *member;

        return json_object_object_get_ex(json, name, &member) && json_object_is_type(member, json_type_array)
                       ? member
                       : NULL;
}

static size_t length(struct json_object *array)
{
        return array ? json_object_array_length(array) : 0;
}

static const char *text_of(struct json_object *json, const char *name)
{
        struct json_object *member;

        return json_object_is_type(json, json_type_object) && json_object_object_get_ex(json, name, &member) &&
                               json_object_is_type(member, json_type_string)
                       ? json_object_get_string(member)
                       : "";
}

static bool is_true(struct json_object *json, const char *name)
{
        struct json_object *member;

        return json_object_is_type(json, json_type_object) && json_object_object_get_ex(json, name, &member) &&
               json_object_get_boolean(member);
}

static size_t number_of(struct json_object *json, const char *name)
{
        struct json_object *member;

        return json_object_is_type(json, json_type_object) && json_object_object_get_ex(json, name, &member)
                       ? (size_t)json_object_get_uint64(member)
                       : 0;
}

static void count_call(struct session_seen *session, const struct method *method)
{
        switch (method->id) {
        case METHOD_OPEN_IMAGE:
        case METHOD_OPEN_IMAGE_OPTIONAL:
                session->n_opened++;
                break;
        case METHOD_GET_MANIFEST:
                session->n_manifests++;
                break;
        case METHOD_GET_BLOB:
        case METHOD_GET_RAW_BLOB:
                session->n_blobs++;
                break;
        default:
                break;
        }
}

static void read_calls(struct json_object *calls, struct session_seen *session)
{
        session->n_calls = length(calls);
        session->last_call = "";
        for (size_t i = 0; i < session->n_calls; i++) {
                struct json_object *call = json_object_array_get_idx(calls, i);
                const struct method *method = method_find(text_of(call, "method"));

                session->last_call = text_of(call, "method");
                session->n_finishes += method && method->id == METHOD_FINISH_PIPE;
                if (method && is_true(call, "success"))
                        count_call(session, method);
        }
}

/*
 * GetRawBlob's pipes end by themselves. The others are counted: a scenario may have given them other numbers than
 * they have.
 */
static void read_pipes(struct json_object *pipes, struct session_seen *session)
{
        const char *unfinished = NULL;
        size_t n = 0;

        for (size_t i = 0; i < length(pipes); i++) {
                struct json_object *pipe = json_object_array_get_idx(pipes, i);
                const struct method *method = method_find(text_of(pipe, "method"));

                if (!method || method->pipes != PIPES_FINISHED)
                        continue;
                n++;
                if (!is_true(pipe, "finished") && !unfinished)
                        unfinished = method->name;
        }
        if (session->n_finishes < n)
                session->unfinished = unfinished;
}

static void read_session(struct json_object *json, struct session_seen *session)
{
        struct json_object *rules = array_of(json, "rules");

        session->ended = text_of(json, "ended");
        session->descriptors = number_of(json, "descriptors_received");
        read_calls(array_of(json, "calls"), session);
        read_pipes(array_of(json, "pipes"), session);
        for (size_t i = 0; i < length(rules); i++)
                session->n_fired += number_of(json_object_array_get_idx(rules, i), "fired");
}

static int add_session(struct verdicts *verdicts, struct json_object *take_json)
{
        size_t n = verdicts->n + 1;
        struct session_seen *sessions = realloc(verdicts->sessions, n * sizeof(*sessions));
        struct json_object **files;

        if (sessions)
                verdicts->sessions = sessions;
        files = realloc(verdicts->files, n * sizeof(void *));
        if (files)
                verdicts->files = files;
        if (!sessions || !files) {
                json_object_put(take_json);
                return -ENOMEM;
        }
        files[verdicts->n] = take_json;
        sessions[verdicts->n] = (struct session_seen){0};
        read_session(take_json, &sessions[verdicts->n++]);
        return 0;
}

static int is_verdict(const struct dirent *entry)
{
        size_t len = strlen(entry->d_name);

        return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

int verdicts_read(const char *folder, struct verdicts *ret, struct cip_error *error)
{
        CLEANUP_FD int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct verdicts verdicts = {0};
        struct dirent **names = NULL;
        int n = scandir(folder, &names, is_verdict, alphasort), r = 0;

        if (n < 0 || dir < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot read the verdicts in %s",
                                       folder);
        for (int i = 0; i < n; i++) {
                CLEANUP(cleanup_free) char *text = NULL;
                struct json_object *json = NULL;
                size_t len;

                if (r == 0 && read_file_at(dir, names[i]->d_name, VERDICT_MAX, &text, &len, NULL) == 0 &&
                    json_parse(text, len, VERDICT_DEPTH, &json, NULL) == 0) {
                        if (json_object_is_type(json, json_type_object))
                                r = add_session(&verdicts, json);
                        else
                                json_object_put(json);
                }
                free(names[i]);
        }
        free(names);
        if (r < 0) {
                verdicts_clear(&verdicts);
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read the verdicts in %s", folder);
        }
        *ret = verdicts;
        return 0;
}

void verdicts_clear(struct verdicts *verdicts)
{
        for (size_t i = 0; i < verdicts->n; i++)
                json_object_put(verdicts->files[i]);
        free(verdicts->files);
        free(verdicts->sessions);
        *verdicts = (struct verdicts){0};
}
