/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that read a scenario share: where they are in it, and what is wrong there.
 */
#ifndef FAKEPROXY_SCENARIO_CHECK_H
#define FAKEPROXY_SCENARIO_CHECK_H

#include <json-c/json.h>

#include "base/text.h"
#include "fakeproxy/scenario-fields.h"

struct owner;

struct reader {
        struct owner *owner;
        struct problems *problems;
        bool no_memory;
        char hint[200];
};

/* Remembers a problem. */
void problem_add(struct reader *reader, const struct place *place, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* "; did you mean \"NAME\"?", or "". Valid until the next call. */
const char *reader_hint(struct reader *reader, const struct nearest *nearest);

/* Parses the text, and finds what is wrong with it as text. NULL: there is no object to read. */
struct json_object *scenario_read_text(struct reader *reader, const char *text, size_t len);

/* Reads an object's members into the struct @base. */
void object_read(struct reader *reader, const struct fields *of, const struct place *place,
                 struct json_object *json, void *base);

/*
 * Resolves the names of rules, and finds rules that can never match or never do what they say. @json is the whole
 * scenario.
 */
void rules_check(struct reader *reader, struct scenario *scenario, struct json_object *json);

#endif
