/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a scenario: scenario-text.c makes JSON of it, the tables of scenario-fields.c say where each member goes. A
 * reader goes on behind a mistake, so that all are told at once; scenario-check.c then judges what the rules say
 * together.
 */
#include "fakeproxy/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "fakeproxy/options.h"
#include "fakeproxy/scenario-check.h"
#include "fakeproxy/scenario-fields.h"
#include "image/config.h"
#include "image/fixture.h"
#include "protocol/bytes.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/packet.h"

/* ---- problems ---- */

void problem_add(struct reader *reader, const struct place *place, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        if (problems_add(reader->problems, place, format, args) < 0)
                reader->no_memory = true;
        va_end(args);
}

const char *reader_hint(struct reader *reader, const struct nearest *nearest)
{
        if (!nearest->best)
                return "";
        snprintf(reader->hint, sizeof(reader->hint), "; did you mean \"%s\"?", nearest->best);
        return reader->hint;
}

/* ---- memory ---- */

struct block {
        struct block *next;
        max_align_t data[];
};

struct owner {
        struct scenario scenario; /* the first member */
        struct json_object *json;
        struct block *blocks;
};

static void *allocate(struct reader *reader, size_t size)
{
        struct block *block = calloc(1, sizeof(*block) + (size ? size : 1));

        if (!block) {
                reader->no_memory = true;
                return NULL;
        }
        block->next = reader->owner->blocks;
        reader->owner->blocks = block;
        return block->data;
}

static char *allocate_text(struct reader *reader, const char *text, size_t len)
{
        char *copy = allocate(reader, len + 1);

        if (copy)
                memcpy(copy, text, len);
        return copy;
}

static void owner_free(struct owner *owner)
{
        json_object_put(owner->json);
        while (owner->blocks) {
                struct block *next = owner->blocks->next;

                free(owner->blocks);
                owner->blocks = next;
        }
        free(owner);
}
DEFINE_CLEANUP(struct owner *, owner_free);

bool scenario_needs_upstream(const struct scenario *scenario)
{
        for (size_t i = 0; i < scenario->n_rules; i++)
                if (scenario->rules[i].act.replace)
                        return true;
        return scenario->has_upstream || scenario->registry;
}

void scenario_free(struct scenario *scenario)
{
        if (scenario)
                owner_free((struct owner *)(void *)scenario);
}

/* ---- values ---- */

static bool is_text(struct reader *reader, const struct place *place, struct json_object *json)
{
        if (!json_object_is_type(json, json_type_string)) {
                problem_add(reader, place, "expected a string, not %s", document_value_words(json));
                return false;
        }
        if (strlen(json_object_get_string(json)) == (size_t)json_object_get_string_len(json))
                return true;
        problem_add(reader, place, "a NUL character cannot stand here");
        return false;
}

static bool take_number(struct reader *reader, const struct place *place, struct json_object *json,
                        uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t value = json_object_is_type(json, json_type_int) && json_object_get_int64(json) >= 0
                                 ? json_object_get_uint64(json)
                                 : 0;

        if (!max)
                max = JSON_INTEGER_MAX;
        if (json_object_is_type(json, json_type_int) && json_object_get_int64(json) >= 0 && value >= min &&
            value <= max) {
                *ret = value;
                return true;
        }
        if (json_object_is_type(json, json_type_int))
                problem_add(reader, place, "expected an integer of %llu to %llu", (unsigned long long)min,
                            (unsigned long long)max);
        else
                problem_add(reader, place, "expected an integer of %llu to %llu, not %s",
                            (unsigned long long)min, (unsigned long long)max, document_value_words(json));
        return false;
}

static void put_number(void *to, size_t size, uint64_t value)
{
        if (size == sizeof(uint64_t))
                *(uint64_t *)to = value;
        else if (size == sizeof(unsigned))
                *(unsigned *)to = (unsigned)value;
        else
                *(bool *)to = value;
}

static const struct choice *take_choice(struct reader *reader, const struct place *place,
                                        struct json_object *json, const struct choice *choices)
{
        char names[400] = "";
        struct nearest nearest = {0};
        size_t len = 0;

