/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario as text: json-c parses it, and a walk over it finds what json-c lets pass, which is equal keys and
 * numbers that no machine holds. Size, nesting and encoding are judged before anything is parsed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fakeproxy/scenario-check.h"
#include "protocol/message.h"

/* A walk over text that json-c has taken, so it is known to be JSON, and how deep. */
struct walk {
        const char *at, *end;
        struct reader *reader;
};

/* A key of an object, its text as it is written. */
struct key {
        const char *text;
        size_t len;
};

static void skip_blanks(struct walk *walk)
{
        while (walk->at < walk->end && strchr(" \t\r\n", *walk->at))
                walk->at++;
}

/* Behind the string that begins here. */
static struct key walk_string(struct walk *walk)
{
        struct key key = {.text = walk->at};

        for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
                if (*walk->at == '\\')
                        walk->at++;
        if (walk->at < walk->end)
                walk->at++;
        key.len = (size_t)(walk->at - key.text);
        return key;
}

/* A key without its escapes. NULL: no memory, or it has a NUL. */
static char *key_text(struct key key)
{
        struct json_object *string CLEANUP(cleanup_json) = NULL;

        if (json_parse(key.text, key.len, 1, &string, NULL) < 0 ||
            strlen(json_object_get_string(string)) != (size_t)json_object_get_string_len(string))
                return NULL;
        return strdup(json_object_get_string(string));
}

static int compare_texts(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_equal(struct reader *reader, const struct place *place, char **keys, size_t n)
{
        if (n > 1)
                qsort(keys, n, sizeof(*keys), compare_texts);
        for (size_t i = 1; i < n; i++) {
                const struct place here = {place, keys[i], 0};

                if (!strcmp(keys[i - 1], keys[i]) && (i < 2 || strcmp(keys[i - 2], keys[i]) != 0))
                        problem_add(reader, &here, "this key stands here twice");
        }
}

static void walk_value(struct walk *walk, const struct place *place);

static void walk_object(struct walk *walk, const struct place *place)
{
        char **keys = NULL;
        size_t n = 0;

        for (walk->at++; walk->at < walk->end; walk->at++) {
                char **grown;
                char *text;

                skip_blanks(walk);
                if (walk->at >= walk->end || *walk->at == '}')
                        break;
                text = key_text(walk_string(walk));
                if (!text)
                        problem_add(walk->reader, place, "a key has a NUL character");
                grown = text ? reallocarray(keys, n + 1, sizeof(*keys)) : NULL;
                if (grown) {
                        keys = grown;
                        keys[n++] = text;
                }
                skip_blanks(walk);
                walk->at++; /* the colon */
                walk_value(walk, &(struct place){place, text ? text : "", 0});
                skip_blanks(walk);
                if (!grown)
                        free(text);
                if (walk->at < walk->end && *walk->at == '}')
                        break;
        }
        walk->at++;
        find_equal(walk->reader, place, keys, n);
        for (size_t i = 0; i < n; i++)
                free(keys[i]);
        free(keys);
}

static void walk_array(struct walk *walk, const struct place *place)
{
        size_t n = 0;

        for (walk->at++; walk->at < walk->end; walk->at++) {
                skip_blanks(walk);
                if (walk->at >= walk->end || *walk->at == ']')
                        break;
                walk_value(walk, &(struct place){place, NULL, n++});
                skip_blanks(walk);
                if (walk->at < walk->end && *walk->at == ']')
                        break;
        }
        walk->at++;
}

static void walk_value(struct walk *walk, const struct place *place)
{
        const char *start;

        skip_blanks(walk);
        start = walk->at;
        if (walk->at >= walk->end)
                return;
        if (*walk->at == '{') {
                walk_object(walk, place);
        } else if (*walk->at == '[') {
                walk_array(walk, place);
        } else if (*walk->at == '"') {
                (void)walk_string(walk);
        } else {
                while (walk->at < walk->end && !strchr(",]} \t\r\n", *walk->at))
                        walk->at++;
                if ((size_t)(walk->at - start) > SCENARIO_NUMBER_MAX)
                        problem_add(walk->reader, place, "a number of %zu characters; %zu is the most",
                                    (size_t)(walk->at - start), SCENARIO_NUMBER_MAX);
        }
}

/* The first byte that is not UTF-8. */
static size_t find_not_utf8(const char *text, size_t len)
{
        size_t i = 0;

        while (i < len) {
                uint32_t code;
                size_t n = utf8_character(text + i, len - i, &code);

                if (n == 0)
                        break;
                i += n;
        }
        return i;
}

struct json_object *scenario_read_text(struct reader *reader, const char *text, size_t len)
{
        static const struct place top = {NULL, NULL, 0};
        struct walk walk = {text, text + len, reader};
        struct json_object *json = NULL;
        struct cip_error error = {0};
        size_t at = 0;

        if (len > SCENARIO_SIZE_MAX) {
                problem_add(reader, &top, "the file is larger than 1 MiB");
        } else if ((at = find_not_utf8(text, len)) < len) {
                problem_add(reader, &top, "line %zu is not UTF-8 (byte %zu)", document_line(text, at), at);
        } else if (document_is_too_deep(text, len, SCENARIO_NESTING_MAX, &at)) {
                problem_add(reader, &top, "line %zu is nested too deep; %d levels are the most",
                            document_line(text, at), SCENARIO_NESTING_MAX);
        } else if (json_parse(text, len, SCENARIO_NESTING_MAX + 1, &json, &error) < 0) {
                at = document_stopped_at(&error, len);
                problem_add(reader, &top, "line %zu is not JSON: %s", document_line(text, at), error.message);
        } else {
                walk_value(&walk, &top);
                if (json_object_is_type(json, json_type_object))
                        return json;
                problem_add(reader, &top, "expected an object");
        }
        json_object_put(json);
        return NULL;
}
