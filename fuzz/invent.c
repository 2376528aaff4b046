/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function for each kind of member, and a table of those members whose values or frequency need a bound: what
 * takes long, what floods a disk, what would be held against the client although the server did it.
 */
#include "fuzz/invent.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "fakeproxy/scenario-fields.h"
#include "image/fixture.h"
#include "protocol/message.h"
#include "protocol/method.h"

#define USUAL_WEIGHT 10
#define RULES_MAX 3
#define REPAIRS_MAX 100

struct inventor {
        uint64_t random;
        size_t n_rules; /* that are there already, and can be named */
};

/* How often a member is chosen (0: never), and its largest number. */
static const struct hint {
        const char *object, *name;
        unsigned weight;
        uint64_t max;
} hints[] = {
        /* What it is called, and what stands in another place. */
        {"rule", "name", 0, 0},
        {"rule", "when", 0, 0},
        {"step", "code", 1, 0},
        {"step", "bytes_per_s", 0, 0},
        /* Each stalls the client for as long as it is patient. */
        {"rule", "no_reply", 2, 0},
        {"rule", "stop_reading", 1, 0},
        {"rule", "ignore_end", 2, 0},
        {"rule", "delay_ms", 10, 300},
        {"rule", "delay_after_ms", 10, 300},
        {"step", "stall", 1, 0},
        {"step", "wait_ms", 10, 300},
        {"step", "drip", 6, 1500},
        {"rule", "errors", 3, 0},
        /* What needs a bound. */
        {"rule", "stderr_flood", 5, 1 << 20},
        {"rule", "pad_to", 10, 200000},
        {"step", "zeros", 10, 200000},
        {"step", "random", 10, 200000},
        {"step", "forever", 2, 0},
        {"when", "nth", 30, 4},
        {"when", "from", 10, 4},
        {"when", "packet", 3, 12},
        {"when", "pipe", 5, 5},
        {"when", "contains", 2, 0},
        {"when", "earlier", 2, 0},
        {"when", "length_at_least", 2, 200},
        {"when", "has_descriptors", 0, 0},
        {"when", "arguments_at_least", 2, 3},
        {"when", "argument", 2, 0},
        {"when", "image", 2, 0},
        {"when", "digest", 0, 0},
        {"when", "event", 4, 0},
        {"when", "method", 0, 0},
        {"argument", "index", 10, 3},
        {"layer", "size", 10, 200000},
        {"layer", "count", 3, 3},
        {"layer", "digest", 1, 0},
        {"layer", "entry", 2, 0},
        {"image", "manifest", 1, 0},
        {"image", "config", 1, 0},
};

/* Behaviours that are the server's own affair, or would look like the client's doing; numbers have a bound. */
static const struct hint behaviour_hints[] = {
        {"with", "leaves_child", 0, 0},
        {"with", "leaves_file", 0, 0},
        {"with", "leaves_file_per_archive", 0, 0},
        {"with", "leaves_archives_at_end", 0, 0},
        {"with", "leak_per_request", 10, 4096},
        {"with", "leak_per_mib", 10, 4096},
        {"with", "request_delay_ms", 10, 100},
        {"with", "pad_replies_to", 10, 102400},
        {"with", "cut_replies_at", 10, 40000},
        {"with", "serve_at_most", 10, 12},
        {"with", "pipes_at_most", 10, 4},
        {"with", "images_at_most", 10, 2},
        {"with", "exit_status", 10, 255},
        {"with", "error_exit_status", 10, 255},
};

static size_t pick(struct inventor *inventor, size_t n)
{
        return n ? (size_t)random_below(&inventor->random, n) : 0;
}

static bool chance(struct inventor *inventor, unsigned per_cent)
{
        return random_below(&inventor->random, 100) < per_cent;
}

static struct hint hint_of(const struct hint *table, size_t n, const char *object, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(table[i].name, name) == 0 && strcmp(table[i].object, object) == 0)
                        return table[i];
        return (struct hint){object, name, USUAL_WEIGHT, 0};
}

static struct json_object *a_string(const char *text)
{
        return json_object_new_string(text);
}

/* ---- values ---- */

