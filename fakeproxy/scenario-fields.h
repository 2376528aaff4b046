/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that describe a scenario's objects, member by member: the parser, the JSON Schema and the tables of
 * docs/scenarios.md are all made from them. For the files of the scenario format alone.
 */
#ifndef FAKEPROXY_SCENARIO_FIELDS_H
#define FAKEPROXY_SCENARIO_FIELDS_H

#include <json-c/json.h>

#include "fakeproxy/scenario.h"

enum field_kind {
        FIELD_TEXT = 0,   /* const char * */
        FIELD_SLUG,       /* const char *, of a-z, 0-9 and - */
        FIELD_TRUE,       /* bool; nothing but true can be written */
        FIELD_NUMBER,     /* an unsigned integer, or one that fits an int */
        FIELD_CHOICE,     /* an enum, or const char *, by `choices` */
        FIELD_TEXTS,      /* const char *const *, ended by NULL */
        FIELD_WORDS,      /* likewise, words of a command line other than --sockfd */
        FIELD_FLAGS,      /* likewise, each a flag of skopeo's: "--NAME" */
        FIELD_VARIABLES,  /* struct json_object *: names of variables with a string or null */
        FIELD_OBJECT,     /* a struct, or (offset 0) a part of this one, by `object` */
        FIELD_OBJECTS,    /* an array of structs, by `object`; the number goes to `has` */
        FIELD_ANY_OBJECT, /* struct json_object *, whatever is in it */
        FIELD_BEHAVIOURS, /* struct behaviours, in place or (is_pointer) a pointer to it */
        FIELD_BYTES,      /* struct bytes: a string, or {"base64": ".."} */
        FIELD_CSTRING,    /* const char *, written as FIELD_BYTES, without NUL */
        FIELD_PACKETS,    /* const struct bytes *, ended by {NULL, 0} */
        FIELD_STEPS,      /* const struct data_step *, ended by {0} */
        FIELD_COUNT,      /* a number, or "all" */
        FIELD_DESCRIPTORS,
        FIELD_IMAGE_OF, /* of `when`: an image id or a reference */
        FIELD_IMAGE,    /* of the scenario: a fixture's name or a recipe */
        FIELD_ANSWER,
        FIELD_MEMBERS, /* const char *, names of a reply's members with blanks between them */
        FIELD_MERGE,   /* const char *, the text of an object */
        FIELD_SIGNAL,
        FIELD_RULE, /* a rule's name; becomes its number later */
        FIELD_JSON, /* const char *, the text of any value */
        FIELD_METHOD,
};

/* A name and what it stands for. The last one's name is NULL. */
struct choice {
        const char *name;
        int value;
};

struct fields;

struct field {
        const char *name;
        enum field_kind kind;
        bool required;
        bool one_of;     /* just one of those of the object must be there */
        bool is_pointer; /* what is read is put elsewhere, and a pointer to it here */
        size_t offset, size;
        size_t has;        /* offset of a bool that is set, or of the number of an array's items; 0: none */
        uint64_t min, max; /* of a number; max 0: 2^53-1 */
        const struct choice *choices;
        const struct fields *object;
        const char *about; /* for the schema and the docs; Markdown without `|` */
};

/* An object's members. */
struct fields {
        const char *name; /* in the schema's $defs */
        const char *title;
        const struct field *fields;
        size_t n;
        size_t size; /* of the struct */
};

extern const struct fields scenario_fields, when_fields, rule_fields, step_fields, image_fields, layer_fields,
        client_fields, argument_fields, forward_fields, upstream_fields;

/* In the order in which the docs tell of them. */
extern const struct fields *const all_fields[];
extern const size_t n_all_fields;

/* What a step is by the name of its member. */
struct step_form {
        uint64_t n;
        struct bytes bytes;
        const char *fail;
        uint64_t rate;
        unsigned code;
        bool flag;
        int signal;
};
enum data_op step_op(const char *name);

extern const struct choice descriptor_choices[];
extern const struct choice signal_choices[];
extern const struct choice member_choices[]; /* of a reply */

/* A behaviour's name as scenarios have it, '-' for '_'. Returns @ret. */
#define BEHAVIOUR_NAME_MAX 64
const char *behaviour_scenario_name(const char *name, char ret[BEHAVIOUR_NAME_MAX]);

/* The behaviours that are texts. */
struct behaviour_text {
        const char *name;
        size_t offset;
        const char *about;
};
extern const struct behaviour_text behaviour_texts[];
extern const size_t n_behaviour_texts;

#endif