        if (!is_text(reader, place, json))
                return NULL;
        nearest.name = json_object_get_string(json);
        for (const struct choice *choice = choices; choice->name; choice++) {
                if (!strcmp(choice->name, nearest.name))
                        return choice;
                text_nearest(&nearest, choice->name);
                if (len < sizeof(names))
                        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
                                                choice->name);
        }
        problem_add(reader, place, "\"%s\" is none of %s%s", nearest.name, names,
                    reader_hint(reader, &nearest));
        return NULL;
}

static bool is_slug(const char *text)
{
        return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

/* The bytes of {"base64": ".."}. */
static bool take_base64(struct reader *reader, const struct place *place, struct json_object *json,
                        struct bytes *ret)
{
        struct json_object *value = json_object_object_get(json, "base64");
        const struct place here = {place, "base64", 0};
        const char *text = json_object_get_string(value);
        char *data, *copy;
        size_t len;
        int r;

        if (!text || !json_object_is_type(value, json_type_string) || json_object_object_length(json) != 1) {
                problem_add(reader, place, "expected a string or {\"base64\": \"..\"}");
                return false;
        }
        r = base64_decode(text, (size_t)json_object_get_string_len(value), &data, &len);
        if (r == -EINVAL)
                problem_add(reader, &here, "this is no base64");
        if (r < 0) {
                reader->no_memory |= r == -ENOMEM;
                return false;
        }
        copy = allocate(reader, len + 1);
        if (copy) {
                memcpy(copy, data, len + 1);
                *ret = (struct bytes){copy, len};
        }
        free(data);
        return copy != NULL;
}

static bool take_bytes(struct reader *reader, const struct place *place, struct json_object *json,
                       struct bytes *ret)
{
        if (json_object_is_type(json, json_type_object))
                return take_base64(reader, place, json, ret);
        if (!json_object_is_type(json, json_type_string)) {
                problem_add(reader, place, "expected a string or {\"base64\": \"..\"}, not %s",
                            document_value_words(json));
                return false;
        }
        *ret = (struct bytes){json_object_get_string(json), (size_t)json_object_get_string_len(json)};
        return true;
}

/* The text of a value as it goes into a packet. */
static const char *take_json_text(struct reader *reader, struct json_object *json, size_t *ret_len)
{
        char *text CLEANUP(cleanup_free) = NULL;

        if (json_format_go(json, &text, ret_len) < 0) {
                reader->no_memory = true;
                return NULL;
        }
        return allocate_text(reader, text, *ret_len);
}

static bool is_array(struct reader *reader, const struct place *place, struct json_object *json)
{
        if (json_object_is_type(json, json_type_array))
                return true;
        problem_add(reader, place, "expected an array, not %s", document_value_words(json));
        return false;
}

static bool is_object(struct reader *reader, const struct place *place, struct json_object *json)
{
        if (json_object_is_type(json, json_type_object))
                return true;
        problem_add(reader, place, "expected an object, not %s", document_value_words(json));
        return false;
}

/* ---- lists ---- */

static void read_texts(struct reader *reader, const struct place *place, struct json_object *json,
                       const char *const **to)
{
        size_t n = is_array(reader, place, json) ? json_object_array_length(json) : 0;
        const char **texts = allocate(reader, (n + 1) * sizeof(*texts));

        for (size_t i = 0; texts && i < n; i++) {
                const struct place here = {place, NULL, i};
                struct json_object *item = json_object_array_get_idx(json, i);

                if (is_text(reader, &here, item))
                        texts[i] = json_object_get_string(item);
        }
        *to = texts;
}

static void read_packets(struct reader *reader, const struct place *place, struct json_object *json,
                         const struct bytes **to)
{
        size_t n = is_array(reader, place, json) ? json_object_array_length(json) : 0;
        struct bytes *packets = allocate(reader, (n + 1) * sizeof(*packets));

        for (size_t i = 0; packets && i < n; i++) {
                const struct place here = {place, NULL, i};

                (void)take_bytes(reader, &here, json_object_array_get_idx(json, i), &packets[i]);
        }
        *to = packets;
}

/* Names of a reply's members, which become one text. */
static void read_members(struct reader *reader, const struct place *place, struct json_object *json,
                         const char **to)
{
        size_t n = is_array(reader, place, json) ? json_object_array_length(json) : 0, len = 0;
        char text[200] = "";

        for (size_t i = 0; i < n; i++) {
                const struct place here = {place, NULL, i};
                const struct choice *choice =
                        take_choice(reader, &here, json_object_array_get_idx(json, i), member_choices);

                if (choice && len < sizeof(text))
                        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
                                                choice->name);
        }
        *to = allocate_text(reader, text, strlen(text));
}