static uint64_t a_number(struct inventor *inventor, uint64_t min, uint64_t max)
{
        static const uint64_t edges[] = {0, 1, 2, 511, 1536, 4095, 4096, 32767, 32768, 65535, 65536, 65537};
        uint64_t n;

        if (max == 0 || max > 100000000)
                max = 100000;
        n = chance(inventor, 50) ? edges[pick(inventor, ARRAY_SIZE(edges))]
                                 : random_below(&inventor->random, max + 1);
        if (n > max)
                n = min + random_below(&inventor->random, max - min + 1);
        return n < min ? min : n;
}

static struct json_object *a_text(struct inventor *inventor)
{
        static const char *const texts[] = {
                "unexpected EOF",
                "manifest unknown",
                "i/o timeout",
                "x",
                "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "sha256:../../x",
                "application/vnd.example",
                "\033[31mred\033[0m\r\n\a",
                "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x83",
                "%s%n",
                "time=\"2024-05-01T12:00:00Z\" level=fatal msg=\"x\"\n",
        };
        char large[3000];

        if (!chance(inventor, 5))
                return a_string(texts[pick(inventor, ARRAY_SIZE(texts))]);
        memset(large, 'z', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        return a_string(large);
}

/* Any value at all, for a member of a reply. */
static struct json_object *any_value(struct inventor *inventor)
{
        static const char *const values[] = {
                "null",
                "true",
                "false",
                "0",
                "1",
                "2",
                "-1",
                "1.5",
                "9007199254740991",
                "4294967295",
                "\"\"",
                "\"1\"",
                "[]",
                "{}",
                "[1]",
                "\"0.2.8\"",
                "\"0.3.0\"",
                "\"sha256:00\"",
                "[{\"digest\":\"sha256:00\",\"size\":1,\"media_type\":\"x\"}]",
                "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""};

        return json_tokener_parse(values[pick(inventor, ARRAY_SIZE(values))]);
}

/* A packet's bytes: a reply, or hardly one. */
static struct json_object *some_bytes(struct inventor *inventor)
{
        static const char *const texts[] = {
                "{\"success\":true,\"value\":null,\"pipeid\":0,\"error\":\"\"}",
                "{\"success\":true,\"value\":1,\"pipeid\":0,\"error\":\"\"}",
                "{\"success\":true,\"value\":1,\"pipeid\":7,\"error_code\":\"\",\"error\":\"\"}",
                "{\"success\":false,\"value\":null,\"pipeid\":0,\"error\":\"no\"}",
                "{}",
                "null",
                "[",
                "\xef\xbb\xbf{}",
                " ",
                "{\"success\":true}",
                "{\"success\":true,\"success\":false}",
                "x",
        };
        struct json_object *object;

        if (!chance(inventor, 15))
                return a_string(texts[pick(inventor, ARRAY_SIZE(texts))]);
        object = json_object_new_object();
        json_object_object_add(object, "base64", a_string(chance(inventor, 50) ? "AAECA/8=" : "//79/A=="));
        return object;
}

static struct json_object *a_reply(struct inventor *inventor)
{
        bool success = chance(inventor, 60);
        struct json_object *reply = json_object_new_object();

        json_object_object_add(reply, "success", json_object_new_boolean(success));
        json_object_object_add(reply, "value", success ? any_value(inventor) : NULL);
        json_object_object_add(reply, "pipeid", json_object_new_int(chance(inventor, 80) ? 0 : 7));
        json_object_object_add(reply, "error", success ? a_string("") : a_text(inventor));
        if (chance(inventor, 60))
                json_object_object_add(reply, "error_code", a_string(success ? "" : "other"));
        return reply;
}

static struct json_object *a_merge(struct inventor *inventor)
{
        static const char *const names[] = {"value", "value",      "pipeid", "success",
                                            "error", "error_code", "more"};
        struct json_object *merge = json_object_new_object();

        for (size_t n = 1 + pick(inventor, 2); n > 0; n--)
                json_object_object_add(merge, names[pick(inventor, ARRAY_SIZE(names))], any_value(inventor));
        return merge;
}

static const char *a_choice(struct inventor *inventor, const struct choice *choices)
{
        size_t n = 0;

        while (choices[n].name)
                n++;
        return choices[pick(inventor, n)].name;
}

static struct json_object *an_array_of(struct inventor *inventor, size_t max,
                                       struct json_object *(*make)(struct inventor *inventor))
{
        struct json_object *array = json_object_new_array();

