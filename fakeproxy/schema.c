/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenario format told to others: as a JSON Schema for editors, and as the tables of docs/scenarios.md.
 * Both are printed from the tables that the parser goes by; what several members say together is the parser's
 * alone.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fakeproxy/scenario-fields.h"
#include "image/fixture.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/packet.h"

/* ---- building ---- */

/* The same, but for an array without anything in it. */
static void with_items(struct json_object *object, const char *name, struct json_object *take_array)
{
        if (json_is_whole(take_array) && json_object_array_length(take_array) == 0)
                json_object_put(take_array);
        else
                schema_with(object, name, take_array);
}

static struct json_object *array_of(struct json_object *take_items)
{
        return schema_with(schema_of_type("array"), "items", take_items);
}

static struct json_object *one_of(const struct choice *choices)
{
        struct json_object *names = json_object_new_array();

        for (; choices->name; choices++)
                json_add_item(names, json_object_new_string(choices->name));
        return schema_with(json_object_new_object(), "enum", names);
}

static struct json_object *any_of(struct json_object *take_a, struct json_object *take_b)
{
        struct json_object *both = json_object_new_array();

        json_add_item(both, take_a);
        json_add_item(both, take_b);
        return schema_with(json_object_new_object(), "anyOf", both);
}

static struct json_object *only(struct json_object *take_value)
{
        return schema_with(json_object_new_object(), "const", take_value);
}

static struct json_object *fixture_names(void)
{
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < n_fixtures; i++)
                json_add_item(names, json_object_new_string(fixtures[i].name));
        return schema_with(json_object_new_object(), "enum", names);
}

static struct json_object *method_names(void)
{
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < METHODS; i++)
                json_add_item(names, json_object_new_string(methods[i].name));
        return schema_with(json_object_new_object(), "enum", names);
}

static struct json_object *emulation_enum(void)
{
        struct json_object *names = json_object_new_array();

        for (const char *const *name = emulation_names; *name; name++)
                json_add_item(names, json_object_new_string(*name));
        return schema_with(json_object_new_object(), "enum", names);
}

static struct json_object *slug(void)
{
        return schema_with(schema_of_type("string"), "pattern", json_object_new_string("^[a-z0-9-]+$"));
}

/* ---- members ---- */

static struct json_object *field_schema(const struct field *field)
{
        switch (field->kind) {
        case FIELD_SLUG:
                return slug();
        case FIELD_TRUE:
                return only(json_object_new_boolean(true));
        case FIELD_NUMBER:
                return schema_integer(field->min, field->max);
        case FIELD_COUNT:
                return any_of(schema_integer(1, 0), only(json_object_new_string("all")));
        case FIELD_CHOICE:
                return one_of(field->choices);
        case FIELD_SIGNAL:
                return one_of(signal_choices);
        case FIELD_MEMBERS:
                return array_of(one_of(member_choices));
        case FIELD_DESCRIPTORS:
                return any_of(schema_integer(0, PACKET_FDS_MAX), one_of(descriptor_choices));
        case FIELD_TEXTS:
        case FIELD_WORDS:
                return array_of(schema_of_type("string"));
        case FIELD_FLAGS:
                return array_of(schema_with(schema_of_type("string"), "pattern",
                                            json_object_new_string("^--[a-z.-]+$")));
        case FIELD_VARIABLES:
                return schema_with(schema_of_type("object"), "additionalProperties",
                                   any_of(schema_of_type("string"), schema_of_type("null")));
        case FIELD_OBJECT:
                return schema_reference(field->object->name);
        case FIELD_OBJECTS:
        case FIELD_STEPS:
                return array_of(schema_reference(field->object->name));
        case FIELD_ANY_OBJECT:
        case FIELD_MERGE:
        case FIELD_ANSWER:
                return schema_of_type("object");
        case FIELD_BEHAVIOURS:
                return schema_reference("behaviours");
        case FIELD_BYTES:
        case FIELD_CSTRING:
                return schema_reference("bytes");
        case FIELD_PACKETS:
                return array_of(schema_reference("bytes"));
        case FIELD_IMAGE_OF:
                return any_of(schema_integer(1, 0), schema_of_type("string"));
        case FIELD_IMAGE:
                return any_of(fixture_names(), schema_reference("image"));
        case FIELD_METHOD:
                return method_names();
        case FIELD_JSON:
                return json_object_new_object();
        case FIELD_TEXT:
        case FIELD_RULE:
        default:
                if (!strcmp(field->name, "emulate"))
                        return emulation_enum();
                return field->required
                               ? schema_with(schema_of_type("string"), "minLength", json_object_new_int(1))
                               : schema_of_type("string");
        }
}