static void read_step(struct reader *reader, const struct place *place, struct json_object *json,
                      struct data_step *to)
{
        struct step_form form = {0};

        object_read(reader, &step_fields, place, json, &form);
        if (!json_object_is_type(json, json_type_object))
                return;
        json_object_object_foreach (json, key, value) {
                (void)value;
                if (step_op(key) != DATA_REST)
                        to->op = step_op(key);
        }
        *to = (struct data_step){
                .op = to->op, .n = form.n, .bytes = form.bytes, .rate = form.rate, .code = form.code};
        if (form.fail)
                to->bytes = (struct bytes){form.fail, strlen(form.fail)};
        if (form.signal)
                to->n = (uint64_t)form.signal;
        if (form.rate && to->op != DATA_DRIP)
                problem_add(reader, &(struct place){place, "bytes_per_s", 0}, "only `drip` has a rate");
        if (form.code && to->op != DATA_FAIL)
                problem_add(reader, &(struct place){place, "code", 0}, "only `fail` has a code");
}

static void read_steps(struct reader *reader, const struct place *place, struct json_object *json,
                       const struct data_step **to)
{
        static const enum data_op last_ops[] = {DATA_END,     DATA_CLOSE, DATA_STALL, DATA_FAIL,
                                                DATA_FOREVER, DATA_EXIT,  DATA_SIGNAL};
        size_t n = is_array(reader, place, json) ? json_object_array_length(json) : 0;
        struct data_step *steps = allocate(reader, (n + 1) * sizeof(*steps));

        for (size_t i = 0; steps && i < n; i++) {
                const struct place here = {place, NULL, i};

                read_step(reader, &here, json_object_array_get_idx(json, i), &steps[i]);
                for (size_t k = 0; k < ARRAY_SIZE(last_ops) && i > 0; k++)
                        if (steps[i - 1].op == last_ops[k])
                                problem_add(reader, &here, "never reached: the step before it is the last");
        }
        *to = steps;
}

/* ---- behaviours ---- */

static void hint_behaviour(struct reader *reader, const struct place *place, const char *key)
{
        char names[BEHAVIOUR_NAME_MAX], best[BEHAVIOUR_NAME_MAX] = "";
        struct nearest nearest = {.name = key};

        for (size_t i = 0; i < n_behaviours + n_behaviour_texts; i++) {
                text_nearest(&nearest,
                             behaviour_scenario_name(i < n_behaviours ? behaviour_table[i].name
                                                                      : behaviour_texts[i - n_behaviours].name,
                                                     names));
                if (nearest.best == names) {
                        memcpy(best, names, sizeof(best));
                        nearest.best = best;
                }
        }
        problem_add(reader, place, "unknown behaviour%s", reader_hint(reader, &nearest));
}

static void read_behaviour(struct reader *reader, const struct place *place, const char *key,
                           struct json_object *value, struct behaviours *to)
{
        char name[BEHAVIOUR_NAME_MAX];

        for (size_t i = 0; i < n_behaviours; i++) {
                void *member = (char *)to + behaviour_table[i].offset;

                if (strcmp(behaviour_scenario_name(behaviour_table[i].name, name), key) != 0)
                        continue;
                if (behaviour_table[i].is_number)
                        (void)take_number(reader, place, value, 1, 0, member);
                else if (json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value))
                        *(bool *)member = true;
                else
                        problem_add(reader, place, "expected true, not %s", document_value_words(value));
                return;
        }
        for (size_t i = 0; i < n_behaviour_texts; i++) {
                if (strcmp(behaviour_scenario_name(behaviour_texts[i].name, name), key) != 0)
                        continue;
                if (is_text(reader, place, value))
                        *(const char **)(void *)((char *)to + behaviour_texts[i].offset) =
                                json_object_get_string(value);
                return;
        }
        hint_behaviour(reader, place, key);
}