        for (size_t n = 1 + pick(inventor, max); n > 0; n--)
                json_object_array_add(array, make(inventor));
        return array;
}

static struct json_object *a_member_name(struct inventor *inventor)
{
        return a_string(a_choice(inventor, member_choices));
}

static struct json_object *some_behaviours(struct inventor *inventor)
{
        struct json_object *object = json_object_new_object();

        for (size_t n = 1 + pick(inventor, 2); n > 0; n--) {
                const struct behaviour *behaviour = &behaviour_table[pick(inventor, n_behaviours)];
                struct hint hint =
                        hint_of(behaviour_hints, ARRAY_SIZE(behaviour_hints), "with", behaviour->name);
                char name[BEHAVIOUR_NAME_MAX];

                if (hint.weight)
                        json_object_object_add(object, behaviour_scenario_name(behaviour->name, name),
                                               behaviour->is_number
                                                       ? json_object_new_uint64(a_number(
                                                                 inventor, 1, hint.max ? hint.max : 1000))
                                                       : json_object_new_boolean(1));
        }
        return object;
}

/* ---- objects ---- */

static struct json_object *an_object(struct inventor *inventor, const struct fields *fields, size_t n_members);

/* One member of those that exclude each other, and what goes with it. */
static struct json_object *a_step(struct inventor *inventor)
{
        struct json_object *step = an_object(inventor, &step_fields, 0);

        if (json_object_object_get_ex(step, "drip", NULL))
                json_object_object_add(step, "bytes_per_s",
                                       json_object_new_int(chance(inventor, 50) ? 1000 : 20000));
        if (json_object_object_get_ex(step, "fail", NULL) && chance(inventor, 50))
                json_object_object_add(step, "code", a_string(chance(inventor, 50) ? "EPIPE" : "retryable"));
        return step;
}

static struct json_object *a_layer(struct inventor *inventor)
{
        return an_object(inventor, &layer_fields, pick(inventor, 3));
}

static struct json_object *a_count(struct inventor *inventor, const struct hint *hint)
{
        if (!hint->max && chance(inventor, 25))
                return a_string("all");
        return json_object_new_uint64(a_number(inventor, 0, hint->max ? hint->max : 70000));
}

static struct json_object *descriptors(struct inventor *inventor)
{
        static const int numbers[] = {1, 2, 3, 5, 253};

        if (chance(inventor, 75))
                return a_string(a_choice(inventor, descriptor_choices));
        return json_object_new_int(numbers[pick(inventor, ARRAY_SIZE(numbers))]);
}

static struct json_object *a_rule_name(const struct inventor *inventor)
{
        char name[32];

