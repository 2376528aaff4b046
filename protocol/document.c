/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that a person wrote: places in it as JSON pointers, the list of what is wrong, and what is asked of the
 * text.
 */
#include "protocol/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "protocol/message.h"

/* More problems than these help nobody. */
#define PROBLEMS_MAX 100

/* ---- problems ---- */

void problems_clear(struct problems *problems)
{
        for (size_t i = 0; i < problems->n; i++) {
                free(problems->problems[i].pointer);
                free(problems->problems[i].message);
        }
        free(problems->problems);
        *problems = (struct problems){0};
}

void problems_print(const struct problems *problems, const char *file, FILE *to)
{
        for (size_t i = 0; i < problems->n; i++) {
                const struct problem *problem = &problems->problems[i];
                char pointer[1000], message[2000];

                text_make_safe(pointer, sizeof(pointer), problem->pointer, strlen(problem->pointer));
                text_make_safe(message, sizeof(message), problem->message, strlen(problem->message));
                fprintf(to, "%s: %s%s%s\n", file, pointer, *pointer ? ": " : "", message);
        }
}

static void print_pointer(const struct place *place, FILE *to)
{
        if (!place->up)
                return;
        print_pointer(place->up, to);
        putc('/', to);
        if (!place->key)
                fprintf(to, "%zu", place->index);
        for (const char *c = place->key; c && *c; c++) {
                if (*c == '~' || *c == '/')
                        fputs(*c == '~' ? "~0" : "~1", to);
                else
                        putc(*c, to);
        }
}

static char *pointer_of(const struct place *place)
{
        char *text = NULL;
        size_t len;
        FILE *stream = open_memstream(&text, &len);

        if (!stream)
                return NULL;
        print_pointer(place, stream);
        return memstream_close(stream, &text);
}

int problems_add(struct problems *problems, const struct place *place, const char *format, va_list args)
{
        struct problem problem = {0};
        struct problem *grown = NULL;

        if (problems->n == PROBLEMS_MAX)
                return 0;
        problem.pointer = pointer_of(place);
        if (vasprintf(&problem.message, format, args) < 0)
                problem.message = NULL;
        if (problem.pointer && problem.message)
                grown = reallocarray(problems->problems, problems->n + 1, sizeof(*grown));
        if (!grown) {
                free(problem.pointer);
                free(problem.message);
                return -ENOMEM;
        }
        grown[problems->n++] = problem;
        problems->problems = grown;
        return 0;
}

/* ---- the text ---- */

size_t document_line(const char *text, size_t at)
{
        size_t line = 1;

        for (size_t i = 0; i < at; i++)
                line += text[i] == '\n';
        return line;
}

bool document_is_too_deep(const char *text, size_t len, size_t levels, size_t *ret_at)
{
        size_t depth = 0;
        bool in_string = false;

        for (size_t i = 0; i < len; i++) {
                if (in_string && text[i] == '\\')
                        i++;
                else if (text[i] == '"')
                        in_string = !in_string;
                else if (!in_string && (text[i] == '{' || text[i] == '['))
                        depth++;
                else if (!in_string && (text[i] == '}' || text[i] == ']') && depth > 0)
                        depth--;
                if (depth > levels) {
                        *ret_at = i;
                        return true;
                }
        }
        return false;
}

/* Its message has it at its end. */
size_t document_stopped_at(const struct cip_error *error, size_t len)
{
        const char *at = strstr(error->message, "at byte ");

        return at ? (size_t)strtoull(at + strlen("at byte "), NULL, 10) : len;
}

const char *document_value_words(struct json_object *json)
{
        switch (json_object_get_type(json)) {
        case json_type_null:
                return "null";
        case json_type_boolean:
                return json_object_get_boolean(json) ? "true" : "false";
        case json_type_double:
                return "a number with a fraction or an exponent";
        case json_type_int:
                return "a number";
        case json_type_object:
                return "an object";
        case json_type_array:
                return "an array";
        default:
                return "a string";
        }
}

/* ---- JSON Schema ---- */

struct json_object *schema_with(struct json_object *object, const char *name, struct json_object *take_value)
{
        json_add_member(object, name, take_value);
        return object;
}

struct json_object *schema_of_type(const char *type)
{
        return schema_with(json_object_new_object(), "type", json_object_new_string(type));
}

struct json_object *schema_reference(const char *name)
{
        char path[80];

        snprintf(path, sizeof(path), "#/$defs/%s", name);
        return schema_with(json_object_new_object(), "$ref", json_object_new_string(path));
}

struct json_object *schema_integer(uint64_t min, uint64_t max)
{
        struct json_object *object = schema_of_type("integer");

        schema_with(object, "minimum", json_object_new_uint64(min));
        return schema_with(object, "maximum", json_object_new_uint64(max ? max : JSON_INTEGER_MAX));
}
