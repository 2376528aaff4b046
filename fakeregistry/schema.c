/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenario format told to others: as a JSON Schema for editors, and as the tables of docs/fake-registry.md.
 * Both are printed from the tables that the parser goes by; what several members say together is the parser's
 * alone.
 */
#include <errno.h>
#include <string.h>

#include "fakeregistry/scenario-fields.h"
#include "image/fixture.h"
#include "protocol/message.h"

/* ---- building ---- */

static struct json_object *choices(const struct registry_field *field)
{
        struct json_object *names = json_object_new_array();

        for (const struct registry_choice *choice = field->choices; choice->name; choice++)
                json_add_item(names, json_object_new_string(choice->name));
        return schema_with(json_object_new_object(), "enum", names);
}

static struct json_object *fixture_names(void)
{
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < n_fixtures; i++)
                json_add_item(names, json_object_new_string(fixtures[i].name));
        return schema_with(json_object_new_object(), "enum", names);
}

/* An object of strings, or null. */
static struct json_object *headers(void)
{
        struct json_object *types = json_object_new_array();

        json_add_item(types, json_object_new_string("string"));
        json_add_item(types, json_object_new_string("null"));
        return schema_with(schema_of_type("object"), "additionalProperties",
                           schema_with(json_object_new_object(), "type", types));
}

static struct json_object *field_schema(const struct registry_field *field)
{
        switch (field->kind) {
        case REGISTRY_FIELD_SLUG:
                return schema_with(schema_of_type("string"), "pattern", json_object_new_string("^[a-z0-9-]+$"));
        case REGISTRY_FIELD_TRUE:
                return schema_with(json_object_new_object(), "const", json_object_new_boolean(true));
        case REGISTRY_FIELD_NUMBER:
                return schema_integer(field->min, field->max);
        case REGISTRY_FIELD_CHOICE:
                return choices(field);
        case REGISTRY_FIELD_TEXTS:
                return schema_with(schema_of_type("array"), "items", schema_of_type("string"));
        case REGISTRY_FIELD_OBJECT:
                return schema_reference(field->object->name);
        case REGISTRY_FIELD_OBJECTS:
                return schema_with(schema_of_type("array"), "items", schema_reference(field->object->name));
        case REGISTRY_FIELD_ANY_OBJECT:
                return schema_of_type("object");
        case REGISTRY_FIELD_HEADERS:
                return headers();
        case REGISTRY_FIELD_FIXTURE:
                return fixture_names();
        default:
                return field->required
                               ? schema_with(schema_of_type("string"), "minLength", json_object_new_int(1))
                               : schema_of_type("string");
        }
}

static struct json_object *object_schema(const struct registry_fields *of)
{
        struct json_object *object = schema_of_type("object"), *properties = json_object_new_object();
        struct json_object *required = json_object_new_array();

        for (size_t i = 0; i < of->n; i++) {
                const struct registry_field *field = &of->fields[i];

                schema_with(
                        properties, field->name,
                        schema_with(field_schema(field), "description", json_object_new_string(field->about)));
                if (field->required)
                        json_add_item(required, json_object_new_string(field->name));
        }
        schema_with(object, "properties", properties);
        if (json_object_array_length(required) > 0)
                schema_with(object, "required", required);
        else
                json_object_put(required);
        return schema_with(object, "additionalProperties", json_object_new_boolean(false));
}

int registry_scenario_print_schema(FILE *to)
{
        CLEANUP(cleanup_json) struct json_object *schema = json_object_new_object();
        CLEANUP(cleanup_json) struct json_object *top = object_schema(registry_all_fields[0]);
        struct json_object *definitions = json_object_new_object();
        const char *printed;

        schema_with(schema, "$schema", json_object_new_string("https://json-schema.org/draft/2020-12/schema"));
        schema_with(schema, "title", json_object_new_string("A scenario of cip-fakeregistry"));
        schema_with(schema, "description",
                    json_object_new_string(
                            "Made by `cip-fakeregistry schema`. docs/fake-registry.md describes the format; "
                            "`cip-fakeregistry check` finds what no schema can say."));
        json_object_object_foreach (top, key, value)
                schema_with(schema, key, json_object_get(value));
        for (size_t i = 1; i < registry_n_all_fields; i++)
                schema_with(definitions, registry_all_fields[i]->name, object_schema(registry_all_fields[i]));
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

static void print_type(const struct registry_field *field, FILE *to)
{
        static const char *const names[] = {
                [REGISTRY_FIELD_TEXT] = "string",       [REGISTRY_FIELD_SLUG] = "`a-z0-9-`",
                [REGISTRY_FIELD_LINE] = "string",       [REGISTRY_FIELD_TRUE] = "true",
                [REGISTRY_FIELD_NUMBER] = "integer",    [REGISTRY_FIELD_TEXTS] = "strings",
                [REGISTRY_FIELD_OBJECT] = "object",     [REGISTRY_FIELD_OBJECTS] = "array",
                [REGISTRY_FIELD_ANY_OBJECT] = "object", [REGISTRY_FIELD_HEADERS] = "object",
                [REGISTRY_FIELD_REPOSITORY] = "string", [REGISTRY_FIELD_TAG] = "string",
                [REGISTRY_FIELD_FIXTURE] = "string",
        };

        if (field->kind != REGISTRY_FIELD_CHOICE) {
                fputs(names[field->kind], to);
                return;
        }
        for (const struct registry_choice *choice = field->choices; choice->name; choice++)
                fprintf(to, "%s`%s`", choice == field->choices ? "" : ", ", choice->name);
}

void registry_scenario_print_format(FILE *to)
{
        for (size_t i = 0; i < registry_n_all_fields; i++) {
                fprintf(to, "%s### %s\n\n| key | value | meaning |\n|---|---|---|\n", i ? "\n" : "",
                        registry_all_fields[i]->title);
                for (size_t k = 0; k < registry_all_fields[i]->n; k++) {
                        const struct registry_field *field = &registry_all_fields[i]->fields[k];

                        fprintf(to, "| `%s` | ", field->name);
                        print_type(field, to);
                        fprintf(to, "%s | %s |\n", field->required ? ", required" : "", field->about);
                }
        }
}