        snprintf(name, sizeof(name), "rule-%zu", inventor->n_rules ? inventor->n_rules - 1 : 0);
        return a_string(name);
}

static struct json_object *a_value(struct inventor *inventor, const struct fields *fields,
                                   const struct field *field)
{
        struct hint hint = hint_of(hints, ARRAY_SIZE(hints), fields->name, field->name);

        switch (field->kind) {
        case FIELD_TRUE:
                return json_object_new_boolean(1);
        case FIELD_NUMBER:
                return json_object_new_uint64(a_number(inventor, field->min, hint.max ? hint.max : field->max));
        case FIELD_CHOICE:
                return a_string(a_choice(inventor, field->choices));
        case FIELD_OBJECT:
                return an_object(inventor, field->object, 1);
        case FIELD_STEPS:
                return an_array_of(inventor, 3, a_step);
        case FIELD_OBJECTS:
                return an_array_of(inventor, 4, a_layer);
        case FIELD_ANY_OBJECT:
                return a_merge(inventor);
        case FIELD_BEHAVIOURS:
                return some_behaviours(inventor);
        case FIELD_BYTES:
                return some_bytes(inventor);
        case FIELD_PACKETS:
                return an_array_of(inventor, 2, some_bytes);
        case FIELD_COUNT:
                return a_count(inventor, &hint);
        case FIELD_DESCRIPTORS:
                return descriptors(inventor);
        case FIELD_IMAGE_OF:
                return chance(inventor, 50) ? json_object_new_int(1) : a_string("fake:scenario");
        case FIELD_ANSWER:
                return a_reply(inventor);
        case FIELD_MEMBERS:
                return an_array_of(inventor, 2, a_member_name);
        case FIELD_MERGE:
                return a_merge(inventor);
        case FIELD_SIGNAL:
                return a_string(a_choice(inventor, signal_choices));
        case FIELD_RULE:
                return a_rule_name(inventor);
        case FIELD_JSON:
                return any_value(inventor);
        case FIELD_CSTRING:
                return a_string("sha256");
        case FIELD_SLUG:
                return a_string("x");
        case FIELD_METHOD:
                return a_string(methods[pick(inventor, METHODS)].name);
        case FIELD_TEXT:
        case FIELD_TEXTS:
        case FIELD_IMAGE:
        default:
                return a_text(inventor);
        }
}

/* A member by weight; NULL where none may be. */
static const struct field *choose_member(struct inventor *inventor, const struct fields *fields, bool one_of)
{
        unsigned sum = 0, at;

        for (size_t i = 0; i < fields->n; i++)
                if (fields->fields[i].one_of == one_of && !fields->fields[i].required)
                        sum += hint_of(hints, ARRAY_SIZE(hints), fields->name, fields->fields[i].name).weight;
        at = sum ? (unsigned)pick(inventor, sum) : 0;
        for (size_t i = 0; i < fields->n && sum; i++) {
                unsigned weight =
                        hint_of(hints, ARRAY_SIZE(hints), fields->name, fields->fields[i].name).weight;

                if (fields->fields[i].one_of != one_of || fields->fields[i].required)
                        continue;
                if (at < weight)
                        return &fields->fields[i];
                at -= weight;
        }
        return NULL;
}

static void add_member(struct inventor *inventor, const struct fields *fields, const struct field *field,
                       struct json_object *object)
{
        if (field)
                json_object_object_add(object, field->name, a_value(inventor, fields, field));
}

/* What is required, one of those that exclude each other, and @n_members others. */
static struct json_object *an_object(struct inventor *inventor, const struct fields *fields, size_t n_members)
{
        struct json_object *object = json_object_new_object();

        for (size_t i = 0; i < fields->n; i++)
                if (fields->fields[i].required)
                        add_member(inventor, fields, &fields->fields[i], object);
        add_member(inventor, fields, choose_member(inventor, fields, true), object);
        for (; n_members > 0; n_members--)
                add_member(inventor, fields, choose_member(inventor, fields, false), object);
        return object;
}

/* ---- the scenario ---- */

static struct json_object *a_rule(struct inventor *inventor)
{
        static const enum method_id usual[] = {
                METHOD_INITIALIZE,   METHOD_OPEN_IMAGE,      METHOD_OPEN_IMAGE_OPTIONAL,  METHOD_GET_MANIFEST,
                METHOD_GET_MANIFEST, METHOD_GET_FULL_CONFIG, METHOD_GET_CONFIG,           METHOD_GET_BLOB,
                METHOD_GET_BLOB,     METHOD_GET_RAW_BLOB,    METHOD_GET_LAYER_INFO_PIPED, METHOD_GET_LAYER_INFO,
                METHOD_FINISH_PIPE,  METHOD_FINISH_PIPE,     METHOD_CLOSE_IMAGE,          METHOD_SHUTDOWN};
        struct json_object *rule = an_object(inventor, &rule_fields, 1 + pick(inventor, 2)), *when;
        bool has_method = chance(inventor, 90);
        char name[32];

        when = an_object(inventor, &when_fields, has_method && chance(inventor, 60) ? 0 : 1);
        if (has_method)
                json_object_object_add(when, "method",
                                       a_string(methods[usual[pick(inventor, ARRAY_SIZE(usual))]].name));
        json_object_object_add(rule, "when", when);
        snprintf(name, sizeof(name), "rule-%zu", inventor->n_rules++);
        json_object_object_add(rule, "name", a_string(name));
        return rule;
}

static struct json_object *an_image(struct inventor *inventor)
{
        const struct fixture *fixture;

