/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a scenario: scenario-text.c makes JSON of it, the tables of scenario-fields.c say where each member
 * goes. A reader goes on behind a mistake, so that all are told at once; scenario-check.c then judges what they
 * say together.
 */
#include "fakeregistry/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "base/io.h"
#include "fakeregistry/scenario-fields.h"
#include "fakeregistry/store.h"
#include "image/fixture.h"
#include "protocol/message.h"

/* ---- problems ---- */

void registry_problem_add(struct registry_reader *reader, const struct place *place, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        if (problems_add(reader->problems, place, format, args) < 0)
                reader->no_memory = true;
        va_end(args);
}

const char *registry_reader_hint(struct registry_reader *reader, const struct nearest *nearest)
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
        struct registry_scenario scenario; /* the first member */
        struct json_object *json;
        struct block *blocks;
};

static void *allocate(struct registry_reader *reader, size_t size)
{
        struct owner *owner = (struct owner *)(void *)reader->scenario;
        struct block *block = calloc(1, sizeof(*block) + (size ? size : 1));

        if (!block) {
                reader->no_memory = true;
                return NULL;
        }
        block->next = owner->blocks;
        owner->blocks = block;
        return block->data;
}

void registry_scenario_free(struct registry_scenario *scenario)
{
        struct owner *owner = (struct owner *)(void *)scenario;

        if (!scenario)
                return;
        json_object_put(owner->json);
        while (owner->blocks) {
                struct block *next = owner->blocks->next;

                free(owner->blocks);
                owner->blocks = next;
        }
        free(owner);
}

/* ---- values ---- */

static bool is_of_type(struct registry_reader *reader, const struct place *place, struct json_object *json,
                       enum json_type type, const char *expected)
{
        if (json_object_is_type(json, type))
                return true;
        registry_problem_add(reader, place, "expected %s, not %s", expected, document_value_words(json));
        return false;
}

static bool is_text(struct registry_reader *reader, const struct place *place, struct json_object *json)
{
        if (!is_of_type(reader, place, json, json_type_string, "a string"))
                return false;
        if (strlen(json_object_get_string(json)) == (size_t)json_object_get_string_len(json))
                return true;
        registry_problem_add(reader, place, "a NUL character cannot stand here");
        return false;
}

static bool has_control(const char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 127)
                        return true;
        return false;
}

static void read_number(struct registry_reader *reader, const struct registry_field *field,
                        const struct place *place, struct json_object *json, void *to)
{
        uint64_t max = field->max ? field->max : JSON_INTEGER_MAX, value;
        bool integer = json_object_is_type(json, json_type_int) && json_object_get_int64(json) >= 0;

        value = integer ? json_object_get_uint64(json) : 0;
        if (integer && value >= field->min && value <= max) {
                if (field->size == sizeof(unsigned))
                        *(unsigned *)to = (unsigned)value;
                else
                        *(uint64_t *)to = value;
                return;
        }
        registry_problem_add(reader, place, "expected an integer of %llu to %llu%s%s",
                             (unsigned long long)field->min, (unsigned long long)max,
                             json_object_is_type(json, json_type_int) ? "" : ", not ",
                             json_object_is_type(json, json_type_int) ? "" : document_value_words(json));
}

static void read_choice(struct registry_reader *reader, const struct registry_field *field,
                        const struct place *place, struct json_object *json, void *to)
{
        struct nearest nearest = {0};
        char names[400] = "";
        size_t len = 0;

        if (!is_text(reader, place, json))
                return;
        nearest.name = json_object_get_string(json);
        for (const struct registry_choice *choice = field->choices; choice->name; choice++) {
                if (!strcmp(choice->name, nearest.name)) {
                        if (field->size == sizeof(bool))
                                *(bool *)to = choice->value;
                        else
                                *(unsigned *)to = (unsigned)choice->value;
                        return;
                }
                text_nearest(&nearest, choice->name);
                if (len < sizeof(names))
                        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
                                                choice->name);
        }
        registry_problem_add(reader, place, "\"%s\" is none of %s%s", nearest.name, names,
                             registry_reader_hint(reader, &nearest));
}

static void judge_fixture(struct registry_reader *reader, const struct place *place, const char *name)
{
        struct nearest nearest = {.name = name};

        if (fixture_find(name))
                return;
        for (size_t i = 0; i < n_fixtures; i++)
                text_nearest(&nearest, fixtures[i].name);
        registry_problem_add(reader, place, "there is no fixture \"%s\"%s", name,
                             registry_reader_hint(reader, &nearest));
}

