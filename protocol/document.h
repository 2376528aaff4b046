/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is needed to read JSON that a person wrote, and to tell them all that is wrong with it at once: where
 * something stands, a list of problems, and questions about the text that are asked before and after it is
 * parsed; and to describe the form as a JSON Schema. For scenarios.
 */
#ifndef PROTOCOL_DOCUMENT_H
#define PROTOCOL_DOCUMENT_H

#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cip-error.h"

/* ---- problems ---- */

/* A place in the file, from the inside out. The one without `up` is the whole. */
struct place {
        const struct place *up;
        const char *key; /* NULL: an array's element, `index` */
        size_t index;
};

/* What is wrong with a file: where (a JSON pointer, "" for the whole), and one sentence. */
struct problem {
        char *pointer;
        char *message;
};

struct problems {
        struct problem *problems;
        size_t n;
};

void problems_clear(struct problems *problems);
static inline void cleanup_problems(struct problems *problems)
{
        problems_clear(problems);
}

/*
 * Remembers a problem; past a hundred, which is more than helps anybody, it does nothing. Returns 0 or -ENOMEM.
 */
int problems_add(struct problems *problems, const struct place *place, const char *format, va_list args)
        __attribute__((format(printf, 3, 0)));

/* Prints a line for each, made safe for terminals: "FILE: POINTER: MESSAGE". */
void problems_print(const struct problems *problems, const char *file, FILE *to);

/* ---- the text ---- */

/* The line of the byte at @at, from 1 on. */
size_t document_line(const char *text, size_t at);

/* Whether brackets go deeper than @levels, outside of strings; then @ret_at is where. */
bool document_is_too_deep(const char *text, size_t len, size_t levels, size_t *ret_at);

/* The byte at which json_parse stopped, by its @error; @len where that does not say. */
size_t document_stopped_at(const struct cip_error *error, size_t len);

/* What a value is, in words that go behind "expected ..., not ": "a number", "true". */
const char *document_value_words(struct json_object *json);

/* ---- JSON Schema ---- */

/*
 * Adds a member, which is taken over, and returns the object. What fails for want of memory json_is_whole
 * tells.
 */
struct json_object *schema_with(struct json_object *object, const char *name, struct json_object *take_value);

/* {"type": TYPE} */
struct json_object *schema_of_type(const char *type);

/* {"$ref": "#/$defs/NAME"} */
struct json_object *schema_reference(const char *name);

/* An integer from @min to @max; 0: to the largest that every reader of JSON knows. */
struct json_object *schema_integer(uint64_t min, uint64_t max);

#endif