        if (chance(inventor, 75))
                return an_object(inventor, &image_fields, 1 + (size_t)chance(inventor, 20));
        /* None that takes seconds to make, or, with a delay for each request, minutes to fetch. */
        do
                fixture = &fixtures[pick(inventor, n_fixtures)];
        while (strcmp(fixture->name, "blob-64m") == 0 || strncmp(fixture->name, "layers-", 7) == 0);
        return a_string(fixture->name);
}

struct json_object *invent_scenario(uint64_t seed, uint64_t number)
{
        static const char *const releases[] = {"0.2.3", "0.2.4", "0.2.5",  "0.2.6",
                                               "0.2.7", "1.9.3", "1.18.0", "1.22.0"};
        struct inventor inventor = {.random =
                                            random_mix(random_mix(seed + RANDOM_STEP) + number * RANDOM_STEP)};
        struct json_object *scenario = json_object_new_object(), *rules = json_object_new_array();
        char name[64];

        snprintf(name, sizeof(name), "seed-%" PRIu64 "-%" PRIu64, seed, number);
        json_object_object_add(scenario, "scenario", a_string(name));
        json_object_object_add(scenario, "about", a_string("Made by cip-fuzz."));
        if (chance(&inventor, 30))
                json_object_object_add(scenario, "emulate",
                                       a_string(releases[pick(&inventor, ARRAY_SIZE(releases))]));
        json_object_object_add(scenario, "seed", json_object_new_uint64(number));
        if (chance(&inventor, 25))
                json_object_object_add(scenario, "with", some_behaviours(&inventor));
        json_object_object_add(scenario, "image", an_image(&inventor));
        for (size_t n = pick(&inventor, RULES_MAX + 1); n > 0; n--)
                json_object_array_add(rules, a_rule(&inventor));
        json_object_object_add(scenario, "rules", rules);
        if (invent_repair(scenario) == 0)
                return scenario;
        json_object_put(scenario);
        return NULL;
}

/* ---- repair ---- */

/* Takes away what a JSON pointer names, or the member that holds it where it is not there. False: the whole. */
static bool take_away(struct json_object *scenario, const char *pointer)
{
        CLEANUP(cleanup_free) char *copy = strdup(pointer);
        struct json_object *holder = scenario, *next;
        char *rest = copy, *key;

        if (!copy)
                return false;
        strsep(&rest, "/");
        while ((key = strsep(&rest, "/"))) {
                if (json_object_is_type(holder, json_type_array)) {
                        size_t i = strtoul(key, NULL, 10);

                        next = json_object_array_get_idx(holder, i);
                        if (!next)
                                return false;
                        if (!rest || json_object_get_type(next) < json_type_object) {
                                json_object_array_del_idx(holder, i, 1);
                                return true;
                        }
                } else {
                        if (!json_object_object_get_ex(holder, key, &next))
                                return false;
                        if (!rest || (!json_object_is_type(next, json_type_object) &&
                                      !json_object_is_type(next, json_type_array))) {
                                json_object_object_del(holder, key);
                                return true;
                        }
                }
                holder = next;
        }
        return false;
}

/* What the last word of a pointer is in, for a member that is missing. */
static void shorten(char *pointer)
{
        char *slash = strrchr(pointer, '/');

        if (slash)
                *slash = '\0';
}

int invent_repair(struct json_object *scenario)
{
        for (size_t i = 0; i < REPAIRS_MAX; i++) {
                CLEANUP(cleanup_problems) struct problems problems = {0};
                CLEANUP(cleanup_scenario_free) struct scenario *parsed = NULL;
                size_t len;
                const char *text = json_object_to_json_string_length(scenario, JSON_C_TO_STRING_PLAIN, &len);
                int r = scenario_parse(text, len, NULL, &parsed, &problems);
                char *pointer;

                if (r != -EINVAL)
                        return r;
                pointer = problems.problems[0].pointer;
                while (*pointer && !take_away(scenario, pointer))
                        shorten(pointer);
                if (!*pointer)
                        break;
        }
        /* Nothing is left of it that could be wrong. */
        json_object_object_del(scenario, "with");
        json_object_object_del(scenario, "image");
        json_object_object_del(scenario, "rules");
        return 0;
}