static void read_behaviours(struct reader *reader, const struct place *place, struct json_object *json,
                            struct behaviours *to)
{
        if (!is_object(reader, place, json))
                return;
        json_object_object_foreach (json, key, value)
                read_behaviour(reader, &(struct place){place, key, 0}, key, value, to);
}

/* ---- how an upstream is started ---- */

static bool is_sockfd(const char *word)
{
        return !strncmp(word, "--sockfd", 8) && (!word[8] || word[8] == '=');
}

static void read_words(struct reader *reader, const struct place *place, struct json_object *json,
                       const char *const **to)
{
        read_texts(reader, place, json, to);
        for (size_t i = 0; *to && (*to)[i]; i++)
                if (is_sockfd((*to)[i]))
                        problem_add(reader, &(struct place){place, NULL, i},
                                    "the session's socket cannot be another");
}

static void read_flags(struct reader *reader, const struct place *place, struct json_object *json,
                       const char *const **to)
{
        read_words(reader, place, json, to);
        for (size_t i = 0; *to && (*to)[i]; i++) {
                const struct place here = {place, NULL, i};
                const char *flag = (*to)[i];
                struct nearest nearest = {.name = flag + 2};

                if (strncmp(flag, "--", 2) != 0 || strchr(flag, '='))
                        problem_add(reader, &here, "expected a flag without a value: \"--NAME\"");
                else if (options_takes_value(flag + 2, &nearest) < 0)
                        problem_add(reader, &here, "skopeo has no such flag%s", reader_hint(reader, &nearest));
        }
}

static void read_variables(struct reader *reader, const struct place *place, struct json_object *json,
                           struct json_object **to)
{
        if (!is_object(reader, place, json))
                return;
        json_object_object_foreach (json, name, value) {
                const struct place here = {place, name, 0};

                if (!*name || strchr(name, '='))
                        problem_add(reader, &here, "no variable can have this name");
                if (value)
                        (void)is_text(reader, &here, value);
        }
        *to = json;
}

/* ---- members with a way of their own ---- */

static void read_descriptors(struct reader *reader, const struct place *place, struct json_object *json,
                             struct rule_do *to)
{
        const struct choice *choice;

        if (json_object_is_type(json, json_type_int)) {
                if (take_number(reader, place, json, 0, PACKET_FDS_MAX, &to->n_descriptors))
                        to->descriptors = DESCRIPTORS_COUNT;
                return;
        }
        if (!json_object_is_type(json, json_type_string)) {
                problem_add(reader, place, "expected a number of 0 to %d or a kind, not %s", PACKET_FDS_MAX,
                            document_value_words(json));
                return;
        }
        choice = take_choice(reader, place, json, descriptor_choices);
        if (!choice)
                return;
        to->descriptors = (enum rule_descriptors)choice->value;
        to->n_descriptors = choice->value == DESCRIPTORS_COUNT ? 2 : 0;
}

static void read_image_of(struct reader *reader, const struct place *place, struct json_object *json,
                          struct rule_when *to)
{
        if (json_object_is_type(json, json_type_int))
                (void)take_number(reader, place, json, 1, 0, &to->image_id);
        else if (!json_object_is_type(json, json_type_string))
                problem_add(reader, place, "expected an image id (a number) or a reference (a string), not %s",
                            document_value_words(json));
        else if (is_text(reader, place, json))
                to->image = json_object_get_string(json);
}

static void read_fixture(struct reader *reader, const struct place *place, struct json_object *json,
                         struct scenario *to)
{
        struct nearest nearest = {0};

        if (!is_text(reader, place, json))
                return;
        nearest.name = json_object_get_string(json);
        to->fixture = nearest.name;
        for (size_t i = 0; i < n_fixtures; i++) {
                if (!strcmp(fixtures[i].name, nearest.name))
                        return;
                text_nearest(&nearest, fixtures[i].name);
        }
        problem_add(reader, place, "there is no fixture \"%s\"%s", nearest.name, reader_hint(reader, &nearest));
}

static void read_image(struct reader *reader, const struct place *place, struct json_object *json,
                       struct scenario *to)
{
        size_t n = 0;

