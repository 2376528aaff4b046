/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other way round: rules and behaviours in memory, written as a scenario. It goes by the same tables as the
 * reader, member by member, so that what it writes is read as the same.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fakeproxy/scenario-fields.h"
#include "protocol/message.h"

static struct json_object *text(const char *value)
{
        return json_object_new_string(value);
}

/* A string, or {"base64": ".."} where it is not UTF-8. */
static struct json_object *bytes_json(const char *data, size_t len)
{
        CLEANUP(cleanup_free) char *encoded = NULL;
        struct json_object *object;

        if (text_is_utf8(data, len))
                return json_object_new_string_len(data, (int)len);
        encoded = malloc(len / 3 * 4 + 5);
        object = json_object_new_object();
        if (encoded && EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)data, (int)len) > 0)
                json_object_object_add(object, "base64", text(encoded));
        return object;
}

static struct json_object *parsed(const char *json)
{
        struct json_object *value = NULL;

        (void)json_parse(json, strlen(json), SCENARIO_NESTING_MAX, &value, NULL);
        return value;
}

static struct json_object *packets_json(const struct bytes *packets)
{
        struct json_object *array = json_object_new_array();

        for (; packets->data; packets++)
                json_object_array_add(array, bytes_json(packets->data, packets->len));
        return array;
}

static struct json_object *words_json(const char *words)
{
        struct json_object *array = json_object_new_array();

        while (*words) {
                size_t len = strcspn(words, " ");

                json_object_array_add(array, json_object_new_string_len(words, (int)len));
                words += len + strspn(words + len, " ");
        }
        return array;
}

static struct json_object *behaviours_json(const struct behaviours *behaviours)
{
        struct json_object *object = json_object_new_object();
        char name[BEHAVIOUR_NAME_MAX];

        for (size_t i = 0; i < n_behaviours; i++) {
                const char *member = (const char *)behaviours + behaviour_table[i].offset;
                bool is_number = behaviour_table[i].is_number;
                uint64_t number = is_number ? *(const uint64_t *)(const void *)member : 0;

                if (is_number ? number == 0 : !*(const bool *)(const void *)member)
                        continue;
                json_object_object_add(object, behaviour_scenario_name(behaviour_table[i].name, name),
                                       is_number ? json_object_new_uint64(number)
                                                 : json_object_new_boolean(true));
        }
        for (size_t i = 0; i < n_behaviour_texts; i++) {
                const char *value = *(const char *const *)(const void *)((const char *)behaviours +
                                                                         behaviour_texts[i].offset);

                if (value)
                        json_object_object_add(object, behaviour_scenario_name(behaviour_texts[i].name, name),
                                               text(value));
        }
        return object;
}

static struct json_object *count_json(uint64_t n)
{
        return n == DATA_ALL ? text("all") : json_object_new_uint64(n);
}

static struct json_object *choice_json(const struct choice *choices, int value)
{
        for (; choices->name; choices++)
                if (choices->value == value)
                        return text(choices->name);
        return NULL;
}

static struct json_object *step_json(const struct data_step *step)
{
        struct json_object *object = json_object_new_object();

        for (size_t i = 0; i < step_fields.n; i++) {
                const struct field *field = &step_fields.fields[i];
                struct json_object *value;

                if (!field->one_of || step_op(field->name) != step->op)
                        continue;
                value = field->kind == FIELD_TRUE     ? json_object_new_boolean(true)
                        : field->kind == FIELD_BYTES  ? bytes_json(step->bytes.data, step->bytes.len)
                        : field->kind == FIELD_TEXT   ? text(step->bytes.data)
                        : field->kind == FIELD_SIGNAL ? choice_json(signal_choices, (int)step->n)
                                                      : count_json(step->n);
                json_object_object_add(object, field->name, value);
        }
        if (step->code)
                json_object_object_add(object, "code", text(error_code_name((enum error_code)step->code)));
        if (step->rate)
                json_object_object_add(object, "bytes_per_s", json_object_new_uint64(step->rate));
        return object;
}

static struct json_object *steps_json(const struct data_step *steps)
{
        struct json_object *array = json_object_new_array();

        for (; steps->op != DATA_REST; steps++)
                json_object_array_add(array, step_json(steps));
        return array;
}

static uint64_t number_at(const struct field *field, const void *from)
{
        return field->size == sizeof(uint64_t)   ? *(const uint64_t *)from
               : field->size == sizeof(unsigned) ? *(const unsigned *)from
                                                 : *(const bool *)from;
}

static struct json_object *object_json(const struct fields *of, const void *base);

static struct json_object *number_json(const struct field *field, const void *base, const void *from)
{
        uint64_t number = number_at(field, from);

        if (field->has ? !*((const bool *)base + field->has) : !number)
                return NULL;
        return json_object_new_uint64(number);
}

static struct json_object *image_of_json(const struct rule_when *when)
{
        if (when->image)
                return text(when->image);
        return when->image_id ? json_object_new_uint64(when->image_id) : NULL;
}