/* "{"required": ["NAME"]}" */
static struct json_object *requiring(const char *name)
{
        struct json_object *names = json_object_new_array();

        json_add_item(names, json_object_new_string(name));
        return schema_with(json_object_new_object(), "required", names);
}

static struct json_object *object_schema(const struct fields *of)
{
        struct json_object *object = schema_of_type("object"), *properties = json_object_new_object();
        struct json_object *required = json_object_new_array(), *alternatives = json_object_new_array();

        for (size_t i = 0; i < of->n; i++) {
                const struct field *field = &of->fields[i];

                schema_with(
                        properties, field->name,
                        schema_with(field_schema(field), "description", json_object_new_string(field->about)));
                if (field->required)
                        json_add_item(required, json_object_new_string(field->name));
                if (field->one_of)
                        json_add_item(alternatives, requiring(field->name));
        }
        schema_with(object, "properties", properties);
        with_items(object, "required", required);
        with_items(object, "oneOf", alternatives);
        return schema_with(object, "additionalProperties", json_object_new_boolean(false));
}

static struct json_object *bytes_schema(void)
{
        struct json_object *object = schema_of_type("object"), *properties = json_object_new_object();
        struct json_object *required = json_object_new_array();

        schema_with(properties, "base64",
                    schema_with(schema_of_type("string"), "pattern",
                                json_object_new_string(
                                        "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")));
        json_add_item(required, json_object_new_string("base64"));
        schema_with(object, "properties", properties);
        schema_with(object, "required", required);
        schema_with(object, "additionalProperties", json_object_new_boolean(false));
        return any_of(schema_of_type("string"), object);
}

static struct json_object *behaviours_schema(void)
{
        struct json_object *object = schema_of_type("object"), *properties = json_object_new_object();
        char name[BEHAVIOUR_NAME_MAX];

        for (size_t i = 0; i < n_behaviours; i++) {
                const struct behaviour *b = &behaviour_table[i];

                schema_with(
                        properties, behaviour_scenario_name(b->name, name),
                        schema_with(b->is_number ? schema_integer(1, 0) : only(json_object_new_boolean(true)),
                                    "description", json_object_new_string(b->about)));
        }
        for (size_t i = 0; i < n_behaviour_texts; i++)
                schema_with(properties, behaviour_scenario_name(behaviour_texts[i].name, name),
                            schema_with(schema_of_type("string"), "description",
                                        json_object_new_string(behaviour_texts[i].about)));
        schema_with(object, "properties", properties);
        return schema_with(object, "additionalProperties", json_object_new_boolean(false));
}

int scenario_print_schema(FILE *to)
{
        CLEANUP(cleanup_json) struct json_object *schema = json_object_new_object();
        struct json_object *definitions = json_object_new_object(), *top = object_schema(&scenario_fields);
        const char *printed;

        schema_with(schema, "$schema", json_object_new_string("https://json-schema.org/draft/2020-12/schema"));
        schema_with(schema, "title", json_object_new_string("A scenario of cip-fakeproxy"));
        schema_with(schema, "description",
                    json_object_new_string("Made by `cip-fakeproxy schema`. docs/scenarios.md describes the "
                                           "format; `cip-fakeproxy "
                                           "check` "
                                           "finds what no schema can say."));
        if (!json_is_whole(top)) {
                json_object_put(top);
                json_object_put(definitions);
                return -ENOMEM;
        }
        json_object_object_foreach (top, key, value)
                schema_with(schema, key, json_object_get(value));
        json_object_put(top);
        for (size_t i = 1; i < n_all_fields; i++)
                schema_with(definitions, all_fields[i]->name, object_schema(all_fields[i]));
        schema_with(definitions, "bytes", bytes_schema());
        schema_with(definitions, "behaviours", behaviours_schema());
        schema_with(schema, "$defs", definitions);
        printed = json_text(schema,
                            JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE,
                            NULL);
        if (!printed)
                return -ENOMEM;
        fprintf(to, "%s\n", printed);
        return 0;
}