        to->fixture = NULL;
        if (json_object_is_type(json, json_type_string)) {
                read_fixture(reader, place, json, to);
                return;
        }
        if (!json_object_is_type(json, json_type_object)) {
                problem_add(reader, place, "expected a fixture's name or an object, not %s",
                            document_value_words(json));
                return;
        }
        object_read(reader, &image_fields, place, json, &to->image);
        for (size_t i = 0; i < to->image.n_layers; i++) {
                const struct place layers = {place, "layers", 0}, layer = {&layers, NULL, i};
                const char *member;
                const char *problem = generated_layer_problem(&to->image.layers[i], to->image.sha512, &member);

                if (problem)
                        problem_add(reader, &(struct place){&layer, member, 0}, "%s", problem);
                n += to->image.layers[i].count ? to->image.layers[i].count : 1;
        }
        if (n > GENERATED_LAYERS_MAX)
                problem_add(reader, &(struct place){place, "layers", 0}, "%zu layers; %d are the most", n,
                            GENERATED_LAYERS_MAX);
}

static void read_method(struct reader *reader, const struct place *place, struct json_object *json,
                        const char **to)
{
        struct nearest nearest = {0};

        if (!is_text(reader, place, json))
                return;
        *to = nearest.name = json_object_get_string(json);
        if (method_find(nearest.name))
                return;
        for (size_t i = 0; i < METHODS; i++)
                text_nearest(&nearest, methods[i].name);
        problem_add(reader, place, "there is no method \"%s\"%s", nearest.name, reader_hint(reader, &nearest));
}

static void read_answer(struct reader *reader, const struct place *place, struct json_object *json,
                        struct rule_do *to)
{
        if (!is_object(reader, place, json))
                return;
        to->no_execution = true;
        to->reply.data = take_json_text(reader, json, &to->reply.len);
}

static void read_objects(struct reader *reader, const struct field *field, const struct place *place,
                         struct json_object *json, void *base)
{
        const struct fields *of = field->object;
        size_t n = is_array(reader, place, json) ? json_object_array_length(json) : 0;
        char *items = allocate(reader, n * of->size);

        if (!items)
                return;
        for (size_t i = 0; i < n; i++)
                object_read(reader, of, &(struct place){place, NULL, i}, json_object_array_get_idx(json, i),
                            items + i * of->size);
        *(void **)(void *)((char *)base + field->offset) = items;
        *(size_t *)(void *)((char *)base + field->has) = n;
}

/* Names of rules are looked up when all are known; until then the member holds nothing. */
static void read_rule_name(struct reader *reader, const struct place *place, struct json_object *json)
{
        (void)is_text(reader, place, json);
}

static void read_text_member(struct reader *reader, const struct field *field, const struct place *place,
                             struct json_object *json, const char **to)
{
        if (!is_text(reader, place, json))
                return;
        *to = json_object_get_string(json);
        if (field->kind == FIELD_SLUG && !is_slug(*to))
                problem_add(reader, place, "expected letters a to z, digits and dashes");
        else if (!**to && field->required)
                problem_add(reader, place, "this cannot be empty");
}

static void read_choice(struct reader *reader, const struct field *field, const struct place *place,
                        struct json_object *json, void *to)
{
        const struct choice *choice = take_choice(reader, place, json, field->choices);

        if (!choice)
                return;
        if (field->size == sizeof(const char *))
                *(const char **)to = choice->name;
        else
                put_number(to, field->size, (uint64_t)choice->value);
}

static void read_cstring(struct reader *reader, const struct place *place, struct json_object *json,
                         const char **to)
{
        struct bytes bytes = {0};

        if (!take_bytes(reader, place, json, &bytes))
                return;
        if (bytes.len == 0 || strlen(bytes.data) != bytes.len)
                problem_add(reader, place,
                            bytes.len ? "a NUL character cannot be looked for" : "this cannot be empty");
        *to = bytes.data;
}

static void read_pointed(struct reader *reader, const struct place *place, struct json_object *json, void *to)
{
        struct behaviours *behaviours = allocate(reader, sizeof(*behaviours));

        if (!behaviours)
                return;
        read_behaviours(reader, place, json, behaviours);
        *(const struct behaviours **)to = behaviours;
}

/* A member's value, which goes to @to in the struct @base. */
static void read_member(struct reader *reader, const struct field *field, const struct place *place,
                        struct json_object *json, void *base, void *to)
{
        const struct choice *choice;
        uint64_t number;
        size_t len;

