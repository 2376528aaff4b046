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

static struct json_object *text(const char *value)
{
        return json_object_new_string(value);
}

/* Adds a member, and returns the object. */
static struct json_object *with(struct json_object *object, const char *name, struct json_object *take_value)
{
        json_add_member(object, name, take_value);
        return object;
}

static struct json_object *of_type(const char *type)
{
        return with(json_object_new_object(), "type", text(type));
}

static struct json_object *reference(const char *name)
{
        char path[80];

        snprintf(path, sizeof(path), "#/$defs/%s", name);
        return with(json_object_new_object(), "$ref", text(path));
}

static struct json_object *number(const struct registry_field *field)
{
        struct json_object *object = of_type("integer");

        with(object, "minimum", json_object_new_uint64(field->min));
        return with(object, "maximum", json_object_new_uint64(field->max ? field->max : JSON_INTEGER_MAX));
}

static struct json_object *choices(const struct registry_field *field)
{
        struct json_object *names = json_object_new_array();

        for (const struct registry_choice *choice = field->choices; choice->name; choice++)
                json_add_item(names, text(choice->name));
        return with(json_object_new_object(), "enum", names);
}

static struct json_object *fixture_names(void)
{
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < n_fixtures; i++)
                json_add_item(names, text(fixtures[i].name));
        return with(json_object_new_object(), "enum", names);
}

/* An object of strings, or null. */
static struct json_object *headers(void)
{
        struct json_object *types = json_object_new_array();

        json_add_item(types, text("string"));
        json_add_item(types, text("null"));
        return with(of_type("object"), "additionalProperties", with(json_object_new_object(), "type", types));
}

static struct json_object *field_schema(const struct registry_field *field)
{
        switch (field->kind) {
        case REGISTRY_FIELD_SLUG:
                return with(of_type("string"), "pattern", text("^[a-z0-9-]+$"));
        case REGISTRY_FIELD_TRUE:
                return with(json_object_new_object(), "const", json_object_new_boolean(true));
        case REGISTRY_FIELD_NUMBER:
                return number(field);
        case REGISTRY_FIELD_CHOICE:
                return choices(field);
        case REGISTRY_FIELD_TEXTS:
                return with(of_type("array"), "items", of_type("string"));
        case REGISTRY_FIELD_OBJECT:
                return reference(field->object->name);
        case REGISTRY_FIELD_OBJECTS:
                return with(of_type("array"), "items", reference(field->object->name));
        case REGISTRY_FIELD_ANY_OBJECT:
                return of_type("object");
        case REGISTRY_FIELD_HEADERS:
                return headers();
        case REGISTRY_FIELD_FIXTURE:
                return fixture_names();
        default:
                return field->required ? with(of_type("string"), "minLength", json_object_new_int(1))
                                       : of_type("string");
        }
}

static struct json_object *object_schema(const struct registry_fields *of)
{
        struct json_object *object = of_type("object"), *properties = json_object_new_object();
        struct json_object *required = json_object_new_array();

        for (size_t i = 0; i < of->n; i++) {
                const struct registry_field *field = &of->fields[i];

                with(properties, field->name, with(field_schema(field), "description", text(field->about)));
                if (field->required)
                        json_add_item(required, text(field->name));
        }
        with(object, "properties", properties);
        if (json_object_array_length(required) > 0)
                with(object, "required", required);
        else
                json_object_put(required);
        return with(object, "additionalProperties", json_object_new_boolean(false));
}

int registry_scenario_print_schema(FILE *to)
{
        CLEANUP(cleanup_json) struct json_object *schema = json_object_new_object();
        CLEANUP(cleanup_json) struct json_object *top = object_schema(registry_all_fields[0]);
        struct json_object *definitions = json_object_new_object();
        const char *printed;

        with(schema, "$schema", text("https://json-schema.org/draft/2020-12/schema"));
        with(schema, "title", text("A scenario of cip-fakeregistry"));
        with(schema, "description",
             text("Made by `cip-fakeregistry schema`. docs/fake-registry.md describes the format; "
                  "`cip-fakeregistry check` finds what no schema can say."));
        json_object_object_foreach (top, key, value)
                with(schema, key, json_object_get(value));
        for (size_t i = 1; i < registry_n_all_fields; i++)
                with(definitions, registry_all_fields[i]->name, object_schema(registry_all_fields[i]));
        with(schema, "$defs", definitions);
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
