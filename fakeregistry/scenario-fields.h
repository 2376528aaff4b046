/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that describe a scenario's objects, member by member: the parser, the JSON Schema and the tables
 * of docs/fake-registry.md are all made from them. For the files of the scenario format alone.
 */
#ifndef FAKEREGISTRY_SCENARIO_FIELDS_H
#define FAKEREGISTRY_SCENARIO_FIELDS_H

#include <json-c/json.h>

#include "base/text.h"
#include "fakeregistry/scenario.h"

enum registry_field_kind {
        REGISTRY_FIELD_TEXT = 0,   /* const char * */
        REGISTRY_FIELD_SLUG,       /* likewise, of a-z, 0-9 and - */
        REGISTRY_FIELD_LINE,       /* likewise, without control characters */
        REGISTRY_FIELD_TRUE,       /* bool; nothing but true can be written */
        REGISTRY_FIELD_NUMBER,     /* uint64_t or unsigned */
        REGISTRY_FIELD_CHOICE,     /* an enum, or const char *, by `choices` */
        REGISTRY_FIELD_TEXTS,      /* const char *const *, ended by NULL */
        REGISTRY_FIELD_OBJECT,     /* a struct, by `object`, or (offset 0) a part of this one */
        REGISTRY_FIELD_OBJECTS,    /* an array of structs; their number goes to `count` */
        REGISTRY_FIELD_ANY_OBJECT, /* struct json_object *, whatever is in it */
        REGISTRY_FIELD_HEADERS,    /* an array of struct registry_header; their number goes to `count` */
        REGISTRY_FIELD_REPOSITORY, /* const char *, the name of one */
        REGISTRY_FIELD_TAG,        /* likewise, of a tag */
        REGISTRY_FIELD_FIXTURE,    /* likewise, of a fixture */
};

/* A name and what it stands for. The last one's name is NULL. */
struct registry_choice {
        const char *name;
        int value;
};

struct registry_fields;

struct registry_field {
        const char *name;
        enum registry_field_kind kind;
        bool required;
        size_t offset, size;
        size_t count;      /* where the number of an array's items goes */
        size_t there;      /* where a bool is set when the member is there; 0: nowhere */
        uint64_t min, max; /* of a number; max 0: 2^53-1 */
        const struct registry_choice *choices;
        const struct registry_fields *object;
        const char *about; /* for the schema and the docs; Markdown without `|` */
};

/* An object's members. */
struct registry_fields {
        const char *name; /* in the schema's $defs */
        const char *title;
        const struct registry_field *fields;
        size_t n;
        size_t size; /* of the struct */
};

/* In the order in which the docs tell of them; the first is the file's. */
extern const struct registry_fields *const registry_all_fields[];
extern const size_t registry_n_all_fields;

/* ---- what the files that read a scenario share ---- */

struct registry_reader {
        struct registry_scenario *scenario;
        struct problems *problems;
        void *blocks;
        bool no_memory;
        char hint[200];
};

/* Remembers a problem. */
void registry_problem_add(struct registry_reader *reader, const struct place *place, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* "; did you mean \"NAME\"?", or "". Valid until the next call. */
const char *registry_reader_hint(struct registry_reader *reader, const struct nearest *nearest);

/*
 * Parses the text, and finds what is wrong with it as text, equal keys among it. NULL: there is no object to
 * read.
 */
struct json_object *registry_read_text(struct registry_reader *reader, const char *text, size_t len);

/* Judges what the members say together. @json is the whole file. */
void registry_scenario_check(struct registry_reader *reader, const struct registry_scenario *scenario,
                             struct json_object *json);

#endif
