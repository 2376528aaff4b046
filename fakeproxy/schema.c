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

/* The same, but for an array without anything in it. */
static void with_items(struct json_object *object, const char *name, struct json_object *take_array)
{
        if (json_is_whole(take_array) && json_object_array_length(take_array) == 0)
                json_object_put(take_array);
        else
                with(object, name, take_array);
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

static struct json_object *array_of(struct json_object *take_items)
{
        return with(of_type("array"), "items", take_items);
}

static struct json_object *number(uint64_t min, uint64_t max)
{
        struct json_object *object = of_type("integer");

        with(object, "minimum", json_object_new_uint64(min));
        return with(object, "maximum", json_object_new_uint64(max ? max : JSON_INTEGER_MAX));
}

static struct json_object *one_of(const struct choice *choices)
{
        struct json_object *names = json_object_new_array();

        for (; choices->name; choices++)
                json_add_item(names, text(choices->name));
        return with(json_object_new_object(), "enum", names);
}

static struct json_object *any_of(struct json_object *take_a, struct json_object *take_b)
{
        struct json_object *both = json_object_new_array();

        json_add_item(both, take_a);
        json_add_item(both, take_b);
        return with(json_object_new_object(), "anyOf", both);
}

static struct json_object *only(struct json_object *take_value)
{
        return with(json_object_new_object(), "const", take_value);
}

static struct json_object *fixture_names(void)
{
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < n_fixtures; i++)
                json_add_item(names, text(fixtures[i].name));
        return with(json_object_new_object(), "enum", names);
}

static struct json_object *method_names(void)
{
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < METHODS; i++)
                json_add_item(names, text(methods[i].name));
        return with(json_object_new_object(), "enum", names);
}

static struct json_object *emulation_enum(void)
{
        struct json_object *names = json_object_new_array();

        for (const char *const *name = emulation_names; *name; name++)
                json_add_item(names, text(*name));
        return with(json_object_new_object(), "enum", names);
}

static struct json_object *slug(void)
{
        return with(of_type("string"), "pattern", text("^[a-z0-9-]+$"));
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
                return number(field->min, field->max);
        case FIELD_COUNT:
                return any_of(number(1, 0), only(text("all")));
        case FIELD_CHOICE:
                return one_of(field->choices);
        case FIELD_SIGNAL:
                return one_of(signal_choices);
        case FIELD_MEMBERS:
                return array_of(one_of(member_choices));
        case FIELD_DESCRIPTORS:
                return any_of(number(0, PACKET_FDS_MAX), one_of(descriptor_choices));
        case FIELD_TEXTS:
                return array_of(of_type("string"));
        case FIELD_OBJECT:
                return reference(field->object->name);
        case FIELD_OBJECTS:
        case FIELD_STEPS:
                return array_of(reference(field->object->name));
        case FIELD_ANY_OBJECT:
        case FIELD_MERGE:
        case FIELD_ANSWER:
                return of_type("object");
        case FIELD_BEHAVIOURS:
                return reference("behaviours");
        case FIELD_BYTES:
        case FIELD_CSTRING:
                return reference("bytes");
        case FIELD_PACKETS:
                return array_of(reference("bytes"));
        case FIELD_IMAGE_OF:
                return any_of(number(1, 0), of_type("string"));
        case FIELD_IMAGE:
                return any_of(fixture_names(), reference("image"));
        case FIELD_METHOD:
                return method_names();
        case FIELD_JSON:
                return json_object_new_object();
        case FIELD_TEXT:
        case FIELD_RULE:
        default:
                if (!strcmp(field->name, "emulate"))
                        return emulation_enum();
                return field->required ? with(of_type("string"), "minLength", json_object_new_int(1))
                                       : of_type("string");
        }
}

/* "{"required": ["NAME"]}" */
static struct json_object *requiring(const char *name)
{
        struct json_object *names = json_object_new_array();

        json_add_item(names, text(name));
        return with(json_object_new_object(), "required", names);
}

static struct json_object *object_schema(const struct fields *of)
{
        struct json_object *object = of_type("object"), *properties = json_object_new_object();
        struct json_object *required = json_object_new_array(), *alternatives = json_object_new_array();

        for (size_t i = 0; i < of->n; i++) {
                const struct field *field = &of->fields[i];

                with(properties, field->name, with(field_schema(field), "description", text(field->about)));
                if (field->required)
                        json_add_item(required, text(field->name));
                if (field->one_of)
                        json_add_item(alternatives, requiring(field->name));
        }
        with(object, "properties", properties);
        with_items(object, "required", required);
        with_items(object, "oneOf", alternatives);
        return with(object, "additionalProperties", json_object_new_boolean(false));
}

static struct json_object *bytes_schema(void)
{
        struct json_object *object = of_type("object"), *properties = json_object_new_object();
        struct json_object *required = json_object_new_array();

        with(properties, "base64",
             with(of_type("string"), "pattern",
                  text("^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")));
        json_add_item(required, text("base64"));
        with(object, "properties", properties);
        with(object, "required", required);
        with(object, "additionalProperties", json_object_new_boolean(false));
        return any_of(of_type("string"), object);
}

static struct json_object *behaviours_schema(void)
{
        struct json_object *object = of_type("object"), *properties = json_object_new_object();
        char name[BEHAVIOUR_NAME_MAX];

        for (size_t i = 0; i < n_behaviours; i++) {
                const struct behaviour *b = &behaviour_table[i];

                with(properties, behaviour_scenario_name(b->name, name),
                     with(b->is_number ? number(1, 0) : only(json_object_new_boolean(true)), "description",
                          text(b->about)));
        }
        for (size_t i = 0; i < n_behaviour_texts; i++)
                with(properties, behaviour_scenario_name(behaviour_texts[i].name, name),
                     with(of_type("string"), "description", text(behaviour_texts[i].about)));
        with(object, "properties", properties);
        return with(object, "additionalProperties", json_object_new_boolean(false));
}

int scenario_print_schema(FILE *to)
{
        CLEANUP(cleanup_json) struct json_object *schema = json_object_new_object();
        struct json_object *definitions = json_object_new_object(), *top = object_schema(&scenario_fields);
        const char *printed;

        with(schema, "$schema", text("https://json-schema.org/draft/2020-12/schema"));
        with(schema, "title", text("A scenario of cip-fakeproxy"));
        with(schema, "description",
             text("Made by `cip-fakeproxy schema`. docs/scenarios.md describes the format; `cip-fakeproxy "
                  "check` "
                  "finds what no schema can say."));
        if (!json_is_whole(top)) {
                json_object_put(top);
                json_object_put(definitions);
                return -ENOMEM;
        }
        json_object_object_foreach (top, key, value)
                with(schema, key, json_object_get(value));
        json_object_put(top);
        for (size_t i = 1; i < n_all_fields; i++)
                with(definitions, all_fields[i]->name, object_schema(all_fields[i]));
        with(definitions, "bytes", bytes_schema());
        with(definitions, "behaviours", behaviours_schema());
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