        switch (field->kind) {
        case FIELD_TEXT:
        case FIELD_SLUG:
                read_text_member(reader, field, place, json, to);
                break;
        case FIELD_TRUE:
                if (json_object_is_type(json, json_type_boolean) && json_object_get_boolean(json))
                        *(bool *)to = true;
                else
                        problem_add(reader, place, "expected true, not %s", document_value_words(json));
                break;
        case FIELD_NUMBER:
                if (take_number(reader, place, json, field->min, field->max, &number))
                        put_number(to, field->size, number);
                break;
        case FIELD_COUNT:
                if (json_object_is_type(json, json_type_string) && !strcmp(json_object_get_string(json), "all"))
                        *(uint64_t *)to = DATA_ALL;
                else if (json_object_is_type(json, json_type_string))
                        problem_add(reader, place, "expected a number of bytes or \"all\"");
                else
                        (void)take_number(reader, place, json, 1, 0, to);
                break;
        case FIELD_CHOICE:
                read_choice(reader, field, place, json, to);
                break;
        case FIELD_SIGNAL:
                choice = take_choice(reader, place, json, signal_choices);
                *(int *)to = choice ? choice->value : 0;
                break;
        case FIELD_TEXTS:
                read_texts(reader, place, json, to);
                break;
        case FIELD_WORDS:
                read_words(reader, place, json, to);
                break;
        case FIELD_FLAGS:
                read_flags(reader, place, json, to);
                break;
        case FIELD_VARIABLES:
                read_variables(reader, place, json, to);
                break;
        case FIELD_OBJECT:
                object_read(reader, field->object, place, json, to);
                break;
        case FIELD_OBJECTS:
                read_objects(reader, field, place, json, base);
                break;
        case FIELD_ANY_OBJECT:
                if (is_object(reader, place, json))
                        *(struct json_object **)to = json;
                break;
        case FIELD_BEHAVIOURS:
                if (field->is_pointer)
                        read_pointed(reader, place, json, to);
                else
                        read_behaviours(reader, place, json, to);
                break;
        case FIELD_BYTES:
                (void)take_bytes(reader, place, json, to);
                break;
        case FIELD_CSTRING:
                read_cstring(reader, place, json, to);
                break;
        case FIELD_PACKETS:
                read_packets(reader, place, json, to);
                break;
        case FIELD_STEPS:
                read_steps(reader, place, json, to);
                break;
        case FIELD_MEMBERS:
                read_members(reader, place, json, to);
                break;
        case FIELD_MERGE:
                if (is_object(reader, place, json))
                        *(const char **)to = take_json_text(reader, json, &len);
                break;
        case FIELD_JSON:
                *(const char **)to = take_json_text(reader, json, &len);
                break;
        case FIELD_METHOD:
                read_method(reader, place, json, to);
                break;
        case FIELD_RULE:
                read_rule_name(reader, place, json);
                break;
        case FIELD_IMAGE_OF:
                read_image_of(reader, place, json, base);
                break;
        case FIELD_IMAGE:
                read_image(reader, place, json, base);
                break;
        case FIELD_ANSWER:
                read_answer(reader, place, json, &((struct rule *)base)->act);
                break;
        case FIELD_DESCRIPTORS:
                read_descriptors(reader, place, json, &((struct rule *)base)->act);
                break;
        }
}

/* ---- objects ---- */

static const struct field *find_field(const struct fields *of, const char *name)
{
        for (size_t i = 0; i < of->n; i++)
                if (!strcmp(of->fields[i].name, name))
                        return &of->fields[i];
        return NULL;
}

static void unknown_key(struct reader *reader, const struct fields *of, const struct place *place)
{
        struct nearest nearest = {.name = place->key};

        for (size_t i = 0; i < of->n; i++)
                text_nearest(&nearest, of->fields[i].name);
        problem_add(reader, place, "unknown key%s", reader_hint(reader, &nearest));
}

/* What must be there, and what cannot be there together. */
static void judge_members(struct reader *reader, const struct fields *of, const struct place *place,
                          struct json_object *json)
{
        size_t n = 0, n_one_of = 0;