/* ---- tables for people ---- */

static void print_choices(const struct choice *choices, const char *before, FILE *to)
{
        fputs(before, to);
        for (const struct choice *choice = choices; choice->name; choice++)
                fprintf(to, "%s`%s`", choice == choices ? "" : ", ", choice->name);
}

static void print_type(const struct field *field, FILE *to)
{
        static const char *const names[] = {
                [FIELD_TEXT] = "string",
                [FIELD_SLUG] = "`a-z0-9-`",
                [FIELD_TRUE] = "true",
                [FIELD_NUMBER] = "integer",
                [FIELD_TEXTS] = "strings",
                [FIELD_WORDS] = "strings",
                [FIELD_FLAGS] = "strings",
                [FIELD_VARIABLES] = "object of strings and null",
                [FIELD_ANY_OBJECT] = "object",
                [FIELD_BEHAVIOURS] = "behaviours",
                [FIELD_BYTES] = "bytes",
                [FIELD_CSTRING] = "bytes",
                [FIELD_PACKETS] = "array of bytes",
                [FIELD_STEPS] = "array of steps",
                [FIELD_COUNT] = "integer or `\"all\"`",
                [FIELD_IMAGE_OF] = "integer or string",
                [FIELD_IMAGE] = "string or object",
                [FIELD_ANSWER] = "object",
                [FIELD_MERGE] = "object",
                [FIELD_RULE] = "a rule's name",
                [FIELD_JSON] = "any",
                [FIELD_METHOD] = "a method's name",
        };

        if (field->kind == FIELD_CHOICE)
                print_choices(field->choices, "", to);
        else if (field->kind == FIELD_SIGNAL)
                print_choices(signal_choices, "", to);
        else if (field->kind == FIELD_DESCRIPTORS)
                print_choices(descriptor_choices, "integer, ", to);
        else if (field->kind == FIELD_MEMBERS)
                print_choices(member_choices, "array of ", to);
        else if (field->kind == FIELD_OBJECT)
                fputs("object", to);
        else if (field->kind == FIELD_OBJECTS)
                fputs("array", to);
        else
                fputs(names[field->kind], to);
}

void scenario_print_format(FILE *to)
{
        char name[BEHAVIOUR_NAME_MAX];

        for (size_t i = 0; i < n_all_fields; i++) {
                fprintf(to, "%s### %s\n\n| key | value | meaning |\n|---|---|---|\n", i ? "\n" : "",
                        all_fields[i]->title);
                for (size_t k = 0; k < all_fields[i]->n; k++) {
                        const struct field *field = &all_fields[i]->fields[k];

                        fprintf(to, "| `%s` | ", field->name);
                        print_type(field, to);
                        fprintf(to, "%s | %s |\n", field->required ? ", required" : "", field->about);
                }
        }
        fputs("\n### behaviours\n\n| key | value | what the server then does |\n|---|---|---|\n", to);
        for (size_t i = 0; i < n_behaviours; i++)
                fprintf(to, "| `%s` | %s | %s |\n", behaviour_scenario_name(behaviour_table[i].name, name),
                        behaviour_table[i].is_number ? "integer" : "true", behaviour_table[i].about);
        for (size_t i = 0; i < n_behaviour_texts; i++)
                fprintf(to, "| `%s` | string | %s |\n", behaviour_scenario_name(behaviour_texts[i].name, name),
                        behaviour_texts[i].about);
}