static struct json_object *descriptors_json(const struct rule_do *act)
{
        if (act->descriptors == DESCRIPTORS_COUNT)
                return json_object_new_uint64(act->n_descriptors);
        return act->descriptors ? choice_json(descriptor_choices, (int)act->descriptors) : NULL;
}

/* A member's value; NULL: it is not there, as it says nothing. */
static struct json_object *member_json(const struct field *field, const void *base)
{
        const void *from = (const char *)base + field->offset;
        const struct bytes *bytes = from;
        const char *pointer = field->size == sizeof(void *) ? *(const char *const *)from : NULL;

        switch (field->kind) {
        case FIELD_TEXT:
        case FIELD_SLUG:
        case FIELD_METHOD:
                return pointer ? text(pointer) : NULL;
        case FIELD_BYTES:
                return bytes->data ? bytes_json(bytes->data, bytes->len) : NULL;
        case FIELD_CSTRING:
                return pointer ? bytes_json(pointer, strlen(pointer)) : NULL;
        case FIELD_JSON:
        case FIELD_MERGE:
                return pointer ? parsed(pointer) : NULL;
        case FIELD_MEMBERS:
                return pointer ? words_json(pointer) : NULL;
        case FIELD_PACKETS:
                return pointer ? packets_json((const struct bytes *)(const void *)pointer) : NULL;
        case FIELD_STEPS:
                return pointer ? steps_json((const struct data_step *)(const void *)pointer) : NULL;
        case FIELD_BEHAVIOURS:
                return pointer ? behaviours_json((const struct behaviours *)(const void *)pointer) : NULL;
        case FIELD_TRUE:
                return *(const bool *)from ? json_object_new_boolean(true) : NULL;
        case FIELD_NUMBER:
                return number_json(field, base, from);
        case FIELD_CHOICE:
                return number_at(field, from) ? choice_json(field->choices, (int)number_at(field, from)) : NULL;
        case FIELD_SIGNAL:
                return *(const int *)from ? choice_json(signal_choices, *(const int *)from) : NULL;
        case FIELD_DESCRIPTORS:
                return descriptors_json(&((const struct rule *)base)->act);
        case FIELD_IMAGE_OF:
                return image_of_json(base);
        case FIELD_OBJECT:
                return object_json(field->object, from);
        default:
                return NULL;
        }
}

/* NULL: no member says anything. */
static struct json_object *object_json(const struct fields *of, const void *base)
{
        struct json_object *object = json_object_new_object();

        for (size_t i = 0; i < of->n; i++) {
                const struct field *field = &of->fields[i];
                struct json_object *value = member_json(field, base);

                if (value)
                        json_object_object_add(object, field->name, value);
        }
        if (json_object_object_length(object) > 0)
                return object;
        json_object_put(object);
        return NULL;
}

/* A rule is named where the struct has its number. */
static int add_rule_name(struct json_object *object, const char *key, const struct rule *rules, unsigned number)
{
        struct json_object *when;

        if (number == 0)
                return 0;
        if (!rules[number - 1].name)
                return -ENOTSUP;
        if (!json_object_object_get_ex(object, "when", &when)) {
                when = json_object_new_object();
                json_object_object_add(object, "when", when);
        }
        json_object_object_add(when, key, text(rules[number - 1].name));
        return 0;
}

/* What the format says in other words than the struct. */
static int rule_json(const struct rule *rules, const struct rule *rule, struct json_object *array)
{
        const struct bytes *reply = &rule->act.reply;
        struct rule copy = *rule;
        struct json_object *object, *answer;

        if (rule->when.method && !*rule->when.method)
                return -ENOTSUP;
        if (rule->act.no_execution)
                copy.act.reply = (struct bytes){0};
        object = object_json(&rule_fields, &copy);
        if (!object)
                object = json_object_new_object();
        json_object_array_add(array, object);
        if (add_rule_name(object, "after_rule", rules, rule->when.after_rule) < 0 ||
            add_rule_name(object, "before_rule", rules, rule->when.before_rule) < 0)
                return -ENOTSUP;
        if (!rule->act.no_execution)
                return 0;
        answer = reply->data ? parsed(reply->data) : json_object_new_object();
        json_object_object_add(object, "answer", answer);
        return json_object_is_type(answer, json_type_object) ? 0 : -ENOTSUP;
}

int scenario_write(const char *name, const char *about, const char *breaks, const struct behaviours *with,
                   const struct rule *rules, size_t n_rules, FILE *to)
{
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        struct json_object *array = json_object_new_array();
        int r = 0;

        json_object_object_add(object, "scenario", text(name));
        json_object_object_add(object, "about", text(about));
        if (breaks)
                json_object_object_add(object, "breaks", text(breaks));
        if (behaviours_any(with))
                json_object_object_add(object, "with", behaviours_json(with));
        for (size_t i = 0; i < n_rules && r == 0; i++)
                r = rule_json(rules, &rules[i], array);
        if (n_rules > 0)
                json_object_object_add(object, "rules", array);
        else
                json_object_put(array);
        if (r == 0)
                fprintf(to, "%s\n",
                        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
                                                                       JSON_C_TO_STRING_SPACED |
                                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
        return r;
}