static void read_text(struct registry_reader *reader, const struct registry_field *field,
                      const struct place *place, struct json_object *json, const char **to)
{
        static const char slug[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
        const char *text;

        if (!is_text(reader, place, json))
                return;
        text = *to = json_object_get_string(json);
        if (!*text && field->required)
                registry_problem_add(reader, place, "this cannot be empty");
        else if (field->kind == REGISTRY_FIELD_SLUG && strspn(text, slug) != strlen(text))
                registry_problem_add(reader, place, "expected letters a to z, digits and dashes");
        else if (field->kind == REGISTRY_FIELD_LINE && has_control(text))
                registry_problem_add(reader, place, "a control character cannot stand here");
        else if (field->kind == REGISTRY_FIELD_REPOSITORY && !registry_repository_is_good(text))
                registry_problem_add(reader, place, "\"%s\" is no name of a repository", text);
        else if (field->kind == REGISTRY_FIELD_TAG && !registry_tag_is_good(text))
                registry_problem_add(reader, place, "\"%s\" is no tag", text);
        else if (field->kind == REGISTRY_FIELD_FIXTURE)
                judge_fixture(reader, place, text);
}

static void read_texts(struct registry_reader *reader, const struct place *place, struct json_object *json,
                       const char *const **to)
{
        size_t n = is_of_type(reader, place, json, json_type_array, "an array") ? json_object_array_length(json)
                                                                                : 0;
        const char **texts = allocate(reader, (n + 1) * sizeof(*texts));

        for (size_t i = 0; texts && i < n; i++) {
                const struct place here = {place, NULL, i};
                struct json_object *item = json_object_array_get_idx(json, i);

                texts[i] = is_text(reader, &here, item) ? json_object_get_string(item) : "";
        }
        *to = texts;
}

/* ---- headers ---- */

/* What libmicrohttpd decides itself. */
static const char *const own_headers[] = {"Content-Length", "Transfer-Encoding", "Connection", "Date"};

static void judge_header(struct registry_reader *reader, const struct place *place, const char *name)
{
        static const char token[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

        if (!*name || strspn(name, token) != strlen(name))
                registry_problem_add(reader, place, "this is no name of a header");
        for (size_t i = 0; i < ARRAY_SIZE(own_headers); i++)
                if (!strcasecmp(name, own_headers[i]))
                        registry_problem_add(reader, place, "this header cannot be set%s",
                                             i == 0 ? "; use `content_length`" : "");
}

static void read_headers(struct registry_reader *reader, const struct registry_field *field,
                         const struct place *place, struct json_object *json, void *base)
{
        bool good = is_of_type(reader, place, json, json_type_object, "an object");
        size_t n = good ? (size_t)json_object_object_length(json) : 0, i = 0;
        struct registry_header *headers = allocate(reader, (n + 1) * sizeof(*headers));

        if (!headers || !good)
                return;
        json_object_object_foreach (json, key, value) {
                const struct place here = {place, key, 0};

                judge_header(reader, &here, key);
                headers[i].name = key;
                if (value && is_text(reader, &here, value)) {
                        headers[i].value = json_object_get_string(value);
                        if (has_control(headers[i].value))
                                registry_problem_add(reader, &here, "a control character cannot stand here");
                }
                i++;
        }
        *(const struct registry_header **)(void *)((char *)base + field->offset) = headers;
        *(size_t *)(void *)((char *)base + field->count) = n;
}

/* ---- objects ---- */

static void object_read(struct registry_reader *reader, const struct registry_fields *of,
                        const struct place *place, struct json_object *json, void *base);

static void read_objects(struct registry_reader *reader, const struct registry_field *field,
                         const struct place *place, struct json_object *json, void *base)
{
        const struct registry_fields *of = field->object;
        size_t n = is_of_type(reader, place, json, json_type_array, "an array") ? json_object_array_length(json)
                                                                                : 0;
        char *items = allocate(reader, n * of->size);

        if (!items)
                return;
        for (size_t i = 0; i < n; i++)
                object_read(reader, of, &(struct place){place, NULL, i}, json_object_array_get_idx(json, i),
                            items + i * of->size);
        *(void **)(void *)((char *)base + field->offset) = items;
        *(size_t *)(void *)((char *)base + field->count) = n;
}

static void read_member(struct registry_reader *reader, const struct registry_field *field,
                        const struct place *place, struct json_object *json, void *base)
{
        void *to = (char *)base + field->offset;

        if (field->there)
                *(bool *)((char *)base + field->there) = true;
        switch (field->kind) {
        case REGISTRY_FIELD_TRUE:
                if (json_object_is_type(json, json_type_boolean) && json_object_get_boolean(json))
                        *(bool *)to = true;
                else
                        registry_problem_add(reader, place, "expected true, not %s",
                                             document_value_words(json));
                break;
        case REGISTRY_FIELD_NUMBER:
                read_number(reader, field, place, json, to);
                break;
        case REGISTRY_FIELD_CHOICE:
                read_choice(reader, field, place, json, to);
                break;
        case REGISTRY_FIELD_TEXTS:
                read_texts(reader, place, json, to);
                break;
        case REGISTRY_FIELD_OBJECT:
                object_read(reader, field->object, place, json, to);
                break;
        case REGISTRY_FIELD_OBJECTS:
                read_objects(reader, field, place, json, base);
                break;
        case REGISTRY_FIELD_ANY_OBJECT:
                if (is_of_type(reader, place, json, json_type_object, "an object"))
                        *(struct json_object **)to = json;
                break;
        case REGISTRY_FIELD_HEADERS:
                read_headers(reader, field, place, json, base);
                break;
        default:
                read_text(reader, field, place, json, to);
                break;
        }
}

static void unknown_key(struct registry_reader *reader, const struct registry_fields *of,
                        const struct place *place, const char *key)
{
        struct nearest nearest = {.name = key};

        for (size_t i = 0; i < of->n; i++)
                text_nearest(&nearest, of->fields[i].name);
        registry_problem_add(reader, place, "unknown key%s", registry_reader_hint(reader, &nearest));
}

static void object_read(struct registry_reader *reader, const struct registry_fields *of,
                        const struct place *place, struct json_object *json, void *base)
{
        if (!is_of_type(reader, place, json, json_type_object, "an object"))
                return;
        json_object_object_foreach (json, key, value) {
                const struct place here = {place, key, 0};
                size_t i = 0;

                while (i < of->n && strcmp(of->fields[i].name, key) != 0)
                        i++;
                if (i < of->n)
                        read_member(reader, &of->fields[i], &here, value, base);
                else
                        unknown_key(reader, of, &here, key);
        }
        for (size_t i = 0; i < of->n; i++)
                if (of->fields[i].required && !json_object_object_get_ex(json, of->fields[i].name, NULL))
                        registry_problem_add(reader, place, "\"%s\" is missing", of->fields[i].name);
}

/* ---- a file ---- */

int registry_scenario_parse(const char *text, size_t len, const char *name, struct registry_scenario **ret,
                            struct problems *problems)
{
        static const struct place top = {NULL, NULL, 0};
        struct registry_reader reader = {.problems = problems};
        struct owner *owner = calloc(1, sizeof(*owner));
        size_t n_before = problems->n;
        int r;

        if (!owner)
                return -ENOMEM;
        reader.scenario = &owner->scenario;
        owner->json = registry_read_text(&reader, text, len);
        if (owner->json) {
                object_read(&reader, registry_all_fields[0], &top, owner->json, &owner->scenario);
                registry_scenario_check(&reader, &owner->scenario, owner->json);
        }
        if (owner->json && name && owner->scenario.name && strcmp(owner->scenario.name, name) != 0)
                registry_problem_add(&reader, &(struct place){&top, "scenario", 0},
                                     "the scenario is called as its file is: \"%s\"", name);
        r = reader.no_memory ? -ENOMEM : problems->n > n_before || !owner->json ? -EINVAL : 0;
        if (r < 0)
                registry_scenario_free(&owner->scenario);
        else
                *ret = &owner->scenario;
        return r;
}

/* The file's name without folders and ".json"; the caller frees. */
static char *name_of(const char *path)
{
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
        size_t len = strlen(base);

        if (len > 5 && !strcmp(base + len - 5, ".json"))
                len -= 5;
        return strndup(base, len);
}

int registry_scenario_read(const char *path, struct registry_scenario **ret, struct problems *problems)
{
        static const struct place top = {NULL, NULL, 0};
        struct registry_reader reader = {.problems = problems};
        CLEANUP(cleanup_free) char *name = name_of(path);
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        size_t len = 0;
        int r;

        if (!name)
                return -ENOMEM;
        r = read_file_at(AT_FDCWD, path, REGISTRY_SCENARIO_SIZE_MAX, &text, &len, &error);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                registry_problem_add(&reader, &top, "%s", error.message);
                return -EINVAL;
        }
        return registry_scenario_parse(text, len, name, ret, problems);
}
