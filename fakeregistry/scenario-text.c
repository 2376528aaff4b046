/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario as text: json-c parses it, and a walk over it finds the equal keys that json-c lets pass. Size,
 * nesting and encoding are judged before anything is parsed.
 */
#include <stdlib.h>
#include <string.h>

#include "fakeregistry/scenario-fields.h"
#include "protocol/message.h"

/* ---- equal keys ---- */

/* The keys of an object that is being walked over, as they are written. */
struct keys {
        bool is_object;
        size_t n;
        struct {
                const char *text;
                size_t len;
        } keys[100];
};

/* Behind the string at @at. */
static const char *skip_string(const char *at, const char *end)
{
        for (at++; at < end && *at != '"'; at++)
                if (*at == '\\')
                        at++;
        return at < end ? at + 1 : end;
}

static bool is_key(const char *behind, const char *end)
{
        while (behind < end && strchr(" \t\r\n", *behind))
                behind++;
        return behind < end && *behind == ':';
}

static void note_key(struct registry_reader *reader, struct keys *keys, const char *text, size_t len,
                     size_t line)
{
        static const struct place top = {NULL, NULL, 0};

        for (size_t i = 0; i < keys->n; i++)
                if (keys->keys[i].len == len && !memcmp(keys->keys[i].text, text, len)) {
                        registry_problem_add(reader, &top, "line %zu: the key %.*s stands twice in one object",
                                             line, (int)len, text);
                        return;
                }
        if (keys->n == ARRAY_SIZE(keys->keys))
                return;
        keys->keys[keys->n].text = text;
        keys->keys[keys->n++].len = len;
}

/* @text is known to be JSON, and how deep. */
static void find_equal_keys(struct registry_reader *reader, const char *text, size_t len)
{
        struct keys *stack = calloc(REGISTRY_SCENARIO_NESTING_MAX + 1, sizeof(*stack));
        const char *end = text + len;
        size_t depth = 0;

        if (!stack) {
                reader->no_memory = true;
                return;
        }
        for (const char *at = text; at < end;) {
                const char *behind = at + 1;

                if (*at == '{' || *at == '[')
                        stack[++depth].n = 0;
                else if (*at == '}' || *at == ']')
                        depth--;
                else if (*at == '"')
                        behind = skip_string(at, end);
                if (*at == '"' && is_key(behind, end))
                        note_key(reader, &stack[depth], at, (size_t)(behind - at),
                                 document_line(text, (size_t)(at - text)));
                at = behind;
        }
        free(stack);
}

/* ---- the whole ---- */

struct json_object *registry_read_text(struct registry_reader *reader, const char *text, size_t len)
{
        static const struct place top = {NULL, NULL, 0};
        struct json_object *json = NULL;
        struct cip_error error = {0};
        size_t at = 0;

        if (len > REGISTRY_SCENARIO_SIZE_MAX) {
                registry_problem_add(reader, &top, "the file is larger than 1 MiB");
        } else if (!text_is_utf8(text, len)) {
                registry_problem_add(reader, &top, "the file is not UTF-8");
        } else if (document_is_too_deep(text, len, REGISTRY_SCENARIO_NESTING_MAX, &at)) {
                registry_problem_add(reader, &top, "this is nested too deep; %d levels are the most",
                                     REGISTRY_SCENARIO_NESTING_MAX);
        } else if (json_parse(text, len, REGISTRY_SCENARIO_NESTING_MAX + 1, &json, &error) < 0) {
                at = document_stopped_at(&error, len);
                registry_problem_add(reader, &top, "line %zu is not JSON: %s",
                                     document_line(text, at < len ? at : len), error.message);
        } else {
                find_equal_keys(reader, text, len);
                if (json_object_is_type(json, json_type_object))
                        return json;
                registry_problem_add(reader, &top, "expected an object");
        }
        json_object_put(json);
        return NULL;
}