        for (size_t i = 0; i < of->n; i++) {
                bool there = json_object_object_get_ex(json, of->fields[i].name, NULL);

                if (of->fields[i].required && !there)
                        problem_add(reader, place, "\"%s\" is missing: %s", of->fields[i].name,
                                    of->fields[i].about);
                n_one_of += of->fields[i].one_of;
                n += of->fields[i].one_of && there;
        }
        if (n_one_of > 0 && n != 1)
                problem_add(reader, place,
                            n ? "only one thing can be done in a step, and here are %zu"
                              : "a step does one thing, such as {\"send\": 4096}",
                            n);
}

void object_read(struct reader *reader, const struct fields *of, const struct place *place,
                 struct json_object *json, void *base)
{
        if (!is_object(reader, place, json))
                return;
        json_object_object_foreach (json, key, value) {
                const struct place here = {place, key, 0};
                const struct field *field = find_field(of, key);

                if (!field) {
                        unknown_key(reader, of, &here);
                        continue;
                }
                read_member(reader, field, &here, value, base, (char *)base + field->offset);
                if (field->has && field->kind != FIELD_OBJECTS)
                        *((bool *)base + field->has) = true;
        }
        judge_members(reader, of, place, json);
}

/* ---- the whole ---- */

static void judge_name(struct reader *reader, const char *name)
{
        static const struct place top = {NULL, NULL, 0};
        const struct scenario *scenario = &reader->owner->scenario;

        if (name && scenario->name && strcmp(scenario->name, name) != 0)
                problem_add(reader, &(struct place){&top, "scenario", 0},
                            "expected the file's name without .json, \"%s\"", name);
}

static void find_emulation(struct reader *reader)
{
        static const struct place top = {NULL, NULL, 0};
        struct scenario *scenario = &reader->owner->scenario;
        struct cip_error error = {0};

        if (scenario->emulate && emulation_find(scenario->emulate, &scenario->emulation, &error) == 0)
                return;
        if (scenario->emulate)
                problem_add(reader, &(struct place){&top, "emulate", 0}, "%s", error.message);
        (void)emulation_find(EMULATE_DEFAULT, &scenario->emulation, &error);
}

int scenario_parse(const char *text, size_t len, const char *name, struct scenario **ret,
                   struct problems *problems)
{
        static const struct place top = {NULL, NULL, 0};
        CLEANUP(cleanup_owner_free) struct owner *owner = calloc(1, sizeof(*owner));
        struct reader reader = {.owner = owner, .problems = problems};
        struct scenario *scenario;

        if (!owner)
                return -ENOMEM;
        scenario = &owner->scenario;
        scenario->seed = 1;
        scenario->fixture = "layers-1";
        owner->json = scenario_read_text(&reader, text, len);
        if (owner->json) {
                object_read(&reader, &scenario_fields, &top, owner->json, scenario);
                scenario->image.seed = scenario->seed;
                judge_name(&reader, name);
                find_emulation(&reader);
                rules_check(&reader, scenario, owner->json);
        }
        if (reader.no_memory)
                return -ENOMEM;
        if (problems->n > 0)
                return -EINVAL;
        *ret = &STEAL(owner)->scenario;
        return 0;
}

/* The file's name without folder and ".json". NULL: it is called otherwise, or there is no memory. */
static char *name_of(const char *path)
{
        const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        size_t len = strlen(base);

        return len > 5 && !strcmp(base + len - 5, ".json") ? strndup(base, len - 5) : NULL;
}

int scenario_read(const char *path, struct scenario **ret, struct problems *problems)
{
        static const struct place top = {NULL, NULL, 0};
        struct reader reader = {.problems = problems};
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_free) char *name = name_of(path);
        struct cip_error error = {0};
        size_t len;
        int r = read_file_at(AT_FDCWD, path, SCENARIO_SIZE_MAX, &text, &len, &error);

        if (r == -ENOMEM)
                return r;
        if (r == -EFBIG)
                problem_add(&reader, &top, "the file is larger than 1 MiB");
        else if (r < 0)
                problem_add(&reader, &top, "%s", error.message);
        if (r < 0)
                return -EINVAL;
        if (!name) {
                problem_add(&reader, &top, "a scenario's file is called NAME.json");
                return -EINVAL;
        }
        return scenario_parse(text, len, name, ret, problems);
}
